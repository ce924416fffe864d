"""Slips in working out a step by hand: the wrong numbers that each of them gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.engine.dispatch import kernels
from bpcore.tracing.quantities import as_float64, parts, quantity_names
from bpcore.tracing.step import Step

Array = NDArray[np.float64]
#: What went wrong, and the numbers that follow.
Slip = tuple[str, Array]

#: Most rows that are tried one by one.
ROWS = 64
#: Most numbers of the matrices of these rows together.
NUMBERS = 1 << 18
#: Derivatives of the mean loss E.
GRADIENTS = ("da", "delta", "du", "dW", "db", "dgain", "dX", "dscale")


def slips(step: Step, name: str) -> Iterator[Slip]:
    """The wrong numbers for a quantity of the step; the likelier slips first."""
    kind, l = parts(name)
    right = as_float64(quantity_names(step)[name]())
    factors = [*_factors(step, kind)]
    for text, factor in factors:
        yield text, factor * right
    yield from _own(step, kind, l)
    for text, wrong in _own(step, kind, l):
        for other, factor in factors:
            yield f"{text}; and {other}", factor * wrong
    if right.ndim == 2:
        yield "it is transposed", right.T
        for other, factor in factors:
            yield f"it is transposed; and {other}", factor * right.T
    for other, array in quantity_names(step).items():
        if other != name and not other.startswith("derivatives"):
            yield f"this is {other}", as_float64(array())


def _factors(step: Step, kind: str) -> Iterator[tuple[str, float]]:
    """What the numbers may have been multiplied by."""
    n, lr, n_out = len(step.X), step.lr, step.sizes[-1]
    if kind in GRADIENTS:
        if n > 1:
            yield f"1/n is forgotten, n = {n}", n
            yield f"1/n is applied twice, or a mean is taken for a sum, n = {n}", 1 / n
        yield "the sign is wrong", -1.0
        yield "the learning rate is already in it", lr
        yield "this is the change of a step, -lr times the derivative", -lr
        if n_out > 1 and "n_L" in "".join(
            step.design.loss.derivatives(step.design.activations[-1])
        ):
            yield f"1/n_L of the loss is forgotten, n_L = {n_out}", n_out
        yield "it is twice as large, as if the loss had no factor 1/2", 2.0
        yield "it is half as large, as if the loss had another factor 1/2", 0.5
    elif kind == "loss":
        if n > 1:
            yield f"the sum over the rows is taken for the mean, n = {n}", n
            yield f"1/n is applied twice, n = {n}", 1 / n
        yield "the sign is wrong", -1.0
        yield "it is twice as large, as if the loss had no factor 1/2", 2.0
        yield "it is half as large, as if the loss had another factor 1/2", 0.5
    else:
        yield "the sign is wrong", -1.0


def _own(step: Step, kind: str, l: int) -> Iterator[Slip]:
    """The slips in the equation of a quantity."""
    if kind == "z":
        yield from _of_z(step, l)
    elif kind == "f" or (kind == "a" and l > 0):
        yield from _of_output(step, l - (kind == "a"))
    elif kind == "derivatives":
        yield from _of_derivatives(step, l)
    elif kind == "da" and l < step.n_layers:
        yield from _of_da(step, l)
    elif kind == "dX" and step.before.scale is None:
        yield from _of_da(step, 0)
    elif kind == "delta":
        yield from _of_delta(step, l)
    elif kind in ("dW", "db"):
        yield from (_of_dW if kind == "dW" else _of_db)(step, l)
    elif kind.startswith("after."):
        yield from _of_update(step, kind[len("after.") :], l)


# --- forward --------------------------------------------------------------------------


def _of_z(step: Step, l: int) -> Iterator[Slip]:
    """z[l] = a[l] @ W[l] + b[l]"""
    if step.design.norms[l]:
        return
    a, W, b = as_float64(step.a[l]), *_parameters(step, l)
    new_W, new_b = _parameters(step, l, "after")
    yield f"the bias b[{l}] is forgotten", a @ W
    yield f"the bias b[{l}] is subtracted", a @ W - b
    yield f"the new W[{l}] and b[{l}] are used", a @ new_W + new_b
    yield f"the new W[{l}] is used", a @ new_W + b
    if W.shape[0] == W.shape[1]:
        yield f"W[{l}] is transposed", a @ W.T + b
    if l > 0:
        z = as_float64(step.z[l - 1])
        yield f"z is taken for a: z[{l - 1}] in place of a[{l}]", z @ W + b


def _of_output(step: Step, l: int) -> Iterator[Slip]:
    """f[l] = f(z[l])"""
    f, z = step.design.activations[l], as_float64(step.z[l])
    yield f"the activation {f} is forgotten, which leaves z[{l}]", z
    yield f"{f} is applied twice", _activated(as_float64(step.f[l]), f)
    for text, wrong in _of_z(step, l):
        yield f"in z[{l}], {text}", _activated(wrong, f)


# --- backward -------------------------------------------------------------------------


def _of_derivatives(step: Step, l: int) -> Iterator[Slip]:
    """f'(z[l])"""
    if step.design.activations[l] != "softmax":
        yield from _with_other_argument(step, l, np.ones(step.z[l].shape))


def _of_da(step: Step, l: int) -> Iterator[Slip]:
    """dE/da[l] = delta[l] @ W[l].T"""
    delta, W = as_float64(step.layers[l]["delta"]), _parameters(step, l)[0]
    new_W = _parameters(step, l, "after")[0]
    yield f"the new W[{l}] is used in place of the old one", delta @ new_W.T
    if W.shape[0] == W.shape[1]:
        yield f"W[{l}] is not transposed", delta @ W


