"""Calls of the graph, whose operands may have any shape, and of metrics."""

import operator

import bpcore as bp
from trust.calls.call import WEIGHTS, Call, X, Y

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
}


def of_graph():
    """Calls of functions of the graph: operands may be arrays of any shape."""
    graph = bp.graph
    yield Call(
        "graph.Variable", "value", X, lambda _, v: graph.Variable(v).value, shaped=False
    )
    yield Call("graph.Variable.value", "value", X, _assign, shaped=True)
    ones = (
        "exp",
        "log",
        "tanh",
        "sigmoid",
        "relu",
        "sqrt",
        "abs",
        "sum",
        "mean",
        "max",
        "min",
    )
    for name in ones:
        function = getattr(graph, name)
        yield Call(
            f"graph.{name}",
            "x",
            X,
            lambda _, v, f=function: f(v).value,
            said="operand",
            shaped=False,
        )
    yield Call(
        "graph.reshape",
        "x",
        X,
        lambda _, v: graph.reshape(v, (-1,)).value,
        said="operand",
        shaped=False,
    )
    for name in ("maximum", "minimum"):
        function, method = getattr(graph, name), getattr(graph.Variable, name)
        for argument, run in {
            "x": lambda _, v, f=function: f(v, graph.Variable(X)).value,
            "y": lambda _, v, f=function: f(graph.Variable(X), v).value,
        }.items():
            yield Call(f"graph.{name}", argument, X, run, said="operand", shaped=False)
        yield Call(
            f"graph.Variable.{name}",
            "other",
            X,
            lambda _, v, f=method: f(graph.Variable(X), v).value,
            said="operand",
            shaped=False,
        )
    for symbol, function in OPERATORS.items():
        plain = X.T.copy() if symbol == "@" else X
        for order in (0, 1):

            def operate(_, v, function=function, order=order, plain=plain):
                x = graph.Variable(X if order else plain)
                return (function(x, v) if order else function(v, x)).value

            given = plain if order else X
            yield Call(
                f"graph.Variable {symbol}",
                "operand" if order else "left operand",
                given,
                operate,
                said="operand" if order else "",
                shaped=False,
            )
    yield Call("graph.Variable.backward", "gradient", X, _backward)


def _assign(_, value):
    x = bp.graph.Variable(X)
    x.value = value
    return x.value


def _backward(_, gradient):
    x = bp.graph.Variable(X)
    (x * 2).backward(gradient)
    return x.grad


def of_metrics():
    """Calls of the metrics, which take arrays only: masked ones are refused."""
    metric = bp.metrics.as_metrics("mae")[0]
    for argument, plain, run in (
        ("y", Y, lambda _, v: metric(v, Y)),
        ("a", Y, lambda _, v: metric(Y, v)),
        ("weight", WEIGHTS, lambda _, v: metric(Y, Y + 1, v)),
    ):
        yield Call("metrics.Metric", argument, plain, run, arrays_only=True)
