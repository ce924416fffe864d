"""Trace: all numbers of one training step, with methods to print and plot them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bpcore import checks
from bpcore.files.whole import Path, write_whole
from bpcore.show.html import page, section
from bpcore.tracing.check import TraceCheck, check
from bpcore.tracing.html import html, sections
from bpcore.tracing.latex import latex
from bpcore.tracing.page.document import document, fits_notebook, frame
from bpcore.tracing.parameters import Parameters
from bpcore.tracing.path_sum import PathSum, path_sum
from bpcore.tracing.picture import draw
from bpcore.tracing.step import Step
from bpcore.tracing.text import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: The attributes of a trace that have an array for each layer.
FORWARD = ("a", "u", "hat", "inverse", "moments", "z", "f", "kept")
BACKWARD = ("derivatives", "da", "delta", "du", "dW", "db", "dgain")


@dataclass(frozen=True, repr=False, eq=False)
class Trace(Step):
    """Every number of one training step of a mini-batch of n rows.

    The names are those of the equations, with L layers of weights, l = 0 .. L-1::

        z[l] = a[l] @ W[l] + b[l]                   before.W, before.b
        f[l] = f(z[l]),  a[l+1] = f[l]
        da[l] = dE/da[l] = delta[l] @ W[l].T
        derivatives[l] = f'(z[l])                   of each layer's own function f
        delta[l] = dE/dz[l] = da[l+1] * derivatives[l]
        dW[l] = a[l].T @ delta[l],  db[l] = delta[l].sum(0)

    with dropout of layer l::

        a[l+1] = f[l] * kept[l],  delta[l] = da[l+1] * derivatives[l] * kept[l]

    and in a normalised layer, with dhat = delta[l] * gain[l]::

        u[l] = a[l] @ W[l],  hat[l] = (u[l] - mean) * inverse[l]
        z[l] = gain[l] hat[l] + b[l]
        du[l] = inverse[l] (dhat - mean(dhat) - hat[l] mean(dhat hat[l]))
        dgain[l] = (delta[l] * hat[l]).sum(0)       dW[l] and da[l] are from du[l]

    and with a scale of the inputs (`input_scale`)::

        a[0] = X * scale                            before.scale
        dX = da[0] * scale,  dscale = (da[0] * X).sum(0)

    ``print(trace)`` shows the equations beside their numbers (`text`), `plot` draws
    them, `save_html` writes a page to step through them, `path` expands one derivative
    along all its paths, `check` compares numbers worked out by hand, `latex` is for
    slides, and `to_dict` for other tools.

    Attributes
    ----------
    network : str
        The network, as ``repr`` shows it.
    optimizer : Optimizer
    lr : float
        Its learning rate in this step.
    step : int
        The number of the step, from 1 on.
    layer_steps : tuple of int
        The number of the step of each layer, t of the optimizer's equations: smaller
        if the layer was frozen for some steps.
    lr_factors, frozen : tuple
        Each layer's factors of the learning rate, of W and of b and gain, and whether
        the layer is frozen.
    X : array (n, n_0)
        The input, with the noise that the network adds to it.
    y : array (n, n_L), or labels (n,)
        The targets as given, in the network's dtype or as labels.
    weight : array (n,) or None
        The weights of the samples as given.
    class_weight : array or None
        c, the weight of each class, or of each output's label if a sample may have
        several.
    targets, weights : arrays
        The arguments of the loss.  With class weights they are y' and w, (n,) or
        (n, n_L), whose formulas ``print`` shows; else they are `y` and `weight`.
    loss : float
        E = sum(w * E_i) / n.  It is the mean of E_i without weights, or if each output
        has a weight of its own, which is then included in E_i.
    losses : array (n,)
        w * E_i of every sample, or E_i with the weights included.
    gradients : Gradients
        As ``Network.gradients`` returns them; `dW` and `db` are its arrays.
    before, after : Parameters
        Parameters and optimizer state before the step and after it.
    design, seen, layers, d_output
        The architecture, the number of mini-batches used before, and the arrays that
        the step left in memory, of which the others are views.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
    >>> t = bp.trace(net, [[3.0]], [[2.0]])
    >>> t.z[0].item(), t.delta[0].item(), t.dW[0].item(), t.after.W[0].item()
    (0.0, -2.0, -6.0, 3.0)
    """

    def path(self, l: int, i: int, j: int) -> PathSum:
        """dE/dW[l][i, j] along all paths from the weight to the loss.

        The chain rule expanded is a sum over every row and every path through the units
        above; computed layer by layer it is backpropagation.

        Parameters
        ----------
        l, i, j : int
            The layer, and the units that the weight connects.

        Returns
        -------
        PathSum
            Both values, the terms, and the number of multiplications of each.
            ``print`` shows them, of many terms the first and the last, and
            ``text(all=True)`` every term.  More than 100,000 terms are added up by
            ``text(all=True)`` only.

        Raises
        ------
        IndexError, TypeError
            If there is no such weight.
        ValueError
            If layer l or one above it is normalised: each unit then depends on others.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 3, 2, 1], activation="tanh", rng=0)
        >>> path = bp.trace(net, [[1.0]], [[0.5]]).path(0, 0, 1)
        >>> path.n_paths, path.multiplications
        (2, (12, 9))
        """
        return path_sum(self, l, i, j)

    def plot(
        self,
        row: int | None = 0,
        axes: Axes | None = None,
        limit: float | None = None,
        *,
        show: str = "weights",
    ) -> Any:
        """Draw the step: nodes and edges of a small network, heat maps of a large one.

        Red is above 0, blue below 0, in nodes, edges and heat maps.  A node has the
        colour of its a; in it are a and delta, below it its bias, and its line is
        dashed if dropout set it to 0.  At the right are the targets y and the loss E,
        with E_i of the row.  An edge is as coloured and as wide as its number, which
        stands on it; where the numbers of a layer would touch each other or lie on
        other edges, all of that layer are left out.

        More than 8 layers or units are drawn as heat maps of a, delta, W, dW and the
        change of W, of many layers the first and the last.

        Parameters
        ----------
        row : int or None
            The sample whose a, delta and y are drawn.  None draws all of them in heat
            maps, and in a small network the means of a and y and the sums of delta.
        axes : matplotlib Axes, optional
            Where to draw a network of up to 8 layers of up to 8 units; a new figure by
            default.
        limit : float, optional
            The activation of the strongest colour, to compare several pictures of
            networks of that size; by default the largest one, of a and y.
        show : {"weights", "gradient", "change"}
            The numbers of the edges and of the biases below the nodes: W before the
            step; a[i] delta[j], the part of the row in dW, which is the sum over all
            rows (with ``row=None`` dW itself); or the change of W in the step, made by
            all rows.  In a normalised layer du is in the place of delta.  Heat maps
            have all three.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        IndexError, TypeError
            If there is no such row.
        ValueError
            If `show` is none of these, a larger network is to be drawn into axes, or
            the limit is not above 0.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> t = bp.trace(net, X, y)
        >>> t.plot(row=1, show="gradient").savefig("step.png")  # doctest: +SKIP
        """
        return draw(self, row, show, axes, limit)

    def check(self, name: str, mine: ArrayLike, *, rtol: float = 5e-3) -> TraceCheck:
        """Compare numbers worked out by hand with those of the step.

        If they differ, the wrong numbers of common slips are computed from this step
        and compared with them: 1/n forgotten, f' forgotten, W not transposed, the new
        W used, a taken for z, a wrong sign, a missing sum or bias, the learning rate
        applied, another layer, and more.

        Parameters
        ----------
        name : str
            As in the equations: "z[0]", "a[1]", "delta[0]", "dW[0]", "db[0]", "da[1]",
            "derivatives[0]", "loss", "after.W[0]", "after.b[0]", ...
        mine : array-like
            The numbers, which may be rounded.
        rtol : float
            Largest difference that counts as equal, relative to the largest number of
            the array, below 0.5: 5e-3 is right for three significant digits.

        Returns
        -------
        TraceCheck
            ``.ok`` and ``.message``; ``print`` shows what went wrong.

        Raises
        ------
        ValueError, TypeError
            If there is no such name (the message has the closest one), or an argument
            is not as described.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 2, 1], activation="tanh", rng=0)
        >>> t = bp.trace(net, [[1.0, 0.0], [0.0, 1.0]], [[1.0], [0.0]])
        >>> t.check("delta[0]", t.delta[0].round(3))
        delta[0] is right.
        >>> t.check("delta[0]", t.da[1])
        delta[0] is not right: f' is forgotten, which leaves dE/da[1].
        >>> t.check("delta[0]", -t.delta[0]).ok
        False
        """
        return check(self, name, mine, rtol)

    def latex(
        self,
        sections: str | Collection[str] | None = None,
        *,
        layer: int | None = None,
        digits: int = 4,
        most: int = 6,
    ) -> str:
        r"""The equations beside their numbers as LaTeX, for slides and papers.

        Each section is a title and an ``align*`` environment.  It needs the package
        amsmath only.

        Parameters
        ----------
        sections : str or collection of str, optional
            "data", "forward", "loss", "backward", "update"; by default all of them.
        layer : int, optional
            Of forward, backward and update that layer only.
        digits : int
            Significant digits of the largest number of an array, at most 17.
        most : int
            Most rows and columns of a matrix, 2 to 10; of a larger one the first and
            the last, with dots between.

        Raises
        ------
        ValueError, TypeError, IndexError
            If an argument is not as described.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros")
        >>> t = bp.trace(net, [[3.0], [1.0]], [[2.0], [2.0]])
        >>> print(t.latex("forward"))
        \textbf{forward, layer 0: identity}
        \begin{align*}
        W^{[0]} &= \begin{bmatrix} 0 \end{bmatrix} \\
        b^{[0]} &= \begin{bmatrix} 0 \end{bmatrix} \\
        z^{[0]} &= a^{[0]}\,W^{[0]}+b^{[0]} \\
        &= \begin{bmatrix} 0 \\ 0 \end{bmatrix} \\
        \operatorname{identity}(z) &= z \\
        a^{[1]} &= \operatorname{identity}(z^{[0]}) \\
        &= \begin{bmatrix} 0 \\ 0 \end{bmatrix}
        \end{align*}
        """
        return latex(self, sections, layer, digits, most)

    def save_html(self, path: Path) -> None:
        """Write a page on which the step is made one layer at a time.

        Buttons and arrow keys lead through the forward pass, the loss, the backward
        pass and the update.  A unit shows its sums with the numbers in them, a weight
        the product along each of its paths to the loss, as `path` has them.  The page
        is one file that needs no network, and can be used by keyboard and with a screen
        reader.  A notebook shows it for networks of up to 8 layers of up to 8 units.

        Parameters
        ----------
        path : path
            The file; a file that is there is replaced.

        Raises
        ------
        ValueError
            If the network has more than 32 units in a layer, 16 layers or 4,000
            weights, or all rows together have more than 20,000 activations.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [[0], [1], [1], [0]]
        >>> net = bp.Network([2, 2, 1], activation="tanh", output="sigmoid", rng=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "step.html")
        ...     bp.trace(net, X, y).save_html(path)
        ...     path.read_text(encoding="utf-8").startswith("<!doctype html>")
        True
        """
        write_whole(path, [document(self).encode()])

    def to_dict(self, lists: bool = False) -> dict[str, Any]:
        """Every number by its name, for other tools.

        Parameters
        ----------
        lists : bool
            Lists in place of arrays: what ``json.dumps`` takes.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros")
        >>> bp.trace(net, [[1.0]], [[2.0]]).to_dict(lists=True)["delta"]
        [[[-2.0]]]
        """
        found: dict[str, Any] = {
            "network": self.network,
            "sizes": list(self.sizes),
            "activations": list(self.design.activations),
            "optimizer": repr(self.optimizer),
            "lr": self.lr,
            "step": self.step,
            "layer_steps": list(self.layer_steps),
            "y": self.y,
            "weight": self.weight,
            "class_weight": self.class_weight,
            "targets": self.targets,
            "weights": self.weights,
            "loss": self.loss,
            "losses": self.losses,
        }
        found |= {name: list(getattr(self, name)) for name in FORWARD + BACKWARD}
        if scaled := self.before.scale is not None:
            found |= {"X": self.X, "dX": self.dX, "dscale": self.dscale}
        for moment in ("before", "after"):
            parameters: Parameters = getattr(self, moment)
            found[moment] = {
                "W": list(parameters.weights),
                "b": list(parameters.biases),
                "gain": list(parameters.gains),
                "running_moments": list(parameters.running_moments),
                "state": {
                    name: {"W": list(of.weights), "b": list(of.biases)}
                    | ({"gain": list(of.gains)} if any(self.design.norms) else {})
                    | ({"scale": of.scale} if scaled else {})
                    for name, of in parameters.state.items()
                },
            }
            if scaled:
                found[moment]["scale"] = parameters.scale
        return _as_lists(found) if lists else found

    def __repr__(self) -> str:
        n = f"{len(self.X)} row" + "s" * (len(self.X) != 1)
        return f"<Trace of step {self.step} of {self.network} on {n}>"

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int = 6, all: bool = False) -> str:
        """The derivation, each equation beside its numbers, as ``print`` shows it.

        Up to 8 rows and units every number is shown, else shapes, norms and extremes;
        of more than 8 layers the first and the last.  If a network of more than 4
        layers has more than 150 lines, fewer layers are shown, or shapes, norms and
        extremes only; then lines in the middle are left out, and counted.

        Parameters
        ----------
        digits : int
            Significant digits of the largest number of an array, at most 17.
        all : bool
            Every number of every layer, however many there are.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> text = bp.trace(net, [[3.0]], [[2.0]]).text(digits=3)
        >>> print(text.splitlines()[-1].strip())
        b[0], after - before                          1
        """
        digits = min(checks.integer("digits", digits, 1), 17)
        return text(self, digits, checks.boolean("all", all))

    def _repr_html_(self) -> str:
        """The page of `save_html` for small networks; all equations as tables."""
        if not fits_notebook(self):
            return html(self)
        equations = section("All equations", *sections(self), shown=False)
        return frame(self) + page(equations)


def _as_lists(value: Any) -> Any:
    """The same value with nested lists in place of arrays."""
    if isinstance(value, dict):
        return {name: _as_lists(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_lists(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
