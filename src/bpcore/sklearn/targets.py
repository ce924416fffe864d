"""Targets: the protocol of `Labels` and `Columns`."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray


class Targets(Protocol):
    """The meaning of a network's targets and outputs."""

    @property
    def n_out(self) -> int:
        """Outputs of the network."""

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of a fitted estimator, besides those that all have."""

    def encode(self, name: str, y: NDArray[Any]) -> NDArray[Any]:
        """The network's targets of y; `name` is for messages."""

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The predictions from the network's outputs."""
