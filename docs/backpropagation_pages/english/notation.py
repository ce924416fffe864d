"""Other notations."""

from backpropagation_pages.markdown import table
from backpropagation_pages.notation import FORMULAS

HEADS = (
    "here: rows, layers from 0",
    "UFLDL: a column, layers from 1",
    "Andrew Ng: columns",
    "a is the sum: (z, a, f(a))",
    "PyTorch",
)

QUANTITIES = (
    ("L layers of weights", "`n_l - 1`", "`L`", "", "`nn.Linear` each"),
    (
        "units of `a[l]`: `sizes[l]`",
        "`S_(l+1)`",
        "`n^[l]`",
        "",
        "`in_features`, `out_features`",
    ),
    (
        "`a[0]`, (n, n_in)",
        "`a^(1) = x`",
        "`A^[0] = X`, (n_in, m)",
        "`z_i = x_i`",
        "`x`",
    ),
    (
        "`W[l][i, j]`, from i to j, (n_in, n_out)",
        "`W_ji^(l+1)`, to j from i, (out, in)",
        "`W_ji^[l+1]`, (out, in)",
        "`w_ji`",
        "`weight[j, i]`, (out, in)",
    ),
    ("`b[l][j]`", "`b_j^(l+1)`", "`b_j^[l+1]`", "`w_j0`", "`bias[j]`"),
)

DERIVATIVES = (
    (
        "`E`, mean over n rows",
        "`J(W, b)`, mean over m samples",
        "`J`, mean over m samples",
        "`E`, sum over the samples",
        "`loss`, a mean",
    ),
    (
        "`delta[l] = dE/dz[l]`, with 1/n",
        "`delta^(l+2)`, of one sample, without 1/m",
        "`dZ^[l+1]`, without 1/m",
        "`delta_j`, of one sample",
        "`z.grad`, with 1/n",
    ),
)

GRADIENTS = (
    (
        "`dW[l] = a[l].T @ delta[l]`",
        "mean of `delta^(l+2) (a^(l+1))^T`",
        "`dW^[l+1] = dZ^[l+1] A^[l]^T / m`",
        "sum of `delta_j z_i`",
        "`weight.grad`, (out, in)",
    ),
    (
        "`db[l] = delta[l].sum(0)`",
        "mean of `delta^(l+2)`",
        "`db^[l+1]`: row sums of `dZ^[l+1]`, / m",
        "sum of `delta_j`",
        "`bias.grad`",
    ),
)


def notation() -> str:
    """The table, and the rules by which to convert."""
    forward, backward = FORMULAS[:2], FORMULAS[2:]
    rows = (*QUANTITIES, *forward, *DERIVATIVES, *backward, *GRADIENTS)
    return f"""
## The same in other notations

Texts on backpropagation have the same formulas in different notations. They differ in
four points: the number of the first layer, whether a sample is a row or a column, the
letters of the sum and of the output, and the place of 1 / n.

{table(HEADS, rows)}

To convert:

- **Numbers of layers.** UFLDL's input is layer 1, its last layer n_l, and layer l has
  S_l units. So a and W have numbers larger by 1, z and delta by 2: `a[l]` is
  `a^(l+1)`, `W[l]` belongs to `W^(l+1)`, `z[l]` is `z^(l+2)`. In Andrew Ng's course
  the input is layer 0, and W, z and delta have numbers larger by 1.
- **Rows and columns.** `W x + b` for a column x, with `W_ij` from unit j to unit i,
  is `x @ W.T + b` for a row. So `W[l]` is the transpose of the others' weights, also of
  PyTorch's: `net.weights[l][...] = linear.weight.detach().numpy().T`, or
  `bp.from_torch` for a whole network.
- **1 / n.** Here it is in delta, elsewhere often in the gradient: row s of `delta[l]`
  is UFLDL's delta of that sample divided by n. PyTorch's `MSELoss` is a mean over rows
  and outputs, without the factor 1 / 2.
- **Letters.** Where a is the sum of products and f(a) the output, a is our z, and the
  output z of a unit is our a; f'(a) is then right. Some texts name layers by letters:
  with A and B the first two layers of weights, Z_A and Z_B are `z[0]` and `z[1]`.
"""
