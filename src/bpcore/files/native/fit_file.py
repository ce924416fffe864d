"""How far a fit is, as JSON and arrays of a container."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.files.native.container import Container
from bpcore.files.native.history import read_history
from bpcore.files.native.model_file import opened_model, require_keys
from bpcore.files.native.network_file import CONTENT, NETWORK
from bpcore.files.native.networks import (
    FileReader,
    HowToRead,
    Stored,
    read_network,
    state_arrays,
    stored,
)
from bpcore.files.native.settings import as_plain, optimizer_of
from bpcore.files.strict_json import as_json, parse_json
from bpcore.files.whole import Path
from bpcore.losses import CustomLoss
from bpcore.model.design import Design, known_optimizer
from bpcore.model.reader import MOST_STEPS
from bpcore.model.state import State
from bpcore.quoting import quoted
from bpcore.schedules import Custom
from bpcore.training.learner import Learner
from bpcore.training.position import SETTINGS, Position, Resumed, Within

#: The first word of the names of all arrays.
PREFIX = "fit."

#: Whole numbers of a position, and those of an epoch that is not finished.
COUNTS = ("waited", "compared", "taken")
WITHIN = ("rows", "batches")


def stored_position(position: Position, design: Design) -> Stored:
    """How far a fit is, for a file; its history is that of the network."""
    plain: dict[str, Any] = {
        "settings": dict(position.settings),
        "best_epoch": position.best_epoch,
        "best_optimizer": None,
        "optimizer_before": None,
        "within": None,
    } | {name: getattr(position, name) for name in COUNTS}
    numbers = [position.best, position.loss_before]
    arrays: dict[str, NDArray[Any]] = {}
    if position.best_state is not None:
        plain["best_optimizer"] = as_plain(position.best_state.optimizer)
        arrays |= state_arrays(design, position.best_state, f"{PREFIX}best.")
    if position.within is not None and position.state_before is not None:
        plain["within"] = {name: getattr(position.within, name) for name in WITHIN}
        plain["optimizer_before"] = as_plain(position.state_before.optimizer)
        arrays |= state_arrays(design, position.state_before, f"{PREFIX}before.")
        within = position.within
        numbers += [within.total, within.divisor, float(within.lr or 0.0)]
    arrays[f"{PREFIX}numbers"] = np.array(numbers)
    return Stored(plain, arrays)


def read_resumed(path: Path, learner: Learner) -> Resumed:
    """The fit of a file, for a network of the same design.

    Raises
    ------
    OSError, ModelFileError
        If the file cannot be opened or read.
    ValueError
        If it is of another network, or holds no fit.
    """
    with opened_model(path) as (content, file):
        if content.pop("kind") != NETWORK:
            raise ValueError("resume needs the file of a network")
        require_keys("content", content, *CONTENT)
        require_same_design(content["network"], learner)
        if content["fit"] is None:
            raise ValueError(
                "it holds no fit to go on with: bpcore.Checkpoint writes such files, "
                "but not for LBFGS"
            )
        how = HowToRead(loss=_loss_function(learner), lr=_lr_function(learner))
        design, state, _ = read_network(content["network"], file, how)
        own, others = type(learner.state.optimizer), type(state.optimizer)
        if own is not others:
            raise ValueError(
                f"resume needs the same optimizer as in the file, {others.__name__}; "
                f"got {own.__name__}; or begin with bpcore.load(path)"
            )
        position = _position(content, file, design, learner, how)
        file.skip("self_test.")
        return Resumed(position, state)


def require_same_design(plain: Any, learner: Learner) -> None:
    """Raise unless the network of a file has the design of this one."""
    if not isinstance(plain, dict):
        raise ValueError("a network must be an object of its settings")
    network = stored(learner.design, learner.state, learner.dtype, 1)
    own = parse_json(as_json(network.plain).encode())  # as it is in a file
    for name, value in own.items():
        if name in ("optimizer", "n_threads"):
            continue
        if plain.get(name) != value:
            hint = ": give the same rng, or load the network" if name == "seed" else ""
            raise ValueError(
                f"resume needs a network with the same {name} as in the file, "
                f"{quoted(plain.get(name))}; got {quoted(value)}{hint}"
            )


def _position(
    content: dict[str, Any],
    file: Container,
    design: Design,
    learner: Learner,
    how: HowToRead,
) -> Position:
    plain = content["fit"]
    names = ("settings", "best_epoch", "best_optimizer", "optimizer_before", "within")
    require_keys("fit", plain, *names, *COUNTS)
    history = read_history(content["history"], file)
    require_keys("the settings of a fit", plain["settings"], *SETTINGS)
    if history is None:
        raise ValueError("a fit must have a history")
    counts = {name: checks.integer(name, plain[name], 0) for name in COUNTS}
    if max(counts["waited"], counts["compared"]) > len(history):
        raise ValueError("a fit must not count more epochs than its history has")
    if counts["taken"] > MOST_STEPS:
        raise ValueError(f"taken must be at most {MOST_STEPS}; got {counts['taken']}")
    numbers = file.array(f"{PREFIX}numbers")
    within = plain["within"]
    if numbers.shape != (2 if within is None else 5,) or numbers.dtype != np.float64:
        raise ValueError("the numbers of a fit must be 2, or 5 within an epoch")
    best, loss_before, *sums = numbers.tolist()
    total, divisor, lr = sums or (0.0, 0.0, 0.0)
    if np.isnan(numbers).any() or not np.isfinite(sums).all():
        raise ValueError("the numbers of a fit must not be NaN")

    def state_of(optimizer: Any, name: str) -> State | None:
        if optimizer is None:
            return None
        settings = known_optimizer(optimizer_of(optimizer, how.lr))
        prefix = f"{PREFIX}{name}."
        reader = FileReader(file, prefix, design.layout, learner.dtype)
        return State.read(design, learner.dtype, settings, reader)

    best_state = state_of(plain["best_optimizer"], "best")
    before = state_of(plain["optimizer_before"], "before")
    best_epoch = plain["best_epoch"]
    if best_epoch is not None:
        best_epoch = checks.integer("best_epoch", best_epoch, 0)
        if best_epoch > len(history):
            raise ValueError("best_epoch must be an epoch of the history")
    if (best_epoch is None) != (best_state is None) or (within is None) != (
        before is None
    ):
        raise ValueError("the states of a fit must be those of its epochs")
    if within is not None and before is not None:
        require_keys("within", within, *WITHIN)
        rows, batches = (
            checks.integer(name, within[name], 0, below=MOST_STEPS) for name in WITHIN
        )
        bits = np.random.PCG64(0)
        bits.state = before.bits.state
        within = Within(rows, batches, total, divisor, lr, bits)
    return Position(
        settings=plain["settings"],
        history=history,
        best=best,
        loss_before=loss_before,
        within=within,
        best_epoch=best_epoch,
        best_state=best_state,
        state_before=before,
        **counts,
    )


def _loss_function(learner: Learner) -> Callable[..., Any] | None:
    loss = learner.design.loss
    return loss.function if isinstance(loss, CustomLoss) else None


def _lr_function(learner: Learner) -> Callable[..., Any] | None:
    """The Python function in the schedule of the learning rate."""
    schedule: Any = learner.state.optimizer.schedule
    schedule = getattr(schedule, "after", schedule)
    return schedule.f if isinstance(schedule, Custom) else None
