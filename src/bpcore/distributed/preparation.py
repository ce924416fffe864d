"""The arguments of a fit on several processes, checked before anything changes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from bpcore import arrays, checks
from bpcore.batches.batch import Batch
from bpcore.batches.weights import Weights
from bpcore.distributed.agreement import agree, facts
from bpcore.distributed.resuming import ReadResumed, resumed_fit
from bpcore.distributed.shards import Shards
from bpcore.distributed.sources import Rows, Source, source_of
from bpcore.distributed.team import Team, common
from bpcore.distributed.weights import weighted
from bpcore.losses import CustomLoss
from bpcore.optimizers import LBFGS
from bpcore.quoting import quoted
from bpcore.training.arguments import (
    BATCH_SIZE,
    Arguments,
    checked_arguments,
)
from bpcore.training.inputs import checked_batch, checked_class_weights
from bpcore.training.learner import Learner
from bpcore.training.options import complete_options
from bpcore.training.position import Resumed, checksum

#: Options of ``Network.fit`` that have no meaning here, with their only value.
ABSENT = {
    "accumulate": (1, "one step takes a mini-batch of every shard"),
    "steps_per_epoch": (None, "an epoch is a pass over all shards"),
    "batch_callbacks": ((), "callbacks are called between epochs"),
    "gradient": ("backpropagation", "differences are for small networks"),
}

#: Options that all processes must have in common.
COMMON = (
    *("epochs", "batch_size", "shuffle", "monitor", "mode", "patience", "min_delta"),
    *("restore_best", "class_weight", "metrics"),
)


class Prepared(NamedTuple):
    """What a `ShardedFit` needs."""

    given: Arguments
    data: Shards
    resumed: Resumed | None


def prepare(
    team: Team,
    learner: Learner,
    network: object,
    X: Any,
    y: Any,
    shards: Any,
    options: Mapping[str, Any],
    read_resumed: ReadResumed,
) -> Prepared:
    """Check and load everything; the same errors are raised in all processes."""
    count, given = team.together(partial(_settings, team, learner, shards, options))
    agree(team, facts(learner, _to_compare(count, given)))
    loaded = team.together(partial(_load, team, learner, network, X, y, count, given))
    try:
        data, args = _joined(team, learner, loaded)
    except (ValueError, TypeError) as error:  # from numbers that all have
        raise common(error) from None
    resumed = None
    if given["resume"] is not None:
        resumed = resumed_fit(team, learner, given["resume"], args, read_resumed)
    return Prepared(args, data, resumed)


def _settings(
    team: Team, learner: Learner, shards: Any, options: Mapping[str, Any]
) -> tuple[int, dict[str, Any]]:
    """The number of shards and all options, checked as far as no data are needed."""
    count = checks.integer("shards", shards, 1)
    if count % team.size:
        raise ValueError(
            f"shards must be a multiple of the {team.size} processes; got {count}"
        )
    given = complete_options("bpcore.distributed.fit", options)
    for name, (only, why) in ABSENT.items():
        value = given[name]
        if name == "batch_callbacks":
            value = tuple(value)
        if value != only:
            raise ValueError(
                f"{name} cannot be given to bpcore.distributed.fit: {why}; got "
                f"{quoted(given[name])}"
            )
    learner.require_derivatives()
    if isinstance(learner.state.optimizer, LBFGS):
        raise ValueError(
            "optimizer must make steps from mini-batches on several processes; got "
            "LBFGS"
        )
    if not arrays.all_finite(learner.state.parameters):
        raise ValueError("the network's parameters must be finite before training")
    return count, given


def _to_compare(count: int, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that must be the same in all processes."""
    found = {"shards": count, **{name: given[name] for name in COMMON}}
    metrics = given["metrics"]
    if metrics is not None and not isinstance(metrics, str):
        each = metrics if isinstance(metrics, tuple | list) else [metrics]
        found["metrics"] = [getattr(one, "__qualname__", one) for one in each]
    validation = given["validation"]
    if isinstance(validation, tuple | list):
        validation = "data"
    found["validation"] = validation
    found["resume"] = given["resume"] is not None
    return found


class Checked(NamedTuple):
    """The own shards, and the arguments as far as one process can check them."""

    own: dict[int, Batch]
    args: Arguments
    class_weights: Weights | None
    batch_size: int | None
    common: str


