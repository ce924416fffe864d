"""Python in a new process."""

from trust.children.programs import failure, python

PROGRAM = """
import os, sys
import trust
print(os.environ["NAME"], *sys.argv[1:])
sys.exit("on purpose" if sys.argv[1] == "bad" else 0)
"""


def test_a_program_has_its_arguments_and_variables():
    ended = python("-c", PROGRAM, "good", variables={"NAME": "value"})
    assert ended.stdout == "value good\n" and failure(ended) is None


def test_a_program_that_ends_badly():
    ended = python("-c", PROGRAM, "bad", variables={"NAME": ""})
    assert failure(ended) == "status 1: on purpose\n"
