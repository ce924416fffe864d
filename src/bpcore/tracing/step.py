"""Step: the numbers of one training step, by the names of the equations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bpcore.arrays import Real
from bpcore.cached import cached_property
from bpcore.engine.dispatch import kernels
from bpcore.engine.engine import noise_key
from bpcore.errstate import own_errstate
from bpcore.fields import CheckedFields
from bpcore.losses import CrossEntropy
from bpcore.model.design import Design
from bpcore.model.gradients import Gradients
from bpcore.optimizers import Optimizer
from bpcore.tracing.memory import warn_of_memory
from bpcore.tracing.parameters import Parameters, require_numbers

#: One array for each layer, None where a layer has none.
Layers = tuple[Any, ...]


@dataclass(frozen=True, repr=False, eq=False)
class Step(CheckedFields):
    """The numbers of one training step; `Trace` documents each of them.

    The fields are the arguments of the step and the arrays that it left in memory.  All
    other numbers are views of them, or computed when first used, by the same kernels.
    """

    network: str
    design: Design = field(repr=False)
    optimizer: Optimizer
    lr: float
    step: int
    layer_steps: tuple[int, ...]
    seen: int
    lr_factors: tuple[tuple[float, float], ...]
    frozen: tuple[bool, ...]
    X: Real
    y: Real
    weight: Real | None
    class_weight: Real | None
    targets: Real
    weights: Real | None
    loss: float
    losses: Real
    d_output: Real
    layers: tuple[dict[str, Real], ...]
    gradients: Gradients
    before: Parameters
    after: Parameters
    #: The results of `activation_derivative` by layer.
    computed_derivatives: dict[int, Real] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "computed_derivatives", {})
        require_numbers(f"a stored {type(self).__name__}", vars(self))

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_0, ..., n_L."""
        return self.design.sizes

    @property
    def n_layers(self) -> int:
        """L, the number of layers of weights."""
        return len(self.layers)

    # --- forward ----------------------------------------------------------------------

    @property
    def a(self) -> tuple[Real, ...]:
        """a[0] = X, or X * scale, (n, n_0), to a[L], (n, n_L)."""
        return (self._input, *(layer["a"] for layer in self.layers))

    @cached_property
    @own_errstate
    def _input(self) -> Real:
        """a[0]"""
        scale = self.before.scale
        return self.X if scale is None else self.X * scale

    @property
    def z(self) -> tuple[Real, ...]:
        """z[l], (n, n_{l+1}): the arguments of the activations."""
        return tuple(layer["z"] for layer in self.layers)

    @property
    def f(self) -> tuple[Real, ...]:
        """f(z[l]), (n, n_{l+1}): a[l+1] before dropout."""
        return tuple(layer["f"] for layer in self.layers)

    @cached_property
    def u(self) -> Layers:
        """a[l] @ W[l] of normalised layers, (n, n_{l+1}), else None."""
        products: list[Any] = []
        for a, W, norm in zip(
            self.a[:-1], self.before.weights, self.design.norms, strict=True
        ):
            u = None
            if norm:
                u = np.empty((len(a), W.shape[1]), W.dtype)
                kernels.forward(a, W, np.zeros(W.shape[1], W.dtype), u)
            products.append(u)
        return tuple(products)

    @property
    def hat(self) -> Layers:
        """(u - mean) * inverse of normalised layers, else None."""
        return tuple(layer.get("hat") for layer in self.layers)

    @property
    def inverse(self) -> Layers:
        """1 / sqrt(variance + 1e-5), (1, n_{l+1}), of layer norm (n, 1); else None."""
        return tuple(
            layer["inverse"] if norm else None
            for layer, norm in zip(self.layers, self.design.norms, strict=True)
        )

    @property
    def moments(self) -> Layers:
        """Mean and variance of the mini-batch (2, n_{l+1}), batch norm's, else None."""
        return tuple(
            layer["moments"] if norm == "batch" else None
            for layer, norm in zip(self.layers, self.design.norms, strict=True)
        )

    @cached_property
    def kept(self) -> Layers:
        """1 / (1 - dropout) for the units that were kept, 0 for the others, or None."""
        return tuple(
            self._drop(np.ones_like(layer["z"]), l) if self.design.dropout[l] else None
            for l, layer in enumerate(self.layers)
        )

    # --- backward ---------------------------------------------------------------------

    @property
    def derivatives(self) -> tuple[Real, ...]:
        """f'(z[l]), (n, n_{l+1}); for softmax the Jacobian df_j/dz_k of each row.

        That is (n, n_{l+1}, n_{l+1}), with rows j and columns k; if it takes more than
        1 GB there is a UserWarning first.
        """
        return tuple(activation_derivative(self, l) for l in range(self.n_layers))

    @cached_property
    def da(self) -> tuple[Real, ...]:
        """dE/da[l], (n, n_l): da[0] is dE/dX, or with a scale dE/d(X * scale)."""
        da_0 = self.gradients.input
        if self.before.scale is not None:
            da_0, W = np.empty_like(self.X), self.before.weights[0]
            kernels.propagate(self.layers[0]["delta"], W, da_0.copy(), da_0)
        above = [
            self._back(l, np.empty_like(self.layers[l - 1]["a"]), "identity")
            for l in range(1, self.n_layers)
        ]
        return (da_0, *above, self._by_output)

    @property
    def delta(self) -> tuple[Real, ...]:
        """dE/dz[l], (n, n_{l+1})."""
        return tuple(
            self._before_norm[l] if norm else layer["delta"]
            for l, (layer, norm) in enumerate(
                zip(self.layers, self.design.norms, strict=True)
            )
        )

    @property
    def du(self) -> Layers:
        """dE/du[l] of normalised layers, (n, n_{l+1}), else None."""
        return tuple(
            layer["delta"] if norm else None
            for layer, norm in zip(self.layers, self.design.norms, strict=True)
        )

    @property
    def dW(self) -> tuple[Real, ...]:
        """dE/dW[l], (n_l, n_{l+1})."""
        return self.gradients.weights

    @property
    def db(self) -> tuple[Real, ...]:
        """dE/db[l], (n_{l+1},)."""
        return self.gradients.biases

    @property
    def dgain(self) -> Layers:
        """dE/dgain[l] of normalised layers, (n_{l+1},), else None."""
        return self.gradients.gains

    @property
    def dX(self) -> Real:
        """dE/dX, (n, n_0)."""
        return self.gradients.input

    @property
    def dscale(self) -> Any:
        """dE by the scale of the inputs, (n_0,), None without one."""
        return self.gradients.input_scale

    # --- computed again by the kernels ------------------------------------------------

    def _drop(self, x: Real, l: int) -> Real:
        """Dropout of layer l applied to x in place."""
        if self.design.dropout[l]:
            key = noise_key(noise_key(self.design.seed, self.seen), l + 1)
            kernels.drop(x.copy(), x, key, self.design.dropout[l])
        return x

    def _back(self, l: int, out: Real, f: str) -> Real:
        """(delta[l] @ W[l].T) * f'[l-1](z[l-1])"""
        delta, W = self.layers[l]["delta"], self.before.weights[l]
        kernels.propagate(delta, W, _source(self, l - 1), out, f)
        return out

    @cached_property
    def _before_norm(self) -> dict[int, Real]:
        """dE/dz of the normalised layers, which the step overwrote by dE/du."""
        found = {}
        for l, norm in enumerate(self.design.norms):
            if norm:
                f, drops = self.design.activations[l], self.design.dropout[l] > 0
                out = np.empty_like(self.layers[l]["z"])
                if f == "softmax" and drops:
                    self._drop(self._back(l + 1, out, "identity"), l)
                    kernels.times_derivative(out, _source(self, l), f)
                else:
                    self._drop(self._back(l + 1, out, f), l)
                found[l] = out
        return found

    @cached_property
    @own_errstate
    def _by_output(self) -> Real:
        """dE/da[L]; by its formula if the loss includes the output activation."""
        if not self.design.loss_takes_z:
            return self.d_output
        a = self.a[-1]
        w = np.ones(len(a)) if self.weights is None else self.weights
        factor = w.reshape(len(a), -1) / len(a)
        loss = self.design.loss
        if isinstance(loss, CrossEntropy) and w.ndim == 2:  # targets already smoothed
            loss = CrossEntropy()
        by_a = loss.by_outputs(a, self.targets)
        return np.where(factor == 0, 0, by_a * factor).astype(a.dtype)


