"""Figures of matplotlib that need no display and that notebooks show."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.quoting import quoted
from bpcore.show.colours import SIGNED

try:
    from matplotlib import colormaps
    from matplotlib.axes import Axes
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
except ImportError as error:
    raise ImportError(
        "plots need matplotlib, which is not installed: pip install matplotlib"
    ) from error

__all__ = [
    "Picture",
    "colormaps",
    "colours_of",
    "figure_of_axes",
    "new_figure",
    "reds",
    "require_axes",
    "text_extent",
    "use_log_scale",
    "use_whole_numbers",
]

if TYPE_CHECKING:
    from matplotlib.axis import Axis


class Picture(Figure):
    """A figure made without pyplot, which a notebook shows as an image."""

    @own_errstate
    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=80)
        return file.getvalue()


def new_figure(width: float, height: float) -> Picture:
    """An empty figure; width and height in inches."""
    return Picture(figsize=(width, height), layout="constrained")


def figure_of_axes(width: float, height: float) -> Any:
    """Axes that fill a new figure; width and height in inches."""
    return Picture(figsize=(width, height)).add_axes((0, 0, 1, 1))


def colours_of(limit: float, signed: bool = True) -> dict[str, Any]:
    """Map and range of an image of numbers, of which `limit` has the strongest colour.

    Numbers that cannot be below 0 have the red half of the map, from 0 on.
    """
    if signed:
        return {"cmap": SIGNED, "vmin": -limit, "vmax": limit}
    return {"cmap": reds(), "vmin": 0.0, "vmax": limit}


def reds() -> ListedColormap:
    """The colours of numbers that cannot be below 0: the red half, from white on."""
    return ListedColormap(colormaps[SIGNED](np.linspace(0.5, 1, 256)), "not negative")


def text_extent(text: str, size: float) -> tuple[float, float]:
    """Width and height in inches of a line of text; its size in points."""
    font = FontProperties(size=size)
    (width, *_), (_, height, _) = (
        # A line of numbers is as high as one of letters.
        text_to_path.get_text_width_height_descent(line, font, False)
        for line in (text, "lp")
    )
    return width / 72, height / 72


def require_axes(axes: object) -> None:
    """Raise unless `axes` are axes of matplotlib's with a plain x and y."""
    if not isinstance(axes, Axes) or axes.name != "rectilinear":
        raise TypeError(
            f"axes must be Axes of matplotlib's, not 3-D and not polar; "
            f"got {quoted(axes)}"
        )


def use_whole_numbers(axis: Axis, most: int = 9) -> None:
    """Ticks at whole numbers, for epochs or units."""
    axis.set_major_locator(MaxNLocator(most, integer=True, min_n_ticks=1))


def use_log_scale(axes: Axes, values: Any, most: float = 1000.0) -> None:
    """A logarithmic y axis with plain numbers at a readable number of ticks.

    `values` are all above 0; if their range is less than a factor of 4, the axis stays
    linear; from a factor of `most` on only powers of 10 have numbers.
    """
    low, high = float(values.min()), float(values.max())
    if high < 4 * low:
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    if high < most * low:
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_minor_formatter("{x:g}")
    else:
        axes.yaxis.set_minor_formatter(NullFormatter())
