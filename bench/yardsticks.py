"""Peak rates of this machine: multiply-adds in registers, bytes copied."""

from functools import partial

import numpy as np

_ITERATIONS = 10_000

#: Smaller copies are in the first-level cache too, and mostly the call's overhead.
_SMALLEST_COPY = 8192


class Peak:
    """Multiply-adds at the rate of the vector units, without memory accesses.

    Parameters
    ----------
    kernels : module
        Its build in use now must be in use whenever `run` is called.
    dtype : str
    """

    def __init__(self, kernels, dtype):
        self.run = partial(kernels.fma_loop, np.zeros(1, dtype), _ITERATIONS)
        self._multiply_adds = self.run()

    def rate(self, seconds):
        """Multiply-adds per second, from the seconds of one run."""
        return self._multiply_adds / seconds


class Copy:
    """Copies between two arrays, at the rate of the cache level that holds both.

    Parameters
    ----------
    n_bytes : int
        Size of each array.
    """

    def __init__(self, n_bytes):
        source = np.ones(max(n_bytes, _SMALLEST_COPY) // 8)
        target = np.ones_like(source)
        nothing = np.ones(0)
        self.run = partial(np.copyto, target, source)
        self.run_empty = partial(np.copyto, nothing, nothing)
        self._moved = source.nbytes + target.nbytes

    def rate(self, seconds, seconds_empty):
        """Bytes read and written per second, without the overhead of the call."""
        return self._moved / (seconds - seconds_empty)
