"""The campaign of the elementary functions: a short form, and faults that it finds."""

import pytest

import bpcore as bp
from trust import elementary

each_function = pytest.mark.parametrize("name", bp.kernels.ELEMENTARY)


@each_function
def test_float32(name):
    count = elementary.float32(name, 1 / 8000)
    assert count.tried > 500_000 and not count.failed
    assert "largest error 0.0" not in count.note


@each_function
def test_float64(name):
    count = elementary.float64(name, 1 / 1000)
    assert count.tried >= 500 and not count.failed


def test_special_values():
    count = elementary.special_values()
    assert count.tried > 200 and not count.failed
