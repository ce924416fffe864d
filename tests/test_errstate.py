"""np.errstate of the caller changes no number, raises no error and gives no warning."""

import dataclasses
import io
import warnings
from decimal import Decimal

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph, reference, schedules
from bpcore.initializers import (
    BIAS_INITIALIZERS,
    INITIALIZERS,
    initialize,
    initialize_biases,
)
from bpcore.metrics import METRICS, as_metrics
from bpcore.optimizers import LBFGS
from helpers import each_library, reporting

TINY = np.array([[1e-300, 1.0], [1e-40, -1e-30], [1e-310, 1e-45], [0.0, -2.0]])
EXTREME = np.array(
    [0.0, -0.0, 1.0, -1.0, 1e-310, -1e-200, 1e200, -1e308, 800.0, -800.0]
)
INFINITE = np.array([np.inf, -np.inf, np.nan, 0.0])
LABELS = np.array([0, 1, 2, 1])


def bits(value):
    """All arrays and numbers in a value, as bytes."""
    if isinstance(value, dict):
        return {name: bits(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [bits(part) for part in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return bits({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, graph.Variable):
        return bits([value.value, value.grad])
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, float):
        return np.float64(value).tobytes()
    return repr(value)


def assert_same_under_every_errstate(compute):
    with np.errstate(all="ignore"):
        expected = bits(compute())
    for errstate in (
        {"all": "raise"},
        {"all": "warn"},
        {"all": "call", "call": reporting},
    ):
        with warnings.catch_warnings(), np.errstate(**errstate):
            warnings.simplefilter("error")
            assert bits(compute()) == expected
            assert np.geterr()["over"] == errstate["all"]


def test_the_states_that_are_tried_do_report():
    def overflow():
        return np.exp(np.array([1e4]))

    with pytest.raises((FloatingPointError, RuntimeWarning, AssertionError)):
        assert_same_under_every_errstate(overflow)


# --- networks -------------------------------------------------------------------------


def after(net, *values):
    return [
        *values,
        net.parameters,
        net.running_moments,
        net.learner.state.optimizer_arrays,
    ]


LOSSES = {
    name: np.eye(3)[LABELS] * (2 if name == "hinge" else 1) - (name == "hinge")
    for name in bp.LOSSES
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
@each_library
def test_losses(Network, loss, dtype):
    X, y = TINY, LOSSES[loss]

    def compute():
        net = Network([2, 5, 3], loss=loss, dtype=dtype, rng=0)
        step = net.train_step(X, y, [1.0, 1e-100, 0.0, 2.0])
        grads = net.gradients(X, y)
        metrics = net.evaluate(X, y, metrics=["mse", "mape", "r2"])
        return after(net, step, grads, metrics, net.predict(X), net.predict(X[0]))

    assert_same_under_every_errstate(compute)


@pytest.mark.parametrize("f", [f for f in bp.ACTIVATIONS if f != "step"])
@each_library
def test_activations(Network, f):
    X = np.concatenate([TINY, [[1e3, -1e3], [30.0, 1e2]]])

    def compute():
        net = Network([2, 5, 3], activation=f, rng=0)
        net.weights[0][...] *= 1e3 if f != "exp" else 1e-3
        net.biases[0][:2] = 1e-42, 1e-38
        tape = net.forward(X)
        grads = net.backward(tape, np.full((6, 3), 1e-40))
        return after(net, net.predict(X), tape.activations, grads, net.train_step(X, y))

    y = np.full((6, 3), 1e-42)
    assert_same_under_every_errstate(compute)


OPTIMIZERS = [
    bp.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=1e-30),
    bp.Momentum(0.1),
    bp.RMSprop(1e-3, centered=True),
    bp.Adagrad(1e-3),
    bp.Adam(1e-3),
    bp.AdamW(1e-3),
    bp.AMSGrad(1e-3),
    bp.Nadam(1e-3),
    bp.Adamax(1e-3),
    bp.RAdam(1e-3),
    bp.Lion(1e-3),
    bp.Rprop(),
    bp.SGD(0.1, clip_norm=1e-3),
    bp.SGD(0.1, clip_value=1e-3, max_norm=0.5),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@each_library
def test_optimizers(Network, optimizer):
    batch = None if optimizer.full_batch else 2

    def compute():
        net = Network([2, 5, 3], optimizer=optimizer, norm=[None], rng=0)
        net.fit(TINY, LOSSES["squared_error"] * 1e-20, epochs=4, batch_size=batch,
                progress=False)  # fmt: skip
        return after(net)

    assert_same_under_every_errstate(compute)


FITS = {
    "weights": {"sample_weight": [1.0, 1e-100, 2.0, 0.5] * 4},
    "validation": {"validation": (TINY, LABELS), "metrics": ["accuracy", "log_loss"]},
    "share": {"validation": 0.25},
    "accumulate": {"accumulate": 2},
    "restore": {"restore_best": True, "patience": 1},
    "numerical": {"gradient": "numerical"},
    "callback": {"callbacks": [bp.GradientFlow(TINY, LABELS)]},
}


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("settings", FITS.values(), ids=FITS)
@each_library
def test_fits(Network, settings, norm):
    X, y = np.tile(TINY, (4, 1)), np.tile(LABELS, 4)
    noise = {} if norm == "batch" else {"dropout": 0.3, "input_noise": 1e-30}

    def compute():
        net = Network([2, 5, 3], loss="cross_entropy", norm=norm, rng=0, **noise)
        history = net.fit(X, y, epochs=2, batch_size=4, progress=False, **settings)
        columns = history.to_dict()
        columns.pop("seconds")
        return after(net, columns, net.astype("float64").parameters)

    assert_same_under_every_errstate(compute)


@each_library
def test_lbfgs_and_copies_in_another_dtype(Network):
    def compute():
        net = Network([2, 4, 1], optimizer=LBFGS(), dtype="float64", rng=0)
        net.parameters[:2] = 1e-200, 1e-310
        found = [net.astype("float32").parameters, net._repr_html_()]
        net.fit(TINY, TINY[:, 0], epochs=3, progress=False)
        return [*found, net.parameters, bp.check_gradients(net, TINY, TINY[:, 0])]

    assert_same_under_every_errstate(compute)


@each_library
def test_single_samples_and_gradient_flow(Network):
    def compute():
        net = Network([2, 4, 1], optimizer=bp.Rprop(lr=1e-45, least=1e-50), rng=0)
        flow = bp.GradientFlow(TINY, TINY[:, 0])
        flow.record(net, 1)
        loss = net.learn_one(TINY[0], 1e-300)
        return after(net, loss, net.predict_one(TINY[1]), flow.dW, flow.update)

    assert_same_under_every_errstate(compute)


# --- traces, tables and pictures ------------------------------------------------------


@each_library
@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "poisson"])
def test_traces(Network, loss):
    def compute():
        net = Network(
            [2, 3, 3], loss=loss, activation="softmax", rng=0, dtype="float64"
        )
        net.weights[-1][...] *= 10 if loss == "poisson" else 1e3  # saturated outputs
        t = bp.trace(net, TINY, LOSSES[loss], [1.0, 1e-100, 0.0, 1.0])
        path = t.path(0, 1, 2)
        return [t.to_dict(), t.text(17), t._repr_html_(), str(path), path.expanded]

    assert_same_under_every_errstate(compute)


def test_pictures():
    pytest.importorskip("matplotlib")

    def compute():
        net = bp.Network([2, 3, 3], loss="cross_entropy", rng=0)
        history = net.fit(
            TINY, LABELS, epochs=3, metrics=["accuracy", "r2"], progress=False
        )
        flow = bp.GradientFlow(TINY, LABELS)
        flow.record(net, 1)
        t = bp.trace(net, TINY, LABELS)
        wide = bp.trace(bp.Network([2, 30, 3], rng=0), TINY, np.ones((4, 3)))
        for figure in (history.plot(), flow.plot(), t.plot(0), wide.plot()):
            assert figure._repr_png_()
        return [repr(history), str(flow).count("\n")]

    assert_same_under_every_errstate(compute)


# --- the reference, function by function ----------------------------------------------


def example(dtype=np.float32):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 3)).astype(dtype)
    z[0] = 1e-42, 1e4, -1e4
    z[1, 0] = -1e-38
    return z


