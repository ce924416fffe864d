"""Traces as text."""

import pickle
import re

import numpy as np
import pytest

import bpcore as bp
from helpers import each_library, fourth_powers
from helpers.optimizers import OPTIMIZERS
from helpers.trace import (
    PAIRS,
    SETTINGS,
    problem,
    small_problem,
    traced_memory,
)

#: What an optimizer keeps, in words, of a gradient and its parameter.
MEANINGS = {
    (bp.SGD, "velocity"): "velocity of {1}",
    (bp.Momentum, "change"): "velocity of {1}",
    (bp.RMSprop, "square"): "mean square of {0}",
    (bp.RMSprop, "velocity"): "velocity of {1}",
    (bp.RMSprop, "mean"): "mean of {0}",
    (bp.Adagrad, "sum"): "sum of the squares of {0}",
    (bp.AMSGrad, "largest"): "largest mean square of {0}",
    (bp.Adamax, "mean"): "mean of {0}",
    (bp.Adamax, "largest"): "decaying largest size of {0}",
    (bp.Lion, "mean"): "mean of {0}",
    (bp.Rprop, "previous"): "previous {0}",
    (bp.Rprop, "step"): "size of the step of {1}",
}
for adam in (bp.Adam, bp.AdamW, bp.AMSGrad, bp.Nadam, bp.RAdam):
    MEANINGS[adam, "mean"] = "mean of {0}"
    MEANINGS[adam, "square"] = "mean square of {0}"


def numbers_of(t):
    """The numbers beside the left side of every equation."""
    found = {"a[0]": t.X, "y": t.y, "E": t.loss, "dE/dX": t.da[0]}
    if t.weight is not None:
        found["weight, of every sample"] = t.weight
    found[f"{'weight * ' * (t.weight is not None)}E_i, of every sample"] = t.losses
    for l in range(t.n_layers):
        found |= {
            f"W[{l}]": t.before.weights[l],
            f"b[{l}]": t.before.biases[l],
            f"z[{l}]": t.z[l],
            f"a[{l + 1}]": t.a[l + 1],
            f"dE/da[{l + 1}]": t.da[l + 1],
            f"delta[{l}]": t.delta[l],
            f"dW[{l}]": t.dW[l],
            f"db[{l}]": t.db[l],
        }
        small = max(*t.sizes, len(t.X)) <= 8
        if small or t.design.activations[l] != "softmax":
            f = t.design.activations[l]
            output = f"f[{l}]" if t.design.dropout[l] else f"a[{l + 1}]"
            jacobian = f"d{output}_j/dz[{l}]_k"
            key = jacobian if f == "softmax" else f"{f}'(z[{l}])"
            found[key] = t.derivatives[l]
        if t.design.dropout[l]:
            found[f"f[{l}]"] = t.f[l]
            found[f"kept[{l}]: 0 or 1 / (1 - dropout)"] = t.kept[l]
        parts = [("W", "weights"), ("b", "biases")]
        if t.design.norms[l]:
            parts.append(("gain", "gains"))
            batch = t.design.norms[l] == "batch"
            axis, over = (0, "mini-batch") if batch else (1, "units")
            found |= {
                f"gain[{l}]": t.before.gains[l],
                f"u[{l}]": t.u[l],
                f"mean of u over the {over}": t.u[l].mean(axis, keepdims=True),
                f"1 / sqrt(variance + 1e-5) of {l}": t.inverse[l],
                f"hat[{l}]": t.hat[l],
                f"dgain[{l}]": t.dgain[l],
                f"du[{l}]": t.du[l],
            }
        if t.frozen[l]:
            continue
        for symbol, name in parts:
            old, new = (getattr(p, name)[l] for p in (t.before, t.after))
            found |= {
                f"{symbol}[{l}], before": old,
                f"{symbol}[{l}], after": new,
                f"{symbol}[{l}], after - before": new - old,
            }
            weights, biases = t.optimizer.both()
            optimizer = weights if symbol == "W" else biases
            penalty = not optimizer.decoupled and (
                optimizer.weight_decay or optimizer.l1
            )
            plain = not (penalty or optimizer.clip_norm or optimizer.clip_value)
            g = f"d{symbol}[{l}]" if plain else f"g of {symbol}[{l}]"
            for state in t.before.state:
                meaning = MEANINGS[type(optimizer), state].format(g, f"{symbol}[{l}]")
                for when, p in (("before", t.before), ("after", t.after)):
                    of = getattr(p.state[state], name)[l]
                    found[f"{meaning}, {when}"] = of
        if t.before.running_moments[l] is not None:
            for when, p in (("before", t.before), ("after", t.after)):
                key = f"running mean and variance, {when} of {l}"
                found[key] = p.running_moments[l]
    return found


