"""Metrics that evaluate and fit refuse."""

import numpy as np
import pytest

import bpcore as bp
from helpers.refusals import (
    BAD_ANSWERS_OF_METRICS,
    BAD_METRICS,
    DATA,
    QUIET,
    TARGETS,
    X,
    everything,
    made,
    table,
)


@table(BAD_METRICS + BAD_ANSWERS_OF_METRICS)
def test_bad_metrics_of_evaluate(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.evaluate(*DATA, **bad), net)


@table(BAD_ANSWERS_OF_METRICS)
def test_bad_answer_of_a_metric_keeps_the_epoch(Network, bad, refusal):
    net, other = made(Network), made(Network)
    refusal.of(lambda: net.fit(*DATA, **bad, **QUIET))
    other.fit(*DATA, epochs=1, **QUIET)
    assert everything(net) == everything(other)


def test_a_metric_does_not_change_the_data(Network):
    def spoil(y, a):
        if y.flags.writeable:
            y[...] = 0
        return 1.0

    net, y = made(Network), TARGETS.copy()
    net.evaluate(X, y, metrics=spoil)
    net.fit(X, y, metrics=spoil, **QUIET)
    assert np.array_equal(y, TARGETS)


@pytest.mark.parametrize("label", [-1, 3, 1 << 40])
@pytest.mark.parametrize(
    "name", ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc",
             "log_loss", "brier", "top_2"],
)  # fmt: skip
def test_labels_that_a_callback_puts_out_of_range(name, label):
    y, outputs = np.array([0, 1, 2]), np.eye(3, dtype="float32")
    net = bp.Network([3, 3], loss="cross_entropy", rng=0)

    def spoil(net, history):
        y[1] = label

    with pytest.raises(ValueError, match=rf"{name}.*labels in 0 .. 2; got "):
        net.fit(outputs, [0, 1, 2], validation=(outputs, y), metrics=name, epochs=2,
                callbacks=[spoil], **QUIET)  # fmt: skip
