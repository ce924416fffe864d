"""Work in several threads, of which some cannot start or have no memory."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.native.parallel import Later
from bpcore.workers import in_threads

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)


@pytest.fixture
def failing(monkeypatch):
    """Let threads fail, by number: "start" raises, or "run" has no memory."""

    def fail(method, numbers, error):
        names = {f"bpcore_{number}" for number in numbers}
        started = threading.Thread.start

        def start(thread):
            if thread.name in names:
                raise type(error)(*error.args)
            started(thread)

        def run(work, *arguments):
            if threading.current_thread().name in names:
                raise type(error)(*error.args)
            work(*arguments)

        if method == "start":
            monkeypatch.setattr(threading.Thread, "start", start)
        else:
            context = SimpleNamespace(copy_context=lambda: SimpleNamespace(run=run))
            monkeypatch.setattr("bpcore.workers.contextvars", context)
            monkeypatch.setattr(threading, "excepthook", lambda arguments: None)

    return fail


METHODS = {"start": RuntimeError("can't start new thread"), "run": MemoryError()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("numbers", [(1,), (1, 2)])
def test_the_other_threads_do_all_work(failing, method, numbers):
    failing(method, numbers, METHODS[method])
    jobs, done, stop = iter(range(100)), [], threading.Event()
    in_threads(lambda: done.extend(jobs), 3, stop)
    assert done == [*range(100)]
    assert stop.is_set()


def test_a_later_thread_works_when_the_first_has_no_memory(failing):
    failing("run", [0], MemoryError())
    jobs, done = iter(range(100)), []
    in_threads(lambda: done.extend(jobs), 2, threading.Event())
    assert done == [*range(100)]


def test_no_thread_can_start(failing):
    failing("start", [0], METHODS["start"])
    with pytest.raises(RuntimeError, match="can't start new thread"):
        in_threads(lambda: None, 2, threading.Event())


def test_the_first_error_of_the_work_is_raised_when_all_have_ended():
    ended = []

    def work():
        ended.append(threading.current_thread().name)
        raise OSError(len(ended))

    with pytest.raises(OSError, match=r"^[12]$"):
        in_threads(work, 2, threading.Event())
    assert sorted(ended) == ["bpcore_0", "bpcore_1"]


def test_fit_many_without_memory_for_any_thread(failing):
    nets = [bp.Network([3, 2], rng=seed) for seed in range(4)]
    before = [net.parameters.copy() for net in nets]
    failing("run", range(4), MemoryError())
    with pytest.raises(MemoryError, match="0 of 4 networks are trained"):
        bp.fit_many(nets, X, X[:, :2], epochs=1, n_threads=2)
    for net, parameters in zip(nets, before, strict=True):
        np.testing.assert_array_equal(net.parameters, parameters)


def test_fit_many_with_fewer_threads_than_wanted(failing):
    failing("start", [1], METHODS["start"])
    nets = [bp.Network([3, 2], rng=seed) for seed in range(4)]
    fitted = bp.fit_many(nets, X, X[:, :2], epochs=1, n_threads=2)
    assert [len(each.history) for each in fitted] == [1] * 4


def test_an_array_of_a_file_is_computed_by_the_caller_without_a_thread(monkeypatch):
    later = Later(lambda: np.ones(2), (2,), np.dtype(float))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "run", lambda thread: None)
        later.begin()
        later.join()
    np.testing.assert_array_equal(later.array(), [1.0, 1.0])
