"""Explanation: which columns of a table the predictions depend on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.derivatives import output_derivatives
from bpcore.network import Network
from bpcore.show.colours import colour_of
from bpcore.show.html import page, paragraph, table
from bpcore.show.table import columns

if TYPE_CHECKING:
    from bpcore.show.figure import Picture

#: Rows whose derivatives are in memory at a time.
ROWS = 256
#: Most columns in the text and the picture.
SHOWN = 30

Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Two measures of how much each column matters.

    Attributes
    ----------
    names : tuple of str
        Of the columns.
    permutation, permutation_std : arrays (n_columns,)
        Mean and standard deviation, over the repeats, of what is lost if the column's
        values are exchanged between the rows: of the score if there were targets, else
        the mean absolute change of the outputs.
    derivative : array (n_columns,)
        Mean absolute derivative of the outputs by a column of numbers, for a step as
        wide as the distance of its quartiles; NaN for categories.
    measure : str
        What `permutation` is of.
    """

    names: tuple[str, ...]
    permutation: Numbers
    permutation_std: Numbers
    derivative: Numbers
    measure: str

    @property
    def order(self) -> NDArray[np.intp]:
        """The numbers of the columns, the most important first."""
        return np.argsort(-self.permutation, kind="stable")

    def __repr__(self) -> str:
        rows, more = self._table()
        return "\n".join([*columns(rows, ""), *more])

    def _repr_html_(self) -> str:
        (head, *rows), more = self._table()
        return page(table(head, rows), *map(paragraph, more))

    def _table(self) -> tuple[list[list[str]], list[str]]:
        """The head and the rows of the table, and how many columns are left out."""
        head = ["column", f"permutation ({self.measure})", "derivative by quartiles"]
        rows = [
            [
                self.names[j],
                f"{self.permutation[j]:.4f} +- {self.permutation_std[j]:.4f}",
                "" if np.isnan(self.derivative[j]) else f"{self.derivative[j]:.4f}",
            ]
            for j in self.order[:SHOWN]
        ]
        rest = len(self.names) - SHOWN
        more = [f"... and {rest} more columns"] if rest > 0 else []
        return [head, *rows], more

    def plot(self) -> Picture:
        """Bars of both measures, the most important column first.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        from bpcore.show.figure import new_figure

        order = self.order[:SHOWN][::-1]
        figure = new_figure(9, 1.2 + 0.28 * len(order))
        left, right = figure.subplots(1, 2, sharey=True)
        places, names = np.arange(len(order)), [self.names[j] for j in order]
        for axes, values, deviation in (
            (left, self.permutation[order], self.permutation_std[order]),
            (right, self.derivative[order], None),
        ):
            colours = [colour_of(0.75 if x >= 0 else -0.75) for x in values]
            axes.barh(places, values, xerr=deviation, color=colours, ecolor="0.3")
        left.set_yticks(places, names)
        left.set_ylim(-0.6, len(order) - 0.4)
        left.set_xlabel(f"permutation: {self.measure}")
        right.set_xlabel("mean |derivative|, by the distance of the quartiles")
        if len(self.names) > SHOWN:
            figure.suptitle(f"the first {SHOWN} of {len(self.names)} columns")
        return figure


def importances(
    predicted: Callable[[Real], NDArray[Any]],
    score: Callable[[NDArray[Any], Any, Any], float],
    Z: Real,
    y: Any,
    sources: NDArray[np.intp],
    repeats: int,
    seed: int,
) -> tuple[Numbers, Numbers, str]:
    """Mean and deviation of the effect of permuting each column, and what it is of.

    Of the loss of the score of the predictions of Z if there are targets y, else of the
    mean absolute change of the predictions.
    """
    base = predicted(Z)
    rng = np.random.default_rng(seed)
    if y is None:

        def change(rows: Real) -> float:
            return float(np.abs(predicted(rows) - base).mean())

        return *permuted(
            change, Z, sources, repeats, rng
        ), "mean change of the prediction"
    best = score(base, y, None)

    def loss(rows: Real) -> float:
        return best - score(predicted(rows), y, None)

    return *permuted(loss, Z, sources, repeats, rng), "drop of the score"


def permuted(
    measured: Callable[[Real], float],
    Z: Real,
    sources: NDArray[np.intp],
    repeats: int,
    rng: np.random.Generator,
) -> tuple[Numbers, Numbers]:
    """Mean and deviation of ``measured(rows)`` with one column's values exchanged.

    `sources` are the columns of the table of the columns of Z; those of one column of
    the table are exchanged together.
    """
    n_columns = int(sources.max()) + 1
    found = np.empty((repeats, n_columns))
    for j in range(n_columns):
        own = sources == j
        for i in range(repeats):
            changed = Z.copy()
            changed[:, own] = Z[rng.permutation(len(Z))][:, own]
            found[i, j] = measured(changed)
    return found.mean(axis=0), found.std(axis=0)


def mean_derivatives(networks: Sequence[Network], Z: Real, scale: Any) -> Numbers:
    """The mean over rows, outputs and networks of |d output / d input|: (width,).

    `scale` is a factor, or one for each output.
    """
    total = np.zeros(Z.shape[1])
    for network in networks:
        sums = np.zeros((network.sizes[-1], Z.shape[1]))
        for first in range(0, len(Z), ROWS):
            part = output_derivatives(network, Z[first : first + ROWS])
            sums += np.abs(part).sum(axis=0, dtype=np.float64)
        total += (sums / len(Z) * np.reshape(scale, (-1, 1))).mean(axis=0)
    return total / len(networks)
