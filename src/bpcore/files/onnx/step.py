"""Step: one node of a sequence with the constants that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore.errors import ModelFileError
from bpcore.files.onnx.nodes import Node


@dataclass
class Rows:
    """The shape of a value: (n, width), or of more axes before a Flatten.

    `width` is None where it is not known.
    """

    width: int | None
    axes: int | None = None
    """Number of axes, None if not known."""
    count: int | None = None
    """Number of rows, None if it may be any."""


@dataclass
class Step:
    """A node, the value that it changes, and the constants that it reads."""

    node: Node
    source: str
    constants: dict[str, NDArray[Any]]
    rows: Rows

    @property
    def at(self) -> str:
        """The node's place."""
        return self.node.at

    def refuse(self, why: str) -> NoReturn:
        """Raise: the node cannot be read."""
        raise ModelFileError(f"{self.at}: {why}")

    def constant(self, index: int) -> NDArray[Any] | None:
        """The constant at an input, None if the input is absent."""
        inputs = self.node.inputs
        if index >= len(inputs) or not inputs[index]:
            return None
        if inputs[index] not in self.constants:
            self.refuse(f"input {index} must be a constant")
        return self.constants[inputs[index]]

    def real(self, index: int, optional: bool = False) -> NDArray[Any]:
        """A constant of float32 or float64; 0 if it is absent and optional."""
        array = self.constant(index)
        if array is None:
            if not optional:
                self.refuse(f"input {index} must be there")
            return np.zeros(1)
        if array.dtype.kind != "f":
            self.refuse(f"input {index} must be of real numbers; got {array.dtype}")
        return array

    def vector(self, index: int, optional: bool = False) -> NDArray[Any]:
        """A constant (k,), for the k units or, k = 1, for all of them."""
        array = self.real(index, optional)
        last = array.shape[-1] if array.ndim else 1
        if array.size != last or not array.size or array.ndim > 2:
            self.refuse(f"input {index} must be (k,) or (1, k); got {array.shape}")
        return array.reshape(-1)

    def per_unit(self, index: int, optional: bool = False) -> NDArray[Any]:
        """A constant (k,), repeated for the k units if it is one number."""
        array = self.vector(index, optional)
        return np.repeat(array, self.rows.width or 1) if array.size == 1 else array

    def require_flat(self) -> None:
        """Raise unless the value is (n, width)."""
        if self.rows.axes not in (None, 2):
            self.refuse(
                f"reads rows of more axes than one ({self.rows.axes} with that of the "
                "rows): there must be a Flatten before"
            )

    def require_last(self, axis: int) -> None:
        """Raise unless an axis is that of the units."""
        if axis not in (1, -1):
            self.refuse(f"axis must be 1 or -1; got {axis}")

    @property
    def first(self) -> bool:
        """Whether the value is the node's first input."""
        return self.node.inputs[0] == self.source
