"""network.history: the history of the last fit."""

import numpy as np
import pytest

import bpcore as bp
from helpers.best_epoch import QUIET, X, Y, make


def test_history_of_the_last_fit():
    net = make()
    assert net.history is None
    history = net.fit(X, Y, epochs=2, **QUIET)
    assert net.history is history
    with pytest.raises(ValueError, match="epochs"):
        net.fit(X, Y, epochs=0, **QUIET)
    assert net.history is history  # of a fit that was refused there is none
    net.partial_fit(X, Y)
    assert len(net.history) == 1


def test_history_of_a_fit_within_a_callback():
    net, inner = make(), []

    def nested(net, history):
        if not inner:
            inner.append(None)  # once
            inner.append(net.fit(X, Y, epochs=1, **QUIET))

    history = net.fit(X, Y, epochs=2, callbacks=[nested], **QUIET)
    assert net.history is history is not inner[1]


@pytest.mark.parametrize("callbacks", [[], [lambda net, history: None]], ids=["", "c"])
def test_history_after_divergence(callbacks):
    net = make(optimizer=bp.SGD(0.6))
    with pytest.raises(bp.DivergenceError) as caught:
        net.fit(X, Y, epochs=10**4, batch_size=5, callbacks=callbacks, **QUIET)
    assert len(net.history) == caught.value.epoch - 1
    assert net.history.stopped == "error"
    assert np.isfinite(net.history.loss).all()


def test_a_history_of_ones_own():
    net = make()
    net.history = net.fit(X, Y, epochs=3, **QUIET)
    net.fit(X, Y, epochs=1, **QUIET)
    assert len(net.history) == 3
