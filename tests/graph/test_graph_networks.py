"""Networks in graphs: written out as an independent check, as nodes, and by losses."""

import copy
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph
from bpcore.graph import Variable
from bpcore.losses import CustomLoss

QUIET = {"progress": False}


@pytest.fixture(params=[bp.Network, bp.reference.Network], ids=["compiled", "plain"])
def Network(request):
    return request.param


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


# --- networks written out -------------------------------------------------------------

SELU = 1.0507009873554805, 1.6732632423543772


def softmax(z):
    e = graph.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def elu(z, alpha=1.0):
    return z.relu() + alpha * (graph.exp(graph.minimum(z, 0)) - 1)


#: Every activation with a derivative but gelu, whose normal distribution is no formula.
ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": graph.sigmoid,
    "tanh": graph.tanh,
    "relu": graph.relu,
    "softmax": softmax,
    "leaky_relu": lambda z: graph.maximum(z, 0.01 * z),
    "elu": elu,
    "selu": lambda z: SELU[0] * elu(z, SELU[1]),
    "gelu_tanh": lambda z: (
        0.5 * z * (1 + graph.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3)))
    ),
    "silu": lambda z: z * z.sigmoid(),
    "softplus": lambda z: z.relu() + graph.log(1 + graph.exp(-abs(z))),
    "softsign": lambda z: z / (1 + abs(z)),
    "hard_sigmoid": lambda z: graph.maximum(0, graph.minimum((z + 3) / 6, 1)),
    "hard_tanh": lambda z: graph.maximum(-1, graph.minimum(z, 1)),
    "exp": graph.exp,
}


def huber(a, y):
    d = abs(a - y)
    near = graph.minimum(d, 1)
    return (0.5 * near**2 + (d - near)).mean(axis=1)


#: The value of every sample, of the outputs.
LOSSES = {
    "squared_error": lambda a, y: 0.5 * ((a - y) ** 2).sum(axis=1),
    "mean_squared_error": lambda a, y: ((a - y) ** 2).mean(axis=1),
    "mean_absolute_error": lambda a, y: abs(a - y).mean(axis=1),
    "cross_entropy": lambda a, y: (
        -graph.log(a[np.arange(len(y)), y])
        if y.ndim == 1
        else -(y * graph.log(a)).sum(axis=1)
    ),
    "binary_cross_entropy": lambda a, y: (
        -(y * graph.log(a) + (1 - y) * graph.log(1 - a)).sum(axis=1)
    ),
    "huber": huber,
    "quantile": lambda a, y: graph.maximum(0.5 * (y - a), -0.5 * (y - a)).mean(axis=1),
    "log_cosh": lambda a, y: graph.log(
        0.5 * (graph.exp(a - y) + graph.exp(y - a))
    ).mean(axis=1),
    "hinge": lambda a, y: graph.relu(1 - y * a).mean(axis=1),
    "kl_divergence": lambda a, y: (y * (np.log(y) - graph.log(a))).sum(axis=1),
    "poisson": lambda a, y: (a - y * graph.log(a)).mean(axis=1),
}
OUTPUTS = {
    "cross_entropy": "softmax",
    "kl_divergence": "softmax",
    "binary_cross_entropy": "sigmoid",
    "poisson": "exp",
}


def targets(rng, loss, shape):
    if loss == "cross_entropy":
        labels = rng.integers(shape[1], size=shape[0])
        return labels if rng.random() < 0.5 else np.eye(shape[1])[labels]
    if loss == "hinge":
        return rng.choice([-1.0, 1.0], shape)
    y = rng.uniform(0.1, 0.9, shape)
    return y / y.sum(axis=1, keepdims=True) if loss == "kl_divergence" else y


def architecture(seed):
    """Settings of a network, and a mini-batch for it."""
    rng = np.random.default_rng(seed)
    names, losses = [*ACTIVATIONS], [*LOSSES]
    layers = int(rng.integers(1, 5))
    sizes = rng.integers(1, 9, layers + 1).tolist()
    sizes[-1] = max(sizes[-1], 2)
    loss = losses[seed % len(losses)]  # each of them several times
    settings = {
        "activation": [names[(seed + 4 * l) % len(names)] for l in range(layers - 1)],
        "output": OUTPUTS.get(loss) or names[int(rng.integers(len(names)))],
        "loss": loss,
        "dtype": "float64",
        "rng": seed,
    }
    n = int(rng.integers(1, 12))
    X, y = rng.normal(size=(n, sizes[0])), targets(rng, loss, (n, sizes[-1]))
    weight = rng.integers(0, 4, n) + (np.arange(n) == 0) if seed % 3 == 0 else None
    return sizes, settings, X, y, weight


