"""One weight layer with everything that the kernels read."""

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
        """Of one matrix product, and so of each kernel."""
        return self.n * self.n_in * self.n_out

    @cached_property
    def a(self):
        """Activations of either sign, which is all that the derivative of ReLU reads.

        The zeros that ReLU makes would give no gradient, and velocity would fade into
        denormal numbers, whose slowness is not that of the kernels.
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
        """Rounded to float32 first: the same layer in float64 has the same numbers."""
        normal = np.random.default_rng(seed).standard_normal(shape)
        return normal.astype(np.float32).astype(self.dtype)
