"""TraceCheck: numbers worked out by hand, compared with those of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.errstate import own_errstate
from bpcore.show.html import page, paragraph
from bpcore.tracing.quantities import as_float64, known_name, quantity_names
from bpcore.tracing.rounding import rounding
from bpcore.tracing.slips import ROWS, slips
from bpcore.tracing.step import Step

Array = NDArray[np.float64]

#: Differences between computed numbers that mean nothing.
EXACT = 1e-6


@dataclass(frozen=True, repr=False)
class TraceCheck:
    """Whether numbers worked out by hand are those of a step, and if not, why.

    Attributes
    ----------
    name : str
        The quantity: "delta[0]".
    ok : bool
        Also the truth value of the object.
    message : str
        What is right, or what went wrong; ``print`` shows it.
    difference : float
        The largest difference of a number, relative to the largest of the step's
        numbers; infinite if the shapes differ.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros")
    >>> bp.trace(net, [[3.0], [1.0]], [[2.0], [2.0]]).check("dW[0]", [[-8.0]])
    dW[0] is not right: 1/n is forgotten, n = 2.
    """

    name: str
    ok: bool
    message: str
    difference: float

    def __bool__(self) -> bool:
        return self.ok

    def __repr__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        mark = "\u2713" if self.ok else "\u2717"
        return page(paragraph(f"{mark} {self.message}"))


@own_errstate
def check(step: Step, name: Any, mine: ArrayLike, rtol: Any) -> TraceCheck:
    """Compare numbers with those of a name; if they differ, find the slip."""
    name = known_name(step, name)
    rtol = checks.number("rtol", rtol, above=0.0, below=0.5)
    found = arrays.as_finite("mine", mine, np.dtype(np.float64))
    right = as_float64(quantity_names(step)[name]())
    if found.ndim != right.ndim and found.squeeze().shape == right.squeeze().shape:
        found = found.reshape(right.shape)
    error = _error(found, right)
    if _is_same(found, right, rounding(step, name)):
        return TraceCheck(name, True, f"{name} is right.", error)
    text = _slip(step, name, found, right, error, rtol)
    if text is None and _is_same(found, right, rtol * np.abs(right).max(initial=0.0)):
        return TraceCheck(name, True, f"{name} is right.", error)
    if text is None:
        text = _reordered(found, right, rtol)
    if text is not None:
        return TraceCheck(name, False, f"{name} is not right: {text}.", error)
    return TraceCheck(name, False, _largest(name, found, right, rtol), error)


def _error(mine: Array, other: Array) -> float:
    """The largest difference, relative to the largest number."""
    if mine.shape != other.shape:
        return np.inf
    largest = float(np.abs(other).max(initial=0.0))
    difference = float(np.abs(mine - other).max(initial=0.0))
    if difference == 0:
        return 0.0
    return difference / largest if largest else np.inf


def _slip(
    step: Step, name: str, mine: Array, right: Array, error: float, rtol: float
) -> str | None:
    """The slip whose numbers are nearest, if they are near; of equal ones the first.

    Numbers within rtol of the right ones, too, may be those of a slip, as after a small
    step: then those of the slip must be much nearer.  A slip that changes no more than
    rounding does is none, and zeros are not taken for another quantity.
    """
    most, apart = min(rtol, error / 10), rounding(step, name)
    found = [
        (_error(mine, wrong), text)
        for text, wrong in slips(step, name)
        if wrong.shape != right.shape or np.abs(wrong - right).max(initial=0) > apart
    ]
    if not mine.any():
        found = [
            (error, text) for error, text in found if not text.startswith("this is")
        ]
    found = [(error, text) for error, text in found if error < most]
    if not found:
        return None
    least = min(error for error, _ in found)
    return next(text for error, text in found if error <= max(2 * least, EXACT))


def _is_same(mine: Array, right: Array, apart: float) -> bool:
    """Whether the numbers are the right ones, up to `apart` or the rounding of mine.

    They may be rounded to some digits each, or to some decimals; at least two digits of
    the largest number must be left.
    """
    if mine.shape != right.shape:
        return False
    difference = np.abs(mine - right)
    largest = np.abs(right).max(initial=0.0)
    written = [np.format_float_scientific(x, trim="-") for x in mine.flat]
    parts = [text.lstrip("-").split("e") for text in written]
    exponents = np.reshape([int(exponent) for _, exponent in parts], mine.shape)
    digits = [len(number.replace(".", "")) for number, _ in parts]
    allowed = np.full(mine.shape, apart)
    if (most := max(digits, default=0)) > 1:
        unit = 10.0 ** (exponents - most + 1)
        allowed = np.maximum(allowed, np.where(mine == 0, 0, 0.501 * unit))
    last = [int(e) - n + 1 for n, (_, e) in zip(digits, parts, strict=True)]
    common = 10.0 ** min(last, default=0)
    if 10 * common <= largest:
        allowed = np.maximum(allowed, 0.501 * common)
    return bool((difference <= allowed).all())


def _reordered(mine: Array, right: Array, rtol: float) -> str | None:
    """Whether the rows or the columns are in another order."""
    if mine.shape != right.shape or mine.ndim != 2 or max(mine.shape) > ROWS:
        return None
    for what, x, y in (("rows", mine, right), ("columns", mine.T, right.T)):
        apart = np.abs(x[:, None] - y).max(axis=2)
        nearest = apart.argmin(axis=1)
        near = apart.min(axis=1).max() <= rtol * np.abs(right).max()
        if near and sorted(nearest) == list(range(len(x))):
            return f"the {what} are in another order: {', '.join(map(str, nearest))}"
    return None


def _largest(name: str, mine: Array, right: Array, rtol: float) -> str:
    """Where the largest difference is, or the right shape."""
    if mine.shape != right.shape:
        return (
            f"{name} is not right: it must have shape {right.shape}; got {mine.shape}."
        )
    difference = np.abs(mine - right)
    at = np.unravel_index(int(difference.argmax()), mine.shape)
    wrong = int((difference > rtol * np.abs(right).max()).sum())
    place = f" at [{', '.join(map(str, at))}]" if mine.ndim else ""
    return (
        f"{name} is not right, and no common slip gives these numbers: {wrong} of "
        f"{mine.size} differ by more than rtol = {rtol:g} of the largest number, the "
        f"most{place}: yours is {mine[at]:.6g}, that of the step {right[at]:.6g}."
    )