def read(text):
    """The rows of words to the right of every equation of a text, by its left side."""
    found, layer, rows = {}, "", []
    rules = re.search("update\n------\n(  .*\n)*", text)  # of the optimizer: words
    for line in text.replace(rules[0], "").splitlines():
        if not line.startswith("  "):  # a title, its line, or nothing
            layer = (re.findall("layer ([0-9]+)", line) or [layer])[0]
            continue
        equation, value = line[:48].strip(), line[48:].split()
        if line[2] != " ":
            if line[46:48].strip():  # too long to have anything beside it
                equation, value = line.strip(), []
            rows = []
            key = equation.split(" = ")[0]
            if key.startswith(("1 / sqrt", "running")):
                key += f" of {layer}"
            found.setdefault(key, rows)
        if value and value[0] != "row":
            rows.append(value)
    return found


def assert_shows(shown, t):
    """Every number to 6 digits of its array's largest, in its place, and no others."""
    expected = numbers_of(t)
    words = {"network", "activations", "optimizer", "learning rate of this step"}
    words |= {"learning rates of W and b"}
    given = {key for key, rows in shown.items() if rows}
    assert given - words == set(expected)
    for key, array in expected.items():
        array = np.asarray(array)
        rows = np.array(shown[key], float).reshape(array.shape)
        most = 5.1e-6 * np.abs(array[np.isfinite(array)]).max(initial=0)
        np.testing.assert_allclose(rows, array, rtol=6e-6, atol=most, err_msg=key)


@pytest.mark.parametrize("weighted", [False, True])
@each_library
def test_a_small_step_is_printed_whole(Network, dtype, weighted):
    net, X, y = small_problem()
    net = pickle.loads(pickle.dumps(net)).astype(dtype)
    if Network is not bp.Network:
        net = problem("softmax", "cross_entropy", Network=Network, dtype=dtype)[0]
        X, y = np.ones((1, 3)), [[0.0, 1.0, 0.0, 0.0]]
    net.train_step(X, y)
    weight = np.arange(1.0, len(X) + 1) if weighted else None
    t = bp.trace(net, X, y, weight)
    assert_shows(read(str(t)), t)
    net.frozen = [True] + [False] * (len(net.weights) - 1)
    t = bp.trace(net, X, y)
    assert_shows(read(str(t)), t)
    assert "frozen: nothing changes" in str(t)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_the_equations_of_every_optimizer_are_printed(optimizer):
    net, X, y = problem(optimizer=optimizer)
    t = bp.trace(net, X, y)
    assert_shows(read(str(t)), t)
    update = str(t).split("update\n------\n")[1].split("\n\n")[0]
    assert repr(optimizer) in str(t) and "    w = w " in update
    for name, equation in {
        "weight_decay": "weight_decay w",
        "l1": "l1 sign(w)",
        "clip_norm": "g = g min(1, clip_norm / (||g",
        "clip_value": "g = min(max(g, -clip_value), clip_value)",
        "max_norm": "W[:, j] = W[:, j] min(1, max_norm / ||W",
    }.items():
        assert (equation in update) == bool(getattr(optimizer, name))
        if getattr(optimizer, name):
            assert f"{name} = {getattr(optimizer, name):g}" in update
    weights, biases = optimizer.both()
    for group in (weights, biases):
        for line in (*group.equations_before, *group.equations):
            assert f"      {line}\n" in f"{update}\n"
    for name in optimizer.kept:
        array = optimizer.arrays[name]
        assert f"{array.symbol}: {array.meaning.format(w='w', g='g')}" in update
    for name in ("beta1", "beta2", "alpha", "eps", "momentum_decay", "grow"):
        if hasattr(optimizer, name) and f"{name} " in update:
            assert f"{name} = {getattr(optimizer, name):g}" in update
    own = {name for name in dict(optimizer.biases) if name != "lr_factor"}
    assert ("for each w = b[l][j]" in update) == bool(own)
    for name, value in dict(optimizer.biases).items():
        if value and name in own:
            assert f"{name} = {value:g}" in update


