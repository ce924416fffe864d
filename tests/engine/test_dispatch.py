"""Choice of the kernels' build, on which no bit depends."""

import functools
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch
from bpcore.engine.engine import supported

UNAVAILABLE = [isa for isa in supported() if isa not in dispatch.available]

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
    assert train("")[0] == dispatch.available[0]
    best = [isa for isa, runs in supported().items() if runs]
    assert [isa for isa in best if isa in dispatch.available] == [*dispatch.available]


def test_using(isa):
    before = bp.kernels.in_use()
    with pytest.raises(ZeroDivisionError), dispatch.using(isa):
        assert bp.config()["isa"] == bp.kernels.in_use() == isa
        assert bp.kernels.BUILDS[isa].items() <= bp.config().items()
        _ = 1 / 0
    assert bp.config()["isa"] == bp.kernels.in_use() == before


def test_a_network_keeps_the_build_it_was_made_with(isa):
    """The build without a fused multiply-add shows it: its bits differ."""
    X = np.random.default_rng(0).normal(size=(9, 50)).astype("f")
    found = []
    for other in dispatch.available:
        with dispatch.using(isa):
            net = bp.Network([50, 20, 3], rng=0, dtype="float32")
        with dispatch.using(other):
            net.train_step(X, X[:, :3])
        found.append(net.parameters.tobytes())
    assert len({*found}) == 1


def test_a_build_counts_for_itself(isa):
    """A build does not use settings of an optimizer that another one has prepared."""
    optimizer = bp.Nadam(0.1)
    found = []
    for first in (isa, *dispatch.available):
        w, state = np.ones(5), np.zeros((2, 5))
        with dispatch.using(first):
            bp.kernels.descend(np.ones(5), w, optimizer, np.zeros((2, 5)), 6)
        with dispatch.using(isa):
            bp.kernels.descend(w, np.ones(5), optimizer, state, 7)
        found.append(w.tobytes() + state.tobytes())
    assert len({*found}) == 1


def test_names_of_builds():
    assert {*bp.kernels.BUILDS} <= {*supported()}
    assert {*dispatch.available} <= {*bp.kernels.BUILDS}
    assert [*bp.kernels.BUILDS][-1] == "scalar"
    with pytest.raises(ValueError, match=r"isa must be one of .*scalar; got 'VAX'"):
        bp.kernels.use("VAX")
    with pytest.raises(ValueError, match="dtype must be float32 or float64; got 'i8'"):
        bp.kernels.table("i8")


CPUINFO = Path("/proc/cpuinfo")
#: What Linux calls the features that a build needs, beside those of the one before.
FEATURES = {
    "x86_64_v2": ["sse4_2", "popcnt"],
    "x86_64_v3": ["fma", "avx", "avx2", "bmi1", "bmi2"],
    "x86_64_v4": ["avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"],
}


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPUINFO.exists(), reason="needs /proc/cpuinfo"
)
def test_the_system_says_the_same_of_the_processor():
    flags = {
        *re.search(r"^flags\s*: (.*)$", CPUINFO.read_text(), re.MULTILINE)[1].split()
    }
    runs = True
    for isa, features in FEATURES.items():
        runs = runs and flags.issuperset(features)
        assert supported()[isa] == runs
    assert not supported()["arm64"] and supported()["scalar"]


def refusal(name):
    """The message about a name that does not work: it gives those that do."""
    runs = supported().get(name, "is unknown")
    why = {True: "was not built", False: "cannot run here"}.get(runs, runs)
    names = ", ".join(dispatch.available)
    return (
        f"BPCORE_ISA must be one of {names} on this machine; got {name!r}, which {why}"
    )


@pytest.mark.parametrize("name", ["x86_64_v9", "AVX2", "scalar ", *UNAVAILABLE])
def test_what_cannot_be_forced(name):
    done = python("import bpcore", name)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ImportError: {refusal(name)}"


@pytest.mark.parametrize("name", ["", "x86_64_v9", "._scalar", *UNAVAILABLE])
def test_what_cannot_be_used(name):
    before = bp.kernels.in_use()
    with pytest.raises(ImportError, match=f"^{re.escape(refusal(name))}$"):
        dispatch.use(name)
    assert bp.kernels.in_use() == before


def test_what_is_not_built_cannot_be_used(monkeypatch):
    monkeypatch.setattr(dispatch, "available", ("x86_64_v3",))
    assert refusal("scalar").endswith("got 'scalar', which was not built")
    with pytest.raises(ImportError, match=f"^{re.escape(refusal('scalar'))}$"):
        dispatch.use("scalar")


def test_show_config(isa):
    shown = python("import bpcore; bpcore.show_config()", isa).stdout
    assert re.search(rf"^isa +{isa}$", shown, re.MULTILINE)
    available = ", ".join(dispatch.available)
    assert re.search(rf"^available +{available}$", shown, re.MULTILINE)
