"""PathSum: one derivative along all paths, and computed by backpropagation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bpcore import checks
from bpcore.errstate import own_errstate
from bpcore.quoting import counted
from bpcore.tracing import counts
from bpcore.tracing.path_html import path_html
from bpcore.tracing.path_text import text
from bpcore.tracing.paths import MOST, Paths, chain, factor_arrays, first_layer, terms
from bpcore.tracing.step import Step
from bpcore.tracing.text import number


@dataclass(frozen=True, repr=False, eq=False)
class PathSum(Paths):
    """dE/dW[l][i, j] in two forms that agree.

    ``print`` shows both, and the cost of each; see `text`.

    Attributes
    ----------
    l, i, j : int
        The weight.
    n_paths : int
        Paths from the weight through the units above it to the loss.
    n_terms : int
        Paths times the rows of the mini-batch.
    layer_by_layer : float
        The element of dW[l] that backpropagation computed.
    expanded : float or None
        The sum of the products along all paths, in float64; None for more than 100,000
        terms, which only ``text(all=True)`` adds up.
    multiplications : tuple of int
        Those of the expanded form and of the layer-by-layer form, for this one weight,
        given f' and dE/da.
    of_all_parameters : tuple of int
        The same for all weights and biases of the network; None if a layer is
        normalised.
    """

    def __repr__(self) -> str:
        return (
            f"<PathSum of W[{self.l}][{self.i}, {self.j}]: "
            f"{counted(self.n_terms)} terms, "
            f"{number(self.layer_by_layer)}>"
        )

    def __str__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return path_html(self)

    def text(self, all: bool = False) -> str:
        """Both forms and their costs, as ``print`` shows them.

        Of more than 40 terms the first and the last are shown, and the number of the
        others; deltas are shown whole up to 8 rows and units, if that gives at most 70
        lines.

        Parameters
        ----------
        all : bool
            Every term, however many there are, and every delta whole.  A million terms
            take half a minute and two hundred megabytes.

        Warns
        -----
        UserWarning
            If the text takes more than 1 GB of memory, before it is made.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 4, 50, 1], activation="tanh", rng=0)
        >>> path = bp.trace(net, [[1.0]], [[0.5]]).path(0, 0, 0)
        >>> "... 10 more terms ..." in path.text()
        True
        >>> len(path.text(all=True).splitlines()) - len(path.text().splitlines()) >= 9
        True
        """
        return text(self, checks.boolean("all", all))


@own_errstate
def path_sum(step: Step, l: int, i: int, j: int) -> PathSum:
    """dE/dW[l][i, j] of a trace; see ``Trace.path``."""
    shapes = [W.shape for W in step.dW]
    l = checks.index("l", l, len(shapes))
    i, j = checks.index("i", i, shapes[l][0]), checks.index("j", j, shapes[l][1])
    if l < (first := first_layer(step.design)):
        raise ValueError(
            f"l must be at least {first}: layer {first - 1} has "
            f"{step.design.norms[first - 1]} norm, in which every unit depends on "
            f"others, so that paths can begin only above it; got {l}"
        )
    n, design = len(step.X), step.design
    n_paths = counts.n_paths(design, l)
    n_terms = n * n_paths
    factors, expanded = tuple(chain(step, l, i, j)), None
    if n_terms <= MOST:
        found = terms(factors, factor_arrays(step, factors), np.arange(n_terms))[1]
        expanded = float(found.prod(axis=0).sum())
    return PathSum(
        l,
        i,
        j,
        n_paths,
        n_terms,
        float(step.dW[l][i, j]),
        expanded,
        (n_terms * (len(factors) - 1), n * counts.layer_by_layer(design, l)),
        None if any(design.norms) else counts.all_parameters(design, n),
        step,
        factors,
    )
