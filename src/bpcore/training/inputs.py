"""Arguments of train_step, gradients, apply, ...: checked, converted, as a Batch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.arrays import Real
from bpcore.batches.batch import Batch, as_batch
from bpcore.batches.stream import stream_batch
from bpcore.batches.weights import ClassWeight, Weights, as_class_weights
from bpcore.model.gradients import Gradients, Tape
from bpcore.quoting import listed, quoted
from bpcore.training.learner import Learner


def checked_batch(
    learner: Learner,
    X: ArrayLike,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    prefix: str = "",
    *,
    some: bool = True,
) -> Batch:
    """A mini-batch or data set, checked; if `some`, a weight must be above 0."""
    design, dtype, state = learner.design, learner.dtype, learner.state
    batch = as_batch(design, dtype, X, y, sample_weight, prefix, some=some)
    return batch.apart_from(state.parameters, state.moments)


def differentiable_batch(
    learner: Learner,
    X: ArrayLike,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
) -> Batch:
    """A mini-batch for derivatives, with both kinds of weights as given, perhaps all 0.

    Raises if an activation has no derivative.
    """
    learner.require_derivatives()
    batch = checked_batch(learner, X, y, sample_weight, some=False)
    weights = checked_class_weights(learner, class_weight, batch.y, whole=False)
    return batch.times(weights, learner.design, some=False)


def step_batch(
    learner: Learner,
    X: ArrayLike,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    class_weight: ClassWeight | None,
) -> Batch:
    """`differentiable_batch` for a step.

    Raises if the optimizer cannot make a step from a mini-batch.
    """
    learner.require_derivatives()
    learner.require_steps()
    return differentiable_batch(learner, X, y, sample_weight, class_weight)


def checked_class_weights(
    learner: Learner,
    class_weight: ClassWeight | None,
    targets: Any,
    *,
    whole: bool = True,
) -> Weights | None:
    """The weight of each class; "balanced" needs the `whole` targets."""
    if class_weight is None:
        return None
    return as_class_weights(class_weight, targets, learner.design, whole=whole)


def checked_stream_batch(
    learner: Learner, item: Any, number: int, weights: Weights | None
) -> Batch:
    """A mini-batch from an iterable, checked, with class weights applied."""
    batch = stream_batch(learner.design, learner.dtype, item, number, weights)
    return batch.apart_from(learner.state.parameters, learner.state.moments)


def exact_targets(
    learner: Learner, y: ArrayLike, targets: Any, mask: NDArray[np.bool_] | None = None
) -> NDArray[Any]:
    """The caller's targets for metrics, those of the rows of a mask if it is given.

    They are integer labels if `targets` are, else float64 in the shape of y.
    """
    if targets.ndim == 1:
        return np.asarray(targets)
    exact = arrays.as_array("y", y)
    if mask is not None:
        exact = exact[mask]
    exact = exact.astype(np.float64, copy=False)
    if np.may_share_memory(exact, learner.state.parameters):
        exact = exact.copy()
    return np.asarray(exact)


def one_row_batch(
    learner: Learner, x: ArrayLike, y: ArrayLike
) -> tuple[Real, NDArray[Any]]:
    """A single row and its target as a mini-batch, checked in shape."""
    return checked_row(learner, x)[None, :], checked_target(learner, y)[None, ...]


def rows_to_pass(learner: Learner, X: ArrayLike) -> Real:
    """A copy of the rows (n, n_0) of a mini-batch, checked."""
    return arrays.as_rows("X", X, learner.design.sizes[0], learner.dtype).copy()


def checked_row(
    learner: Learner, x: ArrayLike, apart: NDArray[Any] | None = None
) -> Real:
    """A single row, checked; copied if it shares memory with the array `apart`."""
    row = arrays.as_finite("x", x, learner.dtype)
    if apart is not None and np.may_share_memory(row, apart):
        row = row.copy()
    n_in = learner.design.sizes[0]
    if row.shape != (n_in,):
        raise ValueError(f"x must have shape ({n_in},); got {row.shape}")
    return row


def checked_target(learner: Learner, y: ArrayLike) -> NDArray[Any]:
    """The label, the number or the targets of a single row, checked in shape."""
    target, n_out = arrays.as_array("y", y), learner.design.sizes[-1]
    labels = learner.design.loss.labels and n_out > 1
    expected = f"{'be an integer label, or ' if labels else ''}have shape"
    single = target.ndim == 0 and (labels or n_out == 1)
    if target.shape != (n_out,) and not single:
        raise ValueError(f"y must {expected} ({n_out},); got {target.shape}")
    if labels and target.ndim == 0 and target.dtype.kind not in "iub":
        raise TypeError(f"y must {expected} ({n_out},); got {quoted(y)}")
    if target.dtype.kind == "f":
        target = arrays.as_finite("y", target, learner.dtype)
    return target


def checked_gradients(learner: Learner, gradients: Gradients | None) -> Gradients:
    """The gradients, by default the stored ones; raises if they do not fit."""
    if gradients is None:
        gradients = learner.stored_gradients
        if gradients is None:
            raise TypeError(
                "gradients must be a Gradients, or stored by backward() of an "
                "expression with a node of this network, to be called first; got "
                "NoneType, and none are stored"
            )
        if learner.stored_at != learner.state.seen:
            raise RuntimeError(
                "the stored gradients are of before the last step: call backward() "
                "of an expression with a new node"
            )
    checks.instance("gradients", gradients, Gradients)
    learner.require_steps()
    flat = _like(learner, "gradients.flat", gradients.flat, learner.state.parameters)
    moments = gradients.moments if learner.state.moments.size else None
    if moments is not None:
        shape, n_in = np.shape(gradients.input), learner.design.sizes[0]
        if len(shape) != 2 or shape[0] < 2 or shape[1] != n_in:
            raise ValueError(
                f"gradients.input must have shape (n, {n_in}) with n at least 2; got "
                f"{shape}"
            )
        moments = _like(learner, "gradients.moments", moments, learner.state.moments)
        learner.design.layout.require_variances("gradients.moments", moments)
    return dataclasses.replace(gradients, flat=flat, moments=moments)


def _like(learner: Learner, name: str, array: Any, own: Real) -> Real:
    """An array in the network's dtype; raises unless it has the shape of `own`."""
    numbers = arrays.as_finite(name, array, learner.dtype)
    if numbers.shape != own.shape:
        raise ValueError(f"{name} must have shape {own.shape}; got {numbers.shape}")
    return numbers


