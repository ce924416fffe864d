"""Parts: the parameters that each process makes steps on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from bpcore.arrays import Real
from bpcore.engine.memory import aligned_zeros
from bpcore.model.layout import Layout
from bpcore.model.state import OPTIMIZER_AT, State

#: Numbers whose squares are one sum of the gradient's norm (csrc/types.h): parts are
#: whole multiples, so that no sum is divided.
UNIT = 4096

Part = tuple[int, int]


def parts(size: int, processes: int) -> list[Part]:
    """The first and the end of each process's part of so many parameters.

    Examples
    --------
    >>> from bpcore.distributed.parts import parts
    >>> parts(10000, 2), parts(10, 2)
    ([(0, 4096), (4096, 10000)], [(0, 0), (0, 10)])
    """
    units = -(-size // UNIT)
    ends = [min(units * p // processes * UNIT, size) for p in range(processes + 1)]
    return [(ends[p], ends[p + 1]) for p in range(processes)]


def divided(state: State, layout: Layout, part: Part) -> State:
    """The state with the optimizer's arrays of a part only."""
    arrays = state.optimizer_arrays
    if arrays is not None:
        first, end = part
        own = _rows(len(arrays), layout.stride(end - first), arrays.dtype)
        own[:, : end - first] = arrays[:, first:end]
        arrays = own
    return dataclasses.replace(state, optimizer_arrays=arrays, part=part)


def united(state: State, layout: Layout, arrays: list[tuple[Part, Real]]) -> State:
    """The state with the optimizer's arrays of all parts."""
    whole = None
    if state.optimizer_arrays is not None:
        count = len(state.optimizer_arrays)
        whole = _rows(count, layout.state_stride, state.optimizer_arrays.dtype)
        for (first, end), own in arrays:
            require_part(own, (count, layout.stride(end - first)), whole.dtype)
            whole[:, first:end] = own[:, : end - first]
    return dataclasses.replace(state, optimizer_arrays=whole, part=None)


def require_part(array: Any, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
    """Raise unless another process has sent an array of this shape and dtype."""
    if type(array) is not np.ndarray or (array.shape, array.dtype) != (shape, dtype):
        raise ValueError(
            f"the optimizer's arrays of a process must have shape {shape} and dtype "
            f"{dtype}; got {getattr(array, 'shape', type(array))}"
        )


def _rows(count: int, stride: int, dtype: np.dtype[Any]) -> Real:
    """Zeros for `count` arrays of an optimizer, where the engine likes them to lie."""
    return aligned_zeros(count * stride, dtype, at=OPTIMIZER_AT).reshape(count, stride)
