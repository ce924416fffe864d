"""Pictures of a trained model: its losses, and predictions against targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore.show.colours import colour_of, text_colour_on
from bpcore.show.figure import (
    Picture,
    colours_of,
    new_figure,
    use_log_scale,
    use_whole_numbers,
)
from bpcore.training.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Fewest rows for a curve of calibration: with fewer its points are mostly noise.
ROWS_FOR_CALIBRATION = 500
#: Most classes of a confusion matrix, and characters of their names in it.
CLASSES, CHARACTERS = 12, 12
#: Bins of probabilities, with about equally many rows in each.
BINS = 10
#: Most points of predictions against targets.
MOST_POINTS = 2000


def losses(axes: Axes, histories: Sequence[History], best_by: str) -> None:
    """The losses of each network, epoch by epoch, and its best epoch by a quantity."""
    everything: list[float] = []
    for history in histories:
        epochs = np.arange(1, len(history) + 1)
        first = history is histories[0]
        for values, label, colour in (
            (history.loss, "training", "C0"),
            (history.validation_loss, "validation", "C1"),
        ):
            if len(values):
                axes.plot(
                    epochs, values, color=colour, lw=1, label=label if first else None
                )
                everything.extend(values)
        if history.best_epoch:
            axes.axvline(history.best_epoch, color="0.7", lw=1, ls=":")
    use_log_scale(axes, np.maximum(everything, 1e-12))
    use_whole_numbers(axes.xaxis)
    best = any(history.best_epoch for history in histories)
    by = best_by.replace("_", " ")
    axes.set_xlabel(f"epoch (dotted: the best by {by})" if best else "epoch")
    axes.set_ylabel("loss")
    count = len(histories)
    axes.set_title("Loss by epoch" if count == 1 else f"Losses of {count} networks")
    axes.legend()


def classes(
    axes: Axes, p: NDArray[Any], labels: NDArray[np.intp], names: Sequence[str]
) -> None:
    """The confusion matrix of few rows, or the calibration of many."""
    if len(labels) < ROWS_FOR_CALIBRATION and len(names) <= CLASSES:
        confusion(axes, p.argmax(axis=1), labels, names)
    else:
        calibration(axes, p.max(axis=1), p.argmax(axis=1) == labels)


def confusion(
    axes: Axes,
    predicted: NDArray[np.intp],
    labels: NDArray[np.intp],
    names: Sequence[str],
) -> None:
    """The number of rows of each class, down, with each prediction, across."""
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    # On a linear scale the few errors would be invisible.
    shade = np.log1p(counts) / np.log1p(counts.max())
    axes.imshow(shade, **colours_of(1, signed=False))
    for (i, j), count in np.ndenumerate(counts):
        colour = text_colour_on(colour_of(shade[i, j]))
        axes.text(j, i, f"{count:,}", color=colour, ha="center", va="center")
    short = [name[:CHARACTERS].replace("$", r"\$") for name in names]
    axes.set_xticks(range(len(names)), short, rotation=45 if len(names) > 4 else 0)
    axes.set_yticks(range(len(names)), short)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    right, n = counts.trace(), len(labels)
    axes.set_title(f"Accuracy {right / n:.4f}: {right:,} of {n:,} rows are right")
    axes.set_xlabel("prediction")
    axes.set_ylabel("class")


def calibration(axes: Axes, p: NDArray[Any], right: NDArray[np.bool_]) -> None:
    """The frequency of an event in bins of rows with similar probability of it."""
    order = np.argsort(p, kind="stable")
    parts = np.array_split(order, min(BINS, len(order)))
    points = np.array([(p[part].mean(), right[part].mean()) for part in parts])
    low = max(0.0, points.min() - 0.05)
    axes.plot([low, 1], [low, 1], color="0.7", lw=1, ls=":")
    axes.plot(*points.T, "o")
    axes.set_title(f"Accuracy {right.mean():.4f} of {len(right):,} rows")
    axes.set_xlabel(
        "probability of the predicted class, "
        f"mean of {len(parts)} bins of about {len(parts[0]):,} rows"
    )
    axes.set_ylabel("fraction of rows where it is right")


def against_targets(
    axes: Axes, predicted: Any, y: Any, names: Sequence[str], target: str, score: str
) -> None:
    """Predictions against targets, of at most 2000 rows; a colour for each column.

    `target` is the name of the targets, and `score` is text of the title.
    """
    step = -(-len(y) // MOST_POINTS)
    ends = float(np.min(y)), float(np.max(y))
    columns = predicted.reshape(len(y), -1)
    targets = np.broadcast_to(y.reshape(len(y), -1), columns.shape)
    for j, name in enumerate(names):
        axes.plot(
            targets[::step, j], columns[::step, j], ".", ms=3, alpha=0.5, label=name
        )
    axes.plot(ends, ends, color="0.7", lw=1, ls=":")
    if len(names) > 1:
        axes.legend(markerscale=4)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:,.10g}")
    drawn = len(targets[::step])
    some = f", {drawn:,} of them drawn" if drawn < len(y) else ""
    axes.set_title(f"{score} of {len(y):,} rows{some}")
    axes.set_xlabel(target)
    axes.set_ylabel("prediction")


def new_picture(panels: int) -> tuple[Picture, list[Axes]]:
    """A picture with so many panels side by side."""
    figure = new_figure(5.0 * panels, 4)
    return figure, list(np.atleast_1d(figure.subplots(1, panels)))