def _load(
    team: Team,
    learner: Learner,
    network: object,
    X: Any,
    y: Any,
    count: int,
    given: dict[str, Any],
) -> Checked:
    """The shards of this process, checked, and its arguments."""
    numbers = range(
        count * team.rank // team.size, count * (team.rank + 1) // team.size
    )
    source, validation, targets = source_of(learner, X, y, given, numbers)
    own = _own_shards(learner, source, numbers, count)
    class_weight = given["class_weight"]
    if isinstance(class_weight, str) and targets is None:
        raise ValueError(
            f"class_weight={class_weight!r} needs all labels, which neither a function "
            "nor an iterable of shards gives: give the weights"
        )
    first = own[numbers[0]]
    class_weights = checked_class_weights(
        learner, class_weight, first.y if targets is None else targets
    )
    wanted = {
        name: given[name]
        for name in ("epochs", "shuffle", "metrics", "monitor", "mode", "patience")
    }
    full = learner.state.optimizer.full_batch
    batch_size = given["batch_size"]
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, 1)
        if full or (batch_size == 1 and learner.design.joins_last):
            raise ValueError(
                "batch_size must be "
                f"{'None for this optimizer' if full else 'at least 2 for batch norm'};"
                f" got {batch_size}"
            )
    args = checked_arguments(
        learner,
        network,
        first.X,
        first.y,
        wanted
        | {
            "min_delta": given["min_delta"],
            "restore_best": given["restore_best"],
            "validation": validation,
            "callbacks": given["callbacks"] if team.rank == 0 else (),
            "progress": given["progress"] and team.rank == 0,
        },
        whole=False,
    )
    if args.measured is not None and args.held_back is None:
        raise ValueError(
            "metrics need validation data on several processes; got "
            f"validation={quoted(given['validation'])}"
        )
    held_back = args.held_back
    if held_back is not None:
        held_back = held_back.times(class_weights, learner.design, "validation ")
    loss = learner.design.loss
    for batch in own.values():
        if isinstance(loss, CustomLoss) and batch.weight is not None:
            two = [int(batch.weight.argmin()), int(batch.weight.argmax())]
            outputs, of_two = learner.outputs(batch.X[two]), batch.weight[two]
            loss.weighted(outputs, batch.y[two], of_two, 1.0)
    size = None if full else batch_size or BATCH_SIZE
    args = args._replace(held_back=held_back)
    return Checked(own, args, class_weights, size, source.common)


def _own_shards(
    learner: Learner, source: Source, own: range, count: int
) -> dict[int, Batch]:
    """The shards of this process, converted one after the other."""
    shards = {k: _shard(learner, k, source.rows(k, count)) for k in own}
    for k, (batch, before) in shards.items():
        if checksum(batch) != before:
            raise ValueError(
                f"shard {k} has changed while others were loaded: X must give each "
                "shard in arrays of its own"
            )
    return {k: batch for k, (batch, _) in shards.items()}


def _shard(learner: Learner, k: int, rows: Rows) -> tuple[Batch, int]:
    """A shard, checked, and its checksum.

    A function, so that the arrays as they were given are free before the next come.
    """
    batch = checked_batch(learner, *rows, f"shard {k}: ", some=False)
    if learner.design.joins_last and len(batch) == 1:
        raise ValueError(f"shard {k} must have at least 2 rows for batch norm; got 1")
    return batch, checksum(batch)


def _joined(team: Team, learner: Learner, loaded: Checked) -> tuple[Shards, Arguments]:
    """The shards with their final weights, and the arguments that need all sizes."""
    args = loaded.args
    of_each = team.all_gather(
        (
            {k: (len(batch), checksum(batch)) for k, batch in loaded.own.items()},
            bool(args.callbacks),
            checksum(args.held_back),
            loaded.common,
        )
    )
    rows: dict[int, tuple[int, int]] = {}
    for found, *_ in of_each:
        rows |= found
    sizes = tuple(rows[k][0] for k in sorted(rows))
    _require_same_rows([common for *_, common in of_each])
    if len({held for _, _, held, _ in of_each}) > 1:
        raise ValueError("all processes must have the same validation data")
    own = weighted(team, loaded.own, learner.design, loaded.class_weights)
    size = max(sizes) if loaded.batch_size is None else loaded.batch_size
    if size == 1 and learner.design.joins_last:
        raise ValueError("every shard must have at least 2 rows for batch norm")
    sums = [rows[k][1] for k in sorted(rows)] + [of_each[0][2]]
    text = np.array(sums, np.int64)[:, None]
    of_shards = {
        "rows": sum(sizes),
        "accumulate": f"{len(sizes)} shards",
        "checksum of the data": checksum(Batch(text, text)),
    }
    callbacks = args.callbacks
    if of_each[0][1] and team.rank:
        callbacks = (_elsewhere,)
    held_back, measured = args.held_back, args.measured
    if team.rank and held_back is not None:  # process 0 measures them
        held_back = held_back.rows(slice(0, 1)).copy()
        measured = None if measured is None else held_back
    data = Shards(sizes, own)
    args = args._replace(
        data=data,  # type: ignore[arg-type]
        batch_size=min(size, max(sizes)),
        callbacks=callbacks,
        held_back=held_back,
        measured=measured,
        of_shards=of_shards,
    )
    return data, args


def _require_same_rows(found: list[str]) -> None:
    """Raise unless the processes that gave arrays have the same ones."""
    given = {text: rank for rank, text in reversed([*enumerate(found)]) if text}
    if len(given) > 1:
        (one, rank), (other, other_rank) = sorted(given.items(), key=itemgetter(1))[:2]
        raise ValueError(
            f"all processes must have the same X: process {rank} has {one}, process "
            f"{other_rank} {other}; to give each process only its own shards, give a "
            "function or an iterable of them"
        )


def _elsewhere(network: object, history: object) -> None:
    """Stands for the callbacks that process 0 calls."""
