"""Digests of arrays, bytes and other values."""

import numpy as np

from trust.digest import digest

VALUES = (b"", b"x", "x", None, 1, 2, np.zeros(2), np.zeros(2, "f4"), np.ones(2))


def test_a_digest_is_that_of_the_values():
    x = np.arange(6.0).reshape(2, 3)
    assert len({*map(digest, VALUES)}) == len(VALUES)
    assert digest(x) == digest(np.asfortranarray(x)) == digest(x.tobytes())
    assert digest(x[0], x[1]) == digest(x) != digest(x[1], x[0])
