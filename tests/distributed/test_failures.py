"""Processes that differ, fail, or are lost: all raise, none waits for ever."""

import os

import pytest

from helpers.processes import EVERYTHING, run

#: What each case says in the processes 0 to 2, and which type of error.
COMMON = {
    "batch_size": "batch_size: process 0 has 8, process 2 9",
    "shards": "same shards: process 0 has 24, process 2 12",
    "shards and processes": "shards must be a multiple of the 3 processes; got 7",
    "dtype": "dtype: process 0 has float32, process 2 float64",
    "seed": "give Network the same rng in every process",
    "optimizer": "optimizer: process 0 has SGD(lr=0.2), process 2 SGD(lr=0.1)",
    "loss": "all processes must have the same activations",
    "validation": "validation: process 0 has data, process 2 None",
    "validation data": "all processes must have the same validation data",
    "own rows only": "the same X: process 0 has 60 rows",
    "data of many": "same checksum of the data in float32: process 0 has",
    "isa": "fused multiply-add: process 0 has True, process 2 False",
}
LOST = {
    "kill": "process 2 was lost: it has ended",
    "kill_first": "process 0 was lost: it has ended",
    "stall": "process 2 was lost: silent for 2 seconds",
    "raise_in_step": "process 2 failed: OverflowError: too much",
    "raise_in_callback": "process 0 failed: LookupError: in the callback",
    "diverges in callback": "process 0 failed: DivergenceError: in the callback",
}
ONE_OF_THREE = {
    "load": ("KeyError", "process 2 failed: KeyError: 'no such shard'"),
    "rows": ("ValueError", "process 2 failed: ValueError: shard 16: X must have"),
    "too few": ("ValueError", "X must yield the 8 shards of this process; got 7"),
    "too many": ("ValueError", "X must yield the 8 shards of this process; got more"),
    "width": ("ValueError", "shard 16: X must have shape (n, 5) with n at least 1"),
    "net": ("TypeError", "net must be a Network; got NoneType"),
    "timeout": ("ValueError", "timeout must be finite and above 0; got 0"),
    "many networks": ("ValueError", "X must have shape (n, 5) with n at least 1"),
    "NaN": ("ValueError", "shard 16: X must be finite in float32"),
}


def lines(name, **how):
    """What each process printed: type of the error, "in time", and the message."""
    found = run(3, "bad_processes.py", name, limit=60, **how)
    assert found.returncode != 0
    said = {}
    for line in found.stdout.splitlines():
        if line.startswith("process "):  # mpiexec too has something to say
            _, rank, kind, in_time, message = line.split(" ", 4)
            said[int(rank)] = kind, in_time, message
    return said


def table(cases, short):
    """The names of the cases; in the short form only some."""
    return pytest.mark.parametrize("name", [*cases] if EVERYTHING else short)


@table(COMMON, ["seed", "own rows only", "isa"])
def test_processes_that_differ_are_refused(name):
    said = lines(name)
    assert {*said} == {0, 1, 2}
    for kind, in_time, message in said.values():
        assert (kind, in_time) == ("ValueError", "True") and COMMON[name] in message


@table(ONE_OF_THREE, ["load", "too few", "net"])
def test_an_error_at_the_start_is_raised_in_all(name):
    said, (kind, message) = lines(name), ONE_OF_THREE[name]
    own = said.pop(2)
    assert own[0] == kind and message.partition(f"{kind}: ")[2] in own[2]
    assert [said[rank][0] for rank in (0, 1)] == ["ProcessError"] * 2
    assert all(message in text for _, _, text in said.values())


@table(LOST, ["kill", "stall"])
@pytest.mark.parametrize("attempt", range(8 if EVERYTHING else 1))
def test_a_lost_process_ends_the_others(name, attempt):
    """mpiexec, which may end all after a kill, does not notice it here."""
    said = lines(name, unseen=True)
    others = [text for kind, _, text in said.values() if kind == "ProcessError"]
    assert others and all(LOST[name] in text for text in others)
    assert all(in_time == "True" for _, in_time, _ in said.values())


FORKS = """
import os
from bpcore import distributed
from bpcore.errors import ProcessError
from helpers.bad_processes import fit
from helpers.sharded import make

children = []

def fork(network, history):
    if len(history) == 1:  # process 0 calls it
        children.append(os.fork())

nets = [make(), make()]
try:
    for net, callbacks in zip(nets, ([], [fork])):
        fit(net, epochs=3, callbacks=callbacks)
except ProcessError as error:
    os.write(1, f"{error}\\n".encode())  # in one piece
    os._exit(len(children) - 1)
assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
for child in children:
    assert os.waitpid(child, 0)[1] == 0
os.write(1, b"trained\\n")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_process_leaves_its_fit_alone():
    found = run(2, "-c", FORKS, limit=60)
    assert found.returncode == 0, found.stderr
    said = sorted(found.stdout.splitlines())
    assert said[0].startswith("a child process by fork cannot go on with a fit")
    assert said[1:] == ["trained"] * 2