def _of_delta(step: Step, l: int) -> Iterator[Slip]:
    """delta[l] = dE/da[l+1] * f'(z[l])"""
    da = as_float64(step.da[l + 1])
    last = l == step.n_layers - 1
    kept = 1.0 if step.kept[l] is None else as_float64(step.kept[l])
    yield f"f' is forgotten, which leaves dE/da[{l + 1}]", da * kept
    if last and step.design.loss_takes_z:
        delta = as_float64(step.delta[l])
        again = _times_derivative(step, l, delta)
        yield f"f' is applied once too often: dE/dz[{l}] of this loss has it", again
    if step.kept[l] is not None:
        yield f"kept[{l}] of dropout is forgotten", _times_derivative(step, l, da)
    yield from _with_other_argument(step, l, da * kept)
    if not last:
        for text, wrong in _of_da(step, l + 1):
            yield text, _times_derivative(step, l, wrong * kept)


def _of_dW(step: Step, l: int) -> Iterator[Slip]:
    """dW[l] = a[l].T @ delta[l]"""
    a, delta = as_float64(step.a[l]), as_float64(step.layers[l]["delta"])
    if l > 0:
        z = as_float64(step.z[l - 1])
        yield f"z is taken for a: z[{l - 1}] in place of a[{l}]", z.T @ delta
    if not step.design.norms[l]:
        for text, wrong in _of_delta(step, l):
            yield f"in delta[{l}], {text}", a.T @ wrong
    if 1 < len(a) <= ROWS and a.size * delta.shape[1] <= NUMBERS:
        for r, (x, d) in enumerate(zip(a, delta, strict=True)):
            yield f"the sum over the rows is missing: only row {r}", np.outer(x, d)
    for k in range(step.n_layers):
        other, before = as_float64(step.layers[k]["delta"]), as_float64(step.a[k])
        if k != l and other.shape == delta.shape:
            yield f"delta[{k}] in place of delta[{l}]", a.T @ other
        if k != l and before.shape == a.shape:
            yield f"a[{k}] in place of a[{l}]", before.T @ delta


def _of_db(step: Step, l: int) -> Iterator[Slip]:
    """db[l] = delta[l].sum(0)"""
    delta = as_float64(step.delta[l])
    yield "the sum over the rows is missing", delta
    if 1 < len(delta) <= ROWS:
        for r, d in enumerate(delta):
            yield f"the sum over the rows is missing: only row {r}", d
    yield "the sum is over the units, in place of the rows", delta.sum(axis=1)
    for text, wrong in _of_delta(step, l):
        yield f"in delta[{l}], {text}", wrong.sum(axis=0)


# --- update ---------------------------------------------------------------------------


def _of_update(step: Step, kind: str, l: int) -> Iterator[Slip]:
    """w, after = w + its change; of plain gradient descent w - lr dE/dw"""
    attribute = {"W": "W", "b": "b", "gain": "gains", "scale": "scale"}[kind]
    gradients = {"W": step.dW, "b": step.db, "gain": step.dgain, "scale": step.dscale}
    old, new, g = (
        as_float64(found if kind == "scale" else found[l])
        for found in (
            getattr(step.before, attribute),
            getattr(step.after, attribute),
            gradients[kind],
        )
    )
    change, n, lr = new - old, len(step.X), step.lr
    yield (
        "the sign of the step is wrong: w + lr dE/dw in place of w - lr dE/dw",
        (old - change),
    )
    yield "no step is made: these are the parameters before it", old
    yield "this is the change alone, without the parameters before it", change
    yield "the learning rate is forgotten", old - g
    if step.optimizer.rule != "plain":
        name = type(step.optimizer).__name__
        text = f"this is plain gradient descent, without the other terms of {name}"
        yield text, old - lr * g
    if n > 1:
        yield f"1/n is forgotten, n = {n}", old + n * change
        yield f"1/n is applied twice, n = {n}", old + change / n
    if kind in ("W", "b"):
        for text, wrong in _own(step, f"d{kind}", l):
            if wrong.shape == old.shape:
                yield f"in d{kind}[{l}], {text}", old - lr * wrong


# --- arithmetic -----------------------------------------------------------------------


def _parameters(step: Step, l: int, moment: str = "before") -> tuple[Array, Array]:
    """W[l] and b[l] before or after the step."""
    parameters = getattr(step, moment)
    return as_float64(parameters.W[l]), as_float64(parameters.b[l])


def _activated(z: Array, f: str) -> Array:
    """f(z)"""
    a = z.copy()
    kernels.activate(a, f)
    return a


def _times_derivative(step: Step, l: int, da: Array, of: Any = None) -> Array:
    """da * f'(z[l]), or with another array in place of the argument of f'."""
    if of is None:
        of = step.layers[l]["z" if step.design.needs_z[l] else "f"]
    delta = np.ascontiguousarray(da).copy()
    kernels.times_derivative(delta, as_float64(of), step.design.activations[l])
    return delta


def _with_other_argument(step: Step, l: int, da: Array) -> Iterator[Slip]:
    """f' of a in place of z, and the reverse."""
    f, a = step.design.activations[l], as_float64(step.f[l])
    z = as_float64(step.z[l])
    if step.design.needs_z[l]:
        yield f"a is taken for z: {f}'(a[{l + 1}])", _times_derivative(step, l, da, a)
        return
    wrong = _times_derivative(step, l, da, _activated(a, f))
    yield f"a is taken for z: {f}'(a[{l + 1}])", wrong
    wrong = _times_derivative(step, l, da, z)
    yield f"z is taken for a in the formula of {f}'", wrong
