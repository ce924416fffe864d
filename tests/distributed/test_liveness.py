"""Signs of life over TCP: an error, a closed connection or silence reaches all."""

import os
import time
from functools import partial

import pytest

from bpcore.distributed import liveness
from bpcore.distributed.liveness import Liveness
from bpcore.errors import ProcessError
from trust.children.forked import Child


@pytest.fixture
def three():
    """Three processes, all in this one."""
    found = [Liveness(rank, 3, timeout=0.5) for rank in range(3)]
    address = found[0].listen([address_host()] * 3)
    for each in found:
        each.begin(address)
    while len(found[0].peers) < 2:
        time.sleep(0.001)
    yield found
    for each in found:
        each.close()


def address_host():
    import socket

    return socket.gethostname()


def failure_of(watched):
    """The failure that it notices, within ten seconds."""
    end = time.monotonic() + 10
    while watched.failure is None and time.monotonic() < end:
        time.sleep(0.01)
    return watched.failure


def test_as_long_as_all_live_nothing_is_raised(three):
    time.sleep(1.2)  # more than the timeout
    for each in three:
        each.require_all()


@pytest.mark.parametrize("rank", range(3))
def test_an_error_reaches_all_others(three, rank):
    three[rank].fail("KeyError: 'a'\nb")
    for each in three:
        if each.rank != rank:
            assert failure_of(each) == (rank, "failed: KeyError: 'a' b")
            with pytest.raises(ProcessError, match=f"process {rank} failed: KeyError"):
                each.require_all()
    assert three[rank].failure is None


@pytest.mark.parametrize("rank", range(3))
def test_a_closed_connection_reaches_all_others(three, rank):
    """As a killed process leaves it: closed, without leave taken."""
    three[rank].send_all = lambda line: None
    three[rank].close()
    for each in three:
        if each.rank != rank:
            assert failure_of(each)[0] == rank
            assert "was lost" in each.failure[1]
    three[rank].close = lambda: None


@pytest.mark.parametrize("rank", range(3))
def test_silence_reaches_all_others(three, rank):
    three[rank].send_all = lambda line: None
    for each in three:
        if each.rank != rank:
            assert failure_of(each) == (rank, "was lost: silent for 0.5 seconds")


def test_a_shorter_limit_counts_from_then_on_and_makes_signs_more_frequent(three):
    for each in three:
        each.limit_silence(30.0)
    time.sleep(0.7)  # their next signs of life are a second after the last
    for each in three:
        each.limit_silence(0.3)
    time.sleep(0.7)
    for each in three:
        each.require_all()
    three[2].send_all = lambda line: None
    assert failure_of(three[0]) == (2, "was lost: silent for 0.3 seconds")


def test_a_process_that_takes_leave_is_not_missed(three):
    three[2].close()
    time.sleep(1.2)
    for each in three[:2]:
        each.require_all()
    three[2].close = partial(int)


def test_nobody_waits_long_for_one_that_has_left(three, monkeypatch):
    monkeypatch.setattr(liveness, "LEFT", 0.2)
    three[0].close()
    time.sleep(0.5)
    for each in three[1:]:
        with pytest.raises(ProcessError, match="process 0 has left this fit"):
            each.require_all()
    three[0].close = partial(int)


def test_who_does_not_have_the_token_is_not_heard():
    first, stranger = Liveness(0, 2, 0.5), Liveness(1, 2, 0.5)
    address = first.listen([address_host()] * 2)
    first.begin(address)
    stranger.begin(address._replace(token="guessed"))
    assert failure_of(first) == (1, "was lost: silent for 0.5 seconds")
    stranger.close()
    first.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_connection_ends_with_its_process_whatever_children_that_has(three):
    child = Child(20)
    if child.here:
        time.sleep(1)
        child.end(lambda: b"")
    three[2].send_all = lambda line: None
    three[2].close()
    assert failure_of(three[0])[0] == 2
    assert "it has ended" in three[0].failure[1]
    three[2].close = lambda: None
    assert child.result() == (b"", None)
