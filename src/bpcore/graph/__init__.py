"""A computation graph over NumPy arrays, for derivatives of any expression.

    from bpcore.graph import Variable
    a, b, c = Variable(2.0, "a"), Variable(3.0, "b"), Variable(4.0, "c")
    J = 3 * (a + b * c)
    J.backward()              # a.grad is 3, b.grad 3 c, c.grad 3 b
    J.show()                  # every value and derivative in a table

`Variable` holds an array and how it was computed; ``backward`` is backpropagation from
a result to everything it was computed from (reverse mode).  NumPy's functions work on
it too: ``np.exp(a)`` is ``graph.exp(a)``.  Each `Edge` has its local derivative,
``J.paths(a)`` every path from a to J with the product along it, and ``J.to_svg()`` is a
drawing.  A network is a node as well: ``net.node(x)`` runs its kernels forward and
backward, and stores the gradients by its parameters in ``net.stored_gradients``.

It is meant for learning, for custom losses, and as a check that shares no code with the
kernels; it is slow.  Each file of the source imports only from those below it::

    network           a network as an operation
    functions         exp, sum, ...: of variables, arrays and numbers
    variable          Variable: operators, functions, backward
    html              what a notebook shows: the drawing, and the table
    path_sum          PathSum: a derivative as the sum over all paths
    path              Path: one path, and the product along it
    routes            the links between two variables, and the number of paths
    drawing           the graph as SVG
    svg               parts of a box as SVG
    positions         layered layout: coordinates
    ranks             layered layout: ranks, and the order within each
    dot               Graphviz's language
    box               what a drawing shows of a variable and of an edge
    show              the table, and names of variables and operations
    grid              arrays as small tables
    edge              Edge: a local derivative
    copies            copies and pickles of graphs of any depth
    backward          the backward pass
    evaluate          operations on variables, arrays and numbers
    numpy_functions   NumPy's functions that are operations
    operations        the table of operations: value and derivatives, arrays in and out
    base              Node, an array with its operation and operands; Operation
"""

from bpcore.graph.edge import Edge
from bpcore.graph.functions import (
    abs,
    exp,
    log,
    max,
    maximum,
    mean,
    min,
    minimum,
    relu,
    reshape,
    sigmoid,
    sqrt,
    sum,
    tanh,
)
from bpcore.graph.path import Path
from bpcore.graph.path_sum import PathSum
from bpcore.graph.variable import Variable

__all__ = [
    "Edge",
    "Path",
    "PathSum",
    "Variable",
    "abs",
    "exp",
    "log",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "relu",
    "reshape",
    "sigmoid",
    "sqrt",
    "sum",
    "tanh",
]
