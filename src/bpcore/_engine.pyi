from collections.abc import Sequence
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from bpcore.optimizers import SGD

_Array = NDArray[Any]

class Engine:
    capacity: int
    gathers: bool
    n_threads: int
    def __init__(
        self,
        kernels: ModuleType,
        dtype: str,
        sizes: Sequence[int],
        activations: Sequence[str],
        loss: str,
        parameters: _Array,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def use_optimizer(self, optimizer: SGD, state: _Array | None) -> None: ...
    def accept(self, labels: bool, unit_targets: bool) -> None: ...
    def step_at_once(self, X: object, y: object) -> float | None: ...
    def predict_at_once(self, X: object) -> _Array | None: ...
    def use_threads(self, n_threads: int, work: int = ...) -> None: ...
    def drop_workspace(self, n: int, gathers: bool) -> int: ...
    def use_workspace(self, workspace: _Array, n: int, gathers: bool) -> None: ...
    def predict(
        self,
        X: _Array,
        out: _Array,
        first: int,
        rows_at_a_time: int,
        seconds: float,
        looks: bool,
    ) -> tuple[int, bool]: ...
    def evaluate(
        self,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        first: int,
        total: float,
        weights: float,
        rows_at_a_time: int,
        seconds: float,
    ) -> tuple[int, float, float]: ...
    def train_step(self, X: _Array, y: _Array, weight: _Array | None) -> float: ...
    def run(
        self,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        order: NDArray[np.int64] | None,
        batch_size: int,
        first: int,
        total: float,
        weights: float,
        seconds: float,
    ) -> tuple[int, float, float, bool]: ...
    def gradients(
        self,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        gradient: _Array,
        dX: _Array | None,
    ) -> float: ...
    def forward(self, activations: Sequence[_Array]) -> None: ...
    def backward(
        self,
        activations: Sequence[_Array],
        d_output: _Array,
        gradient: _Array,
        dX: _Array,
    ) -> None: ...
    def apply(self, gradient: _Array) -> None: ...

def labels_below(labels: NDArray[np.int64], n_out: int) -> bool: ...
def shuffle(order: NDArray[np.int64], words: NDArray[np.uint64]) -> None: ...
