"""The whole library in plain NumPy: specification, test oracle and baseline.

The kernels are in ``activations``, ``layers``, ``losses`` and ``optimizers``: each is
the equation of the compiled kernel of the same name in ``bpcore.kernels``.  ``engine``
calls them in order, and `Network` is ``bpcore.Network`` with this engine.  Results
agree with the compiled library's to rounding; nothing is tuned beyond ordinary NumPy
code.

    >>> import bpcore as bp
    >>> fast = bp.Network([4, 8, 3], loss="cross_entropy", rng=0)
    >>> plain = bp.reference.Network([4, 8, 3], loss="cross_entropy", rng=0)
    >>> X, y = [[0.5, -1.0, 0.0, 2.0]], [2]
    >>> abs(fast.train_step(X, y) - plain.train_step(X, y)) < 1e-6
    True
"""

from __future__ import annotations

from bpcore import network
from bpcore.reference.activations import activate, normal_cdf, times_derivative
from bpcore.reference.engine import Engine
from bpcore.reference.layers import (
    add_noise,
    drop,
    fold,
    follow,
    forward,
    gradient,
    normalise,
    normalise_back,
    propagate,
    scale_rows,
    scale_rows_back,
    shuffle,
)
from bpcore.reference.losses import loss
from bpcore.reference.optimizers import clip_norm, descend, limit_norms

__all__ = [
    "Engine",
    "Network",
    "activate",
    "add_noise",
    "clip_norm",
    "descend",
    "drop",
    "fold",
    "follow",
    "forward",
    "gradient",
    "limit_norms",
    "loss",
    "normal_cdf",
    "normalise",
    "normalise_back",
    "propagate",
    "scale_rows",
    "scale_rows_back",
    "shuffle",
    "times_derivative",
]


class Network(network.Network):
    """``bpcore.Network`` in plain NumPy; the same interface, see there.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.reference.Network([2, 3, 1], rng=0).predict([0.5, -0.5]).shape
    (1,)
    """

    _engine_class = Engine

    def __repr__(self) -> str:
        return f"reference.{super().__repr__()}"
