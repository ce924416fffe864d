"""What another thread would put into a network in use is refused, with no change."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from bpcore.errors import InUseError
from bpcore.network import learner_of
from helpers import everything

X, Y = np.ones((4, 3), "f4"), np.ones((4, 2), "f4")


class Slotted(bp.Network):
    __slots__ = ("extra",)


def network(kind=bp.Network):
    net = kind([3, 4, 2], norm="batch", rng=0, optimizer=bp.SGD(0.1, momentum=0.9))
    net.note = "before"
    return net


def other():
    """The state of another network."""
    net = bp.Network([3, 4, 2], norm="batch", rng=1)
    net.note = "after"
    return net.__getstate__()


def of_other():
    return learner_of(bp.Network([3, 4, 2], norm="batch", rng=1)).state


WAYS = {
    "setstate": lambda net, path: net.__setstate__(other()),
    "init": lambda net, path: net.__init__([3, 4, 2], norm="batch", rng=1),
    "optimizer": lambda net, path: setattr(net, "optimizer", bp.Adam()),
    "same optimizer": lambda net, path: setattr(net, "optimizer", bp.SGD(0.2)),
    "frozen": lambda net, path: setattr(net, "frozen", [True, False]),
    "lr_factors": lambda net, path: setattr(net, "lr_factors", [0.5, 1.0]),
    "n_threads": lambda net, path: setattr(net, "n_threads", 1),
    "fit": lambda net, path: net.fit(X, Y, epochs=1, progress=False),
    "resume": lambda net, path: net.fit(X, Y, epochs=3, progress=False, resume=path),
    "partial_fit": lambda net, path: net.partial_fit(X, Y),
    "train_step": lambda net, path: net.train_step(X, Y),
    "apply": lambda net, path: net.apply(given_gradients()),
    "become": lambda net, path: learner_of(net).become(of_other()),
    "use": lambda net, path: learner_of(net).use(
        learner_of(net).with_own_arrays(of_other())
    ),
    "skip": lambda net, path: learner_of(net).skip(),
    "accumulate": lambda net, path: learner_of(net).accumulate_over(3),
    "single thread": lambda net, path: learner_of(net).single_thread().__enter__(),
    "lr": lambda net, path: setattr(learner_of(net).engine, "lr", 3.0),
}


def given_gradients():
    return network().gradients(X, Y)


def settings(net):
    engine = learner_of(net).engine
    return engine.lr, engine.accumulate, engine.n_threads, vars(net).copy()


@pytest.mark.parametrize("kind", [bp.Network, Slotted])
@pytest.mark.parametrize("way", WAYS)
def test_a_network_that_another_thread_uses_stays_as_it_is(tmp_path, way, kind):
    net, path = network(kind), tmp_path / "fit.bpc"
    twin = copy.copy(net)
    twin.fit(X, Y, epochs=2, progress=False, callbacks=[bp.Checkpoint(path)])
    before, set_before = everything(net), settings(net)
    with learner_of(net).engine, ThreadPoolExecutor(1) as pool:
        found = pool.submit(WAYS[way], net, path)
        assert isinstance(found.exception(), InUseError)
    assert everything(net) == before and settings(net) == set_before
    WAYS[way](net, path)


def test_a_state_with_slots_is_refused_before_they_are_set():
    net, given = network(Slotted), network(Slotted)
    net.extra, given.extra = 1, 2
    stored = given.__getstate__()
    with learner_of(net).engine, ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(net.__setstate__, stored).exception(), InUseError)
    assert net.extra == 1
    net.__setstate__(stored)
    assert net.extra == 2


def test_a_callback_may_put_a_state_into_its_network():
    """It is the thread that uses it; the fit goes on with what it has."""
    net, stored = network(), other()
    net.fit(
        X,
        Y,
        epochs=1,
        progress=False,
        callbacks=[lambda net, _: net.__setstate__(stored)],
    )
    assert net.note == "after"
