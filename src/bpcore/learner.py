"""The optimizer of a network: its settings, its state, the learning rate of a step."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bpcore import _kernels
from bpcore import _settings as settings
from bpcore._engine import SQUARES_AT_A_TIME
from bpcore._errstate import own_errstate
from bpcore.buffers import (
    Real,
    Views,
    aligned_zeros,
    optimizer_state,
    state_apart,
    views,
)
from bpcore.schedules import Plateau, ReduceOnPlateau, Schedule, rates
from bpcore.stopping import Quantity, Watch

if TYPE_CHECKING:
    from bpcore.metrics import Metric
    from bpcore.optimizers import Optimizer

#: Counters of the engine that training advances, in the order in which they are set.
COUNTERS = ("steps", "layer_steps", "seen")


class Learner:
    """What a `Network` knows of its optimizer.

    The settings are immutable values; what changes is kept here: the state, how far a
    schedule has come, and which layers learn at which share of the rate.
    """

    _design: settings.Design
    _dtype: np.dtype[Any]
    _parameters: Real
    _views: Views
    _engine: Any
    _at_once: bool
    _lr_factors: tuple[float, ...]
    _frozen: tuple[bool, ...]
    _epochs: int
    _begun = 0, 0
    #: What the plateau's best value is a value of.
    _plateau_of: Quantity | None = None
    _accumulate = 1
    #: What the engine stores gradients for: (mini-batches, whether they are clipped).
    _stored_for: tuple[int, bool] | None = None
    _gradient: Real | None = None

    @property
    def optimizer(self) -> Optimizer:
        """The settings of the update; assign others at any time.

        The state is kept where an optimizer of the same kind keeps the same arrays, and
        begins anew otherwise, as does the schedule of the learning rate if it is
        another object.
        """
        return self._optimizer

    @optimizer.setter
    def optimizer(self, optimizer: Optimizer) -> None:
        settings.known_optimizer(optimizer)
        before = getattr(self, "_optimizer", None)
        same = type(optimizer) is type(before) and optimizer.states == before.states
        state = self._state if same else self._new_state(optimizer)
        with self._engine:
            if not same:  # its steps count anew, but not those of a schedule
                steps, epochs = self._begun
                self._begun = steps - self._engine.steps, epochs
                self._engine.steps = 0
                self._engine.layer_steps = (0,) * len(self._lr_factors)
            self._use_optimizer(optimizer, state)
            if before is None or optimizer.lr is not before.lr:
                self._begin_schedule()

    @own_errstate
    def _new_state(self, optimizer: Optimizer) -> Real | None:
        if not optimizer.states:
            return None
        state = optimizer_state(
            len(optimizer.states), self._parameters.size, self._dtype
        )
        of_weights, of_biases = optimizer.both()
        for name, array in zip(optimizer.states, state, strict=True):
            parts = views(
                array[: self._parameters.size], self._design.sizes, self._design.norms
            )
            for W, b, gain in zip(
                parts.weights, parts.biases, parts.gains, strict=True
            ):
                W[...], b[...] = of_weights.start(name), of_biases.start(name)
                if gain is not None:
                    gain[...] = of_biases.start(name)
        return state

    def _use_optimizer(self, optimizer: Optimizer, state: Real | None) -> None:
        steps = optimizer.rule in _kernels.RULES
        loss = self._design.loss
        self._engine.accept(steps and self._at_once, loss.labels, loss.least, loss.most)
        if steps:
            apart = state_apart(self._parameters.size)
            self._engine.use_optimizer(optimizer, self._factors, state, apart)
        self._optimizer, self._state = optimizer, state
        self._scheduled = optimizer.schedule is not None
        self._store_gradients()

    @property
    def _factors(self) -> tuple[float, ...]:
        """Each layer's share of the learning rate; 0 where it is frozen."""
        pairs = zip(self._lr_factors, self._frozen, strict=True)
        return tuple(0.0 if frozen else factor for factor, frozen in pairs)

    def _store_gradients(self) -> None:
        """Train by stored gradients where the optimizer or accumulation asks for it."""
        size, gradient, waiting, squares = self._parameters.size, None, None, None
        accumulate = self._accumulate
        needs = accumulate, bool(self._optimizer.clip_norm)
        if needs == self._stored_for:  # gradients that wait go on waiting
            if self._gradient is not None:
                self._gradient[...] = 0  # of layers that are frozen now
            return
        if accumulate > 1 or self._optimizer.clip_norm:
            gradient = aligned_zeros(size, self._dtype)
            squares = np.zeros(size // SQUARES_AT_A_TIME + 1)
        if accumulate > 1:
            waiting = aligned_zeros(size, self._dtype)
        self._engine.use_gradients(gradient, waiting, squares, accumulate)
        self._stored_for, self._gradient = needs, gradient

    @property
    def lr_factors(self) -> tuple[float, ...]:
        """Each layer's share of the learning rate, 1 at first; assign one for each.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([4, 8, 3])
        >>> net.lr_factors = [0.1, 1.0]
        """
        return self._lr_factors

    @lr_factors.setter
    def lr_factors(self, factors: Sequence[float]) -> None:
        factors = settings.layer_factors(factors, len(self._views.weights))
        with self._engine:
            self._lr_factors = factors
            self._use_optimizer(self._optimizer, self._state)

    @property
    def frozen(self) -> tuple[bool, ...]:
        """Whether each layer is left as it is by training; assign a bool for each.

        Frozen layers keep weights, biases, gains and running moments.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([4, 8, 3])
        >>> net.frozen = [True, False]
        """
        return self._frozen

    @frozen.setter
    def frozen(self, frozen: Sequence[bool]) -> None:
        frozen = settings.frozen_layers(frozen, len(self._views.weights))
        with self._engine:
            self._frozen = frozen
            self._use_optimizer(self._optimizer, self._state)

    # --- learning rate ----------------------------------------------------------------

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        self._set_lr()
        lr: float = self._engine.lr
        return lr

    def _begin_schedule(self) -> None:
        """The schedule, if any, counts from here on."""
        self._begun = self._engine.steps, self._epochs
        reducer = self._reducer
        self._plateau: Plateau | None = reducer.initial() if reducer else None
        self._plateau_of = None
        self._set_lr()

    @property
    def _reducer(self) -> ReduceOnPlateau | None:
        schedule = self._optimizer.schedule
        return None if schedule is None else schedule.plateau

    def _set_lr(self) -> None:
        """Tell the engine the rate of the next step."""
        schedule = self._optimizer.schedule
        if schedule is None:
            self._engine.lr = self._optimizer.lr
        elif self._plateau is not None:
            self._engine.lr = self._plateau.lr * schedule.scale(self._time(schedule))
        else:
            self._engine.lr = schedule(self._time(schedule))

    def _time(self, schedule: Schedule) -> int:
        """Steps or epochs since the schedule began."""
        steps, epochs = self._begun
        if schedule.per == "step":
            return int(self._engine.steps) - steps
        return self._epochs - epochs

    def _rates(self, count: int) -> NDArray[np.float64] | None:
        """The rates of so many steps from here on, None if they are all `lr`."""
        self._set_lr()
        schedule = self._optimizer.schedule
        if schedule is None or schedule.per != "step" or self._plateau is not None:
            return None
        return rates(schedule, self._time(schedule), count)

    # --- for training -----------------------------------------------------------------

    @property
    def _counts(self) -> dict[str, Any]:
        """All counters of the engine by their names; assign them to set it back."""
        return {name: getattr(self._engine, name) for name in COUNTERS}

    @_counts.setter
    def _counts(self, counts: dict[str, Any]) -> None:
        for name in COUNTERS:
            setattr(self._engine, name, counts[name])

    def _accumulate_over(self, mini_batches: int) -> None:
        """Make one step of so many mini-batches from now on; forget those that wait."""
        self._accumulate = min(mini_batches, sys.maxsize)
        self._store_gradients()

    def _watch_plateau(
        self, metrics: Sequence[Metric], validates: bool
    ) -> tuple[Quantity, ReduceOnPlateau] | None:
        """The quantity that a schedule has to follow in a fit, and how it does so."""
        if (reducer := self._reducer) is None:
            return None
        of = "ReduceOnPlateau's "
        watch = Watch(reducer.monitor, reducer.mode, None, 0.0, metrics, validates, of)
        validates = validates and watch.monitor != "loss"
        quantity = Quantity(watch.monitor, watch.mode, validates)
        return quantity, dataclasses.replace(reducer, mode=watch.mode)

    def _follow_plateau(
        self, quantity: Quantity, reducer: ReduceOnPlateau, value: float
    ) -> None:
        """Let the plateau follow the value of one more epoch.

        It begins anew, but for its rate, where it followed another quantity before.
        """
        if self._plateau is None:
            return
        if quantity != self._plateau_of:
            worst = math.inf if reducer.mode == "min" else -math.inf
            self._plateau = self._plateau._replace(best=worst, wait=0)
            self._plateau_of = quantity
        self._plateau = reducer.after(self._plateau, value)
