"""Arrays that are resized, or whose attributes lie, while the engine uses them.

The long table is in trust/safety; here are the messages, and the results where the call
is right.
"""

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine.memory import aligned_zeros

X = np.linspace(0, 1, 24, dtype="f4").reshape(8, 3)
Y = np.linspace(0, 1, 16, dtype="f4").reshape(8, 2)
QUIET = {"epochs": 2, "batch_size": 4, "progress": False}
REFUSED = "cannot resize an array"


def network(**settings):
    return bp.Network([3, 4, 2], **{"rng": 0} | settings)


@pytest.mark.parametrize("which", ["callbacks", "batch_callbacks"])
def test_a_callback_cannot_resize_the_data(which):
    X_, Y_ = X.copy(), Y.copy()

    def callback(*_):
        X_.resize((1, 3), refcheck=False)

    with pytest.raises(ValueError, match=REFUSED):
        network().fit(X_, Y_, **QUIET, **{which: [callback]})
    X_.resize((1, 3), refcheck=False)  # now it can


def test_nor_the_owner_of_a_view():
    owner = np.concatenate([X, X])

    def loss(a, y):
        owner.resize((1, 3), refcheck=False)

    with pytest.raises(ValueError, match=REFUSED):
        network(loss=loss).train_step(owner[:8], Y)


def test_a_loss_that_resizes_what_is_not_pinned():
    """As the engine's own check finds it: X goes past the Batch."""
    X_, learner = X.copy(), network(loss=lambda a, y: shrink()).learner

    def shrink():
        X_.resize((1, 3), refcheck=False)
        return np.zeros(8), np.zeros((8, 2))

    with pytest.raises(ValueError, match=r"X must|y must|X, y and sample_weight"):
        learner.engine.train_step(X_, Y, None)


def test_values_of_a_loss_of_another_size(monkeypatch):
    net = network(loss=lambda a, y: ((a - y) ** 2, a))
    monkeypatch.setattr(
        bp.losses.CustomLoss, "weighted", lambda *_: (np.zeros(3), np.zeros((8, 2)))
    )
    with pytest.raises(ValueError, match=r"values of the loss must be .* 8 numbers"):
        net.train_step(X, Y)


@pytest.mark.parametrize("array", ["parameters", "moments", "counters"])
def test_nobody_resizes_the_state(array):
    net = network(norm="batch")
    owner = getattr(net.learner.state, array)
    while isinstance(owner, np.ndarray):
        with pytest.raises(ValueError, match="resize"):
            owner.resize(1, refcheck=False)
        owner = owner.base


def test_aligned_zeros_are_zeros_on_a_cache_line():
    for size in (0, 1, 100, 1 << 16, 1 << 20):
        for dtype in ("f4", "f8", "u1"):
            array = aligned_zeros(size, dtype, at=128)
            assert array.shape == (size,) and array.dtype == dtype
            assert not array.any() and array.flags.writeable
            assert array.ctypes.data % 64 == 0
            if array.nbytes >= 1 << 18:
                assert array.ctypes.data % 4096 == 128
    with pytest.raises(MemoryError):
        aligned_zeros(1 << 60, "u1")


def test_the_state_may_have_other_arrays():
    """The engine goes on with those that it was given, which it keeps."""
    net, twin = network(), network()
    net.learner.state.parameters = np.zeros(1, "f4")
    assert np.array_equal(net.predict(X), twin.predict(X))


class Lying(np.ndarray):
    shape = property(lambda self: (8, 2))


def test_out_of_a_subclass():
    class Plain(np.ndarray):
        pass

    net, out = network(), np.zeros((8, 2), "f4").view(Plain)
    assert net.predict(X, out=out) is out
    assert np.array_equal(np.asarray(out), net.predict(X))
    with pytest.raises(ValueError, match=r"out must have shape \(8, 2\).*got \(1, 1\)"):
        net.predict(X, out=np.zeros((1, 1), "f4").view(Lying))


def test_a_number_that_replaces_the_optimizer():
    net = bp.Network([3, 4, 1], optimizer=bp.SGD(0.0), rng=0)

    class Meddling(np.float32):
        def __float__(self):
            net.optimizer = bp.AMSGrad()
            return 0.5

    twin = bp.Network([3, 4, 1], optimizer=bp.AMSGrad(), rng=0)
    assert net.learn_one(X[0], Meddling(0)) == twin.learn_one(X[0], 0.5)
    assert np.array_equal(net.parameters, twin.parameters)


def test_a_loss_that_claims_to_take_labels():
    class Labelled(bp.Huber):
        labels = True

    with pytest.raises(ValueError, match="y must be a C-contiguous array"):
        network(loss=Labelled()).train_step(X, np.zeros(8, int))
