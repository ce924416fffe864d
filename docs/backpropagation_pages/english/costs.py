"""Memory and multiplications."""

from backpropagation_pages.markdown import code
from backpropagation_pages.numbers import Numbers


def memory(n: Numbers) -> str:
    """Megabytes that a training step takes, with and without a stored gradient."""
    m = n.memory
    return f"""
## Memory saved by not storing the gradient

A network of {m.sizes} in float32 has {m.parameters:,}
weights and biases, {m.own:.1f} MB. A gradient has the same size. Measured by Python's
`tracemalloc`, for mini-batches of {m.rows} rows, a step needs in addition to the
network's own memory:

```text
net.train_step(X, y)                {m.fused:.1f} MB
net.apply(net.gradients(X, y))      {m.stored:.1f} MB: {m.own:.1f} for dW and db, \
{m.input:.1f} for dE/dX
```

It also saves time: a stored gradient is written to memory and read again in every step,
whereas the update in place has it in registers.
"""


def costs(n: Numbers) -> str:
    """Multiplications of backpropagation, of paths and of differences."""
    table = str(n.path).split("\n\n")[-1]
    expanded, layered = n.wide
    return f"""
## Why it is fast

{code(table)}

Even here common deltas save work. For a network of 50-100-100-100-10 and one row it is
{expanded:,} multiplications by paths and {layered:,} layer by layer.

A third method is a central difference: evaluate E with one parameter changed by h and
by -h. `(E(w + h) - E(w - h)) / 2h` is a good check of the other two
(`bp.check_gradients(net, X, y)` finds a relative error below 1e-6 here). But it takes
two evaluations of the network per parameter, {2 * n.n_parameters} for these
{n.n_parameters}. Backpropagation takes one forward pass and one backward pass of
about twice its cost for all parameters together: with a million parameters, the work of
three passes instead of two million.
"""
