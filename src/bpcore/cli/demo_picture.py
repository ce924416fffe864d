"""The picture of the demo: losses, confusion matrix, weights of the first layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import bpcore
from bpcore.show.colours import colour_of, text_colour_on

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Counts = NDArray[np.int64]  # a confusion matrix (digits, predictions)

# Blue and vermilion of Okabe and Ito: distinct for colour-blind readers and in grey.
TRAINING, VALIDATION = "#0072B2", "#D55E00"
STEPS = [1, 2, 5, 10]  # distances of ticks, times a power of ten


def draw(
    figure: Figure, net: bpcore.Network, history: bpcore.History, confusion: Counts
) -> None:
    """Draw the losses, the confusion matrix and the weights of the first layer."""
    figure.set_layout_engine("compressed", w_pad=0.15, h_pad=0.15)
    axes = figure.subplot_mosaic(
        [["losses", "confusion"], ["weights", "weights"]],
        width_ratios=(1.2, 1),
        height_ratios=(3.6, 1),
    )
    _draw_losses(axes["losses"], history)
    _draw_confusion(axes["confusion"], confusion)
    _draw_weights(axes["weights"], net.weights[0])


def _draw_losses(ax: Axes, history: bpcore.History) -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator

    epochs = np.arange(1, len(history.loss) + 1)
    for losses, name, style, colour in (
        (history.loss, "training", "o-", TRAINING),
        (history.validation_loss, "test", "o--", VALIDATION),
    ):
        ax.plot(epochs, losses, style, color=colour, label=name, lw=2, ms=4)
    ax.set_xlim(0.5, len(epochs) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=STEPS))
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")
    ax.set_title(
        f"Loss at the end: {history.loss[-1]:#.2g} in training, "
        f"{history.validation_loss[-1]:#.2g} in the test"
    )
    ax.set_xlabel("epoch")
    ax.set_ylabel("mean cross-entropy")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)


def _draw_confusion(ax: Axes, confusion: Counts) -> None:
    from bpcore.show.figure import colours_of

    # With a linear colour scale the few errors would be invisible.
    shade = np.log1p(confusion) / np.log1p(confusion.max())
    ax.imshow(shade, **colours_of(1, signed=False))
    for (digit, predicted), count in np.ndenumerate(confusion):
        ax.text(
            predicted,
            digit,
            f"{count}" if count else "",
            ha="center",
            va="center",
            color=text_colour_on(colour_of(shade[digit, predicted])),
        )
    right, total = confusion.trace(), confusion.sum()
    ax.set_title(f"Test accuracy {percent(confusion)}: {right:,} of {total:,} right")
    ax.set_xlabel("prediction")
    ax.set_ylabel("digit")
    ax.set_xticks(range(len(confusion)))
    ax.set_yticks(range(len(confusion)))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _draw_weights(ax: Axes, W: NDArray[np.floating]) -> None:
    from bpcore.show.figure import colours_of

    limit = np.quantile(np.abs(W), 0.995)  # with the maximum most would be pale
    image = ax.imshow(mosaic(W), **colours_of(float(limit)))
    n_units = W.shape[1]
    ax.set_title(f"Weights of the first layer, into each of {n_units} hidden units")
    ax.set_axis_off()
    ax.figure.colorbar(image, ax=ax, pad=0.01, label="weight", extend="both")


def mosaic(W: NDArray[np.floating]) -> NDArray[np.floating]:
    """Arrange the columns of `W` as square images, one empty pixel apart."""
    n_in, n_out = W.shape
    side = round(n_in**0.5)
    columns = round((8 * n_out) ** 0.5)  # eight times as many columns as rows
    rows = -(-n_out // columns)
    tiles = np.full((rows * columns, side + 1, side + 1), np.nan)
    tiles[:n_out, :side, :side] = W.T.reshape(n_out, side, side)
    grid = tiles.reshape(rows, columns, side + 1, side + 1).swapaxes(1, 2)
    return grid.reshape(rows * (side + 1), columns * (side + 1))[:-1, :-1]


def percent(confusion: Counts) -> str:
    """The accuracy, as text."""
    return f"{confusion.trace() / confusion.sum():.1%}".replace("%", " %")
