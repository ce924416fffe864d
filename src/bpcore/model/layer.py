"""Layer: one layer of this library while it is assembled from elements."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.model.elements import BatchNorm, Linear

Vector = NDArray[np.float64]

#: What this library adds to a variance.
EPS = 1e-5

#: Elements of W that are converted at a time.
BLOCK = 1 << 16


class Layer:
    """A layer that is being assembled, in float64 but for its W.

    W is `source` with its rows times `rows` and its columns times `columns`.
    """

    def __init__(self, source: Linear, rows: Vector, shift: Vector) -> None:
        self.source = source
        self.n_in, self.n_out = source.W.shape
        self.rows = rows
        self.columns = np.ones(self.n_out)
        self.b = np.zeros(self.n_out)
        if source.b is not None:
            self.b += source.b
        if shift.any():
            shift = np.broadcast_to(shift, self.n_in)
            for part in row_blocks(source.W):
                self.b += shift[part] @ source.W[part].astype(np.float64)
        self.norm: str | None = None
        self.gain = self.mean = self.variance = np.empty(0)
        self.activation: str | None = None
        self.dropout = 0.0

    @property
    def linear(self) -> bool:
        """Whether nothing but a norm follows the product yet."""
        return self.activation is None and not self.dropout

    def write_W(self, out: Real) -> None:
        """Write W."""
        if (self.rows == 1).all() and (self.columns == 1).all():
            out[...] = self.source.W
            return
        rows = np.broadcast_to(self.rows, self.n_in)
        for part in row_blocks(self.source.W):
            out[part] = self.source.W[part] * (rows[part, None] * self.columns)

    def use_affine(self, scale: Vector, shift: Vector) -> None:
        """Multiply and shift z."""
        if self.norm:
            self.gain = self.gain * scale
        else:
            self.columns = self.columns * scale
        self.b = self.b * scale + shift

    def use_batch_norm(self, norm: BatchNorm) -> None:
        """Normalise u; the bias before it goes into the mean."""
        self.norm = "batch"
        self.mean = float64(norm.mean) - self.b
        own = own_eps(norm)
        self.variance = np.maximum(own, 0)
        # Where variance + eps is below this library's eps, the gain makes up for it.
        self.gain = norm.gain * np.where(own < 0, np.sqrt(EPS / (own + EPS)), 1.0)
        self.b = float64(norm.shift)

    def fold_batch_norm(self) -> None:
        """Multiply the norm into W and b."""
        scale = self.gain / np.sqrt(self.variance + EPS)
        self.norm = None
        self.columns = self.columns * scale
        self.b = self.b - self.mean * scale

    def use_both_classes(self) -> None:
        """Make the sigmoid of one unit the softmax of (0, z), which is the same."""
        W = self.source.W
        self.source = Linear(np.hstack([np.zeros_like(W), W]), at=self.source.at)
        self.columns = np.append(1.0, self.columns)
        self.b = np.append(0.0, self.b)
        self.n_out, self.activation = 2, "softmax"


def own_eps(norm: BatchNorm) -> Vector:
    """The variance to which this library's eps is added instead of the norm's own."""
    variance = float64(norm.variance)
    return variance if is_eps(norm.eps) else variance + (norm.eps - EPS)


def is_eps(eps: float) -> bool:
    """Whether eps is this library's, in float32 or float64."""
    return math.isclose(eps, EPS, rel_tol=1e-7)


def float64(array: Real) -> Vector:
    """The array in float64."""
    return np.asarray(array, np.float64)


def row_blocks(W: Real) -> Iterator[slice]:
    """Slices of a few rows of W each, that together are all of them."""
    rows = max(1, BLOCK // W.shape[1])
    for first in range(0, len(W), rows):
        yield slice(first, first + rows)
