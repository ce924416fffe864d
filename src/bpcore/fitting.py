"""The arguments of ``Network.fit``, checked before anything has changed."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays, checks, lbfgs
from bpcore.data import Batch, Stream, is_stream, split
from bpcore.differences import Differences
from bpcore.losses import CustomLoss
from bpcore.metrics import Metric, as_metrics, is_name
from bpcore.optimizers import LBFGS
from bpcore.schedules import ReduceOnPlateau
from bpcore.stopping import Watch
from bpcore.training import BATCH_SIZE, BatchCallback, Callback, Fit
from bpcore.weights import scaled_to_mean_1

if TYPE_CHECKING:
    from bpcore.network import Network


def prepare(
    network: Network,
    X: Any,
    y: Any,
    *,
    epochs: int,
    batch_size: int | None,
    shuffle: bool,
    validation: Any,
    sample_weight: Any,
    class_weight: Any,
    metrics: Any,
    monitor: str | None,
    mode: str,
    patience: int | None,
    min_delta: float,
    restore_best: bool,
    accumulate: int,
    callbacks: Iterable[Callback],
    batch_callbacks: Iterable[BatchCallback],
    steps_per_epoch: int | None,
    progress: bool,
    gradient: str,
    whole: bool = True,
) -> Fit:
    """The arguments of ``Network.fit``, checked before anything has changed.

    `whole` tells whether X and y are all data there are: then the weights are scaled to
    mean 1.
    """
    epochs = checks.integer("epochs", epochs, 1)
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, 1)
    accumulate = checks.integer("accumulate", accumulate, 1)
    shuffle = checks.boolean("shuffle", shuffle)
    restore_best = checks.boolean("restore_best", restore_best)
    show = checks.boolean("progress", progress)
    per_epoch = _callables("callbacks", callbacks)
    per_batch = _callables("batch_callbacks", batch_callbacks)
    checks.one_of("gradient", gradient, ("backpropagation", "numerical"))
    wanted = as_metrics(metrics)
    network._require_derivatives()
    if not arrays.all_finite(network.parameters):
        raise ValueError("the network's parameters must be finite before training")
    data: Batch | Stream
    class_weights = None
    if is_stream(X, y):
        _reject_for_streams(
            network, sample_weight, class_weight, validation, batch_size
        )
        class_weights = network._class_weights(class_weight, np.zeros(0), whole=False)
        data = Stream(X, steps_per_epoch, class_weights)
        held_back = mask = None
    else:
        if steps_per_epoch is not None:
            raise ValueError(
                "steps_per_epoch needs mini-batches from an iterable for X"
            )
        data, held_back, mask = _split(
            network, network._batch(X, y, sample_weight, some=whole), validation
        )
        class_weights = network._class_weights(class_weight, data[1], whole=whole)
        batch_size = _rows_of_a_batch(network, batch_size, len(data[0]))
    held_back = held_back or _validation_data(network, validation)
    validates = held_back is not None
    wanted += _monitored(wanted, monitor, network._reducer)
    watch = Watch(monitor, mode, patience, min_delta, wanted, validates)
    _reject_for_lbfgs(network, per_batch, accumulate)
    if gradient == "numerical":
        _reject_for_differences(network, accumulate)
    measured = None
    if wanted:
        if held_back is not None:
            given = y if mask is not None else validation[1]
            measured = _measured(network, held_back, given, mask)
        elif isinstance(data, Stream):
            raise ValueError(
                "metrics of mini-batches from an iterable need validation data"
            )
        else:
            measured = _measured(network, data, y, None)
        for metric in wanted:
            metric.check(measured[1], network.sizes[-1], network._design.target_kind)
    for callback in per_epoch:
        if callable(check := getattr(callback, "check", None)):
            check(network)
    if not isinstance(data, Stream):
        data = network._with_class_weights(data, class_weights, some=whole)
        if whole and data[2] is not None:
            data = *data[:2], scaled_to_mean_1(data[2])
        _probe(network, data)
    if held_back is not None:
        held_back = network._with_class_weights(held_back, class_weights, "validation ")
    return Fit(
        network,
        data,
        epochs,
        batch_size or BATCH_SIZE,
        shuffle,
        accumulate,
        held_back,
        measured,
        wanted,
        watch,
        network._watch_plateau(wanted, validates),
        restore_best,
        per_epoch,
        per_batch,
        show,
        Differences(network) if gradient == "numerical" else None,
    )


def _probe(network: Network, data: Batch) -> None:
    """Raise if a loss of the user's cannot weigh samples as these are weighed."""
    (X, y, weight), loss = data, network._design.loss
    if isinstance(loss, CustomLoss) and weight is not None and np.ptp(weight):
        two = [int(weight.argmin()), int(weight.argmax())]
        a = network._outputs(X[two])
        loss.weighted(a, y[two], weight[two], 1.0)


