"""Two hosts: the same bits through a slow network, and a network that breaks."""

import contextlib
import json
import threading
import time

import pytest
from bench.hosts import Hosts
from bench.mpiexec import is_open_mpi

from helpers.processes import EVERYTHING, launcher, run
from helpers.sharded import CASES

pytestmark = pytest.mark.skipif(not EVERYTHING, reason="make test-mpi runs it")
NAMES = ("SGD 5", "Adam 12", "noise", "resumed")


@pytest.fixture
def hosts(tmp_path):
    launcher(2)
    if is_open_mpi():
        pytest.skip("the options for hosts are MPICH's")
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(Hosts(tmp_path))
        except OSError as error:
            pytest.skip(str(error))
        yield found


@pytest.mark.parametrize("count", [2, 4])
def test_same_bits_through_a_slow_network(hosts, count):
    hosts.slow("200mbit")
    options = hosts.options(count)
    found = run(count, "sharded.py", *NAMES, options=options)
    assert found.returncode == 0, found.stderr
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert dict(lines) == {name: CASES[name]() for name in NAMES}


def test_a_host_that_disappears(hosts):
    timer = threading.Timer(6, hosts.within, (2, "ip link set eth0 down"))
    timer.start()
    found = run(4, "bad_processes.py", "run", options=hosts.options(4))
    timer.join()
    end = time.monotonic() + 30
    while left := [each for each in hosts.processes(2).values() if "python" in each]:
        assert time.monotonic() < end, left  # though mpiexec cannot reach them
        time.sleep(0.2)
    assert found.returncode != 0
    said = [line for line in found.stdout.splitlines() if line[:7] == "process"]
    lost = [line for line in said if "ProcessError" in line]
    assert lost and all("lost: silent for 5 seconds" in line for line in lost)