def reference_case(name):
    """The results of one function of `reference`, of numbers at the ends of ranges."""
    z = example()
    delta = z * np.float32(1e-20)
    with np.errstate(all="ignore"):
        large, small = z * np.float32(1e30), z * np.float32(1e-42)
        W, b, v = z.T @ z, z[0] * 1, np.abs(z[:2, :3]).copy()
    functions = {
        "activate": lambda: [
            reference.activate(z, f) for f in reference.activations.FUNCTIONS
        ],
        "times_derivative": lambda: [
            reference.times_derivative(
                delta, z if bp.ACTIVATIONS[f].needs_z else reference.activate(z, f), f
            )
            for f in bp.ACTIVATIONS
        ],
        "normal_cdf": lambda: reference.normal_cdf(z),
        "forward": lambda: reference.forward(z, W, b, "exp"),
        "propagate": lambda: reference.propagate(delta, W, z, "tanh"),
        "gradient": lambda: reference.gradient(delta, delta),
        "normalise": lambda: [
            reference.normalise(large, b, b, kind) for kind in ("batch", "layer")
        ],
        "normalise_back": lambda: [
            reference.normalise_back(delta, delta, delta[:1], b, "batch"),
            reference.normalise_back(delta, delta, delta[:, :1], b, "layer"),
        ],
        "follow": lambda: in_place(reference.follow, abs(large[:2]), v, 4),
        "fold": lambda: reference.fold(W, b, b, abs(small[:2])),
        "scale_rows": lambda: reference.scale_rows(large, b),
        "scale_rows_back": lambda: reference.scale_rows_back(large, small, b),
        "add_noise": lambda: reference.add_noise(z, 1, 1e300),
        "drop": lambda: reference.drop(large, 1, 0.5),
        "shuffle": lambda: in_place(
            reference.shuffle, np.arange(9), np.arange(9, dtype=np.uint64) << 60
        ),
        "loss": lambda: [
            reference.loss(z, reference.activate(z, "softmax"), name, 0.3)
            for name in (*bp.LOSSES, "poisson_of_log")
        ],
        "clip_norm": lambda: in_place(reference.clip_norm, large.ravel().copy(), 1e-30),
        "limit_norms": lambda: in_place(reference.limit_norms, large.copy(), 1e-30),
        "descend": lambda: [
            in_place(descend, z.copy(), delta, optimizer) for optimizer in OPTIMIZERS
        ],
    }
    return functions[name]


