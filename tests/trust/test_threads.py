"""Short form of the campaign on threads."""

import pytest

from trust.concurrency import ending, limits, many_networks, one_network, work


@pytest.mark.parametrize("loss", [None, work.squared])
def test_one_network_in_threads(loss):
    steps, _, fault = one_network.fault_of(0.3, 3, 0, loss)
    assert fault is None
    assert steps


def test_many_networks_in_threads():
    names = ("fit", "fit, custom loss", "learn_one", "train_step, large")
    assert [*many_networks.rounds(0, 4, names)] == [None]


@pytest.mark.parametrize(
    "name", ["fit, custom loss", "train_step, large", "fit, Checkpoint"]
)
def test_a_program_that_ends_while_daemon_threads_train(name):
    assert ending.fault_of(name, 0) is None


def test_limits(tmp_path):
    assert limits.simulated_group(tmp_path) is None


def test_threadpoolctl():
    pytest.importorskip("threadpoolctl", "3.3")
    assert limits.threadpoolctl() is None
