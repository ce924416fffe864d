"""Which build of the kernels runs, and that the bits do not depend on it."""

import functools
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import bpcore as bp
from bpcore import _dispatch
from bpcore._cpu import supported

UNAVAILABLE = [isa for isa in supported() if isa not in _dispatch.available]

TRAIN = """
import numpy as np, bpcore as bp
X, y = np.random.default_rng(0).normal(size=(50, 5)), np.arange(50) % 3
for dtype in ("float32", "float64"):
    net = bp.Network(
        [5, 37, 19, 3], activation=["tanh", "relu"], loss="cross_entropy",
        optimizer=bp.SGD(0.1, momentum=0.9, weight_decay=1e-3), dtype=dtype, rng=0,
    )
    net.fit(X, y, epochs=5, batch_size=16, progress=False)
    print(net.parameters.tobytes().hex())
print(bp.config()["isa"])
"""


def python(code, isa):
    """A fresh interpreter, for `BPCORE_ISA` is read once, when bpcore is imported."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "BPCORE_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )


@functools.cache
def train(isa):
    """The parameters of a small network trained on an instruction set, and its name."""
    done = python(TRAIN, isa)
    assert done.returncode == 0, done.stderr
    *parameters, used = done.stdout.split()
    dtypes = ("float32", "float64")
    return used, [
        np.frombuffer(bytes.fromhex(bits), dtype)
        for bits, dtype in zip(parameters, dtypes, strict=True)
    ]


def test_training_on_each(isa):
    used, parameters = train(isa)
    assert used == isa
    for given, wanted in zip(parameters, train("scalar")[1], strict=True):
        assert np.allclose(given, wanted, rtol=1e-2, atol=1e-4)
        same = given.tobytes() == wanted.tobytes()
        # The one build without a fused multiply-add has bits of its own, which proves
        # that the choice reaches what the network is trained with.
        assert same == (isa != "x86_64_v2")


def test_the_best_is_the_default():
    assert train("")[0] == _dispatch.available[0]
    best = [isa for isa, runs in supported().items() if runs]
    assert [isa for isa in best if isa in _dispatch.available] == [*_dispatch.available]


def test_load(isa):
    kernels = _dispatch.load(isa)
    assert kernels.__name__ == f"bpcore._{isa}._kernels"
    assert bp.config()["isa"] == _dispatch.isa
    assert _dispatch.load(_dispatch.isa) is bp.kernels


def refusal(name):
    """The message about a name that does not work: it gives those that do."""
    runs = supported().get(name, "is unknown")
    why = {True: "was not built", False: "cannot run here"}.get(runs, runs)
    names = ", ".join(_dispatch.available)
    return (
        f"BPCORE_ISA must be one of {names} on this machine; got {name!r}, which {why}"
    )


@pytest.mark.parametrize("name", ["x86_64_v9", "AVX2", "scalar ", *UNAVAILABLE])
def test_what_cannot_be_forced(name):
    done = python("import bpcore", name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ImportError: {refusal(name)}"


@pytest.mark.parametrize("name", ["", "x86_64_v9", "._scalar", *UNAVAILABLE])
def test_what_cannot_be_loaded(name):
    with pytest.raises(ImportError, match=f"^{re.escape(refusal(name))}$"):
        _dispatch.load(name)


def test_what_is_not_built_cannot_be_loaded(monkeypatch):
    monkeypatch.setattr(_dispatch, "available", ("x86_64_v3",))
    assert refusal("scalar").endswith("got 'scalar', which was not built")
    with pytest.raises(ImportError, match=f"^{re.escape(refusal('scalar'))}$"):
        _dispatch.load("scalar")


def test_show_config(isa):
    shown = python("import bpcore; bpcore.show_config()", isa).stdout
    assert re.search(rf"^isa +{isa}$", shown, re.MULTILINE)
    available = ", ".join(_dispatch.available)
    assert re.search(rf"^available +{available}$", shown, re.MULTILINE)
