"""trace.check: numbers worked out by hand, and the slips that it finds."""

import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.tracing.quantities import quantity_names
from bpcore.tracing.slips import slips
from helpers.trace import each_option, problem

FOUR = {"sizes": (4, 4, 4, 4), "output": "identity", "loss": "squared_error"}


def traced(**settings):
    settings = {**FOUR, "optimizer": bp.SGD(0.3), **settings}
    net, X, y = problem(**settings)
    return bp.trace(net, X, y)


def numbers(t, name):
    return np.asarray(quantity_names(t)[name](), np.float64)


@each_option
def test_the_numbers_of_the_step_are_right(options, dtype):
    net, X, y = problem(dtype=dtype, optimizer=bp.SGD(0.1, momentum=0.5), **options)
    t = bp.trace(net, X, y, np.arange(1.0, 6.0))
    names = quantity_names(t)
    assert {"X", "a[0]", "a[3]", "z[2]", "f[0]", "delta[0]", "dW[2]", "db[1]", "dX",
            "da[3]", "derivatives[0]", "loss", "losses", "before.W[0]", "after.W[2]",
            "after.b[0]"} <= set(names)  # fmt: skip
    for name in names:
        right = numbers(t, name)
        found = t.check(name, right)
        assert found.ok and bool(found) and found.difference == 0
        assert found.message == f"{name} is right."
        digits = 3 - int(np.floor(np.log10(np.abs(right).max() or 1)))
        assert t.check(name, right.round(digits)).ok, name


@pytest.mark.parametrize("name", ["z[1]", "delta[0]", "db[1]", "after.W[1]"])
def test_every_slip_is_found(name):
    """If the wrong numbers of any slip are given, they are not right."""
    t = traced(sizes=(4, 4, 4, 4), dropout=0.3, optimizer=bp.SGD(0.5))
    right, count = numbers(t, name), 0
    for _, wrong in slips(t, name):
        same = wrong.shape == right.shape and np.allclose(wrong, right, rtol=1e-3)
        if not same:
            assert not t.check(name, wrong).ok
            count += 1
    assert count > 20


T = traced()
W, NEW = T.before.W, T.after.W
A, Z, DELTA, DA, D = T.a, T.z, T.delta, T.da, T.derivatives
SLIPS = {
    "1/n": ("delta[2]", 5 * DELTA[2], "1/n is forgotten, n = 5"),
    "1/n twice": ("dW[0]", T.dW[0] / 5, "1/n is applied twice, or a mean"),
    "sign": ("db[1]", -T.db[1], "the sign is wrong"),
    "lr": ("dW[1]", 0.3 * T.dW[1], "the learning rate is already in it"),
    "change": ("dW[1]", NEW[1] - W[1], "this is the change of a step"),
    "1/2": ("loss", 2 * T.loss, "it is twice as large, as if the loss had no"),
    "sum": ("loss", 5 * T.loss, "the sum over the rows is taken for the mean"),
    "transposed": ("dW[1]", T.dW[1].T, "it is transposed"),
    "new W": ("delta[0]", (DELTA[1] @ NEW[1].T) * D[0], r"the new W[1] is used"),
    "W": ("delta[0]", (DELTA[1] @ W[1]) * D[0], "W[1] is not transposed"),
    "f'": ("delta[0]", DA[1], "f' is forgotten, which leaves dE/da[1]"),
    "f'(a)": ("delta[0]", DA[1] * (1 - np.tanh(A[1]) ** 2), "a is taken for z"),
    "z in f'": ("delta[0]", DA[1] * (1 - Z[0] ** 2), "z is taken for a in"),
    "z for a": ("dW[1]", Z[0].T @ DELTA[1], "z is taken for a: z[0] in place"),
    "delta": ("dW[1]", A[1].T @ DELTA[2], "delta[2] in place of delta[1]"),
    "a": ("dW[1]", A[2].T @ DELTA[1], "a[2] in place of a[1]"),
    "in delta": ("dW[1]", A[1].T @ DA[2], "in delta[1], f' is forgotten"),
    "another": ("delta[0]", DELTA[1], "this is delta[1]"),
    "one row": ("dW[1]", np.outer(A[1][2], DELTA[1][2]), "only row 2"),
    "no sum": ("db[1]", DELTA[1], "the sum over the rows is missing"),
    "mean": ("db[1]", DELTA[1].mean(0), "1/n is applied twice, or a mean is taken"),
    "units": ("db[1]", DELTA[1].sum(1), "the sum is over the units"),
    "bias": ("z[1]", A[1] @ W[1], "the bias b[1] is forgotten"),
    "W of z": ("z[1]", A[1] @ W[1].T + T.before.b[1], "W[1] is transposed"),
    "new W of z": ("z[1]", A[1] @ NEW[1] + T.after.b[1], "the new W[1] and b[1]"),
    "z of z": ("z[1]", Z[0] @ W[1] + T.before.b[1], "z is taken for a: z[0]"),
    "no f": ("a[1]", Z[0], "the activation tanh is forgotten, which leaves z[0]"),
    "bias in a": ("a[2]", np.tanh(A[1] @ W[1]), "in z[1], the bias b[1] is forgotten"),
    "derivative": ("derivatives[0]", 1 - np.tanh(A[1]) ** 2, "a is taken for z"),
    "no step": ("after.W[1]", W[1], "no step is made"),
    "up": ("after.W[1]", W[1] + 0.3 * T.dW[1], "the sign of the step is wrong"),
    "no lr": ("after.b[1]", T.before.b[1] - T.db[1], "the learning rate is forgotten"),
    "change only": ("after.W[0]", NEW[0] - W[0], "this is the change alone"),
    "1/n of a step": ("after.W[0]", W[0] - 1.5 * T.dW[0], "1/n is forgotten, n = 5"),
    "rows": ("delta[1]", DELTA[1][[1, 0, 2, 4, 3]], "the rows are in another order:"),
    "columns": ("z[0]", Z[0][:, [0, 2, 1, 3]], "the columns are in another order: 0,"),
    "two": ("delta[0]", 5 * DA[1], "f' is forgotten, which leaves dE/da[1]; and"),
    "dX": ("dX", DELTA[0] @ W[0], "W[0] is not transposed"),
}  # fmt: skip


