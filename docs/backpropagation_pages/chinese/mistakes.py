"""Mistakes often found in articles, in Chinese."""

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
    heads = "", "`dW[0][0, 1]`", "梯度的误差", "更新后的 E"
    rows = (
        row("正确", m.right),
        row("1. 漏掉 1/n", m.without_n),
        row("2. 隐藏层套用输出层的公式", m.output_formula),
        row("3. 求和下标写错", m.not_transposed),
        row("4. 更新的正负号弄反", m.wrong_sign),
        row("4. 动量相乘", m.product),
        row("5. 用更新后的 W 算 delta", m.new_W),
        row("6. 把 f'(z) 算成 f'(a)", m.slope_at_a),
    )
    return f"""
## 文章里常见的错误

在本页的这一步里分别犯下面各种错误，结果如下。“梯度的误差”是指，全部权重和偏置的
梯度与正确梯度之差的范数，除以正确梯度的范数。更新之前 E 是 {number(t.loss)}。

{table(heads, rows)}

犯错误 1、5、6 时，这一步之后的 E 反而比用正确的梯度还小。可见损失在下降，
并不说明程序写对了。要检验，就与中心差分比较：`bp.check_gradients(net, X, y)`。

**1. 漏掉 1/n。** E 是 n 行的平均，所以 `dE/da = (a - y) / n`。如果漏掉 1/n，
后面又用 `dW = a.T @ delta`，所有梯度就都变成 n 倍：这里是 2 倍，小批量有 128
行时就是 128 倍。这样一来，合适的学习率就要随小批量的大小而变。（如果把 E
定义成总和，不除以 n 并不算错，只要所有公式都按这个定义来。）

**2. 给输出层的公式写上了隐藏层的下标。** 这个公式

    delta^(l) = -(y - a^(l)) * f'(z^(l))        # 仅当 l = n_l

书上常把下标印成一般的 l，其实它只对最后一层成立：隐藏层的单元没有目标值。
按本页的记号，正确的是：

    delta[L-1] = (a[L] - y) / n * f'(z[L-1])
    delta[l] = delta[l+1] @ W[l+1].T * f'(z[l])        # l < L-1

写成 `a[2] - y` 时 NumPy 也不报错，因为 y 只有一列，会自动广播。下面第一组数是对的，
第二组是错的：

{
        shown(
            ("delta[1]", t.delta[1]),
            ("(a[2] - y) / n * f'(z[1])", m.output_formula.delta[1]),
        )
    }

**3. 求和的下标写错。** 第 l 层的单元 i 是后一层全部 S_(l+1) 个单元的输入，
所以要对那一层的单元求和：

    delta_i^(l) = (sum_j W_ji^(l) delta_j^(l+1)) * f'(z_i^(l))      # j = 1 ... S_(l+1)

常见的错法有：对 i 求和，上限写成 S_l，或者把 `W_ji` 写成 `W_ij`（也就是忘了转置）。
前后两层一样宽时，忘了转置也不会报错，这里的 `W[1]` 就是这样（先对后错）：

{
        shown(
            ("delta[1] @ W[1].T * f'(z[0])", t.delta[0]),
            ("delta[1] @ W[1] * f'(z[0])", m.not_transposed.delta[0]),
        )
    }

**4. 该减的加，该加的乘。** `delta` 从 `a - y` 算起，更新就是 `W = W - lr * dW`；
从 `y - a` 算起，delta 变号，更新就要用加号。两种写法各取一半，E 就不降反升，这里升到
{number(m.wrong_sign.loss)}。动量则是加上去的：`change = alpha * change - lr * g`；
写成 `lr * g * alpha * change`，而 change 从 0 开始，
权重就永远不动，E 停在 {number(m.product.loss)}
（见[动量是加上去的，不是乘上去的](#动量是加上去的不是乘上去的)）。

**5. 用更新后的 W 算 delta。** 所有 delta 都对应前向传播时的权重：先算
`delta[l-1]`，再更新 `W[l]`（见[原地更新](#原地更新)）。表中的结果，是把 `W[2]`
和 `W[1]` 都提前更新了。

**6. f' 里该用 z，却用了 a。** `tanh'(z)` 是 `1 - tanh(z)**2`，而 `tanh(z)` 就是
a，所以应当写 `1 - a**2`，而不是 `1 - tanh(a)**2`。sigmoid 也一样，是 `a * (1 - a)`，
不是
`sigmoid(a) * (1 - sigmoid(a))`（先对后错）：

{
        shown(
            ("tanh'(z[0]) = 1 - a[1]^2", t.derivatives[0]),
            ("1 - tanh(a[1])^2", m.slope_at_hidden),
        )
    }
"""
