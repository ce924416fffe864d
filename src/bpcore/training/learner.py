"""Learner: the design, the state and the engine of a network, and what they compute."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore import arrays
from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.batches.weights import scaled_to_normal
from bpcore.engine.dispatch import kernels
from bpcore.engine.engine import Engine
from bpcore.engine.memory import aligned_zeros, part
from bpcore.errors import DivergenceError
from bpcore.errstate import own_errstate
from bpcore.losses import CustomLoss
from bpcore.metrics import Metric
from bpcore.model.design import Design
from bpcore.model.gradients import Gradients, Tape, gradients_of
from bpcore.model.layout import Views
from bpcore.model.state import (
    ScheduleState,
    State,
    empty_state,
    optimizer_arrays,
)
from bpcore.optimizers import Optimizer
from bpcore.quoting import listed
from bpcore.schedules import ReduceOnPlateau
from bpcore.training.history import History

#: Rows of the first call of a loss function, before that with all rows.
FEW_ROWS = 256


class Learner:
    """Training steps, losses and predictions, from arguments that have been checked.

    Attributes
    ----------
    design : Design
    dtype : dtype
        float32 or float64.
    engine : Engine
        Trains and runs the state; it holds the state.
    views : Views
        The weights, biases, gains and scale, views of the parameters.
    moments : tuple
        The running mean and variance of each layer, or None.
    history : History or None
        Of the last fit.
    running : Fit or None
        The fit that is running.
    stored_gradients : Gradients or None
        Of the last ``backward()`` through a node of the network.
    stored_at : int
        ``state.seen`` when they were stored.
    """

    def __init__(
        self,
        design: Design,
        state: State,
        new_engine: Callable[[Design, State], Engine],
        n_threads: int,
    ) -> None:
        self.design = design
        self.dtype: np.dtype[Any] = state.parameters.dtype
        self.views = design.layout.views(state.parameters)
        self.moments = design.layout.moments(state.moments)
        self.engine = new_engine(design, state)
        self.engine.use_threads(n_threads)
        self.history: History | None = None
        self.running: Any = None
        self.stored_gradients: Gradients | None = None
        self.stored_at = 0

    def __repr__(self) -> str:
        return f"<Learner of {listed(self.design.sizes)}, {self.dtype.name}>"

    @property
    def state(self) -> State:
        """Everything that training changes."""
        state: State = self.engine.state
        return state

    def lend(self) -> Views:
        """The weights, biases, gains and scale, into which a user may write."""
        views: Views = self.engine.views()
        return views

    # --- settings ---------------------------------------------------------------------

    def use(self, state: State, restore: Callable[[], None] | None = None) -> None:
        """Replace the state by one with the same parameter arrays, or raise.

        `restore` writes into the new state's arrays, once nothing else can fail.
        """
        own = self.state
        if state.parameters is not own.parameters or state.moments is not own.moments:
            raise ValueError("state must be of the same parameters and moments")
        self.engine.use(state, restore=restore)

    def become(self, state: State) -> None:
        """Take over everything from another state, into the parameters' own arrays."""
        self.engine.use(self.with_own_arrays(state), state)

    def with_own_arrays(self, state: State) -> State:
        """A state with the parameters and moments of this learner in place of its own.

        Their numbers stay as they are.
        """
        own = self.state
        return dataclasses.replace(
            state, parameters=own.parameters, moments=own.moments
        )

    @property
    def scheduled(self) -> bool:
        """Whether the learning rate changes from step to step or epoch to epoch."""
        return self.engine.scheduled

    def use_optimizer(self, optimizer: Optimizer) -> None:
        """Replace the optimizer.  Its arrays are kept if they have the same meaning.

        Otherwise its arrays and steps begin anew, and so does the schedule of the
        learning rate if it is another object.
        """
        with self.engine:  # no step of another thread in between
            before = self.state
            same = type(optimizer) is type(before.optimizer)
            same = same and optimizer.states == before.optimizer.states
            kept, schedule = before.optimizer_arrays, before.schedule
            counters = before.counters
            if not same:  # its steps count anew, but not those of a schedule
                kept = optimizer_arrays(optimizer, self.design.layout, self.dtype)
                schedule = schedule._replace(steps=schedule.steps - before.steps)
                counters = counters.copy()
                counters[0] = counters[2:] = 0
            if optimizer.lr is not before.optimizer.lr:
                schedule = ScheduleState.begun(
                    optimizer, int(counters[0]), before.epochs
                )
            self.use(
                dataclasses.replace(
                    before,
                    optimizer=optimizer,
                    optimizer_arrays=kept,
                    counters=counters,
                    schedule=schedule,
                )
            )

    def use_lr_factors(self, factors: Sequence[tuple[float, float]]) -> None:
        """Replace each layer's factors of the learning rate, of W and of b and gain."""
        with self.engine:
            self.use(dataclasses.replace(self.state, lr_factors=tuple(factors)))

    def use_frozen(self, frozen: Sequence[bool]) -> None:
        """Replace the flags of layers that training leaves unchanged."""
        with self.engine:
            self.use(dataclasses.replace(self.state, frozen=tuple(frozen)))

    def accumulate_over(self, mini_batches: int) -> None:
        """Set the mini-batches of one step; accumulated gradients are dropped."""
        self.engine.accumulate = min(mini_batches, sys.maxsize)

    @property
    def accumulate(self) -> int:
        """Mini-batches that make one step."""
        return self.engine.accumulate

    @contextmanager
    def single_thread(self) -> Iterator[None]:
        """Use one thread within a ``with`` block."""
        n_threads = self.engine.n_threads
        try:
            self.engine.use_threads(1)
            yield
        finally:
            self.engine.use_threads(n_threads)

    # --- learning rate ----------------------------------------------------------------

    def set_lr(self) -> None:
        """Set the engine's learning rate to that of the next step."""
        state = self.state
        lr = state.lr  # calls the schedule, which may replace the state
        if self.state is state:
            self.engine.lr = lr

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.state.lr

    def rates(self, count: int) -> NDArray[np.float64] | None:
        """The learning rates of the next `count` steps, None if they are all `lr`."""
        if not self.engine.scheduled:
            return None
        self.set_lr()
        return self.state.rates(count)

    @property
    def reducer(self) -> ReduceOnPlateau | None:
        """The ReduceOnPlateau in the schedule of the learning rate, if there is one."""
        schedule = self.state.optimizer.schedule
        return None if schedule is None else schedule.plateau

    # --- requirements -----------------------------------------------------------------

    def require_derivatives(self) -> None:
        """Raise if an activation has no derivative."""
        if not self.design.trains:
            raise ValueError(
                "activation must have a derivative to train by; step has none: it is "
                "for predictions only"
            )

    @property
    def makes_steps(self) -> bool:
        """Whether the optimizer can make a step from a single mini-batch."""
        return self.state.optimizer.rule in kernels.RULES

    def require_steps(self) -> None:
        """Raise if the optimizer needs all of the data for a step."""
        if not self.makes_steps:
            raise ValueError(
                f"{type(self.state.optimizer).__name__} trains by fit only, from all "
                "of the data"
            )

    def require_rows(self, n: int, prefix: str = "") -> None:
        """Raise if there are too few rows for batch norm."""
        if n == 1 and self.state.moments.size:
            raise ValueError(
                f"{prefix}X must have at least 2 rows for batch norm; got 1"
            )

    def require_columns(self, rows: Real) -> None:
        """Raise unless there is a column for each input."""
        if rows.shape[1] != self.design.sizes[0]:
            raise ValueError(
                f"X must have shape (n, {self.design.sizes[0]}); got {rows.shape}"
            )

    def not_finite(self) -> str | None:
        """The first array of the state that is not finite, for messages, or None."""
        for name, array in self.state.numbers().items():
            if not arrays.all_finite(array):
                return name
        return None

    # --- steps ------------------------------------------------------------------------

    def step(self, batch: Batch) -> float:
        """One step; returns the mean loss before it."""
        self.require_derivatives()
        self.require_steps()
        self.require_rows(len(batch))
        self.set_lr()
        return self.engine.train_step(batch.X, batch.y, batch.weight)

    def raise_divergence(self) -> NoReturn:
        """Raise DivergenceError for a mini-batch that made no step."""
        raise DivergenceError(
            f"{self.design.diverging} of this mini-batch is not finite; nothing "
            "has changed"
        )

    def gradients(self, batch: Batch) -> Gradients:
        """The mean loss of a mini-batch and its derivatives."""
        self.require_derivatives()
        self.require_rows(len(batch))
        flat, dX = np.empty_like(self.state.parameters), np.empty_like(batch.X)
        moments = self.new_moments()
        loss = self.engine.gradients(batch.X, batch.y, batch.weight, flat, dX, moments)
        return self.as_gradients(loss, flat, dX, moments, batch.weighs)

    def training_loss(self, batch: Batch, moments: Real | None = None) -> float:
        """The loss of `gradients`, without the backward pass.

        The moments of the mini-batch for batch norm are written into `moments`.
        """
        return self.engine.training_loss(batch.X, batch.y, batch.weight, moments)

    def new_moments(self) -> Real | None:
        """An array for the moments of a mini-batch, None without batch norm."""
        return np.empty_like(self.state.moments) if self.state.moments.size else None

    def as_gradients(
        self,
        loss: float | None,
        flat: Real,
        dX: Real,
        moments: Real | None,
        weighs: bool = True,
    ) -> Gradients:
        """Gradients of the derivatives in a flat array, with views by layer."""
        return gradients_of(self.design.layout, loss, flat, dX, moments, weighs)

    def store(self, gradients: Gradients) -> None:
        """Store the gradients of an expression's ``backward()`` for `apply`."""
        self.stored_at, self.stored_gradients = self.state.seen, gradients

    def skip(self) -> None:
        """Count a mini-batch whose weights are all 0: it makes no step."""
        with self.engine:
            self.state.counters[1] += 1

    def apply(self, gradients: Gradients) -> None:
        """One optimizer step from gradients that have been checked."""
        if not gradients.weighs:
            self.skip()
            return
        flat = gradients.flat
        if self.state.optimizer.clip_norm:
            flat = flat.copy()  # it is scaled in place
            offsets = self.design.layout.offsets
            for l, fixed in enumerate(self.state.fixed):
                if fixed:  # the norm is that of the layers that are not frozen
                    flat[offsets[l].W : offsets[l + 1].W] = 0
        self.set_lr()
        self.engine.apply(flat, gradients.moments, len(gradients.input))

    # --- predictions and losses -------------------------------------------------------

    def outputs(self, rows: Real) -> Real:
        """The outputs (n, n_L) of checked rows."""
        out = np.empty((len(rows), self.design.sizes[-1]), self.dtype)
        self.write_outputs(rows, out)
        return out

    def write_outputs(self, rows: Real, out: Real, checks_X: bool = False) -> bool:
        """Write the outputs; False, with `out` half written, if X is not finite."""
        self.require_columns(rows)
        return self.engine.predict(rows, out, checks_X)

    def measure(self, data: Batch, metrics: Sequence[Metric]) -> dict[str, float]:
        """The metrics, with the weights of samples but not of classes."""
        if not metrics:
            return {}
        a, kind = self.outputs(data.X), self.design.target_kind
        return {metric.name: metric(data.y, a, data.weight, kind) for metric in metrics}

    def mean_loss(self, data: Batch) -> float:
        """sum(w E) / sum(w) of data of any size."""
        weight = None if data.weight is None else scaled_to_normal(data.weight)
        if isinstance(self.design.loss, CustomLoss):
            with self.engine.reading():
                return self._mean_of_function(Batch(data.X, data.y, weight))
        total, divisor = self.engine.evaluate(data.X, data.y, weight)
        return total / divisor if divisor else 0.0

    def _mean_of_function(self, data: Batch) -> float:
        """`mean_loss` of a loss function, called with all rows: they may be coupled.

        It is called with a few rows first, so that an error in it is raised before the
        outputs of all rows are computed.
        """
        weight = np.ones(len(data)) if data.weight is None else data.weight
        for n in sorted({min(FEW_ROWS, len(data)), len(data)}):
            a, y = self.outputs(data.X[:n]), data.y[:n].copy()
            E = self.engine.losses(a, y, weight[:n])
        return math.fsum(E) / math.fsum(weight)

    # --- forward and backward apart ---------------------------------------------------

    def forward(self, rows: Real) -> Tape:
        """The forward pass of training; noise is added to `rows` in place."""
        n = len(rows)
        self.require_columns(rows)
        self.require_rows(n)
        size, places = self.engine.tape_size(n)
        memory = aligned_zeros(size, np.uint8)
        seen = self.state.seen
        self.engine.forward(rows, memory)
        activations = [rows]
        for layer, n_out in zip(places, self.design.sizes[1:], strict=True):
            activations.append(part(memory, layer["a"], (n, n_out), self.dtype))
        return Tape(tuple(activations), memory, seen)

    def backward(self, tape: Tape, d_output: Real) -> Gradients:
        """The gradients from the derivative by the output, after `forward`."""
        X = tape.activations[0]
        flat, dX = np.empty_like(self.state.parameters), np.empty_like(X)
        moments = self.new_moments()
        self.engine.backward(X, tape.memory, tape.seen, d_output, flat, dX, moments)
        return self.as_gradients(None, flat, dX, moments)

    # --- copies -----------------------------------------------------------------------

    @own_errstate
    def folded(self, with_scale: bool = True) -> tuple[Design, State]:
        """A design without batch norm, and a state that predicts the same.

        And without the scale of the inputs, which changes the rounding; or with it.
        """
        found: tuple[Design, State] = self.engine.read_whole(
            lambda: self._folded(with_scale)
        )
        return found

    def _folded(self, with_scale: bool) -> tuple[Design, State]:
        norms = tuple(None if norm == "batch" else norm for norm in self.design.norms)
        factor = 0.0 if with_scale else self.design.input_scale
        design = dataclasses.replace(self.design, norms=norms, input_scale=factor)
        old = self.state
        state = empty_state(design, self.dtype, old.optimizer)
        parts, own = design.layout.views(state.parameters), self.views
        for l, running in enumerate(self.moments):
            W, b, gain = own.weights[l], own.biases[l], own.gains[l]
            if running is None:
                parts.weights[l][...], parts.biases[l][...] = W, b
                if parts.gains[l] is not None:
                    parts.gains[l][...] = gain
            else:
                kernels.fold(parts.weights[l], parts.biases[l], W, b, gain, running)
        if parts.scale is not None:
            parts.scale[...] = own.scale
        elif own.scale is not None:
            parts.weights[0][...] *= own.scale[:, None]
        state.counters[1], state.epochs, state.bits = old.seen, old.epochs, old.bits
        state.lr_factors, state.frozen = old.lr_factors, old.frozen
        state.schedule = ScheduleState.begun(old.optimizer, 0, old.epochs)
        return design, state

    def copy(self) -> Learner:
        """A copy with a state and an engine of its own; see `astype`."""
        return self.astype(self.dtype)

    def astype(self, dtype: np.dtype[Any]) -> Learner:
        """A copy in another dtype.

        Other threads may predict meanwhile; if one trains, InUseError is raised.
        """
        state = self.engine.read_whole(lambda: self.state.copy(dtype))
        return Learner(self.design, state, type(self.engine), self.engine.n_threads)
