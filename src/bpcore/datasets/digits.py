"""The handwritten digits shipped with the package."""

from __future__ import annotations

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
    file = files(__package__) / "data" / "digits.npz"
    with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        X: Images = np.divide(archive["pixels"], 16, dtype=np.float32)
        return X, archive["labels"].astype(np.int64)
