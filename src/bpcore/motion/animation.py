"""Animation: a callback that records what a network computes while it trains."""

from __future__ import annotations

import html
import importlib.util

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.batches.batch import Batch
from bpcore.batches.weights import ClassWeight
from bpcore.files.whole import Path, replaceable, write_whole
from bpcore.motion.files import gif, html_page, suffix_of
from bpcore.motion.scene import Frame, Scene, scene_of
from bpcore.network import Network, learner_of
from bpcore.training.history import History
from bpcore.training.inputs import checked_batch, checked_class_weights

#: Most frames; of more, every second one is dropped.
MOST = 240


class Animation:
    """A callback that records a decision boundary or a fit, as a film.

    A network of 1 input and 1 output is drawn as a line through the data; one of 2
    inputs, and classes, as the plane coloured by its output.  Below is E of the data.
    A second fit continues the film, of a network with outputs of the same meaning; a
    fit that resumes a file continues it from the epoch of the file.

    Parameters
    ----------
    X, y, sample_weight, class_weight
        The data to show, and for E, as for ``Network.evaluate``.
    every : int
        Epochs from one frame to the next.  From 240 frames on every second one is
        dropped, and `every` doubled.

    Attributes
    ----------
    epochs : array (frames,)
        0 for the network before the first fit.
    loss : array (frames,)
        E of the data.
    frames : list of Frame
    scene : Scene or None
        What all frames have in common; None before the first.

    Examples
    --------
    >>> import bpcore as bp
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
    >>> film = bp.Animation(X, y, every=10)
    >>> history = net.fit(X, y, epochs=30, callbacks=[film], progress=False)
    >>> film
    <Animation of 4 frames, epochs 0 to 30>
    >>> film.save("xor.gif")  # doctest: +SKIP
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        *,
        every: int = 1,
    ) -> None:
        self.every = checks.integer("every", every, 1)
        self._given = (
            arrays.as_array("X", X).copy(),
            arrays.as_array("y", y).copy(),
            None
            if sample_weight is None
            else arrays.as_array("sample_weight", sample_weight).copy(),
        )
        self._class_weight = class_weight
        self.frames: list[Frame] = []
        self.scene: Scene | None = None
        self._epoch = 0
        #: Epochs of the film before those of the last fit's history.
        self._before = 0

    def check(self, network: Network) -> None:
        """Raise if the network or the data cannot be drawn; record it before epoch 1.

        ``fit`` calls it before the first epoch.

        Examples
        --------
        >>> import bpcore as bp
        >>> film = bp.Animation([[0.0], [1.0]], [[1.0], [2.0]])
        >>> film.check(bp.Network([1, 8, 1], rng=0))
        >>> film.epochs
        array([0])
        """
        data = self._data(network)
        scene = scene_of(learner_of(network), data, "Animation: ")
        if self.scene is None or self._epoch == 0:
            frame = scene.frame(learner_of(network), data, 0, "epoch 0")
            self._take_over([frame], 0, self._before, scene)
        elif scene.meaning != self.scene.meaning:
            raise ValueError(
                "Animation: network must be like the one recorded before, with "
                f"{self.scene.meaning}; got {scene.meaning}"
            )

    def resume(self, network: Network, history: History) -> None:
        """Go on from a network as it was after the epochs of `history`.

        ``fit(resume=path)`` calls it before the first step.  Frames of that epoch and
        of later ones are dropped.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0.0], [1.0]], [[1.0], [2.0]]
        >>> net, film = bp.Network([1, 8, 1], rng=0), bp.Animation(X, y)
        >>> history = net.fit(X, y, epochs=5, progress=False)
        >>> film.check(net)
        >>> film.resume(net, history)
        >>> film.epochs
        array([5])
        """
        begun, epoch = self._epoch > 0, self._before + len(history)
        frames = [f for f in self.frames if begun and f.epoch < epoch]
        frames.append(self._frame(network, epoch))
        self._take_over(frames, epoch, self._before)

    def __call__(self, network: Network, history: History) -> None:
        """Record an epoch; called by ``Network.fit``."""
        epoch, frames = self._epoch + 1, self.frames
        if epoch % self.every == 0:
            frames = [*frames, self._frame(network, epoch)]
        self._take_over(frames, epoch, epoch - len(history))

    def end(self, network: Network) -> None:
        """Record the network after a fit, if it is in no frame yet.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0.0], [1.0]], [[1.0], [2.0]]
        >>> net, film = bp.Network([1, 8, 1], rng=0), bp.Animation(X, y, every=3)
        >>> history = net.fit(X, y, epochs=5, callbacks=[film], progress=False)
        >>> film.end(net)
        >>> film.epochs
        array([0, 3, 5])
        """
        if not self.frames:
            return
        history, label = network.history, f"epoch {self._epoch}"
        restored = None if history is None else history.restored
        if restored is not None and restored != len(history):
            label = f"restored to epoch {self._before + restored}"
        last = self.frames[-1]
        if (last.epoch, last.label) != (self._epoch, label):
            frames = [*self.frames, self._frame(network, self._epoch, label)]
            self._take_over(frames, self._epoch, self._before)

    def _data(self, network: Network) -> Batch:
        checks.instance("network", network, Network)
        learner = learner_of(network)
        batch = checked_batch(learner, *self._given, "Animation: ")
        weights = checked_class_weights(learner, self._class_weight, batch.y)
        return batch.times(weights, learner.design)

    def _frame(self, network: Network, epoch: int, label: str = "") -> Frame:
        """A frame of a network as it is."""
        assert self.scene is not None
        data, label = self._data(network), label or f"epoch {epoch}"
        return self.scene.frame(learner_of(network), data, epoch, label)

    def _take_over(
        self, frames: list[Frame], epoch: int, before: int, scene: Scene | None = None
    ) -> None:
        """Set all that changes; if there are too many frames, drop every second one."""
        scene, every = scene or self.scene, self.every
        if len(frames) > MOST:
            frames, every = frames[::2], 2 * every
        # One line without any call: no interrupt can halve it.
        self.scene, self.frames, self.every = scene, frames, every
        self._epoch, self._before = epoch, before

    @property
    def epochs(self) -> NDArray[np.int64]:
        """The epoch of each frame."""
        return np.array([frame.epoch for frame in self.frames], np.int64)

    @property
    def loss(self) -> NDArray[np.float64]:
        """E of the data in each frame."""
        return np.array([frame.loss for frame in self.frames])

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        if not self.frames:
            return "<Animation of 0 frames>"
        first, last = self.frames[0].epoch, self.frames[-1].epoch
        return f"<Animation of {len(self)} frames, epochs {first} to {last}>"

    def save(self, path: Path, *, fps: float = 8) -> None:
        """Write a GIF, or a page in HTML with buttons and a slider.

        The page is one file that needs no other, and no network.

        Parameters
        ----------
        path : path
            The suffix is .gif or .html.  Replaced as a whole, or left as it was.
        fps : float
            Frames per second, above 0 and at most 50.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, or there is no frame.
        ImportError
            If matplotlib is not installed.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0.0], [1.0]], [[1.0], [2.0]]
        >>> net, film = bp.Network([1, 8, 1], rng=0), bp.Animation(X, y)
        >>> history = net.fit(X, y, epochs=5, callbacks=[film], progress=False)
        >>> film.save("fit.html")  # doctest: +SKIP
        """
        suffix = suffix_of(path)
        fps = checks.number("fps", fps, above=0.0, most=50.0)
        replaceable(path)
        if self.scene is None:
            raise ValueError("save needs at least one frame; got none")
        if suffix == ".gif":
            content = gif(self.scene, self.frames, fps)
        else:
            content = html_page(self.scene, self.frames, fps).encode()
        write_whole(path, [content])

    def _repr_html_(self) -> str:
        if self.scene is None or importlib.util.find_spec("matplotlib") is None:
            return f"<pre>{html.escape(repr(self))}</pre>"
        page = html.escape(html_page(self.scene, self.frames, 8))
        style = "width: 100%; max-width: 660px; height: 680px; border: 0"
        return (
            f'<iframe srcdoc="{page}" sandbox="allow-scripts" style="{style}" '
            'title="Animation"></iframe>'
        )
