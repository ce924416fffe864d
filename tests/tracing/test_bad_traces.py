"""Arguments and networks that trace refuses; nothing changes."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from helpers import each_library, everything, fourth_powers
from helpers.trace import assert_is_the_step, problem

ROWS = np.zeros((5, 3))
TARGETS = np.full((5, 4), 0.25)
NAN = np.where(np.arange(15).reshape(5, 3) == 7, np.nan, 0)
REFUSED = {
    "X of another width": (ValueError, r"X must have shape \(n, 3\)", ROWS.T, TARGETS),
    "no rows": (ValueError, r"X must have shape", ROWS[:0], TARGETS[:0]),
    "one row only": (ValueError, r"X must have shape", ROWS[0], TARGETS[0]),
    "NaN": (ValueError, r"X must be finite .* at \[2, 1\]", NAN, TARGETS),
    "words": (TypeError, "X must hold real numbers", [["a", "b", "c"]], TARGETS[:1]),
    "y of another length": (ValueError, "y must have shape", ROWS, TARGETS[:4]),
    "y of another width": (ValueError, "y must have shape", ROWS, TARGETS[:, :3]),
    "no y": (TypeError, "y must be given", ROWS, None),
    "infinite y": (ValueError, "y must be finite", ROWS, TARGETS + np.inf),
    "labels out of range": (ValueError, "y must hold labels in 0 .. 3", ROWS, [4] * 5),
    "targets out of range": (ValueError, "y must lie in 0 .. 1", ROWS, 9 * TARGETS),
    "weights of another length": (
        ValueError, "sample_weight must have shape", ROWS, TARGETS, [1.0],
    ),
    "negative weights": (
        ValueError, "sample_weight must not be negative", ROWS, TARGETS, [-1.0] * 5,
    ),
    "weights of other classes": (
        ValueError, "class_weight must have shape", ROWS, TARGETS, None, [1.0, 2.0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("apply", (False, True))
@each_library
@pytest.mark.parametrize("case", REFUSED)
def test_bad_mini_batches(Network, case, apply):
    error, message, *arguments = REFUSED[case]
    net = problem(Network=Network, dropout=0.3)[0]
    net.train_step(ROWS, TARGETS)
    before = everything(net)
    with pytest.raises(error, match=f"^{message}"):
        bp.trace(net, *arguments, apply=apply)
    assert everything(net) == before


@pytest.mark.parametrize(
    "other", [None, "net", ROWS, bp.Network], ids=["None", "text", "array", "class"]
)
def test_what_is_no_network(other):
    with pytest.raises(TypeError, match=r"^network must be a Network; got "):
        bp.trace(other, ROWS, TARGETS)


@pytest.mark.parametrize("apply", [1, 0, None, "yes", np.array([True])], ids=repr)
def test_apply_must_be_a_bool(apply):
    net, X, y = problem()
    before = everything(net)
    with pytest.raises(TypeError, match=r"^apply must be a bool; got "):
        bp.trace(net, X, y, apply=apply)
    assert everything(net) == before


def test_apply_is_given_by_its_name():
    net, X, y = problem()
    before = everything(net)
    with pytest.raises(TypeError):
        bp.trace(net, X, y, None, None, True)
    assert everything(net) == before
    bp.trace(net, X, y, apply=np.bool_(True))
    assert everything(net) != before


@each_library
@pytest.mark.parametrize(
    "settings, message",
    [
        ({"activation": "step"}, "activation must have a derivative to train by"),
        ({"optimizer": bp.LBFGS()}, "LBFGS trains by fit only"),
    ],
    ids=["step", "LBFGS"],
)
def test_networks_that_make_no_steps(Network, settings, message):
    pytest.importorskip("scipy")
    net, X, y = problem(Network=Network, **settings)
    before = everything(net)
    with pytest.raises(ValueError, match=f"^{message}"):
        bp.trace(net, X, y)
    assert everything(net) == before


@each_library
def test_batch_norm_needs_two_rows(Network):
    net, X, y = problem(Network=Network, norm="batch")
    with pytest.raises(
        ValueError, match=r"^X must have at least 2 rows for batch norm"
    ):
        bp.trace(net, X[:1], y[:1])


@pytest.mark.parametrize("apply", (False, True))
@each_library
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite(Network, apply):
    net, X, y = problem(
        "identity", "squared_error", Network=Network, norm="batch", dropout=0.3
    )
    net.biases[-1][0] = 1e200
    before = everything(net)
    with pytest.raises(bp.DivergenceError, match="not finite; nothing has changed"):
        bp.trace(net, X, y, apply=apply)
    assert everything(net) == before
    net.biases[-1][0] = 0
    assert_is_the_step(net, X, y)


@pytest.mark.parametrize("apply", (False, True))
@each_library
def test_a_loss_that_raises(Network, apply):
    """The error of the loss is raised, and the network remains usable."""
    answers = [KeyError("mine"), None]

    def loss(a, y):
        if (error := answers[0]) is not None:
            raise error
        return fourth_powers(a, y)

    net, X, y = problem("tanh", loss, Network=Network, dropout=0.3)
    before = everything(net)
    with pytest.raises(KeyError, match="mine"):
        bp.trace(net, X, y, apply=apply)
    assert everything(net) == before
    answers[0] = None
    assert_is_the_step(net, X, y)


def test_a_loss_cannot_trace_its_own_network():
    def loss(a, y):
        bp.trace(net, X, y)
        return fourth_powers(a, y)

    net, X, y = problem("tanh", loss)
    before = everything(net)
    with pytest.raises(RuntimeError, match="in use by the step that calls its loss"):
        bp.trace(net, X, y)
    assert everything(net) == before


@pytest.mark.parametrize("apply", [False, True])
def test_a_network_in_use_is_refused(apply):
    net, X, y = problem()
    before = everything(net)
    busy = pytest.raises(RuntimeError, match="in use by another thread")
    with net.learner.engine, ThreadPoolExecutor(1) as pool, busy:
        pool.submit(bp.trace, net, X, y, apply=apply).result()
    assert everything(net) == before
    assert_is_the_step(net, X, y)
