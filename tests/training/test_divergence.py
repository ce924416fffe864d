"""A fit that diverges returns to its last finite epoch."""

import numpy as np
import pytest

import bpcore as bp
from helpers import each_library
from helpers.fit import (
    QUIET,
    TARGETS,
    N,
    X,
    bits,
    diverging,
    in_a_thread,
    order_of_next_epoch,
    small,
)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_divergence_gives_back_the_last_finite_epoch(shuffle, dtype):
    net = diverging(dtype=dtype)
    kept = []
    keep = [
        lambda net, _: kept.append(
            (net.parameters.copy(), net.learner.state.optimizer_arrays.copy())
        )
    ]
    options = {"epochs": 1000, "batch_size": 4, "shuffle": shuffle, **QUIET}
    with pytest.raises(bp.DivergenceError, match="not finite in epoch") as caught:
        net.fit(X, TARGETS, callbacks=keep, **options)
    epoch, batch = caught.value.epoch, caught.value.batch
    assert f"epoch {epoch}, mini-batch {batch};" in str(caught.value)
    assert "lr below 3.0" in str(caught.value)
    assert epoch - 1 == len(kept) > 1
    assert np.array_equal(net.parameters, kept[-1][0]) and kept[-1][0].any()
    assert (
        np.array_equal(net.learner.state.optimizer_arrays, kept[-1][1])
        and kept[-1][1].any()
    )

    # Step by step it happens at the same place.
    twin = diverging(dtype=dtype)
    for _ in range(epoch - 1):
        twin.fit(X, TARGETS, **{**options, "epochs": 1})
    order = order_of_next_epoch(twin, shuffle)
    for _ in range(batch - 1):
        rows, order = order[:4], order[4:]
        twin.train_step(X[rows], TARGETS[rows])
    with pytest.raises(bp.DivergenceError):
        twin.train_step(X[order[:4]], TARGETS[order[:4]])


def test_divergence_in_the_first_epoch_gives_back_the_beginning():
    net = diverging(lr=1e30)
    before = net.parameters.copy()
    with pytest.raises(bp.DivergenceError) as caught:
        net.fit(X, TARGETS, batch_size=4, **QUIET)
    assert caught.value.epoch == 1 and caught.value.batch > 1
    assert (
        np.array_equal(net.parameters, before)
        and not net.learner.state.optimizer_arrays.any()
    )
    # And one may go on, in any thread.
    net.optimizer = bp.SGD(0.01)
    assert np.ptp(in_a_thread(lambda: net.fit(X, TARGETS, **QUIET)).loss) > 0.01


def test_divergence_in_the_very_last_step_is_found():
    # There is no further loss: the parameters show it.
    net = diverging(lr=1e38)
    before = net.parameters.copy()
    with pytest.raises(bp.DivergenceError, match="parameters are not finite") as caught:
        net.fit(1e3 * X, TARGETS, epochs=1, batch_size=N, **QUIET)
    assert (caught.value.epoch, caught.value.batch) == (1, None)
    assert (
        np.array_equal(net.parameters, before)
        and not net.learner.state.optimizer_arrays.any()
    )


def test_divergence_with_an_optimizer_of_a_callbacks():
    net = diverging()
    net.optimizer = bp.SGD(0.01)
    kept = []

    def change(net, _):
        net.optimizer = bp.SGD(1e10, momentum=0.9)
        kept.append((net.parameters.copy(), net.learner.state.optimizer_arrays.copy()))

    with pytest.raises(bp.DivergenceError):
        net.fit(X, TARGETS, batch_size=4, callbacks=[change], **QUIET)
    assert np.array_equal(net.parameters, kept[-1][0])
    assert np.array_equal(net.learner.state.optimizer_arrays, kept[-1][1])


@each_library
def test_a_step_that_diverges_changes_nothing(Network):
    net = small(Network, loss="squared_error")
    net.fit(X, TARGETS, **QUIET)
    before = bits(net)
    net.weights[-1][0, 0], kept = np.inf, net.weights[-1][0, 0]
    with np.errstate(all="ignore"), pytest.raises(bp.DivergenceError) as caught:
        net.train_step(X, TARGETS)
    net.weights[-1][0, 0] = kept
    assert bits(net) == before
    assert caught.value.epoch is caught.value.batch is None
