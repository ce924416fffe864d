"""Columns: numbers as the targets of a network, and its outputs as predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.fields import POSITIVE_COUNT, CheckedFields


@dataclass(frozen=True)
class Columns(CheckedFields):
    """The meaning of the outputs of a regressor.

    Attributes
    ----------
    n_targets : int
        Numbers that each sample has.
    copies : int
        Outputs for each of them: one for every quantile.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.sklearn.columns import Columns
    >>> Columns(1, copies=3).encode("y", np.array([1.0, 2.0]))
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """

    n_targets: int = field(metadata=POSITIVE_COUNT)
    copies: int = field(default=1, metadata=POSITIVE_COUNT)

    @property
    def n_out(self) -> int:
        """Outputs of the network."""
        return self.n_targets * self.copies

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of a fitted estimator: none besides those of its base."""
        return {}

    def encode(self, name: str, y: NDArray[Any]) -> NDArray[Any]:
        """The targets (n, n_out) of numbers (n,) or (n, n_targets)."""
        columns = y.reshape(-1, 1) if y.ndim == 1 else y
        if columns.shape[1] != self.n_targets:
            raise ValueError(
                f"{name} must have {self.n_targets} numbers for each sample; "
                f"got {columns.shape[1]}"
            )
        return np.repeat(columns, self.copies, axis=1)

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The predictions, float64: (n,) if there is one output, else (n, n_out)."""
        numbers = outputs.astype(np.float64, copy=False)
        return numbers[:, 0] if self.n_out == 1 else numbers
