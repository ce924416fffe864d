"""The handwritten digits shipped with the package."""

from __future__ import annotations

import zlib
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


def load_digits() -> tuple[Images, Labels]:
    """Return the 1797 handwritten digits shipped with the package.

    The images are the test part of *Optical Recognition of Handwritten Digits*
    (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998, CC BY 4.0), in
    their order there.

    Returns
    -------
    X : ndarray of float32, shape (1797, 64)
        One image of 8 x 8 pixels per row: ``X = grey / 16``, where ``grey`` is a whole
        number from 0 (paper) to 16 (ink).
    y : ndarray of int64, shape (1797,)
        The digit that each image shows, 0 to 9.

    Examples
    --------
    >>> from bpcore.datasets import load_digits
    >>> X, y = load_digits()
    >>> X.shape, y[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    # One row of labels, and one of each pixel, whose columns are sorted by the digit.
    data = (files(__package__) / "data" / "digits.zlib").read_bytes()
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(65, -1)
    labels, pixels = rows[0].astype(np.int64), rows[1:]
    X = np.empty((len(labels), len(pixels)), np.float32)
    X[np.argsort(labels, kind="stable")] = pixels.T
    X /= 16
    return X, labels
