"""Passes and steps, from kernels in order: ``bpcore.engine.engine`` in NumPy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import interrupts
from bpcore.activations import ACTIVATIONS
from bpcore.engine.memory import part
from bpcore.errstate import methods_own_errstate
from bpcore.losses import CustomLoss
from bpcore.model.design import Design
from bpcore.model.layout import Views
from bpcore.model.state import State
from bpcore.reference.activations import activate, times_derivative
from bpcore.reference.layers import (
    add_noise,
    drop,
    fold,
    follow,
    gradient,
    key_of,
    normalise,
    normalise_back,
    scale_rows,
    scale_rows_back,
    shuffle,
)
from bpcore.reference.losses import weighted_loss
from bpcore.reference.optimizers import clip_norm, descend, limit_norms

Array = NDArray[Any]

#: Most rows predicted or evaluated at a time.
ROWS_AT_A_TIME = 256
#: Numbers of a gradient whose squares make one sum of a norm.
SQUARES = 4096


@dataclass
class Layer:
    """Results of one layer for one mini-batch."""

    a: Array  # output to the next layer
    f: Array  # f(z), before dropout
    z: Array
    hat: Any = None
    inverse: Any = None
    moments: Any = None
    delta: Any = None  # dE/dz, in normalised layers dE/du

    def source(self, f: str) -> Array:
        """The array from which f' is computed: z or f(z)."""
        return self.z if ACTIVATIONS[f].needs_z else self.f


