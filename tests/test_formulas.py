"""Formulas of activations, losses and optimizers: evaluated, they give the numbers."""

import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.activations import ACTIVATIONS
from bpcore.losses import LOSSES, CustomLoss
from bpcore.optimizers import Optimizer
from bpcore.reference.activations import activate, erf, times_derivative
from helpers import each_library


def python(formula):
    """A formula as Python writes it: products, powers, cases, absolute values."""
    if case := re.fullmatch("(.*?) where (.*?), else (.*)", formula):
        x, condition, other = map(python, case.groups())
        condition = re.sub("(?<= )=(?= )", "==", condition)
        return f"where({condition}, {x}, {other})"
    formula = formula.replace("'", "_").replace("^", "**")
    formula = re.sub(r"\|([^|]+)\|", r"abs(\1)", formula)
    formula = re.sub(r"(\S+) < (\w+) < (\S+)", r"((\1 < \2) & (\2 < \3))", formula)
    return re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", formula)


#: What formulas are written with.
WORDS = {
    name: getattr(np, name)
    for name in ("abs", "clip", "cosh", "exp", "log", "pi", "sign", "sqrt", "tanh")
} | {
    "erf": erf,
    "max": np.maximum,
    "min": np.minimum,
    "where": np.where,
    "sum": lambda x: x.sum(axis=1, keepdims=True),
    "mean": lambda x: x.mean(axis=1, keepdims=True),
}


def evaluate(formula, known):
    """The value of a formula, with what it is made of by name."""
    with np.errstate(all="ignore"):  # of the case that does not hold
        return eval(python(formula), {}, WORDS | known)


def define(name, formula, known):
    """Set known[name], which is a function where it has an argument: mu(t)."""
    if function := re.fullmatch(r"(\w+)\((\w)\)", name):
        name, argument = function.groups()
        if product := re.fullmatch(r"(\w+)\(1\) \1\(2\) \.\.\. \1\(\w\)", formula):
            factor = known[product[1]]
            known[name] = lambda n: np.prod([factor(i) for i in range(1, n + 1)])
        else:
            known[name] = lambda x: evaluate(formula, {**known, argument: x})
    else:
        known[name.replace("'", "_")] = evaluate(formula, known)


@pytest.mark.parametrize(
    "formula, expected",
    [
        ("a b'", 6.0),
        ("a (b' - c)", 8.0),
        ("a / b' c", -2 / 3),
        ("2 a^2 |c|", 8.0),
        ("a where c > 0, else b'", 3.0),
        ("1 where c = -1, else 0", 1.0),
        ("1 where 0 < a < 2, else 2 where a = 2, else 3", 2.0),
        ("max(a b', c) sqrt(4)", 12.0),
    ],
)
def test_products_powers_and_cases_are_read_as_they_are_written(formula, expected):
    known = {"a": 2.0, "b_": 3.0, "c": -1.0}
    assert evaluate(formula, known) == pytest.approx(expected)


# --- activations ----------------------------------------------------------------------

Z = np.random.default_rng(0).normal(0, 2, (40, 5))
#: Of the constants in selu's formulas there are five digits.
DIGITS = {"selu": 1e-4}


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_formulas_of_activations(name):
    f = ACTIVATIONS[name]
    formula, *definitions = re.split(r", (?=\w+\(z\) = )", f.formula)
    a = activate(Z, name)
    known = {"z": Z, "a": a, "f": a}
    if name == "softmax":
        formula = formula.replace("sum_k exp(z_k)", "sum(exp(z))").replace("_j", "")
    if definitions:  # of a function: Phi(z) = ...
        define(*definitions[0].split(" = "), known)
    elif name != "sigmoid":
        known["sigmoid"] = lambda z: 1 / (1 + np.exp(-z))
    rtol = DIGITS.get(name, 1e-10)
    np.testing.assert_allclose(evaluate(formula, known), a, rtol=rtol, atol=rtol)

    for output in ("a", "f"):
        derivative = f.derivative_of(output).split(":")[0]
        if name == "softmax":
            assert derivative == f"{output}_j ([j = k] - {output}_k)"
            continue
        expected = times_derivative(np.ones_like(Z), Z if f.needs_z else a, name)
        found = np.broadcast_to(evaluate(derivative, known), Z.shape)
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)


