"""Checkpoint: a callback that saves a network while it is trained."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from bpcore import checks
from bpcore.files.native.fit_file import stored_position
from bpcore.files.native.model_file import require_native_suffix
from bpcore.files.whole import Path, replaceable, write_whole
from bpcore.network import Network, learner_of, write
from bpcore.quoting import quoted

#: Bytes that are copied at a time.
PIECE = 1 << 20


class Checkpoint:
    """A callback of `Network.fit` that saves the network, and how far the fit is.

    ``fit(resume=path)`` goes on from the file with the same bits as a fit that was
    never stopped.  Given in ``callbacks`` it saves after epochs, in ``batch_callbacks``
    after mini-batches.  Each file replaces the one before whole; a crash leaves the old
    file or the new one.  `bpcore.load` reads the network from it.

    Parameters
    ----------
    path : path
    every : int
        Epochs, or mini-batches, from one file to the next.
    keep : int
        Files to keep: that of `path` is the newest, those before it have ``.1``,
        ``.2``, ... before the suffix.
    best : bool
        Whether to keep the network after the best epoch too, in a file with ``.best``
        before the suffix: the epoch with the best value of the monitored quantity, as
        in ``History.best_epoch``.  In ``callbacks`` only.
    sync : bool
        Whether to wait each time until the disk has the file.

    Notes
    -----
    Put it after other callbacks, so that the file has what they change.  With
    `accumulate`, a file is due after the next step.

    Examples
    --------
    >>> import os, tempfile
    >>> import bpcore as bp
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> def new():
    ...     return bp.Network([1, 8, 1], optimizer=bp.Adam(0.01), rng=0)
    >>> whole = new()
    >>> history = whole.fit(X, y, epochs=20, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.bpc")
    ...     saving = [bp.Checkpoint(path)]
    ...     history = new().fit(X, y, epochs=7, callbacks=saving, progress=False)
    ...     other = new()
    ...     history = other.fit(X, y, epochs=20, resume=path, progress=False)
    >>> len(history), bool((other.parameters == whole.parameters).all())
    (20, True)
    """

    def __init__(
        self,
        path: Path,
        *,
        every: int = 1,
        keep: int = 1,
        best: bool = False,
        sync: bool = True,
    ) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            raise TypeError(f"path must be a path; got {quoted(path)}")
        self.path = os.fsdecode(path)
        require_native_suffix(path)
        self.every = checks.integer("every", every, 1)
        self.keep = checks.integer("keep", keep, 1)
        self.best = checks.boolean("best", best)
        self.sync = checks.boolean("sync", sync)
        self._since = 0

    def __repr__(self) -> str:
        shown = [f"every={self.every}", f"keep={self.keep}", f"best={self.best}"]
        return f"Checkpoint({self.path!r}, {', '.join(shown)})"

    def check(self, network: Any) -> None:
        """Count anew before a fit; raise unless the network can be saved."""
        checks.instance("the network of a Checkpoint", network, Network)
        for path in (self.path, *[self._named("best")] * self.best):
            replaceable(path)
        self._since = 0

    def __call__(self, network: Network, *progress: Any) -> None:
        """Save the network if a file is due."""
        with learner_of(network).engine.reading():  # no step of another thread
            self._save(network, *progress)

    def _save(self, network: Network, *progress: Any) -> None:
        learner, self._since = learner_of(network), self._since + 1
        running = learner.running
        waits = running is not None and running.waits_for_step
        if self._since >= self.every and not waits:
            self._since = 0
            replaceable(self.path)  # nothing else is renamed
            self._make_room()
            position = None if running is None else running.position()
            fit = position and stored_position(position, learner.design)
            write(network, self.path, fit, sync=self.sync)
        if self.best and len(progress) == 1 and _is_best(progress[0]):
            write(network, self._named("best"), sync=self.sync)

    def _make_room(self) -> None:
        """Rename the files before, the oldest first; a crash loses none."""
        names = [self.path]
        while len(names) < self.keep and os.path.exists(names[-1]):
            names.append(self._named(str(len(names))))
        for older, newer in zip(names[:0:-1], names[-2::-1], strict=True):
            if newer == self.path:
                self._link(newer, older)
            else:
                os.replace(newer, older)

    def _link(self, newer: str, older: str) -> None:
        """Give a file a second name, so that the first is there at any time."""
        if os.path.lexists(older):
            os.unlink(older)
        try:
            os.link(os.path.realpath(newer), older)
        except OSError:  # a file system without links, or a link to another one
            if os.path.islink(newer):
                with open(newer, "rb") as file:
                    write_whole(older, iter(partial(file.read, PIECE), b""))
            else:
                os.replace(newer, older)

    def _named(self, what: str) -> str:
        """The path with a word before its suffix."""
        root, suffix = os.path.splitext(self.path)
        return f"{root}.{what}{suffix}"


def _is_best(history: Any) -> bool:
    """Whether the last epoch is the best one so far."""
    return bool(len(history)) and history.best_epoch == len(history)
