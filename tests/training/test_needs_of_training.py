"""What batch norm, Rprop and L-BFGS need, and what step cannot do."""

import dataclasses

import numpy as np
import pytest

import bpcore as bp
from helpers.refusals import (
    BATCHES,
    DATA,
    ERRORS,
    LABELS,
    QUIET,
    TARGETS,
    VALUE,
    Refusal,
    X,
    made,
    right,
    table,
)

ROW = X[:1], LABELS[:1]
TWO_ROWS = "X must have at least 2 rows for batch norm; got 1"
NEEDS_ROWS = {
    "train_step": (lambda net: net.train_step(*ROW), TWO_ROWS),
    "gradients": (lambda net: net.gradients(*ROW), TWO_ROWS),
    "check_gradients": (lambda net: bp.check_gradients(net, *ROW), TWO_ROWS),
    "forward": (lambda net: net.forward(ROW[0]), TWO_ROWS),
    "stream": (lambda net: net.fit([ROW], **QUIET), "mini-batch 1: " + TWO_ROWS),
    "learn_one": (lambda net: net.learn_one(X[0], 1), "...batch norm...; got 1"),
    "partial_fit": (lambda net: net.partial_fit(*ROW), BATCHES.format(1, 1)),
    "fit_many": (lambda net: bp.fit_many([net], *ROW), BATCHES.format(1, 1)),
    "fit": (lambda net: net.fit(*ROW), BATCHES.format(1, 1)),
    "single rows": (lambda net: net.fit(*DATA, batch_size=1), BATCHES.format(6, 1)),
    "share": (
        lambda net: net.fit(*DATA, batch_size=1, validation=0.5),
        BATCHES.format(3, 1),
    ),
}
TRAINS = {
    "fit": lambda net: net.fit(X, right(net)),
    "stream": lambda net: net.fit([(X, right(net))]),
    "partial_fit": lambda net: net.partial_fit(X, right(net)),
    "fit_many": lambda net: bp.fit_many([net], X, right(net)),
    "train_step": lambda net: net.train_step(X, right(net)),
    "learn_one": lambda net: net.learn_one(X[0], right(net)[0]),
    "gradients": lambda net: net.gradients(X, right(net)),
    "backward": lambda net: net.backward(net.forward(X), right(net)),
    "check_gradients": lambda net: bp.check_gradients(net, X, right(net)),
}
SINGLE_STEPS = {
    "train_step": lambda net: net.train_step(*DATA),
    "learn_one": lambda net: net.learn_one(X[0], 1),
    "apply": lambda net: net.apply(net.gradients(*DATA)),
}
FULL = [
    ({"batch_size": 1}, "batch_size must be all 6 rows for {}, or None; got 1"),
    ({"batch_size": 5}, "batch_size must be all 6 rows for {}, or None; got 5"),
    ({"batch_size": 2, "validation": 0.5}, "batch_size must be all 3 rows for {}, ..."),
    ({"X": [DATA], "y": None}, "{} needs all of the data at once; got an iterable ..."),
]
FULL_BATCH = [
    (optimizer, bad, VALUE(text.format(type(optimizer).__name__)))
    for optimizer in (bp.Rprop(), bp.LBFGS())
    for bad, text in FULL
]
NO_BATCHES = VALUE("...batch_callbacks...LBFGS...")
FULL_BATCH += [(bp.LBFGS(), {"batch_callbacks": [print]}, NO_BATCHES)]


@table(NEEDS_ROWS, "call, text")
def test_batch_norm_needs_two_rows(Network, call, text):
    net = made(Network, norm="batch")
    VALUE(text).of(lambda: call(net), net)


def test_batch_norm_predicts_and_evaluates_a_row(Network):
    net = made(Network, norm="batch")
    assert net.predict(X[:1]).shape == (1, 2) and net.predict_one(X[0]).shape == (2,)
    assert np.isfinite(net.evaluate(*ROW))


@pytest.mark.parametrize("name", TRAINS)
@pytest.mark.parametrize("where", ["activation", "output"])
def test_step_is_for_predictions_only(Network, where, name):
    net = made(Network, "squared_error", **{where: "step"})
    refusal = VALUE("activation must have a derivative to train by; step has none: ...")
    refusal.of(lambda: TRAINS[name](net), net)
    assert net.predict(X).shape == (6, 2)
    assert np.isfinite(net.evaluate(X, TARGETS))


@table(FULL_BATCH, "optimizer, bad, refusal")
def test_optimizers_that_need_all_of_the_data(Network, optimizer, bad, refusal):
    net = made(Network, optimizer=optimizer)
    settings = {"X": X, "y": LABELS, **QUIET, **bad}
    refusal.of(lambda: net.fit(**settings), net)


@pytest.mark.parametrize("name", SINGLE_STEPS)
def test_lbfgs_makes_no_single_steps(Network, name):
    net = made(Network, optimizer=bp.LBFGS())
    refusal = VALUE("LBFGS trains by fit only, from all of the data...")
    refusal.of(lambda: SINGLE_STEPS[name](net), net)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_in_a_callback_of_lbfgs_arrives_as_it_is(Network, error):
    pytest.importorskip("scipy")

    def fail(*_):
        raise error

    net = made(Network, optimizer=bp.LBFGS())
    with pytest.raises(type(error)) as caught:
        net.fit(*DATA, callbacks=[fail], **QUIET)
    assert caught.value is error


def test_lbfgs_tells_of_a_loss_that_is_not_finite_at_first(Network):
    pytest.importorskip("scipy")
    net = made(Network, "squared_error", optimizer=bp.LBFGS())
    net.parameters[...] = 1e38
    with np.errstate(all="ignore"):
        refusal = Refusal(bp.DivergenceError, "the loss is not finite ...")
        refusal.of(lambda: net.fit(X, TARGETS, **QUIET), net)


def test_gradients_with_a_negative_variance(Network):
    """Running moments that follow them give NaN, and a file that is refused."""
    net = Network([3, 2, 2], norm="batch", rng=0)
    gradients = net.gradients(X, np.zeros((len(X), 2)))
    before = net.learner.state.moments.copy()
    with pytest.raises(ValueError, match=r"gradients.moments .* no negative variance"):
        net.apply(dataclasses.replace(gradients, moments=-1 - gradients.moments**2))
    np.testing.assert_array_equal(net.learner.state.moments, before)