def _split(
    network: Network, data: Batch, validation: Any
) -> tuple[Batch, Batch | None, NDArray[np.bool_] | None]:
    """The data, what is held back of them where validation is a share, and its rows."""
    if isinstance(validation, bool) or not isinstance(validation, numbers.Real):
        return data, None, None
    fraction = checks.number("validation", validation, above=0.0, below=1.0)
    rest, held, mask = split(network, data, fraction)
    for _, _, weight in (rest, held):
        if weight is not None and not weight.any():
            raise ValueError(
                f"sample_weight must not be all zero on one side of {validation=}"
            )
    return rest, held, mask


def _measured(
    network: Network, data: Batch, y: Any, mask: NDArray[np.bool_] | None
) -> Batch:
    """The data that metrics are of: with the caller's targets y, of rows of the mask.

    Nothing of the targets is lost to the network's dtype.
    """
    X, targets, weight = data
    return X, network._exact_targets(y, targets, mask), weight


def _monitored(
    metrics: tuple[Metric, ...], monitor: Any, reducer: ReduceOnPlateau | None
) -> tuple[Metric, ...]:
    """The metrics that are only to be watched."""
    more: tuple[Metric, ...] = ()
    for name in (monitor, reducer.monitor if reducer else None):
        if isinstance(name, str) and is_name(name):
            (metric,) = as_metrics(name)
            if metric.name not in [known.name for known in metrics + more]:
                more += (metric,)
    return more


def _rows_of_a_batch(network: Network, batch_size: int | None, n: int) -> int:
    """Rows of every mini-batch but the last."""
    full = network.optimizer.full_batch
    if full and batch_size is not None and batch_size < n:
        raise ValueError(
            f"batch_size must be all {n} rows for {type(network.optimizer).__name__}, "
            f"or None; got {batch_size}"
        )
    size = n if full else min(batch_size or BATCH_SIZE, n)
    if "batch" in network.norms and size == 1:
        raise ValueError(
            "batch_size must leave at least 2 rows in every mini-batch for batch "
            f"norm; {n} rows in mini-batches of {size} leave 1"
        )
    return size


def _reject_for_streams(
    network: Network,
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
            f"got {validation!r}"
        )
    if network.optimizer.full_batch:
        raise ValueError(
            f"{type(network.optimizer).__name__} needs all of the data at once; "
            "got an iterable of mini-batches"
        )


def _reject_for_lbfgs(
    network: Network, per_batch: tuple[BatchCallback, ...], accumulate: int
) -> None:
    if isinstance(network.optimizer, LBFGS):
        lbfgs.minimizer()  # imported before threads begin and anything has changed
        for name, given in (
            ("batch_callbacks", per_batch),
            ("accumulate", accumulate > 1),
        ):
            if given:
                raise ValueError(
                    f"{name} cannot be given with LBFGS, which makes no mini-batches"
                )


def _reject_for_differences(network: Network, accumulate: int) -> None:
    wrong = None
    if isinstance(network.optimizer, LBFGS):
        wrong = "LBFGS, which makes no mini-batches"
    elif accumulate > 1:
        wrong = f"{accumulate=}: every mini-batch makes a step of its own"
    if wrong:
        raise ValueError(f"gradient='numerical' cannot be given with {wrong}")


def _callables(name: str, callbacks: Any) -> tuple[Any, ...]:
    if not isinstance(callbacks, Iterable):
        raise TypeError(f"{name} must be a sequence of callables; got {callbacks!r}")
    checked = tuple(callbacks)
    for callback in checked:
        if not callable(callback):
            raise TypeError(f"{name} must be callables; got {callback!r}")
        if isinstance(callback, type):
            raise TypeError(
                f"{name} must be callables, not classes of them; "
                f"got the class {callback.__name__}"
            )
    return checked


def _validation_data(network: Network, validation: Any) -> Batch | None:
    if validation is None:
        return None
    expected = "validation must be (X, y), (X, y, sample_weight) or a fraction"
    if not isinstance(validation, tuple | list):
        raise TypeError(f"{expected}; got {type(validation).__name__}")
    if len(validation) not in (2, 3):
        raise ValueError(f"{expected}; got {len(validation)} entries")
    X, y, *weight = validation
    return network._batch(X, y, weight[0] if weight else None, "validation ")
