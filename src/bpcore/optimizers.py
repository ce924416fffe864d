"""Optimizers: immutable settings.  The network that uses them owns their state."""

from __future__ import annotations

from dataclasses import dataclass

from bpcore import _validation as door


@dataclass(frozen=True)
class SGD:
    r"""Stochastic gradient descent with momentum.

    With g the gradient of a parameter w, and v its velocity, at first 0::

        g = g + weight_decay * w
        v = momentum * v + g
        w = w - lr * v                       (nesterov: w - lr * (g + momentum * v))

    Parameters
    ----------
    lr : float
        Learning rate, at least 0.
    momentum : float
        At least 0 and below 1.
    nesterov : bool
        Look ahead along the velocity; needs momentum.
    weight_decay : float
        L2 penalty added to the gradient, of weights and biases alike, at least 0.

    Raises
    ------
    ValueError
        If a setting is outside its range.

    Notes
    -----
    The definition is that of Sutskever, Martens, Dahl and Hinton (2013) in the form
    ``torch.optim.SGD`` uses, in which a change of ``lr`` acts at once.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.SGD(0.1, momentum=0.9)
    SGD(lr=0.1, momentum=0.9, nesterov=False, weight_decay=0.0)
    """

    lr: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("lr", "momentum", "weight_decay"):
            value = door.real_number(name, getattr(self, name))
            object.__setattr__(self, name, value)
        if self.momentum >= 1:
            raise ValueError(f"momentum must be below 1; got {self.momentum}")
        object.__setattr__(self, "nesterov", door.yes_or_no("nesterov", self.nesterov))
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov=True needs momentum above 0; got momentum=0.0")

    @property
    def rule(self) -> str:
        """The kernels' name for this form of the step."""
        if self.momentum == 0:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    @property
    def n_states(self) -> int:
        """How many parameter-sized arrays of state the step keeps."""
        return 0 if self.momentum == 0 else 1
