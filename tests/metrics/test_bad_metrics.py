"""Metrics that evaluate and fit refuse."""

import numpy as np

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
