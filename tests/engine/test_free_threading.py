"""Python without a global lock: using one network in two threads is an error.

All but the first test hold with the lock too.
"""

import subprocess
import sys
import sysconfig
import threading

import numpy as np
import pytest

import bpcore as bp

FREE = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 3)).astype("float32")
LABELS = RNG.integers(2, size=32)
THREADS, CALLS = 4, 2000


def make(**settings):
    settings = {"optimizer": bp.SGD(0.01, momentum=0.9), "rng": 0, **settings}
    return bp.Network([3, 8, 2], loss="cross_entropy", n_threads=1, **settings)


@pytest.mark.skipif(not FREE, reason="needs a free-threaded interpreter")
def test_no_module_turns_the_lock_on():
    code = (
        "import sys, bpcore as bp, bpcore.graph, bpcore.tracing\n"
        "assert bp.Network([2, 3, 1]).predict([1.0, 2.0]).shape == (1,)\n"
        "assert not sys._is_gil_enabled()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def in_threads(work):
    """Call work(i) on THREADS threads that begin at once; what each returns."""
    start, results = threading.Barrier(THREADS), [None] * THREADS

    def run(i):
        start.wait()
        results[i] = work(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def calls(function):
    """The number of calls that were not refused; other errors are raised."""
    done = 0
    for _ in range(CALLS):
        try:
            function()
        except RuntimeError as error:
            assert "in use by another thread" in str(error)
        else:
            done += 1
    return done


STEPS = {
    "train_step": lambda net: net.train_step(X, LABELS),
    "train_step, converted": lambda net: net.train_step(X.astype("d"), LABELS),
    "learn_one": lambda net: net.learn_one(X[0], 1),
    "gradients that wait": lambda net: net.learner.engine.run(
        X, LABELS, None, None, 8, 0, 0.0, 0.0, 0, True, None
    ),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_steps_of_one_network_in_many_threads(step):
    """The steps that are not refused give the bits of as many steps of one thread."""
    net, alone = make(), make()
    if step is STEPS["gradients that wait"]:
        for each in (net, alone):
            each.learner.engine.accumulate = 3
    made = sum(in_threads(lambda _: calls(lambda: step(net))))
    assert 0 < made <= THREADS * CALLS
    for _ in range(made):
        step(alone)
    assert net.learner.state.seen == alone.learner.state.seen
    assert net.parameters.tobytes() == alone.parameters.tobytes()


def test_steps_and_predictions_of_one_network():
    """A prediction is refused, or is that of a network between two steps."""
    net, outputs = make(optimizer=bp.SGD(0.0)), []
    expected = {net.predict(X[:n]).tobytes() for n in (1, 7, 32)}

    def use(i):
        if i == 0:
            return calls(lambda: net.learn_one(X[0], 1))
        n = (1, 7, 32)[i - 1]
        return calls(lambda: outputs.append(net.predict(X[:n]).tobytes()))

    assert sum(in_threads(use)) > 0
    assert set(outputs) <= expected


def test_a_network_that_has_no_workspace_yet():
    """Several threads would allocate it at the same time."""
    for seed in range(50):
        net = make(rng=seed)
        expected = make(rng=seed).predict(X)
        found = []

        def use(_, net=net, found=found):
            try:
                found.append(net.predict(X))
            except RuntimeError as error:
                assert "in use by another thread" in str(error)

        in_threads(use)
        assert found and all(np.array_equal(a, expected) for a in found)


def test_reading_settings_while_they_are_assigned():
    """Readers take no lock: each reads the settings before or after an assignment."""
    net = make()
    optimizers = [bp.SGD(0.01 * (i + 1), momentum=0.9) for i in range(4)]
    net.optimizer = optimizers[0]

    def use(i):
        if i == 0:
            for k in range(CALLS):
                net.optimizer = optimizers[k % 4]
                net.frozen = [k % 2 == 0, False]
            return True
        rates = {optimizer.lr for optimizer in optimizers}
        return all(
            net.lr in rates
            and net.optimizer in optimizers
            and net.frozen in ((True, False), (False, False))
            and net.parameters.size == net.learner.state.parameters.size
            for _ in range(CALLS)
        )

    assert all(in_threads(use))


def test_a_network_for_each_thread():
    def train(seed):
        net = make(rng=seed, dropout=0.2)
        for _ in range(200):
            net.train_step(X, LABELS)
        net.fit(X, LABELS, epochs=20, batch_size=8, accumulate=3, progress=False)
        return net.parameters.tobytes() + net.predict(X).tobytes()

    assert in_threads(train) == [train(seed) for seed in range(THREADS)]


ERRORS = {
    "train_step": lambda net: net.train_step(X, LABELS + 5),
    "predict": lambda net: net.predict(X * np.nan),
    "learn_one": lambda net: net.learn_one(X[0] * np.inf, 1),
    "fit": lambda net: net.fit(X, LABELS, callbacks=[lambda *_: 1 / 0], progress=False),
}


@pytest.mark.parametrize("name", ERRORS)
def test_the_lock_is_free_after_any_error(name):
    net = make()
    with pytest.raises((ValueError, ZeroDivisionError)):
        ERRORS[name](net)
    in_another_thread = threading.Thread(target=net.predict, args=(X,))
    in_another_thread.start()
    in_another_thread.join()
    assert len(net.predict(X)) == len(X)
