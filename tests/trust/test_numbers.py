"""Losses, norms and metrics at extreme inputs, in short."""

import pytest

pytest.importorskip("mpmath")

from trust import numbers
from trust.arithmetic import exact


@pytest.mark.parametrize("dtype", numbers.SIZES)
@pytest.mark.parametrize("name", exact.LOSSES)
def test_losses(name, dtype):
    assert numbers.of_losses(name, dtype, count=6).failed == 0


@pytest.mark.parametrize("dtype", numbers.SIZES)
def test_softmax_norms_and_moments(dtype):
    assert numbers.of_softmax(dtype, count=8).failed == 0
    assert numbers.of_norms(dtype, count=12, most=300).failed == 0
    assert numbers.of_moments(dtype, count=12, most=300).failed == 0


def test_metrics():
    assert [
        count.name for count in numbers.of_metrics(12, most=40) if count.failed
    ] == []


def test_long_sums():
    found = numbers.of_long_sums(20_000)
    assert [count.name for count in found if count.failed] == []
