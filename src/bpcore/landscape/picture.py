"""The picture of a loss surface: contours of E, and paths of optimizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.show.colours import SIGNED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Number of contours.
LEVELS = 16
#: Colours of paths: none of them is red or blue, which mean numbers.
PATHS = ("black", "tab:green", "tab:purple", "goldenrod", "teal", "saddlebrown")


@own_errstate
def draw(surface: Any, axes: Axes | None) -> Figure:
    """Filled contours, darker for larger E, with the paths and a legend below."""
    from bpcore.show.figure import new_figure, require_axes

    finite = np.isfinite(surface.E)
    if not finite.any():
        raise ValueError("plot needs at least one finite E; got none")
    if axes is None:
        axes = new_figure(6.4, 5.4 + 0.22 * len(surface.paths)).subplots()
    else:
        require_axes(axes)
    figure: Any = axes.figure
    values = np.ma.masked_where(~finite, surface.E).T
    levels, style = _levels(surface.E[finite])
    filled = axes.contourf(*surface.axes, values, levels, **style)
    axes.contour(
        *surface.axes, values, levels, colors="0.35", linewidths=0.5, linestyles="solid"
    )
    bar = figure.colorbar(filled, ax=axes, label="E", pad=0.02, format="{x:.3g}")
    bar.ax.tick_params(labelsize=8)
    axes.set_facecolor("0.85")  # where E is not finite
    _draw_paths(axes, surface)
    for axis, name, at in zip("xy", surface.names, surface.axes, strict=True):
        axes.set(**{f"{axis}label": name, f"{axis}lim": (at[0], at[-1])})
    return figure


def _levels(E: NDArray[np.float64]) -> tuple[Any, dict[str, Any]]:
    """The contours, equally far apart or by equal factors; and their colours."""
    from matplotlib.colors import LogNorm, Normalize
    from matplotlib.ticker import MaxNLocator

    from bpcore.show.figure import colormaps, reds

    least, most = float(E.min()), float(E.max())
    if least < 0:
        limit = max(-least, most)
        levels: Any = MaxNLocator(LEVELS, symmetric=True).tick_values(-limit, limit)
        limit = levels[-1]
        return levels, {"cmap": colormaps[SIGNED], "norm": Normalize(-limit, limit)}
    # Few points have the largest values: contours are for the others.
    high = float(np.quantile(E, 0.98))
    if high <= least:
        high = max(most, 1.001 * least) or 1.0
    style: dict[str, Any] = {"cmap": reds()}
    if least > 0 and high > 10 * least:
        low = max(least, high / 1e4)
        levels = np.geomspace(low, high, LEVELS)
        style |= {"norm": LogNorm(low, high)}
    else:
        levels = MaxNLocator(LEVELS).tick_values(least, high)
        style |= {"norm": Normalize(levels[0], levels[-1])}
    below, above = least < levels[0], most > levels[-1]
    names = {(1, 1): "both", (1, 0): "min", (0, 1): "max", (0, 0): "neither"}
    return levels, {**style, "extend": names[below, above]}


def _draw_paths(axes: Axes, surface: Any) -> None:
    """The point of the network, and a line with a dot for each step of a path."""
    key = []
    for k, (name, path) in enumerate(surface.paths.items()):
        colour, steps = PATHS[k % len(PATHS)], len(path.loss) - 1
        end = ", diverged" if path.diverged else ""
        axes.plot(*path.points.T, color="white", lw=4, alpha=0.8, zorder=3)
        key += axes.plot(
            *path.points.T,
            color=colour,
            lw=1.3,
            marker="o" if steps <= 100 else "",
            ms=3,
            label=f"{name}: E = {path.loss[-1]:.4g} after {steps} steps{end}",
            zorder=3.5,
        )
        axes.plot(*path.points[-1], "X", color=colour, mec="white", ms=10, zorder=4)
    key += axes.plot(
        *surface.origin,
        marker="o",
        color="white",
        mec="black",
        ms=8,
        ls="",
        label=f"the network: E = {surface.loss:.4g}",
        zorder=5,
    )
    projected = surface.paths and surface.names[0].startswith("direction")
    legend = axes.legend(
        key,
        [""] * len(key),
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12),
        frameon=False,
        fontsize=9,
        title="paths: training of all parameters, projected" if projected else None,
        title_fontsize=9,
    )
    # The names as they are: without formulas, and also if they begin with "_".
    for line, text in zip(key, legend.get_texts(), strict=True):
        text.set_parse_math(False)
        text.set_text(line.get_label())
