"""C headers: arguments, sizes, what needs no library, and a Cortex-M4."""

import os
import re
import subprocess

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.c import export
from helpers.c_compiler import WARNINGS, compiled, compiler

SELF_TEST = """
#include "model.h"
int main(void) { return MODEL_EXACT * 100 + model_self_test(); }
"""

#: A program without an operating system: it starts, switches the FPU on, and writes the
#: result of the test through the debugger's interface (semihosting).
BARE = """
#include "model.h"
static void call(int number, const void *value) {
    __asm__ volatile("mov r0, %0\\n mov r1, %1\\n bkpt 0xab"
                     : : "r"(number), "r"(value) : "r0", "r1", "memory");
}
void start(void) {
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm__ volatile("dsb\\n isb");
    static char text[] = "exact 0, wrong 000\\n";
    int wrong = model_self_test();
    text[6] += MODEL_EXACT;
    for (int i = 17; i > 14; i--) text[i] = '0' + wrong % 10, wrong /= 10;
    call(4, text);
    call(0x18, (void *)0x20026);
}
__attribute__((section(".vectors"), used))
const void *const vectors[2] = {(void *)0x20010000, (void *)start};
"""

LINKER = """
ENTRY(start)
SECTIONS {
    . = 0x0;
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) }
    . = 0x20000000;
    .data : { *(.data*) }
    .bss : { *(.bss*) }
}
"""


def network(dtype="float32", class_=bp.Network, **settings):
    net = class_(
        [30, 17, 9, 8, 7, 4],
        activation=["tanh", "gelu", "softplus", "selu"],
        norm="layer",
        loss="cross_entropy",
        dtype=dtype,
        rng=0,
        **settings,
    )
    for gain in net.gains[:2]:
        gain[...] = 1.25
    return net


def test_sizes(tmp_path):
    net = network()
    report = net.to_c(tmp_path / "model.h")
    numbers = re.findall(
        r"static const float model_\w+\[(\d+)\]", (tmp_path / "model.h").read_text()
    )
    assert report.flash_bytes == 4 * sum(map(int, numbers)) > net.parameters.nbytes
    assert report.ram_bytes == 4 * (17 + 9)
    assert report.largest_difference is None and report.before == {}
    small = net.to_c(tmp_path / "model.h", weights="int8")
    assert "not measured" in str(small)
    assert small.flash_bytes < report.flash_bytes / 1.9


def test_what_8_bits_cost(tmp_path):
    net, rng = network(), np.random.default_rng(0)
    X, y = rng.normal(size=(200, 30)), rng.integers(4, size=200)
    report = net.to_c(tmp_path / "a.h", weights="int8", X=X, y=y, metrics="accuracy")
    assert report.before == net.evaluate(X, y, metrics="accuracy")
    assert set(report.after) == {"loss", "accuracy"}
    assert report.after["loss"] != report.before["loss"]
    assert report.after["loss"] == pytest.approx(report.before["loss"], rel=0.05)
    assert 0 < report.mean_difference < report.largest_difference < 0.1
    assert str(report).splitlines()[1] in (tmp_path / "a.h").read_text()
    exact = net.to_c(tmp_path / "a.h", X=X, y=y)
    assert exact.largest_difference == 0 and exact.before == exact.after


def test_of_the_reference(tmp_path):
    """The test vectors have the bits of the kernels, not those of NumPy."""
    net = network()
    twin = network(class_=bp.reference.Network)
    twin.parameters[:] = net.parameters
    twin.to_c(tmp_path / "a.h")
    net.to_c(tmp_path / "b.h")
    assert (tmp_path / "a.h").read_text() == (tmp_path / "b.h").read_text()


def test_scale_of_the_inputs_stays_a_factor(tmp_path):
    net = bp.Network([3, 5, 2], input_scale=1.0, norm="batch")
    net.input_scale[...] = [1.0, 2.0, 3.0]
    report = net.to_c(tmp_path / "model.h")
    assert report.ram_bytes == 4 * (3 + 5)
    assert (
        "network_scale[3] = {\n    0x1p+0f, 0x1p+1f, 0x1.8p+1f,\n}"
        in (tmp_path / "model.h").read_text()
    )


