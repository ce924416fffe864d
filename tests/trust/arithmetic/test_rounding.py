"""Errors in machine epsilons."""

import pytest

pytest.importorskip("mpmath")

from trust.arithmetic.rounding import Largest, error


def test_an_error_is_relative_to_a_size():
    assert error(1 + 2.0**-22, 1, 1, "float32") == pytest.approx(2)
    assert error(1 + 2.0**-22, 1, 4, "float32") == pytest.approx(0.5)
    assert error(float("inf"), 1, 1, "float32") == float("inf")
    assert error(float("inf"), 1, 1e39, "float32") == 0


def test_an_error_above_the_bound_fails(capsys):
    largest = Largest("sums", 2.0)
    for number in (0.5, 3.0, 1.0):
        largest.add(number, f"case {number}")
    count = largest.noted(" of the sum")
    assert (count.tried, count.failed) == (3, 1)
    assert count.note == "at most 3 eps of the sum"
    assert "FAILED sums: 3 eps: case 3.0" in capsys.readouterr().out
