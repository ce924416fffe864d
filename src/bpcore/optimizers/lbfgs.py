"""LBFGS: a full-batch quasi-Newton method, by SciPy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from bpcore.fields import NON_NEGATIVE, POSITIVE_COUNT
from bpcore.optimizers.base import Optimizer
from bpcore.schedules import Schedule


@dataclass(frozen=True, repr=False)
class LBFGS(Optimizer):
    r"""The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno, by SciPy.

    Each epoch of `fit` is an iteration of ``scipy.optimize.minimize`` with
    ``method="L-BFGS-B"`` over the flat parameters, with the gradient of all data.  It
    solves small problems in float64 to high accuracy.

    Parameters
    ----------
    history : int
        Number of previous steps from which the curvature is estimated, at least 1.
    tolerance : float
        Largest element of the gradient at convergence, at least 0.
    weight_decay : float
        L2 penalty: weight_decay / 2 sum w^2 is added to the minimised loss.
    biases : mapping
        ``{"weight_decay": 0.0}`` for a different penalty of the biases.

    Raises
    ------
    ImportError
        By `fit`, if SciPy is not installed.

    Notes
    -----
    Byrd, Lu, Nocedal and Zhu (1995).  The estimate of the curvature is lost between
    two calls of `fit`.

    Examples
    --------
    >>> import bpcore as bp
    >>> bp.LBFGS(tolerance=1e-8)
    LBFGS(tolerance=1e-08)
    """

    full_batch: ClassVar[bool] = True

    lr: float | Schedule = field(default=1.0, init=False)
    history: int = field(default=10, metadata=POSITIVE_COUNT)
    tolerance: float = field(default=1e-7, metadata=NON_NEGATIVE)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("l1", "decoupled", "clip_value", "clip_norm", "max_norm"):
            if getattr(self, name):
                raise ValueError(f"LBFGS has no {name}; got {getattr(self, name)}")
        for name, value in dict(self.biases).items():
            if name != "weight_decay":
                raise ValueError(f"LBFGS has no {name} of biases; got {value}")