@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("case", SLIPS)
def test_slips(case, rounded):
    name, wrong, message = SLIPS[case]
    wrong = np.asarray(wrong, np.float64)
    if rounded:
        wrong = wrong.round(4 - int(np.floor(np.log10(np.abs(wrong).max()))))
    found = T.check(name, wrong)
    assert not found.ok and found.difference > 5e-3
    assert found.message.startswith(f"{name} is not right: ")
    assert message in found.message and found.message.endswith(".")


def test_slips_of_other_networks():
    t = traced(optimizer=bp.Adam(0.1))
    plain = t.before.W[1] - 0.1 * t.dW[1]
    assert "plain gradient descent, without the other terms of Adam" in str(
        t.check("after.W[1]", plain)
    )
    t = traced(output="sigmoid", loss="binary_cross_entropy")
    twice = t.delta[2] * t.derivatives[2]
    assert "f' is applied once too often" in str(t.check("delta[2]", twice))
    t = traced(dropout=0.5)
    assert "this is f[0]" in str(t.check("a[1]", t.f[0]))
    forgotten = t.da[1] * t.derivatives[0]
    assert "kept[0] of dropout is forgotten" in str(t.check("delta[0]", forgotten))
    t = traced(activation="gelu")
    ones = np.ones_like(t.z[0])
    bp.kernels.times_derivative(ones, np.ascontiguousarray(t.a[1]), "gelu")
    assert "a is taken for z: gelu'(a[1])" in str(t.check("delta[0]", t.da[1] * ones))
    t = traced(loss="mean_squared_error")
    assert "1/n_L of the loss is forgotten" in str(t.check("dW[0]", 4 * t.dW[0]))


def test_a_small_step_in_the_wrong_direction():
    """The new W differs from the right one by less than rtol, and is wrong."""
    t = traced(optimizer=bp.SGD(1e-4))
    up = t.before.W[0] + 1e-4 * t.dW[0]
    found = t.check("after.W[0]", up)
    assert found.difference < 5e-3 and not found
    assert "the sign of the step is wrong" in found.message
    assert t.check("after.W[0]", up.round(3)).ok  # nobody can tell from three decimals


def test_a_number_that_no_slip_gives():
    wrong = DELTA[0].copy()
    wrong[3, 1] += 0.5
    found = T.check("delta[0]", wrong)
    assert found.message == (
        "delta[0] is not right, and no common slip gives these numbers: 1 of 20 "
        "differ by more than rtol = 0.005 of the largest number, the most at [3, 1]: "
        f"yours is {wrong[3, 1]:.6g}, that of the step {DELTA[0][3, 1]:.6g}."
    )
    assert repr(found) == str(found) == found.message
    shown = T.check("loss", 17)._repr_html_()
    assert "\u2717" in shown and "yours is 17, that of the step" in shown
    assert "\u2713" in T.check("loss", T.loss)._repr_html_()
    assert "f&#x27; is forgotten" in T.check("delta[0]", DA[1])._repr_html_()


def test_shapes():
    message = "delta[0] is not right: it must have shape (5, 4); got (2, 2)."
    found = T.check("delta[0]", np.ones((2, 2)))
    assert found.message == message and found.difference == np.inf
    assert T.check("db[0]", [T.db[0]]).ok  # a row (1, 4) for (4,)
    assert T.check("loss", [[T.loss]]).ok
    net = bp.Network([2, 3], rng=0)
    t = bp.trace(net, [[1.0, 2.0]], [[1.0, 0.0, 0.0]])
    assert t.check("z[0]", t.z[0][0]).ok
    assert "transposed" in str(t.check("dW[0]", t.dW[0].T))


