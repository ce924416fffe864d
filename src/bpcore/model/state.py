"""State: everything that training changes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real
from bpcore.engine.memory import aligned_zeros
from bpcore.errstate import own_errstate
from bpcore.initializers import initialize, initialize_biases
from bpcore.model.design import Design, frozen_layers, layer_factors
from bpcore.model.initial import Initial
from bpcore.model.layout import Layout
from bpcore.model.reader import (
    MOST_EPOCHS,
    MOST_STEPS,
    Reader,
    generator_of,
    plateau_of,
    words_of,
)
from bpcore.optimizers import Optimizer
from bpcore.quoting import listed, quoted
from bpcore.schedules import Plateau, ReduceOnPlateau, Schedule, rates

#: Where an optimizer's arrays begin, in bytes past a multiple of 4096.
OPTIMIZER_AT = 2112


class Quantity(NamedTuple):
    """The quantity that a plateau follows, from fit to fit."""

    name: str
    """A column of the history."""
    mode: str
    """"min" or "max"."""
    validates: bool
    """Whether it is of validation data."""

    def to_bytes(self) -> bytes:
        """As text: mode, 0 or 1, name."""
        return f"{self.mode} {int(self.validates)} {self.name}".encode()

    @classmethod
    def from_bytes(cls, text: bytes) -> Quantity:
        """The quantity of a text as `to_bytes` gives it."""
        try:
            mode, validates, name = text.decode().split(" ", 2)
            if mode not in ("min", "max") or validates not in ("0", "1"):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"quantity must be a mode, 0 or 1 and a name; got {quoted(text)}"
            ) from None
        return cls(name, mode, validates == "1")


class ScheduleState(NamedTuple):
    """The progress of a schedule of the learning rate."""

    steps: int
    """Steps of the optimizer at which it began."""
    epochs: int
    """Epochs after which it began."""
    plateau: Plateau | None = None
    """The best value and the rate, if the schedule follows a quantity."""
    quantity: Quantity | None = None
    """The quantity of ``plateau.best``."""

    @classmethod
    def begun(cls, optimizer: Optimizer, steps: int, epochs: int) -> ScheduleState:
        """At the start of an optimizer's schedule, after these steps and epochs."""
        schedule = optimizer.schedule
        reducer = None if schedule is None else schedule.plateau
        return cls(steps, epochs, reducer.initial() if reducer else None)

    def after(
        self, quantity: Quantity, reducer: ReduceOnPlateau, value: float
    ) -> ScheduleState:
        """With the plateau after one more epoch, which has this value.

        Its best value begins anew if it is of another quantity than before.
        """
        if (plateau := self.plateau) is None:
            return self
        if quantity != self.quantity:
            worst = math.inf if reducer.mode == "min" else -math.inf
            plateau = plateau._replace(best=worst, wait=0)
        return self._replace(plateau=reducer.after(plateau, value), quantity=quantity)


