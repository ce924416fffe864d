"""A child of a fork: its networks and threads work, whatever other threads did."""

import os
import threading
import time

import numpy as np
import pytest

import bpcore as bp
from bpcore.errors import InUseError
from helpers.pause import Pause
from trust.children.forked import Child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

X = np.linspace(-1, 1, 3000, dtype="float32").reshape(100, 30)
Y = np.ascontiguousarray(X[:, :2])


def squared(a, y):
    return ((a - y) ** 2).sum(1) / 2, a - y


def predictions_of_a_thread(net):
    """Those of a new thread, which may have the number of one that is gone."""
    found = []
    thread = threading.Thread(target=lambda: found.append(net.predict(X)))
    thread.start()
    thread.join()
    return found[0].tobytes()


def test_a_network_in_the_loss_of_another_thread_is_free_in_the_child():
    pause = Pause()

    def loss(a, y):
        if threading.current_thread() is not threading.main_thread():
            pause.wait()
        return squared(a, y)

    net = bp.Network([30, 8, 2], loss=loss, rng=0)
    outputs = net.predict(X).tobytes()

    def work():
        assert predictions_of_a_thread(net) == net.predict(X).tobytes() == outputs
        assert np.isfinite(net.train_step(X, Y))
        return b"trained"

    assert pause.during(lambda: net.train_step(X, Y), work) == (b"trained", None)


def test_settings_of_a_fit_of_another_thread_end_with_it():
    pause = Pause()
    net = bp.Network([30, 8, 2], rng=0)

    def fit():
        net.fit(
            X,
            Y,
            epochs=1,
            accumulate=3,
            batch_size=32,
            progress=False,
            batch_callbacks=[lambda *_: pause.wait()],
        )

    def work():
        assert net.predict(X).tobytes() == predictions_of_a_thread(net)
        assert net.learner.accumulate == 1
        net.fit(X, Y, epochs=1, progress=False)
        return b"trained"

    assert pause.during(fit, work) == (b"trained", None)


def test_random_numbers_that_another_thread_draws():
    pause = Pause()
    net = bp.Network([30, 8, 2], rng=0)

    def draw():
        with net.learner.engine, net.learner.state.bits.lock:
            pause.wait()

    def work():
        net.fit(X, Y, epochs=2, patience=5, progress=False)
        return net.parameters.tobytes()

    found, fault = pause.during(draw, work)
    net.fit(X, Y, epochs=2, patience=5, progress=False)
    assert (found, fault) == (net.parameters.tobytes(), None)


def test_a_fit_that_forked_keeps_its_network_in_the_child():
    net = bp.Network([30, 8, 2], rng=0)

    def use_in_a_thread():
        found = []

        def use():
            try:
                net.predict(X)
            except InUseError:
                found.append("in use")

        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        return found

    def callback(net, history):
        child = Child(20)
        if child.here:
            child.end(lambda: " ".join(use_in_a_thread() + use_in_a_thread()).encode())
        assert child.result() == (b"in use in use", None)

    net.fit(X, Y, epochs=1, callbacks=[callback], progress=False)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_step_whose_loss_forked_goes_on_in_the_child(n_threads):
    children = []

    def loss(a, y):
        if len(children) == 1:
            children.append(Child(20))
        return squared(a, y)

    net = bp.Network([30, 64, 2], loss=loss, rng=0, n_threads=n_threads)
    net.learner.engine.use_threads(n_threads, 1)
    net.train_step(X, Y)
    children.append(None)
    losses = [net.train_step(X, Y) for _ in range(3)]
    ended = str(losses).encode() + net.parameters.tobytes()
    if children[1].here:
        children[1].end(lambda: ended)
    assert children[1].result() == (ended, None)


def count_threads():
    """The threads of this process."""
    return len(os.listdir("/proc/self/task"))


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="Linux only")
def test_an_idle_team_ends_before_a_fork_and_starts_again():
    """Python 3.12 and later warn of a fork while there are other threads."""
    X = np.random.default_rng(0).random((64, 500), dtype="float32")
    net, alone = (
        bp.Network([500, 500, 400], rng=0, n_threads=n_threads) for n_threads in (3, 1)
    )

    def work():
        return net.predict(X).tobytes()

    assert in_a_child(work) == work()  # it also ends the threads of BLAS
    before = most = threads_left(0)
    for _ in range(3):
        for _ in range(70):  # the team may rest for 64 tasks, on a busy machine
            assert net.train_step(X, X[:, :400]) == alone.train_step(X, X[:, :400])
            most = max(most, count_threads())
        assert in_a_child(work) == alone.predict(X).tobytes()
        assert threads_left(before) == before
    assert most > before


def in_a_child(work):
    """The bytes of a function that a child calls."""
    child = Child(20)
    if child.here:
        child.end(work)
    found, fault = child.result()
    assert fault is None
    return found


def threads_left(count):
    """The threads of this process, once the system has counted those that ended."""
    for _ in range(300):
        if count_threads() <= count:
            break
        time.sleep(0.001)
    return count_threads()
