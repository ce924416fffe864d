"""Variable: an array of a computation graph."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike

from bpcore import arrays, checks
from bpcore.graph import show
from bpcore.graph.backward import backpropagate, in_order
from bpcore.graph.base import Array, Node, Operation, Vertex
from bpcore.graph.copies import deep_copy, reduced, shallow_copy
from bpcore.graph.dot import dot
from bpcore.graph.drawing import drawing
from bpcore.graph.edge import Edge, edges
from bpcore.graph.evaluate import as_value, compare, evaluate
from bpcore.graph.html import html
from bpcore.graph.numpy_functions import COMPARISONS, FUNCTIONS, UFUNCS, not_supported
from bpcore.graph.operations import OPERATIONS, own_index
from bpcore.graph.path_sum import Index, PathSum, path_sum
from bpcore.quoting import quoted

#: A variable, an array or a number.
Operand = Any

#: The axes of a reduction: one, several, or None for all.
Axis = int | tuple[int, ...] | None


class Variable(Vertex):
    """An array, with the operation and the operands that gave it.

    Operators + - * / ** @ with variables, arrays and numbers on either side, the
    methods, the functions of ``bpcore.graph`` and indexing give new variables.  Shapes
    broadcast as NumPy's do.  Numbers, and arrays of integers, are cast to the dtype of
    the variables they meet: float32 stays float32.  Comparisons give arrays of bool,
    which have no derivative.

    Parameters
    ----------
    value : array-like
        A float32 or float64 array is not copied and must stay unchanged until
        `backward`, as must arrays among the operands and indices; anything else becomes
        float64.
    name : str, optional
        For `show` and `to_dot`.

    Raises
    ------
    TypeError
        If value holds no real numbers, or the name is no string.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> a, b, c = Variable(2.0, "a"), Variable(3.0, "b"), Variable(4.0, "c")
    >>> J = 3 * (a + b * c)
    >>> J.backward()
    >>> J.value.item(), a.grad.item(), b.grad.item(), c.grad.item()
    (42.0, 3.0, 12.0, 9.0)
    """

    __slots__ = ()

    def __init__(self, value: ArrayLike, name: str | None = None) -> None:
        self.node = Node(as_value("value", value))
        self.name = name

    # --- the array --------------------------------------------------------------------

    @property
    def value(self) -> Array:
        """The array; assign another of the same shape where it is not computed.

        Results computed from the variable before do not change.
        """
        return self.node.value

    @value.setter
    def value(self, value: ArrayLike) -> None:
        if self.node.operation is not None:
            raise ValueError(
                f"value must not be assigned to a computed variable; got {quoted(self)}"
            )
        array = as_value("value", value)
        if array.shape != self.shape:
            raise ValueError(f"value must have shape {self.shape}; got {array.shape}")
        self.node.value = arrays.cast(array, self.dtype)

    @property
    def grad(self) -> Array | None:
        """dJ by this variable, of its shape; None until a `backward` reached it."""
        return self.node.grad

    @property
    def name(self) -> str | None:
        """Its name in `show` and `to_dot`; assign any string, or None."""
        return self.node.name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a string; got {quoted(name)}")
        self.node.name = name

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return self.node.value.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.node.value.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.node.value.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.node.value.size

    def __len__(self) -> int:
        return len(self.node.value)

    def __iter__(self) -> Iterator[Variable]:
        return (self[i] for i in range(len(self)))

    # Comparisons are of values, and have no derivative.
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> Any:
        return compare(operator.eq, self, other)

    def __ne__(self, other: object) -> Any:
        return compare(operator.ne, self, other)

    def __lt__(self, other: Operand) -> Any:
        return compare(operator.lt, self, other)

    def __le__(self, other: Operand) -> Any:
        return compare(operator.le, self, other)

    def __gt__(self, other: Operand) -> Any:
        return compare(operator.gt, self, other)

    def __ge__(self, other: Operand) -> Any:
        return compare(operator.ge, self, other)

    def __repr__(self) -> str:
        name = "" if self.name is None else f", name={quoted(self.name)}"
        dtype = "" if self.dtype == np.float64 else f", {self.dtype.name}"
        return f"Variable({show.brief(self.node.value)}{dtype}{name})"

    def _repr_html_(self) -> str:
        return html(self)

    def _repr_svg_(self) -> str:
        return drawing(self)

    def item(self) -> float:
        """The value as a float, if it is one number.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([[2.5]]).item()
        2.5
        """
        return float(self.node.value.item())

    __float__ = item

    def __bool__(self) -> bool:
        raise TypeError("a Variable is neither true nor false: compare its .value")

    # --- NumPy's functions ------------------------------------------------------------

    def __array__(self, *_: Any, **__: Any) -> Array:
        raise TypeError("a Variable is not an array; use its .value")

    def __array_ufunc__(
        self, function: Any, method: str, *operands: Any, **options: Any
    ) -> Any:
        """``np.exp(x)``, and operators with an array on their left."""
        if function in COMPARISONS and method == "__call__" and not options:
            return compare(function, *operands)
        name = UFUNCS.get(function)
        if name is None or method != "__call__" or options:
            raise TypeError(not_supported(function.__name__))
        return apply(name, *operands)

    def __array_function__(
        self, function: Any, types: Any, operands: Any, options: Any
    ) -> Variable:
        """``np.sum(x, axis=0)`` and the like."""
        name = FUNCTIONS.get(function)
        if name is None:
            raise TypeError(not_supported(function.__name__))
        method: Callable[..., Variable] = getattr(Variable, name)
        return method(*operands, **options)

    # --- derivatives ------------------------------------------------------------------

    def backward(self, gradient: ArrayLike | None = None) -> None:
        """Backpropagation: set ``grad`` to dJ/dx of every variable that J depends on.

        From J back to the leaves, with v the result of an operation on x::

            dJ/dx = sum over all v that x is an operand of:  dJ/dv dv/dx

        Every call begins anew: it does not add to earlier gradients.  Networks in the
        graph get their ``stored_gradients`` too.

        Parameters
        ----------
        gradient : array-like of J's shape, optional
            dE/dJ, for a scalar E that depends on J; all gradients are then those of E.

        Raises
        ------
        ValueError
            If J has several elements and no gradient is given, or one of another shape.
        RuntimeError
            If a network was trained since its node was made.  Nothing has changed.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable([1.0, 2.0, 3.0])
        >>> (x**2).sum().backward()
        >>> x.grad
        array([2., 4., 6.])
        """
        if gradient is not None:
            seed = arrays.cast(arrays.as_array("gradient", gradient), self.dtype)
            if seed.shape != self.shape:
                raise ValueError(
                    f"gradient must have shape {self.shape}; got {seed.shape}"
                )
        elif self.size == 1:
            seed = np.ones(self.shape, self.dtype)
        else:
            raise ValueError(
                "backward() must begin at one element, or be given a gradient of shape "
                f"{self.shape}; got none"
            )
        backpropagate(self, seed)

    @property
    def edges(self) -> tuple[Edge[Variable], ...]:
        """An `Edge` from each operand that is a variable."""
        return edges(self)

    def show(self, file: TextIO | None = None, *, all: bool = False) -> None:
        """Print the graph as a table, in the order of its evaluation.

        Each row has a variable's name, value, operation, the derivatives of its value
        by its operands, and dJ by it if `backward` was called.  Small arrays are shown
        whole, others as shape and norm.  Variables without a name are v1, v2, ...; the
        last is J.  Of more than 40 variables the first and the last are shown.

        Parameters
        ----------
        file : text file, optional
            Standard output by default.
        all : bool
            Every variable, however many there are.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> a, b, c = Variable(2.0, "a"), Variable(3.0, "b"), Variable(4.0, "c")
        >>> J = 3 * (a + b * c)
        >>> J.backward()
        >>> J.show()
        name  value  operation  local derivatives           dJ/d(name)
        a     2                                             3
        b     3                                             12
        c     4                                             9
        v1    12     b * c      dv1/db = 4, dv1/dc = 3      3
        v2    14     a + v1     dv2/da = 1, dv2/dv1 = 1     3
        J     42     3 * v2     dJ/dv2 = 3                  1
        """
        order = in_order(self)
        most = {"most": math.inf} if checks.boolean("all", all) else {}
        print(show.table(order, **most), file=file)

    def to_dot(self, *, all: bool = False) -> str:
        r"""The graph in Graphviz's language, for ``dot -Tsvg``.

        Nodes have name, operation, value, and dJ by them if `backward` was called;
        edges have the local derivatives.  Numbers have four digits.  Arrays are tables
        of at most 6 rows and columns, the middle left out, coloured red above 0 and
        blue below.  Of more than 200 variables the first and the last are shown, and
        one node for all others.

        Parameters
        ----------
        all : bool
            A node for every variable, however many there are.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> print((2 * Variable(3.0, "x")).to_dot())
        digraph {
          rankdir=LR;
          node [shape=box];
          n0 [label="x\n3"];
          n1 [label="J = 2 * x\n6"];
          n0 -> n1 [label="2"];
        }
        """
        most = {"most": math.inf} if checks.boolean("all", all) else {}
        return dot(in_order(self), **most)

    def to_svg(self) -> str:
        """The graph as a drawing in SVG, which notebooks show; no program is needed.

        It has what `to_dot` has.  Edges run from left to right; if that is wider than
        1000 pixels, down where that is narrower.  Of more than 100 variables there is
        no drawing, but a line that says so.  The text is ASCII; in a page it takes the
        page's colour, and a file of its own is light or dark as the reader's system is.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> J = 2 * Variable(3.0, "x")
        >>> J.to_svg().count("<rect")
        2
        """
        return drawing(self)

    def paths(self, a: Variable, at: Index | None = None) -> PathSum:
        """All paths from `a` to this result J, each with its product of derivatives.

        With v1, v2, ... the variables on a path::

            dJ/da = sum over all paths from a to J:  dv1/da dv2/dv1 ... dJ/dvk

        Of arrays the factors are Jacobians, multiplied from J back, and a product has
        the shape of `a`.  With `at`, the paths lead from one element of `a` through
        single elements of all arrays, and every factor is a number; paths through a
        derivative 0 of an operation that is not elementwise are left out.

        Parameters
        ----------
        a : Variable
        at : int or tuple of int, optional
            The index of an element of `a`.

        Returns
        -------
        PathSum
            ``print`` shows the first 12 paths and the sum; paths are counted without
            following each, since their number may be exponential.

        Raises
        ------
        ValueError
            If J has several elements, if `at` has not one index for each axis, or if
            paths of elements need Jacobians of more than 10**7 elements together.
        IndexError
            If `at` is out of range.
        RuntimeError
            If a network was trained since its node was made.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable(3.0, "x")
        >>> J = x * (x + 2)
        >>> print(J.paths(x))
        dJ/dx along 2 paths
          x -> v1 -> J: 1 * 3 = 3
          x -> J: 5
        sum of 2 paths  = 8
        backpropagation = 8

        Of one weight, through the elements of all arrays:

        >>> W = Variable([[1.0, 2.0], [3.0, 4.0]], "W")
        >>> E = ((W @ [1.0, -1.0]) ** 2).sum()
        >>> print(E.paths(W, at=(0, 1)))
        dJ/dW[0, 1] along 1 path
          W[0, 1] -> v1[0] -> v2[0] -> J: (-1) * (-2) * 1 = 2
        sum of 1 path   = 2
        backpropagation = 2
        """
        checks.instance("a", a, Variable)
        return path_sum(self, a, at)

    # --- copies, of graphs of any depth -----------------------------------------------

    def __copy__(self) -> Variable:
        return shallow_copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        return deep_copy(self, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)

    # --- operators --------------------------------------------------------------------

    def __add__(self, other: Operand) -> Variable:
        return apply("add", self, other)

    def __radd__(self, other: Operand) -> Variable:
        return apply("add", other, self)

    def __sub__(self, other: Operand) -> Variable:
        return apply("subtract", self, other)

    def __rsub__(self, other: Operand) -> Variable:
        return apply("subtract", other, self)

    def __mul__(self, other: Operand) -> Variable:
        return apply("multiply", self, other)

    def __rmul__(self, other: Operand) -> Variable:
        return apply("multiply", other, self)

    def __truediv__(self, other: Operand) -> Variable:
        return apply("divide", self, other)

    def __rtruediv__(self, other: Operand) -> Variable:
        return apply("divide", other, self)

    def __pow__(self, other: Operand) -> Variable:
        return apply("power", self, other)

    def __rpow__(self, other: Operand) -> Variable:
        return apply("power", other, self)

    def __matmul__(self, other: Operand) -> Variable:
        return apply("matmul", self, other)

    def __rmatmul__(self, other: Operand) -> Variable:
        return apply("matmul", other, self)

    def __neg__(self) -> Variable:
        return apply("negative", self)

    def __abs__(self) -> Variable:
        return apply("abs", self)

    def __getitem__(self, index: Any) -> Variable:
        return apply("take", self, index=own_index(index))

    # --- functions --------------------------------------------------------------------

    def exp(self) -> Variable:
        """e^x, as ``graph.exp``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable(0.0)
        >>> J = x.exp()
        >>> J.backward()
        >>> J.item(), x.grad
        (1.0, array(1.))
        """
        return apply("exp", self)

    def log(self) -> Variable:
        """The natural logarithm, as ``graph.log``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable(1.0)
        >>> J = x.log()
        >>> J.backward()
        >>> J.item(), x.grad
        (0.0, array(1.))
        """
        return apply("log", self)

    def tanh(self) -> Variable:
        """tanh(x), as ``graph.tanh``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable(0.0)
        >>> J = x.tanh()
        >>> J.backward()
        >>> J.item(), x.grad
        (0.0, array(1.))
        """
        return apply("tanh", self)

    def sigmoid(self) -> Variable:
        """1 / (1 + e^-x), as ``graph.sigmoid``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable(0.0)
        >>> J = x.sigmoid()
        >>> J.backward()
        >>> J.item(), x.grad
        (0.5, array(0.25))
        """
        return apply("sigmoid", self)

    def relu(self) -> Variable:
        """x above 0, else 0, as ``graph.relu``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable([-1.0, 2.0])
        >>> J = x.relu().sum()
        >>> J.backward()
        >>> J.item(), x.grad
        (2.0, array([0., 1.]))
        """
        return apply("relu", self)

    def sqrt(self) -> Variable:
        """The square root, as ``graph.sqrt``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable(4.0)
        >>> J = x.sqrt()
        >>> J.backward()
        >>> J.item(), x.grad
        (2.0, array(0.25))
        """
        return apply("sqrt", self)

    def abs(self) -> Variable:
        """|x|, as ``graph.abs``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> x = Variable([-1.0, 2.0])
        >>> J = x.abs().sum()
        >>> J.backward()
        >>> J.item(), x.grad
        (3.0, array([-1.,  1.]))
        """
        return apply("abs", self)

    def maximum(self, other: Operand) -> Variable:
        """The larger of both, as ``graph.maximum``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([1.0, 4.0]).maximum(2.0).value
        array([2., 4.])
        """
        return apply("maximum", self, other)

    def minimum(self, other: Operand) -> Variable:
        """The smaller of both, as ``graph.minimum``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([1.0, 4.0]).minimum(2.0).value
        array([1., 2.])
        """
        return apply("minimum", self, other)

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """The sum over all axes or some, as ``graph.sum``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([[1.0, 2.0], [3.0, 4.0]]).sum(axis=1).value
        array([3., 7.])
        """
        return apply("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """The mean over all axes or some, as ``graph.mean``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([[1.0, 2.0], [3.0, 4.0]]).mean(axis=0).value
        array([2., 3.])
        """
        return apply("mean", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """The maximum over all axes or some, as ``graph.max``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([[1.0, 2.0], [3.0, 4.0]]).max().item()
        4.0
        """
        return apply("max", self, axis=axis, keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Variable:
        """The minimum over all axes or some, as ``graph.min``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([[1.0, 2.0], [3.0, 4.0]]).min(axis=0, keepdims=True).value
        array([[1., 2.]])
        """
        return apply("min", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int | Sequence[int]) -> Variable:
        """The same elements in another shape, as ``graph.reshape``.

        Examples
        --------
        >>> from bpcore.graph import Variable
        >>> Variable([1.0, 2.0, 3.0, 4.0]).reshape(2, 2).value
        array([[1., 2.],
               [3., 4.]])
        """
        whole = shape[0] if len(shape) == 1 else shape
        return apply("reshape", self, shape=whole)

    @property
    def T(self) -> Variable:
        """The axes in reverse order."""
        return apply("transpose", self)


def apply(operation: str | Operation, *operands: Operand, **options: Any) -> Variable:
    """The result of an operation as a variable."""
    if isinstance(operation, str):
        operation = OPERATIONS[operation]
    result = Variable.__new__(Variable)
    result.node = evaluate(operation, operands, options)
    return result
