"""Assembly: the layers of this library from the elements of another's network.

A layer computes, with u = a W and an optional norm of u::

    z = gain norm(u) + b,     a = f(z),     then dropout of a

Everything else is multiplied into W and b, exactly but for rounding: another eps of a
norm, the bias before a batch norm, and factors and norms after an activation, which go
into the next layer's W and b.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import singledispatchmethod
from typing import Any, NoReturn

import numpy as np

from bpcore import arrays
from bpcore.activations import ACTIVATIONS
from bpcore.arrays import Real
from bpcore.errstate import own_errstate
from bpcore.losses import Loss, LossFunction
from bpcore.model.design import Design
from bpcore.model.elements import (
    Activation,
    Affine,
    BatchNorm,
    BothClasses,
    Dropout,
    Element,
    LayerNorm,
    Linear,
)
from bpcore.model.layer import EPS, Layer, Vector, float64, is_eps, own_eps, row_blocks
from bpcore.model.state import State, empty_state
from bpcore.optimizers import SGD
from bpcore.quoting import quoted

#: The most outputs for which a layer is added that only multiplies and shifts them.
MOST_DIAGONAL = 256

#: Activations with f(c z) = c f(z) for c > 0: dropout may come before them or after.
HOMOGENEOUS = ("identity", "relu", "leaky_relu")


@own_errstate
def assemble(
    elements: Iterable[Element],
    dtype: np.dtype[Any],
    loss: str | Loss | LossFunction | None = None,
) -> tuple[Design, State]:
    """Design and state of a network that computes the elements one after the other.

    Raises
    ------
    ValueError
        If an element has no place in this library's layers, does not fit the one
        before, or is not finite.  The message begins with the element's place.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.model.assembly import assemble
    >>> from bpcore.model.elements import Activation, Linear
    >>> parts = [Linear(np.ones((2, 3))), Activation("relu"), Linear(np.ones((3, 1)))]
    >>> assemble(parts, np.dtype("float32"))[0].sizes
    (2, 3, 1)
    """
    line = Line()
    for element in elements:
        line.add(element)
    line.end()
    return _filled(line.layers, dtype, loss)


def _filled(
    layers: list[Layer], dtype: np.dtype[Any], loss: str | Loss | LossFunction | None
) -> tuple[Design, State]:
    """Design and state of complete layers."""
    sizes = [layers[0].n_in, *(layer.n_out for layer in layers)]
    *hidden, last = layers
    if loss is None and last.activation == "softmax" and last.n_out == 1:
        loss = "squared_error"  # the default, cross_entropy, needs two outputs
    design = Design.checked(
        sizes,
        [layer.activation or "identity" for layer in hidden],
        last.activation or "identity",
        loss,
        [layer.norm for layer in hidden],
        [layer.dropout for layer in hidden],
        0.0,
    )
    state = empty_state(design, dtype, SGD())
    parts = design.layout.views(state.parameters)
    moments = design.layout.moments(state.moments)
    for l, layer in enumerate(layers):
        layer.write_W(parts.weights[l])
        parts.biases[l][...] = layer.b
        if layer.norm:
            parts.gains[l][...] = layer.gain
        if moments[l] is not None:
            moments[l][...] = layer.mean, layer.variance
    for name, array in state.numbers().items():
        if not arrays.all_finite(array):
            raise ValueError(f"{name} not finite in {dtype.name}")
    return design, state


class Line:
    """Elements are added in order; `layers` are the layers so far.

    `scale` and `shift` are applied to the output of the last layer, or to the input,
    and go into the next layer.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.scale, self.shift = np.ones(1), np.zeros(1)
        self.affine_at = self.layer_norm_at = self.dropout_at = ""

    @property
    def last(self) -> Layer | None:
        """The last layer, if there is one."""
        return self.layers[-1] if self.layers else None

    @property
    def open(self) -> Layer | None:
        """The last layer if nothing but a norm follows its product yet."""
        return self.last if self.last and self.last.linear else None

    @property
    def plain(self) -> bool:
        """Whether nothing is left to go into the next layer."""
        return bool((self.scale == 1).all() and not self.shift.any())

    @singledispatchmethod
    def add(self, element: Element) -> None:
        """Add an element."""
        raise TypeError(f"unknown element {quoted(element)}")

    @add.register
    def _(self, linear: Linear) -> None:
        width = self.last.n_out if self.last else None
        if linear.W.ndim != 2 or 0 in linear.W.shape:
            _refuse(linear, f"W must be (n_in, n_out); got shape {linear.W.shape}")
        if width not in (None, len(linear.W)):
            _refuse(linear, f"W must have {width} rows; got shape {linear.W.shape}")
        n_in, n_out = linear.W.shape
        if self.scale.size not in (1, n_in) or self.shift.size not in (1, n_in):
            size = max(self.scale.size, self.shift.size)
            raise ValueError(f"{self.affine_at}: has {size} units; then come {n_in}")
        for part in row_blocks(linear.W):
            _require_finite(linear, "W", linear.W[part])
        if linear.b is not None:
            _require_units(linear, n_out, b=linear.b)
        self.layers.append(Layer(linear, self.scale, self.shift))
        self.scale, self.shift = np.ones(1), np.zeros(1)

    @add.register
    def _(self, affine: Affine) -> None:
        _require_units(affine, None, scale=affine.scale, shift=affine.shift)
        self._use_affine(affine, float64(affine.scale), float64(affine.shift))

    @add.register
    def _(self, norm: BatchNorm) -> None:
        given = {name: getattr(norm, name) for name in ("gain", "shift", "mean")}
        width = self.last.n_out if self.last else None
        _require_units(norm, width, **given, variance=norm.variance)
        if not math.isfinite(norm.eps) or not (own_eps(norm) + EPS > 0).all():
            _refuse(norm, f"variance + eps must be above 0; eps is {norm.eps}")
        if self.open and not self.open.norm:
            self.open.use_batch_norm(norm)
            return
        scale = norm.gain / np.sqrt(float64(norm.variance) + norm.eps)
        self._use_affine(norm, scale, norm.shift - norm.mean * scale)

    @add.register
    def _(self, norm: LayerNorm) -> None:
        layer = self.open
        if layer is None or layer.norm:
            _refuse(
                norm,
                "a layer norm has a place only directly after a product with weights: "
                "train the network with it there, before the activation",
            )
        _require_units(norm, layer.n_out, gain=norm.gain, shift=norm.shift)
        if not (math.isfinite(norm.eps) and norm.eps > 0):
            _refuse(norm, f"eps must be above 0; got {norm.eps}")
        if np.ptp(layer.b) != 0:
            _refuse(
                norm,
                "the layer before a layer norm must have no bias, or equal ones, since "
                "here b is the shift after the norm: train it without, as by "
                "torch.nn.Linear(..., bias=False) or keras.layers.Dense(..., "
                "use_bias=False)",
            )
        # (c u) with eps is normalised as u with eps / c^2.
        if not is_eps(norm.eps):
            layer.columns = layer.columns * math.sqrt(EPS / norm.eps)
        layer.norm, layer.gain, layer.b = (
            "layer",
            float64(norm.gain),
            float64(norm.shift),
        )
        self.layer_norm_at = norm.at

    @add.register
    def _(self, f: Activation) -> None:
        if f.name not in ACTIVATIONS:
            _refuse(f, f"there is no activation {f.name!r} here")
        if f.name == "identity":
            return
        if self.last is None:
            _refuse(f, "an activation must follow a product with weights")
        layer = self.last
        if layer.activation is not None or not self.plain:
            _refuse(f, f"{f.name} must follow a product with weights; got another f(z)")
        if layer.dropout and f.name not in HOMOGENEOUS:
            _refuse(f, f"dropout must come after {f.name}, not before")
        layer.activation = f.name

    @add.register
    def _(self, dropout: Dropout) -> None:
        if not 0 <= dropout.p < 1:
            _refuse(dropout, f"p must be at least 0 and below 1; got {dropout.p}")
        if not dropout.p:
            return
        if self.last is None:
            _refuse(dropout, "dropout of the input has no place here: leave it out")
        # Two in a row keep a unit with the product of their probabilities.
        before = self.last.dropout
        self.last.dropout = 1 - (1 - before) * (1 - dropout.p) if before else dropout.p
        self.dropout_at = dropout.at

    @add.register
    def _(self, both: BothClasses) -> None:
        layer = self.last
        fits = layer and layer.activation == "sigmoid" and layer.n_out == 1
        if not layer or not fits or not self.plain or layer.dropout:
            _refuse(both, "(1 - a, a) must follow the sigmoid of one unit")
        if layer.norm == "batch":
            layer.fold_batch_norm()
        if layer.norm:
            _refuse(both, "(1 - a, a) cannot follow a layer norm")
        layer.use_both_classes()

    def end(self) -> None:
        """Check that the last layer is complete."""
        layer = self.last
        if layer is None:
            raise ValueError("there is no product with weights, so no layer")
        if not self.plain:  # one more layer, with factors on its diagonal
            if layer.n_out > MOST_DIAGONAL:
                raise ValueError(
                    f"{self.affine_at}: factors and shifts after the last activation "
                    f"have a place for at most {MOST_DIAGONAL} outputs; got "
                    f"{layer.n_out}"
                )
            self.add(Linear(np.eye(layer.n_out), at=self.affine_at))
            layer = self.layers[-1]
        if layer.norm == "batch":
            layer.fold_batch_norm()
        if layer.norm:
            raise ValueError(
                f"{self.layer_norm_at}: the last layer can have no layer norm here"
            )
        if layer.dropout:
            raise ValueError(
                f"{self.dropout_at}: dropout of the output has no place here: leave it "
                "out"
            )

    def _use_affine(self, element: Element, scale: Vector, shift: Vector) -> None:
        """Multiply and shift the units of the last layer, or the input."""
        width = self.last.n_out if self.last else None
        size = max(scale.size, shift.size)
        if width is not None and size not in (1, width):
            _refuse(element, f"must be for {width} units; got {size}")
        if self.open:
            self.open.use_affine(scale, shift)
            return
        sizes = {scale.size, shift.size, self.scale.size, self.shift.size} - {1}
        if len(sizes) > 1:
            _refuse(element, f"has {size} units; those before are others")
        self.scale, self.shift = self.scale * scale, self.shift * scale + shift
        self.affine_at = element.at


def _require_units(element: Element, width: int | None, **given: Real) -> None:
    """Raise unless each array is finite and has a number for each unit, or one."""
    for name, array in given.items():
        if array.ndim != 1 or not array.size:
            _refuse(element, f"{name} must have one axis; got shape {array.shape}")
        _require_finite(element, name, array)
        if width is not None and array.size != width:
            _refuse(element, f"{name} must be ({width},); got ({array.size},)")


def _require_finite(element: Element, name: str, array: Real) -> None:
    if not np.isfinite(array).all():
        _refuse(element, f"{name} must be finite; got NaN or infinity")


def _refuse(element: Element, why: str) -> NoReturn:
    raise ValueError(f"{element.at}: {why}" if element.at else why)
