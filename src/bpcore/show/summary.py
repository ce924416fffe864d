"""A network as a table in HTML: layers, units, weights."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import norm as frobenius
from bpcore.errstate import own_errstate
from bpcore.quoting import name_of
from bpcore.show.html import page, table
from bpcore.show.table import ROWS, ends


class Layered(Protocol):
    """The attributes of a network that the table shows."""

    @property
    def sizes(self) -> tuple[int, ...]: ...

    @property
    def weights(self) -> tuple[NDArray[Any], ...]: ...

    @property
    def activations(self) -> tuple[str, ...]: ...

    @property
    def norms(self) -> tuple[str | None, ...]: ...

    @property
    def dropout(self) -> tuple[float, ...]: ...

    @property
    def frozen(self) -> tuple[bool, ...]: ...

    @property
    def input_scale(self) -> NDArray[Any] | None: ...

    @property
    def parameters(self) -> NDArray[Any]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def loss(self) -> object: ...

    @property
    def optimizer(self) -> object: ...


@own_errstate
def network_table(network: Layered) -> str:
    """A row for each layer: its units, its weights, and its special settings.

    If there are many layers, the middle ones are left out.
    """
    layers = list(
        zip(
            network.weights,
            network.activations,
            network.norms,
            network.dropout,
            network.frozen,
            strict=True,
        )
    )
    rows = [("", "a[0]", f"{network.sizes[0]}", "", "", "")]
    if network.input_scale is not None:
        rows = [("", "a[0] = X * scale", f"{network.sizes[0]}", "", "", "")]
    first, last = ends(len(layers), ROWS)
    for l in (*first, *last):
        if last and l == last.start:
            rows.append(("...",) * 6)
        W, f, norm, dropout, frozen = layers[l]
        n_in, n_out = W.shape
        special = [
            f"{norm} norm" if norm else "",
            f"dropout {dropout:g}" if dropout else "",
            "frozen" if frozen else "",
        ]
        rows.append(
            (
                f"{l}",
                f"a[{l + 1}] = {f}(z[{l}])",
                f"{n_out}",
                f"W[{l}] {n_in} x {n_out}",
                f"{frobenius(W):.4g}",
                ", ".join(filter(None, special)),
            )
        )
    loss = network.loss if isinstance(network.loss, str) else name_of(network.loss)
    caption = (
        f"{type(network).__name__}: {network.parameters.size:,} parameters "
        f"({network.dtype.name}), loss {loss}, {network.optimizer}"
    )
    head = ("layer", "output", "units", "weights", "norm of W", "special")
    return page(table(head, rows, caption))
