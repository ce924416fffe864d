"""Losses, norms and metrics at extreme inputs, in short."""

import pytest

pytest.importorskip("mpmath")

from trust.arithmetic import exact, losses, means, metrics, norms, rounding


@pytest.mark.parametrize("dtype", rounding.SIZES)
@pytest.mark.parametrize("name", exact.LOSSES)
def test_losses(name, dtype):
    assert losses.loss_errors(name, dtype, count=6).failed == 0


@pytest.mark.parametrize("dtype", rounding.SIZES)
def test_softmax_norms_and_moments(dtype):
    assert losses.softmax_errors(dtype, count=8).failed == 0
    assert norms.norm_errors(dtype, count=12, most=300).failed == 0
    assert norms.moment_errors(dtype, count=12, most=300).failed == 0


def test_metrics():
    assert [
        count.name for count in metrics.metric_errors(12, most=40) if count.failed
    ] == []


def test_long_sums():
    found = means.mean_errors(20_000)
    assert [count.name for count in found if count.failed] == []
