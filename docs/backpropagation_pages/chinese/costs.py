"""Memory and multiplications, in Chinese."""

from backpropagation_pages.markdown import table
from backpropagation_pages.numbers import Numbers


def memory(n: Numbers) -> str:
    """Megabytes that a training step takes, with and without a stored gradient."""
    m = n.memory
    rows = [
        ("`net.train_step(X, y)`", f"{m.fused:.1f} MB"),
        (
            "`net.apply(net.gradients(X, y))`",
            f"{m.stored:.1f} MB（dW 和 db 占 {m.own:.1f}，dE/dX 占 {m.input:.1f}）",
        ),
    ]
    return f"""
## 不存梯度能省多少内存

一个 {m.sizes} 的网络，采用 float32，共有 {m.parameters:,} 个权重和偏置，占
{m.own:.1f} MB；梯度也一样大。小批量取 {m.rows} 行，用 Python 的 `tracemalloc` 测量，
除网络自身以外，一步训练还需要：

{table(("写法", "额外的内存"), rows)}

这样也更快：梯度如果存下来，每一步都要写进内存再读出来；原地更新时，
它一直在寄存器里。
"""


def costs(n: Numbers) -> str:
    """Multiplications of backpropagation, of paths and of differences."""
    path = n.path
    rows = [
        (name, f"{one:,}", f"{every:,}")
        for name, one, every in zip(
            ("沿所有路径", "逐层计算"),
            path.multiplications,
            path.of_all_parameters,
            strict=True,
        )
    ]
    expanded, layered = n.wide
    return f"""
## 为什么快

{table(("乘法次数", "这一个权重", "全部权重和偏置"), rows)}

网络这么小，共用 delta 也已经省下不少。如果是 50-100-100-100-10 的网络、一个样本，
沿路径要做 {expanded:,} 次乘法，逐层计算只要 {layered:,} 次。

还有一种办法是中心差分：把一个参数分别加上 h、减去 h，各算一次 E，再求
`(E(w + h) - E(w - h)) / 2h`。用它来检验前两种方法很合适（在这里
`bp.check_gradients(net, X, y)` 得到的相对误差不到 1e-6）。但每个参数都要把网络算两遍，
这里 {n.n_parameters} 个参数就是 {2 * n.n_parameters} 遍。反向传播只要
一次前向、一次反向，反向的计算量大约是前向的两倍，就得到全部参数的导数。有一百万个参数时，
这只相当于三遍前向传播，而差分要两百万遍。
"""
