"""Constants: values of a graph that do not depend on its input, without copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errors import ModelFileError
from bpcore.files.onnx.nodes import Node

#: Bytes up to which a constant may be copied into another order.
MOST_COPIED = 1 << 16

#: dtypes that a Cast to the type can leave as they are.
KINDS = {1: "float32", 6: "int32", 7: "int64", 11: "float64"}


def evaluate(node: Node, inputs: list[NDArray[Any]]) -> NDArray[Any]:
    """The output of a node whose inputs are constants.

    Raises
    ------
    ModelFileError
        If it is another operator than Constant, Identity, Transpose, Reshape, Squeeze,
        Unsqueeze or a Cast that changes nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.files.onnx.constants import evaluate
    >>> from bpcore.files.onnx.nodes import Node
    >>> node = Node(0, "Transpose", "", "", ["W"], ["V"], {})
    >>> evaluate(node, [np.ones((2, 3))]).shape
    (3, 2)
    """
    if node.op == "Constant" and not inputs:
        return _constant(node)
    if node.domain in ("", "ai.onnx") and inputs:
        array = inputs[0]
        if node.op == "Identity":
            return array
        if node.op == "Cast" and KINDS.get(node.integer("to", 0)) == array.dtype.name:
            return array
        if node.op == "Transpose":
            axes = node.integers("perm") or list(range(array.ndim))[::-1]
            if sorted(axes) != list(range(array.ndim)):
                raise ModelFileError(f"{node.at}: perm must order {array.ndim} axes")
            return array.transpose(axes)
        if node.op in ("Reshape", "Squeeze", "Unsqueeze"):
            return _reshaped(node, array, inputs)
    raise ModelFileError(
        f"{node.at}: computes with constants what cannot be read; simplify the model "
        "before, as by onnxruntime's optimisation to a file or the package onnxsim"
    )


def _constant(node: Node) -> NDArray[Any]:
    """The value of a node Constant."""
    array = node.tensor("value")
    if array is not None:
        return array
    if "value_float" in node.attributes:
        return np.array(node.number("value_float", 0.0), np.float32)
    if "value_int" in node.attributes:
        return np.array(node.integer("value_int", 0), np.int64)
    if "value_floats" in node.attributes:
        return node.numbers("value_floats")
    if "value_ints" in node.attributes:
        return np.array(node.integers("value_ints"), np.int64)
    raise ModelFileError(f"{node.at}: has no tensor and no numbers")


def _reshaped(
    node: Node, array: NDArray[Any], inputs: list[NDArray[Any]]
) -> NDArray[Any]:
    """An array in another shape; only small ones are copied."""
    if not array.flags.c_contiguous and array.nbytes > MOST_COPIED:
        raise ModelFileError(f"{node.at}: changes the shape of a transposed array")
    given = inputs[1].reshape(-1).tolist() if len(inputs) > 1 else node.integers("axes")
    try:
        sizes = tuple(map(int, given)) if given is not None else None
        if node.op == "Reshape":
            return array.reshape(sizes or ())
        if node.op == "Squeeze":
            return array.squeeze(sizes)
        return np.expand_dims(array, sizes or ())
    except (ValueError, TypeError, OverflowError) as error:
        raise ModelFileError(f"{node.at}: {error}") from None
