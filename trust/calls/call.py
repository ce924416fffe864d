"""Call: a public call with one argument of data left open, and right data for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import bpcore as bp

N, N_IN, N_OUT = 6, 3, 2
X = (np.arange(N * N_IN).reshape(N, N_IN) * 7 % 5 - 1) / 1.0
Y = (np.arange(N * N_OUT).reshape(N, N_OUT) * 5 % 3) / 2.0
LABELS = np.array([0, 1, 1, 0, 1, 0])
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 1.0, 1.0])
ROW, TARGET = X[0], Y[0]


@dataclass(frozen=True)
class Call:
    """A call with one argument left open.

    Parameters
    ----------
    path : str
        Of the function or method, from ``bpcore``.
    argument : str
        Its parameter.
    plain : array
        Right data, in float64 or int64.
    run : callable
        ``run(subject, value)`` returns the result.
    make : callable
        A new subject: a network or an estimator.
    said : str
        A pattern of the names by which messages call the argument; "" if they need not.
    shaped : bool
        Whether other shapes are wrong.
    in_place : bool
        Whether only arrays of the right memory are taken, as by the kernels.
    theirs : bool
        Whether scikit-learn checks the argument, with its own messages.
    arrays_only : bool
        Whether the argument is documented to be an array, which is not checked but for
        its length and for masks.
    written : bool
        Whether the call writes into the argument.
    """

    path: str
    argument: str
    plain: Any
    run: Callable[[Any, Any], Any]
    make: Callable[[], Any] = lambda: None
    said: str | None = None
    shaped: bool = True
    in_place: bool = False
    theirs: bool = False
    arrays_only: bool = False
    written: bool = False

    @property
    def optional(self):
        """Whether None means that the argument is not given."""
        given = ("weight", "gradient", "_val")
        return (
            any(name in self.argument for name in given)
            or self.plain is WEIGHTS
            or self.path.endswith("to_c")
        )

    def __str__(self):
        return f"{self.path}({self.argument})"


def network(kind=bp.Network, **settings):
    """A small network of numbers, with momentum, so that a step leaves traces."""
    given = {"optimizer": bp.SGD(0.01, momentum=0.9), "rng": 0, **settings}
    return kind([N_IN, 4, N_OUT], activation="tanh", **given)


QUIET = {"progress": False, "epochs": 2, "batch_size": 4}
