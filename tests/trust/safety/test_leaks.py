"""Memory after some fits, and a leak that is found."""

import sys

import pytest

from trust.safety import leaks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mallinfo2")


@pytest.mark.parametrize(
    "name", ["fit by Adam, clipped", "fit ended by a loss's error"]
)
def test_fits_leave_nothing(name):
    used, _ = leaks.growth(leaks.FITS[name], 200)
    assert used <= leaks.NOISE
    assert leaks.traced_growth(leaks.FITS[name], 20) <= leaks.NOISE // 8


def test_a_leak_is_found():
    kept = []
    used, _ = leaks.growth(lambda: kept.append(bytearray(1000)), 300)
    assert used > leaks.NOISE
