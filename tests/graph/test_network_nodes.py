"""Networks as nodes of a graph."""

import copy
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph
from bpcore.graph import Variable
from helpers.graph_networks import QUIET, T, X, assert_close, made, normal

OPTIONS = [
    {},
    {"norm": "batch"},
    {"norm": "layer"},
    {"dropout": 0.4},
    {"input_noise": 0.3},
    {"input_scale": 2.0},
    {"norm": "batch", "dropout": 0.2, "input_noise": 0.1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_loss_of_a_node_is_the_loss_of_the_network(Network, options):
    net = made(Network, loss="mean_squared_error", **options)
    net.train_step(X, T)  # not only the first mini-batch drops the right units
    own, x = net.gradients(X, T), Variable(X, "x")
    loss = ((net.node(x) - T) ** 2).mean()
    assert net.stored_gradients is None
    loss.backward()
    stored = net.stored_gradients
    assert stored.loss == loss.value == pytest.approx(own.loss, rel=1e-12)
    assert_close(stored.flat, own.flat, 1e-9)
    assert_close(x.grad, own.input, 1e-9)
    assert np.array_equal(stored.input, x.grad)
    if "batch" in options.get("norm", ""):
        np.testing.assert_allclose(stored.moments, own.moments, rtol=1e-12)
    twin = copy.deepcopy(net)
    net.apply(stored)
    twin.train_step(X, T)
    assert_close(net.parameters, twin.parameters, 1e-9)
    assert np.array_equal(net.running_moments[0], twin.running_moments[0]) or options
    assert net.learner.state.seen == twin.learner.state.seen


def test_apply_takes_the_stored_gradients(Network):
    net = made(Network)
    twin = copy.deepcopy(net)
    for each in (net, twin):
        (each.node(X) ** 2).sum().backward()
    net.apply()
    twin.apply(twin.stored_gradients)
    assert np.array_equal(net.parameters, twin.parameters)
    assert not np.array_equal(net.parameters, made(Network).parameters)


def test_without_stored_gradients_there_is_no_step(Network):
    net = made(Network)
    before = net.parameters.copy()
    with pytest.raises(
        TypeError, match=r"^gradients must be a Gradients, or stored by"
    ):
        net.apply()
    assert np.array_equal(net.parameters, before) and net.learner.state.seen == 0


def test_any_expression_makes_a_step(Network):
    net = made(Network, optimizer=bp.Adam(0.02))
    for _ in range(200):
        a = net.node(X)
        loss = graph.log(1 + ((a - T) ** 2).sum(axis=1)).mean() + 0.01 * (a**2).mean()
        loss.backward()
        net.apply(net.stored_gradients)
    assert np.abs(net.predict(X) - T).mean() < 0.1


def test_a_network_inside_an_expression(Network):
    """Everything before and after it counts; against central differences."""
    net, shift = made(Network), normal(3, 3)
    s, scale = Variable(shift.copy()), Variable(1.5)

    def loss(s, scale):
        a = net.node(graph.tanh(X * scale + s))
        return (a[:, 0] * a[:, 1]).sum() + (s * s).sum()

    loss(s, scale).backward()
    h, numeric = 1e-6, np.empty(3)
    for k, unit in enumerate(np.eye(3) * h):
        above, below = (loss(Variable(shift + d), scale).value for d in (unit, -unit))
        numeric[k] = (above - below) / (2 * h)
    assert_close(s.grad, numeric, 1e-7)
    above, below = (loss(s, Variable(1.5 + d)).value for d in (h, -h))
    assert scale.grad == pytest.approx((above - below) / (2 * h), rel=1e-7)


def test_chained_networks(Network):
    """Two networks make one, and share its gradients."""
    whole = made(Network, [3, 5, 4, 2], activation="tanh", loss="mean_squared_error")
    first = made(Network, [3, 5, 4], output="tanh", rng=1)
    second = made(Network, [4, 2], rng=2)
    size = first.parameters.size
    first.parameters[...] = whole.parameters[:size]
    second.parameters[...] = whole.parameters[size:]
    x = Variable(X)
    loss = ((second.node(first.node(x)) - T) ** 2).mean()
    loss.backward()
    own = whole.gradients(X, T)
    assert_close(first.stored_gradients.flat, own.flat[:size], 1e-10)
    assert_close(second.stored_gradients.flat, own.flat[size:], 1e-10)
    assert_close(x.grad, own.input, 1e-10)


def test_several_nodes_of_one_network(Network):
    net = made(Network, [3, 5, 3])
    x, again = Variable(X), Variable(X[:4] + 1)
    J = (net.node(x) ** 2).sum() + 3 * (net.node(again) ** 3).sum()
    J.backward()
    tapes = net.forward(X), net.forward(X[:4] + 1)
    parts = [
        net.backward(tapes[0], 2 * tapes[0].output),
        net.backward(tapes[1], 9 * tapes[1].output ** 2),
    ]
    stored = net.stored_gradients
    assert_close(stored.flat, parts[0].flat + parts[1].flat)
    assert_close(x.grad, parts[0].input)
    assert_close(again.grad, parts[1].input)
    assert np.array_equal(stored.input, np.concatenate([x.grad, again.grad]))
    # The network of itself: both layers of calls count.
    x = Variable(X)
    (net.node(net.node(x)) ** 2).sum().backward()
    outer = net.forward(net.forward(X).output)
    upper = net.backward(outer, 2 * outer.output)
    lower = net.backward(tapes[0], upper.input)
    assert_close(net.stored_gradients.flat, upper.flat + lower.flat)
    assert_close(x.grad, lower.input)


def test_an_output_used_twice_is_one_backward_pass(monkeypatch):
    net, calls = made(), []
    backward = net.backward
    monkeypatch.setattr(
        net, "backward", lambda *g: calls.append(g) or backward(*g), raising=False
    )
    a = net.node(X)
    (a * a + a.sum(axis=0)).sum().backward()
    assert len(calls) == 1
    assert_close(calls[0][1], 2 * a.value + 7)


def test_moments_of_several_nodes_are_those_of_all_rows():
    net = made(norm="batch")
    parts = X[:3], X[3:]
    (net.node(parts[0]).sum() + net.node(parts[1]).sum()).backward()
    first = net.weights[0]
    u = X @ first
    expected = np.stack([u.mean(axis=0), u.var(axis=0)]).ravel()
    np.testing.assert_allclose(net.stored_gradients.moments, expected, rtol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("of_x", ["float32", "float64"])
def test_dtypes_of_a_node(Network, dtype, of_x):
    net, x = made(Network, dtype=dtype), Variable(X.astype(of_x))
    J = net.node(x).sum()
    J.backward()
    assert J.dtype == net.stored_gradients.flat.dtype == net.dtype
    assert x.grad.dtype == of_x
    assert net.node(X.tolist()).value.dtype == dtype


def test_the_jacobian_of_a_node(Network):
    net, x = made(Network), Variable(X[:2])
    a = net.node(x)
    (edge,) = a.edges
    stored = net.stored_gradients
    jacobian = edge.derivative
    assert jacobian.shape == edge.shape == (2, 2, 2, 3)
    assert net.stored_gradients is stored  # looking changes nothing
    h = 1e-6
    for at in np.ndindex(2, 3):
        rows = X[:2].copy()
        rows[at] += h
        above = net.predict(rows)
        rows[at] -= 2 * h
        np.testing.assert_allclose(
            jacobian[(..., *at)], (above - net.predict(rows)) / (2 * h), atol=1e-8
        )
    assert edge.source is x


def test_a_node_is_shown(Network, capsys):
    net, x = made(Network), Variable(X, "x")
    J = (net.node(x) ** 2).mean()
    J.backward()
    J.show()
    text = capsys.readouterr().out
    assert "Network([3, 5, 2])(x)" in text and "(7, 2, 7, 3) Jacobian" in text
    small = net.node(X[:1]).sum()
    small.backward()
    net.apply()
    small.show()  # its derivatives cannot be had any more
    assert "dv2/dv1 = no longer known" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="trained in between"):
        _ = small.edges[0].source.edges[0].derivative


STEPS = {
    "train_step": lambda net: net.train_step(X, T),
    "learn_one": lambda net: net.learn_one(X[0], T[0]),
    "fit": lambda net: net.fit(X, T, epochs=1, **QUIET),
    "apply": lambda net: net.apply(net.gradients(X, T)),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_network_trained_in_between_is_refused(Network, step):
    net, other = made(Network), made(Network, rng=1)
    x = Variable(X)
    J = (net.node(x) + other.node(x)).sum()
    J.backward()
    kept, grad = (net.stored_gradients, other.stored_gradients), x.grad
    J = (net.node(x) + 2 * other.node(x)).sum()
    STEPS[step](net)
    with pytest.raises(RuntimeError, match=r"^the network must be as it was at node()"):
        J.backward()
    assert (net.stored_gradients, other.stored_gradients) == kept
    assert x.grad is grad and J.grad is None


@pytest.mark.parametrize(
    "bad, error, text",
    [
        (X[:, :2], ValueError, r"^x must have shape \(n, 3\)"),
        (X[0], ValueError, r"^x must have shape \(n, 3\)"),
        (Variable(X.T), ValueError, r"^x must have shape \(n, 3\)"),
        (np.full((2, 3), np.nan), ValueError, "^x must be finite"),
        ("x", TypeError, "^x must hold real numbers"),
        (None, TypeError, "^x must hold real numbers"),
        ([[1, 2], [3]], ValueError, "^x must be a regular array .* ragged"),
    ],
    ids=["narrow", "a row", "transposed", "nan", "text", "None", "ragged"],
)
def test_bad_rows_of_a_node(Network, bad, error, text):
    net = made(Network)
    before, seen = net.parameters.copy(), net.learner.state.seen
    with pytest.raises(error, match=text):
        net.node(bad)
    assert net.stored_gradients is None
    assert np.array_equal(net.parameters, before) and net.learner.state.seen == seen


def test_bad_input_of_a_node_changes_nothing(Network):
    net = made(Network)
    before, seen = net.parameters.copy(), net.learner.state.seen
    one = made(Network, norm="batch")
    with pytest.raises(ValueError, match="at least 2 rows for batch norm"):
        one.node(X[:1])
    x = Variable(X)
    with pytest.raises(ValueError, match=r"^d_output must be finite"):
        net.node(x).backward(np.full((7, 2), np.inf))
    with pytest.raises(ValueError, match="one element"):
        net.node(x).backward()
    step = made(Network, output="step", loss="squared_error")
    with pytest.raises(ValueError, match="must have a derivative"):
        step.node(X).sum().backward()
    for each in (net, one, step):
        assert each.stored_gradients is None
    assert x.grad is None
    assert np.array_equal(net.parameters, before) and net.learner.state.seen == seen


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.deepcopy,
        lambda net: pickle.loads(pickle.dumps(net)),
        lambda net: net.astype("float32"),
    ],
    ids=["deepcopy", "pickle", "astype"],
)
def test_copies_have_no_stored_gradients(Network, duplicate):
    net = made(Network)
    net.node(X).sum().backward()
    assert net.stored_gradients is not None
    other = duplicate(net)
    assert other.stored_gradients is None
    assert "stored_gradients" not in str(other.__getstate__().keys())
    with pytest.raises(AttributeError):
        net.stored_gradients = None
