from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self
from weakref import ReferenceType

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[Any]

class Engine:
    runs_epochs: bool
    state: Any
    scheduled: bool
    capacity: int
    gathers: bool
    n_threads: int
    accumulate: int
    lr: float
    # A Design and a State of bpcore.model, which stands above the engine.
    def __init__(self, design: Any, state: Any) -> None: ...
    def __enter__(self) -> Self: ...
    @staticmethod
    def shuffle(order: NDArray[np.int64], words: NDArray[np.uint64]) -> None: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def reading(self) -> AbstractContextManager[object]: ...
    def read_whole(self, read: Callable[[], Any]) -> Any: ...
    def use(
        self,
        state: Any,
        values: Any = None,
        restore: Callable[[], None] | None = None,
    ) -> None: ...
    def lend(self) -> _Array: ...
    def views(self) -> Any: ...
    def share(self) -> None: ...
    def parameters_written(self) -> None: ...
    def step_at_once(self, X: object, y: object) -> float | None: ...
    def learn_one_at_once(self, x: object, y: object) -> float | None: ...
    def predict_at_once(self, X: object) -> _Array | None: ...
    def predict_one_at_once(self, x: object, out: _Array) -> _Array | None: ...
    def use_threads(self, n_threads: int, work: int = ...) -> None: ...
    def use_ridge(
        self, alpha: float, gradient_factor: float = ..., loss_factor: float = ...
    ) -> None: ...
    def predict(self, X: _Array, out: _Array, checks_X: bool) -> bool: ...
    def evaluate(
        self, X: _Array, y: _Array, weight: _Array | None
    ) -> tuple[float, float]: ...
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
        divisor: float,
        most: int,
        ends: bool,
        rates: NDArray[np.float64] | None,
        progress: Callable[[int], object] | None = None,
    ) -> tuple[int, float, float, bool]: ...
    def run_epochs(
        self,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        bits: np.random.PCG64 | None,
        batch_size: int,
        losses: NDArray[np.float64],
        seconds: NDArray[np.float64],
        rates: NDArray[np.float64] | None,
        arrays: Sequence[_Array],
        orders: NDArray[np.int64] | None = ...,
    ) -> tuple[int, int]: ...
    def flush(self) -> None: ...
    def gradients(
        self,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        gradient: _Array,
        dX: _Array | None,
        moments: _Array | None,
    ) -> float: ...
    def tape_size(
        self, n: int, everything: bool = False
    ) -> tuple[int, list[dict[str, int]]]: ...
    def training_loss(
        self, X: _Array, y: _Array, weight: _Array | None, moments: _Array | None
    ) -> float: ...
    def forward(self, X: _Array, memory: _Array) -> None: ...
    def backward(
        self,
        X: _Array,
        memory: _Array,
        seen: int,
        d_output: _Array,
        gradient: _Array,
        dX: _Array,
        moments: _Array | None,
    ) -> None: ...
    def record(
        self,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        gradient: _Array,
        dX: _Array,
        moments: _Array | None,
        memory: _Array,
        losses: NDArray[np.float64],
        d_output: _Array,
    ) -> float: ...
    def gradient_in_step(
        self,
        X: _Array,
        y: _Array,
        weight: _Array | None,
        order: NDArray[np.int64] | None,
        first: int,
        n: int,
        number: int,
        gradient: _Array,
        moments: _Array | None,
        report: Callable[[int], object] | None = None,
    ) -> tuple[float, float, bool, bool]: ...
    def step_from_sum(
        self,
        gradient: _Array,
        factor: float,
        lr: float,
        moments: _Array,
        rows: NDArray[np.int64],
        batches: int,
    ) -> None: ...
    def parts_joined(self) -> None: ...
    def sums_of_squares(
        self, gradient: _Array, scale: float
    ) -> NDArray[np.float64]: ...
    def largest(self, gradient: _Array) -> float: ...
    def apply(self, gradient: _Array, moments: _Array | None, n: int) -> None: ...
    def losses(
        self, a: _Array, y: _Array, weight: NDArray[np.float64]
    ) -> NDArray[np.float64]: ...

def zeroed(size: int, at: int = 0) -> Any: ...
def supported() -> dict[str, bool]: ...
def data_cache(level: int) -> tuple[int, int]: ...
def noise_key(key: int, i: int) -> int: ...
def pinned(*arrays: _Array | None) -> list[ReferenceType[_Array]]: ...
def labels_below(labels: NDArray[np.int64], n_out: int) -> bool: ...
def arithmetic_now() -> int: ...
def set_arithmetic(state: int | None = None) -> None: ...
def shuffle(order: NDArray[np.int64], words: NDArray[np.uint64]) -> None: ...