@methods_own_errstate
class Engine:
    """The compiled ``Engine`` in NumPy: same methods, same order, same buffers."""

    #: Whether one call can run several epochs.
    runs_epochs = False
    shuffle = staticmethod(shuffle)
    capacity = 0  # NumPy needs no workspace

    def __init__(self, design: Design, state: State) -> None:
        self.design, self.layers = design, range(len(design.sizes) - 1)
        #: Accumulated gradients, one per mini-batch; None where all weights are 0.
        self.waiting: list[Array | None] = []
        self.accumulate = 1
        self.use(state)

    @property
    def steps(self) -> int:
        """Steps of the optimizer so far."""
        return int(self.counters[0])

    @property
    def seen(self) -> int:
        """Mini-batches trained on so far."""
        return int(self.counters[1])

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def reading(self) -> Engine:
        """NumPy's engine has no lock."""
        return self

    def read_whole(self, read: Callable[[], Any]) -> Any:
        """The result of a function that reads the state."""
        return read()

    # --- settings and buffers ---------------------------------------------------------

    def use(
        self,
        state: State,
        values: State | None = None,
        restore: Callable[[], None] | None = None,
    ) -> None:
        """Train this state from now on, with the parameters and moments of `values`.

        `restore` writes into its arrays.
        """
        layout, lr = self.design.layout, state.lr
        if restore is not None:
            restore()
        elif values is not None:
            state.parameters[...] = values.parameters
            state.moments[...] = values.moments
        self.state, self.lr, self.optimizer = state, lr, state.optimizer
        self.scheduled = state.optimizer.schedule is not None
        self.parameters, self.lr_factors = state.parameters, state.lr_factors
        self.fixed = state.fixed
        self.counters, self.layer_steps = state.counters, state.layer_steps
        self.parts = layout.views(state.parameters)
        self.running = layout.moments(state.moments)
        self.rows = [*state.optimizer_rows().values()]
        #: The parameters that steps change, and that the optimizer's arrays are of.
        self.part = state.part or (0, layout.size)
        self.whole = state.part is None

    def lend(self) -> Array:
        """The parameters, into which the caller may write."""
        return self.parameters

    def views(self) -> Views:
        """The views of them by layer."""
        return self.parts

    def share(self) -> None:
        """Nothing: every step reads all parameters."""

    def parameters_written(self) -> None:
        """Nothing, as in `share`."""

    @property
    def accumulate(self) -> int:
        return self._accumulate

    @accumulate.setter
    def accumulate(self, mini_batches: int) -> None:
        self._accumulate = mini_batches
        self.forget_waiting()

    def forget_waiting(self) -> None:
        self.waiting, self.waiting_divisor = [], 0.0

    def use_threads(self, n_threads: int) -> None:
        """CheckedFields only; NumPy manages its own threads."""
        self.n_threads = n_threads

    def step_at_once(self, X: object, y: object) -> None:
        """No fast path in NumPy: None, so that the caller checks and converts."""

    def learn_one_at_once(self, x: object, y: object) -> None:
        """As `step_at_once`."""

    def predict_at_once(self, X: object) -> None:
        """As `step_at_once`."""

    def predict_one_at_once(self, x: object, out: Array) -> None:
        """As `step_at_once`."""

    # --- one mini-batch ---------------------------------------------------------------

    def scaled(self, X: Array) -> Array:
        """a[0]: X * scale, or X itself"""
        scale = self.parts.scale
        return X if scale is None else scale_rows(X, scale)

    def key(self, seen: int) -> int:
        """Key of the random bits of a mini-batch."""
        return key_of(self.design.seed, seen)

    def noisy(self, X: Array, key: int) -> Array:
        """X with the input noise of training."""
        if self.design.input_noise:
            return add_noise(X, key_of(key, 0), self.design.input_noise)
        return X

    def forward_pass(
        self, X: Array, training: bool, f_last: str, key: int = 0
    ) -> list[Layer]:
        """a[l+1] = drop(f[l](norm(a[l] @ W[l]) + b[l])); a[0] = X, or X * scale"""
        a, design, done = self.scaled(X), self.design, []
        for l in self.layers:
            W, b, gain = (
                self.parts.weights[l],
                self.parts.biases[l],
                self.parts.gains[l],
            )
            f = f_last if l == self.layers[-1] else design.activations[l]
            hat = inverse = moments = None
            if design.norms[l] == "batch" and not training:
                W, b = fold(W, b, gain, self.running[l])
            if design.norms[l] == "layer" or (design.norms[l] and training):
                z, hat, inverse, moments = normalise(
                    a @ W, gain, b, str(design.norms[l])
                )
            else:
                z = a @ W + b
            out = before_dropout = activate(z, f)
            if training and design.dropout[l]:
                out = drop(out, key_of(key, l + 1), design.dropout[l])
            done.append(Layer(out, before_dropout, z, hat, inverse, moments))
            a = out
        return done

    def backward_pass(
        self, X: Array, done: list[Layer], delta: Array, flat: Array, key: int
    ) -> Array:
        """Write dW[l], db[l], dgain[l] and dscale into the flat gradient; return dX."""
        design, parts = self.design, self.design.layout.views(flat)
        for l in reversed(self.layers):
            norm = design.norms[l]
            if norm:
                delta, parts.gains[l][...], parts.biases[l][...] = normalise_back(
                    delta, done[l].hat, done[l].inverse, self.parts.gains[l], norm
                )
            done[l].delta = delta
            a = done[l - 1].a if l else self.scaled(X)
            parts.weights[l][...], db = gradient(a, delta)
            if not norm:
                parts.biases[l][...] = db
            delta = delta @ self.parts.weights[l].T
            if l:
                if design.dropout[l - 1]:
                    delta = drop(delta, key_of(key, l), design.dropout[l - 1])
                f = design.activations[l - 1]
                delta = times_derivative(delta, done[l - 1].source(f), f)
        if parts.scale is not None:
            delta, parts.scale[...] = scale_rows_back(delta, X, self.parts.scale)
        return delta

    @property
    def f_last(self) -> str:
        """Activation of the loss's argument: identity if the loss takes z."""
        return "identity" if self.design.loss_takes_z else self.design.activations[-1]

    def mean_divisor(self, n: int, weight: Array | None) -> float:
        """Divisor of sum(w E) in the loss of a mini-batch: its rows n, or sum(w)."""
        return weight_sum(n, weight) if self.design.by_weights else float(n)

    def loss_pass(
        self,
        out: Layer,
        y: Array,
        weight: Array | None,
        divisor: float,
        losses: Any = None,
    ) -> tuple[float, Array]:
        """sum(w E), and the derivative of sum(w E) / divisor by the loss's argument.

        w E of each row is written into `losses`, if given.
        """
        design = self.design
        w = np.ones(len(out.a)) if weight is None else weight
        scale = 1 / divisor if divisor else 0.0
        if isinstance(design.loss, CustomLoss):
            E, delta = design.loss.weighted(out.a.copy(), y.copy(), w, scale)
        else:
            E, delta = weighted_loss(
                out.a, y, w, scale, design.loss_kernel, design.loss_setting
            )
        if losses is not None:
            losses[...] = E
        return float(E.sum()), delta

    def through_output(self, output: Layer, d_output: Array) -> Array:
        """delta[L-1] from the derivative by the loss's argument."""
        if self.design.loss_takes_z:
            return d_output
        f = self.design.activations[-1]
        return times_derivative(d_output, output.source(f), f)

    # --- steps ------------------------------------------------------------------------

    def descend_pass(self, flat: Array, lr: float) -> None:
        """One optimizer step on the parameters of this part from a stored gradient."""
        weight_group, bias_group = self.optimizer.groups()
        offsets, size = self.design.layout.offsets, self.design.layout.size
        self.counters[0] += 1
        self.layer_steps += np.logical_not(self.fixed)
        for l in self.layers:
            if self.fixed[l]:
                continue
            (of_W, of_b), at, t = self.lr_factors[l], offsets[l], self.layer_steps[l]
            self.descend_within(at.W, at.b, flat, weight_group, of_W, lr, t)
            self.descend_within(at.b, offsets[l + 1].W, flat, bias_group, of_b, lr, t)
        end = offsets[-1].W
        if end < size:
            settings = bias_group | {"lr_factor": 1.0}
            factor = self.design.input_scale
            self.descend_within(end, size, flat, settings, factor, lr, self.steps)
        if self.whole:
            self.limit_all()

    def descend_within(
        self,
        at: int,
        to: int,
        flat: Array,
        group: dict[str, Any],
        factor: float,
        lr: float,
        t: int,
    ) -> None:
        """`descend` on the parameters from `at` to `to`, those in the part only."""
        first, end = self.part
        at, to = max(at, first), min(to, end)
        if at < to:
            within = slice(at - first, to - first)
            settings = group | {"lr_factor": group["lr_factor"] * factor}
            state = _Rows([row[within] for row in self.rows])
            descend(self.parameters[at:to], flat[within], settings, lr, int(t), state)

    def limit_all(self) -> None:
        """Limit the norms of the units of all layers that are not frozen."""
        for l in self.layers:
            if self.optimizer.max_norm and not self.fixed[l]:
                limit_norms(self.parts.weights[l], self.optimizer.max_norm)

    def without_frozen(self, flat: Array) -> Array:
        """The gradient with zeros for frozen layers, so that its norm excludes them."""
        flat = flat.copy()
        parts = self.design.layout.views(flat)
        for l in self.layers:
            if self.fixed[l]:
                parts.weights[l][...] = parts.biases[l][...] = 0
                if parts.gains[l] is not None:
                    parts.gains[l][...] = 0
        return flat

    def step(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        lr: float,
        waits: bool = False,
        ends: bool = True,
    ) -> tuple[float, float]:
        """One mini-batch of training; returns sum(w E) and the divisor of its mean.

        If the loss or moments of batch norm are not finite, it returns NaN and changes
        nothing.  A mini-batch whose weights are all 0 makes no step.
        """
        divisor = self.mean_divisor(len(X), weight)
        total, gradient = 0.0, None
        if weight_sum(len(X), weight):
            total, gradient, done = self.learn(
                X, y, weight, self.key(self.seen), 1.0 if waits else divisor
            )
            if gradient is None:
                return float("nan"), divisor
            if not waits:
                self.clip_and_descend(gradient, 1.0, lr)
            for l in self.followed:
                follow(self.running[l], done[l].moments, len(X))
        self.counters[1] += 1
        if waits:
            self.waiting.append(gradient)
            self.waiting_divisor += divisor
            if len(self.waiting) == self.accumulate or ends:
                self.flush(lr)
        return total, divisor

    def learn(
        self, X: Array, y: Array, weight: Array | None, key: int, divisor: float
    ) -> tuple[float, Array | None, list[Layer]]:
        """sum(w E), and the gradient of sum(w E) / divisor; None if it diverges."""
        X = self.noisy(X, key)
        done = self.forward_pass(X, True, self.f_last, key)
        total, d_output = self.loss_pass(done[-1], y, weight, divisor)
        if not (np.isfinite(total) and self.moments_fit(done)):
            return total, None, done
        gradient = np.empty_like(self.parameters)
        delta = self.through_output(done[-1], d_output)
        self.backward_pass(X, done, delta, gradient, key)
        return total, self.without_frozen(gradient), done

    @property
    def followed(self) -> list[int]:
        """The layers whose running moments the mini-batch updates."""
        norms = self.design.norms
        return [l for l in self.layers if norms[l] == "batch" and not self.fixed[l]]

    def moments_fit(self, done: list[Layer]) -> bool:
        """Whether the running moments stay finite when updated."""
        most = np.finfo(self.parameters.dtype).max / 2
        return all((np.abs(done[l].moments) <= most).all() for l in self.followed)

    def clip_and_descend(self, flat: Array, factor: float, lr: float) -> None:
        flat = self.without_frozen(flat)
        clip_norm(flat, self.optimizer.clip_norm or np.inf, factor)
        self.descend_pass(flat, lr)

    def flush(self, lr: float | None = None) -> None:
        if (total := tree_sum(self.waiting)) is not None:
            scale = 1 / self.waiting_divisor
            self.clip_and_descend(total, scale, self.lr if lr is None else lr)
        self.forget_waiting()

    # --- steps of several processes ---------------------------------------------------

    def gradient_in_step(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        order: NDArray[np.int64] | None,
        first: int,
        n: int,
        number: int,
        flat: Array,
        moments: Array | None,
        report: object = None,
    ) -> tuple[float, float, bool, bool]:
        rows = slice(first, first + n)
        at = rows if order is None else order[rows]
        w = None if weight is None else weight[at]
        divisor = self.mean_divisor(n, w)
        if not weight_sum(n, w):
            return 0.0, divisor, False, True
        key = self.key(self.seen + number)
        total, gradient, done = self.learn(X[at], y[at], w, key, 1.0)
        if gradient is None:
            return total, divisor, True, False
        flat[...] = gradient
        self.copy_moments(done, moments)
        return total, divisor, True, True

    def step_from_sum(
        self,
        gradient: Array,
        factor: float,
        lr: float,
        moments: Array,
        rows: Array,
        batches: int,
    ) -> None:
        gradient[...] = gradient.astype(np.float64) * factor
        self.descend_pass(gradient, lr)
        for each, n in zip(moments, rows, strict=True):
            self.follow(each, n)
        self.counters[1] += batches

    def parts_joined(self) -> None:
        if not self.whole:
            self.limit_all()

    def follow(self, moments: Array, n: int) -> None:
        new = self.design.layout.moments(moments)
        for l in self.followed:
            follow(self.running[l], new[l], n)

    def sums_of_squares(self, gradient: Array, scale: float) -> Array:
        wide = gradient.astype(np.float64) * scale
        parts = [wide[i : i + SQUARES] for i in range(0, len(wide), SQUARES)]
        return np.array([(part * part).sum() for part in parts])

    def largest(self, gradient: Array) -> float:
        return float(np.abs(gradient).max()) if len(gradient) else 0.0

    # --- what Network calls -----------------------------------------------------------

    def predict(self, X: Array, out: Array, checks_X: bool) -> bool:
        for rows in slices(len(X)):
            if checks_X and not np.isfinite(X[rows]).all():
                return False
            done = self.forward_pass(X[rows], False, self.design.activations[-1])
            out[rows] = done[-1].a
        return True

    def evaluate(self, X: Array, y: Array, weight: Array | None) -> tuple[float, float]:
        total = divisor = 0.0
        for rows in slices(len(X)):
            w = None if weight is None else weight[rows]
            out = self.forward_pass(X[rows], False, self.f_last)[-1]
            part = weight_sum(len(out.a), w)
            total += self.loss_pass(out, y[rows], w, part)[0]
            divisor += part
        return total, divisor

    def train_step(self, X: Array, y: Array, weight: Array | None) -> float:
        total, divisor = self.step(X, y, weight, self.lr)
        return total / divisor if divisor else total

    def losses(self, a: Array, y: Array, weight: Array) -> Array:
        assert isinstance(self.design.loss, CustomLoss)
        return self.design.loss.weighted(a, y, weight, 1.0)[0]

    def run(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        order: NDArray[np.int64] | None,
        batch_size: int,
        first: int,
        total: float,
        divisor: float,
        most: int,
        ends: bool,
        rates: Any,
        progress: Callable[[int], object] | None = None,
    ) -> tuple[int, float, float, bool]:
        first_step, made = self.steps, 0
        deadline = time.monotonic() + float(interrupts.SLICE)
        while first < len(X) and (made < most or not most):
            end = min(first + batch_size, len(X))
            if "batch" in self.design.norms and len(X) - end == 1:
                end = len(X)  # no mini-batch of one row
            rows = slice(first, end)
            at = rows if order is None else order[rows]
            w = None if weight is None else weight[at]
            lr = self.lr
            if rates is not None:
                lr = float(rates[min(self.steps - first_step, len(rates) - 1)])
            interrupts.raise_if_stopped()
            waits, last = self.accumulate > 1, ends and end == len(X)
            loss, size = self.step(X[at], y[at], w, lr, waits, last)
            if not np.isfinite(loss):
                return first, total, divisor, False
            first, total, divisor = end, total + loss, divisor + size
            made += 1
            if progress and (end == len(X) or time.monotonic() >= deadline):
                progress(first)
                deadline = time.monotonic() + float(interrupts.SLICE)
        return first, total, divisor, True

    def gradients(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        flat: Array,
        dX: Array | None,
        moments: Array | None,
    ) -> float:
        key = self.key(self.seen)
        X = self.noisy(X, key)
        done = self.forward_pass(X, True, self.f_last, key)
        divisor = self.mean_divisor(len(X), weight)
        total, d_output = self.loss_pass(done[-1], y, weight, divisor)
        delta = self.through_output(done[-1], d_output)
        input_gradient = self.backward_pass(X, done, delta, flat, key)
        if dX is not None:
            dX[...] = input_gradient
        self.copy_moments(done, moments)
        return total / divisor if divisor else 0.0

    def training_loss(
        self, X: Array, y: Array, weight: Array | None, moments: Array | None
    ) -> float:
        key = self.key(self.seen)
        done = self.forward_pass(self.noisy(X, key), True, self.f_last, key)
        divisor = self.mean_divisor(len(X), weight)
        total, _ = self.loss_pass(done[-1], y, weight, divisor)
        self.copy_moments(done, moments)
        return total / divisor if divisor else 0.0

    def copy_moments(self, done: list[Layer], moments: Array | None) -> None:
        if moments is not None:
            every = [layer.moments for layer in done]
            norms = self.design.norms
            parts = [m for m, norm in zip(every, norms, strict=True) if norm == "batch"]
            moments[...] = np.concatenate([part.ravel() for part in parts])

    def tape_size(
        self, n: int, everything: bool = False
    ) -> tuple[int, list[dict[str, int]]]:
        """Bytes of a tape of activations, or of all arrays; and the arrays' offsets."""
        size = 0
        offsets: list[dict[str, int]] = []
        for width, norm in zip(self.design.sizes[1:], self.design.norms, strict=True):
            parts = {"a": n * width}
            if everything:
                parts |= dict.fromkeys(("f", "z", "delta"), n * width)
            if everything and norm:
                parts["hat"] = n * width
                parts["inverse"] = width if norm == "batch" else n
            if everything and norm == "batch":
                parts["moments"] = 2 * width
            offsets.append({})
            for name, elements in parts.items():
                offsets[-1][name] = size
                size += elements * self.parameters.itemsize
        return size, offsets

    def into_tape(
        self, done: list[Layer], memory: Array, everything: bool = False
    ) -> None:
        """Copy the arrays of every layer into a tape."""
        _, offsets = self.tape_size(len(done[0].a), everything)
        for layer, own in zip(done, offsets, strict=True):
            for name, at in own.items():
                array = getattr(layer, name)
                part(memory, at, array.shape, array.dtype)[...] = array

    def forward(self, X: Array, memory: Array) -> None:
        X[...] = self.noisy(X, self.key(self.seen))
        self.into_tape(self.tape_pass(X, self.seen), memory)

    def record(
        self,
        X: Array,
        y: Array,
        weight: Array | None,
        flat: Array,
        dX: Array,
        moments: Array | None,
        memory: Array,
        losses: Array,
        d_output: Array,
    ) -> float:
        key = self.key(self.seen)
        X[...] = self.noisy(X, key)
        done = self.forward_pass(X, True, self.f_last, key)
        output = done[-1]
        divisor = self.mean_divisor(len(X), weight)
        total, d_output[...] = self.loss_pass(output, y, weight, divisor, losses)
        if self.design.loss_takes_z:
            output.a = output.f = activate(output.z, self.design.activations[-1])
        delta = self.through_output(output, d_output)
        dX[...] = self.backward_pass(X, done, delta, flat, key)
        self.into_tape(done, memory, everything=True)
        self.copy_moments(done, moments)
        if not np.isfinite(total):
            return float("nan")
        return total / divisor if divisor else 0.0

    def tape_pass(self, X: Array, seen: int) -> list[Layer]:
        """The forward pass, computed again, since a tape has only the activations a."""
        return self.forward_pass(X, True, self.design.activations[-1], self.key(seen))

    def backward(
        self,
        X: Array,
        memory: Array,
        seen: int,
        d_output: Array,
        flat: Array,
        dX: Array,
        moments: Array | None,
    ) -> None:
        done = self.tape_pass(X, seen)
        f = self.design.activations[-1]
        delta = times_derivative(d_output, done[-1].source(f), f)
        dX[...] = self.backward_pass(X, done, delta, flat, self.key(seen))
        self.copy_moments(done, moments)

    def apply(self, flat: Array, moments: Array | None, n: int) -> None:
        self.clip_and_descend(flat, 1.0, self.lr)
        self.counters[1] += 1
        if moments is not None:
            self.follow(moments, n)


