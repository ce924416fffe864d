"""The learner of a network: its state, and the engine that changes it."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import _dispatch, arrays, checks
from bpcore._engine import SQUARES_AT_A_TIME
from bpcore.batches.batch import Batch, as_batch
from bpcore.batches.stream import stream_batch
from bpcore.batches.weights import (
    ClassWeight,
    Weights,
    as_class_weights,
    scaled_to_normal,
)
from bpcore.errors import DivergenceError
from bpcore.losses import CustomLoss
from bpcore.metrics import Metric
from bpcore.model.design import Design
from bpcore.model.gradients import Gradients, Tape
from bpcore.model.memory import Real, aligned_zeros, part
from bpcore.model.state import (
    Quantity,
    ScheduleState,
    State,
    empty_state,
    optimizer_arrays,
)
from bpcore.optimizers import Optimizer
from bpcore.schedules import ReduceOnPlateau
from bpcore.training.history import History
from bpcore.training.watch import raise_if_stopped

#: Rows that are predicted and evaluated at a time.
ROWS_AT_A_TIME = 256

#: Seconds the engine runs before the interpreter may look at signals and the bar.
SLICE = 0.05


class Learner:
    """Everything that a network does, on arguments that have been checked.

    Attributes
    ----------
    design : Design
    state : State
    engine
        What makes the steps and predictions of the state.
    views : Views
        The weights, biases and gains inside the parameters.
    moments : tuple
        The running mean and variance of each layer, or None.
    history : History or None
        Of the last fit.
    stored_gradients : Gradients or None
        Of the last ``backward()`` through a node of the network.
    """

    def __init__(
        self, design: Design, state: State, engine_class: Any, n_threads: int
    ) -> None:
        self.design, self.state = design, state
        self.views = design.layout.views(state.parameters)
        self.moments = design.layout.moments(state.moments)
        folds = state.moments.size > 0
        self.engine = engine_class(
            _dispatch.kernels,
            self.dtype.name,
            design,
            state.parameters,
            state.moments if folds else None,
            np.zeros_like(state.parameters) if folds else None,
            state.counters,
        )
        # Whether a mini-batch may be used without being checked here.
        self._direct = design.trains and not (folds or design.asks or design.loss.signs)
        self.engine.use_threads(n_threads)
        self.history: History | None = None
        self.stored_gradients: Gradients | None = None
        self._stored_at = 0
        self._accumulate = 1
        #: What the engine stores gradients for: (mini-batches, whether clipped).
        self._stored_for: tuple[int, bool] | None = None
        self._gradient: Real | None = None
        self.use(state)

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self.state.parameters.dtype

    # --- settings ---------------------------------------------------------------------

    def use(self, state: State) -> None:
        """Put a state in place: of the same parameters, moments and counters."""
        optimizer, loss, lr = state.optimizer, self.design.loss, state.lr
        steps = optimizer.rule in _dispatch.kernels.RULES
        with self.engine:
            self.engine.accept(
                steps and self._direct, loss.labels, loss.least, loss.most
            )
            if steps:
                stride = self.design.layout.state_stride
                arrays = state.optimizer_arrays
                self.engine.use_optimizer(optimizer, state.factors, arrays, stride)
            self.state = state
            self.scheduled = optimizer.schedule is not None
            self._store_gradients()
            self.engine.lr = lr

    def use_optimizer(self, optimizer: Optimizer) -> None:
        """Another optimizer, which goes on with the arrays if it keeps the same ones.

        Otherwise its arrays and steps begin anew, and so does the schedule of the
        learning rate if it is another object.
        """
        before = self.state
        same = type(optimizer) is type(before.optimizer)
        same = same and optimizer.states == before.optimizer.states
        arrays, schedule = before.optimizer_arrays, before.schedule
        if not same:
            arrays = optimizer_arrays(optimizer, self.design.layout, self.dtype)
        with self.engine:
            if not same:  # its steps count anew, but not those of a schedule
                steps = schedule.steps - before.steps
                schedule = schedule._replace(steps=steps)
            if optimizer.lr is not before.optimizer.lr:
                begun = 0 if not same else before.steps
                schedule = begun_schedule(optimizer, begun, before.epochs)
            state = dataclasses.replace(
                before, optimizer=optimizer, optimizer_arrays=arrays, schedule=schedule
            )
            if not same:
                state.counters[0] = state.layer_steps[...] = 0
            self.use(state)

    def use_lr_factors(self, factors: Sequence[float]) -> None:
        """Each layer's share of the learning rate."""
        with self.engine:
            self.use(dataclasses.replace(self.state, lr_factors=tuple(factors)))

    def use_frozen(self, frozen: Sequence[bool]) -> None:
        """Whether each layer is left as it is."""
        with self.engine:
            self.use(dataclasses.replace(self.state, frozen=tuple(frozen)))

    def accumulate_over(self, mini_batches: int) -> None:
        """Make one step of so many mini-batches from now on; forget those that wait."""
        self._accumulate = min(mini_batches, sys.maxsize)
        self._store_gradients()

    @property
    def accumulate(self) -> int:
        """Mini-batches that make one step."""
        return self._accumulate

    def _store_gradients(self) -> None:
        """Train by stored gradients where the optimizer or accumulation needs it."""
        size, gradient, waiting, squares = self.state.parameters.size, None, None, None
        clips = bool(self.state.optimizer.clip_norm)
        needs = self._accumulate, clips
        if needs == self._stored_for:  # gradients that wait go on waiting
            if self._gradient is not None:
                self._gradient[...] = 0  # of layers that are frozen now
            return
        if self._accumulate > 1 or clips:
            gradient = aligned_zeros(size, self.dtype)
            squares = np.zeros(size // SQUARES_AT_A_TIME + 1)
        if self._accumulate > 1:
            waiting = aligned_zeros(size, self.dtype)
        self.engine.use_gradients(gradient, waiting, squares, self._accumulate)
        self._stored_for, self._gradient = needs, gradient

    @contextmanager
    def single_thread(self) -> Iterator[None]:
        """Context: one thread for each step."""
        n_threads = self.engine.n_threads
        self.engine.use_threads(1)
        try:
            yield
        finally:
            self.engine.use_threads(n_threads)

    # --- learning rate ----------------------------------------------------------------

    def set_lr(self) -> None:
        """Tell the engine the rate of the next step."""
        self.engine.lr = self.state.lr

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self.state.lr

    def rates(self, count: int) -> NDArray[np.float64] | None:
        """The rates of so many steps from here on, None if they are all `lr`."""
        self.set_lr()
        return self.state.rates(count)

    @property
    def reducer(self) -> ReduceOnPlateau | None:
        """The schedule that follows a quantity, if there is one."""
        schedule = self.state.optimizer.schedule
        return None if schedule is None else schedule.plateau

    def follow_plateau(
        self, quantity: Quantity, reducer: ReduceOnPlateau, value: float
    ) -> None:
        """Let the plateau follow the value of one more epoch.

        It begins anew, but for its rate, where it followed another quantity before.
        """
        schedule = self.state.schedule
        if (plateau := schedule.plateau) is None:
            return
        if quantity != schedule.quantity:
            worst = math.inf if reducer.mode == "min" else -math.inf
            plateau = plateau._replace(best=worst, wait=0)
        self.state.schedule = schedule._replace(
            plateau=reducer.after(plateau, value), quantity=quantity
        )

    # --- requirements -----------------------------------------------------------------

    def require_derivatives(self) -> None:
        """Raise if there is no way to train this network."""
        if not self.design.trains:
            raise ValueError(
                "activation must have a derivative to train by; step has none: it is "
                "for predictions only"
            )

    @property
    def makes_steps(self) -> bool:
        """Whether the optimizer makes steps of single mini-batches."""
        return self.state.optimizer.rule in _dispatch.kernels.RULES

    def require_steps(self) -> None:
        """Raise if the optimizer makes no steps of single mini-batches."""
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

    # --- mini-batches -----------------------------------------------------------------

    def batch(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        prefix: str = "",
        *,
        some: bool = True,
    ) -> Batch:
        """A mini-batch or data set, checked; `some` weights must be above 0."""
        batch = as_batch(
            self.design, self.dtype, X, y, sample_weight, prefix, some=some
        )
        return batch.apart_from(self.state.parameters, self.state.moments)

    def weighted_batch(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        class_weight: ClassWeight | None,
    ) -> Batch:
        """A mini-batch with both kinds of weights as they are given, perhaps all 0."""
        batch = self.batch(X, y, sample_weight, some=False)
        class_weights = self.class_weights(class_weight, batch.y, whole=False)
        return batch.times(class_weights, self.design, some=False)

    def class_weights(
        self, class_weight: ClassWeight | None, targets: Any, *, whole: bool = True
    ) -> Weights | None:
        """The weight of each class; "balanced" counts these, the `whole`, targets."""
        if class_weight is None:
            return None
        return as_class_weights(class_weight, targets, self.design, whole=whole)

    def stream_batch(
        self, item: Any, number: int, class_weights: Weights | None
    ) -> Batch:
        """A mini-batch as an iterable yields it, checked."""
        batch = stream_batch(self.design, self.dtype, item, number, class_weights)
        return batch.apart_from(self.state.parameters, self.state.moments)

    def exact_targets(
        self, y: ArrayLike, targets: Any, mask: NDArray[np.bool_] | None = None
    ) -> NDArray[Any]:
        """The caller's targets for metrics, those of the rows of a mask if any.

        Integer labels, as `targets` are then, else float64 in the shape of y.
        """
        if targets.ndim == 1:
            return np.asarray(targets)
        exact = arrays.as_array("y", y)
        if mask is not None:
            exact = exact[mask]
        exact = exact.astype(np.float64, copy=False)
        if np.may_share_memory(exact, self.state.parameters):
            exact = exact.copy()
        return np.asarray(exact)

    def sample(self, x: ArrayLike) -> Real:
        """A single row, checked."""
        row = arrays.as_finite("x", x, self.dtype)
        n_in = self.design.sizes[0]
        if row.shape != (n_in,):
            raise ValueError(f"x must have shape ({n_in},); got {row.shape}")
        return row

    def target(self, name: str, y: ArrayLike) -> NDArray[Any]:
        """The label, the number or the targets of a single row, checked in shape."""
        target, n_out = arrays.as_array(name, y), self.design.sizes[-1]
        labels = self.design.loss.labels and n_out > 1
        expected = f"{'be an integer label, or ' if labels else ''}have shape"
        single = target.ndim == 0 and (labels or n_out == 1)
        if target.shape != (n_out,) and not single:
            raise ValueError(f"{name} must {expected} ({n_out},); got {target.shape}")
        if labels and target.ndim == 0 and target.dtype.kind not in "iub":
            raise TypeError(f"{name} must {expected} ({n_out},); got {y!r}")
        if target.dtype.kind == "f":
            target = arrays.as_finite(name, target, self.dtype)
        return target

    def rows_or_row(self, X: ArrayLike) -> tuple[Real, bool]:
        """Rows (n, n_0) to predict, and whether a single one (n_0,) was given."""
        rows, n_0 = arrays.as_contiguous("X", X, self.dtype), self.design.sizes[0]
        single = rows.ndim == 1
        if single:
            rows = rows.reshape(1, -1)
        if rows.ndim != 2 or rows.shape[1] != n_0 or len(rows) == 0:
            raise ValueError(
                f"X must have shape (n, {n_0}) with n at least 1, or ({n_0},) for a "
                f"single row; got {rows.shape[1:] if single else rows.shape}"
            )
        return rows, single

    def room_for_outputs(self, out: Any, rows: Real, single: bool) -> Real:
        """The caller's array for the outputs of these rows, checked, or a new one."""
        n_out = self.design.sizes[-1]
        shape = (n_out,) if single else (len(rows), n_out)
        if out is None:
            return np.empty(shape, self.dtype)
        return arrays.as_out(out, shape, self.dtype, rows, self.state.parameters)

    # --- steps ------------------------------------------------------------------------

    def reserve(self, n: int, gathers: bool = False) -> None:
        """A workspace for n rows, kept until a larger one is needed.

        `gathers` reserves room to copy rows of X together.  The caller holds the engine
        until it has used it.
        """
        engine = self.engine
        gathers = gathers or self.design.input_noise > 0
        if n > engine.capacity or (gathers and not engine.gathers):
            n, gathers = max(n, engine.capacity), gathers or engine.gathers
            size = engine.drop_workspace(n, gathers)
            engine.use_workspace(aligned_zeros(size, np.uint8), n, gathers)

    def step(self, batch: Batch) -> float:
        """One step; returns the mean loss before it."""
        self.require_derivatives()
        self.require_steps()
        self.require_rows(len(batch))
        with self.engine:
            self.reserve(len(batch))
            loss: float = self.engine.train_step(batch.X, batch.y, batch.weight)
        return loss

    def raise_divergence(self) -> NoReturn:
        """Raise for a mini-batch that has changed nothing."""
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
        with self.engine:
            self.reserve(len(batch))
            loss = self.engine.gradients(
                batch.X, batch.y, batch.weight, flat, dX, moments
            )
        return self.as_gradients(loss, flat, dX, moments, batch.weighs)

    def training_loss(self, batch: Batch, moments: Real | None = None) -> float:
        """The loss that `gradients` has of a mini-batch, without the way back.

        The moments that batch norm finds go into `moments`.
        """
        with self.engine:
            self.reserve(len(batch))
            loss: float = self.engine.training_loss(
                batch.X, batch.y, batch.weight, moments
            )
        return loss

    def new_moments(self) -> Real | None:
        """Room for the moments of a mini-batch, None without batch norm."""
        return np.empty_like(self.state.moments) if self.state.moments.size else None

    def as_gradients(
        self,
        loss: float | None,
        flat: Real,
        dX: Real,
        moments: Real | None,
        weighs: bool = True,
    ) -> Gradients:
        """The derivatives in a flat array, by layer."""
        parts = self.design.layout.views(flat)
        return Gradients(
            loss, flat, parts.weights, parts.biases, parts.gains, dX, moments, weighs
        )

    def checked_gradients(self, gradients: Gradients | None) -> Gradients:
        """These gradients, or else the stored ones; raises if they do not fit."""
        if gradients is None:
            gradients = self.stored_gradients
            if gradients is None:
                raise TypeError(
                    "gradients must be a Gradients, or stored by backward() of an "
                    "expression with a node of this network, to be called first; got "
                    "NoneType, and none are stored"
                )
            if self._stored_at != self.state.seen:
                raise RuntimeError(
                    "the stored gradients are of before the last step: call backward() "
                    "of an expression with a new node"
                )
        checks.instance("gradients", gradients, Gradients)
        self.require_steps()
        flat = self._like("gradients.flat", gradients.flat, self.state.parameters)
        moments = gradients.moments if self.state.moments.size else None
        if moments is not None:
            moments = self._like("gradients.moments", moments, self.state.moments)
        return dataclasses.replace(gradients, flat=flat, moments=moments)

    def _like(self, name: str, array: Any, own: Real) -> Real:
        """The numbers in this network's dtype, as many as its own."""
        numbers = arrays.as_finite(name, array, self.dtype)
        if numbers.shape != own.shape:
            raise ValueError(f"{name} must have shape {own.shape}; got {numbers.shape}")
        return numbers

    def store(self, gradients: Gradients) -> None:
        """Keep the gradients of an expression's ``backward()`` for `apply`."""
        self._stored_at, self.stored_gradients = self.state.seen, gradients

    def apply(self, gradients: Gradients) -> None:
        """One optimizer step from gradients that have been checked."""
        if not gradients.weighs:
            self.state.counters[1] += 1
            return
        flat = gradients.flat
        if self.state.optimizer.clip_norm:
            flat = flat.copy()  # it is scaled in place
            offsets = self.design.layout.offsets
            for l, factor in enumerate(self.state.factors):
                if factor == 0:  # frozen layers have no part in the norm
                    flat[offsets[l].W : offsets[l + 1].W] = 0
        self.set_lr()
        self.engine.apply(flat, gradients.moments, len(gradients.input))

    # --- predictions and losses -------------------------------------------------------

    def outputs(self, rows: Real) -> Real:
        """The outputs (n, n_L) of rows that have been checked."""
        out = np.empty((len(rows), self.design.sizes[-1]), self.dtype)
        self.write_outputs(rows, out)
        return out

    def write_outputs(self, rows: Real, out: Real, checks_X: bool = False) -> bool:
        """Write the outputs; False, with `out` half written, if X is not finite."""
        first, finite = 0, True
        with self.engine:
            self.reserve(min(len(rows), ROWS_AT_A_TIME))
            while finite and first < len(rows):
                raise_if_stopped()
                first, finite = self.engine.predict(
                    rows, out, first, ROWS_AT_A_TIME, SLICE, checks_X
                )
        return finite

    def measure(self, data: Batch, metrics: Sequence[Metric]) -> dict[str, float]:
        """The metrics, with the weights of samples but not of classes."""
        if not metrics:
            return {}
        a, kind = self.outputs(data.X), self.design.target_kind
        return {metric.name: metric(data.y, a, data.weight, kind) for metric in metrics}

    def mean_loss(self, data: Batch) -> float:
        """sum(w E) / sum(w) of data of any size."""
        n, first, total, divisor = len(data), 0, 0.0, 0.0
        weight = None if data.weight is None else scaled_to_normal(data.weight)
        with self.engine:
            if isinstance(self.design.loss, CustomLoss):
                return self._mean_of_function(Batch(data.X, data.y, weight))
            self.reserve(min(n, ROWS_AT_A_TIME))
            while first < n:
                raise_if_stopped()
                first, total, divisor = self.engine.evaluate(
                    data.X,
                    data.y,
                    weight,
                    first,
                    total,
                    divisor,
                    ROWS_AT_A_TIME,
                    SLICE,
                )
        return total / divisor if divisor else 0.0

    def _mean_of_function(self, data: Batch) -> float:
        """`mean_loss` of a loss function, of all rows at once: it may couple them.

        It is called with a few rows first: an error in it shows before the outputs of
        all are computed.
        """
        weight = np.ones(len(data)) if data.weight is None else data.weight
        for n in sorted({min(ROWS_AT_A_TIME, len(data)), len(data)}):
            a, y = self.outputs(data.X[:n]), data.y[:n].copy()
            E = self.engine.losses(a, y, weight[:n])
        return math.fsum(E) / math.fsum(weight)

    # --- forward and backward apart ---------------------------------------------------

    def forward(self, rows: Real) -> Tape:
        """The forward pass of training, of rows that may be changed."""
        n = len(rows)
        self.require_rows(n)
        with self.engine:
            self.reserve(n)
            size, places = self.engine.tape_size(n)
            memory = aligned_zeros(size, np.uint8)
            seen = self.state.seen
            self.engine.forward(rows, memory)
        activations = [rows]
        for layer, n_out in zip(places, self.design.sizes[1:], strict=True):
            activations.append(part(memory, layer["a"], (n, n_out), self.dtype))
        return Tape(tuple(activations), memory, seen)

    def require_tape(self, tape: Tape) -> int:
        """Raise if a tape is not of a network like this one; returns its rows."""
        checks.instance("tape", tape, Tape)
        dtype, sizes = np.asarray(tape.output).dtype, self.design.sizes
        if dtype != self.dtype:
            raise ValueError(f"tape must be of dtype {self.dtype.name}; got {dtype}")
        shapes = [np.shape(a) for a in tape.activations]
        n = shapes[0][0] if shapes and shapes[0] else 1
        size, _ = self.engine.tape_size(n)
        fits = tape.memory.nbytes == size and tape.memory.dtype == np.uint8
        if shapes != [(n, width) for width in sizes] or not fits:
            raise ValueError(
                f"tape must be of a network like this one, with activations of shapes "
                f"(n, size) for the sizes {list(sizes)}; got {shapes}"
            )
        return n

    def backward(self, tape: Tape, d_output: Real) -> Gradients:
        """The gradients by a derivative by the output, both checked."""
        X = tape.activations[0]
        flat, dX = np.empty_like(self.state.parameters), np.empty_like(X)
        moments = self.new_moments()
        with self.engine:
            self.reserve(len(X))
            self.engine.backward(X, tape.memory, tape.seen, d_output, flat, dX, moments)
        return self.as_gradients(None, flat, dX, moments)

    # --- copies -----------------------------------------------------------------------

    def require_numbers_in(self, dtype: np.dtype[Any]) -> None:
        """Raise if a number of the state is too large for a dtype."""
        arrays.as_finite("parameters", self.state.parameters, dtype)
        if self.state.optimizer_arrays is not None:
            arrays.as_finite("optimizer state", self.state.optimizer_arrays, dtype)

    def folded(self) -> tuple[Design, State]:
        """A design without batch norm, and a state of it that predicts the same."""
        norms = tuple(None if norm == "batch" else norm for norm in self.design.norms)
        design = dataclasses.replace(self.design, norms=norms)
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
                _dispatch.kernels.fold(
                    parts.weights[l], parts.biases[l], W, b, gain, running
                )
        state.counters[1], state.epochs, state.bits = old.seen, old.epochs, old.bits
        state.lr_factors, state.frozen = old.lr_factors, old.frozen
        state.schedule = begun_schedule(old.optimizer, 0, old.epochs)
        return design, state

    def copy(self) -> Learner:
        """The same with a state and an engine of its own."""
        return self.astype(self.dtype)

    def astype(self, dtype: np.dtype[Any]) -> Learner:
        """A copy in another dtype."""
        state = self.state.copy(self.design, dtype)
        return Learner(self.design, state, type(self.engine), self.engine.n_threads)


def begun_schedule(optimizer: Optimizer, steps: int, epochs: int) -> ScheduleState:
    """The state of an optimizer's schedule that counts from here on."""
    schedule = optimizer.schedule
    reducer = None if schedule is None else schedule.plateau
    return ScheduleState(steps, epochs, reducer.initial() if reducer else None)
