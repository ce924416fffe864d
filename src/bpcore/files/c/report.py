"""CReport: the sizes of a C header, and what weights of 8 bits cost."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bpcore.arrays import Real
from bpcore.errstate import own_errstate


@dataclass(frozen=True, repr=False)
class CReport:
    """What was written as C; ``print`` shows it.

    Attributes
    ----------
    name : str
    weights : str
        "float32", "float64" or "int8".
    flash_bytes : int
        Of constant arrays, without code and test vectors.
    ram_bytes : int
        Of values between layers.
    largest_difference, mean_difference : float or None
        Of the outputs for rows X, from those of `predict`; 0.0 unless weights are int8.
    before, after : dict of str to float
        The loss and metrics for X and y of `predict`, and of the header.

    Examples
    --------
    >>> from bpcore.files.c.report import CReport
    >>> print(CReport("model", "int8", 1234, 64, 0.25, 0.125,
    ...               {"loss": 0.5}, {"loss": 0.75}))
    model: int8 weights, 1,234 bytes of constants, 64 bytes of RAM
    difference of outputs   largest 0.25, mean 0.125
    loss                    0.5 before, 0.75 after
    """

    name: str
    weights: str
    flash_bytes: int
    ram_bytes: int
    largest_difference: float | None = None
    mean_difference: float | None = None
    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [
            f"{self.name}: {self.weights} weights, {self.flash_bytes:,} bytes of "
            f"constants, {self.ram_bytes:,} bytes of RAM"
        ]
        return "\n".join([*lines, *self.loss_of_accuracy()])

    def __repr__(self) -> str:
        return str(self)

    def loss_of_accuracy(self) -> list[str]:
        """The lines on the differences and the metrics."""
        if self.largest_difference is None:
            if self.weights != "int8":
                return []
            return ["loss of accuracy        not measured: give X, or X and y"]
        lines = [
            f"difference of outputs   largest {self.largest_difference:.3g}, "
            f"mean {self.mean_difference:.3g}"
        ]
        for name, value in self.before.items():
            lines.append(f"{name:<23} {value:.6g} before, {self.after[name]:.6g} after")
        return lines


@own_errstate
def differences(a: Real, b: Real) -> tuple[float, float]:
    """The largest and the mean absolute difference.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.c.report import differences
    >>> differences(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    (2.0, 1.0)
    """
    size = np.abs(np.subtract(a, b, dtype=np.float64))
    size = np.where(a == b, 0, size)  # infinite ones too
    return float(size.max()), float(size.mean())
