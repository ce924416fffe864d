"""HTML for notebooks: tables, and a network as one."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from bpcore.buffers import norm as frobenius
from bpcore.errstate import own_errstate
from bpcore.show.table import ROWS, ends

if TYPE_CHECKING:
    from bpcore.network import Network

#: Cells of code: what is aligned in them stays so.
_STYLE = "text-align: left; white-space: pre; font-family: monospace"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """A table of text, escaped."""
    parts = ["<table>"]
    if caption:
        parts.append(f"<caption>{html.escape(caption)}</caption>")
    if head:
        cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        parts.append(f"<thead><tr>{cells}</tr></thead>")
    parts.append("<tbody>")
    for row in rows:
        cells = "".join(
            f'<td style="{_STYLE}">{html.escape(cell)}</td>' for cell in row
        )
        parts.append(f"<tr>{cells}</tr>")
    return "\n".join([*parts, "</tbody>", "</table>"])


@own_errstate
def of_network(network: Network) -> str:
    """A row for each layer: its units, its weights, and what is special about it.

    Of many layers the first and the last.
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
    loss = getattr(network.loss, "__name__", str(network.loss))
    caption = (
        f"{type(network).__name__}: {network.parameters.size:,} parameters "
        f"({network.dtype.name}), loss {loss}, {network.optimizer}"
    )
    head = ("layer", "passes on", "units", "weights", "norm of W", "special")
    return table(head, rows, caption)
