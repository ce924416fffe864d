"""Frames as pictures: the boundary or the fit, and the loss below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.motion.scene import Frame, Scene
from bpcore.show.colours import SIGNED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points of a picture per inch.
DPI = 100
#: Classes in the key.
KEY = 10


@own_errstate
def pictures(
    scene: Scene, frames: Sequence[Frame], every: int = 1
) -> Iterator[NDArray[np.uint8]]:
    """Frames as arrays (height, width, 3) of red, green and blue.

    One figure is used for all; from frame to frame only what moves is drawn anew.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from bpcore.show.figure import new_figure

    figure = new_figure(6.4, 5.9)
    canvas: Any = FigureCanvasAgg(figure)
    figure.set_dpi(DPI)
    main, below = figure.subplots(2, 1, height_ratios=(4.2, 1))
    moving = (Plane if scene.is_plane else Line)(main, scene, frames)
    dot = draw_losses(below, frames)
    for frame in frames[::every]:
        title = f"{frame.label}: E = {frame.loss:#.4g}"
        main.set_title(title, fontsize=11, loc="left")
        moving.show(frame)
        dot.set_data([frame.epoch], [frame.loss])
        canvas.draw()
        figure.set_layout_engine("none")  # the axes stay where they are
        yield np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def draw_losses(axes: Axes, frames: Sequence[Frame]) -> Any:
    """E over the epochs, and the dot that shows the epoch of a frame."""
    from bpcore.show.figure import use_log_scale, use_whole_numbers

    losses = np.array([frame.loss for frame in frames])
    axes.plot([frame.epoch for frame in frames], losses, color="0.6", lw=1.2)
    (dot,) = axes.plot([], [], "o", color="black", ms=5)
    if np.isfinite(losses).all() and losses.min() > 0:
        use_log_scale(axes, losses, 30)  # few numbers, for the axes are low
    axes.set(xlabel="epoch", ylabel="E")
    axes.tick_params(which="both", labelsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    use_whole_numbers(axes.xaxis)
    return dot


class Line:
    """The data of a fit as dots, and the output as a line."""

    def __init__(self, axes: Axes, scene: Scene, frames: Sequence[Frame]) -> None:
        (x,), y = scene.axes, scene.y
        axes.plot(scene.X[:, 0], y, "o", color="0.55", mec="white", ms=5, label="data")
        (self.line,) = axes.plot(x, x, color="black", lw=2, label="output a")
        low, high = float(y.min()), float(y.max())
        margin = 0.25 * (high - low) or 1.0
        axes.set(xlim=(x[0], x[-1]), ylim=(low - margin, high + margin), xlabel="x")
        axes.legend(loc="upper right", fontsize=8)

    def show(self, frame: Frame) -> None:
        """Draw a frame."""
        self.line.set_ydata(frame.values)


class Plane:
    """The plane coloured by the output, with the boundary and the data."""

    def __init__(self, axes: Axes, scene: Scene, frames: Sequence[Frame]) -> None:
        from bpcore.show.figure import colormaps

        self.axes, self.scene = axes, scene
        self.boundary: Any = None
        u, v = scene.axes
        place: Any = {"origin": "lower", "extent": (u[0], u[-1], v[0], v[-1])}
        place |= {"aspect": "auto", "interpolation": "bilinear"}
        values = [frame.values for frame in frames]
        self.least = min(float(each.min()) for each in values)
        self.most = max(float(each.max()) for each in values)
        if scene.classes == 2:
            limit = max(-self.least, self.most) or 1.0
            # Paler than the data, which have the same colours.
            bounds: Any = {"vmin": -1.5 * limit, "vmax": 1.5 * limit}
            self.image = axes.imshow(values[0], cmap=SIGNED, **bounds, **place)
            bar = axes.figure.colorbar(self.image, ax=axes, pad=0.02)
            bar.ax.set(ylim=(-limit, limit), ylabel=scene.quantity)
            bar.ax.tick_params(labelsize=8)
            hues = colormaps[SIGNED]([0.05, 0.95])
        else:
            names = "Dark2" if scene.classes <= 8 else "tab20"
            hues = colormaps[names](np.arange(scene.classes) % colormaps[names].N)
            self.hues = hues[:, :3]
            self.image = axes.imshow(self._mixed(frames[0]), **place)
        dots: Any = {"c": hues[scene.y], "edgecolors": "white", "linewidths": 0.8}
        dots["s"] = np.clip(4000 / len(scene.X), 14, 90)
        axes.scatter(*scene.X.T, **dots, zorder=3)
        self._draw_key(hues)
        axes.set(xlabel="x[0]", ylabel="x[1]", xlim=u[[0, -1]], ylim=v[[0, -1]])

    def show(self, frame: Frame) -> None:
        """Draw a frame."""
        if frame.winner is not None:
            self.image.set_data(self._mixed(frame))
            return
        self.image.set_data(frame.values)
        if self.boundary is not None:
            self.boundary.remove()
            self.boundary = None
        if frame.values.min() < 0 < frame.values.max():
            style: Any = {"colors": "black", "linewidths": 2}
            self.boundary = self.axes.contour(
                *self.scene.axes, frame.values, [0.0], **style
            )

    def _draw_key(self, hues: NDArray[Any]) -> None:
        """The colours of the dots of the first classes."""
        style: Any = {"ls": "", "marker": "o", "mec": "white"}
        for k, hue in enumerate(hues[:KEY]):
            self.axes.plot([], [], color=hue, label=f"class {k}", **style)
        more = len(hues) > KEY
        place: Any = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
        if len(hues) == 2:  # beside the title, for the colour bar is on the right
            place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 2}
        self.axes.legend(
            **place,
            title=f"first {KEY} of {len(hues)}" if more else None,
            frameon=False,
            fontsize=8,
            title_fontsize=8,
            handletextpad=0,
            columnspacing=1,
            borderaxespad=0.2,
        )

    def _mixed(self, frame: Frame) -> NDArray[Any]:
        """The colour of the class with the largest output, pale if that is small."""
        share = (frame.values - self.least) / ((self.most - self.least) or 1.0)
        strength = (0.1 + 0.5 * share)[:, :, None]
        return 1 - strength * (1 - self.hues[frame.winner])
