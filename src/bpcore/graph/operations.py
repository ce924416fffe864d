"""The table of operations: notation, value, and derivative by each operand.

They take and return arrays.  An elementwise operation has local derivatives, element by
element::

    (result, *operands) -> d result / d operand

The others have a vector-Jacobian product for each operand, of g = dJ/d result::

    (g, result, *operands, **options) -> dJ/d operand
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from bpcore import checks
from bpcore.graph.base import Array, Function, Operation
from bpcore.quoting import quoted


@dataclass(frozen=True)
class Tabled(Operation):
    """An operation of the tables below.

    Attributes
    ----------
    derivatives : tuple of callables
        One for each operand.
    """

    written: str
    value: Function
    derivatives: tuple[Function, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its name, so that it is the operation of the table again."""
        names = (name for name, each in OPERATIONS.items() if each is self)
        return operation_named, (next(names),)


class Elementwise(Tabled):
    """An operation on each element, after broadcasting."""

    def pull(self, i: int, g: Array, v: Array, operands: Any, options: Any) -> Array:
        return summed_back(g * self.local(i, v, operands), operands[i].shape)

    def local(self, i: int, v: Array, operands: Any) -> Array:
        """The derivative of each element, in a shape that broadcasts to that of v."""
        return np.asarray(self.derivatives[i](v, *operands), v.dtype)

    def derivative_shape(self, v: Array, x: Array) -> tuple[int, ...]:
        return v.shape

    def derivative(self, i: int, v: Array, operands: Any, options: Any) -> Array:
        """The derivative of each element of v by the element of x that gave it."""
        local = np.broadcast_to(self.local(i, v, operands), v.shape)
        return local.astype(operands[i].dtype)


class ArrayOperation(Tabled):
    """An operation on whole arrays, with its vector-Jacobian products."""

    def pull(self, i: int, g: Array, v: Array, operands: Any, options: Any) -> Array:
        return np.asarray(self.derivatives[i](g, v, *operands, **options))


def summed_back(g: Array, shape: tuple[int, ...]) -> Array:
    """The sum of g over the axes along which broadcasting repeated an array."""
    g = np.asarray(g)
    if g.shape == shape:
        return np.asarray(g + 0)  # no -0, as in a sum
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    repeated = [k for k, n in enumerate(shape) if n == 1 and g.shape[k] != 1]
    return g.sum(axis=tuple(repeated), keepdims=True) if repeated else g


# --- elementwise ----------------------------------------------------------------------


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), computed without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def power_by_base(v: Array, a: Array, b: Array) -> Array:
    """b a^(b-1), and 0 for b = 0 and any a"""
    return np.where(b == 0, 0, b * a ** np.where(b == 0, 1, b - 1))


def power_by_exponent(v: Array, a: Array, b: Array) -> Array:
    """a^b log(a), and its limit 0 for a = 0 < b"""
    zero = (a == 0) & (b > 0)
    return np.where(zero, 0, v * np.log(np.where(zero, 1, a)))


def extreme_derivative(v: Array, x: Array, other: Array) -> Array:
    """1 where x is the result, 1/2 where both operands are"""
    return np.where(x == v, np.where(other == v, 0.5, 1), 0)


ELEMENTWISE = {
    "add": Elementwise("{} + {}", np.add, (lambda v, a, b: 1, lambda v, a, b: 1)),
    "subtract": Elementwise(
        "{} - {}", np.subtract, (lambda v, a, b: 1, lambda v, a, b: -1)
    ),
    "multiply": Elementwise(
        "{} * {}", np.multiply, (lambda v, a, b: b, lambda v, a, b: a)
    ),
    "divide": Elementwise(
        "{} / {}", np.divide, (lambda v, a, b: 1 / b, lambda v, a, b: -v / b)
    ),
    "power": Elementwise("{} ** {}", np.power, (power_by_base, power_by_exponent)),
    "maximum": Elementwise(
        "maximum({}, {})",
        np.maximum,
        (extreme_derivative, lambda v, a, b: extreme_derivative(v, b, a)),
    ),
    "minimum": Elementwise(
        "minimum({}, {})",
        np.minimum,
        (extreme_derivative, lambda v, a, b: extreme_derivative(v, b, a)),
    ),
    "negative": Elementwise("-{}", np.negative, (lambda v, x: -1,)),
    "exp": Elementwise("exp({})", np.exp, (lambda v, x: v,)),
    "log": Elementwise("log({})", np.log, (lambda v, x: 1 / x,)),
    "tanh": Elementwise("tanh({})", np.tanh, (lambda v, x: 1 - v * v,)),
    "sigmoid": Elementwise("sigmoid({})", sigmoid, (lambda v, x: v * (1 - v),)),
    "relu": Elementwise("relu({})", lambda x: np.maximum(x, 0), (lambda v, x: x > 0,)),
    "sqrt": Elementwise("sqrt({})", np.sqrt, (lambda v, x: 0.5 / v,)),
    "abs": Elementwise("abs({})", np.abs, (lambda v, x: np.sign(x),)),
}


# --- reductions -----------------------------------------------------------------------