def in_place(function, array, *args):
    return function(array, *args), array


def descend(w, g, optimizer):
    state = np.zeros((3, *w.shape), w.dtype)
    for step in (1, 2):
        for group in optimizer.groups():
            reference.descend(w, g, group, 1e-3, step, state)
    return state


@pytest.mark.parametrize("name", sorted({*reference.__all__} - {"Engine", "Network"}))
def test_functions_of_the_reference(name):
    assert_same_under_every_errstate(reference_case(name))


# --- graphs ---------------------------------------------------------------------------

OPERATIONS = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: x / y,
    "**": lambda x, y: x**y,
    "@": lambda x, y: x[None, :] @ y[:, None],
    "neg": lambda x, y: -x + 1e-310 * y,
    "number": lambda x, y: x * 1e300 + 1e-310 / y,
    "exp": lambda x, y: graph.exp(x * y),
    "log": lambda x, y: graph.log(x) + y.log(),
    "tanh": lambda x, y: graph.tanh(x) * y,
    "sigmoid": lambda x, y: graph.sigmoid(x) * y,
    "relu": lambda x, y: graph.relu(x) * y,
    "sqrt": lambda x, y: graph.sqrt(x) * y,
    "abs": lambda x, y: graph.abs(x) * y,
    "maximum": graph.maximum,
    "minimum": graph.minimum,
    "sum": lambda x, y: graph.sum(x) * y,
    "mean": lambda x, y: graph.mean(x) * y,
    "max": lambda x, y: graph.max(x) * y,
    "min": lambda x, y: graph.min(x) * y,
    "reshape": lambda x, y: graph.reshape(x, (-1, 1)) * y,
    "take": lambda x, y: x[[0, 1, 1]].sum() * y,
    "np.exp": lambda x, y: np.exp(x) + np.log(y),
    "np.left": lambda x, y: np.array(1e308) * x + np.float64(1e-310) * y,
    "Variable": lambda x, y: graph.Variable(np.longdouble("1e-4000")) + x + y,
}


