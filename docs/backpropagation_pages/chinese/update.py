"""The update of the weights, momentum, and the whole algorithm, in Chinese."""

from backpropagation_pages.markdown import code, shown, table
from backpropagation_pages.numbers import Numbers
from backpropagation_pages.programs import ALGORITHM, LR, MOMENTUM
from bpcore.tracing.text import number

#: Comments of the algorithm.
COMMENTS = {
    "summary": "训练一步，原地修改权重 W、偏置 b 和它们的速度 vW、vb。",
    "forward": "前向传播",
    "output": "输出层的 dE/da",
    "backward": "反向传播",
    "old": "用更新前的 W[l]",
}


def update(n: Numbers) -> str:
    """The optimizer's step, in place, from the old W."""
    t, rule = n.t, "\n".join(n.t.optimizer.equations)
    old, new = (p.state["velocity"].weights[1] for p in (t.before, t.after))
    pairs = [
        ("W_old = W[1]", t.before.weights[1]),
        ("g = dW[1]", t.dW[1]),
        ("v_old", old),
        ("v_new = 0.9 v_old + g", new),
        ("W_new = W_old - 0.5 v_new", t.after.weights[1]),
    ]
    return f"""
## 原地更新

优化器根据每个权重 w 的梯度 g 决定这一步怎么走。带动量的梯度下降给每个权重配一个速度 v：

{code(rule)}

以中间那一层为例，动量系数取 0.9，学习率 lr 取 0.5：

{shown(*pairs)}

（在 Python 里，权重的速度是 `t.before.state["velocity"].weights` 和
`t.after.state["velocity"].weights`，每层一个数组；偏置的速度把 `.weights` 换成
`.biases`。）

先后顺序很要紧。`delta[0]` 用到的 `W[1]`，必须是前向传播时的那个。要是先更新了
`W[1]`，传到前一层的就成了另一个网络的导数。下面两组数，前一组正确，后一组错误：

{
        shown(
            ("delta[1] @ W_old.T * tanh'(z[0])", t.delta[0]),
            ("delta[1] @ W_new.T * tanh'(z[0])", n.from_new_W),
        )
    }

这个错误很容易犯，又很难发现，因为网络照样能学。公开发表的文章也犯过：Matt Mazur 的
“A Step by Step Backpropagation Example”（2015）文末的结果就带着这个错误。
文中一步之后的损失是 0.291027924，而用更新前的权重，应当是 0.291027774。
`examples/steps/step3_by_hand.py` 把两种算法都算了一遍。

所以，bpcore 从 l = L-1 到 0，每一层都先算 `delta[l-1]`，再原地更新 `W[l]` 和
`b[l]`；`dW[l]` 的每一小块算出来还在寄存器里，就直接用于更新，梯度从不写入内存。
这一步之前 E 是 {number(t.loss)}，之后是 {number(n.loss_after)}。`t.after`
与执行 `net.train_step(X, y)` 之后的网络逐位相同。
"""


def momentum(n: Numbers) -> str:
    """A weight updated by the sum of changes, and by their product."""
    heads = "步", "梯度", "相加：改变量", "权重", "相乘：改变量", "权重"
    rows = [
        (
            str(row.step),
            f"{row.gradient:.5f}",
            f"{row.change:.5f}",
            f"{row.weight:.5f}",
            f"{row.product:.5f}",
            f"{row.weight_by_product:.5f}",
        )
        for row in n.momentum
    ]
    return f"""
## 动量是加上去的，不是乘上去的

伪代码里常见这样一个错误：

    weight += change * alpha * momentum         # 错

其中 `change` 是沿负梯度方向走的一步，`momentum` 是上一次的改变量。第一步之前
`momentum` 是 0，乘积就是 0，权重不动；这个 0 又成了下一步的 `momentum`，
于是权重永远不动。换一个初值也无济于事：两个负的改变量相乘是正数，方向反了；
两个很小的改变量相乘又小得不起作用。（如果 `momentum` 是 0.9 这样的常数，
那么这一行只不过是学习率打了折扣的梯度下降，根本没有动量。）

正确的做法是把上一次的改变量乘以一个小于 1 的常数，再**加上去**：

    change = alpha * change - lr * gradient
    weight += change

这就是 `bp.Momentum`。前面 `bp.SGD(momentum=...)` 里的速度 v 与它只差一个学习率，
这个因子留到后面才乘：v = -change / lr。下面分别用两种写法更新 `W[1][0, 1]`，
lr 取 {LR}，alpha 取 {MOMENTUM}，前三步的结果如下：

{table(heads, rows)}
"""


def algorithm(n: Numbers) -> str:
    """The algorithm in NumPy, compared with the trace."""
    return f"""
## 完整算法：{n.algorithm_lines} 行 NumPy

针对这一类网络，变量名与上面的公式一致：

{code(ALGORITHM.substitute(COMMENTS), "python")}

给它这一步之前的权重、偏置和速度（`t.before`），算出的就是这一步之后的（`t.after`），
相差不到 1e-15。注意 `da` 用的是旧的 `W[l]`，在 `W[l]` 改动之前就算好了。换激活函数，
只要改与之有关的两行；换损失函数，则改 `error`、`E` 和 `da`。改完以后，
用 `bp.trace` 和 `bp.check_gradients` 核对一遍。
"""
