"""Rows of formulas in five notations, without the words of either edition.

Columns: this library; UFLDL (one sample as a column, layers from 1); Andrew Ng's
course (samples as columns); texts in which a is the sum and z = f(a) the output;
PyTorch.
"""

#: The formulas of z, a, the deltas and the gradients.  tests/docs compares them.
FORMULAS = (
    (
        "`z[l] = a[l] @ W[l] + b[l]`",
        "`z^(l+2) = W^(l+1) a^(l+1) + b^(l+1)`",
        "`Z^[l+1] = W^[l+1] A^[l] + b^[l+1]`",
        "`a_j = sum_i w_ji z_i + w_j0`",
        "`x @ weight.T + bias`",
    ),
    (
        "`a[l+1] = f(z[l])`",
        "`a^(l+2) = f(z^(l+2))`",
        "`A^[l+1] = g(Z^[l+1])`",
        "`z_j = f(a_j)`",
        "`torch.tanh(z)`",
    ),
    (
        "`delta[L-1] = dE/da[L] * f'(z[L-1])`",
        "`delta^(n_l) = -(y - a^(n_l)) * f'(z^(n_l))`",
        "`dZ^[L] = dA^[L] * g'(Z^[L])`",
        "`delta_k = (z_k - y_k) f'(a_k)`",
        "`loss.backward()`",
    ),
    (
        "`delta[l] = delta[l+1] @ W[l+1].T * f'(z[l])`",
        "`delta^(l+2) = (W^(l+2))^T delta^(l+3) * f'(z^(l+2))`",
        "`dZ^[l+1] = W^[l+2]^T dZ^[l+2] * g'(Z^[l+1])`",
        "`delta_j = f'(a_j) sum_k w_kj delta_k`",
        "`loss.backward()`",
    ),
)
