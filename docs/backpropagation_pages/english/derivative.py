"""From the forward pass to the gradient of every weight."""

from backpropagation_pages.markdown import code, shown
from backpropagation_pages.numbers import (
    Numbers,
    bias_equations,
    forward_equations,
    gradient_equations,
    hidden_deltas,
    output_delta,
)
from bpcore.tracing.text import number

TITLE = """
# Backpropagation with numbers

How exactly is a weight in the middle of a network changed? Do hidden layers use the
same gradient as the output layer? What is propagated from layer to layer? And why is
this faster than trying out a small change of each weight?

This page answers with the numbers of one training step of a small network. It is
written by `docs/make_backpropagation.py` from `bpcore.trace`, which runs the kernels
that train networks: these are exactly the numbers of that step.

If you have learned other names (`Z^[l]`, `delta^(l)`, weights of shape (out, in)), see
[the table of notations](#the-same-in-other-notations) first.
[Seeing inside](guide/inspecting.md) has a page on which such a step is made one layer
at a time.
"""

GIVEN = """
Two inputs, two hidden layers of two units, one output, and a mini-batch of n = 2 rows.
Layers are numbered from 0: `a[0]` is the input, layer l computes `a[l+1]` from `a[l]`
with the weights `W[l]`, (n_in, n_out), and the biases `b[l]`. `@` is the matrix
product, `*` the product of elements.
"""


def forward(n: Numbers) -> str:
    """z, a and E."""
    t = n.t
    return f"""
## Forward pass

Each unit adds up its inputs times its weights and its bias; its output is f of that
sum. Rows are samples, columns are units.

{shown(*forward_equations(t))}

The loss measures the difference between `a[3]` and the targets: half its square for
each row, and E, the mean over the rows. E is one number; everything below is about its
derivatives with respect to the weights.

{
        shown(
            (f"E_i = {t.design.loss.formula}",),
            ("E_i, of every sample", t.losses[:, None]),
            ("E = mean(E_i)", t.loss),
        )
    }
"""


def chain_rule(n: Numbers) -> str:
    """The derivative by one weight, along all its paths."""
    all_paths = str(n.path).split("\n\n")[0]
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


def delta(n: Numbers) -> str:
    """The recursion, from the output to the first layer."""
    return f"""
## Backward pass: delta

The terms above have most of their factors in common: those after `z[1][s, k1]` are the
same for all weights whose paths go through it. Backpropagation computes that common
factor once for each unit and row, and calls it delta:

    delta[l] = dE/dz[l]                                        (n, units of a[l+1])

At the output it is the derivative of the loss with respect to the activations, times f'
for the derivative with respect to z:

{shown(*output_delta(n.t))}

Below, the derivative with respect to `a[l]` is a sum over all units that have `a[l]` as
input, with the same weights as in the forward pass; times f' it is again the derivative
with respect to z:

{shown(*hidden_deltas(n.t))}

So hidden layers do not have another kind of gradient: delta is the derivative of the
same E with respect to their own z. Only the source of `dE/da` differs: at the output
the loss, elsewhere the layer above. What is propagated from layer to layer is this
array of one number for each unit and row, not weights, and not the gradient of the
weights.

For softmax with cross-entropy, and for sigmoid with binary cross-entropy, the product
of the two factors at the output is simply `delta = (a - y) / n`.
"""


def gradients(n: Numbers) -> str:
    """dW, db and dE/dX."""
    t = n.t
    return f"""
## The gradient of every weight

In each row, E depends on a weight through one z only: `z[l][s, j]` has the term
`a[l][s, i] W[l][i, j]`. So the derivative is the weight's input times the delta of its
unit, summed over the rows:

    dW[l][i, j] = sum_s a[l][s, i] delta[l][s, j]

That holds for every layer, the middle ones too:

{shown(*gradient_equations(t))}

`dW[0][0, 1]` is {number(n.path.layer_by_layer)}, the same as the sum over the paths.

### Why db is a sum

`b[l][j]` is added to z in every row, and `dz/db` is 1 in each of them. E depends on it
through all rows, so its derivative is the sum of their deltas. The rule is that of the
weights: a bias is the weight of an input that is 1 in every row.

{shown(*bias_equations(t))}

It is not a mean: E is a mean over the rows, and its 1 / n is already in each delta.

### Uses of dE/dX

In the first layer, the same rule gives the derivative with respect to the input:

{shown(("dE/dX = delta[0] @ W[0].T", t.da[0]))}

Training does not need it, and `train_step` does not compute it. It is the derivative of
E with respect to each input, with constant weights, and has these uses:

- it shows which inputs a prediction depends on most: those with large derivatives;
- it continues backpropagation into the computation of X. If X is the output of another
  network, or of a formula with parameters, their backpropagation starts with dE/dX. So
  networks can be chained: `net.backward(net.forward(X), d_output).input`, or
  `net.node(X)` in `bpcore.graph`;
- it finds inputs with a smaller loss, by gradient descent: for X - 0.5 dE/dX instead of
  X, E is {number(n.moved)} instead of {number(t.loss)}, with the same weights.
"""