def written_out(net, X, y, weight):
    """Mean loss, W, b and X as variables of the same network."""
    W = [Variable(W.copy(), f"W{l}") for l, W in enumerate(net.weights)]
    b = [Variable(b.copy(), f"b{l}") for l, b in enumerate(net.biases)]
    X = a = Variable(X, "X")
    for l, f in enumerate(net.activations):
        a = ACTIVATIONS[f](a @ W[l] + b[l])
    E = LOSSES[net.loss](a, y)
    J = E.mean() if weight is None else (weight * E).mean()
    return J, W, b, X


def test_all_activations_and_losses_are_written_out():
    trains = {name for name, f in bp.ACTIVATIONS.items() if f.trains}
    assert {*ACTIVATIONS} == trains - {"gelu"}
    assert {*LOSSES} == {*bp.LOSSES}
    seen = [architecture(seed)[1] for seed in range(66)]
    assert {f for settings in seen for f in settings["activation"]} == {*ACTIVATIONS}
    assert {settings["loss"] for settings in seen} == {*LOSSES}


@pytest.mark.parametrize("seed", range(66))
def test_gradients_are_those_of_the_network_written_out(Network, seed):
    sizes, settings, X, y, weight = architecture(seed)
    net = Network(sizes, **settings)
    for l, b in enumerate(net.biases):
        b[...] = 0.3 * normal(seed + l, *b.shape)
    grads = net.gradients(X, y, weight)
    J, W, b, X = written_out(net, X, y, weight)
    J.backward()
    assert grads.loss == pytest.approx(J.value.item(), rel=1e-10)
    pairs = [
        *zip(grads.weights, W, strict=True),
        *zip(grads.biases, b, strict=True),
        (grads.input, X),
    ]
    assert any(np.abs(own).max() > 1e-6 for own, _ in pairs)
    for own, variable in pairs:
        scale = max(np.abs(own).max(), np.abs(variable.grad).max(), 1e-6)
        np.testing.assert_allclose(own, variable.grad, rtol=0, atol=1e-10 * scale)


def test_most_gradients_are_not_zero():
    """Or the comparison above would prove little."""
    zero = total = 0
    for seed in range(66):
        sizes, settings, *batch = architecture(seed)
        grads = bp.Network(sizes, **settings).gradients(*batch)
        zero += sum(not dW.any() for dW in grads.weights)
        total += len(grads.weights)
    assert zero < 0.2 * total


def test_training_by_the_graph_reaches_the_same_weights(Network):
    X, y = normal(0, 20, 3), np.arange(20) % 4
    net = Network(
        [3, 8, 4],
        activation="tanh",
        loss="cross_entropy",
        dtype="float64",
        optimizer=bp.SGD(0.5),
        rng=0,
    )
    twin = copy.deepcopy(net)
    for _ in range(50):
        J, W, b, _ = written_out(twin, X, y, None)
        J.backward()
        for l, (own, shift) in enumerate(zip(W, b, strict=True)):
            twin.weights[l][...] -= 0.5 * own.grad
            twin.biases[l][...] -= 0.5 * shift.grad
        net.train_step(X, y)
    assert net.evaluate(X, y) < 0.9
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=1e-9, atol=1e-10)


# --- a network as a node --------------------------------------------------------------


def made(Network=bp.Network, sizes=(3, 5, 2), **settings):
    settings = {
        "activation": "tanh",
        "dtype": "float64",
        "optimizer": bp.SGD(0.1),
        "rng": 0,
        **settings,
    }
    return Network(sizes, **settings)


X, T = normal(1, 7, 3), normal(2, 7, 2)


def assert_close(a, b, rtol=1e-12):
    assert np.abs(b).max() > 1e-3
    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max())