def slices(n: int) -> Iterator[slice]:
    """Slices of rows to predict or evaluate, each after a check for interrupts."""
    for first in range(0, n, ROWS_AT_A_TIME):
        interrupts.raise_if_stopped()
        yield slice(first, first + ROWS_AT_A_TIME)


def weight_sum(n: int, weight: Array | None) -> float:
    """sum(w) of n rows; where each output has a weight, w is the row's mean."""
    if weight is None:
        return float(n)
    return float((weight if weight.ndim == 1 else weight.mean(axis=1)).sum())


def tree_sum(gradients: Sequence[Array | None]) -> Array | None:
    """The sum of the gradients of mini-batches, as a binary tree over their numbers.

    The left subtree has the largest power of two below their number.  So every block of
    2^j gradients that starts at a multiple of 2^j is a subtree, and 2, 4 or 8 processes
    can each sum one.  None, for a mini-batch whose weights are all 0, adds nothing.

    Examples
    --------
    >>> from bpcore.reference.engine import tree_sum
    >>> tree_sum(["a", "b", "c", None, "e"])
    'abce'
    """
    if len(gradients) < 2:
        return gradients[0] if gradients else None
    half = 1 << (len(gradients) - 1).bit_length() - 1
    left, right = tree_sum(gradients[:half]), tree_sum(gradients[half:])
    if left is None or right is None:
        return right if left is None else left
    return left + right


class _Rows:
    """A list of state arrays; assigning to an item updates the array in place."""

    def __init__(self, arrays: list[Array]) -> None:
        self.arrays = arrays

    def __getitem__(self, i: int) -> Array:
        return self.arrays[i]

    def __setitem__(self, i: int, value: Array) -> None:
        self.arrays[i][...] = value