def test_formula_of_the_jacobian_of_softmax():
    net = bp.Network([2, 3], output="softmax", loss="huber", dtype="float64", rng=0)
    t = bp.trace(net, [[1.0, 2.0]], [[0.0, 1.0, 0.0]])
    for j, k in np.ndindex(3, 3):
        known = {"a_j": t.a[1][0, j], "a_k": t.a[1][0, k], "same": float(j == k)}
        formula = ACTIVATIONS["softmax"].derivative.replace("[j = k]", "same")
        assert evaluate(formula, known) == pytest.approx(t.derivatives[0][0, j, k])


@each_library
@pytest.mark.parametrize("name", [f for f in ACTIVATIONS if ACTIVATIONS[f].trains])
def test_formulas_where_units_drop_out(Network, name):
    """What is printed holds for the arrays it names: a is not f(z) there."""
    net = Network(
        [3, 6, 6, 2], activation=name, dropout=[0.5, 0.0], dtype="float64", rng=1
    )
    X = np.random.default_rng(2).normal(size=(4, 3)) / 4
    t = bp.trace(net, X, np.ones((4, 2)))
    text, html = str(t), t._repr_html_()
    f = ACTIVATIONS[name]
    assert (t.kept[0] == 0).any() and t.kept[1] is None
    assert np.array_equal(t.a[1], t.f[0] * t.kept[0])
    assert np.array_equal(t.a[2], t.f[1]) and np.array_equal(t.a[3], t.f[2])
    for printed in (text, html):
        assert f"f[0] = {name}(z[0])" in printed
        assert "a[1] = f[0] * kept[0]" in printed
        assert f"a[1] = {name}(z" not in printed
        assert f"a[2] = {name}(z[1])" in printed and "f[1] =" not in printed
    if name == "softmax":
        assert "df_j/dz_k of softmax = f_j ([j = k] - f_k)\n" in text
        assert "da_j/dz_k of softmax = a_j ([j = k] - a_k)\n" in text
        assert "df[0]_j/dz[0]_k" in text and "da[2]_j/dz[1]_k" in text
        assert "sum_j dE/da[1]_j * kept[0]_j * df[0]_j/dz" in text
        assert "sum_k (delta[1] @ W[1].T)_k * kept[0]_k * df[0]_k/dz[0]" in str(
            t.path(0, 0, 0)
        )
        return
    by_f, by_a = f.derivative_of("f"), f.derivative
    assert f"  {name}'(z) = {by_f}\n" in text and f"  {name}'(z) = {by_a}\n" in text
    assert text.index(f"'(z) = {by_a}\n") <= text.index(f"'(z) = {by_f}\n")
    known = {"f": t.f[0], "z": t.z[0]}
    if f.needs_z:
        definition = re.split(r", (?=\w+\(z\) = )", f.formula)[1]
        define(*definition.split(" = "), known)
    found = np.broadcast_to(evaluate(by_f, known), t.f[0].shape)
    rtol = DIGITS.get(name, 1e-9)
    np.testing.assert_allclose(found, t.derivatives[0], rtol=rtol, atol=rtol)
    delta = t.da[1] * t.derivatives[0] * t.kept[0]
    np.testing.assert_allclose(delta, t.delta[0], rtol=1e-9, atol=1e-15)


def test_a_dict_and_a_picture_have_what_drops_out():
    net = bp.Network([3, 9, 2], activation="tanh", dropout=0.5, rng=1)
    t = bp.trace(net, np.eye(3), np.ones((3, 2)))
    found = t.to_dict()
    assert np.array_equal(found["f"][0] * found["kept"][0], found["a"][1])
    pytest.importorskip("matplotlib")
    titles = {axes.get_title() for axes in t.plot().axes}
    assert {"a[1] = tanh(z[0]) * kept[0]", "a[2] = identity(z[1])"} <= titles


# --- losses ---------------------------------------------------------------------------