OPTIONS = [
    {},
    {"norm": "batch"},
    {"norm": "layer"},
    {"dropout": 0.4},
    {"input_noise": 0.3},
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


def test_bad_input_of_a_node_changes_nothing(Network):
    net = made(Network)
    before, seen = net.parameters.copy(), net.learner.state.seen
    for bad, error, text in (
        (X[:, :2], ValueError, r"^x must have shape \(n, 3\)"),
        (X[0], ValueError, r"^x must have shape \(n, 3\)"),
        (Variable(X.T), ValueError, r"^x must have shape \(n, 3\)"),
        (np.full((2, 3), np.nan), ValueError, "^x must be finite"),
        ("x", TypeError, "^x must hold real numbers"),
        (None, TypeError, "^x must hold real numbers"),
        ([[1, 2], [3]], ValueError, "^x must be a regular array .* ragged"),
    ):
        with pytest.raises(error, match=text):
            net.node(bad)
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


def test_copies_have_no_stored_gradients(Network):
    net = made(Network)
    net.node(X).sum().backward()
    assert net.stored_gradients is not None
    for other in (
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
        net.astype("float32"),
    ):
        assert other.stored_gradients is None
        assert "stored_gradients" not in str(other.__getstate__().keys())
    with pytest.raises(AttributeError):
        net.stored_gradients = None


# --- losses as expressions ------------------------------------------------------------


def pair(a, y):
    """The squared error with its derivative."""
    return 0.5 * ((a - y) ** 2).sum(axis=1), a - y


def mean(a, y):
    return 0.5 * ((a - y) ** 2).sum(axis=1).mean()


#: Each as the built-in one of its name: a value per sample, by methods or functions.
EXPRESSIONS = {
    **LOSSES,
    "cross_entropy": lambda a, y: -(a[np.arange(len(y)), y].log()),
}


def outputs_of(loss):
    return OUTPUTS.get(loss, "identity")


def batch_of(loss):
    rng = np.random.default_rng(4)
    y = targets(rng, loss, (7, 4))
    return normal(5, 7, 3), (rng.integers(4, size=7) if loss == "cross_entropy" else y)


WEIGHTS = [None, np.arange(7) % 4 * 0.5]


@pytest.mark.parametrize("weight", WEIGHTS, ids=["alike", "weighted"])
@pytest.mark.parametrize("loss", LOSSES)
def test_an_expression_is_the_built_in_loss(Network, loss, weight):
    X, y = batch_of(loss)
    nets = [
        made(Network, [3, 5, 4], output=outputs_of(loss), loss=each)
        for each in (EXPRESSIONS[loss], loss)
    ]
    mine, own = (net.gradients(X, y, weight) for net in nets)
    assert mine.loss == pytest.approx(own.loss, rel=1e-9)
    assert_close(mine.flat, own.flat, 1e-7 if loss == "poisson" else 1e-9)
    assert nets[0].evaluate(X, y, weight) == pytest.approx(
        nets[1].evaluate(X, y, weight)
    )
    assert nets[0].loss is EXPRESSIONS[loss]


@pytest.mark.parametrize(
    "loss", [mean, LOSSES["squared_error"]], ids=["mean", "values"]
)
def test_training_by_an_expression(Network, loss):
    """Accumulated mini-batches, validation, weights of samples, the last incomplete."""
    X, y = normal(6, 50, 3), normal(7, 50, 2)
    weight = np.random.default_rng(8).uniform(size=50)
    options = {
        "epochs": 3,
        "batch_size": 8,
        "accumulate": 2,
        "validation": (X, y),
        "sample_weight": None if loss is mean else weight,
        **QUIET,
    }
    nets = [
        made(Network, loss=each, optimizer=bp.Adam(0.01))
        for each in (loss, "squared_error")
    ]
    histories = [net.fit(X, y, **options) for net in nets]
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, atol=1e-9)
    for name in ("loss", "validation_loss"):
        np.testing.assert_allclose(*(h[name] for h in histories), rtol=1e-9)
    assert nets[0].evaluate(X, y) == pytest.approx(nets[1].evaluate(X, y))
    many = [np.resize(array, (600, array.shape[1])) for array in (X, y)]
    assert nets[0].evaluate(*many) == pytest.approx(nets[1].evaluate(*many))


def test_a_fit_by_an_expression_learns(Network):
    X = normal(9, 200, 2)
    y = (X[:, :1] * X[:, 1:] > 0).astype(float)
    net = made(
        Network,
        [2, 16, 1],
        output="sigmoid",
        loss=lambda a, y: -graph.log(y * a + (1 - y) * (1 - a)).sum(axis=1),
        optimizer=bp.Adam(0.02),
        dtype="float32",
    )
    net.fit(X, y, epochs=60, **QUIET)
    assert ((net.predict(X) > 0.5) == (y > 0.5)).mean() > 0.95


def test_an_expression_that_couples_rows(Network):
    """Distances from the mean of the mini-batch."""

    def coupled(a, y):
        return ((a - a.mean(axis=0) - y) ** 2).sum(axis=1)

    for weight in WEIGHTS:
        net = made(Network, loss=coupled)
        errors = bp.check_gradients(net, X, T, weight).errors
        # A shift of all outputs has no effect; rows of weight 0 do.
        assert max(error for name, error in errors.items() if name != "b[1]") < 1e-6
        assert net.gradients(X, T, weight).input.all()


