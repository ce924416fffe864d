"""The arguments of ``Network.fit``, checked before anything changes."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays, checks
from bpcore.batches.batch import Batch
from bpcore.batches.split import split
from bpcore.batches.stream import Stream, is_stream
from bpcore.batches.weights import scaled_to_mean_1
from bpcore.losses import CustomLoss
from bpcore.metrics import Metric, as_metrics, is_name
from bpcore.model.state import Quantity
from bpcore.optimizers import LBFGS
from bpcore.quoting import quoted
from bpcore.schedules import ReduceOnPlateau
from bpcore.training import lbfgs
from bpcore.training.differences import Differences
from bpcore.training.inputs import (
    checked_batch,
    checked_class_weights,
    exact_targets,
)
from bpcore.training.learner import Learner
from bpcore.training.options import BatchCallback, Callback, complete_options
from bpcore.training.position import Position, checksum
from bpcore.training.watch import Watch, plateau_watch

#: Default batch size.
BATCH_SIZE = 32


class Arguments(NamedTuple):
    """The arguments of ``Network.fit``, checked and converted.

    Attributes
    ----------
    data : Batch or Stream
    batch_size : int
        Rows of every mini-batch but the last.
    held_back : Batch or None
        Validation data.
    measured : Batch or None
        The data for metrics, with the caller's targets.
    watch : Watch
        Of the quantity for patience and the best epoch.
    plateau : (Quantity, ReduceOnPlateau) or None
        The quantity that the schedule follows, and its settings.
    differences : Differences or None
        The stepper of ``gradient="numerical"``.
    of_shards : mapping
        What `to_compare` has of data in shards, which are no Batch.
    """

    data: Batch | Stream
    epochs: int
    batch_size: int
    shuffle: bool
    accumulate: int
    held_back: Batch | None
    measured: Batch | None
    metrics: tuple[Metric, ...]
    watch: Watch
    plateau: tuple[Quantity, ReduceOnPlateau] | None
    restore_best: bool
    callbacks: tuple[Callback, ...]
    batch_callbacks: tuple[BatchCallback, ...]
    progress: bool
    differences: Differences | None
    of_shards: Mapping[str, Any] = MappingProxyType({})

    @property
    def to_compare(self) -> dict[str, Any]:
        """The arguments that must be the same in a fit that goes on with this one."""
        streams = isinstance(self.data, Stream)
        data = [self.data] if isinstance(self.data, Batch) else []
        return {
            "rows": len(self.data) if isinstance(self.data, Batch) else None,
            "batch_size": None if streams else self.batch_size,
            "shuffle": self.shuffle,
            "accumulate": self.accumulate,
            "validation": self.held_back is not None,
            "metrics": [metric.name for metric in self.metrics],
            "monitor": self.watch.monitor,
            "mode": self.watch.mode,
            "min_delta": self.watch.min_delta,
            "restore_best": self.restore_best,
            "gradient": "numerical" if self.differences else "backpropagation",
            "checksum of the data": checksum(*data, self.held_back),
        } | dict(self.of_shards)


def require_same(position: Position, given: Arguments) -> None:
    """Raise unless a fit with these arguments can go on from a position."""
    for name, value in given.to_compare.items():
        if position.settings[name] == value:
            continue
        if name.startswith("checksum"):
            raise ValueError(
                "resume needs the same data as in the fit of the file; X, y, weights "
                "or the validation data differ"
            )
        raise ValueError(
            f"resume needs the same {name} as in the fit of the file, "
            f"{position.settings[name]!r}; got {quoted(value)}"
        )
    if given.epochs < len(position.history):
        raise ValueError(
            f"epochs must be at least {len(position.history)}, those of the fit of the "
            f"file; got {given.epochs}"
        )
    within = position.within is not None
    if within and isinstance(given.data, Stream) and given.data.is_iterator:
        raise ValueError(
            "resume within an epoch needs arrays, or an iterable that can be begun "
            "again; got an iterator"
        )


def checked_arguments(
    learner: Learner,
    network: object,
    X: Any,
    y: Any,
    given: Mapping[str, Any],
    whole: bool,
) -> Arguments:
    """Check the data and options of ``Network.fit``; nothing is changed.

    `network` is the argument of the callbacks' method ``check``.  If X and y are the
    `whole` data, the weights are scaled to mean 1.
    """
    options = complete_options("Network.fit", given)
    if options["resume"] is not None:
        raise ValueError("resume can be given to Network.fit only")
    validation, class_weight = options["validation"], options["class_weight"]
    sample_weight, batch_size = options["sample_weight"], options["batch_size"]
    epochs = checks.integer("epochs", options["epochs"], 1)
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, 1)
    accumulate = checks.integer("accumulate", options["accumulate"], 1)
    shuffle = checks.boolean("shuffle", options["shuffle"])
    restore_best = checks.boolean("restore_best", options["restore_best"])
    progress = checks.boolean("progress", options["progress"])
    per_epoch = _callables("callbacks", options["callbacks"])
    per_batch = _callables("batch_callbacks", options["batch_callbacks"])
    ways = "backpropagation", "numerical"
    state, reducer = learner.state, learner.reducer
    numerical = checks.one_of("gradient", options["gradient"], ways) == "numerical"
    wanted = as_metrics(options["metrics"])
    learner.require_derivatives()
    with learner.engine:  # another thread may write into them
        finite = arrays.all_finite(state.parameters)
    if not finite:
        raise ValueError("the network's parameters must be finite before training")
    data: Batch | Stream
    class_weights = None
    steps_per_epoch = options["steps_per_epoch"]
    if is_stream(X, y):
        _reject_for_streams(
            learner, sample_weight, class_weight, validation, batch_size
        )
        class_weights = checked_class_weights(
            learner, class_weight, np.zeros(0), whole=False
        )
        data = Stream(X, steps_per_epoch, class_weights)
        held_back = mask = None
    else:
        if steps_per_epoch is not None:
            raise ValueError(
                "steps_per_epoch needs mini-batches from an iterable for X"
            )
        data, held_back, mask = _split(
            learner, checked_batch(learner, X, y, sample_weight, some=whole), validation
        )
        class_weights = checked_class_weights(
            learner, class_weight, data.y, whole=whole
        )
        batch_size = _rows_of_a_batch(learner, batch_size, len(data))
    held_back = held_back or _validation_data(learner, validation)
    validates = held_back is not None
    monitor = options["monitor"]
    wanted += _monitored(wanted, monitor, reducer)
    watch = Watch(
        monitor,
        options["mode"],
        options["patience"],
        options["min_delta"],
        wanted,
        validates,
    )
    _reject_for_lbfgs(learner, per_batch, accumulate)
    if numerical:
        _reject_for_differences(learner, accumulate)
    measured = None
    if wanted:
        if held_back is not None:
            given_y = y if mask is not None else validation[1]
            measured = _measured(learner, held_back, given_y, mask)
        elif isinstance(data, Stream):
            raise ValueError(
                "metrics of mini-batches from an iterable need validation data"
            )
        else:
            measured = _measured(learner, data, y, None)
        for metric in wanted:
            metric.check(
                measured.y, learner.design.sizes[-1], learner.design.target_kind
            )
    for callback in (*per_epoch, *per_batch):
        if callable(check := getattr(callback, "check", None)):
            check(network)
    if not isinstance(data, Stream):
        data = data.times(class_weights, learner.design, some=whole)
        if whole and data.weight is not None:
            data = Batch(data.X, data.y, scaled_to_mean_1(data.weight))
        _probe(learner, data)
    if held_back is not None:
        held_back = held_back.times(class_weights, learner.design, "validation ")
    return Arguments(
        data,
        epochs,
        batch_size or BATCH_SIZE,
        shuffle,
        accumulate,
        held_back,
        measured,
        wanted,
        watch,
        plateau_watch(reducer, wanted, validates),
        restore_best,
        per_epoch,
        per_batch,
        progress,
        Differences(learner) if numerical else None,
    )


def _probe(learner: Learner, data: Batch) -> None:
    """Raise if a custom loss cannot use these weights; it is called with two rows."""
    weight, loss = data.weight, learner.design.loss
    if isinstance(loss, CustomLoss) and weight is not None and np.ptp(weight):
        two = [int(weight.argmin()), int(weight.argmax())]
        loss.weighted(learner.outputs(data.X[two]), data.y[two], weight[two], 1.0)


def _split(
    learner: Learner, data: Batch, validation: Any
) -> tuple[Batch, Batch | None, NDArray[np.bool_] | None]:
    """The training data; for a float also the held-back data and their mask."""
    if (
        validation is None
        or isinstance(validation, bool)
        or not isinstance(validation, numbers.Real)
    ):
        return data, None, None
    fraction = checks.number("validation", validation, above=0.0, below=1.0)
    shuffle = learner.engine.shuffle
    rest, held, mask = split(data, fraction, learner.design, shuffle)
    for part in (rest, held):
        if not part.weighs:
            raise ValueError(
                f"sample_weight must not be all zero on one side of {validation=}"
            )
    return rest, held, mask


def _measured(
    learner: Learner, data: Batch, y: Any, mask: NDArray[np.bool_] | None
) -> Batch:
    """The data for metrics, with the caller's targets y, not rounded to the dtype.

    Of y the rows of the mask are taken.
    """
    return Batch(data.X, exact_targets(learner, y, data.y, mask), data.weight)


def _monitored(
    metrics: tuple[Metric, ...], monitor: Any, reducer: ReduceOnPlateau | None
) -> tuple[Metric, ...]:
    """The metrics that are only monitored."""
    more: tuple[Metric, ...] = ()
    for name in (monitor, reducer.monitor if reducer else None):
        if isinstance(name, str) and is_name(name):
            (metric,) = as_metrics(name)
            if metric.name not in [known.name for known in metrics + more]:
                more += (metric,)
    return more


def _rows_of_a_batch(learner: Learner, batch_size: int | None, n: int) -> int:
    """Rows of every mini-batch but the last."""
    full = learner.state.optimizer.full_batch
    if full and batch_size is not None and batch_size < n:
        name = type(learner.state.optimizer).__name__
        raise ValueError(
            f"batch_size must be all {n} rows for {name}, or None; got {batch_size}"
        )
    size = n if full else min(batch_size or BATCH_SIZE, n)
    if "batch" in learner.design.norms and size == 1:
        raise ValueError(
            "batch_size must leave at least 2 rows in every mini-batch for batch "
            f"norm; {n} rows in mini-batches of {size} leave 1"
        )
    return size


def _reject_for_streams(
    learner: Learner,
    sample_weight: Any,
    class_weight: Any,
    validation: Any,
    batch_size: int | None,
) -> None:
    if isinstance(class_weight, str) and class_weight == "balanced":
        raise ValueError(
            "class_weight cannot be given with mini-batches from an iterable as "
            "'balanced', which needs the labels of all data: give the weights"
        )
    for name, value in (
        ("sample_weight", sample_weight),
        ("batch_size", batch_size),
    ):
        if value is not None:
            raise ValueError(
                f"{name} cannot be given with mini-batches from an iterable, which "
                "bring their own"
            )
    if isinstance(validation, numbers.Real):
        raise ValueError(
            "validation must be (X, y) with mini-batches from an iterable; "
            f"got {quoted(validation)}"
        )
    if learner.state.optimizer.full_batch:
        raise ValueError(
            f"{type(learner.state.optimizer).__name__} needs all of the data at once; "
            "got an iterable of mini-batches"
        )


def _reject_for_lbfgs(
    learner: Learner, per_batch: tuple[BatchCallback, ...], accumulate: int
) -> None:
    if isinstance(learner.state.optimizer, LBFGS):
        lbfgs.minimizer()  # imported before threads begin and anything has changed
        for name, given in (
            ("batch_callbacks", per_batch),
            ("accumulate", accumulate > 1),
        ):
            if given:
                raise ValueError(
                    f"{name} cannot be given with LBFGS, which makes no mini-batches"
                )


def _reject_for_differences(learner: Learner, accumulate: int) -> None:
    wrong = None
    if isinstance(learner.state.optimizer, LBFGS):
        wrong = "LBFGS, which makes no mini-batches"
    elif accumulate > 1:
        wrong = f"{accumulate=}: every mini-batch makes a step of its own"
    if wrong:
        raise ValueError(f"gradient='numerical' cannot be given with {wrong}")


def _callables(name: str, callbacks: Any) -> tuple[Any, ...]:
    if not np.iterable(callbacks):
        raise TypeError(
            f"{name} must be a sequence of callables; got {quoted(callbacks)}"
        )
    checked = tuple(callbacks)
    for callback in checked:
        if not callable(callback):
            raise TypeError(f"{name} must be callables; got {quoted(callback)}")
        if isinstance(callback, type):
            raise TypeError(
                f"{name} must be callables, not classes of them; "
                f"got the class {callback.__name__}"
            )
    return checked


def _validation_data(learner: Learner, validation: Any) -> Batch | None:
    if validation is None:
        return None
    expected = "validation must be (X, y), (X, y, sample_weight) or a fraction"
    if not isinstance(validation, tuple | list):
        raise TypeError(f"{expected}; got {type(validation).__name__}")
    if len(validation) not in (2, 3):
        raise ValueError(f"{expected}; got {len(validation)} entries")
    X, y, *weight = validation
    return checked_batch(learner, X, y, weight[0] if weight else None, "validation ")
