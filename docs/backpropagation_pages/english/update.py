"""The update of the weights, momentum, and the whole algorithm."""

from backpropagation_pages.markdown import code, shown
from backpropagation_pages.numbers import Numbers
from backpropagation_pages.programs import ALGORITHM, LR, MOMENTUM
from bpcore.tracing.text import number

#: Comments of the algorithm.
COMMENTS = {
    "summary": "One training step, in place: W, b and their velocities vW, vb.",
    "forward": "forward",
    "output": "dE/da of the output",
    "backward": "backward",
    "old": "from the old W[l]",
}


def update(n: Numbers) -> str:
    """The optimizer's step, in place, from the old W."""
    t, rule = n.t, "\n".join(n.t.optimizer.equations)
    old, new = (p.state["velocity"].weights[1] for p in (t.before, t.after))
    pairs = [
        ("W[1], before", t.before.weights[1]),
        ("g = dW[1]", t.dW[1]),
        ("v, before", old),
        ("v, after: 0.9 v + g", new),
        ("W[1], after: W[1] - 0.5 v", t.after.weights[1]),
    ]
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
            ("delta[0], from the new W[1]: wrong", n.from_new_W),
        )
    }

This mistake is easy to make and hard to notice, since the network learns nevertheless.
It has been published: the final results of Matt Mazur's "A Step by Step Backpropagation
Example" (2015) contain it. The loss given there after one step is 0.291027924; with the
old weights it is 0.291027774. `examples/steps/step3_by_hand.py` computes both.

So for l = L-1, ..., 0 the library computes `delta[l-1]` first, and then updates `W[l]`
and `b[l]` in place, each tile of `dW[l]` while it is still in the processor's
registers: no gradient is stored. E was {number(t.loss)} before this step, and is
{number(n.loss_after)} after it. `t.after` has the same bits as the network after
`net.train_step(X, y)`.
"""


def momentum(n: Numbers) -> str:
    """A weight updated by the sum of changes, and by their product."""
    rows = ["step  gradient     sum: change     weight   product: change     weight"]
    rows += [
        f"{row.step:4}  {row.gradient:8.5f}  {row.change:14.5f}  {row.weight:9.5f}"
        f"  {row.product:16.5f}  {row.weight_by_product:9.5f}"
        for row in n.momentum
    ]
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
`W[1][0, 1]` with either line, lr {LR} and alpha {MOMENTUM}, in the first three steps:

{code(table)}
"""


def algorithm(n: Numbers) -> str:
    """The algorithm in NumPy, compared with the trace."""
    return f"""
## The algorithm in {n.algorithm_lines} lines of NumPy

For this kind of network, with the names of the equations above:

{code(ALGORITHM.substitute(COMMENTS), "python")}

From the weights, biases and velocities before the step (`t.before`) it computes those
after it (`t.after`), with differences below 1e-15. `da` is computed from the old
`W[l]`, before `W[l]` changes. For other activations change the two lines with them, and
for another loss `error`, `E` and `da`; then compare with `bp.trace` and
`bp.check_gradients`.
"""
