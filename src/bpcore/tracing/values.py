"""Trace: the numbers of one training step, by the names of the equations."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore import _kernels as kernels
from bpcore import _validation as door
from bpcore._engine import noise_key
from bpcore._errstate import own_errstate
from bpcore._settings import Design
from bpcore.activations import ACTIVATIONS
from bpcore.buffers import Real, Views, running_views, views
from bpcore.gradients import Gradients
from bpcore.losses import CrossEntropy
from bpcore.tracing.memory import tell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bpcore.optimizers import Optimizer
    from bpcore.tracing.paths import PathSum

#: The numbers of a trace that have an array for each layer.
FORWARD = ("a", "u", "hat", "inverse", "moments", "z", "f", "kept")
BACKWARD = ("derivatives", "da", "delta", "du", "dW", "db", "dgain")

#: One array for each layer, None where a layer has none.
Layers = tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class Parameters:
    """What a training step changes, as it was at one moment.

    Attributes
    ----------
    weights, biases, gains : tuple of arrays
        W[l], (n_in, n_out); b[l], (n_out,); the gains of normalised layers, else None.
    state : dict of str to Views
        What the optimizer keeps, by its name: ``state["velocity"].weights[l]``.
    running_moments : tuple of arrays
        Running mean and variance (2, n_out) of layers with batch norm, else None.
    """

    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    gains: Layers
    state: dict[str, Views]
    running_moments: Layers

    def __repr__(self) -> str:
        contents = Views(self.weights, self.biases, self.gains).contents
        state = f", state {', '.join(self.state)}" if self.state else ""
        return f"<Parameters of {contents}{state}>"

    @property
    def W(self) -> tuple[Real, ...]:
        """The weights, by the equations' name."""
        return self.weights

    @property
    def b(self) -> tuple[Real, ...]:
        """The biases, by the equations' name."""
        return self.biases

    @classmethod
    def of(
        cls,
        design: Design,
        optimizer: Optimizer,
        flat: Real,
        state: Real | None,
        running: Real,
    ) -> Parameters:
        """Views of a network's buffers, or of copies of them."""
        sizes, norms = design.sizes, design.norms
        parts = views(flat, sizes, norms)
        rows = [] if state is None else [row[: flat.size] for row in state]
        return cls(
            parts.weights,
            parts.biases,
            parts.gains,
            {
                name: views(row, sizes, norms)
                for name, row in zip(optimizer.states, rows, strict=True)
            },
            running_views(running, sizes, norms),
        )


