"""Numbers that kernels refuse: by name, and before anything changes.

The table has every argument that is a number, by the stubs of the kernels.
"""

import ast
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp

ROW, ROWS = np.ones(2), np.ones((2, 2))
HUGE = 10**400  # above every float
NO_NUMBERS = (True, np.True_, np.str_("1"), np.bytes_(b"1"), np.timedelta64(1))
NO_NUMBERS += tuple(map(np.array, ("1", True, np.timedelta64(1))))
WHOLE = {1.5: TypeError, "3": TypeError, None: TypeError, 2j: TypeError}
REAL = {HUGE: ValueError, "3": TypeError, 2j: TypeError}
LONG = {
    2**63: ValueError,
    10**30: ValueError,
    -(10**30): ValueError,
    10**5000: ValueError,
}
COUNT = {**WHOLE, **LONG, 0: ValueError, -1: ValueError}
WORD = {**WHOLE, -1: ValueError, 2**64: ValueError, -(2**63): ValueError}
ABOVE_0 = {**REAL, 0: ValueError, -1.0: ValueError, None: TypeError}

#: {function: ({its other arguments}, {number: {bad value: error}})}
NUMBERS = {
    "update": (
        {"W": ROWS, "b": ROW, "a": ROWS, "delta": ROWS, "optimizer": bp.SGD(0.1)},
        {"step": COUNT},
    ),
    "descend": ({"w": ROW, "g": ROW + 1, "optimizer": bp.SGD(0.1)}, {"step": COUNT}),
    "limit_norms": ({"W": ROWS}, {"most": ABOVE_0}),
    "clip_norm": ({"g": ROW}, {"most": ABOVE_0}),
    "follow": ({"running": ROWS, "moments": ROWS + 1}, {"n": COUNT}),
    "drop": (
        {"x": ROWS, "out": ROWS, "key": 3, "p": 0.5},
        {"key": WORD, "p": {**REAL, -1: ValueError, 1: ValueError}},
    ),
    "add_noise": (
        {"x": ROWS, "out": ROWS, "key": 3, "size": 0.5},
        {"key": WORD, "size": {**REAL, -1: ValueError}},
    ),
    "loss": (
        {"z": ROWS, "delta": ROWS, "name": "huber", "y": ROWS},
        {"setting": REAL},
    ),
    "all_between": ({"x": ROW, "low": 0, "high": 1}, {"low": REAL, "high": REAL}),
    "scratch_bytes": (
        {"dtype": "float32", "n": 1, "n_in": 1, "n_out": 1},
        {name: COUNT | {2**24 + 1: ValueError} for name in ("n", "n_in", "n_out")},
    ),
    "fma_loop": ({"out": ROW}, {"iterations": {**WHOLE, **LONG, -1: ValueError}}),
}
CASES = [
    (function, number, bad, error)
    for function, (_, numbers) in NUMBERS.items()
    for number, values in numbers.items()
    for bad, error in values.items()
]


def called(function, number=None, bad=None):
    arguments = {
        name: value.copy() if isinstance(value, np.ndarray) else value
        for name, value in NUMBERS[function][0].items()
    }
    given = arguments | ({} if number is None else {number: bad})
    return lambda: getattr(bp.kernels, function)(**given), arguments


@pytest.mark.parametrize(
    ("function", "number", "bad", "error"),
    CASES,
    ids=[
        f"{f}-{n}-{str(bad)[:9]}" if bad != 10**5000 else f"{f}-{n}-long"
        for f, n, bad, _ in CASES
    ],
)
def test_a_number_out_of_range(function, number, bad, error):
    call, arguments = called(function, number, bad)
    before = {
        name: bytes(a) for name, a in arguments.items() if isinstance(a, np.ndarray)
    }
    with pytest.raises(error, match=f"^{number} must be .*; got .") as caught:
        call()
    assert len(str(caught.value)) < 300
    assert all(bytes(arguments[name]) == was for name, was in before.items())


@pytest.mark.parametrize("function", NUMBERS)
def test_the_other_arguments_are_right(function):
    if function not in ("update", "descend", "limit_norms", "clip_norm", "follow"):
        called(function, *({"fma_loop": ("iterations", 0)}.get(function, ())))[0]()
        return
    number = next(iter(NUMBERS[function][1]))
    for good in (1, np.int64(1), np.uint8(1), 2**62):
        called(function, number, good)[0]()


def test_the_table_has_every_number():
    stubs = ast.parse(Path(bp.kernels.__file__).with_name("_kernels.pyi").read_text())
    numbers = {
        (function.name, argument.arg)
        for function in stubs.body
        if isinstance(function, ast.FunctionDef)
        for argument in function.args.args
        if {"int", "float"}
        & {
            name.id
            for name in ast.walk(argument.annotation)
            if isinstance(name, ast.Name)
        }
        and function.name != "set_blocks"  # in tests/engine/test_blocking.py
    }
    assert numbers == {(name, each) for name in NUMBERS for each in NUMBERS[name][1]}


@pytest.mark.parametrize("bad", NO_NUMBERS, ids=repr)
def test_texts_and_bools_are_no_numbers(bad):
    for function, (_, numbers) in NUMBERS.items():
        for number in numbers:
            with pytest.raises(TypeError, match=f"^{number} must be .*number; got"):
                called(function, number, bad)[0]()


def test_public_names_are_those_of_the_stubs():
    stubs = ast.parse(Path(bp.kernels.__file__).with_name("_kernels.pyi").read_text())
    names = {each.name for each in stubs.body if isinstance(each, ast.FunctionDef)}
    names |= {each.target.id for each in stubs.body if isinstance(each, ast.AnnAssign)}
    names = {name for name in names if not name.startswith("_")}
    assert {name for name in dir(bp.kernels) if not name.startswith("_")} == names
