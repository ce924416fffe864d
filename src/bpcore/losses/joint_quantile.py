"""JointQuantile: the loss of several quantiles at once, one output for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.fields import CheckedFields
from bpcore.quoting import quoted

Array = NDArray[Any]


@dataclass(frozen=True)
class JointQuantile(CheckedFields):
    """Mean over the outputs j of max(q_j d_j, (q_j - 1) d_j), with d = y - a.

    Output j estimates the quantile q_j.  It is a loss in Python, `bpcore.CustomLoss`,
    since that of the kernels (`bpcore.Quantile`) has the same q for all outputs.

    Parameters
    ----------
    quantiles : tuple of float
        q_j of each output, above 0 and below 1.

    Notes
    -----
    Koenker and Bassett (1978).  Nothing keeps the outputs of a row in order.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.losses import JointQuantile
    >>> loss = JointQuantile((0.1, 0.9))
    >>> values, by_a = loss(np.zeros((1, 2)), np.ones((1, 2)))
    >>> values, by_a
    (array([0.5]), array([[-0.05, -0.45]]))
    """

    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.quantiles, tuple):
            raise TypeError(f"quantiles must be a tuple; got {quoted(self.quantiles)}")
        if not self.quantiles:
            raise ValueError("quantiles must have at least one entry; got none")
        for j, q in enumerate(self.quantiles):
            checks.number(f"quantiles[{j}]", q, above=0.0, below=1.0)

    @property
    def __name__(self) -> str:
        """For the representation of the network."""
        return repr(self)

    def __call__(self, a: Array, y: Array) -> tuple[Array, Array]:
        """The value of every sample, (n,), and the derivatives by a, (n, n_out)."""
        q = np.asarray(self.quantiles, a.dtype)
        d = y - a
        values = np.maximum(q * d, (q - 1) * d).mean(axis=1)
        by_a = np.where(d > 0, -q, np.where(d < 0, 1 - q, 0)) / len(q)
        return values, by_a
