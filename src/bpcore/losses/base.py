"""Loss: the base class of all losses.

A loss is one number E_i per sample.  The loss of a mini-batch is their mean over its
rows, sum(E_i) / n, or with weights (``sample_weight`` times ``class_weight``)
sum(weight * E_i) / n.  The arithmetic is in ``csrc/losses.h`` and in NumPy in
``reference.losses``; each loss has its formulas (`Loss.formula`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.fields import CheckedFields
from bpcore.losses.target_kind import TargetKind

Array = NDArray[Any]

#: Activations whose outputs are between -1 and 1.
SIGNED = ("tanh", "hard_tanh", "softsign")


@dataclass(frozen=True)
class Loss(CheckedFields):
    """One loss function.

    Attributes
    ----------
    name : str
    output : str
        Default activation of the output layer.
    outputs : tuple of str, or None
        The output activations that it is defined for; None for any.
    labels : bool
        Whether targets may be integer class labels.
    classes : bool
        Whether targets are classes, so that ``class_weight`` is allowed.
    least, most : float
        Bounds of the targets.
    signs : bool
        Whether targets are -1 or 1.
    formula : str
        E_i, the loss of one sample, in terms of a and y: as in Python, with ^ for
        powers; sum and mean are over the n_L outputs.
    by_a : str
        dE_i/da, likewise.
    by_z : str
        dE_i/dz, where the output activation is part of the loss.
    symbols : dict of str to str
        Settings in these formulas: {symbol: name of the setting}.
    definitions : dict of str to str
        Other symbols in these formulas: {symbol: formula}.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.LOSSES["squared_error"].formula, bp.LOSSES["squared_error"].by_a
    ('sum((a - y)^2) / 2', 'a - y')
    >>> loss = bp.Huber(delta=0.5)
    >>> loss.formula
    'mean(where(abs(a - y) <= c, (a - y)^2 / 2, c * (abs(a - y) - c / 2)))'
    >>> loss.by_a, loss.symbols, loss.constants
    ('clip(a - y, -c, c) / n_L', {'c': 'delta'}, {'c': 0.5})
    """

    name: ClassVar[str]
    output: ClassVar[str] = "identity"
    outputs: ClassVar[tuple[str, ...] | None] = None
    labels: ClassVar[bool] = False
    classes: ClassVar[bool] = False
    least: ClassVar[float] = -inf
    most: ClassVar[float] = inf
    signs: ClassVar[bool] = False
    formula: ClassVar[str] = ""
    by_a: ClassVar[str] = ""
    by_z: ClassVar[str] = ""
    symbols: ClassVar[dict[str, str]] = {}

    def target_kind(self, output: str) -> TargetKind:
        """Meaning of the targets with this output activation."""
        return TargetKind(threshold=0.0 if output in SIGNED else 0.5)

    def value(self, output: str) -> str:
        """`formula` with this output activation and these settings."""
        return self.formula

    def derivatives(self, output: str) -> tuple[str, str]:
        """`by_a` and `by_z` with this output activation and these settings."""
        return self.by_a, self.by_z

    @property
    def definitions(self) -> dict[str, str]:
        """Other symbols in the formulas, and their formulas."""
        return {}

    @property
    def constants(self) -> dict[str, float]:
        """The value of each of `symbols`."""
        return {symbol: getattr(self, name) for symbol, name in self.symbols.items()}

    @own_errstate
    def by_outputs(self, a: Array, y: Array) -> Array:
        """dE/da (n, n_L), for losses computed from z; a limit at outputs 0 and 1.

        For the other losses the kernels compute it.
        """
        return -quotient(y, a)

    @property
    def setting(self) -> float:
        """The kernel's argument `setting`, 0 if the loss has none."""
        return 0.0

    def kernel(self, output: str) -> str:
        """Name of the kernel with this output activation."""
        return self.name

    def takes_z(self, output: str) -> bool:
        """Whether it is computed from z, and includes the output activation."""
        return self.outputs is not None


def quotient(y: Array, a: Array) -> Array:
    """y / a, and 0 where y is 0, however small a is."""
    return np.where(y == 0, 0, y / a)
