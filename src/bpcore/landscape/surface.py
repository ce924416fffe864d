"""LossSurface: the error over two parameters or two directions."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore.landscape.paths import OptimizerPath
from bpcore.landscape.picture import draw
from bpcore.quoting import joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False, eq=False)
class LossSurface:
    """E over a plane of parameters, as `bpcore.loss_surface` returns it.

    Attributes
    ----------
    names : tuple of two str
        ``("W[0][0, 1]", "b[1][0]")``, or ``("direction 1", "direction 2")``.
    axes : tuple of two float64 arrays (n_u,) and (n_v,)
        Values of the two parameters, or multiples of the directions.
    E : float64 array (n_u, n_v)
        ``E[i, j]`` at ``axes[0][i]`` and ``axes[1][j]``; infinite or NaN where the
        loss is.
    origin : float64 array (2,)
        The point of the network.
    loss : float
        E there.
    directions : float64 array (2, n_parameters)
        In the order of ``Network.parameters``; orthogonal to each other.
    paths : dict of str to OptimizerPath
        The path of each optimizer: ``.points`` (1 + steps, 2), ``.loss`` (1 + steps,),
        ``.diverged``.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros")
    >>> surface = bp.loss_surface(
    ...     net, [[1.0]], [[2.0]], parameters=[("W", 0, 0, 0), ("b", 0, 0)], points=3
    ... )
    >>> surface
    <LossSurface over W[0][0, 0] and b[0][0], 3 x 3 points, E 0 to 8>
    """

    names: tuple[str, str]
    axes: tuple[NDArray[np.float64], NDArray[np.float64]]
    E: NDArray[np.float64]
    origin: NDArray[np.float64]
    loss: float
    directions: NDArray[np.float64]
    paths: Mapping[str, OptimizerPath]

    def __repr__(self) -> str:
        finite = self.E[np.isfinite(self.E)]
        found = f"E {finite.min():.4g} to {finite.max():.4g}" if finite.size else "no E"
        paths = f", paths of {joined(self.paths)}" if self.paths else ""
        over, size = " and ".join(self.names), " x ".join(map(str, self.E.shape))
        return f"<LossSurface over {over}, {size} points, {found}{paths}>"

    def plot(self, axes: Axes | None = None) -> Any:
        """Draw E as contours, and the paths of the optimizers on it.

        With random directions a path is the projection of the whole training onto the
        plane: its own E, in the legend, is not that of the surface below it.

        Parameters
        ----------
        axes : matplotlib Axes, optional
            A new figure by default.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If no E is finite.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> surface = bp.loss_surface(net, X, y, optimizers={"SGD": bp.SGD(0.5)})
        >>> surface.plot().savefig("surface.png")  # doctest: +SKIP
        """
        return draw(self, axes)

    def _repr_png_(self) -> bytes | None:
        if importlib.util.find_spec("matplotlib") is None:
            return None
        picture: bytes = self.plot()._repr_png_()
        return picture