def test_float32_stays_float32(Network):
    seen = []

    def loss(a, y):
        J = ((a - y) ** 2).mean(axis=1)
        seen.append((a.dtype, y.dtype, J.dtype))
        return J

    net = made(Network, dtype="float32", loss=loss)
    assert net.gradients(X, T).flat.dtype == np.float32
    assert {dtype for dtypes in seen for dtype in dtypes} == {np.dtype("float32")}


def test_rows_without_weight_may_have_any_loss(Network):
    def loss(a, y):
        with np.errstate(divide="ignore"):
            return ((a - y) ** 2).sum(axis=1) / np.where(y[:, 0] > 5, 0, 1)

    y, weight = T.copy(), np.ones(7)
    y[3], weight[3] = 9, 0
    kept = np.arange(7) != 3
    net = made(Network, loss=loss)
    own = net.gradients(X, y, weight)
    fewer = net.gradients(X[kept], y[kept])
    assert own.loss * 7 == pytest.approx(fewer.loss * 6, rel=1e-12)
    assert_close(own.flat * 7, fewer.flat * 6)
    assert not own.input[3].any()


class Counting:
    """A loss that keeps what it was called with."""

    def __init__(self, loss):
        self.loss, self.seen = loss, []

    def __call__(self, a, y):
        self.seen.append(type(a))
        return self.loss(a, y)


@pytest.mark.parametrize(
    "loss, seen",
    [
        (pair, [np.ndarray] * 3),
        (LOSSES["squared_error"], [np.ndarray, *[Variable] * 3]),
        (mean, [np.ndarray, *[Variable] * 3]),
        (lambda a, y: (a - y).exp().sum(axis=1), [np.ndarray, *[Variable] * 3]),
        (lambda a, y: graph.exp(a - y).sum(axis=1), [np.ndarray, *[Variable] * 3]),
    ],
    ids=["pair", "values", "mean", "method", "function"],
)
def test_the_kind_is_found_out_once(Network, loss, seen):
    counting = Counting(loss)
    net = made(Network, loss=counting)
    for _ in range(3):
        net.train_step(X, T)
    assert counting.seen == seen


def test_the_kind_is_no_part_of_what_a_loss_is():
    one, other = CustomLoss(mean), CustomLoss(mean)
    one.weighted(X[:, :2], X[:, :2] + 1, np.ones(7), 1 / 7)
    assert one.is_graph and other.is_graph is None
    assert one == other and hash(one) == hash(other) and repr(one) == repr(other)
    assert pickle.loads(pickle.dumps(one)) == other
    net = made(loss=mean)
    net.train_step(X, T)
    twin = pickle.loads(pickle.dumps(net))
    for each in (net, twin):
        each.train_step(X, T)
    assert np.array_equal(net.parameters, twin.parameters)


def test_the_first_call_cannot_spoil_the_second(Network):
    def spoils(a, y):
        if isinstance(a, np.ndarray):
            a[...], y[...] = np.nan, np.nan
        return 0.5 * ((a - y) ** 2).sum(axis=1)

    net, twin = made(Network, loss=spoils), made(Network, loss="squared_error")
    assert net.train_step(X, T) == pytest.approx(twin.train_step(X, T))


def raises(error):
    def loss(a, y):
        raise error

    return loss


def with_variables(answer):
    """What it returns of variables, after it refused arrays."""
    return lambda a, y: answer(a.exp(), y)


VALUES = r"^loss\(a, y\) must return a Variable of shape \(7,\), .*; got "
BAD_LOSSES = {
    "nothing": (lambda a, y: None, TypeError, "^loss.* must return .*; got NoneType$"),
    "number": (lambda a, y: 0.5, TypeError, "^loss.* must return .*; got float$"),
    "array": (lambda a, y: y, TypeError, "^loss.* must return .*; got ndarray$"),
    "variables": (
        with_variables(lambda a, y: (a, a)),
        TypeError,
        "^loss.* must return .*; got tuple$",
    ),
    "all": (with_variables(lambda a, y: a), ValueError, VALUES + r"\(7, 2\)$"),
    "column": (
        with_variables(lambda a, y: a[:, :1]),
        ValueError,
        VALUES + r"\(7, 1\)$",
    ),
    "row": (
        with_variables(lambda a, y: a.mean(axis=0)),
        ValueError,
        VALUES + r"\(2,\)$",
    ),
    "one": (
        with_variables(lambda a, y: a.mean().reshape(1)),
        ValueError,
        VALUES + r"\(1,\)$",
    ),
    "constant": (
        lambda a, y: Variable(0.0),
        ValueError,
        r"^loss\(a, y\) must depend on a; got a Variable that does not$",
    ),
    "typo": (
        lambda a, y: a.summ(),
        AttributeError,
        "^'Variable' object has no attribute 'summ'",
    ),
    "numpy": (lambda a, y: np.sin(a - y).sum(axis=1), TypeError, "np.sin"),
    "arguments": (lambda a: a, TypeError, "takes 1 positional argument"),
    "shapes": (lambda a, y: a @ y, ValueError, "matmul"),
    "lookup": (raises(LookupError("mine")), LookupError, "^mine$"),
    "names": (lambda a, y: aa, NameError, "aa"),  # noqa: F821
}


