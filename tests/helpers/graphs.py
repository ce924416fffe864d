"""Graphs to draw and to follow, after a backward pass."""

import numpy as np

from bpcore import graph
from bpcore.graph import Variable


def example():
    a, b, c = Variable(2.0, "a"), Variable(3.0, "b"), Variable(4.0, "c")
    return 3 * (a + b * c)


def repeated():
    x = Variable(2.0, "x")
    return x * graph.exp(x) + x**2 + x * x


def products():
    r = np.random.default_rng(0)
    A, B = Variable(r.normal(size=(3, 2)), "A"), Variable(r.normal(size=(2, 4)), "B")
    return (A @ B).relu().sum()


def perceptron():
    """The loss of a 2-3-2 network on four rows."""
    r = np.random.default_rng(1)
    x, W0 = Variable(r.normal(size=(4, 2)), "x"), Variable(r.normal(size=(2, 3)), "W0")
    b0, W1 = Variable(np.zeros(3), "b0"), Variable(r.normal(size=(3, 2)), "W1")
    a = graph.tanh(x @ W0 + b0)
    return ((a @ W1 - np.eye(2)[[0, 1, 1, 0]]) ** 2).mean()


def chain(count=30):
    x = Variable(0.5, "x")
    for i in range(count - 1):
        x = graph.tanh(x) if i % 2 else x * 1.5
    return x


def wide_sum():
    xs = [Variable(float(i), f"x{i}") for i in range(20)]
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def nested():
    """Every value of a chain is used again, the last one first."""
    values = [Variable(0.5, "x")]
    for _ in range(12):
        values.append(graph.tanh(values[-1]))
    total = values[-1]
    for v in reversed(values[:-1]):
        total = total + v
    return total


def large_arrays():
    r = np.random.default_rng(0)
    A, w = Variable(r.normal(size=(50, 30)), "A"), Variable(r.normal(size=30), "w")
    z = A @ w
    return (graph.sigmoid(z) * z[::-1]).sum() / graph.max(z) - A[0, 1]


def unusual():
    """Numbers that are not finite, an empty array, three axes, a long name."""
    name = '<&"\u6f22\u5b57 ' + "a long name " * 5
    x = Variable(np.array([[np.nan, np.inf, 0, -1e-30]]), name)
    return (x.T * np.ones((0, 1, 1))).sum() + Variable(np.ones((2, 3, 4)), "]]>").sum()


def random_graph(seed):
    """Of 40 operations on single numbers, on operands not far before."""
    r = np.random.default_rng(seed)
    found = [Variable(0.3 * k + 0.2, f"l{k}") for k in range(5)]
    for _ in range(40):
        a, b = (found[k] for k in r.integers(max(0, len(found) - 12), len(found), 2))
        found.append([a + b, a * b, graph.tanh(a)][r.integers(3)])
    total = found[-1]
    for v in found[-7:-1]:
        total = total * 0.5 + v
    return total


GRAPHS = {
    "leaf": lambda: Variable(2.0, "x"),
    "example": example,
    "repeated": repeated,
    "products": products,
    "perceptron": perceptron,
    "chain": chain,
    "wide sum": wide_sum,
    "nested": nested,
    "large arrays": large_arrays,
    "unusual": unusual,
    **{f"random {seed}": lambda seed=seed: random_graph(seed) for seed in range(4)},
}
