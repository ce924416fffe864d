"""Numerical derivatives: central differences and the complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.errstate import own_errstate

#: Default step h of a central difference.
CENTRAL_STEP = 1e-6

#: Default step h of the complex step: in float64 the error h^2 is negligible.
COMPLEX_STEP = 1e-20

METHODS = ("central", "complex")


def numerical_gradient(
    f: Callable[[NDArray[Any]], Any],
    x: ArrayLike,
    eps: float | None = None,
    *,
    scaled: bool = False,
    method: str = "central",
) -> NDArray[np.float64]:
    """The derivatives of f by each element of x, from values of f only.

    With e_i the unit vector of element i and h its step::

        central    df/dx_i = (f(x + h e_i) - f(x - h e_i)) / 2h + O(h^2)
        complex    df/dx_i = Im f(x + i h e_i) / h + O(h^2)

    The central difference is divided by the distance between the two rounded arguments,
    not by 2h.  Its error has two parts: the truncation error h^2 f''' / 6, and the
    rounding error, the relative error of f times f / h.  A smaller h decreases the
    first and increases the second; they are about equal near the cube root of the
    machine epsilon, 6e-6 in float64 and 5e-3 in float32.  The complex step has no
    subtraction, so h can be so small that the result is exact to rounding.

    For float32 use ``scaled=True``: there the default step of 1e-6 gives only one or
    two correct digits.

    Parameters
    ----------
    f : callable
        Called with an array of the shape of x, a new one each time; returns a number.
    x : array-like of any shape
        Point at which to differentiate; not changed.  The central difference computes
        in float32 if x has that dtype, else in float64.
    eps : float, optional
        The step h.  By default 1e-6 for the central difference, or with `scaled` the
        cube root of the machine epsilon of x's dtype; 1e-20 for the complex step.
    scaled : bool
        Whether the step is relative for large elements: h = eps max(1, abs(x_i)).
    method : "central" or "complex"
        For the complex step f is called with a complex128 array.  It must be analytic,
        and use only operations defined for complex numbers: no abs, max or comparison.

    Returns
    -------
    array of float64, shaped like x

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; if f does not return one finite number, for
        the complex step a complex one; or if eps is so small for the dtype of x that
        adding a step does not change an element.

    Notes
    -----
    It costs two evaluations of f per element of x, or one with the complex step.
    Backpropagation computes all derivatives of a network's loss in the time of about
    three evaluations, for any number of parameters.

    References
    ----------
    Squire and Trapp, Using complex variables to estimate derivatives of real functions,
    SIAM Review 40 (1998).

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> bp.numerical_gradient(lambda x: x[0] ** 2 * x[1], [3.0, 5.0]).round(6)
    array([30.,  9.])
    >>> slope = bp.numerical_gradient(np.exp, 1.0, method="complex")
    >>> bool(abs(slope - np.e) < 1e-15)
    True
    """
    if not callable(f):
        raise TypeError(f"f must be callable; got {type(f).__name__}")
    array = arrays.as_array("x", x)
    dtype = np.dtype(np.float32 if array.dtype == np.float32 else np.float64)
    array = arrays.as_finite("x", array, dtype).copy()  # f may write to x
    method = checks.one_of("method", method, METHODS)
    scaled = checks.boolean("scaled", scaled)
    if eps is not None:
        eps = checks.number("eps", eps, above=0.0)
    differences = _central if method == "central" else _complex_step
    return differences(f, array, eps, scaled)


def _central(
    f: Callable[[NDArray[Any]], Any], x: NDArray[Any], eps: float | None, scaled: bool
) -> NDArray[np.float64]:
    """(f(x + h e_i) - f(x - h e_i)) / (distance of the arguments) for every i."""
    if eps is None:
        eps = float(np.finfo(x.dtype).eps) ** (1 / 3) if scaled else CENTRAL_STEP
    above, below = _two_sides(x, eps, scaled)
    rise = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        rise[i] = _value(f, x, i, above[i]) - _value(f, x, i, below[i])
    return _quotients(rise, above, below)


def _complex_step(
    f: Callable[[NDArray[Any]], Any], x: NDArray[Any], eps: float | None, scaled: bool
) -> NDArray[np.float64]:
    """Im f(x + i h e_i) / h for every i."""
    h = _steps(x, COMPLEX_STEP if eps is None else eps, scaled)
    x = x.astype(np.complex128)
    imaginary = np.empty(x.shape)
    for i in np.ndindex(x.shape):
        imaginary[i] = _value(f, x, i, complex(x[i].real, h[i])).imag
    return _quotients(imaginary, h)


@own_errstate
def _quotients(
    rise: NDArray[np.float64], above: NDArray[Any], below: NDArray[Any] | float = 0.0
) -> NDArray[np.float64]:
    """rise / (above - below), each element in float64."""
    return np.asarray(rise / (above.astype(np.float64) - below))


@own_errstate
def _steps(x: NDArray[Any], eps: float, scaled: bool) -> NDArray[np.float64]:
    """The step of every element."""
    if not scaled:
        return np.full(x.shape, eps)
    return eps * np.maximum(1.0, np.abs(x.astype(np.float64)))


@own_errstate
def _two_sides(
    x: NDArray[Any], eps: float, scaled: bool
) -> tuple[NDArray[Any], NDArray[Any]]:
    """x + h and x - h; raises if either is x after rounding."""
    h = _steps(x, eps, scaled)
    above, below = (x + h).astype(x.dtype), (x - h).astype(x.dtype)
    vanishes = (above == x) | (below == x)
    if vanishes.any():
        at = _first(vanishes)
        advice = "take a larger eps" if scaled else "take a larger eps, or scaled=True"
        raise ValueError(
            f"eps must not be lost by rounding: adding {eps:g} does not change "
            f"{x[at]:g} at {list(at)} in {x.dtype.name}; {advice}"
        )
    beyond = ~np.isfinite(above.astype(np.float64) - below)
    if beyond.any():
        at = _first(beyond)
        raise ValueError(
            f"x must stay finite in {x.dtype.name} when a step is added; got "
            f"{x[at]:g} at {list(at)}"
        )
    return above, below


def _first(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    """The index of its first true element."""
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _value(
    f: Callable[[NDArray[Any]], Any], x: NDArray[Any], i: tuple[int, ...], x_i: Any
) -> Any:
    """f(x) with element i replaced by x_i, checked to be one finite number."""
    point = x.copy()
    point[i] = x_i
    value = np.asarray(f(point))
    if value.shape != ():
        raise ValueError(f"f must return one number; got an array {value.shape}")
    kinds, kind = ("c", "complex") if x.dtype.kind == "c" else ("fiub", "real")
    if value.dtype.kind not in kinds:
        advice = ""
        if x.dtype.kind == "c" and value.dtype.kind in "fiub":
            advice = " (it drops the imaginary part; take method='central')"
        raise TypeError(f"f must return a {kind} number; got {value.dtype}{advice}")
    if not np.isfinite(value):
        raise ValueError(
            f"f must be finite around x; got {value} with {x_i} at {list(i)}"
        )
    return value.item()