@pytest.mark.parametrize(
    "loss, has_label",
    [("cross_entropy", True), ("binary_cross_entropy", True), ("squared_error", False)],
)
def test_labels(loss, has_label, tmp_path):
    n_out = 1 if loss == "binary_cross_entropy" else 3
    net = bp.Network([2, n_out], loss=loss, rng=1)
    X = np.random.default_rng(0).normal(size=(4, 2)).astype("f4")
    net.to_c(tmp_path / "model.h", X=X)
    text = (tmp_path / "model.h").read_text()
    assert ("model_label" in text) is has_label
    if not has_label:
        return
    rows = ", ".join("{" + ", ".join(map(str, row)) + "}" for row in X.tolist())
    source = f"""
#include <stdio.h>
#include "model.h"
int main(void) {{
    const float x[4][2] = {{{rows}}};
    float out[MODEL_N_OUT];
    for (int i = 0; i < 4; i++) {{
        model_predict(x[i], out);
        printf("%d ", model_label(out));
    }}
    return 0;
}}"""
    program = compiled(compiler("gcc"), source, tmp_path)
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    p = net.predict(X)
    labels = (p[:, 0] > 0.5) if n_out == 1 else p.argmax(axis=1)
    assert list(map(int, done.stdout.split())) == labels.astype(int).tolist()
    assert len(set(labels.tolist())) > 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_library_is_needed(dtype, tmp_path):
    """Without errors of the strictest warnings, and without undefined symbols."""
    network(dtype, input_scale=1.0).to_c(tmp_path / "model.h")
    (tmp_path / "a.c").write_text(SELF_TEST)
    flags = [
        "-ffreestanding",
        "-fno-builtin",
        "-fno-stack-protector",
        "-Wshadow",
        "-O2",
    ]
    command = [compiler("gcc"), *WARNINGS, *flags, "-c", "a.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    undefined = subprocess.check_output(
        [compiler("nm"), "-u", "a.o"], cwd=tmp_path, text=True
    )
    assert set(undefined.split()) <= {"U", "memset", "memcpy"}


@pytest.mark.parametrize(
    "cpu, machine, dtype, exact",
    [
        ("cortex-m4", "mps2-an386", "float32", 1),
        ("cortex-m7", "mps2-an500", "float64", 1),
        ("cortex-m3", "mps2-an385", "float32", 0),  # no FPU at all
    ],
)
def test_microcontrollers(cpu, machine, dtype, exact, tmp_path):
    cc, qemu = compiler("arm-none-eabi-gcc"), compiler("qemu-system-arm")
    network(dtype).to_c(tmp_path / "model.h")
    (tmp_path / "main.c").write_text(BARE)
    (tmp_path / "link.ld").write_text(LINKER)
    fpu = {
        "cortex-m4": ["-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
        "cortex-m7": ["-mfpu=fpv5-d16", "-mfloat-abi=hard"],
        "cortex-m3": ["-mfloat-abi=soft"],
    }
    flags = [f"-mcpu={cpu}", "-mthumb", *fpu[cpu], "-O2", "-std=gnu99", "-nostdlib",
             "-ffreestanding", "-T", "link.ld"]  # fmt: skip
    done = subprocess.run(
        [cc, *flags, "-o", "a.elf", "main.c", "-lc", "-lgcc"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    if "cannot find -lc" in done.stderr:
        pytest.skip("no C library for arm-none-eabi is installed")
    assert done.returncode == 0, done.stderr
    run = f"-machine {machine} -nographic -monitor none -serial none -kernel a.elf "
    run += "-semihosting-config enable=on,target=native"
    done = subprocess.run(
        [qemu, *run.split()],
        cwd=tmp_path,
        env={**os.environ, "LD_PRELOAD": ""},  # sanitizers print warnings about QEMU
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout + done.stderr).strip() == f"exact {exact}, wrong 000"


def test_a_loss_of_ones_own(tmp_path):
    net = bp.Network([2, 3], loss=lambda a, y: ((a - y) ** 2).mean(), rng=0)
    X = np.ones((5, 2))
    report = net.to_c(tmp_path / "model.h", X=X, y=np.zeros((5, 3)))
    assert report.before["loss"] == net.evaluate(X, np.zeros((5, 3)))


def test_too_large_for_c(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "MOST", 17 * 30 - 1)
    with pytest.raises(ValueError, match="at most 2\\^31 - 1 weights; got 510"):
        network().to_c(tmp_path / "model.h")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"name": "2model"}, "name must be a letter"),
        ({"name": ""}, "name must be a letter"),
        ({"name": "a b"}, "name must be a letter"),
        ({"name": "é"}, "name must be a letter"),
        ({"name": 3}, "name must be a letter"),
        ({"weights": "int4"}, "weights must be"),
        ({"weights": "float64"}, "weights must be"),
        ({"y": [0]}, "X must be given with y"),
        ({"X": np.zeros((2, 3))}, r"X must have shape \(n, 30\)"),
        ({"X": np.full((2, 30), np.nan)}, "X must be finite"),
        ({"X": np.zeros((2, 30)), "y": [9, 9]}, "y must"),
    ],
)
def test_bad_arguments(arguments, message, tmp_path):
    path = tmp_path / "model.h"
    path.write_text("as it was")
    with pytest.raises((ValueError, TypeError), match=message):
        network().to_c(path, **arguments)
    assert path.read_text() == "as it was"