def activation_derivative(step: Step, l: int) -> Real:
    """f'(z[l]), as in ``step.derivatives``, of this layer alone; computed once.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.step import activation_derivative
    >>> step = bp.trace(bp.Network([1, 1], init="zeros"), [[3.0]], [[2.0]])
    >>> activation_derivative(step, 0).item()
    1.0
    """
    if l not in step.computed_derivatives:
        step.computed_derivatives[l] = _derivative(step, l)
    return step.computed_derivatives[l]


def _derivative(step: Step, l: int) -> Real:
    source, f = _source(step, l), step.design.activations[l]
    if f != "softmax":
        ones = np.ones_like(source)
        kernels.times_derivative(ones, source, f)
        return ones
    n, width = source.shape
    warn_of_memory("these derivatives take", n * width * width * source.itemsize)
    return _softmax_jacobian(source)


def _source(step: Step, l: int) -> Real:
    """The array from which f' is computed: z, or f(z)."""
    layer = step.layers[l]
    return layer["z" if step.design.needs_z[l] else "f"]


@own_errstate
def _softmax_jacobian(a: Real) -> Real:
    """a_j ([j = k] - a_k) of each row"""
    one = np.eye(a.shape[1], dtype=a.dtype)
    return a[:, :, None] * (one - a[:, None, :])
