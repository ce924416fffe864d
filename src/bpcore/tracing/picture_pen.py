"""Pen: draws in inches of a picture, in axes of any size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bpcore.arrays import Real
from bpcore.show.colours import colour_of, text_colour_on
from bpcore.tracing.picture_places import RADIUS, Places

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Colour of lines and frames, which are no numbers.
GREY = "0.55"
#: Width of a key in inches, and its number of colours.
KEY, COLOURS = 1.1, 128


class Pen:
    """Draws in inches; in axes that are smaller or larger all is scaled, letters too.

    Examples
    --------
    >>> from bpcore.show.figure import new_figure  # doctest: +SKIP
    >>> from bpcore.tracing.picture_pen import Pen
    >>> pen = Pen(new_figure(5, 4).subplots(), plan, 4.0)  # doctest: +SKIP
    """

    def __init__(self, axes: Axes, plan: Places, height: float) -> None:
        figure: Any = axes.figure
        if figure.get_layout_engine() is not None:
            figure.draw_without_rendering()  # which gives the axes their size
        box = axes.get_window_extent()
        self.axes, self.plan = axes, plan
        self.scale = min(box.width / plan.width, box.height / height) / figure.dpi
        self.back = figure.get_facecolor()
        axes.set_xlim(0, plan.width)
        axes.set_ylim(0, height)
        axes.set_aspect("equal")
        axes.set_axis_off()

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        framed: bool = False,
        **how: Any,
    ) -> None:
        """Text with its middle at a place; framed on the colour of the figure."""
        if framed:
            how["bbox"] = {"fc": self.back, "ec": "none", "pad": 0.8 * self.scale}
        options: dict[str, Any] = {"ha": "center", "va": "center", "zorder": 4} | how
        self.axes.text(x, y, text, fontsize=size * self.scale, **options)

    def head(self, x: float, name: str, kind: str) -> None:
        """The name of a column and what it is, above its nodes."""
        y = self.plan.top + 0.22
        self.write(x, y, kind, 8, va="top", style="italic", linespacing=1.1)
        self.write(x, y + 0.03, name, 10, va="bottom")

    def lines(
        self, ends: Sequence[Any], colours: Any = GREY, widths: Any = 0.8
    ) -> None:
        """Lines, each from one place to another."""
        from matplotlib.collections import LineCollection

        lines = LineCollection(
            ends, colors=colours, linewidths=np.multiply(widths, self.scale), zorder=1
        )
        self.axes.add_collection(lines, autolim=False)

    def disc(self, x: float, y: float, share: float, dashed: bool = False) -> str:
        """A node in the colour of its number; returns the colour of text on it."""
        from matplotlib.patches import Circle

        return self._fill(Circle((x, y), RADIUS), share, ls="--" if dashed else "-")

    def box(
        self, x: float, y: float, width: float, height: float, share: float | None
    ) -> str:
        """A box, given half its width and height; without a number it has no colour."""
        from matplotlib.patches import Rectangle

        corner = x - width, y - height
        return self._fill(Rectangle(corner, 2 * width, 2 * height), share)

    def _fill(self, patch: Any, share: float | None, ls: str = "-") -> str:
        colour = "#ffffff" if share is None else colour_of(share)
        patch.set(
            fc=self.back if share is None else colour,
            ec="0.3",
            lw=self.scale,
            ls=ls,
            zorder=3,
        )
        self.axes.add_patch(patch)
        return text_colour_on(colour)

    def key(
        self,
        place: int,
        name: str,
        values: Real,
        limit: float,
        colour: Callable[[float], str],
    ) -> None:
        """The colours from the lowest to the highest that such numbers can have."""
        low = -limit if (values < 0).any() else 0.0
        high = limit if (values > 0).any() or not low else 0.0
        shares = np.linspace(low, high, COLOURS) / limit
        pixels = [
            [int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)]
            for code in map(colour, shares.tolist())
        ]
        middle = self.plan.width * (1 + 2 * place) / 4
        left, bottom = middle - KEY / 2, 0.36
        extent = left, left + KEY, bottom, bottom + 0.1
        limits = self.axes.get_xlim(), self.axes.get_ylim()
        self.axes.imshow(
            [pixels], extent=extent, aspect="equal", zorder=2, interpolation="nearest"
        )
        self.axes.set(xlim=limits[0], ylim=limits[1])
        self.write(middle, bottom + 0.22, name, 8)
        ticks = [low, 0.0, high] if low and high else [low, high]
        for x, tick in zip(
            np.linspace(left, left + KEY, len(ticks)), ticks, strict=True
        ):
            self.write(float(x), bottom - 0.12, f"{tick:.2g}", 7.5)