TRAINABLE = [name for name, f in ACTIVATIONS.items() if f.trains]
POSITIVE = ["exp", "softplus", "sigmoid", "softmax"]
PAIRS = [
    (output, loss)
    for loss in LOSSES.values()
    for output in loss.outputs or (POSITIVE if loss.name == "poisson" else TRAINABLE)
] + [
    ("softmax", bp.CrossEntropy(label_smoothing=0.2)),
    ("identity", bp.Huber(delta=0.1)),
    ("tanh", bp.Quantile(q=0.9)),
]


def traced(Network, output, loss):
    """A step with targets that the loss takes, none of them on a kink."""
    rng = np.random.default_rng(3)
    net = Network(
        [3, 7, 4], activation="tanh", output=output, loss=loss, dtype="float64", rng=0
    )
    net.weights[-1][...] *= 0.3
    net.biases[-1][...] = rng.normal(0, 0.2, 4)
    y = rng.uniform(0.05, 0.95, (5, 4))
    if loss.name == "hinge":
        y = np.sign(y - 0.5)
    if loss.name == "poisson":
        y = np.floor(4 * y)
    if loss.name == "kl_divergence":
        y /= y.sum(axis=1, keepdims=True)
    return bp.trace(net, rng.normal(size=(5, 3)), y)


