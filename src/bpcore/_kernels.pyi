from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Real = NDArray[np.floating[Any]]
# An Optimizer of bpcore.optimizers, which stands above the kernels.
_Optimizer = Any

ACTIVATIONS: Mapping[str, int]
BUILDS: Mapping[str, dict[str, Any]]
ELEMENTARY: Mapping[str, int]
LOSSES: Mapping[str, int]
NORMALISATIONS: Mapping[str | None, int]
RULES: Mapping[str, int]

def set_blocks(
    blocks: Mapping[str, Mapping[str, tuple[int, int, int, int, int]]],
) -> None: ...
def use(isa: str) -> None: ...
def in_use() -> str: ...
def table(dtype: str) -> object: ...
def forward(
    a: _Real, W: _Real, b: _Real, out: _Real, activation: str = "identity"
) -> None: ...
def propagate(
    delta: _Real, W: _Real, a: _Real, out: _Real, activation: str = "identity"
) -> None: ...
def gradient(a: _Real, delta: _Real, dW: _Real, db: _Real) -> None: ...
def update(
    W: _Real,
    b: _Real,
    a: _Real,
    delta: _Real,
    optimizer: _Optimizer,
    state_W: _Real | None = None,
    state_b: _Real | None = None,
    step: int = 1,
) -> None: ...
def descend(
    w: _Real,
    g: _Real,
    optimizer: _Optimizer,
    state: _Real | None = None,
    step: int = 1,
) -> None: ...
def limit_norms(W: _Real, most: float) -> None: ...
def clip_norm(g: _Real, most: float) -> float: ...
def add(total: _Real, g: _Real) -> None: ...
def normalise(
    y: _Real,
    hat: _Real,
    inverse: _Real,
    moments: _Real,
    gain: _Real,
    shift: _Real,
    kind: str,
) -> None: ...
def normalise_back(
    delta: _Real,
    dgain: _Real,
    dshift: _Real,
    hat: _Real,
    inverse: _Real,
    gain: _Real,
    kind: str,
) -> None: ...
def follow(running: _Real, moments: _Real, n: int) -> None: ...
def fold(
    W_folded: _Real,
    b_folded: _Real,
    W: _Real,
    shift: _Real,
    gain: _Real,
    running: _Real,
) -> None: ...
def scale_rows(x: _Real, scale: _Real, out: _Real) -> None: ...
def scale_rows_back(delta: _Real, dscale: _Real, x: _Real, scale: _Real) -> None: ...
def drop(x: _Real, out: _Real, key: int, p: float) -> None: ...
def add_noise(x: _Real, out: _Real, key: int, size: float) -> None: ...
def activate(z: _Real, activation: str) -> None: ...
def times_derivative(delta: _Real, a: _Real, activation: str) -> None: ...
def loss(
    z: _Real,
    delta: _Real,
    name: str,
    y: _Real | None = None,
    labels: NDArray[np.int64] | None = None,
    weight: NDArray[np.float64] | None = None,
    setting: float | None = None,
) -> float: ...
def elementary(name: str, x: _Real, out: _Real) -> None: ...
def all_between(x: _Real, low: float, high: float) -> bool: ...
def robust_scale(
    x: NDArray[np.float64],
    centre: NDArray[np.float64],
    factor: NDArray[np.float64],
    out: NDArray[np.float32],
) -> bool: ...
def scratch_bytes(dtype: str, n: int, n_in: int, n_out: int) -> tuple[int, int]: ...
def fma_loop(out: _Real, iterations: int) -> int: ...