@dataclass(frozen=True, repr=False, eq=False)
class Trace:
    """Every number of one training step of a mini-batch of n rows.

    The names are those of the equations, with L layers of weights, l = 0 .. L-1::

        z[l] = a[l] @ W[l] + b[l]                   before.W, before.b
        f[l] = f(z[l]),  a[l+1] = f[l]
        da[l] = dE/da[l] = delta[l] @ W[l].T
        derivatives[l] = f'(z[l])                   of each layer's own function f
        delta[l] = dE/dz[l] = da[l+1] * derivatives[l]
        dW[l] = a[l].T @ delta[l],  db[l] = delta[l].sum(0)

    where units of layer l drop out::

        a[l+1] = f[l] * kept[l],  delta[l] = da[l+1] * derivatives[l] * kept[l]

    and where it is normalised, with dhat = delta[l] * gain[l]::

        u[l] = a[l] @ W[l],  hat[l] = (u[l] - mean) * inverse[l]
        z[l] = gain[l] hat[l] + b[l]
        du[l] = inverse[l] (dhat - mean(dhat) - hat[l] mean(dhat hat[l]))
        dgain[l] = (delta[l] * hat[l]).sum(0)       dW[l] and da[l] are of du[l]

    ``print(trace)`` writes them out beside their numbers (`text`), `plot` draws them,
    `path` follows one derivative along all its paths, `to_dict` is for other tools.

    Attributes
    ----------
    network : str
        What the network was.
    optimizer : Optimizer
    lr : float
        Its learning rate in this step.
    step : int
        The number of the step, from 1 on.
    layer_steps : tuple of int
        The same of each layer, t of the optimizer's equations: smaller where the layer
        was frozen for some steps.
    lr_factors, frozen : tuple
        Each layer's share of the rate, and whether it is left as it is.
    X : array (n, n_0)
        The input, with noise where the network adds it.
    y : array (n, n_L), or labels (n,)
        The targets as given, in the network's dtype or as labels.
    weight : array (n,) or None
        The weights of the samples as given.
    class_weight : array or None
        c, the weight of each class, or of each output's label where a sample may have
        several.
    targets, weights : arrays
        What the loss is computed of: y' and w, (n,) or (n, n_L), where class weights
        are worked in, which ``print`` has the formulas of; else `y` and `weight`.
    loss : float
        E = sum(w * E_i) / n, the mean of E_i where no weights are given, or where each
        output has one, which is then within E_i.
    losses : array (n,)
        w * E_i of every sample, or such an E_i.
    gradients : Gradients
        What ``Network.gradients`` returns: `dW` and `db` are its arrays.
    before, after : Parameters
        Parameters and optimizer state before the step and after it.
    design, seen, layers, d_output
        What the network was made of, the number of the mini-batch, and what the step
        left in memory, of which the other arrays are views.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
    >>> t = bp.trace(net, [[3.0]], [[2.0]])
    >>> t.z[0].item(), t.delta[0].item(), t.dW[0].item(), t.after.W[0].item()
    (0.0, -2.0, -6.0, 3.0)
    """

    network: str
    design: Design = field(repr=False)
    optimizer: Optimizer
    lr: float
    step: int
    layer_steps: tuple[int, ...]
    seen: int
    lr_factors: tuple[float, ...]
    frozen: tuple[bool, ...]
    X: Real
    y: Real
    weight: Real | None
    class_weight: Real | None
    targets: Real
    weights: Real | None
    loss: float
    losses: Real
    d_output: Real
    layers: tuple[dict[str, Real], ...]
    gradients: Gradients
    before: Parameters
    after: Parameters

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_0, ..., n_L."""
        return self.design.sizes

    @property
    def n_layers(self) -> int:
        """L, the layers of weights."""
        return len(self.layers)

    # --- forward ----------------------------------------------------------------------

    @property
    def a(self) -> tuple[Real, ...]:
        """a[0] = X, (n, n_0), to a[L], (n, n_L)."""
        return (self.X, *(layer["a"] for layer in self.layers))

    @property
    def z(self) -> tuple[Real, ...]:
        """z[l], (n, n_{l+1}): what the activation is taken of."""
        return tuple(layer["z"] for layer in self.layers)

    @property
    def f(self) -> tuple[Real, ...]:
        """f(z[l]), (n, n_{l+1}): a[l+1], before units drop out of it."""
        return tuple(layer["f"] for layer in self.layers)

    @cached_property
    def u(self) -> Layers:
        """a[l] @ W[l] of normalised layers, (n, n_{l+1}), else None."""
        products: list[Any] = []
        for a, W, norm in zip(
            self.a[:-1], self.before.weights, self.design.norms, strict=True
        ):
            u = None
            if norm:
                u = np.empty((len(a), W.shape[1]), W.dtype)
                kernels.forward(a, W, np.zeros(W.shape[1], W.dtype), u)
            products.append(u)
        return tuple(products)

    @property
    def hat(self) -> Layers:
        """(u - mean) * inverse of normalised layers, else None."""
        return tuple(layer.get("hat") for layer in self.layers)

    @property
    def inverse(self) -> Layers:
        """1 / sqrt(variance + 1e-5), (1, n_{l+1}), of layer norm (n, 1); else None."""
        return tuple(
            layer["inverse"] if norm else None
            for layer, norm in zip(self.layers, self.design.norms, strict=True)
        )

    @property
    def moments(self) -> Layers:
        """Mean and variance of the mini-batch (2, n_{l+1}), batch norm's, else None."""
        return tuple(
            layer["moments"] if norm == "batch" else None
            for layer, norm in zip(self.layers, self.design.norms, strict=True)
        )

    @cached_property
    def kept(self) -> Layers:
        """1 / (1 - dropout) for the units that were kept, 0 for the others, or None."""
        return tuple(
            self._drop(np.ones_like(layer["z"]), l) if self.design.dropout[l] else None
            for l, layer in enumerate(self.layers)
        )

    # --- backward ---------------------------------------------------------------------

    @property
    def derivatives(self) -> tuple[Real, ...]:
        """f'(z[l]), (n, n_{l+1}); for softmax the Jacobian df_j/dz_k of each row.

        That is (n, n_{l+1}, n_{l+1}), with rows j and columns k; more than 1 GB of it
        are told of by a UserWarning before they are taken.
        """
        return tuple(self._derivative(l) for l in range(self.n_layers))

    @cached_property
    def da(self) -> tuple[Real, ...]:
        """dE/da[l], (n, n_l): da[0] is the gradient by the input."""
        above = [
            self._back(l, np.empty_like(self.layers[l - 1]["a"]), "identity")
            for l in range(1, self.n_layers)
        ]
        return (self.gradients.input, *above, self._by_output)

    @property
    def delta(self) -> tuple[Real, ...]:
        """dE/dz[l], (n, n_{l+1})."""
        return tuple(
            self._before_norm[l] if norm else layer["delta"]
            for l, (layer, norm) in enumerate(
                zip(self.layers, self.design.norms, strict=True)
            )
        )

    @property
    def du(self) -> Layers:
        """dE/du[l] of normalised layers, (n, n_{l+1}), else None."""
        return tuple(
            layer["delta"] if norm else None
            for layer, norm in zip(self.layers, self.design.norms, strict=True)
        )

    @property
    def dW(self) -> tuple[Real, ...]:
        """dE/dW[l], (n_l, n_{l+1})."""
        return self.gradients.weights

    @property
    def db(self) -> tuple[Real, ...]:
        """dE/db[l], (n_{l+1},)."""
        return self.gradients.biases

    @property
    def dgain(self) -> Layers:
        """dE/dgain[l] of normalised layers, (n_{l+1},), else None."""
        return self.gradients.gains

    # --- what comes of them -----------------------------------------------------------

    def path(self, l: int, i: int, j: int) -> PathSum:
        """dE/dW[l][i, j] along all paths from the weight to the loss.

        Written out, the chain rule is a sum over every row and every way through the
        units above; layer by layer it is what backpropagation computes.

        Parameters
        ----------
        l, i, j : int
            The layer, and the units that the weight connects.

        Returns
        -------
        PathSum
            Both values, the terms, and how many multiplications each takes;
            ``print`` writes them out, of many terms the first and the last, and
            ``text(all=True)`` every term.  More than 100,000 terms are added up by
            ``text(all=True)`` alone.

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
        from bpcore.tracing.paths import path_sum

        return path_sum(self, l, i, j)

    def plot(
        self,
        row: int | None = None,
        axes: Axes | None = None,
        limit: float | None = None,
    ) -> Any:
        """Draw the step: nodes and edges of a small network, heat maps of a large one.

        Of more than 8 layers there are heat maps, of the first and the last layers.

        Parameters
        ----------
        row : int, optional
            Show this sample's activations and deltas; by default the mean activation
            of all and the sum of their deltas, which is db.
        axes : matplotlib Axes, optional
            Where to draw a network of up to 8 layers of up to 8 units; a new figure by
            default.
        limit : float, optional
            The activation of the strongest colour, the same in several pictures; by
            default the largest.  For such networks too.

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
            If a larger network is to be drawn into axes, or the limit is not above 0.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> bp.trace(net, X, y).plot(row=1).savefig("step.png")  # doctest: +SKIP
        """
        from bpcore.tracing.picture import draw

        return draw(self, row, axes, limit)

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
                    for name, of in parameters.state.items()
                },
            }
        return _as_lists(found) if lists else found

    def __repr__(self) -> str:
        n = f"{len(self.X)} row" + "s" * (len(self.X) != 1)
        return f"<Trace of step {self.step} of {self.network} on {n}>"

    def __str__(self) -> str:
        return self.text()

    def text(self, digits: int = 6, all: bool = False) -> str:
        """The derivation, each equation beside its numbers: what ``print`` shows.

        Up to 8 rows and units every number is there, else shapes, norms and extremes;
        of more than 8 layers there are the first and the last.

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
        from bpcore.tracing.text import text

        digits = min(door.whole_number("digits", digits, 1), 17)
        return text(self, digits, door.yes_or_no("all", all))

    def _repr_html_(self) -> str:
        from bpcore.tracing.html import html

        return html(self)

    # --- the same again by the kernels ------------------------------------------------

    def _source(self, l: int) -> Real:
        """What f' is read from."""
        layer = self.layers[l]
        return layer["z" if ACTIVATIONS[self.design.activations[l]].of_z else "f"]

    def _drop(self, x: Real, l: int) -> Real:
        """x where layer l keeps units, divided by their share."""
        if self.design.dropout[l]:
            key = noise_key(noise_key(self.design.seed, self.seen), l + 1)
            kernels.drop(x.copy(), x, key, self.design.dropout[l])
        return x

    @cached_property
    def _derivatives(self) -> dict[int, Real]:
        """Those that have been asked for."""
        return {}

    def _derivative(self, l: int) -> Real:
        """f'(z[l]), computed once."""
        if l not in self._derivatives:
            self._derivatives[l] = self._slope(l)
        return self._derivatives[l]

    def _slope(self, l: int) -> Real:
        source, f = self._source(l), self.design.activations[l]
        if f != "softmax":
            ones = np.ones_like(source)
            kernels.times_derivative(ones, source, f)
            return ones
        n, width = source.shape
        tell("these derivatives take", n * width * width * source.itemsize)
        return _softmax_jacobian(source)

    def _back(self, l: int, out: Real, f: str) -> Real:
        """(delta[l] @ W[l].T) * f'[l-1](z[l-1])"""
        delta, W = self.layers[l]["delta"], self.before.weights[l]
        kernels.propagate(delta, W, self._source(l - 1), out, f)
        return out

    @cached_property
    def _before_norm(self) -> dict[int, Real]:
        """dE/dz of the normalised layers: the step overwrote it by dE/du."""
        found = {}
        for l, norm in enumerate(self.design.norms):
            if norm:
                f, drops = self.design.activations[l], self.design.dropout[l] > 0
                out = np.empty_like(self.layers[l]["z"])
                if f == "softmax" and drops:
                    self._drop(self._back(l + 1, out, "identity"), l)
                    kernels.times_derivative(out, self._source(l), f)
                else:
                    self._drop(self._back(l + 1, out, f), l)
                found[l] = out
        return found

    @cached_property
    @own_errstate
    def _by_output(self) -> Real:
        """dE/da[L]; by formula where the loss has its output activation within."""
        if not self.design.loss_takes_z:
            return self.d_output
        a = self.a[-1]
        w = np.ones(len(a)) if self.weights is None else self.weights
        share = w.reshape(len(a), -1) / len(a)
        loss = self.design.loss
        if isinstance(loss, CrossEntropy) and w.ndim == 2:  # targets that are smoothed
            loss = CrossEntropy()
        by_a = loss.by_outputs(a, self.targets)
        return np.where(share == 0, 0, by_a * share).astype(a.dtype)


@own_errstate
def _softmax_jacobian(a: Real) -> Real:
    """a_j ([j = k] - a_k) of each row."""
    one = np.eye(a.shape[1], dtype=a.dtype)
    return a[:, :, None] * (one - a[:, None, :])


def _as_lists(value: Any) -> Any:
    """Every array within as nested lists."""
    if isinstance(value, dict):
        return {name: _as_lists(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_lists(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value
