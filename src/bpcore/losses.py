"""Losses by name: what each measures and which outputs and targets it goes with.

Every loss is one number per sample, averaged over the mini-batch (weighted by
``sample_weight`` where given).  The arithmetic is in ``csrc/losses.h`` and, readable,
in ``reference``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Loss:
    """One loss function.

    Attributes
    ----------
    name : str
    formula : str
        E(a, y) of one sample, sums over its outputs.
    output : str
        The activation of the output layer that goes with it by default.
    outputs : tuple of str, or None
        The only output activations it is defined with; None for any.
    labels : bool
        Whether integer class labels are taken for targets.
    unit_targets : bool
        Whether targets lie in 0 .. 1.
    """

    name: str
    formula: str
    output: str
    outputs: tuple[str, ...] | None = None
    labels: bool = False
    unit_targets: bool = False


#: Every loss by name.
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        Loss("squared_error", "1/2 sum (a - y)^2", "identity"),
        Loss("mean_squared_error", "mean (a - y)^2", "identity"),
        Loss(
            "cross_entropy",
            "-sum y log(a)",
            "softmax",
            ("softmax",),
            labels=True,
            unit_targets=True,
        ),
        Loss(
            "binary_cross_entropy",
            "-sum y log(a) + (1 - y) log(1 - a)",
            "sigmoid",
            ("sigmoid",),
            unit_targets=True,
        ),
    )
}

#: The loss that goes with an output activation by default.
DEFAULT_LOSS: dict[str, str] = {
    "softmax": "cross_entropy",
    "sigmoid": "binary_cross_entropy",
    "identity": "squared_error",
    "tanh": "squared_error",
    "relu": "squared_error",
}
