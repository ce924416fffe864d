"""Writes backpropagation.md, with all numbers from one traced step.

python docs/make_backpropagation.py

A test compares the page with the output of this script, so that it stays correct.
"""

import tracemalloc
from pathlib import Path

import numpy as np

import bpcore as bp
from bpcore.tracing.section import Line
from bpcore.tracing.text import beside, number

PAGE = Path(__file__).with_name("backpropagation.md")

PROGRAM = """\
import bpcore as bp

net = bp.Network([2, 2, 2, 1], activation="tanh", output="sigmoid",
                 loss="squared_error", optimizer=bp.SGD(lr=0.5, momentum=0.9),
                 dtype="float64", rng=3)
X, y = [[0.5, -1.0], [1.0, 2.0]], [1.0, 0.0]
net.train_step(X, y)            # so that the velocities are not 0
t = bp.trace(net, X, y)         # the second step, with all its numbers"""

#: The algorithm for tanh units, a sigmoid output, half squared error and momentum.
ALGORITHM = """\
import numpy as np

def step(W, b, vW, vb, X, y, lr=0.5, momentum=0.9):
    \"\"\"One training step, in place: W, b and their velocities vW, vb.\"\"\"
    a, last = [np.asarray(X)], len(W) - 1
    for l in range(len(W)):                           # forward
        z = a[l] @ W[l] + b[l]
        a.append(1 / (1 + np.exp(-z)) if l == last else np.tanh(z))
    error = a[-1] - np.reshape(y, a[-1].shape)
    E = (error**2).sum() / 2 / len(error)
    da = error / len(error)                           # dE/da of the output
    for l in reversed(range(len(W))):                 # backward
        slope = a[l + 1] * (1 - a[l + 1]) if l == last else 1 - a[l + 1]**2
        delta = da * slope
        da = delta @ W[l].T                           # from the old W[l]
        dW, db = a[l].T @ delta, delta.sum(axis=0)
        for w, v, g in ((W[l], vW[l], dW), (b[l], vb[l], db)):
            v[...] = momentum * v + g
            w -= lr * v
    return E"""


def main():
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"written to {PAGE}")


