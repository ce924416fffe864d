"""Work in several threads, of which some cannot start, have no memory or are ended."""

import signal
import sys
import threading
from functools import partial

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.native.parallel import Later
from bpcore.workers import Worker, in_threads
from trust.changes.interrupting import by_timer
from trust.running import none_left, running

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)


@pytest.fixture
def failing(monkeypatch):
    """Let threads fail, by number: "start" raises, or "run" has no memory to begin."""

    def fail(how, numbers):
        started = []

        def start(call, arguments):
            number = len(started)
            started.append(number)
            if number in numbers:
                if how == "start":
                    del call  # the frame of the error would keep it
                    raise RuntimeError("can't start new thread")
                return
            start_new_thread(call, arguments)

        monkeypatch.setattr("bpcore.workers.start_new_thread", start)

    from bpcore.workers import start_new_thread

    return fail


@pytest.mark.parametrize("how", ["start", "run"])
@pytest.mark.parametrize("numbers", [(1,), (1, 2)])
def test_the_other_threads_do_all_work(failing, how, numbers):
    failing(how, numbers)
    jobs, done, stop = iter(range(100)), [], threading.Event()
    in_threads(lambda: done.extend(jobs), 3, stop)
    assert done == [*range(100)]
    assert stop.is_set()


def test_a_later_thread_works_when_the_first_has_no_memory(failing):
    failing("run", [0])
    jobs, done = iter(range(100)), []
    in_threads(lambda: done.extend(jobs), 2, threading.Event())
    assert done == [*range(100)]


def test_no_thread_can_start(failing):
    failing("start", [0])
    with pytest.raises(RuntimeError, match="can't start new thread"):
        in_threads(lambda: None, 2, threading.Event())


def test_the_first_error_of_the_work_is_raised_when_all_have_ended():
    ended = []

    def work():
        ended.append(threading.get_ident())
        raise OSError(len(ended))

    with pytest.raises(OSError, match=r"^[12]$"):
        in_threads(work, 2, threading.Event())
    assert len(ended) == 2


def test_a_worker_has_ended_before_it_begins_and_after_it_ends():
    go, worker = threading.Event(), Worker(lambda: go.wait(10))
    assert worker.ended(0)
    worker.start()
    assert not worker.ended(0.01)
    go.set()
    worker.wait()
    assert worker.ended(0.1) and worker.ended(0.1)
    assert worker.error is None


def test_a_worker_uses_the_errstate_of_its_caller():
    found = []
    with np.errstate(divide="raise", over="ignore"):
        worker = Worker(lambda: found.append(np.geterr()))
        worker.start()
    worker.wait()
    assert found[0]["divide"] == "raise" and found[0]["over"] == "ignore"


# A signal that another thread gets late finds the handler of before: Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_an_interrupt_at_any_moment_is_raised_and_leaves_no_thread():
    before = running()
    rng, ended, usual = np.random.default_rng(0), [], sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for seconds in rng.uniform(0, 1e-3, 300):
            began, stop = [], threading.Event()

            def work(began=began, stop=stop):
                began.append(None)
                try:
                    stop.wait(0.002)
                finally:
                    began.pop()

            call = partial(in_threads, work, 2, stop)
            ended.append(by_timer(call, seconds=seconds))
            assert not began
    finally:
        sys.setswitchinterval(usual)
    assert any(ended)
    assert none_left(before)


def test_fit_many_without_memory_for_any_thread(failing):
    nets = [bp.Network([3, 2], rng=seed) for seed in range(4)]
    before = [net.parameters.copy() for net in nets]
    failing("run", range(4))
    with pytest.raises(MemoryError, match="0 of 4 networks are trained"):
        bp.fit_many(nets, X, X[:, :2], epochs=1, n_threads=2)
    for net, parameters in zip(nets, before, strict=True):
        np.testing.assert_array_equal(net.parameters, parameters)


def test_fit_many_with_fewer_threads_than_wanted(failing):
    failing("start", [1])
    nets = [bp.Network([3, 2], rng=seed) for seed in range(4)]
    fitted = bp.fit_many(nets, X, X[:, :2], epochs=1, n_threads=2)
    assert [len(each.history) for each in fitted] == [1] * 4


@pytest.mark.parametrize("how", ["start", "run"])
def test_an_array_of_a_file_is_computed_by_the_caller_without_a_thread(failing, how):
    failing(how, [0])
    later = Later(lambda: np.ones(2), (2,), np.dtype(float))
    later.begin()
    np.testing.assert_array_equal(later.array(), [1.0, 1.0])