def checked_derivative(learner: Learner, tape: Tape, d_output: ArrayLike) -> Real:
    """The derivative by the output, for `backward` through a tape, both checked."""
    learner.require_derivatives()
    n, n_out = require_tape(learner, tape), learner.design.sizes[-1]
    checked = arrays.as_rows("d_output", d_output, n_out, learner.dtype)
    if len(checked) != n:
        raise ValueError(
            f"d_output must have shape ({n}, {n_out}); got {checked.shape}"
        )
    return checked


def require_tape(learner: Learner, tape: Tape) -> int:
    """The number of rows of a tape; raises if it is not of a network like this one."""
    checks.instance("tape", tape, Tape)
    sizes, memory = learner.design.sizes, tape.memory
    for dtype in (np.asarray(a).dtype for a in tape.activations):
        if dtype != learner.dtype:
            raise ValueError(f"tape must be of dtype {learner.dtype.name}; got {dtype}")
    shapes = [np.shape(a) for a in tape.activations]
    n = shapes[0][0] if shapes and shapes[0] else 1
    size, _ = learner.engine.tape_size(n)
    fits = all(
        type(array) is np.ndarray and array.flags.c_contiguous
        for array in (*tape.activations, memory)
    )
    fits = fits and memory.nbytes == size and memory.dtype == np.uint8
    if shapes != [(n, width) for width in sizes] or not fits:
        raise ValueError(
            f"tape must be of a network like this one, with activations of shapes "
            f"(n, size) for the sizes {listed(sizes)}; got {shapes}"
        )
    return n


def require_numbers_in(learner: Learner, dtype: np.dtype[Any]) -> None:
    """Raise if a number of the state is too large for a dtype."""
    arrays.as_finite("parameters", learner.state.parameters, dtype)
    if learner.state.optimizer_arrays is not None:
        arrays.as_finite("optimizer state", learner.state.optimizer_arrays, dtype)
