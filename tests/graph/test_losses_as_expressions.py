"""Losses of networks that are expressions of the graph."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph
from bpcore.graph import Variable
from bpcore.losses import CustomLoss
from helpers.graph_networks import (
    LOSSES,
    OUTPUTS,
    QUIET,
    T,
    X,
    assert_close,
    made,
    normal,
    targets,
)


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


@pytest.mark.parametrize("weight", WEIGHTS, ids=["alike", "weighted"])
def test_an_expression_that_couples_rows(Network, weight):
    """Distances from the mean of the mini-batch."""

    def coupled(a, y):
        return ((a - a.mean(axis=0) - y) ** 2).sum(axis=1)

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
    """A custom loss that records the types of its arguments."""

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
    """A loss that fails with arrays, and has this result with variables."""
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


CALLS = {
    "train_step": lambda net: net.train_step(X, T),
    "gradients": lambda net: net.gradients(X, T),
    "evaluate": lambda net: net.evaluate(X, T),
    "fit": lambda net: net.fit(X, T, epochs=1, **QUIET),
}


@pytest.mark.parametrize("first", CALLS)
@pytest.mark.parametrize("name", BAD_LOSSES)
def test_a_bad_expression_changes_nothing(Network, name, first):
    loss, error, text = BAD_LOSSES[name]
    net = made(Network, loss=loss)
    before = net.parameters.copy()
    for call in (first, *CALLS):  # the later ones are refused as the first one is
        with pytest.raises(error, match=text):
            CALLS[call](net)
    assert np.array_equal(net.parameters, before) and net.learner.state.seen == 0


def test_one_number_for_samples_that_weigh_differently(Network):
    net = made(Network, loss=mean)
    with pytest.raises(ValueError, match=r"one value per sample, shape \(n,\)"):
        net.train_step(X, T, np.arange(7))
    twin = made(Network, loss="squared_error")
    alike = np.full(7, 2.5)
    assert net.train_step(X, T, alike) == pytest.approx(twin.train_step(X, T, alike))
    assert_close(net.parameters, twin.parameters)


def test_the_error_names_both_failures(Network):
    net = made(Network, loss=lambda a, y: a.summ())
    with pytest.raises(AttributeError) as caught:
        net.train_step(X, T)
    assert "numpy.ndarray" in str(caught.value.__cause__)
    assert any("called with arrays first" in note for note in caught.value.__notes__)
    net = made(Network, loss=lambda a, y: np.cumsum((a - y) ** 2, axis=1))
    with pytest.raises(TypeError) as caught:
        net.train_step(X, T)
    assert "returned ndarray" in caught.value.__notes__[0]


def test_stored_gradients_make_one_step(Network):
    """A step without backward() before it is an error."""
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
    """The loss is another network's output; that network does not change."""
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


def test_a_loss_cannot_use_the_network_that_calls_it():
    net = made(loss=lambda a, y: net.node(X).sum(axis=1))
    with pytest.raises(RuntimeError, match="in use by the step that calls its loss"):
        net.train_step(X, T)
