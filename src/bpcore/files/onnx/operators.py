"""Operators: the element of one node of a sequence.

Each function of the table ``OPERATORS`` takes a `Step` and returns elements, or raises
through `Step.refuse`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.files.onnx.step import Step
from bpcore.model.elements import (
    Activation,
    Affine,
    BatchNorm,
    Dropout,
    Element,
    LayerNorm,
    Linear,
)
from bpcore.quoting import quoted

#: What is about the largest float32, or more.
LARGEST = 3.4e38

#: ``TensorProto.DataType`` of float32 and float64.
REAL = {1: "float32", 11: "float64"}


def gemm(step: Step) -> list[Element]:
    """alpha A B + beta C, or with B transposed"""
    node = step.node
    step.require_flat()
    if not step.first or node.integer("transA", 0):
        step.refuse("must multiply the rows from the right, and not transposed")
    W = _matrix(step)
    if node.integer("transB", 0):
        W = W.T
    found = _product(step, W)
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    if alpha != 1:
        found.append(_affine(step, alpha, 0.0))
    if step.constant(2) is not None:
        found.append(_affine(step, 1.0, beta * step.vector(2)))
    return found


def matmul(step: Step) -> list[Element]:
    """A B"""
    step.require_flat()
    if not step.first:
        step.refuse("must multiply the rows from the right")
    return _product(step, _matrix(step))


def add(step: Step) -> list[Element]:
    """A + B"""
    return [_affine(step, 1.0, step.vector(1 if step.first else 0))]


def subtract(step: Step) -> list[Element]:
    """A - B"""
    if step.first:
        return [_affine(step, 1.0, -step.vector(1))]
    return [_affine(step, -1.0, step.vector(0))]


def multiply(step: Step) -> list[Element]:
    """A B, element by element"""
    return [_affine(step, step.vector(1 if step.first else 0), 0.0)]


def divide(step: Step) -> list[Element]:
    """A / B, element by element"""
    if not step.first:
        step.refuse("a constant divided by the rows is no layer here")
    divisor = step.vector(1).astype(np.float64)
    if not divisor.all():
        step.refuse("divides by 0")
    return [_affine(step, 1 / divisor, 0.0)]


def batch_normalization(step: Step) -> list[Element]:
    """Batch norm by its running moments"""
    step.require_flat()
    if step.node.integer("training_mode", 0):
        step.refuse("must not be in training mode: export the model for inference")
    gain, shift, mean, variance = (step.per_unit(i) for i in range(1, 5))
    eps = step.node.number("epsilon", 1e-5)
    return [BatchNorm(gain, shift, mean, variance, eps, at=step.at)]


def layer_normalization(step: Step) -> list[Element]:
    """Layer norm over the units"""
    step.require_flat()
    step.require_last(step.node.integer("axis", -1))
    gain, shift = step.per_unit(1), step.per_unit(2, optional=True)
    return [LayerNorm(gain, shift, step.node.number("epsilon", 1e-5), at=step.at)]


def activation(
    step: Step, name: str, settings: dict[str, tuple[float, float]]
) -> list[Element]:
    """f(A), for the settings that this library's f has.

    `settings` has for each attribute its default and the only value that can be read.
    """
    for attribute, (default, ours) in settings.items():
        value = step.node.number(attribute, default)
        if not math.isclose(value, ours, rel_tol=1e-6):
            step.refuse(f"{attribute} must be {ours:.7g} for {name}; got {value:.7g}")
    return [Activation(name, at=step.at)]


def softmax(step: Step) -> list[Element]:
    """softmax over the units"""
    step.require_flat()
    step.require_last(step.node.integer("axis", -1))
    return [Activation("softmax", at=step.at)]


def gelu(step: Step) -> list[Element]:
    """gelu, exact or by tanh"""
    form = step.node.text("approximate", "none")
    names = {"none": "gelu", "tanh": "gelu_tanh"}
    if form not in names:
        step.refuse(f"approximate must be none or tanh; got {quoted(form)}")
    return [Activation(names[form], at=step.at)]


def clip(step: Step) -> list[Element]:
    """relu as max(z, 0), hard_tanh as min(max(z, -1), 1)"""
    least, most = _bound(step, 1, "min", -math.inf), _bound(step, 2, "max", math.inf)
    names = {(-1.0, 1.0): "hard_tanh", (0.0, math.inf): "relu"}
    if (least, most) not in names:
        step.refuse(f"limits must be -1 and 1, or 0 and none; got {least:g}, {most:g}")
    return [Activation(names[least, most], at=step.at)]


def _bound(step: Step, index: int, name: str, default: float) -> float:
    """A limit, from an input or an attribute; the largest float32 is none."""
    bound = step.node.number(name, default)
    if step.constant(index) is not None:
        bound = float(step.vector(index)[0])
    return bound if abs(bound) < LARGEST else math.copysign(math.inf, bound)


def flatten(step: Step) -> list[Element]:
    """Rows of one axis from rows of more"""
    if step.node.integer("axis", 1) != 1:
        step.refuse(f"axis must be 1; got {step.node.integer('axis', 1)}")
    step.rows.axes = 2
    return []


def reshape(step: Step) -> list[Element]:
    """Flatten, as Reshape to (n, width)"""
    shape = step.constant(1)
    if shape is None or shape.dtype.kind != "i" or shape.size != 2 or not step.first:
        step.refuse("must keep the rows: its shape must be (n, width)")
    n, width = (int(size) for size in shape.reshape(-1))
    return reshape_to(step, n, width)


def reshape_to(step: Step, n: int, width: int) -> list[Element]:
    """Flatten, as Reshape to (n, width), where 0 is n as it was and -1 what is left"""
    rows = step.rows
    keeps_width = width == -1 or width == rows.width
    if not keeps_width and (width < 1 or rows.width is not None):
        step.refuse(f"must keep rows of {rows.width} units; got shape ({n}, {width})")
    if n < -1 or (width == -1 and n not in (0, rows.count)):
        step.refuse(f"must keep the rows; got shape ({n}, {width})")
    rows.axes, rows.width = 2, rows.width if width == -1 else width
    return []


def dropout(step: Step) -> list[Element]:
    """Dropout, which does nothing but while training"""
    mode = step.constant(2)
    if mode is not None and mode.any():
        step.refuse("must not be in training mode: export the model for inference")
    rate = step.node.number("ratio", 0.5)
    if step.constant(1) is not None:
        rate = float(step.vector(1)[0])
    return [Dropout(rate, at=step.at)]


def cast(step: Step) -> list[Element]:
    """A conversion to real numbers"""
    kind = step.node.integer("to", 0)
    if kind not in REAL:
        step.refuse(f"must convert to float32 or float64; got type {kind}")
    return []


def nothing(step: Step) -> list[Element]:
    """The value itself"""
    return []


def scaler(step: Step) -> list[Element]:
    """(A - offset) scale, of scikit-learn's scalers"""
    offset, scale = (
        step.node.numbers(name).astype(np.float64) for name in ("offset", "scale")
    )
    if not offset.size or not scale.size:
        step.refuse("must have offset and scale")
    if offset.size not in (1, scale.size) and scale.size != 1:
        step.refuse(f"has {offset.size} offsets and {scale.size} factors")
    return [Affine(scale, -offset * scale, at=step.at)]


