"""Imports: nothing heavy is imported before it is needed."""

import subprocess
import sys

import pytest

USE = """
import sys
import numpy as np
before = set(sys.modules)  # by the interpreter's start, and NumPy
import bpcore as bp
imported = set(sys.modules)
X, y = np.ones((40, 3)), np.arange(40) % 2
net = bp.Network([3, 8, 2], loss="cross_entropy", rng=0)
constructed = set(sys.modules)
net.train_step(X, y)
net.train_step(X.tolist(), y.tolist())
net.train_step(X.astype("f4"), y)
net.learn_one(X[0], 1)
net.fit(X, y, epochs=2, progress=False)
history = net.fit(X, y, epochs=2, validation=0.2, class_weight="balanced",
                  metrics=["accuracy", "auc", "f1"], patience=1, progress=False)
str(history), repr(history), repr(net)
net.predict(X), net.predict_one(X[0])
net.evaluate(X, y, metrics=["log_loss", "brier"])
net.apply(net.gradients(X, y))
net.backward(net.forward(X), np.ones((40, 2)))
used = set(sys.modules)
"""


def modules(code):
    found = subprocess.run(
        [sys.executable, "-c", f"{USE}\n{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.split()


#: What neither the import nor the use of a network needs.
NOT_NEEDED = [
    "numpy.ma",
    "numpy.polynomial",
    "numpy.fft",
    "numpy.testing",
    "concurrent.futures",
    "tempfile",
    "statistics",
    "decimal",
    "fractions",
    "difflib",
    "logging",
    "unittest",
    "scipy",
    "pandas",
    "matplotlib",
    "sklearn",
    "tqdm",
    "bpcore.graph",
    "bpcore.tracing",
    "bpcore.datasets",
    "bpcore.sklearn",
    "bpcore.cli.demo",
    "bpcore.cli",
]


@pytest.mark.parametrize("moment", ["imported", "constructed", "used"])
def test_nothing_that_is_not_needed(moment):
    assert not {*modules(f"print(*{moment} - before)")} & {*NOT_NEEDED}


def test_nothing_is_imported_by_the_first_use():
    assert modules("print(*used - constructed)") == []


def test_nothing_of_numpy_but_its_random_numbers_by_a_network():
    found = modules("print(*constructed - imported)")
    strangers = [
        name
        for name in found
        if name.split(".")[0] == "numpy" and not name.startswith("numpy.random")
    ]
    assert strangers == []


@pytest.mark.parametrize("there_before", [False, True])
def test_masked_arrays_are_refused_whenever_numpy_ma_was_imported(there_before):
    code = """
import {first}
import numpy as np, bpcore as bp
net = bp.Network([3, 2], rng=0)
net.train_step(np.ones((4, 3)), np.ones((4, 2)))
masked = np.ma.masked_array(np.ones((4, 3)), np.eye(4, 3))
for X in (masked, list(masked)):
    try:
        net.predict(X)
    except TypeError as error:
        print("none masked" in str(error))
"""
    first = "numpy.ma" if there_before else "sys"
    found = subprocess.run(
        [sys.executable, "-c", code.format(first=first)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.split() == ["True", "True"], found.stderr
