"""The functions of ``bpcore.graph``, of variables, arrays and numbers."""

from __future__ import annotations

from collections.abc import Sequence

from bpcore.graph.variable import Axis, Operand, Variable, apply


def exp(x: Operand) -> Variable:
    """e^x, element by element; its derivative is itself.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.exp(0.0).value.item()
    1.0
    """
    return apply("exp", x)


def log(x: Operand) -> Variable:
    """The natural logarithm, element by element; its derivative is 1 / x.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.log([1.0]).value
    array([0.])
    """
    return apply("log", x)


def tanh(x: Operand) -> Variable:
    """The hyperbolic tangent, element by element; its derivative is 1 - tanh(x)^2.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.tanh(0.0).value.item()
    0.0
    """
    return apply("tanh", x)


def sigmoid(x: Operand) -> Variable:
    """a = 1 / (1 + e^-x), element by element; its derivative is a (1 - a).

    It does not overflow, however large |x| is.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.sigmoid([-1000.0, 0.0]).value
    array([0. , 0.5])
    """
    return apply("sigmoid", x)


def relu(x: Operand) -> Variable:
    """x above 0, else 0; its derivative is 1 above 0, else 0: at 0 too.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.relu([-1.0, 2.0]).value
    array([0., 2.])
    """
    return apply("relu", x)


def sqrt(x: Operand) -> Variable:
    """The square root, element by element; its derivative is 1 / (2 sqrt(x)).

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.sqrt(9.0).value.item()
    3.0
    """
    return apply("sqrt", x)


def abs(x: Operand) -> Variable:
    """|x|, element by element; its derivative is -1, 0 or 1, the sign of x.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.abs([-2.0, 3.0]).value
    array([2., 3.])
    """
    return apply("abs", x)


def maximum(x: Operand, y: Operand) -> Variable:
    """The larger of both, element by element, which has the derivative 1.

    Where both are equal each has 1/2.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.maximum([1.0, 5.0], 3.0).value
    array([3., 5.])
    """
    return apply("maximum", x, y)


def minimum(x: Operand, y: Operand) -> Variable:
    """The smaller of both, element by element, which has the derivative 1.

    Where both are equal each has 1/2.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.minimum([1.0, 5.0], 3.0).value
    array([1., 3.])
    """
    return apply("minimum", x, y)


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The sum over the axes, all if None; kept with length 1 where `keepdims`.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.sum([[1.0, 2.0], [3.0, 4.0]], axis=0).value
    array([4., 6.])
    """
    return apply("sum", x, axis=axis, keepdims=keepdims)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean over the axes, all if None; kept with length 1 where `keepdims`.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.mean([[1.0, 2.0], [3.0, 4.0]], axis=0).value
    array([2., 3.])
    """
    return apply("mean", x, axis=axis, keepdims=keepdims)


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The maximum over the axes, all if None; kept with length 1 where `keepdims`.

    Where several elements are the maximum they share the derivative equally.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.max([[1.0, 2.0], [3.0, 0.0]], axis=0).value
    array([3., 2.])
    """
    return apply("max", x, axis=axis, keepdims=keepdims)


def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The minimum over the axes, all if None; kept with length 1 where `keepdims`.

    Where several elements are the minimum they share the derivative equally.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.min([[1.0, 2.0], [3.0, 0.0]], axis=0).value
    array([1., 0.])
    """
    return apply("min", x, axis=axis, keepdims=keepdims)


def reshape(x: Operand, shape: int | Sequence[int]) -> Variable:
    """The same elements in another shape; one length may be -1, for what is left.

    Examples
    --------
    >>> from bpcore import graph
    >>> graph.reshape([[1.0, 2.0], [3.0, 4.0]], -1).value
    array([1., 2., 3., 4.])
    """
    return apply("reshape", x, shape=shape)
