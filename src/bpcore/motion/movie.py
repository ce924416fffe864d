"""animate: train a network, and show the training as a film."""

from __future__ import annotations

import operator
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike

from bpcore import checks
from bpcore.files.whole import Path, replaceable
from bpcore.motion.animation import Animation
from bpcore.motion.files import suffix_of
from bpcore.motion.scene import scene_of
from bpcore.network import Network, learner_of
from bpcore.quoting import quoted
from bpcore.training.inputs import checked_batch
from bpcore.training.options import Options, complete_options, with_options

#: Frames by default, besides the one before the first epoch.
FRAMES = 60


@with_options
def animate(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    path: Path | None = None,
    *,
    every: int | None = None,
    fps: float = 8,
    **options: Unpack[Options],
) -> Animation:
    """Train a network by ``fit``, and show its boundary or its fit in motion.

    It is ``network.fit`` with a `bpcore.Animation` among the callbacks.

    Parameters
    ----------
    network : Network
        Of 1 input and 1 output, or of 2 inputs, and classes.  It is trained.
    X, y
        As for ``Network.fit``, arrays.
    path : path, optional
        A file .gif or .html to write, which is replaced as a whole.
    every : int, optional
        Epochs from one frame to the next; by default so many that there are about 60
        frames.
    fps : float
        Frames per second, above 0 and at most 50.
    **options
        Those of ``Network.fit``: epochs, batch_size, validation, callbacks, ...

    Returns
    -------
    Animation
        What a notebook shows; ``.save(path)`` writes it to another file.

    Raises
    ------
    ValueError, TypeError, OSError, ImportError
        If an argument is not as described, the file cannot be replaced, or matplotlib
        is not installed; nothing has changed.
    DivergenceError
        As `fit`; no file is written.  An `Animation` of your own among the callbacks
        has the frames before.

    Examples
    --------
    >>> import bpcore as bp
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
    >>> bp.animate(net, X, y, epochs=90, progress=False)
    <Animation of 46 frames, epochs 0 to 90>
    >>> bp.animate(net, X, y, "xor.html", epochs=90)  # doctest: +SKIP
    """
    checks.instance("network", network, Network)
    checks.number("fps", fps, above=0.0, most=50.0)
    if path is not None:
        import bpcore.show.figure  # noqa: F401 (raises before training)

        suffix_of(path)
        replaceable(path)
    given: Any = complete_options("animate", options)
    epochs, callbacks = given["epochs"], given["callbacks"]
    if not np.iterable(callbacks):
        raise TypeError(f"callbacks must be iterable; got {quoted(callbacks)}")
    if every is None:
        count = operator.index(epochs) if hasattr(epochs, "__index__") else 1
        every = max(1, -(-count // FRAMES))
    learner = learner_of(network)
    scene_of(learner, checked_batch(learner, X, y, given["sample_weight"]))
    weights = given["sample_weight"], given["class_weight"]
    film = Animation(X, y, *weights, every=every)
    given["callbacks"] = (*callbacks, film)
    network.fit(X, y, **given)
    film.end(network)
    if path is not None:
        film.save(path, fps=fps)
    return film
