"""Reading the state of a network beside other threads: whole, or InUseError."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from bpcore.errors import InUseError
from bpcore.network import learner_of

X, Y = np.ones((4, 3), "f4"), np.ones((4, 2), "f4")


def network():
    return bp.Network([3, 4, 2], rng=0, optimizer=bp.SGD(0.1, momentum=0.9))


def elsewhere(call):
    """The result of a call in another thread, or its error."""
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(call)
        return found.exception() or found.result()


READERS = {
    "predict": lambda net: net.predict(X),
    "predict one": lambda net: net.predict_one(X[0]),
    "predict a list": lambda net: net.predict(X.tolist()),
    "evaluate": lambda net: net.evaluate(X, Y),
    "gradients": lambda net: net.gradients(X, Y),
    "forward": lambda net: net.forward(X),
    "save": lambda net: net.astype("float64"),
}
CHANGES = {
    "step": lambda net: net.train_step(X, Y),
    "step of a list": lambda net: net.train_step(X.tolist(), Y.tolist()),
    "learn_one": lambda net: net.learn_one(X[0], Y[0]),
    "fit": lambda net: net.fit(X, Y, epochs=1, progress=False),
    "apply": lambda net: net.apply(net.gradients(X, Y)),
    "optimizer": lambda net: setattr(net, "optimizer", bp.SGD(0.2)),
    "frozen": lambda net: setattr(net, "frozen", [True, False]),
    "lr_factors": lambda net: setattr(net, "lr_factors", [0.5, 1.0]),
}


@pytest.mark.parametrize("name", READERS)
def test_reading_beside_a_reader(name):
    net = network()
    learner, found = learner_of(net), []
    with learner.engine.reading():
        READERS[name](net)
        found.append(elsewhere(learner.copy))
    assert np.array_equal(found[0].state.parameters, net.parameters)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_while_another_thread_reads(name):
    """What was read is refused, whether the change has ended or not."""
    net = network()
    engine = learner_of(net).engine

    def read():
        return elsewhere(lambda: CHANGES[name](net))

    with pytest.raises(InUseError):
        engine.read_whole(read)
    with engine.reading():
        CHANGES[name](net)
        assert isinstance(elsewhere(learner_of(net).copy), InUseError)
    assert engine.read_whole(lambda: 3) == 3


@pytest.mark.parametrize("name", READERS)
def test_a_reader_while_another_thread_reads(name):
    net = network()

    def read():
        found = elsewhere(lambda: READERS[name](net))
        assert not isinstance(found, InUseError)
        return 3

    assert learner_of(net).engine.read_whole(read) == 3


def test_the_owner_reads_what_it_changes():
    learner = learner_of(network())
    with learner.engine:
        learner.step(bp.batches.batch.Batch(X, Y, None))
        assert np.array_equal(learner.copy().state.parameters, learner.state.parameters)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_of_a_fork_within_a_change_reads():
    learner = learner_of(network())

    def child():
        pid = os.fork()
        if not pid:
            status = 1
            try:
                status = int(learner.copy().state.steps != 0)
            finally:
                os._exit(status)
        return os.waitpid(pid, 0)[1]

    with learner.engine:
        assert elsewhere(child) == 0


@pytest.mark.parametrize("context", [lambda engine: engine, lambda e: e.reading()])
def test_an_exit_without_an_entry_changes_nothing(context):
    net = network()
    held = context(learner_of(net).engine)
    for _ in range(2):
        held.__exit__(None, None, None)
        with held:
            CHANGES["step"](net)
    assert not isinstance(elsewhere(lambda: net.predict(X)), InUseError)


def test_nothing_but_an_engine_is_read():
    reading = type(learner_of(network()).engine.reading())
    for other in (None, 5):
        with pytest.raises(TypeError):
            reading(other)