def page():
    """The page as text."""
    names = {}
    exec(PROGRAM, names)
    net, t, X, y = (names[name] for name in ("net", "t", "X", "y"))
    parts = [
        TITLE,
        code(PROGRAM, "python"),
        GIVEN,
        shown(("X = a[0]", t.X), ("y", t.y)),
        forward(t),
        chain_rule(t),
        delta(t),
        gradients(t, net, X, y),
        update(t, net, X, y),
        momentum(X, y),
        algorithm(t, X, y),
        memory(),
        costs(t, net, X, y),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def code(text, language="text"):
    """A block of code."""
    return f"```{language}\n{text}\n```"


def shown(*equations):
    """Equations with their numbers."""
    lines = [line for pair in equations for line in beside(Line(*pair), whole=True)]
    return code("\n".join(line.removeprefix("  ") for line in lines))


TITLE = """
# Backpropagation with numbers

How exactly is a weight in the middle of a network changed? Do hidden layers use the
same gradient as the output layer? What is propagated from layer to layer? And why is
this faster than trying out a small change of each weight?

This page answers with the numbers of one training step of a small network. It is
written by `docs/make_backpropagation.py` from `bpcore.trace`, which runs the kernels
that train networks: these are exactly the numbers of that step.
"""

GIVEN = """
Two inputs, two hidden layers of two units, one output, and a mini-batch of n = 2 rows.
Layers are numbered from 0: `a[0]` is the input, layer l computes `a[l+1]` from `a[l]`
with the weights `W[l]`, (n_in, n_out), and the biases `b[l]`. `@` is the matrix
product, `*` the product of elements.
"""


def forward(t):
    """z, a and E."""
    pairs = []
    for l in range(t.n_layers):
        f = t.design.activations[l]
        pairs += [
            (f"W[{l}]", t.before.weights[l]),
            (f"b[{l}]", t.before.biases[l]),
            (f"z[{l}] = a[{l}] @ W[{l}] + b[{l}]", t.z[l]),
            (f"a[{l + 1}] = {f}(z[{l}])", t.a[l + 1]),
        ]
    return f"""
## Forward pass

Each unit adds up its inputs times its weights and its bias; its output is f of that
sum. Rows are samples, columns are units.

{shown(*pairs)}

The loss measures the difference between `a[3]` and the targets: half its square for
each row, and E, the mean over the rows. E is one number; everything below is about its
derivatives by the weights.

{
        shown(
            (f"E_i = {t.design.loss.formula}",),
            ("E_i, of every sample", t.losses[:, None]),
            ("E = mean(E_i)", t.loss),
        )
    }
"""


def chain_rule(t):
    """The derivative by one weight, along all its paths."""
    path = t.path(0, 0, 1)
    all_paths = str(path).split("\n\n")[0]
    return f"""
## The chain rule, written out

Take one weight: `W[0][0, 1]`, from input 0 to unit 1 of the first hidden layer. E
depends on it only through `z[0][s, 1]`, and on that through every unit of the second
hidden layer. The chain rule multiplies the derivatives along each such path, and adds
up the paths of all rows s:

{code(all_paths)}

(Python: `print(t.path(0, 0, 1))`.) This is the complete derivative. But in each row the
number of paths is the product of the widths of all layers above: here two; in a network
of four hidden layers of 100 units and one output, each weight of the first layer has a
million paths.
"""


def delta(t):
    """The recursion, from the output to the first layer."""
    output = shown(
        ("dE/da[3] = (a[3] - y) / n", t.da[3]),
        ("sigmoid'(z) = a (1 - a)",),
        ("sigmoid'(z[2])", t.derivatives[2]),
        ("delta[2] = dE/da[3] * sigmoid'(z[2])", t.delta[2]),
    )
    hidden = [("tanh'(z) = 1 - a^2",)]
    for l in (1, 0):
        hidden += [
            (f"dE/da[{l + 1}] = delta[{l + 1}] @ W[{l + 1}].T", t.da[l + 1]),
            (f"tanh'(z[{l}])", t.derivatives[l]),
            (f"delta[{l}] = dE/da[{l + 1}] * tanh'(z[{l}])", t.delta[l]),
        ]
    return f"""
## Backward pass: delta

The terms above have most of their factors in common: those after `z[1][s, k1]` are the
same for all weights whose paths go through it. Backpropagation computes that common
factor once for each unit and row, and calls it delta:

    delta[l] = dE/dz[l]                                        (n, units of a[l+1])

At the output it is the derivative of the loss by the activations, times f' for the
derivative by z:

{output}

Below, the derivative by `a[l]` is a sum over all units that have `a[l]` as input, with
the same weights as in the forward pass; times f' it is again the derivative by z:

{shown(*hidden)}

So hidden layers do not have another kind of gradient: delta is the derivative of the
same E by their own z. Only the source of `dE/da` differs: at the output the loss,
elsewhere the layer above. What is propagated from layer to layer is this array of one
number for each unit and row, not weights, and not the gradient by weights.

For softmax with cross-entropy, and for sigmoid with binary cross-entropy, the product
of the two factors at the output is simply `delta = (a - y) / n`.
"""


def gradients(t, net, X, y):
    """dW, db and dE/dX."""
    pairs = []
    for l in (2, 1, 0):
        pairs += [
            (f"dW[{l}] = a[{l}].T @ delta[{l}]", t.dW[l]),
            (f"db[{l}] = delta[{l}].sum(0)", t.db[l]),
        ]
    path = t.path(0, 0, 1)
    assert path.difference < 1e-15, "the two forms disagree"
    ones = np.ones((len(X), 1))
    assert np.allclose(ones.T @ t.delta[2], t.db[2], rtol=1e-14)
    sums = shown(
        ("db[2] = delta[2].sum(0)", t.db[2]),
        ("ones.T @ delta[2]", ones.T @ t.delta[2]),
    )
    moved = net.evaluate(X - 0.5 * t.da[0], y)  # the network has not made the step
    assert moved < t.loss
    return f"""
## The gradient of every weight

In each row, E depends on a weight through one z only: `z[l][s, j]` has the term
`a[l][s, i] W[l][i, j]`. So the derivative is the weight's input times the delta of its
unit, summed over the rows:

    dW[l][i, j] = sum_s a[l][s, i] delta[l][s, j]

That holds for every layer, the middle ones too:

{shown(*pairs)}

`dW[0][0, 1]` is {number(path.layer_by_layer)}, the same as the sum over the paths.

### Why db is a sum

`b[l][j]` is added to z in every row, and `dz/db` is 1 in each of them. E depends on it
through all rows, so its derivative is the sum of their deltas. The rule is that of the
weights: a bias is the weight of an input that is 1 in every row.

{sums}

It is not a mean: E is a mean over the rows, and its 1 / n is already in each delta.

### Uses of dE/dX

In the first layer, the same rule gives the derivative by the input:

{shown(("dE/dX = delta[0] @ W[0].T", t.da[0]))}

Training does not need it, and `train_step` does not compute it. It is the derivative of
E by each input, with constant weights, and has these uses:

- it shows which inputs a prediction depends on most: those with large derivatives;
- it continues backpropagation into the computation of X. If X is the output of another
  network, or of a formula with parameters, their backpropagation starts with dE/dX. So
  networks can be chained: `net.backward(net.forward(X), d_output).input`, or
  `net.node(X)` in `bpcore.graph`;
- it finds inputs with a smaller loss, by gradient descent: for X - 0.5 dE/dX instead of
  X, E is {number(moved)} instead of {number(t.loss)}, with the same weights.
"""


def update(t, net, X, y):
    """The optimizer's step, in place, from the old W."""
    pairs = []
    for l in (1,):
        old, new = (p.state["velocity"].weights[l] for p in (t.before, t.after))
        pairs += [
            (f"W[{l}], before", t.before.weights[l]),
            (f"g = dW[{l}]", t.dW[l]),
            ("v, before", old),
            ("v, after: 0.9 v + g", new),
            (f"W[{l}], after: W[{l}] - 0.5 v", t.after.weights[l]),
        ]
    wrong = t.delta[1] @ t.after.weights[1].T * t.derivatives[0]
    loss_before = t.loss
    net.train_step(X, y)
    same = all(
        W.tobytes() == after.tobytes()
        for W, after in zip(net.weights, t.after.weights, strict=True)
    )
    assert same, "the trace is not what train_step does"
    loss_after = net.evaluate(X, y)
    assert loss_after < loss_before
    rule = "\n".join(t.optimizer.equations)
    return f"""
## The update, in place

The optimizer computes a step from the gradient g of each weight w. Gradient descent
with momentum has a velocity v for each weight:

{code(rule)}

For the layer in the middle, with momentum 0.9 and lr 0.5:

{shown(*pairs)}

(Python: the velocities of the weights are `t.before.state["velocity"].weights` and
`t.after.state["velocity"].weights`, one array per layer, and those of the biases
`.biases`.)

The order matters. `delta[0]` needs `W[1]` as it was in the forward pass. If `W[1]` were
updated first, the layer below would get the derivative of a different network:

{
        shown(
            ("delta[0], from the old W[1]", t.delta[0]),
            ("delta[0], from the new W[1]: wrong", wrong),
        )
    }

This mistake is easy to make and hard to notice, since the network learns nevertheless.
It has been published: the final results of Matt Mazur's "A Step by Step Backpropagation
Example" (2015) contain it. The loss given there after one step is 0.291027924; with the
old weights it is 0.291027774. `examples/steps/step3_by_hand.py` computes both.

So for l = L-1, ..., 0 the library computes `delta[l-1]` first, and then updates `W[l]`
and `b[l]` in place, each tile of `dW[l]` while it is still in the processor's
registers: no gradient is stored. E was {number(loss_before)} before this step, and is
{number(loss_after)} after it. `t.after` has the same bits as the network after
`net.train_step(X, y)`.
"""


def momentum(X, y):
    """A weight updated by the sum of changes, and by their product."""
    lr, alpha = 0.5, 0.9
    net = bp.Network(
        [2, 2, 2, 1],
        activation="tanh",
        output="sigmoid",
        loss="squared_error",
        optimizer=bp.Momentum(lr, alpha=alpha),
        dtype="float64",
        rng=3,
    )
    w = float(net.weights[1][0, 1])
    product = {"w": w, "momentum": 0.0}
    rows = ["step  gradient     sum: change     weight   product: change     weight"]
    change = 0.0
    for step in (1, 2, 3):
        t = bp.trace(net, X, y, apply=True)
        g = float(t.dW[1][0, 1])
        change = alpha * change - lr * g
        w += change
        assert np.isclose(w, t.after.weights[1][0, 1], rtol=1e-14)
        assert np.isclose(change, t.after.state["change"].weights[1][0, 1], rtol=1e-14)
        if step == 1:
            first = g  # constant, if no weight changes
        product["momentum"] *= -lr * first * alpha
        product["w"] += product["momentum"]
        rows.append(
            f"{step:4}  {g:8.5f}  {change:14.5f}  {w:9.5f}"
            f"  {abs(product['momentum']):16.5f}  {product['w']:9.5f}"
        )
    table = "\n".join(rows)
    return f"""
## Momentum is a sum

A common mistake in pseudo-code:

    weight += change * alpha * momentum         # wrong

with `change` the step along the gradient, and `momentum` the previous change. Before
the first step momentum is 0, so the product is 0 and the weight does not change. That 0
is the momentum of the next step, so the weight never changes. Another initial value
does not help: the product of two negative changes is positive, and so in the wrong
direction, and the product of two small changes is much too small. (If `momentum` is a
constant such as 0.9, the line is gradient descent with a smaller learning rate, without
momentum.)

The previous change is *added*, multiplied by a constant below 1:

    change = alpha * change - lr * gradient
    weight += change

That is `bp.Momentum`. The velocity v of `bp.SGD(momentum=...)` above is the same except
for the learning rate, a factor that is applied later: v = -change / lr. Here is
`W[1][0, 1]` with either line, lr {lr} and alpha {alpha}, in the first three steps:

{code(table)}
"""


def algorithm(t, X, y):
    """The algorithm in NumPy, compared with the trace."""
    names = {}
    exec(ALGORITHM, names)
    W, b = ([x.copy() for x in p] for p in (t.before.weights, t.before.biases))
    velocity = t.before.state["velocity"]
    vW, vb = ([x.copy() for x in p] for p in (velocity.weights, velocity.biases))
    E = names["step"](W, b, vW, vb, X, y)
    after = [*t.after.weights, *t.after.biases]
    gap = max(np.abs(x - z).max() for x, z in zip(W + b, after, strict=True))
    assert np.isclose(E, t.loss, rtol=1e-14) and gap < 1e-15
    lines = len(ALGORITHM.split("\n\n", 1)[1].splitlines())
    assert lines <= 20
    return f"""
## The algorithm in {lines} lines of NumPy

For this kind of network, with the names of the equations above:

{code(ALGORITHM, "python")}

From the weights, biases and velocities before the step (`t.before`) it computes those
after it (`t.after`), with differences below 1e-15. `da` is computed from the old
`W[l]`, before `W[l]` changes. For other activations change the two lines with them, and
for another loss `error`, `E` and `da`; then compare with `bp.trace` and
`bp.check_gradients`.
"""


def memory():
    """Megabytes that a training step takes, with and without a stored gradient."""
    sizes, rows = [784, 1024, 1024, 10], 128
    net = bp.Network(sizes, loss="cross_entropy", rng=0, n_threads=1)
    X = np.random.default_rng(0).random((rows, sizes[0]), dtype=np.float32)
    y = np.arange(rows) % sizes[-1]

    def stored():
        net.apply(net.gradients(X, y))

    def fused():
        net.train_step(X, y)

    peaks = []
    for step in (fused, stored):
        step()  # allocates memory that is used again in every step
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        step()
        peaks.append((tracemalloc.get_traced_memory()[1] - before) / 1e6)
        tracemalloc.stop()
    own, gradient, input = (x.nbytes / 1e6 for x in (net.parameters,) * 2 + (X,))
    assert peaks[0] < 0.05 and abs(peaks[1] - gradient - input) < 0.05
    return f"""
## Memory saved by not storing the gradient

A network of {"-".join(map(str, sizes))} in float32 has {net.parameters.size:,}
weights and biases, {own:.1f} MB. A gradient has the same size. Measured by Python's
`tracemalloc`, for mini-batches of {rows} rows, a step needs in addition to the
network's own memory:

```text
net.train_step(X, y)                {peaks[0]:.1f} MB
net.apply(net.gradients(X, y))      {peaks[1]:.1f} MB: {gradient:.1f} for dW and db, \
{input:.1f} for dE/dX
```

It also saves time: a stored gradient is written to memory and read again in every step,
whereas the update in place has it in registers.
"""


def costs(t, net, X, y):
    """Multiplications of backpropagation, of paths and of differences."""
    path = t.path(0, 0, 1)
    table = str(path).split("\n\n")[-1]
    check = bp.check_gradients(net, X, y)
    assert check.largest < 1e-6
    wide = bp.Network([50, 100, 100, 100, 10], rng=0)
    wide_path = bp.trace(wide, np.ones((1, 50)), np.ones((1, 10))).path(0, 0, 0)
    expanded, layered = wide_path.of_all_parameters
    evaluations = 2 * net.parameters.size
    return f"""
## Why it is fast

{code(table)}

Even here common deltas save work. For a network of 50-100-100-100-10 and one row it is
{expanded:,} multiplications by paths and {layered:,} layer by layer.

A third method is a central difference: evaluate E with one parameter changed by h and
by -h. `(E(w + h) - E(w - h)) / 2h` is a good check of the other two
(`bp.check_gradients(net, X, y)` finds a relative error below 1e-6 here). But it takes
two evaluations of the network per parameter, {evaluations} for these
{net.parameters.size}. Backpropagation takes one forward pass and one backward pass of
about twice its cost for all parameters together: with a million parameters, the work of
three passes instead of two million.
"""


if __name__ == "__main__":
    main()
