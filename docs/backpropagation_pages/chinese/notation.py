"""Other notations, in Chinese."""

from backpropagation_pages.markdown import table
from backpropagation_pages.notation import FORMULAS

HEADS = (
    "本库：样本为行，层从 0 起",
    "UFLDL：样本为列，层从 1 起",
    "吴恩达课程：样本为列",
    "(z, a, f(a))：a 是加权和",
    "PyTorch",
)

QUANTITIES = (
    ("权重层数 L", "`n_l - 1`", "`L`", "", "每层一个 `nn.Linear`"),
    (
        "`a[l]` 的单元数 `sizes[l]`",
        "`S_(l+1)`",
        "`n^[l]`",
        "",
        "`in_features`、`out_features`",
    ),
    (
        "`a[0]`，(n, n_in)",
        "`a^(1) = x`",
        "`A^[0] = X`，(n_in, m)",
        "`z_i = x_i`",
        "`x`",
    ),
    (
        "`W[l][i, j]`，从 i 到 j，(n_in, n_out)",
        "`W_ji^(l+1)`，从 i 到 j，(out, in)",
        "`W_ji^[l+1]`，(out, in)",
        "`w_ji`",
        "`weight[j, i]`，(out, in)",
    ),
    ("`b[l][j]`", "`b_j^(l+1)`", "`b_j^[l+1]`", "`w_j0`", "`bias[j]`"),
)

DERIVATIVES = (
    (
        "`E`，n 行的平均",
        "`J(W, b)`，m 个样本的平均",
        "`J`，m 个样本的平均",
        "`E`，各样本之和",
        "`loss`，平均",
    ),
    (
        "`delta[l] = dE/dz[l]`，含 1/n",
        "`delta^(l+2)`，单个样本的，不含 1/m",
        "`dZ^[l+1]`，不含 1/m",
        "`delta_j`，单个样本的",
        "`z.grad`，含 1/n",
    ),
)

GRADIENTS = (
    (
        "`dW[l] = a[l].T @ delta[l]`",
        "`delta^(l+2) (a^(l+1))^T` 的平均",
        "`dW^[l+1] = dZ^[l+1] A^[l]^T / m`",
        "`delta_j z_i` 之和",
        "`weight.grad`，(out, in)",
    ),
    (
        "`db[l] = delta[l].sum(0)`",
        "`delta^(l+2)` 的平均",
        "`db^[l+1]`：`dZ^[l+1]` 各行之和再除以 m",
        "`delta_j` 之和",
        "`bias.grad`",
    ),
)


def notation() -> str:
    """The table, and the rules by which to convert."""
    forward, backward = FORMULAS[:2], FORMULAS[2:]
    rows = (*QUANTITIES, *forward, *DERIVATIVES, *backward, *GRADIENTS)
    return f"""
## 记号对照

各种教材讲的是同一套公式，记号却各不相同。差别无非四处：层从几开始编号，
一个样本写成行还是列，加权和与输出各用哪个字母，1/n 放在哪里。

{table(HEADS, rows)}

换算时注意四点：

- **层的编号。** UFLDL 的输入是第 1 层，最后一层是第 n_l 层，第 l 层有 S_l 个单元。
  因此与本库相比，a 和 W 的编号大 1，z 和 delta 的编号大 2：`a[l]` 是 `a^(l+1)`，
  `W[l]` 对应 `W^(l+1)`，`z[l]` 是 `z^(l+2)`。吴恩达课程的输入是第 0 层，所以 a
  的编号相同，W、z 和 delta 的编号大 1。
- **行与列。** x 是列向量时写 `W x + b`，其中 `W_ij` 从单元 j 到单元 i；x 是行向量时，
  同样的计算写成 `x @ W.T + b`。所以 `W[l]` 是其他记号中权重矩阵的转置，PyTorch
  也不例外：`net.weights[l][...] = linear.weight.detach().numpy().T`；
  转换整个网络用 `bp.from_torch`。
- **1/n。** 本库把它放在 delta 里，别处多放在梯度里：`delta[l]` 的第 s 行，
  等于 UFLDL 中该样本的 delta 除以 n。PyTorch 的 `MSELoss` 对样本和输出一起取平均，
  而且没有 1/2。
- **字母。** 有的书（如 PRML）用 a 表示加权和，用 z 或 f(a) 表示单元的输出：那里的 a
  就是这里的 z，那里的 z 是这里的 a，写 f'(a) 也就没有错。还有的书用字母给层起名，
  如 Z_A、Z_B：如果 A、B 是前两层，Z_A、Z_B 就是 `z[0]`、`z[1]`。
"""