@pytest.mark.parametrize("name", BAD_LOSSES)
def test_a_bad_expression_changes_nothing(Network, name):
    loss, error, text = BAD_LOSSES[name]
    net = made(Network, loss=loss)
    before = net.parameters.copy()
    for call in (net.train_step, net.gradients, net.evaluate):
        with pytest.raises(error, match=text):
            call(X, T)
    with pytest.raises(error, match=text):
        net.fit(X, T, epochs=1, **QUIET)
    assert np.array_equal(net.parameters, before) and net.learner.state.seen == 0


def test_one_number_for_samples_that_weigh_differently(Network):
    net = made(Network, loss=mean)
    with pytest.raises(ValueError, match=r"one value per sample, shape \(n,\)"):
        net.train_step(X, T, np.arange(7))
    twin = made(Network, loss="squared_error")
    alike = np.full(7, 2.5)
    assert net.train_step(X, T, alike) == pytest.approx(twin.train_step(X, T, alike))
    assert_close(net.parameters, twin.parameters)


def test_both_failures_are_told(Network):
    net = made(Network, loss=lambda a, y: a.summ())
    with pytest.raises(AttributeError) as caught:
        net.train_step(X, T)
    assert "numpy.ndarray" in str(caught.value.__cause__)
    assert any("asked with arrays first" in note for note in caught.value.__notes__)
    net = made(Network, loss=lambda a, y: np.cumsum((a - y) ** 2, axis=1))
    with pytest.raises(TypeError) as caught:
        net.train_step(X, T)
    assert "returned ndarray" in caught.value.__notes__[0]


def test_stored_gradients_make_one_step(Network):
    """A forgotten backward() is told, not made up for by the last one."""
    net = made(Network)
    with pytest.raises(TypeError, match="none are stored"):
        net.apply()
    ((net.node(X) - T) ** 2).mean().backward()
    net.apply()
    before = pickle.dumps(net)
    with pytest.raises(RuntimeError, match="before the last step"):
        net.apply()
    assert pickle.dumps(net) == before
    net.apply(net.stored_gradients)  # asked for


def test_targets_that_pair_every_row_with_every_other_are_warned_of():
    net = bp.Network([2, 3, 1], rng=0)
    rows = np.ones((5, 2))
    with pytest.warns(UserWarning, match=r"reshape the targets to \(5, 1\)") as caught:
        net.node(rows) - np.ones(5)
    assert caught[0].filename == __file__
    net.node(rows) - np.ones((5, 1))
    net.node(rows[:1]) - np.ones(1)
    net.node(rows) * np.ones((3, 1, 1))


def test_a_network_in_the_loss_of_another():
    """A critic that judges outputs, itself left as it is."""
    critic = made(sizes=[2, 4, 1], rng=3)
    net = made(loss=lambda a, y: critic.node(a)[:, 0])
    check = bp.check_gradients(net, X, T)
    assert check.largest < 1e-6 and check.zero == ()
    assert critic.stored_gradients is not None


def test_a_fit_by_lbfgs_in_between_is_noticed():
    net = made(optimizer=bp.LBFGS())
    J = ((net.node(X) - T) ** 2).mean()
    net.fit(X, T, epochs=3, progress=False)
    with pytest.raises(RuntimeError, match="trained in between"):
        J.backward()


def test_a_mean_that_cannot_be_weighted_is_refused_before_training():
    net = made(loss=lambda a, y: ((a - y) ** 2).mean())
    before, weight = net.parameters.copy(), np.ones(len(X))
    weight[-1] = 2
    with pytest.raises(ValueError, match="must return one value per sample"):
        net.fit(X, T, sample_weight=weight, batch_size=2, shuffle=False, progress=False)
    assert net.parameters.tobytes() == before.tobytes()


def test_a_loss_cannot_use_the_network_that_asks_it():
    net = made(loss=lambda a, y: net.node(X).sum(axis=1))
    with pytest.raises(RuntimeError, match="in use by the step that asks its loss"):
        net.train_step(X, T)
