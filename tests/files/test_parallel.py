"""Jobs that several threads share."""

import threading

import pytest

from bpcore.files.native import parallel


@pytest.mark.parametrize("cores", [1, 2, 3, 9])
@pytest.mark.parametrize("jobs", [0, 1, 2, 1000])
def test_each_job_is_done_once(jobs, cores, monkeypatch):
    monkeypatch.setattr(parallel, "automatic", lambda: cores)
    done = list[int]()
    parallel.in_threads(done.append, range(jobs), most=jobs)
    assert sorted(done) == [*range(jobs)]


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyboardInterrupt])
@pytest.mark.parametrize("place", [0, 500, 999])
def test_an_error_ends_all(place, error, monkeypatch):
    monkeypatch.setattr(parallel, "automatic", lambda: 2)
    before, done = threading.active_count(), list[int]()

    def work(job):
        if job == place:
            raise error("mine")
        done.append(job)

    with pytest.raises(error, match="mine"):
        parallel.in_threads(work, range(1000), most=2)
    assert threading.active_count() == before and len(done) < 1000