@each_library
@pytest.mark.parametrize("output, loss", PAIRS, ids=str)
def test_formulas_of_losses(Network, output, loss):
    """E_i, dE/da and delta, computed from the printed formulas."""
    t = traced(Network, output, loss)
    known = {"a": t.a[-1], "y": t.y, "n_L": 4, **loss.constants}
    for name, formula in loss.definitions.items():
        define(name, formula, known)
    E = evaluate(loss.value(output), known)
    np.testing.assert_allclose(E[:, 0], t.losses, rtol=1e-9, atol=1e-12)
    by_a, by_z = loss.derivatives(output)
    assert by_a and bool(by_z) == loss.takes_z(output)
    for formula, array in ((by_a, t.da[-1]), (by_z, t.delta[-1])):
        if formula:
            found = evaluate(formula, known) / len(t.X)
            np.testing.assert_allclose(found, array, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("output, loss", PAIRS, ids=str)
def test_formulas_of_losses_are_printed_with_their_settings(output, loss):
    text = str(traced(bp.Network, output, loss))
    section = text[text.index("\nloss: ") : text.index("\nbackward")]
    assert f"  E_i = {loss.value(output)}\n" in section
    assert "`" not in section and "torch" not in section
    for name, formula in loss.definitions.items():
        assert f"  {name} = {formula}\n" in section
    for symbol, value in loss.constants.items():
        assert re.search(rf"  {symbol} = {value:g}\b", section)


def test_symbols_of_settings():
    """delta is dE/dz alone; each number of a setting is there."""
    huber = traced(bp.Network, "identity", bp.Huber(delta=0.25)).text()
    assert "  c = 0.25, delta of Huber\n" in huber
    assert "  dE/da[2] = (clip(a - y, -c, c) / n_L) / n " in huber
    assert not re.search(r"\bdelta\b(?!\[| of Huber)", huber.split("backward")[0])
    assert "delta" not in bp.Huber().formula + bp.Huber().by_a
    quantile = str(traced(bp.Network, "tanh", bp.Quantile(0.9)))
    assert "  q = 0.9\n" in quantile
    smooth = bp.CrossEntropy(label_smoothing=0.2)
    text = str(traced(bp.Network, "softmax", smooth))
    assert "  y' = (1 - label_smoothing) * y + label_smoothing / n_L\n" in text
    assert "  label_smoothing = 0.2\n" in text
    plain = str(traced(bp.Network, "softmax", bp.CrossEntropy()))
    assert "label_smoothing" not in plain and "y'" not in plain


def test_a_weighted_loss_is_the_mean_over_the_rows():
    t = bp.trace(bp.Network([1, 1]), [[1.0], [2.0]], [1.0, 2.0], [1.0, 3.0])
    text = str(t)
    assert "  E = sum(weight * E_i) / n " in text
    assert "  dE/da[1] = (a - y) * weight / n" in text


def test_the_formula_of_a_loss_of_the_users():
    def cubes(a, y):
        return (abs(a - y) ** 3).sum(axis=1), 3 * (a - y) * abs(a - y)

    class Cubes:
        __call__ = staticmethod(cubes)

    assert CustomLoss(cubes).value("identity") == "the user's function cubes(a, y)"
    assert CustomLoss(Cubes()).value("tanh") == "the user's function Cubes(a, y)"


# --- optimizers -----------------------------------------------------------------------

OPTIMIZERS = [
    bp.SGD(0.05),
    bp.SGD(0.05, momentum=0.9),
    bp.SGD(0.05, momentum=0.9, dampening=0.5),
    bp.SGD(0.05, momentum=0.9, nesterov=True),
    bp.SGD(0.05, l1=1e-2, weight_decay=1e-2),
    bp.SGD(0.05, momentum=0.9, l1=1e-2, weight_decay=1e-2, decoupled=True),
    bp.SGD(0.05, clip_value=1e-2),
    bp.SGD(0.05, clip_norm=1e-2, weight_decay=1e-2),
    bp.SGD(0.05, max_norm=0.8),
    bp.SGD(0.05, momentum=0.9, biases={"momentum": 0.5, "weight_decay": 0.1}),
    bp.Momentum(0.05),
    bp.Momentum(0.05, alpha=0.5, weight_decay=1e-2),
    bp.RMSprop(1e-2),
    bp.RMSprop(1e-2, alpha=0.9, momentum=0.5),
    bp.RMSprop(1e-2, centered=True),
    bp.RMSprop(1e-2, momentum=0.5, centered=True),
    bp.Adagrad(1e-2),
    bp.Adagrad(1e-2, lr_decay=0.1, initial_accumulator=0.1),
    bp.Adam(1e-2),
    bp.Adam(1e-2, beta1=0.5, beta2=0.9, eps=1e-3, weight_decay=1e-2),
    bp.AdamW(1e-2, l1=1e-3),
    bp.AMSGrad(1e-2, beta2=0.5),
    bp.Nadam(1e-2),
    bp.Nadam(1e-2, momentum_decay=0.1),
    bp.Adamax(1e-2, beta2=0.5),
    bp.RAdam(1e-2),
    bp.RAdam(1e-2, beta2=0.9),
    bp.Lion(1e-3),
    bp.Lion(1e-3, weight_decay=0.1),
    bp.Rprop(1e-2),
    bp.Rprop(1e-2, grow=3.0, most=0.02, least=5e-3),
]


def step_by_equations(optimizer, w, g, state, all_norm, lr, t):
    """w and the state after a step, from the equations alone, line by line."""
    equations = [*optimizer.equations_before, *optimizer.equations]
    known = {"w": w, "g": g, "lr": lr, "t": t, "all_norm": all_norm}
    known |= optimizer.constants(equations)
    symbols = {name: optimizer.arrays[name].symbol for name in optimizer.kept}
    known |= {symbols[name].replace("'", "_"): state[name] for name in symbols}
    for line in equations:
        line = line.replace("||g of all parameters||", "all_norm")
        define(*line.split(" = ", 1), known)
    after = {name: known[symbol.replace("'", "_")] for name, symbol in symbols.items()}
    return known["w"], after


@each_library
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_equations_of_optimizers(Network, optimizer):
    """Twelve steps, each from the arrays before it: all that it changes."""
    rng = np.random.default_rng(4)
    net = Network(
        [3, 4, 2], activation="tanh", optimizer=optimizer, dtype="float64", rng=0
    )
    kinds = zip(("weights", "biases"), optimizer.both(), strict=True)
    kinds = dict(kinds)
    for t in range(1, 13):
        X, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
        trace = bp.trace(net, X, y, apply=True)
        assert trace.step == t
        for kind, own in kinds.items():
            for l in range(2):
                before, after = (
                    {s: getattr(p.state[s], kind)[l] for s in own.kept}
                    for p in (trace.before, trace.after)
                )
                w, state = step_by_equations(
                    own,
                    getattr(trace.before, kind)[l],
                    getattr(trace.gradients, kind)[l],
                    before,
                    np.linalg.norm(trace.gradients.flat),
                    trace.lr,
                    t,
                )
                if kind == "weights" and own.max_norm:
                    (line,) = own.equations_after
                    norm = np.linalg.norm(w, axis=0)
                    line = line.replace("||W[:, j]||", "norm").replace("W[:, j]", "w")
                    known = {"w": w, "norm": norm, **own.constants([line])}
                    define(*line.split(" = ", 1), known)
                    w = known["w"]
                found = getattr(trace.after, kind)[l]
                np.testing.assert_allclose(w, found, rtol=1e-10, atol=1e-14)
                for name, array in after.items():
                    np.testing.assert_allclose(
                        state[name], array, rtol=1e-9, atol=1e-15, err_msg=name
                    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_every_array_that_an_optimizer_keeps_has_a_name(optimizer):
    """Each has a symbol and a name of its own, and is in the equations."""
    arrays = [optimizer.arrays[name] for name in optimizer.kept]
    symbols = [array.symbol for array in arrays]
    words = re.findall(r"[A-Za-z]+'?", " ".join(optimizer.equations))
    assert len(set(symbols)) == len(symbols)
    unused = {"v"} if isinstance(optimizer, bp.RMSprop) else set()  # if centered
    assert set(symbols) - unused <= set(words)
    assert len({array.meaning for array in arrays}) == len(arrays)
    for array in arrays:
        assert "{w}" in array.meaning or "{g}" in array.meaning


def test_every_optimizer_is_tried_here():
    classes = {
        value
        for value in vars(bp).values()
        if isinstance(value, type) and issubclass(value, Optimizer)
    }
    assert classes - {type(o) for o in OPTIMIZERS} == {Optimizer, bp.LBFGS}
    assert bp.LBFGS().equations == ()


@pytest.mark.parametrize(
    "optimizer, names",
    [
        (bp.Adam(), ["mean of dW[0]", "mean square of dW[0]", "mean of db[0]"]),
        (bp.SGD(0.1, momentum=0.9), ["velocity of W[0]", "velocity of b[0]"]),
        (bp.Momentum(), ["velocity of W[0]", "velocity of b[0]"]),
        (bp.Adagrad(), ["sum of the squares of dW[0]"]),
        (bp.Rprop(), ["previous dW[0]", "size of the step of W[0]"]),
        (
            bp.Adam(weight_decay=0.1),
            ["mean of g of W[0]", "mean square of g of b[0]"],
        ),
    ],
    ids=["Adam", "SGD", "Momentum", "Adagrad", "Rprop", "Adam with weight decay"],
)
def test_names_of_states(optimizer, names):
    """Adam's mean is that of the gradient; only one thing is a change."""
    net = bp.Network([1, 1], optimizer=optimizer, rng=0)
    text = str(bp.trace(net, [[1.0]], [[2.0]]))
    for name in [*names, "W[0]", "b[0]"]:
        assert f"\n  {name}, before" in text and f"\n  {name}, after" in text
    assert "\n  W[0], after - before" in text and "change" not in text
    assert "mean of W" not in text


def test_biases_with_settings_of_their_own_have_their_equations():
    optimizer = bp.Adam(weight_decay=0.1, biases={"weight_decay": 0.0})
    text = str(bp.trace(bp.Network([1, 1], optimizer=optimizer), [[1.0]], [[2.0]]))
    weights, biases = text.split("update\n------\n")[1].split("for each w = b[l][j]")
    biases = biases.split("\n\n")[0]
    assert "g = g + weight_decay w" in weights and "weight_decay = 0.1" in weights
    assert "weight_decay" not in biases and "m = beta1 m" in biases
    same = str(bp.trace(bp.Network([1, 1], optimizer=bp.Adam()), [[1.0]], [[2.0]]))
    assert "for each w = W[l][i, j], b[l][j], with g = dE/dw" in same


@pytest.mark.parametrize("optimizer", [bp.SGD(0.1), bp.Rprop(0.1)], ids=str)
def test_factors_of_layers(optimizer):
    """They multiply the learning rate, or the step where the rule has no rate."""
    net = bp.Network([1, 1, 1], optimizer=optimizer, dtype="float64", rng=0)
    net.lr_factors = [0.5, 1.0]
    text = str(bp.trace(net, [[1.0]], [[2.0]]))
    if isinstance(optimizer, bp.Rprop):
        assert re.search("factors of the steps of W and b +0.5 and 0.5\n", text)
    else:
        assert re.search("learning rates of W and b +0.05 and 0.05\n", text)
