"""The names of CPUs' folders, from recorded texts of /proc/cpuinfo."""

import pytest
from bench import cpu, microarchitectures

AMD = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: {family}
model\t\t: {model}
model name\t: {name}
stepping\t: 1
cache size\t: 512 KB
flags\t\t: fpu vme
power management:

processor\t: 1
model name\t: another
"""

INTEL = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: {model}
model name\t: {name}
stepping\t: {stepping}
bugs\t\t: spectre_v1

"""

ARM = """\
processor\t: 0
BogoMIPS\t: 243.75
Features\t: fp asimd
CPU implementer\t: {implementer}
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: {part}
CPU revision\t: 1

"""


@pytest.mark.parametrize(
    "family, model, name, slug, title",
    [
        (25, 1, "AMD EPYC", "amd-epyc-zen3", "AMD EPYC (Zen 3, AVX2)"),
        (26, 2, "AMD EPYC", "amd-epyc-zen5", "AMD EPYC (Zen 5, AVX2)"),
        (25, 17, "AMD EPYC", "amd-epyc-zen4", "AMD EPYC (Zen 4, AVX2)"),
        (23, 1, "AMD EPYC", "amd-epyc-zen", "AMD EPYC (Zen, AVX2)"),
        (23, 49, "AMD EPYC", "amd-epyc-zen2", "AMD EPYC (Zen 2, AVX2)"),
        (
            *(25, 33, "AMD Ryzen 9 5950X 16-Core Processor"),
            "amd-ryzen-9-5950x-zen3",
            "AMD Ryzen 9 5950X 16-Core Processor (Zen 3, AVX2)",
        ),
        (
            *(99, 7, "AMD EPYC"),
            "amd-epyc-family-99-model-7",
            "AMD EPYC (AVX2)",
        ),
    ],
)
def test_amd(family, model, name, slug, title):
    found = cpu.of_cpuinfo(AMD.format(family=family, model=model, name=name))
    folder = found.slug("x86_64_v3")
    assert folder == f"{slug}-x86_64_v3"
    assert cpu.title(folder, found.processor) == title
    assert cpu.best_set(folder) == "x86_64_v3"


@pytest.mark.parametrize(
    "model, stepping, name, slug, kind",
    [
        (
            *(85, 4, "Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz"),
            *("intel-xeon-platinum-8175m-skylake-sp", "Skylake-SP"),
        ),
        (
            *(85, 7, "Intel(R) Xeon(R) CPU @ 2.80GHz"),
            *("intel-xeon-cascade-lake", "Cascade Lake"),
        ),
        (
            *(106, 6, "Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz"),
            *("intel-xeon-platinum-8370c-ice-lake-sp", "Ice Lake-SP"),
        ),
        (
            *(143, 8, "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz"),
            *("intel-xeon-platinum-8481c-sapphire-rapids", "Sapphire Rapids"),
        ),
        (
            *(154, 3, "12th Gen Intel(R) Core(TM) i7-1260P"),
            *("12th-gen-intel-core-i7-1260p-alder-lake", "Alder Lake"),
        ),
    ],
)
def test_intel(model, stepping, name, slug, kind):
    text = INTEL.format(model=model, stepping=stepping, name=name)
    found = cpu.of_cpuinfo(text)
    assert found.microarchitecture == kind
    folder = found.slug("x86_64_v4")
    assert folder == f"{slug}-x86_64_v4"
    assert cpu.title(folder, name) == f"{name} ({kind}, AVX-512)"


@pytest.mark.parametrize(
    "implementer, part, slug",
    [
        ("0x41", "0xd0c", "neoverse-n1-arm64"),
        ("0x41", "0xd4f", "neoverse-v2-arm64"),
        ("0x61", "0x023", "apple-m1-arm64"),
        ("0x41", "0xfff", "implementer-65-part-4095-arm64"),
    ],
)
def test_arm(implementer, part, slug):
    found = cpu.of_cpuinfo(ARM.format(implementer=implementer, part=part))
    assert found.slug("arm64") == slug


def test_a_name_that_has_the_microarchitecture_has_it_once():
    found = cpu.Cpu("Apple M1", "")
    assert found.slug("arm64") == "apple-m1-arm64"
    assert cpu.title("apple-m1-arm64", "Apple M1") == "Apple M1 (NEON)"


def test_every_microarchitecture_is_found_again_in_a_folder():
    for kind in microarchitectures.all_names():
        folder = cpu.Cpu("Model", kind).slug("x86_64_v3")
        assert cpu.title(folder, "Model") == f"Model ({kind}, AVX2)"


def test_the_folder_of_this_cpu_is_in_the_results():
    assert cpu.folder().parent == cpu.RESULTS
    assert cpu.best_set(cpu.folder().name)
