"""Short form of the campaign on processes."""

import os

import pytest

from trust import processes
from trust.concurrency import forks, pools, subinterpreters

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

#: Kinds of calls that differ in what a fork may find.
CALLS = ("fit", "fit, accumulate", "fit, custom loss", "train_step, large", "predict")


@pytest.mark.parametrize("name", CALLS)
def test_forks_while_another_thread_calls(name):
    for count in processes.forks_of_calls(2, 0, [name]):
        assert (count.tried, count.failed) == (2, 0)


@pytest.mark.parametrize("first", ["child", "parent"])
@pytest.mark.parametrize("place", forks.PLACES)
def test_forks_in_functions_of_the_user(place, first):
    assert forks.fork_inside(place, 2, first) is None


def test_networks_to_and_from_forked_processes():
    assert pools.fault_of("fork", 0) is None
    pools.close()


def test_other_interpreters():
    assert subinterpreters.fault() is None
