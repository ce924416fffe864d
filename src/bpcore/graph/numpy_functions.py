"""NumPy's functions that take variables, and the operation of each."""

from __future__ import annotations

import numpy as np

from bpcore.graph.operations import OPERATIONS

#: Elementwise functions, and the operation of each.
UFUNCS = {
    getattr(np, name): name
    for name in OPERATIONS
    if isinstance(getattr(np, name, None), np.ufunc)
}
COMPARISONS = {np.equal, np.not_equal, np.less, np.less_equal}
COMPARISONS |= {np.greater, np.greater_equal}
FUNCTIONS = {
    np.sum: "sum",
    np.mean: "mean",
    np.max: "max",
    np.min: "min",
    np.reshape: "reshape",
}


def not_supported(function: str) -> str:
    """The message for any other function."""
    known = sorted({function.__name__ for function in (*UFUNCS, *FUNCTIONS)})
    return (
        f"np.{function} with these arguments is no operation of bpcore.graph, of "
        f"NumPy's it has {', '.join(known)}; for a number without derivatives take "
        ".value"
    )
