"""From the forward pass to the gradient of every weight, in Chinese."""

from backpropagation_pages.markdown import code, shown
from backpropagation_pages.numbers import (
    Numbers,
    bias_equations,
    forward_equations,
    gradient_equations,
    hidden_deltas,
    output_delta,
)
from bpcore.tracing.path_text import all_paths
from bpcore.tracing.text import number

TITLE = """
# 反向传播

网络中间某一层的权重，到底是怎么改的？隐藏层的梯度和输出层的梯度是一回事吗？
一层一层往回传的究竟是什么？为什么这样算，比逐个把权重改动一点点、看看损失怎么变要快得多？

这一页拿一个小网络，把一步训练中的每个数字都摆出来，逐一回答这些问题。
数字由 `docs/make_backpropagation.py` 通过 `bpcore.trace` 得到，后者调用的正是训练用的
计算内核，所以你看到的就是那一步真正算出的数字。

如果你学的是别的记号（吴恩达课程的 `Z^[l]`、UFLDL 的 `delta^(l)`、PyTorch 的
(out, in) 等），可以先看[记号对照](#记号对照)。
[看清内部](../guide/inspecting.md)里有一个可以逐层操作的页面，把这样一步演示一遍。
"""

GIVEN = """
网络有两个输入、两个隐藏层（各两个单元）和一个输出，小批量有 n = 2 行。层从 0
开始编号：`a[0]` 是输入，第 l 层由 `a[l]` 算出 `a[l+1]`，用到权重 `W[l]`（形状为
(n_in, n_out)）和偏置 `b[l]`。`@` 是矩阵乘法，`*` 是逐元素相乘。
"""


def forward(n: Numbers) -> str:
    """z, a and E."""
    t = n.t
    return f"""
## 前向传播

每个单元把各个输入乘上对应的权重，加起来，再加上偏置，得到 z；它的输出就是 f(z)。
矩阵的每一行是一个样本，每一列是一个单元。

{shown(*forward_equations(t))}

损失衡量 `a[3]` 与目标值 y 相差多少：每个样本取差的平方的一半，E 是各个样本的平均值。
E 只是一个数，下面要求的都是它对各个权重的导数。

{
        shown(
            (f"E_i = {t.design.loss.formula}", t.losses[:, None]),
            ("E = mean(E_i)", t.loss),
        )
    }
"""


def chain_rule(n: Numbers) -> str:
    """The derivative by one weight, along all its paths."""
    _, *lines, _ = all_paths(n.path)
    total = f"{n.path.n_terms} 项之和 = {n.path.expanded:.10g}"
    paths = ["dE/dW[0][0, 1]", *(line.removeprefix("  ") for line in lines), total]
    block = "\n".join(paths)
    return f"""
## 把链式法则完全展开

先看一个权重：`W[0][0, 1]`，它从输入 0 通向第一个隐藏层的单元 1。
它要影响 E，只能先通过 `z[0][s, 1]`，再通过第二个隐藏层的各个单元。
链式法则把一条路径上的各个导数连乘起来，再对所有样本 s 的所有路径求和。
下面每行是一条路径：s 是样本，k1、k2 是沿途的单元，最后一列是前面各因子的乘积：

{code(block)}

（在 Python 里用 `print(t.path(0, 0, 1))` 查看。）这就是完整的导数。不过，
对每个样本来说，路径的条数等于后面各层单元数的乘积。这里只有两条；
换成四个隐藏层、每层 100 个单元、一个输出的网络，第一层的每个权重就有一百万条路径。
"""


def delta(n: Numbers) -> str:
    """The recursion, from the output to the first layer."""
    return f"""
## 反向传播：delta

上面各项有许多相同的因子：路径过了 `z[1][s, k1]` 以后，剩下的那一段对所有经过这里的
权重都一样。反向传播对每个样本、每个单元，只把这个公共因子算一次，记作 delta
（不少教材叫它误差项）：

    delta[l] = dE/dz[l]          # 形状 (n, a[l+1] 的单元数)

在输出层，先求损失对激活值的导数，再乘上 f'，就得到对 z 的导数：

{shown(*output_delta(n.t))}

再往前一层。`a[l]` 是后一层所有单元的输入，所以对 `a[l]` 的导数要对这些单元求和，
用的权重与前向传播时相同。乘上 f'，又得到对 z 的导数：

{shown(*hidden_deltas(n.t))}

可见隐藏层的梯度并没有什么特别之处：delta 始终是同一个 E 对本层 z 的导数。
不同的只是 `dE/da` 的来源：输出层的来自损失函数，其余各层的来自后一层。
逐层往回传的正是 delta，即每个样本、每个单元各有一个数的数组，
而不是权重，也不是权重的梯度。

softmax 配交叉熵、sigmoid 配二元交叉熵时，输出层的两个因子相乘，恰好化简为
`delta = (a - y) / n`。
"""


def gradients(n: Numbers) -> str:
    """dW, db and dE/dX."""
    t = n.t
    return f"""
## 每个权重的梯度

对每个样本来说，一个权重只通过一个 z 影响 E：`z[l][s, j]` 中含有
`a[l][s, i] W[l][i, j]` 这一项。因此，权重的导数等于它的输入乘以它指向的
那个单元的 delta，再对样本求和：

    dW[l][i, j] = sum_s a[l][s, i] delta[l][s, j]

每一层都是如此，中间层也不例外：

{shown(*gradient_equations(t))}

`dW[0][0, 1]` 等于 {number(n.path.layer_by_layer)}，与沿所有路径求和的结果相同。

### 为什么 db 要求和

`b[l][j]` 加在每个样本的 z 上，`dz/db` 对每个样本都是 1。它影响所有样本的 z，
从而影响 E，所以 E 对它的导数等于各个样本的 delta 之和。这和权重的规则是同一条：
偏置可以看作一个权重，它的输入对每个样本都是 1。

{shown(*bias_equations(t))}

这里不能再取平均：E 本身就是各样本的平均，1/n 已经包含在每个 delta 里了。

### dE/dX 有什么用

把同样的规则用到第一层，就得到 E 对输入的导数：

{shown(("dE/dX = delta[0] @ W[0].T", t.da[0]))}

训练用不到它，`train_step` 也不会去算。它是权重固定时 E 对各个输入的导数，用处有这些：

- 看预测主要取决于哪些输入：导数大的影响就大。
- 让反向传播延伸到 X 的来源。如果 X 是另一个网络的输出，或者由带参数的式子算出，
  那里的反向传播就从 dE/dX 开始。网络因此可以首尾相接：用
  `net.backward(net.forward(X), d_output).input`，或者 `bpcore.graph` 里的
  `net.node(X)`。
- 用梯度下降去找让损失更小的输入：权重不变，把 X 换成 X - 0.5 dE/dX，E 就从
  {number(t.loss)} 降到 {number(n.moved)}。
"""