def test_all_functions_of_the_graph_are_tried():
    assert {*graph.__all__} - {"Edge", "Path", "PathSum"} <= {*OPERATIONS}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("values", [EXTREME, INFINITE], ids=["extreme", "infinite"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_graphs(name, values, dtype):
    with np.errstate(all="ignore"):
        first = values.astype(dtype)
        second = np.roll(first, 1)

    def compute():
        x, y = graph.Variable(first, "x"), graph.Variable(second, "y")
        J = OPERATIONS[name](x, y)
        J.backward(np.full(J.shape, 1e-300))
        total = J.sum()
        file = io.StringIO()
        total.show(file)
        edges = [edge.derivative for edge in J.edges]
        shown = [file.getvalue(), total.to_dot(), repr(J), total._repr_html_()]
        return [J, x, y, edges, *shown, x < 1e300, y == J if J.shape == y.shape else 0]

    assert_same_under_every_errstate(compute)


def test_values_of_graphs_are_those_of_numpy():
    with np.errstate(all="raise"):
        found = [graph.exp(EXTREME).value, graph.log(EXTREME).value]
    with np.errstate(all="ignore"):
        expected = [np.exp(EXTREME), np.log(EXTREME)]
    assert bits(found) == bits(expected)


def test_assigned_values_and_nodes():
    def compute():
        x = graph.Variable(np.ones((2, 2), np.float32))
        x.value = [[1e-300, 1e300], [1, 2]]
        net = bp.Network([2, 3, 1], rng=0)
        J = ((net.node(TINY) - 1e-300) ** 2).mean()
        J.backward()
        net.apply()
        return [x, J, net.parameters]

    assert_same_under_every_errstate(compute)


# --- everything else ------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        TINY,
        TINY.tolist(),
        TINY.astype(np.longdouble) * np.longdouble("1e-4000"),
        np.float16([[6e-8, 1.0]]),
        np.array([[Decimal("1e-400"), 1]], object),
        np.asfortranarray(TINY),
    ],
    ids=["array", "list", "longdouble", "half", "objects", "Fortran"],
)
@each_library
def test_conversion(Network, X):
    assert_same_under_every_errstate(
        lambda: Network([2, 3], rng=0, dtype="float32").predict(X)
    )


@pytest.mark.parametrize("state", ("ignore", "raise"))
def test_what_overflows_is_refused_under_every_errstate(state):
    with np.errstate(all=state), pytest.raises(ValueError, match=r"got 1e\+300 at"):
        bp.Network([2, 1], rng=0).predict([[1e300, 0.0]])


@pytest.mark.parametrize("metric", [*METRICS, "top_2"])
def test_metrics(metric):
    a = np.full((4, 3), 1e-40, np.float32)
    a[:, 1], a[0] = 1e-30, (1, 0, 0)
    (function,) = as_metrics(metric)
    weight = np.array([1e-300, 1e-310, 1, 0])

    def compute():
        y = LABELS if function.higher_is_better else np.eye(3)[LABELS] * 1e-310
        return [function(y, a, weight), function(y, a), function(y[:1], a[:1])]

    assert_same_under_every_errstate(compute)


@pytest.mark.parametrize("loss", bp.LOSSES.values(), ids=bp.LOSSES)
def test_derivatives_by_outputs(loss):
    if not loss.outputs and loss.name != "poisson":
        pytest.skip("of other losses the kernels have it")
    a = np.array([[0.0, 1.0], [1e-40, 1.0]], np.float32)
    y = np.array([[1.0, 0.0], [1e-40, 1e-45]], np.float32)
    assert_same_under_every_errstate(lambda: loss.by_outputs(a, y))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers(name):
    def compute():
        W = np.empty((40, 50), np.float32)
        initialize(name, W, np.random.PCG64(0).random_raw)
        return W

    assert_same_under_every_errstate(compute)


@pytest.mark.parametrize("name", BIAS_INITIALIZERS)
def test_initializers_of_biases(name):
    def compute():
        b = np.empty(500, np.float32)
        initialize_biases(name, b, np.random.PCG64(0).random_raw)
        return b

    assert_same_under_every_errstate(compute)


@pytest.mark.parametrize(
    "x, eps",
    (([1e-310, 1e100], None), ([1e-300, 1.0], 1e-5), ([1.0], 1e-2)),
    ids=["1e-310 and 1e100", "1e-300 and 1", "1"],
)
@pytest.mark.parametrize("method", ["central", "complex"])
@pytest.mark.parametrize("scaled", [False, True])
def test_numerical_gradients(method, scaled, x, eps):
    def f(x):
        return complex(x[0]) ** 2 if method == "complex" else float(x[0]) ** 2

    assert_same_under_every_errstate(
        lambda x=x, eps=eps: bp.numerical_gradient(
            f, x, eps if method == "central" else None, scaled=True, method=method
        )
    )


def test_schedules():
    every = [
        schedules.Exponential(0.1, 1e-30),
        schedules.CosineRestarts(0.1, 3),
        schedules.InverseScaling(0.1),
    ]
    assert_same_under_every_errstate(lambda: [s(t) for s in every for t in range(30)])
