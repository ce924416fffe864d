"""Calls of the graph, whose operands may have any shape."""

import operator

from bpcore import graph
from bpcore.graph import Variable
from trust.calls.call import Call, X

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
}
FUNCTIONS = (
    "exp", "log", "tanh", "sigmoid", "relu", "sqrt", "abs", "sum", "mean", "max", "min",
)  # fmt: skip


def calls():
    """Calls of variables, functions and operators."""
    yield Call(
        "graph.Variable", "value", X, lambda _, v: Variable(v).value, shaped=False
    )
    yield Call("graph.Variable.value", "value", X, _assign, shaped=True)
    for name in FUNCTIONS:
        yield _operand(f"graph.{name}", "x", getattr(graph, name))
    yield _operand("graph.reshape", "x", lambda v: graph.reshape(v, (-1,)))
    for name in ("maximum", "minimum"):
        function, method = getattr(graph, name), getattr(Variable, name)
        yield _operand(f"graph.{name}", "x", lambda v, f=function: f(v, Variable(X)))
        yield _operand(f"graph.{name}", "y", lambda v, f=function: f(Variable(X), v))
        yield _operand(
            f"graph.Variable.{name}", "other", lambda v, f=method: f(Variable(X), v)
        )
    for symbol, function in OPERATORS.items():
        left = X.T.copy() if symbol == "@" else X
        yield _operand(
            f"graph.Variable {symbol}",
            "left operand",
            lambda v, f=function, x=left: f(v, Variable(x)),
            said="",
        )
        yield _operand(
            f"graph.Variable {symbol}",
            "operand",
            lambda v, f=function: f(Variable(X), v),
            left,
        )
    yield Call("graph.Variable.backward", "gradient", X, _backward)


def _operand(path, argument, function, plain=X, said="operand"):
    """The call of a function of an operand."""

    def run(_, value):
        return function(value).value

    return Call(path, argument, plain, run, said=said, shaped=False)


def _assign(_, value):
    x = Variable(X)
    x.value = value
    return x.value


def _backward(_, gradient):
    x = Variable(X)
    (x * 2).backward(gradient)
    return x.grad
