"""The CPU at hand: its model, its microarchitecture, and the folder of its results.

python -m bench.cpu

prints the folder, ``bench/results/<cpu>``, which every CPU has for itself.
"""

import contextlib
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import bpcore

from . import microarchitectures

RESULTS = Path(__file__).with_name("results")

_CPUINFO = Path("/proc/cpuinfo")

#: Parts of model names that do not tell models apart.
_NOISE = r"\((?:r|tm)\)|\bcpu\b|\bprocessor\b|\b\d+-core\b|@.*"

#: The usual names of the vector instructions of a build.
INSTRUCTIONS = {
    "x86_64_v4": "AVX-512",
    "x86_64_v3": "AVX2",
    "x86_64_v2": "SSE4.2",
    "arm64": "NEON",
    "scalar": "no vectors",
}


@dataclass(frozen=True)
class Cpu:
    """A processor as its results are named.

    Parameters
    ----------
    processor : str
        The model name, if it has one.
    microarchitecture : str
    """

    processor: str
    microarchitecture: str

    def slug(self, isa):
        """The name of its folder, with the best instruction set that it has."""
        model = _slug(re.sub(_NOISE, " ", self.processor.lower()))
        kind = _slug(self.microarchitecture)
        parts = (model, "" if kind in model else kind, isa)
        return "-".join(part for part in parts if part)


def of_cpuinfo(text):
    """The CPU that a ``/proc/cpuinfo`` describes, by its first processor.

    Parameters
    ----------
    text : str
        The content of the file.
    """
    first = text.strip().partition("\n\n")[0]
    pairs = (line.partition(":")[::2] for line in first.splitlines())
    fields = {name.strip(): value.strip() for name, value in pairs}
    processor = fields.get("model name", "")
    if "cpu family" in fields:
        numbers = (int(fields[name]) for name in ("cpu family", "model", "stepping"))
        return Cpu(processor, microarchitectures.x86(fields["vendor_id"], *numbers))
    if "CPU part" in fields:
        numbers = (int(fields[f"CPU {name}"], 0) for name in ("implementer", "part"))
        return Cpu(processor, microarchitectures.arm(*numbers))
    return Cpu(processor, "")


def identify():
    """The CPU at hand."""
    if _CPUINFO.exists():
        return of_cpuinfo(_CPUINFO.read_text())
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        name = subprocess.run(command, check=True, capture_output=True, text=True)
        return Cpu(name.stdout.strip(), "")
    return Cpu(platform.processor() or platform.machine(), "")


def folder():
    """The folder of the results of the CPU at hand; it may not exist yet."""
    return RESULTS / identify().slug(bpcore.config()["available"][0])


def title(name, processor):
    """A folder's CPU as text, as in "AMD EPYC (Zen 5, AVX-512)".

    Parameters
    ----------
    name : str
        Name of the folder.
    processor : str
        The model name in its records.
    """
    isa = best_set(name)
    parts = f"-{name.removesuffix(isa)}"
    kinds = (
        kind for kind in microarchitectures.all_names() if f"-{_slug(kind)}-" in parts
    )
    kind = max(kinds, key=len, default="")
    about = [INSTRUCTIONS[isa]]
    if kind and kind not in processor:
        about.insert(0, kind)
    return f"{processor or 'CPU'} ({', '.join(about)})"


def best_set(name):
    """The instruction set at the end of a folder's name."""
    return next(isa for isa in INSTRUCTIONS if name.endswith(f"-{isa}"))


def _slug(text):
    """Lower-case words joined by hyphens; "Zen 5" is one word."""
    text = re.sub(r"\bzen (?=\d)", "zen", text.lower().replace("+", " plus"))
    return "-".join(re.findall(r"[a-z0-9]+", text))


if __name__ == "__main__":
    print(os.path.relpath(folder()))
