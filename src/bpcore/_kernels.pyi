from typing import Any

import numpy as np
from numpy.typing import NDArray

_Real = NDArray[np.floating[Any]]

ACTIVATIONS: dict[str, int]
BUILD: dict[str, Any]
ELEMENTARY: dict[str, int]
LOSSES: dict[str, int]
RULES: dict[str, int]
TABLES: dict[str, object]

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
    velocity_W: _Real | None = None,
    velocity_b: _Real | None = None,
    lr: float = 0.1,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None: ...
def descend(
    w: _Real,
    g: _Real,
    velocity: _Real | None = None,
    lr: float = 0.1,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None: ...
def activate(z: _Real, activation: str) -> None: ...
def times_derivative(delta: _Real, a: _Real, activation: str) -> None: ...
def loss(
    z: _Real,
    delta: _Real,
    name: str,
    y: _Real | None = None,
    labels: NDArray[np.int64] | None = None,
    weight: NDArray[np.float64] | None = None,
) -> float: ...
def elementary(name: str, x: _Real, out: _Real) -> None: ...
def all_between(x: _Real, low: float, high: float) -> bool: ...
def fma_loop(out: _Real, iterations: int) -> int: ...
