"""The floor: the least time of a case on this machine, measured in the same rounds.

It is the larger of two limits. Arithmetic: the multiply-adds of the case at the rate
of multiply-adds in registers, measured with the library's kernel module. Memory: the
bytes of parameters and optimizer state that must be read and written, at the rate of a
copy between arrays of their size, and so at the rate of their cache level.

Both rates are timed in every round, as the contenders are, so that changes of the clock
rate affect both. Inputs, activations and deltas are not counted as bytes. No code can
be below the first limit; an update in place can be slightly below the second, since a
copy also fetches the cache lines that it overwrites.
"""

import numpy as np

import bpcore

from .timing import Spread
from .yardsticks import Copy, Peak


class Floor:
    """The work of a case, and the measurements of the machine's rates.

    Parameters
    ----------
    case : Case
    products : sequence of int
        Matrix products that each layer needs.
    passes : int
        Reads and writes of each parameter and of its optimizer state.
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

        Parameters and velocity are read and written once each: four passes. The
        backward pass reads the parameters again, which is not counted, since a small
        layer is still in a nearer cache.
        """
        return cls(case, [2] + [3] * (len(case.layers) - 1), passes=4)

    @classmethod
    def of_prediction(cls, case):
        """One product a layer; the parameters are read once."""
        return cls(case, [1] * len(case.layers), passes=1)

    @property
    def actions(self):
        """Actions to be timed in the rounds of the contenders."""
        return {
            "peak": self._peak.run,
            "copy": self._copy.run,
            "empty copy": self._copy.run_empty,
        }

    def peak(self, samples):
        """Multiply-adds per second in registers, in every round."""
        return self._peak.rate(samples["peak"])

    def seconds(self, samples):
        """The floor in every round, given the samples of its actions."""
        return np.maximum(*self._limits(samples))

    def describe(self, samples):
        """The floor, both rates and the limit that applies, for the record."""
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
        arithmetic = self.multiply_adds / self.peak(samples)
        memory = self.moved / self._copy.rate(samples["copy"], samples["empty copy"])
        return arithmetic, memory
