"""Softmax with cross-entropy: why the output delta is a - y
=========================================================

The chain rule uses dE/da = -y / a and the Jacobian of softmax, in which every output
depends on every z::

    da_j/dz_k = a_j (1 - a_j) where j = k, else -a_j a_k
    delta_k = sum_j dE/da_j da_j/dz_k
            = -y_k (1 - a_k) + sum_{j != k} y_j a_k
            = a_k sum_j y_j - y_k = a_k - y_k

a_j cancels: there is no division by outputs near 0, and no factor near 0.  So delta is
large for outputs that are wrong with high probability.

Run it::

    python examples/steps/step4_softmax.py
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import bpcore as bp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

X = np.array([[1.0, 0.5], [-0.5, 2.0]])
LABELS = np.array([0, 2])
Y = np.eye(3)[LABELS]  # one-hot rows


def build(loss: str = "cross_entropy") -> bp.Network:
    """A network 2-4-3 with softmax outputs."""
    return bp.Network(
        [2, 4, 3],
        activation="tanh",
        output="softmax",
        loss=loss,
        dtype="float64",
        rng=0,
    )


def jacobian(a: NDArray[Any]) -> NDArray[Any]:
    """da_j/dz_k of softmax for one sample: rows j, columns k."""
    return np.diag(a) - np.outer(a, a)


def delta_by_jacobian(a: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """dE/dz of the mean cross-entropy, by dE/da and the Jacobian."""
    by_a = -y / a / len(a)
    return np.array([d @ jacobian(row) for d, row in zip(by_a, a, strict=True)])


def wrong_with_certainty(loss: str, sure: float) -> NDArray[Any]:
    """Delta of a network with z[2] - z[0] = `sure`, where class 0 is right."""
    net = bp.Network([1, 3], output="softmax", loss=loss, init="zeros", dtype="float64")
    net.biases[0][2] = sure
    return bp.trace(net, [[0.0]], [[1, 0, 0]]).delta[0][0]


def picture() -> Figure:
    """Delta of the right class, the surer the network is of a wrong one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.8), layout="constrained")
    axes = figure.subplots()
    sure = np.linspace(-5, 10, 61)
    for loss, style in (("cross_entropy", "-"), ("squared_error", "--")):
        delta = [wrong_with_certainty(loss, z)[0] for z in sure]
        axes.plot(sure, delta, style, color="black", label=loss)
    axes.axhline(0, color="0.7", zorder=0)
    axes.set(xlabel="z[2] - z[0]: how sure of class 2, where class 0 is right")
    axes.set(ylabel="delta of class 0")
    axes.legend(frameon=False)
    return figure


@np.printoptions(precision=6, suppress=True)
def main(argv: Sequence[str] | None = None) -> None:
    """Print delta, computed in three ways, and compare it with squared error."""
    trace = bp.trace(build(), X, LABELS)
    a, n = trace.a[-1], len(X)
    print(f"y, labels {LABELS} as rows\n{Y}")
    print(f"a = softmax(z), rows add up to 1\n{a}")
    print(f"(a - y) / n\n{(a - Y) / n}")
    print(f"delta of the trace\n{trace.delta[-1]}")
    print(f"difference  {np.abs(trace.delta[-1] - (a - Y) / n).max():.0e}\n")

    print(f"the long way, row 0: dE/da = -y / a / n\n{trace.da[-1][0]}")
    print(f"times da_j/dz_k, row j, column k\n{trace.derivatives[-1][0]}")
    by_jacobian = delta_by_jacobian(a, Y)
    print(f"gives\n{by_jacobian[0]}")
    print(f"difference  {np.abs(trace.delta[-1] - by_jacobian).max():.0e}\n")

    print("delta of the right class where the net is sure of another one")
    print("z[2] - z[0]   cross-entropy   half squared error")
    for sure in (0.0, 2.0, 5.0, 10.0):
        by_loss = [
            wrong_with_certainty(loss, sure)[0]
            for loss in ("cross_entropy", "squared_error")
        ]
        print(f"{sure:11g}{by_loss[0]:16.6f}{by_loss[1]:21.6f}")


if __name__ == "__main__":
    main()
