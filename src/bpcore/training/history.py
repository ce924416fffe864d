"""History: the losses and metrics of each epoch, as arrays, a table or a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.errstate import own_errstate
from bpcore.metrics import ALIASES
from bpcore.model.reader import Reader, own_floats
from bpcore.quoting import cut, joined, quoted
from bpcore.show.html import page, paragraph, table
from bpcore.show.table import ROWS, Rows, columns, shortened
from bpcore.training.record import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Why training may have ended.
REASONS = ("epochs", "patience", "callback", "data", "converged", "error")

#: Most characters of a name in a table or a picture.
CELL = 32

#: Attributes that every history has, besides its columns.
OF_ALL = ("stopped", "best_epoch", "restored")


class History:
    """The losses and metrics of each epoch of a fit.

    ``history["accuracy"]`` is a column by its name, ``print(history)`` a table,
    ``history.plot()`` a picture.

    Attributes
    ----------
    loss : array (epochs,)
        Mean over the epoch of the loss before each step.
    validation_loss : array (epochs,), empty without validation data
        Mean loss of the validation data after each epoch.
    metrics : dict of str to array (epochs,)
        Each metric after each epoch: of the validation data where there are some, else
        of the training data.
    lr : array (epochs,)
        Learning rate of the last step of each epoch.
    seconds : array (epochs,)
        Wall time of each epoch, shuffling included, validation and metrics not.
    stopped : str
        Why training ended: "epochs", "patience", "callback", "data" (an iterator
        ended), "converged" (LBFGS), or "error" (any exception or interrupt; this
        History is then ``Network.history``).
    best_epoch : int
        The epoch, from 1 on, with the best value of the monitored quantity; 0 if none.
    restored : int or None
        With ``restore_best`` the epoch that was restored, equal to `best_epoch`; 0 is
        the network before the fit.  None if no epoch was restored: without
        ``restore_best``, or if all values were NaN.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
    >>> history = net.fit([[1.0]], [[2.0]], epochs=2, metrics="mae", progress=False)
    >>> history.loss, history["mae"]
    (array([2., 0.]), array([0., 0.]))
    """

    def __init__(self, record: Record | None = None) -> None:
        self._record = Record() if record is None else record
        self.stopped = "epochs"
        self.best_epoch = 0
        self.restored: int | None = None

    def __getstate__(self) -> dict[str, Any]:
        """The columns as arrays, and all other attributes."""
        others = {
            name: value for name, value in vars(self).items() if name != "_record"
        }
        return {"columns": self.to_dict(), **others}

    def __setstate__(self, stored: Mapping[str, Any]) -> None:
        read = Reader(stored, "stored History")
        own = (read.item(name) for name in ("columns", *OF_ALL))
        self.__dict__ = read.left | vars(history_of(*own))

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        names = self._record.names
        name = name if name in names else ALIASES.get(name, name)
        if name not in names:
            raise KeyError(f"{quoted(name)}; there are {joined(names)}")
        return self._column(name)

    def __getattr__(self, name: str) -> Any:
        hint = ""
        if "_record" in vars(self):  # not while it is unpickled
            known = ALIASES.get(name, name)
            if known in self._record.names:
                hint = f"; that column is history[{quoted(known)}]"
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {quoted(name)}{hint}",
            name=name,
            obj=self,
        )

    def _column(self, name: str) -> NDArray[np.float64]:
        return self._record.column(name)

    @property
    def loss(self) -> NDArray[np.float64]:
        """Mean over each epoch of the loss before each step."""
        return self._column("loss")

    @property
    def validation_loss(self) -> NDArray[np.float64]:
        """Mean loss of the validation data after each epoch."""
        return self._column("validation_loss")

    @property
    def lr(self) -> NDArray[np.float64]:
        """Learning rate of the last step of each epoch."""
        return self._column("lr")

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Wall time of each epoch."""
        return self._column("seconds")

    @property
    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """Each metric after each epoch, by its name."""
        others = ("loss", "validation_loss", "lr", "seconds")
        return {
            name: self._column(name)
            for name in self._record.names
            if name not in others
        }

    def __len__(self) -> int:
        return len(self._record)

    def __repr__(self) -> str:
        last = self._record.latest(lambda name: f"last {name.replace('_', ' ')}", 6)
        last = f", {last}" if last else ""
        if self.stopped != "epochs":
            last += f", stopped by {self.stopped}"
        epochs = "1 epoch" if len(self) == 1 else f"{len(self)} epochs"
        return f"<History of {epochs}{last}>"

    def __str__(self) -> str:
        rows, end = self._table()
        if not len(self):
            return ", ".join(["no epoch was finished", *end])
        lines = columns(rows, "")
        return "\n".join([*lines, ", ".join(end)] if end else lines)

    def _repr_html_(self) -> str:
        (head, *rows), end = self._table()
        if not len(self):
            return page(paragraph(str(self)))
        return page(table(head, rows), *([paragraph(", ".join(end))] if end else []))

    def _table(self) -> tuple[Rows, list[str]]:
        """The table with its head, if large in short, and what is said below it."""
        head, columns = ["epoch", *self._record.names], [*self.to_dict().values()]

        def cell(epoch: int, k: int) -> str:
            if k == 0:
                return f"{epoch + 1}"
            return f"{columns[k - 1][epoch]:{'.3g' if head[k] == 'seconds' else '.6g'}}"

        end = [] if self.stopped == "epochs" else [f"stopped by {self.stopped}"]
        if self.restored is not None:
            where = ": as before the fit" if self.restored == 0 else ""
            end.append(f"restored to best epoch {self.restored}{where}")
        elif self.best_epoch and end:
            end.append(f"best epoch {self.best_epoch}")
        (names, *rows) = shortened(head, len(self), cell)
        return [[cut(name, CELL) for name in names], *rows], end

    def to_dict(self) -> dict[str, NDArray[np.float64]]:
        """Every column by its name: ``pandas.DataFrame(history.to_dict())``.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], rng=0)
        >>> list(net.fit([[1.0]], [[2.0]], epochs=1, progress=False).to_dict())
        ['loss', 'lr', 'seconds']
        """
        return {name: self._column(name) for name in self._record.names}

    @own_errstate
    def plot(self, axes: Axes | None = None) -> Any:
        """Draw the losses, and below them metrics, and the learning rate if it varies.

        Parameters
        ----------
        axes : matplotlib Axes, optional
            Axes for the losses alone; a new figure by default.

        Returns
        -------
        matplotlib Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If axes are not Axes with a plain x and y.

        Examples
        --------
        >>> import bpcore as bp
        >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
        >>> net = bp.Network([2, 8, 1], activation="tanh", output="sigmoid", rng=0)
        >>> history = net.fit(X, y, epochs=50, progress=False)
        >>> history.plot().savefig("history.png")  # doctest: +SKIP
        """
        from bpcore.show.figure import (
            new_figure,
            require_axes,
            use_log_scale,
            use_whole_numbers,
        )

        metrics = {} if axes is not None else self.metrics
        if axes is None and len(set(self.lr.tolist())) > 1:
            metrics["learning rate"] = self.lr
        if axes is None:
            figure = new_figure(7, 3.2 + 2.2 * len(metrics))
            panels = figure.subplots(1 + len(metrics), 1, sharex=True, squeeze=False)
            axes = panels[0, 0]
            below = list(panels[1:, 0])
        else:
            require_axes(axes)
            figure, below = axes.figure, []  # type: ignore[assignment]
        epochs = np.arange(1, len(self) + 1)
        marker = "o" if len(self) <= ROWS else ""
        axes.plot(epochs, self.loss, marker=marker, ms=3, label="training")
        if self.validation_loss.size:
            axes.plot(
                epochs, self.validation_loss, marker=marker, ms=3, label="validation"
            )
        losses = np.concatenate([self.loss, self.validation_loss])
        if losses.size and losses.min() > 0:
            use_log_scale(axes, losses)
        axes.set_ylabel("loss")
        for panel, (name, values) in zip(below, metrics.items(), strict=True):
            panel.plot(epochs, values, marker=marker, ms=3, color="tab:green")
            panel.set_ylabel(cut(name, CELL))
        last = below[-1] if below else axes
        last.set_xlabel("epoch")
        use_whole_numbers(last.xaxis)
        last.set_xlim(0.5, max(len(self), 1) + 0.5)
        for panel in [axes, *below]:
            panel.grid(alpha=0.3)
            panel.spines[["top", "right"]].set_visible(False)
            if self.best_epoch and self.best_epoch < len(self):
                panel.axvline(self.best_epoch, color="grey", lw=1, ls=":", label="best")
        axes.legend(frameon=False)
        return figure


