"""Scene: the data of an animation, and the outputs of a network that are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.batches.batch import Batch
from bpcore.errstate import own_errstate
from bpcore.training.learner import Learner

#: Points of the plane in each direction, and of the line of a fit.
PLANE, LINE = 96, 240
#: How far both reach beyond the data, as a fraction of their range.
MARGIN = 0.12


@dataclass(frozen=True, eq=False)
class Frame:
    """A network after an epoch, as it is drawn.

    Attributes
    ----------
    label : str
        "epoch 3".
    loss : float
        E of the data.
    values : float32 array
        The output along the line; or over the plane the output less the threshold of
        the classes, or of three and more classes the largest output.
    winner : array of the same shape, or None
        The class of the largest output, of three and more.
    """

    epoch: int
    label: str
    loss: float
    values: NDArray[np.float32]
    winner: NDArray[np.int16] | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """The data, and where a network's outputs are drawn.

    Attributes
    ----------
    X : array (n, 1) or (n, 2)
    y : array (n,)
        The targets of a fit, or classes 0, 1, ...
    axes : tuple of arrays
        The points of the line, or the coordinates of the plane.
    classes : int
        0 for a fit.
    outputs : int
    threshold : float
        The output on the boundary of two classes.
    activation : str
        Of the outputs.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    axes: tuple[NDArray[np.float64], ...]
    classes: int
    outputs: int
    threshold: float
    activation: str

    @property
    def meaning(self) -> str:
        """What the outputs mean, in words; the same for all frames of an animation."""
        if not self.is_plane:
            return "1 output of a fit"
        outputs = "1 output" if self.outputs == 1 else f"{self.outputs} outputs"
        text = f"{self.classes} classes, {outputs} by {self.activation}"
        return f"{text}, threshold {self.threshold:g}" if self.outputs == 1 else text

    @property
    def quantity(self) -> str:
        """The formula of `Frame.values` of two classes."""
        if self.outputs == 2:
            if self.activation == "softmax":
                return "P(class 1) - 0.5"
            return "(a[1] - a[0]) / 2"
        if self.activation == "sigmoid" and self.threshold == 0.5:
            return "P(class 1) - 0.5"
        less = f" - {self.threshold:g}" if self.threshold else ""
        return f"output a{less}, class 1 above 0"

    @property
    def is_plane(self) -> bool:
        """Whether a decision boundary is drawn, and not a fit."""
        return self.classes > 0

    @own_errstate
    def frame(self, learner: Learner, data: Batch, epoch: int, label: str) -> Frame:
        """The network as it is."""
        rows = np.stack(np.meshgrid(*self.axes), axis=-1).reshape(-1, len(self.axes))
        a = learner.outputs(np.ascontiguousarray(rows, learner.dtype))
        loss = learner.mean_loss(data)
        shape = (PLANE, PLANE) if self.is_plane else (LINE,)
        winner = None
        if self.classes > 2:
            winner = a.argmax(axis=1).astype(np.int16).reshape(shape)
            values = a.max(axis=1)
        elif self.outputs == 2:
            values = (a[:, 1] - a[:, 0]) / 2
        else:
            values = a[:, 0] - self.threshold
        return Frame(epoch, label, loss, values.reshape(shape).astype("f4"), winner)


def scene_of(learner: Learner, data: Batch, prefix: str = "") -> Scene:
    """The scene of a network and its data; raises if they cannot be drawn."""
    n_in, n_out = learner.design.sizes[0], learner.design.sizes[-1]
    kind = learner.design.target_kind
    several = kind.several and n_out > 1
    if n_in > 2 or (n_in == 1 and n_out > 1) or several:
        outputs = f"{n_out} labels" if several else f"{n_out} outputs"
        raise ValueError(
            f"{prefix}network must have 1 input and 1 output, or 2 inputs and classes; "
            f"got {n_in} inputs and {outputs}"
        )
    low, high = data.X.min(axis=0), data.X.max(axis=0)
    margin = np.where(high > low, MARGIN * (high - low), 1.0)
    axes = tuple(
        np.linspace(a, b, PLANE if n_in == 2 else LINE)
        for a, b in zip(low - margin, high + margin, strict=True)
    )
    y, output = data.y, learner.design.activations[-1]
    if n_in == 1:
        return Scene(data.X, y[:, 0], axes, 0, 1, 0.0, output)
    if n_out == 1:
        classes = (y[:, 0] > kind.threshold).astype(np.int64)
        return Scene(data.X, classes, axes, 2, 1, kind.threshold, output)
    labels = y if y.ndim == 1 else y.argmax(axis=1)
    return Scene(data.X, labels, axes, n_out, n_out, 0.0, output)
