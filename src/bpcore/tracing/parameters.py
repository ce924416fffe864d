"""Parameters: parameters and optimizer state before or after a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore.arrays import Real
from bpcore.fields import CheckedFields
from bpcore.model.design import Design
from bpcore.model.layout import Views
from bpcore.model.state import State


@dataclass(frozen=True, repr=False)
class Parameters(CheckedFields):
    """Parameters and optimizer state before or after a training step.

    Attributes
    ----------
    weights, biases, gains : tuple of arrays
        W[l], (n_in, n_out); b[l], (n_out,); the gains of normalised layers, else None.
    state : dict of str to Views
        The arrays of the optimizer by name: ``state["velocity"].weights[l]``.
    running_moments : tuple of arrays
        Running mean and variance (2, n_out) of layers with batch norm, else None.
    scale : array (n_0,) or None
        The scale of the inputs.
    """

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    gains: tuple[Any, ...]
    state: dict[str, Views]
    running_moments: tuple[Any, ...]
    scale: Any = None

    def __post_init__(self) -> None:
        require_numbers("a stored Parameters", vars(self))

    def __repr__(self) -> str:
        views = Views(self.weights, self.biases, self.gains, self.scale)
        state = f", state {', '.join(self.state)}" if self.state else ""
        return f"<Parameters of {views.contents}{state}>"

    @property
    def W(self) -> tuple[Real, ...]:
        """The weights, by the equations' name."""
        return self.weights

    @property
    def b(self) -> tuple[Real, ...]:
        """The biases, by the equations' name."""
        return self.biases


#: Dtypes of the arrays of a step.
DTYPES = tuple(map(np.dtype, (np.float32, np.float64, np.int64)))


def require_numbers(name: str, value: Any) -> None:
    """Raise TypeError if an array in a value, or in what it holds, has other elements.

    The kernels read them.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tracing.parameters import require_numbers
    >>> require_numbers("X", {"a": (np.zeros(2), None)})
    """
    if isinstance(value, np.ndarray):
        if value.dtype not in DTYPES:
            raise TypeError(f"{name} must have numbers; got an array of {value.dtype}")
    elif isinstance(value, dict):
        for key, each in value.items():
            require_numbers(f"{name}: {key!s:.40}", each)
    elif isinstance(value, tuple | list):
        for each in value:
            require_numbers(name, each)
    elif isinstance(value, Views):
        require_numbers(name, vars(value))


def parameters_of(design: Design, state: State) -> Parameters:
    """Views of a state's arrays.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.parameters import parameters_of
    >>> learner = bp.Network([2, 1], optimizer=bp.Adam()).learner
    >>> parameters_of(learner.design, learner.state)
    <Parameters of 1 layer, 3 numbers, state mean, square>
    """
    layout = design.layout
    parts = layout.views(state.parameters)
    return Parameters(
        parts.weights,
        parts.biases,
        parts.gains,
        {name: layout.views(row) for name, row in state.optimizer_rows().items()},
        layout.moments(state.moments),
        parts.scale,
    )
