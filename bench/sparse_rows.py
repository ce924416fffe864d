"""Rows of inputs that are mostly zeros, and dense ones, as cases.

Rows of real images are taken where they are at hand: the digits of the package, 8 x 8
pixels of which half are ink; and MNIST, if its folder is given. Otherwise rows have as
many zeros as MNIST's are drawn, 80 %, in two ways: at random places, and with margins
as images have them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bpcore.datasets import load_digits, load_mnist

from .case import Case

#: So many that a branch predictor cannot learn where their zeros are. Each is there
#: twice, with different labels, so that errors and velocities stay normal numbers.
DISTINCT = 100
ROWS = 2 * DISTINCT

#: Rows of a mini-batch.
BATCH = DISTINCT

#: Lines and columns of an image of MNIST, those of its digit, and the ink in a line
#: of it: 20 x 8 of 28 x 28 pixels are 20 %.
_SIDE, _INNER, _INK = 28, 20, 8

_NORM = 2

#: What each kind of rows is, for the output.
KINDS = {
    "dense": "normal numbers, no zeros",
    "margins": "zeros in margins and between runs as in MNIST, by a random generator",
    "scattered": "zeros at random places, by a random generator",
    "one-hot": "zeros but for one, at a random place",
    "digits": "first of the digits that the package has",
    "MNIST": "its first images",
}


@dataclass(frozen=True)
class Rows(Case):
    """A case of many rows; each mini-batch of them is a step or a prediction.

    Parameters
    ----------
    batch : int
        Rows per mini-batch: 1 or BATCH.
    kind : str
        One of `KINDS`.
    mnist : str, optional
        The folder of MNIST's files, for that kind.
    """

    batch: int = 1
    kind: str = "dense"
    mnist: str | None = None

    @cached_property
    def X(self):
        """Inputs, (ROWS, n_0), rows of norm 2."""
        X = np.tile(self._rows(), (2, 1))
        return self._cast(X * (_NORM / np.linalg.norm(X, axis=1, keepdims=True)))

    @cached_property
    def y(self):
        """Labels, (ROWS,)."""
        n_classes = self.sizes[-1]
        y = np.random.default_rng(2).integers(n_classes, size=DISTINCT)
        return np.concatenate([y, (y + 1) % n_classes])

    def batches(self, array):
        """The mini-batches of X or y, in order."""
        return np.split(array, ROWS // self.batch)

    @property
    def zeros(self):
        """The fraction of the inputs that are 0."""
        return float(np.mean(self.X == 0))

    def _rows(self):
        """The distinct rows before they are scaled, float64."""
        rng = np.random.default_rng(1)
        n_in = self.sizes[0]
        match self.kind:
            case "dense":
                return rng.standard_normal((DISTINCT, n_in))
            case "margins":
                return _with_margins(rng)
            case "scattered":
                X = np.zeros((DISTINCT, n_in))
                ink = rng.random((DISTINCT, n_in)).argsort(axis=1)[:, : n_in // 5]
                np.put_along_axis(X, ink, rng.uniform(0.1, 1, ink.shape), axis=1)
                return X
            case "one-hot":
                return np.eye(n_in)[rng.integers(n_in, size=DISTINCT)]
            case "digits":
                return load_digits()[0][:DISTINCT].astype(float)
            case "MNIST":
                images = load_mnist(self.mnist)[0][:DISTINCT]
                return images.reshape(DISTINCT, -1).astype(float)


def _with_margins(rng):
    """Images of one stroke a line within a margin, (DISTINCT, 784)."""
    X = np.zeros((DISTINCT, _SIDE, _SIDE))
    margin = (_SIDE - _INNER) // 2
    for image in X:
        for line in image[margin:-margin]:
            start = margin + rng.integers(_INNER - _INK + 1)
            line[start : start + _INK] = rng.uniform(0.1, 1, _INK)
    return X.reshape(DISTINCT, -1)