def test_rtol():
    assert not T.check("delta[0]", 1.02 * DELTA[0])
    assert T.check("delta[0]", 1.02 * DELTA[0], rtol=0.03)
    assert not T.check("delta[0]", 1.0001 * DELTA[0], rtol=1e-5)


@pytest.mark.parametrize(
    "name, error, message",
    [
        ("detla[0]", ValueError, "did you mean 'delta[0]'?"),
        ("W[1]", ValueError, "did you mean 'after.W[1]'?"),
        ("delta[3]", ValueError, "did you mean 'delta[2]'?"),
        ("gain[0]", ValueError, "got 'gain[0]'"),
        (0, TypeError, "got 0"),
    ],
)
def test_names_that_are_not_there(name, error, message):
    with pytest.raises(error, match=rf"^name must be .*{re.escape(message)}"):
        T.check(name, 1.0)


def test_bad_numbers():
    with pytest.raises(ValueError, match=r"^mine must be finite"):
        T.check("loss", np.nan)
    with pytest.raises(TypeError, match=r"^mine must hold real numbers"):
        T.check("loss", "a")
    with pytest.raises(ValueError, match=r"^rtol must be above 0 and below 0.5"):
        T.check("loss", 1.0, rtol=0)


def test_other_names():
    assert T.check("E", T.loss).name == "loss"
    assert T.check(" delta[0] ", DELTA[0]).name == "delta[0]"


# --- right numbers, up to rounding ----------------------------------------------------


def near_the_end(seed, sizes=(3, 1), **settings):
    """A step of float32 near convergence, whose sums cancel."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 3))
    y = X @ [[1.0], [2.0], [3.0]] + 5 + rng.normal(size=(100, 1))
    settings = {"optimizer": bp.SGD(0.1), "activation": "identity"} | settings
    net = bp.Network(sizes, rng=seed, **settings)
    net.fit(X, y, epochs=80, batch_size=100, progress=False)
    return bp.trace(net, X, y)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(
    "settings",
    [{}, {"sizes": (3, 4, 1)}, {"sizes": (3, 8, 1), "activation": "relu"}],
    ids=["linear", "identity", "relu"],
)
def test_sums_that_cancel_are_right_in_either_dtype(settings, seed):
    t = near_the_end(seed, **settings)
    for dtype in ("f4", "f8"):
        a, delta, W = (
            [x.astype(dtype) for x in arrays] for arrays in (t.a, t.delta, t.before.W)
        )
        for l in range(t.n_layers):
            z = a[l] @ W[l] + t.before.b[l].astype(dtype)
            assert t.check(f"z[{l}]", z).message == f"z[{l}] is right."
            dW, db = a[l].T @ delta[l], delta[l].sum(axis=0)
            assert t.check(f"dW[{l}]", dW).message == f"dW[{l}] is right."
            assert t.check(f"db[{l}]", db).message == f"db[{l}] is right."
            assert t.check(f"da[{l}]", delta[l] @ W[l].T).ok
    assert not t.check("dW[0]", t.dW[0] + 1)


def test_a_bias_of_0_and_terms_that_cancel():
    net = bp.Network([2, 1], rng=0)
    net.weights[0][...] = [[0.1], [-0.1]]
    t = bp.trace(net, [[1000.1, 1000.0]], [[0.0]])
    z = np.array([[1000.1, 1000.0]], "f4").astype(float) @ net.weights[0].astype(float)
    assert t.check("z[0]", z).ok


@pytest.mark.parametrize("digits", [2, 3, 5])
@pytest.mark.parametrize("name", ["z[0]", "a[1]", "delta[0]", "dW[0]", "db[1]"])
def test_numbers_rounded_to_a_few_digits_are_right(name, digits):
    kind, l = name[:-3], int(name[-2])
    right = np.asarray(getattr(T, kind)[l], float)
    each = np.array([float(f"{x:.{digits}g}") for x in right.flat]).reshape(right.shape)
    assert T.check(name, each).message == f"{name} is right."
    decimals = digits - 1 - int(np.floor(np.log10(np.abs(right).max())))
    assert T.check(name, right.round(decimals)).message == f"{name} is right."


def test_zeros_are_no_other_quantity():
    for name in ("db[0]", "loss", "delta[0]"):
        found = T.check(name, 0 * np.asarray(T.db[0] if name == "db[0]" else 0.0)
                        if name != "delta[0]" else 0 * T.delta[0])  # fmt: skip
        assert "no common slip" in found.message


def test_a_name_in_other_letters():
    with pytest.raises(ValueError, match=r"did you mean 'dW\[0\]'"):
        T.check("dw[0]", 0.0)
