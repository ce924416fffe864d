"""The step of the pages with mistakes that are often found in articles."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import bpcore as bp
from backpropagation_pages.programs import LR, MOMENTUM
from bpcore.arrays import Real


@dataclass(frozen=True)
class Wrong:
    """One mistake: its deltas, a derivative, the gradient's error, the loss after.

    `weight` is dW[0][0, 1], `error` the norm of the gradient's error relative to the
    norm of the gradient, `loss` that after the step.
    """

    delta: Sequence[Real]
    weight: float
    error: float
    loss: float


@dataclass(frozen=True)
class Mistakes:
    """Steps with one mistake each, and the right step.

    `slope_at_hidden` is the wrong 1 - tanh(a[1])^2.
    """

    right: Wrong
    without_n: Wrong
    output_formula: Wrong
    not_transposed: Wrong
    wrong_sign: Wrong
    product: Wrong
    new_W: Wrong
    slope_at_a: Wrong
    slope_at_hidden: Real


def mistakes(t: bp.Trace, net: bp.Network, X: Any, y: Any) -> Mistakes:
    """The step from `t.before`, right and with each mistake."""

    def wrong(delta: Sequence[Real], factor: float = -LR) -> Wrong:
        """The step by these deltas: weights change by factor * velocity."""
        gradients = [parts(a.T @ d, d.sum(0)) for a, d in zip(t.a, delta, strict=False)]
        flat = np.concatenate(gradients)
        true = np.concatenate([parts(*pair) for pair in zip(t.dW, t.db, strict=True)])
        moved = copy.deepcopy(net)
        moved.parameters[...] += factor * (MOMENTUM * velocity(t) + flat)
        return Wrong(
            delta,
            weight=float((t.a[0].T @ delta[0])[0, 1]),
            error=float(np.linalg.norm(flat - true) / np.linalg.norm(true)),
            loss=moved.evaluate(X, y),
        )

    n, target = len(t.X), np.reshape(y, (-1, 1))
    found = Mistakes(
        right=wrong(t.delta),
        without_n=wrong([n * delta for delta in t.delta]),
        output_formula=wrong(
            [(t.a[l + 1] - target) / n * t.derivatives[l] for l in range(3)]
        ),
        not_transposed=wrong(
            [t.delta[1] @ t.before.weights[1] * t.derivatives[0], *t.delta[1:]]
        ),
        wrong_sign=wrong(t.delta, factor=LR),
        product=wrong(t.delta, factor=0.0),  # the product of changes stays 0
        new_W=wrong(from_new_weights(t)),
        slope_at_a=wrong(with_slope_at_a(t)),
        slope_at_hidden=1 - np.tanh(t.a[1]) ** 2,
    )
    verify(found, t)
    return found


def parts(dW: Real, db: Real) -> Real:
    """The parameters of a layer in the order of `net.parameters`."""
    return np.concatenate([dW.ravel(), db])


def velocity(t: bp.Trace) -> Real:
    """All velocities before the step."""
    v = t.before.state["velocity"]
    return np.concatenate(
        [parts(*pair) for pair in zip(v.weights, v.biases, strict=True)]
    )


def from_new_weights(t: bp.Trace) -> list[Real]:
    """Deltas of a program that updates each W[l] before it computes delta[l - 1]."""
    delta = [t.delta[2]]
    v = t.before.state["velocity"].weights
    for l in (2, 1):
        gradient = t.a[l].T @ delta[0]
        new = t.before.weights[l] - LR * (MOMENTUM * v[l] + gradient)
        delta.insert(0, delta[0] @ new.T * t.derivatives[l - 1])
    return delta


def with_slope_at_a(t: bp.Trace) -> list[Real]:
    """Deltas with f'(a) in place of f'(z)."""
    f = 1 / (1 + np.exp(-t.a[3]))
    delta = [t.da[3] * f * (1 - f)]
    for l in (1, 0):
        back = delta[0] @ t.before.weights[l + 1].T
        delta.insert(0, back * (1 - np.tanh(t.a[l + 1]) ** 2))
    return delta


def verify(found: Mistakes, t: bp.Trace) -> None:
    """What the texts say of these numbers."""
    assert np.isclose(found.right.weight, t.dW[0][0, 1], rtol=1e-13)
    assert found.right.error < 1e-14
    assert np.isclose(found.without_n.error, len(t.X) - 1)
    assert found.wrong_sign.loss > t.loss
    assert np.isclose(found.product.loss, t.loss, rtol=1e-14)
    for wrong in (found.without_n, found.new_W, found.slope_at_a):
        assert wrong.loss < found.right.loss
