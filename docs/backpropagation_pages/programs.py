"""The code on the pages; each edition has its own comments."""

from string import Template

PROGRAM = Template("""\
import bpcore as bp

net = bp.Network([2, 2, 2, 1], activation="tanh", output="sigmoid",
                 loss="squared_error", optimizer=bp.SGD(lr=0.5, momentum=0.9),
                 dtype="float64", rng=3)
X, y = [[0.5, -1.0], [1.0, 2.0]], [1.0, 0.0]
net.train_step(X, y)            # $first
t = bp.trace(net, X, y)         # $second""")

#: Settings of the optimizer in the program.
LR, MOMENTUM = 0.5, 0.9

#: The algorithm for tanh units, a sigmoid output, half squared error and momentum.
ALGORITHM = Template("""\
import numpy as np

def step(W, b, vW, vb, X, y, lr=0.5, momentum=0.9):
    \"\"\"$summary\"\"\"
    a, last = [np.asarray(X)], len(W) - 1
    for l in range(len(W)):                           # $forward
        z = a[l] @ W[l] + b[l]
        a.append(1 / (1 + np.exp(-z)) if l == last else np.tanh(z))
    error = a[-1] - np.reshape(y, a[-1].shape)
    E = (error**2).sum() / 2 / len(error)
    da = error / len(error)                           # $output
    for l in reversed(range(len(W))):                 # $backward
        slope = a[l + 1] * (1 - a[l + 1]) if l == last else 1 - a[l + 1]**2
        delta = da * slope
        da = delta @ W[l].T                           # $old
        dW, db = a[l].T @ delta, delta.sum(axis=0)
        for w, v, g in ((W[l], vW[l], dW), (b[l], vb[l], db)):
            v[...] = momentum * v + g
            w -= lr * v
    return E""")


def algorithm_lines() -> int:
    """Lines of the function, without the import."""
    return len(ALGORITHM.template.split("\n\n", 1)[1].splitlines())
