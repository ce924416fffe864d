"""Stepper: the interface of an object that makes the steps of an epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from bpcore.arrays import Real


class Stepper(Protocol):
    """Makes one step after another from the mini-batches of an epoch.

    The engine does it by backpropagation, `Differences` by numerical derivatives.
    """

    def run(
        self,
        X: Real,
        y: NDArray[Any],
        weight: NDArray[Any] | None,
        order: NDArray[Any] | None,
        batch_size: int,
        first: int,
        total: float,
        divisor: float,
        most: int,
        ends: bool,
        rates: NDArray[Any] | None,
        progress: Callable[[int], object] | None = None,
    ) -> tuple[int, float, float, bool]:
        """Steps from row `first` of the order on, to the end or of `most` mini-batches.

        Parameters
        ----------
        X, y, weight : arrays of all rows, as in a Batch
        order : int64 array (n,), or None for the rows as they lie
        batch_size : rows of a mini-batch
        first : index in the order of the first row to use
        total, divisor : the sum of w E so far, and the divisor of its mean
        most : number of mini-batches, 0 for all that there are
        ends : whether accumulated gradients make a step after the last row
        rates : learning rate of each step from here on, or None for one rate
        progress : called with the number of rows done, now and then

        Returns
        -------
        first, total, divisor, finite
            The row to go on from, both sums, and whether every loss was finite; if not,
            `first` begins the mini-batch whose loss was not, which changed nothing.
        """
