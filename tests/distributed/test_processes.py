"""Several processes: the same bits as one, for every optimizer and option."""

import json

import pytest

from helpers.processes import EVERYTHING, HERE, run
from helpers.sharded import CASES, whole_of_resumed

#: Those that run on every number of processes in the short form too.
FEW = ("SGD 5", "SGD 6", "noise", "frozen", "some weights 0", "callback", "few rows")

#: What one process finds, by the name of the case.
ALONE = {}


def alone(name):
    """The digest of a case on one process, which is this one."""
    if name not in ALONE:
        ALONE[name] = json.loads(json.dumps(CASES[name]()))
    return ALONE[name]


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_same_bits_as_one_process(count):
    names = [*CASES] if EVERYTHING or count == 2 else FEW if count < 8 else FEW[:3]
    found = run(count, "sharded.py", *names, limit=300)
    assert found.returncode == 0, found.stderr
    digests = dict(json.loads(line) for line in found.stdout.splitlines())
    assert digests == {name: alone(name) for name in names}


def test_a_fit_that_goes_on_has_the_bits_of_one_that_never_stopped():
    assert alone("resumed") == whole_of_resumed()


def test_shards_have_the_same_bits_wherever_they_come_from():
    assert alone("function") == alone("iterable") == alone("weights")


def test_the_program_of_the_tests_is_there():
    assert (HERE / "sharded.py").is_file()
