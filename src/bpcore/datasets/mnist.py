"""MNIST, or a data set in the same form, from its four IDX files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bpcore.datasets.idx import FilePath, load_idx, unexpected

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

SIDE = 28  # pixels
CLASSES = 10


def load_mnist(
    directory: FilePath,
) -> tuple[Images, Labels, Images, Labels]:
    """Read the four MNIST files, or those of a data set in the same form.

    Parameters
    ----------
    directory : str or path-like
        The folder that holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
        ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``. Each may end in
        ``.gz``, and ``-idx`` may be ``.idx``.

    Returns
    -------
    X_train, y_train, X_test, y_test : tuple of ndarray
        `X` is float32 of shape (n, 784), one image of 28 x 28 pixels per row:
        ``X = grey / 255``. `y` is int64 of shape (n,), 0 to 9. MNIST has 60,000 images
        for training and 10,000 for testing.

    Raises
    ------
    FileNotFoundError
        If a file is missing. The message names the folder and the possible file names.
    OSError
        If a file cannot be read.
    ValueError
        If a file is not as expected: not IDX, not bytes, not 28 x 28 pixels, a label
        above 9, or not as many labels as images.

    Examples
    --------
    >>> from bpcore.datasets import load_mnist
    >>> X_train, y_train, X_test, y_test = load_mnist("mnist")  # doctest: +SKIP
    >>> X_train.shape, y_test.shape  # doctest: +SKIP
    ((60000, 784), (10000,))
    """
    folder = Path(directory)
    # All four are located before the first is read, so that a missing one raises early.
    train, test = (
        (_find(folder, part, "images-idx3"), _find(folder, part, "labels-idx1"))
        for part in ("train", "t10k")
    )
    return *_load_part(*train), *_load_part(*test)


def _find(folder: Path, part: str, kind: str) -> Path:
    """Return the path of one MNIST file, by the first of its names that exists."""
    stems = (f"{part}-{kind}-ubyte", f"{part}-{kind.replace('-', '.')}-ubyte")
    names = [stem + suffix for stem in stems for suffix in ("", ".gz")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    fault = "lacks an MNIST file" if folder.is_dir() else "is not a folder"
    raise FileNotFoundError(f"{folder} {fault}: looked for {', '.join(names)}")


def _load_part(images_path: Path, labels_path: Path) -> tuple[Images, Labels]:
    images, labels = load_idx(images_path), load_idx(labels_path)
    side = SIDE
    if images.dtype != np.uint8 or images.shape[1:] != (side, side):
        expected = f"uint8 images of shape (n, {side}, {side})"
        raise unexpected(images_path, expected, f"{images.dtype} {images.shape}")
    if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
        expected = f"uint8 labels of shape {images.shape[:1]}, one per image"
        raise unexpected(labels_path, expected, f"{labels.dtype} {labels.shape}")
    if labels.max(initial=0) >= CLASSES:
        raise unexpected(labels_path, "labels from 0 to 9", labels.max())
    X: Images = np.divide(images.reshape(-1, side * side), 255, dtype=np.float32)
    return X, labels.astype(np.int64)
