"""Mistakes often found in articles."""

from backpropagation_pages.markdown import shown, table
from backpropagation_pages.mistakes import Wrong
from backpropagation_pages.numbers import Numbers
from bpcore.tracing.text import number


def row(name: str, wrong: Wrong) -> tuple[str, ...]:
    """A row of the table."""
    return name, f"{wrong.weight:.7f}", f"{wrong.error:.1%}", number(wrong.loss)


def mistakes(n: Numbers) -> str:
    """Each with the right formula and its effect on the step of the page."""
    m, t = n.mistakes, n.t
    heads = "", "`dW[0][0, 1]`", "error of the gradient", "E after the step"
    rows = (
        row("right", m.right),
        row("1. 1/n dropped", m.without_n),
        row("2. formula of the output in hidden layers", m.output_formula),
        row("3. wrong index of the sum", m.not_transposed),
        row("4. update with the wrong sign", m.wrong_sign),
        row("4. momentum multiplied", m.product),
        row("5. delta from the updated W", m.new_W),
        row("6. f'(a) in place of f'(z)", m.slope_at_a),
    )
    return f"""
## Mistakes often found in articles

Here is the step of this page with each of them. The error is the norm of the
gradient's error, over all weights and biases, relative to the norm of the gradient; E
was {number(t.loss)} before the step.

{table(heads, rows)}

With mistakes 1, 5 and 6, E is even smaller after this step than with the right
gradient. So a falling loss does not show that a program is right. A comparison with
central differences does: `bp.check_gradients(net, X, y)`.

**1. The 1 / n is dropped.** E is the mean over n rows, so `dE/da = (a - y) / n`.
Without 1 / n, and with `dW = a.T @ delta`, every gradient is n times too large: here
twice, with a mini-batch of 128 rows 128 times. The learning rate then depends on the
size of the mini-batch. (It is no mistake where E is defined as the sum, as long as all
formulas use that definition.)

**2. The output layer's formula has the index of any layer.** The formula

    delta^(l) = -(y - a^(l)) * f'(z^(l))        # only for l = n_l

is often printed with l, but holds for the last layer only: a hidden unit has no target.
Right, in the notation of this page:

    delta[L-1] = (a[L] - y) / n * f'(z[L-1])
    delta[l] = delta[l+1] @ W[l+1].T * f'(z[l])                for l < L-1

NumPy does not complain about `a[2] - y`, since it repeats the one column of y:

{
        shown(
            ("delta[1]", t.delta[1]),
            ("(a[2] - y) / n * f'(z[1]): wrong", m.output_formula.delta[1]),
        )
    }

**3. The sum has the wrong index.** Unit i of layer l is an input of all S_(l+1) units
of the next layer, so the sum is over those:

    delta_i^(l) = (sum_j W_ji^(l) delta_j^(l+1)) * f'(z_i^(l))      j = 1 ... S_(l+1)

Printed are also a sum over i, an upper bound S_l, and `W_ij`, which is the matrix not
transposed. With layers of equal width the shapes agree nevertheless, as for `W[1]`:

{
        shown(
            ("delta[1] @ W[1].T * f'(z[0])", t.delta[0]),
            ("delta[1] @ W[1] * f'(z[0]): wrong", m.not_transposed.delta[0]),
        )
    }

**4. Plus, minus and times confused.** With `delta` from `a - y`, the update is
`W = W - lr * dW`. With `y - a` both change: delta is the negative, and the update has a
plus. One from each increases E, here to {number(m.wrong_sign.loss)}. And momentum is
added, `change = alpha * change - lr * g`, not multiplied, `lr * g * alpha * change`:
then, from a change of 0, no weight ever changes, and E stays {number(m.product.loss)}
([Momentum is a sum](#momentum-is-a-sum)).

**5. delta is computed from the updated W.** All deltas belong to the weights of the
forward pass: compute `delta[l-1]` first, then update `W[l]`
([The update, in place](#the-update-in-place)). In the table `W[2]` and `W[1]` are
updated too early.

**6. f' at a, where z is meant.** `tanh'(z)` is `1 - tanh(z)**2`, and `tanh(z)` is a
already. So it is `1 - a**2`, not `1 - tanh(a)**2`; for sigmoid `a * (1 - a)`, not
`sigmoid(a) * (1 - sigmoid(a))`:

{
        shown(
            ("tanh'(z[0]) = 1 - a[1]^2", t.derivatives[0]),
            ("1 - tanh(a[1])^2: wrong", m.slope_at_hidden),
        )
    }
"""