def with_axes(g: Array, x: Array, axis: Any) -> Array:
    """A reduction of x, or its derivative, with length 1 for the axes reduced."""
    every = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    return g.reshape([1 if k in every else n for k, n in enumerate(x.shape)])


def reduction(function: Callable[..., Array]) -> Callable[..., Array]:
    """A function of NumPy over axes that x must have: sum(1.0, axis=0) has none."""

    def reduced(x: Array, axis: Any, keepdims: bool) -> Array:
        checks.boolean("keepdims", keepdims)
        try:
            if axis is not None:
                normalize_axis_tuple(axis, np.ndim(x))
        except (TypeError, OverflowError) as error:
            raise TypeError(
                f"axis must be None, a whole number or several; got {quoted(axis)}"
            ) from error
        return function(x, axis=axis, keepdims=bool(keepdims))

    return reduced


def sum_back(g: Array, v: Array, x: Array, axis: Any, keepdims: bool) -> Array:
    """g for each element summed"""
    return np.broadcast_to(with_axes(g, x, axis), x.shape)


def mean_back(g: Array, v: Array, x: Array, axis: Any, keepdims: bool) -> Array:
    """g / count for each"""
    count = x.size // max(v.size, 1)
    return np.broadcast_to(with_axes(g, x, axis), x.shape) / max(count, 1)


def extreme_back(g: Array, v: Array, x: Array, axis: Any, keepdims: bool) -> Array:
    """g for the extreme element, divided equally if there are several"""
    extreme = x == with_axes(v, x, axis)
    shared = extreme.sum(axis=axis, keepdims=True, dtype=x.dtype)
    return np.where(extreme, with_axes(g, x, axis) / shared, 0)


# --- products and indexing ------------------------------------------------------------


def matmul_back(i: int, g: Array, a: Array, b: Array) -> Array:
    """g b^T or a^T g, of matrices, stacks of them, and vectors as rows and columns"""
    A = a[None, :] if a.ndim == 1 else a
    B = b[:, None] if b.ndim == 1 else b
    g = np.expand_dims(g, -1) if b.ndim == 1 else g
    g = np.expand_dims(g, -2) if a.ndim == 1 else g
    if i == 0:
        back, whole, shape = g @ np.swapaxes(B, -1, -2), A, a.shape
    else:
        back, whole, shape = np.swapaxes(A, -1, -2) @ g, B, b.shape
    return summed_back(back, whole.shape).reshape(shape)


class Take(ArrayOperation):
    """An index: its derivative touches the elements taken, and no others."""

    def add(
        self, total: Array, i: int, g: Array, v: Array, operands: Any, options: Any
    ) -> None:
        index = options["index"]
        if _is_basic(index):
            total[index] += g
        else:
            np.add.at(total, index, g)


def take_back(g: Array, v: Array, x: Array, index: Any) -> Array:
    """g at the indices taken, summed where one was taken several times"""
    back = np.zeros_like(x)
    if _is_basic(index):
        back[index] = g
    else:
        np.add.at(back, index, g)
    return back


def own_index(index: Any) -> Any:
    """The index, copied if it has arrays or lists, which may change before `pull`.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.graph.operations import own_index
    >>> rows = np.array([0, 2])
    >>> own_index(rows) is rows, own_index((0, slice(1, 3)))
    (False, (0, slice(1, 3, None)))
    """
    if isinstance(index, tuple):
        return tuple(map(own_index, index))
    return copy.deepcopy(index) if isinstance(index, list | np.ndarray) else index


def _is_basic(index: Any) -> bool:
    """Whether an index is basic, so that no element is taken twice."""
    return all(map(_is_basic_part, index if isinstance(index, tuple) else (index,)))


def _is_basic_part(part: Any) -> bool:
    """Whether a part of an index is basic."""
    whole = isinstance(part, int | np.integer) and not isinstance(part, bool)
    return whole or part is None or isinstance(part, slice | EllipsisType)


ON_ARRAYS = {
    "sum": ArrayOperation("sum({}{options})", reduction(np.sum), (sum_back,)),
    "mean": ArrayOperation("mean({}{options})", reduction(np.mean), (mean_back,)),
    "max": ArrayOperation("max({}{options})", reduction(np.max), (extreme_back,)),
    "min": ArrayOperation("min({}{options})", reduction(np.min), (extreme_back,)),
    "matmul": ArrayOperation(
        "{} @ {}",
        np.matmul,
        (
            lambda g, v, a, b: matmul_back(0, g, a, b),
            lambda g, v, a, b: matmul_back(1, g, a, b),
        ),
    ),
    "take": Take("{}[{options}]", lambda x, index: x[index], (take_back,)),
    "reshape": ArrayOperation(
        "reshape({}, {options})",
        lambda x, shape: x.reshape(shape),
        (lambda g, v, x, shape: g.reshape(x.shape),),
    ),
    "transpose": ArrayOperation("{}.T", np.transpose, (lambda g, v, x: g.T,)),
}

OPERATIONS: dict[str, Operation] = {**ELEMENTWISE, **ON_ARRAYS}


def operation_named(name: str) -> Operation:
    """The operation of the tables that has this name."""
    return OPERATIONS[checks.one_of("operation", name, OPERATIONS)]