@dataclass(eq=False, repr=False)
class State:
    """Parameters, optimizer and everything else that training changes.

    Arrays are changed in place by the engine.  The optimizer, the factors and the
    frozen layers are the engine's settings: assign them through the `Learner`.

    Attributes
    ----------
    optimizer : Optimizer
    parameters : array (layout.size,)
    moments : array (layout.moments_size,)
        Running moments of batch norm.
    optimizer_arrays : array (n, layout.state_stride) or None
        A row for each of ``optimizer.states``.
    part : (first, end) or None
        The parameters that the optimizer's arrays are of, where processes divide them;
        None for all.
    counters : int64 array (2 + L,)
        Steps made, mini-batches used, and the steps made on each layer.
    lr_factors : tuple of L pairs
        Each layer's factors of the learning rate: of W, and of b and gain.
    frozen : tuple of L
        Whether training leaves each layer unchanged.
    bits : PCG64
        The random numbers for the order of rows.
    epochs : int
        Epochs of training so far.
    schedule : ScheduleState
    """

    optimizer: Optimizer
    parameters: Real
    moments: Real
    optimizer_arrays: Real | None
    counters: NDArray[np.int64]
    lr_factors: tuple[tuple[float, float], ...]
    frozen: tuple[bool, ...]
    bits: np.random.PCG64
    epochs: int
    schedule: ScheduleState
    part: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"<State after {self.steps:,} steps, {self.epochs:,} epochs>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a State cannot be pickled, since only a Design can check it: pickle the "
            "network, or to_arrays() for from_arrays()"
        )

    @property
    def steps(self) -> int:
        """Number of steps that the optimizer has made."""
        return int(self.counters[0])

    @property
    def seen(self) -> int:
        """Number of mini-batches used; dropout and noise depend on it."""
        return int(self.counters[1])

    @property
    def layer_steps(self) -> NDArray[np.int64]:
        """Number of steps made on each layer, fewer where it was frozen; a view."""
        return self.counters[2:]

    @property
    def fixed(self) -> tuple[bool, ...]:
        """Whether a step leaves each layer as it is: frozen, or both factors are 0."""
        pairs = zip(self.lr_factors, self.frozen, strict=True)
        return tuple(frozen or not any(factors) for factors, frozen in pairs)

    # --- learning rate ----------------------------------------------------------------

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        schedule, plateau = self.optimizer.schedule, self.schedule.plateau
        if schedule is None:
            return float(self.optimizer.lr)  # type: ignore[arg-type]
        if plateau is not None:
            return plateau.lr * schedule.scale(self._time(schedule))
        return schedule(self._time(schedule))

    def rates(self, count: int) -> NDArray[np.float64] | None:
        """The learning rates of the next `count` steps, None if they are all `lr`."""
        schedule = self.optimizer.schedule
        if schedule is None or schedule.per != "step" or self.schedule.plateau:
            return None
        return rates(schedule, self._time(schedule), count)

    def _time(self, schedule: Schedule) -> int:
        """Steps or epochs since the schedule began."""
        if schedule.per == "step":
            return self.steps - self.schedule.steps
        return self.epochs - self.schedule.epochs

    # --- its arrays -------------------------------------------------------------------

    def numbers(self) -> dict[str, Real]:
        """The arrays of numbers, which must stay finite, by their names in messages.

        Training changes them in place.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 1], optimizer=bp.SGD(momentum=0.9))
        >>> list(net.learner.state.numbers())
        ['the parameters are', "the optimizer's state is"]
        """
        arrays = {"the parameters are": self.parameters}
        if self.optimizer_arrays is not None:
            arrays["the optimizer's state is"] = self.optimizer_arrays
        if self.moments.size:
            arrays["the running moments are"] = self.moments
        return arrays

    @own_errstate
    def copy(self, dtype: np.dtype[Any]) -> State:
        """A copy with arrays of its own, in a dtype.

        Examples
        --------
        >>> import numpy as np, bpcore as bp
        >>> copy = bp.Network([2, 1]).learner.state.copy(np.dtype("float64"))
        >>> copy.parameters.dtype
        dtype('float64')
        """
        optimizer_arrays = self.optimizer_arrays
        if optimizer_arrays is not None:
            flat = aligned_zeros(optimizer_arrays.size, dtype, at=OPTIMIZER_AT)
            optimizer_arrays = flat.reshape(optimizer_arrays.shape)
            optimizer_arrays[...] = self.optimizer_arrays
        parameters = aligned_zeros(self.parameters.size, dtype)
        parameters[...] = self.parameters
        bits = np.random.PCG64(0)
        bits.state = self.bits.state
        return dataclasses.replace(
            self,
            parameters=parameters,
            moments=self.moments.astype(dtype),
            optimizer_arrays=optimizer_arrays,
            counters=self.counters.copy(),
            bits=bits,
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Copies of all but the optimizer's settings, each as an array by its name.

        Examples
        --------
        >>> import bpcore as bp
        >>> arrays = bp.Network([2, 1], optimizer=bp.Adam()).learner.state.to_arrays()
        >>> arrays["parameters"].shape, arrays["optimizer.mean"].shape
        ((3,), (3,))
        """
        return {name: array.copy() for name, array in self.arrays().items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """`to_arrays` without copying: the arrays themselves, and the rest as arrays.

        Examples
        --------
        >>> import bpcore as bp
        >>> state = bp.Network([2, 1]).learner.state
        >>> state.arrays()["parameters"] is state.parameters
        True
        """
        arrays: dict[str, NDArray[Any]] = {
            "parameters": self.parameters,
            "moments": self.moments,
            "counters": self.counters,
            "epochs": np.array([self.epochs]),
            "lr_factors": np.array(self.lr_factors),
            "frozen": np.array(self.frozen),
            "bits": words_of(self.bits),
            "schedule": np.array(self.schedule[:2]),
        }
        for name, row in self.optimizer_rows().items():
            arrays[f"optimizer.{name}"] = row
        if (plateau := self.schedule.plateau) is not None:
            arrays["plateau"] = np.array(plateau, np.float64)
        if (quantity := self.schedule.quantity) is not None:
            arrays["quantity"] = np.frombuffer(quantity.to_bytes(), np.uint8)
        return arrays

    def optimizer_rows(self) -> dict[str, Real]:
        """Each array of the optimizer, (layout.size,), by its name."""
        arrays = () if self.optimizer_arrays is None else self.optimizer_arrays
        names, size = self.optimizer.states, self.parameters.size
        return {name: row[:size] for name, row in zip(names, arrays, strict=True)}

    @classmethod
    @own_errstate
    def from_arrays(
        cls,
        design: Design,
        dtype: np.dtype[Any],
        optimizer: Optimizer,
        arrays: Mapping[str, NDArray[Any]],
    ) -> State:
        """A state from arrays as `to_arrays` returns them, in the dtype of a network.

        Everything is checked: names, kinds, shapes and bounds.  Real numbers may be of
        another dtype, and are converted.

        Raises
        ------
        ValueError, TypeError
            If something is missing, unknown or not as described.
        """
        return cls.read(design, dtype, optimizer, Reader(arrays))

    @classmethod
    def read(
        cls, design: Design, dtype: np.dtype[Any], optimizer: Optimizer, read: Reader
    ) -> State:
        """`from_arrays` of the arrays of a reader, which may be a file."""
        layout, L = design.layout, len(design.norms)
        read.require("parameters", layout.size)  # before any memory is taken
        state = empty_state(design, dtype, optimizer)
        read.real_into("parameters", state.parameters)
        read_layers(design, state, read)
        for name, row in state.optimizer_rows().items():
            read.real_into(f"optimizer.{name}", row)
        state.counters[...] = read.whole("counters", 2 + L, MOST_STEPS)
        if state.layer_steps.max() > state.steps:
            raise ValueError("counters must not have more steps of a layer than of all")
        state.epochs = int(read.whole("epochs", 1, MOST_EPOCHS)[0])
        state.bits = generator_of(read.of_kind("bits", "u", (6,)))
        steps, epochs = read.of_kind("schedule", "i", (2,)).tolist()
        begun = -MOST_STEPS <= steps <= state.steps and 0 <= epochs <= state.epochs
        if not begun:
            raise ValueError("schedule must begin within what was trained")
        plateau = quantity = None
        if read.has("plateau"):
            plateau = plateau_of(read.of_kind("plateau", "f", (4,)))
        if read.has("quantity"):
            quantity = Quantity.from_bytes(
                read.of_kind("quantity", "u", None).tobytes()
            )
        follows = optimizer.schedule is not None and optimizer.schedule.plateau
        if (plateau is None) == bool(follows):
            raise ValueError("plateau must be there for a schedule that follows one")
        state.schedule = ScheduleState(steps, epochs, plateau, quantity)
        read.finish()
        return state


def read_layers(design: Design, state: State, read: Reader) -> None:
    """Read the moments, the factors of the rate and the frozen layers into a state."""
    L = len(design.norms)
    read.real_into("moments", state.moments)
    design.layout.require_variances("moments", state.moments)
    factors = read.of_kind("lr_factors", "f", (L, 2))
    state.lr_factors = layer_factors(factors.tolist(), L)
    state.frozen = frozen_layers(read.of_kind("frozen", "b", (L,)).tolist(), L)


@own_errstate
def empty_state(
    design: Design,
    dtype: np.dtype[Any],
    optimizer: Optimizer,
    parameters: Real | None = None,
) -> State:
    """A state before any training, its parameters all zero if they are not given."""
    layout, L = design.layout, len(design.norms)
    if parameters is None:
        try:
            parameters = aligned_zeros(layout.size, dtype)
        except MemoryError:
            raise MemoryError(
                f"sizes {listed(design.sizes)} give {layout.size} parameters, more "
                "than there is memory for"
            ) from None
    return State(
        optimizer=optimizer,
        parameters=parameters,
        moments=np.zeros(layout.moments_size, dtype),
        optimizer_arrays=optimizer_arrays(optimizer, layout, dtype),
        counters=np.zeros(2 + L, np.int64),
        lr_factors=((1.0, 1.0),) * L,
        frozen=(False,) * L,
        bits=np.random.PCG64(0),
        epochs=0,
        schedule=ScheduleState.begun(optimizer, 0, 0),
    )


def initial_state(
    design: Design,
    dtype: np.dtype[Any],
    optimizer: Optimizer,
    initial: Initial,
    bits: np.random.PCG64,
) -> State:
    """A state before any training, its weights and biases drawn from `bits`.

    They are drawn in the order of the parameters.  Gains, variances and the scale of
    the inputs begin at 1.
    """
    state = empty_state(design, dtype, optimizer)
    state.bits, state.lr_factors = bits, initial.lr_factors
    parts = design.layout.views(state.parameters)
    moments = design.layout.moments(state.moments)
    names = zip(initial.weights, initial.biases, strict=True)
    for W, b, gain, of_layer, (of_W, of_b) in zip(
        parts.weights, parts.biases, parts.gains, moments, names, strict=True
    ):
        if gain is not None:
            gain[...] = 1
        if of_layer is not None:
            of_layer[1] = 1
        initialize(of_W, W, bits.random_raw)
        initialize_biases(of_b, b, bits.random_raw)
    if parts.scale is not None:
        parts.scale[...] = 1
    return state


@own_errstate
def optimizer_arrays(
    optimizer: Optimizer, layout: Layout, dtype: np.dtype[Any]
) -> Real | None:
    """An optimizer's arrays before the first step, None if it has none."""
    if not optimizer.states:
        return None
    stride = layout.state_stride
    flat = aligned_zeros(len(optimizer.states) * stride, dtype, at=OPTIMIZER_AT)
    arrays = flat.reshape(-1, stride)
    for_weights, for_biases = optimizer.both()
    for name, array in zip(optimizer.states, arrays, strict=True):
        parts = layout.views(array)
        for W, b, gain in zip(parts.weights, parts.biases, parts.gains, strict=True):
            W[...], b[...] = for_weights.start(name), for_biases.start(name)
            if gain is not None:
                gain[...] = for_biases.start(name)
        if parts.scale is not None:
            parts.scale[...] = for_biases.start(name)
    return arrays