@pytest.mark.parametrize("output, loss", PAIRS + SETTINGS, ids=str)
def test_the_equations_of_every_loss_are_printed(output, loss):
    net, X, y = problem(output, loss)
    text = str(bp.trace(net, X, y))
    assert f"loss: {loss.name}" in text
    lines = [line.strip() for line in text.splitlines()]
    by_a = next(line for line in lines if line.startswith("dE/da[3] = "))
    assert " / n" in by_a and "function" not in by_a
    delta = next(line for line in lines if line.startswith("delta[2] = "))
    assert ("dE/da[3]" in delta) != net.learner.design.loss_takes_z
    smoothed = getattr(loss, "label_smoothing", 0) > 0
    assert ("y'" in by_a) == ("- y'" in delta) == smoothed


def test_a_custom_loss_is_named_as_one():
    net, X, y = problem("tanh", fourth_powers)
    t = bp.trace(net, X, y)
    assert "E_i = the user's function" in str(t)
    assert "dE/da[3] = (dE_i/da by the user's function) / n" in str(t)
    assert_shows(read(str(t)), t)


@pytest.mark.parametrize("sizes, n", [((9, 4, 2), 3), ((3, 4, 2), 9)], ids=str)
def test_a_large_step_is_printed_in_short(sizes, n):
    net, X, y = problem(sizes=sizes, n=n)
    t = bp.trace(net, X, y)
    shown, expected = read(str(t)), numbers_of(t)
    for key, array in expected.items():
        (words,) = shown[key]
        if np.ndim(array) == 0:
            continue
        line = " ".join(words)
        pattern = r"shape \((.*)\), norm (\S+), from (\S+) to (\S+)"
        shape, *rest = re.fullmatch(pattern, line).groups()
        assert tuple(map(int, shape.strip(",").split(", "))) == array.shape
        about = np.linalg.norm(array), array.min(), array.max()
        np.testing.assert_allclose([float(x) for x in rest], about, rtol=6e-5)


def test_a_wide_softmax_is_printed_without_its_matrices():
    """There is one for each row: more numbers than all other arrays have."""
    net = bp.Network([4, 3, 500], output="softmax", dtype="float32", rng=0)
    t = bp.trace(net, np.ones((100, 4)), np.arange(100))
    most, text = traced_memory(lambda: str(t))
    assert most < 10 * t.a[-1].nbytes < np.empty((100, 500, 500), "float32").nbytes / 40
    assert "da_j/dz_k of softmax = a_j ([j = k] - a_k)\n" in text
    assert "relu'(z[0])" in text and "da[2]_j/dz[1]_k" not in text


def test_the_rates_of_layers_are_printed():
    net, X, y = problem(optimizer=bp.SGD(0.5))
    assert "learning rates of W and b" not in str(bp.trace(net, X, y))
    net.lr_factors = [0.25, 1.0, 2.0]
    t = bp.trace(net, X, y)
    assert t.lr_factors == net.lr_factors == ((0.25, 0.25), (1.0, 1.0), (2.0, 2.0))
    shown = read(str(t))["learning rates of W and b"]
    assert shown == [["1", "and", "1"]]  # the last layer is the first that is updated
    assert "learning rates of W and b                     0.125 and 0.125\n" in str(t)
    assert_shows(read(str(t)), t)
    net.optimizer = bp.SGD(0.5, biases={"lr_factor": 0.0})
    shown = read(str(bp.trace(net, X, y)))["learning rates of W and b"]
    assert shown == [["1", "and", "0"]]
    net.optimizer = bp.SGD(0.5, biases={"lr_factor": 2.0})
    net.lr_factors = [1.0, 1.0, (0.5, 0.25)]
    shown = read(str(bp.trace(net, X, y)))["learning rates of W and b"]
    assert shown == [["0.25", "and", "0.25"]]


def test_a_very_large_step_is_printed_as_short():
    net, X, y = problem(sizes=(200, 100, 50, 10), n=64, dtype="float32")
    text = str(bp.trace(net, X, y))
    assert len(text.splitlines()) < 150
    assert max(len(line) for line in text.splitlines()) < 200
    assert "shape (200, 100), norm " in text
    labels = str(bp.trace(net, X, np.arange(64) % 10))
    assert "shape (64,), from 0 to 9\n" in labels


def test_what_it_is_in_a_line():
    net, X, y = problem(n=1)
    assert repr(bp.trace(net, X, y)) == f"<Trace of step 1 of {net!r} on 1 row>"
    net, X, y = problem(Network=bp.reference.Network, n=2)
    net.train_step(X, y)
    assert repr(bp.trace(net, X, y)) == f"<Trace of step 2 of {net!r} on 2 rows>"
