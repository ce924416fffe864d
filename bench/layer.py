"""One layer with the arrays that the kernels read."""

import argparse
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Layer:
    """A layer and a mini-batch: a (n, n_in), W (n_in, n_out), b, delta (n, n_out).

    Parameters
    ----------
    n, n_in, n_out : int
    dtype : str
    """

    n: int
    n_in: int
    n_out: int
    dtype: str = "float32"

    @classmethod
    def of(cls, sizes, dtype):
        """The layer written as in ``"32x784x128"``."""
        return cls(*(int(size) for size in sizes.split("x")), dtype)

    def __str__(self):
        return f"{self.n}x{self.n_in}x{self.n_out}"

    @property
    def multiply_adds(self):
        """Multiply-adds of one matrix product, and so of each kernel."""
        return self.n * self.n_in * self.n_out

    @cached_property
    def a(self):
        """Activations of both signs; the derivative of ReLU depends on the sign only.

        With the zeros of a ReLU the gradient would be 0, and the velocity would become
        subnormal, which is slow for other reasons than the kernels.
        """
        return self._normal(1, self.n, self.n_in)

    @cached_property
    def W(self):
        return self._normal(2, self.n_in, self.n_out)

    @cached_property
    def b(self):
        return self._normal(3, self.n_out)

    @cached_property
    def delta(self):
        return self._normal(4, self.n, self.n_out)

    def _normal(self, seed, *shape):
        """Normal numbers, rounded to float32 first, so that float64 has the same."""
        normal = np.random.default_rng(seed).standard_normal(shape)
        return normal.astype(np.float32).astype(self.dtype)


def layer_name(text):
    """`text`, checked to be the sizes of a layer."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){2}", text):
        raise argparse.ArgumentTypeError(f"write as in 32x784x128; got {text}")
    return text
