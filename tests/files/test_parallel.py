"""Jobs that several threads share."""

import signal
import time

import numpy as np
import pytest

from bpcore.files.native import parallel
from trust.changes.interrupting import by_timer
from trust.running import none_left, running


@pytest.mark.parametrize("cores", [1, 2, 3, 9])
@pytest.mark.parametrize("jobs", [0, 1, 2, 1000])
def test_each_job_is_done_once(jobs, cores, monkeypatch):
    monkeypatch.setattr(parallel, "usable", lambda: cores)
    done = list[int]()
    parallel.for_each(done.append, range(jobs), most=jobs)
    assert sorted(done) == [*range(jobs)]


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyboardInterrupt])
@pytest.mark.parametrize("place", [0, 500, 999])
def test_an_error_ends_all(place, error, monkeypatch):
    monkeypatch.setattr(parallel, "usable", lambda: 2)
    before, done = running(), list[int]()

    def work(job):
        if job == place:
            raise error("mine")
        done.append(job)

    with pytest.raises(error, match="mine"):
        parallel.for_each(work, range(1000), most=2)
    assert none_left(before) and len(done) < 1000


def test_an_array_that_is_there_is_given_at_once(monkeypatch):
    later = parallel.Later(lambda: np.ones(2), (2,), np.dtype(float))
    later.begin()
    later.array()
    monkeypatch.setattr("bpcore.workers.SLICE", 1e6)  # nobody waits so long
    for _ in range(3):
        later.join()
        np.testing.assert_array_equal(later.array(), [1.0, 1.0])


# A signal that another thread gets late finds the handler of before: Python says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_an_interrupt_while_a_thread_starts_leaves_none():
    before, ended = running(), []
    for seconds in np.random.default_rng(0).uniform(0, 2e-4, 500):
        later = parallel.Later(lambda: time.sleep(1e-3), (2,), np.dtype(float))
        ended.append(by_timer(later.begin, seconds=seconds))
        later.join()
        assert none_left(before, 0.1)
    assert any(ended)