def history_of(
    columns: Mapping[str, Any], stopped: Any, best_epoch: Any, restored: Any
) -> History:
    """The history of stored columns and attributes, everything checked.

    Raises
    ------
    ValueError, TypeError
        If the columns are not float64 of one length, "loss" among them, or an
        attribute is not as described.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.training.history import history_of
    >>> history_of({"loss": np.array([2.0, 1.0])}, "epochs", 0, None)
    <History of 2 epochs, last loss 1>
    """
    checks.instance("columns", columns, Mapping)
    if "loss" not in columns:
        raise ValueError("the columns of history must have 'loss'; it is missing")
    length = len(own_floats("loss", columns["loss"], (None,)))
    found: dict[str, list[float]] = {}
    for name, column in columns.items():
        checks.instance("the name of a column", name, str)
        numbers = own_floats(name, column, (length,), np.dtype(np.float64))
        found[name] = numbers.tolist()
    history = History(Record.of(found))
    history.stopped = checks.one_of("stopped", stopped, REASONS)
    history.best_epoch = _epoch("best_epoch", best_epoch, length)
    if restored is not None:
        history.restored = _epoch("restored", restored, length)
    return history


def _epoch(name: str, value: Any, epochs: int) -> int:
    """The number of an epoch, 0 for none."""
    epoch = checks.integer(name, value, 0)
    if epoch > epochs:
        raise ValueError(
            f"{name} must be at most {epochs}, the last epoch; got {epoch}"
        )
    return epoch