def _matrix(step: Step) -> NDArray[Any]:
    W = step.real(1)
    if W.ndim != 2:
        step.refuse(f"input 1 must be (n_in, n_out); got {W.shape}")
    return W


def _product(step: Step, W: NDArray[Any]) -> list[Element]:
    n_in, n_out = W.shape
    if step.rows.width not in (None, n_in):
        step.refuse(f"has weights for {n_in} inputs; the rows have {step.rows.width}")
    step.rows.width, step.rows.axes = n_out, 2
    return [Linear(W, at=step.at)]


def _affine(step: Step, scale: Any, shift: Any) -> Element:
    factors = (np.atleast_1d(np.asarray(value)) for value in (scale, shift))
    return Affine(*factors, at=step.at)


Read = Callable[[Step], list[Element]]


def _same(name: str, **settings: tuple[float, float]) -> Read:
    return partial(activation, name=name, settings=settings)


#: {operator: what reads it}
OPERATORS: dict[str, Read] = {
    "Gemm": gemm,
    "MatMul": matmul,
    "Add": add,
    "Sub": subtract,
    "Mul": multiply,
    "Div": divide,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "Sigmoid": _same("sigmoid"),
    "Tanh": _same("tanh"),
    "Relu": _same("relu"),
    "LeakyRelu": _same("leaky_relu", alpha=(0.01, 0.01)),
    "Elu": _same("elu", alpha=(1.0, 1.0)),
    "Celu": _same("elu", alpha=(1.0, 1.0)),
    "Selu": _same(
        "selu",
        alpha=(1.6732632423543772, 1.6732632423543772),
        gamma=(1.0507009873554805, 1.0507009873554805),
    ),
    "Gelu": gelu,
    "Swish": _same("silu", alpha=(1.0, 1.0)),
    "Mish": _same("mish"),
    "Softplus": _same("softplus"),
    "Softsign": _same("softsign"),
    "HardSigmoid": _same("hard_sigmoid", alpha=(0.2, 1 / 6), beta=(0.5, 0.5)),
    "Clip": clip,
    "Exp": _same("exp"),
    "Softmax": softmax,
    "Flatten": flatten,
    "Reshape": reshape,
    "Dropout": dropout,
    "Identity": nothing,
    "Cast": cast,
}

#: The same of the domain ai.onnx.ml.
ML_OPERATORS: dict[str, Read] = {"Scaler": scaler, "ZipMap": nothing}
