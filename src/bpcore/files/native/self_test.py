"""Self-test of a file: one input, and the output that its network must give again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.engine.dispatch import kernels
from bpcore.engine.engine import Engine
from bpcore.files.native.container import LARGE
from bpcore.files.native.parallel import Later
from bpcore.training.learner import Learner
from bpcore.warn import warn

#: Names of its arrays.
INPUT, OUTPUT = "self_test.input", "self_test.output"

#: Instruction sets without a fused multiply-add, whose last bits differ.
WITHOUT_FMA = ("x86_64_v2",)

#: Largest difference then, in units of the largest output, per dtype.
TOLERANCE = {"float32": 1e-4, "float64": 1e-12}


def is_exact() -> bool:
    """Whether the kernels in use give the same bits as those of other machines.

    Examples
    --------
    >>> from bpcore.engine import dispatch
    >>> from bpcore.files.native.self_test import is_exact
    >>> with dispatch.using("scalar"):
    ...     print(is_exact())
    True
    """
    return kernels.in_use() not in WITHOUT_FMA


def recorded(learner: Learner, prefix: str = "") -> dict[str, NDArray[Any] | Later]:
    """An input (n_0,) between -1 and 1, and its output (n_L,), by their names.

    The output is that of the compiled engine, whatever the engine of the learner.  Of a
    large network it is computed while the file is written.
    """
    own = Learner(learner.design, learner.state, Engine, 1)
    words = np.random.PCG64(learner.design.sizes[0]).random_raw(learner.design.sizes[0])
    x = (np.asarray(words >> 11, np.float64) * 2.0**-52 - 1).astype(learner.dtype)

    def output() -> Real:
        found: Real = own.outputs(x[None, :])[0]
        return found

    if learner.state.parameters.nbytes < LARGE:
        return {prefix + INPUT: x, prefix + OUTPUT: output()}
    later = Later(output, (learner.design.sizes[-1],), learner.dtype)
    return {prefix + INPUT: x, prefix + OUTPUT: later}


def require_output(
    learner: Learner, x: NDArray[Any], expected: NDArray[Any], exact: bool
) -> None:
    """Raise unless the network computes the expected output of x.

    Bit for bit; or, if it was recorded or is computed without a fused multiply-add,
    within a tolerance, with a warning.

    Raises
    ------
    ValueError
        If the arrays do not fit the network, or the output differs.
    """
    sizes, dtype = learner.design.sizes, learner.dtype
    shapes = (x.shape, expected.shape), (x.dtype, expected.dtype)
    if shapes != (((sizes[0],), (sizes[-1],)), (dtype, dtype)):
        raise ValueError("the self-test must have one input and one output")
    if not np.isfinite(x).all():
        raise ValueError("the input of the self-test must be finite")
    found: Real = learner.outputs(x[None, :])[0]
    nan = np.isnan(found) & np.isnan(expected)  # the signs of NaN differ by processor
    if np.where(nan, 0, found).tobytes() == np.where(nan, 0, expected).tobytes():
        return
    close = _are_close(found, expected)
    if (exact and is_exact()) or not close:
        raise ValueError(
            "the self-test failed: the network computes "
            f"{_short(found)} where the file has {_short(expected)}"
        )
    warn(
        "the self-test of the file passed within a tolerance only: it was written or "
        "is read on a processor without fused multiply-add, whose last bits differ"
    )


def _are_close(found: Real, expected: NDArray[Any]) -> bool:
    if not np.array_equal(np.isfinite(found), np.isfinite(expected)):
        return False
    finite = np.isfinite(expected)
    scale = np.abs(expected[finite]).max(initial=1e-30)
    within = np.abs(found[finite] - expected[finite]) <= TOLERANCE[found.dtype.name] * (
        scale
    )
    return bool(within.all())


def _short(output: NDArray[Any]) -> str:
    values = ", ".join(f"{value:.9g}" for value in output[:3].tolist())
    return f"[{values}{', ...' if len(output) > 3 else ''}]"
