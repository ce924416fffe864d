"""Errors of elementary functions in ulp, and faults that are found."""

import numpy as np
import pytest

from trust.arithmetic.functions import WIDE
from trust.arithmetic.ulp import Errors, inverse_ulp


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ulp(dtype):
    y = np.array([1, 1.5, 2, -3, 1e-30, np.finfo(dtype).smallest_subnormal, 0], dtype)
    wide = y.astype(np.float64 if dtype == "float32" else np.longdouble)
    assert (1 / inverse_ulp(wide, dtype) == np.spacing(np.abs(y))).all()


@pytest.mark.parametrize(
    ("truth", "fault"),
    [
        (lambda x: np.tanh(x) * (1 + 2.0**-21), "has an error above 2"),
        (lambda x: np.where(x > 1, np.nan, np.tanh(x)), "is NaN, or should be"),
        (lambda x: np.abs(np.tanh(x)), "has the wrong sign"),
    ],
)
def test_faults_are_found(truth, fault):
    errors = Errors("tanh", "float32", truth)
    errors.add(np.float32([-0.0, 0.5, 2.0, np.inf]))
    assert errors.failed and any(fault in each for each in errors.faults)


def test_a_number_that_overflows_has_an_error():
    errors = Errors("exp", "float32", lambda x: WIDE["exp"](x) * (1 + 1e-6))
    errors.add(np.float32([88.72283, 88.8, -103.9, -104]))
    assert errors.failed == 1  # the largest finite one; beyond it all is infinite


def test_builds_that_differ_are_found(monkeypatch):
    def values(name, x, isa):
        return np.tanh(x) + np.float32(isa == "other") * 2**-24

    monkeypatch.setattr("trust.arithmetic.ulp.values", values)
    errors = Errors("tanh", "float32")
    errors.add(np.float32([0.25, 0.5]), ["other"])
    assert errors.failed and "other and" in errors.faults[0]
