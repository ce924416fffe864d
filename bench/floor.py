"""The least time that a case can take on this machine, measured in the same rounds.

Two limits, of which the larger binds. Arithmetic: the multiply-adds of the case at the
rate at which the library's own kernel module runs multiply-adds in registers alone.
Memory: the bytes that parameters and optimizer state must move, at the rate of a copy
between arrays of their size, and so at the rate of the cache level that they live in.

Both rates are timed like contenders, in every round, so that the floor and what stands
on it share one clock. Inputs, activations and deltas are left out of the bytes. The
first limit cannot be passed; the second can, by a little, where weights are changed in
place: a copy also fetches the lines that it overwrites.
"""

import numpy as np

import bpcore

from .timing import Spread
from .yardsticks import Copy, Peak


class Floor:
    """The work of a case, and the yardsticks that it is laid against.

    Parameters
    ----------
    case : Case
    products : sequence of int
        Matrix products that each layer needs.
    passes : int
        How often each parameter, or its optimizer state, is read or written.
    """

    def __init__(self, case, products, passes):
        self.multiply_adds = case.batch * sum(
            count * n_in * n_out
            for count, (n_in, n_out) in zip(products, case.layers, strict=True)
        )
        self.moved = passes * case.parameter_bytes
        self._peak = Peak(bpcore.kernels, case.dtype)
        self._copy = Copy(case.parameter_bytes)

    @classmethod
    def of_step(cls, case):
        """Three products a layer, but two in the first, whose input needs no delta.

        Parameters and velocity are read and written once each: four passes. That
        backward reads the parameters after forward did is not counted, because a
        small enough layer is still in a nearer cache.
        """
        return cls(case, [2] + [3] * (len(case.layers) - 1), passes=4)

    @classmethod
    def of_prediction(cls, case):
        """One product a layer; the parameters are read once."""
        return cls(case, [1] * len(case.layers), passes=1)

    @property
    def actions(self):
        """What must be timed in the rounds of the contenders to know the floor."""
        return {
            "peak": self._peak.run,
            "copy": self._copy.run,
            "empty copy": self._copy.run_empty,
        }

    def seconds(self, samples):
        """The floor in every round, given the samples of its actions."""
        return np.maximum(*self._limits(samples))

    def describe(self, samples):
        """The floor, both its rates and the one that binds, for the record."""
        arithmetic, memory = map(np.median, self._limits(samples))
        return {
            "seconds": Spread.of(self.seconds(samples)),
            "bound": "arithmetic" if arithmetic >= memory else "memory",
            "multiply_adds": self.multiply_adds,
            "bytes": self.moved,
            "gigaflops": float(2e-9 * self.multiply_adds / arithmetic),
            "gigabytes_per_second": float(1e-9 * self.moved / memory),
        }

    def _limits(self, samples):
        """Seconds of arithmetic alone and of memory traffic alone, in every round."""
        arithmetic = self.multiply_adds / self._peak.rate(samples["peak"])
        memory = self.moved / self._copy.rate(samples["copy"], samples["empty copy"])
        return arithmetic, memory
