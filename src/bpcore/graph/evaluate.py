"""Evaluation of operations on variables, arrays and numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bpcore import arrays
from bpcore.errstate import own_errstate
from bpcore.graph.base import Array, Node, Operation, Vertex
from bpcore.warn import warn


def evaluate(
    operation: Operation, operands: Sequence[Any], options: dict[str, Any]
) -> Node:
    """The node of the result of an operation.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.evaluate import evaluate
    >>> from bpcore.graph.operations import OPERATIONS
    >>> evaluate(OPERATIONS["add"], [Variable(1.0), 2], {}).value
    array(3.)
    """
    dtypes = {x.node.value.dtype for x in operands if isinstance(x, Vertex)}
    dtype = dtypes.pop() if dtypes else np.dtype(np.float64)
    for other in dtypes:
        dtype = np.promote_types(dtype, other)
    known = [x if isinstance(x, Vertex) else constant(x, dtype) for x in operands]
    values = tuple(map(value_of, known))
    result = as_value("value", _value(operation, values, options))
    if result.ndim == 2:
        warn_of_pairs(known, result)
    return Node(result, None, operation, tuple(known), values, options)


@own_errstate
def _value(operation: Operation, values: Any, options: dict[str, Any]) -> Any:
    return operation.value(*values, **options)


@own_errstate
def compare(function: Callable[[Any, Any], Any], x: Any, y: Any) -> Any:
    """A comparison of values, which has no derivative.

    Examples
    --------
    >>> import operator
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.evaluate import compare
    >>> bool(compare(operator.lt, Variable(1.0), 2.0))
    True
    """
    return function(value_of(x), value_of(y))


def value_of(x: Any) -> Any:
    """The value of a variable; any other object itself."""
    return x.node.value if isinstance(x, Vertex) else x


def as_value(name: str, value: ArrayLike) -> Array:
    """`value` as an array of float32 or float64, itself if it is one.

    Examples
    --------
    >>> from bpcore.graph.evaluate import as_value
    >>> as_value("x", [1, 2])
    array([1., 2.])
    """
    if isinstance(value, Vertex):
        raise TypeError(f"{name} must be an array or a number; got a Variable")
    array = arrays.as_array(name, value)
    real = array.dtype in arrays.LARGEST
    return array if real else arrays.cast(array, np.dtype(np.float64))


def constant(value: Any, dtype: np.dtype[Any]) -> Array:
    """An operand that is not a variable, as an array.

    Numbers, and arrays of other dtypes than float32 and float64, are cast to `dtype`.
    """
    array = arrays.as_array("operand", value)
    keeps = array.ndim and array.dtype in arrays.LARGEST
    return array if keeps or array.dtype == dtype else arrays.cast(array, dtype)


def warn_of_pairs(operands: Sequence[Any], result: Array) -> None:
    """Warn where outputs (n, 1) of a network and targets (n,) broadcast to (n, n).

    Every output is then paired with the target of every row, which is never intended.
    """
    for x in operands:
        if isinstance(x, Vertex) and x.node.operation and x.node.operation.is_network:
            shape = x.node.value.shape
            n, others = (
                shape[0],
                [np.shape(value_of(o)) for o in operands if o is not x],
            )
            if n > 1 and (shape, others, result.shape) == ((n, 1), [(n,)], (n, n)):
                warn(
                    f"({n}, 1) outputs of a network and ({n},) targets give an array "
                    f"({n}, {n}): reshape the targets to ({n}, 1)"
                )
