"""trace: one training step, with all its numbers stored."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from bpcore import arrays, checks
from bpcore.arrays import Real
from bpcore.batches.batch import Batch
from bpcore.batches.weights import ClassWeight
from bpcore.engine.dispatch import kernels
from bpcore.engine.memory import aligned_zeros, part
from bpcore.model.gradients import Gradients
from bpcore.network import Network, learner_of
from bpcore.tracing.memory import warn_of_memory
from bpcore.tracing.parameters import Parameters, parameters_of
from bpcore.tracing.traced import Trace
from bpcore.training.inputs import checked_batch, checked_class_weights
from bpcore.training.learner import Learner


def trace(
    network: Network,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight | None = None,
    *,
    apply: bool = False,
) -> Trace:
    """Every number of one training step, layer by layer.

    The step is ``network.train_step(X, y)`` by the same kernels: all numbers have the
    bits of that call, the weights after it too.

    Parameters
    ----------
    network : Network
        Not changed, unless `apply`.
    X, y, sample_weight, class_weight
        As for ``Network.fit``, one mini-batch.
    apply : bool
        Whether the network itself makes the step; by default a copy of it does.

    Returns
    -------
    Trace
        To be printed, plotted (``.plot()``), or read by the names of the equations:
        ``.a``, ``.z``, ``.delta``, ``.dW``, ``.before``, ``.after`` and more.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described, or the network cannot be trained step by
        step (a step activation; LBFGS); nothing has changed.
    DivergenceError
        If the loss is infinite or NaN; nothing has changed.

    Warns
    -----
    UserWarning
        If the trace takes more than 1 GB of memory, before it is allocated.

    Notes
    -----
    A trace of a large network takes the time of two to three steps with stored
    gradients, of a small one about half a millisecond; and memory for X twice, for a, z
    and delta of every layer, for parameters and optimizer state twice, and for the
    gradients.

    Examples
    --------
    The whole of backpropagation for a network of one weight, z = 1 x 3 + 0:

    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
    >>> net.weights[0][...] = 1
    >>> t = bp.trace(net, [[3.0]], [[2.0]])
    >>> t.z[0].item(), t.loss, t.delta[0].item(), t.dW[0].item()
    (3.0, 0.5, 1.0, 3.0)
    >>> t.before.weights[0].item(), t.after.weights[0].item(), net.weights[0].item()
    (1.0, -0.5, 1.0)
    """
    checks.instance("network", network, Network)
    apply = checks.boolean("apply", apply)
    learner = learner_of(network)
    learner.require_derivatives()
    learner.require_steps()
    given = checked_batch(learner, X, y, sample_weight, some=False)
    class_weights = checked_class_weights(learner, class_weight, given.y, whole=False)
    batch = given.times(class_weights, learner.design, some=False)
    learner.require_rows(len(batch))
    with learner.engine.reading():
        return record(network, batch, apply, (given.y, given.weight, class_weights))


def record(
    network: Network,
    batch: Batch,
    apply: bool,
    by_caller: tuple[Real, Real | None, Real | None] | None = None,
) -> Trace:
    """The trace of a checked mini-batch; the caller holds the engine's lock.

    If class weights have changed targets and weights, `by_caller` are those before, and
    the class weights.  If the optimizer makes no steps, the parameters after the step
    are those before it.
    """
    learner = learner_of(network)
    engine, state, n = learner.engine, learner.state, len(batch)
    X, targets, weights = batch.X, batch.y, batch.weight
    size, places = engine.tape_size(n, True)
    y, weight, class_weight = by_caller or (targets, weights, None)
    # Each array once: without class weights those of the caller are used in the step.
    several = (y, weight, targets, weights)
    given = {id(array): array for array in several if array is not None}
    warn_of_memory(
        "this trace takes", _bytes(learner, X, [*given.values()], size, apply)
    )
    X, dX = X.copy(), np.empty_like(X)
    flat, moments = np.empty_like(state.parameters), learner.new_moments()
    losses = np.empty(n)
    d_output = np.empty((n, learner.design.sizes[-1]), learner.dtype)
    memory = aligned_zeros(size, np.uint8)
    lr, step, seen = learner.lr, state.steps + 1, state.seen
    layer_steps = tuple((state.layer_steps + 1).tolist())
    into = flat, dX, moments, memory, losses, d_output
    loss = engine.record(X, targets, weights, *into)
    if loss != loss or not (moments is None or arrays.all_finite(moments)):
        learner.raise_divergence()
    gradients = learner.as_gradients(loss, flat, dX, moments, batch.weighs)
    before, after = _step(learner, gradients, apply)
    copies = {at: array.copy() for at, array in given.items()}
    return Trace(
        network=repr(network),
        design=learner.design,
        optimizer=state.optimizer,
        lr=lr,
        step=step,
        layer_steps=layer_steps,
        seen=seen,
        lr_factors=state.lr_factors,
        frozen=state.frozen,
        X=X,
        y=copies[id(y)],
        weight=copies.get(id(weight)),
        class_weight=class_weight,
        targets=copies[id(targets)],
        weights=copies.get(id(weights)),
        loss=loss,
        losses=losses,
        d_output=d_output,
        layers=_layers(learner, memory, places, n),
        gradients=gradients,
        before=before,
        after=after,
    )


def _step(
    learner: Learner, gradients: Gradients, apply: bool
) -> tuple[Parameters, Parameters]:
    """The parameters before and after the step of the learner, or of a copy of it."""
    design, dtype = learner.design, learner.dtype
    before = parameters_of(design, learner.state.copy(dtype))
    if not learner.makes_steps:
        return before, before
    stepper = learner if apply else learner.copy()
    stepper.apply(gradients)
    state = stepper.state.copy(dtype) if apply else stepper.state
    return before, parameters_of(design, state)


def _layers(
    learner: Learner, memory: Real, places: list[dict[str, int]], n: int
) -> tuple[dict[str, Real], ...]:
    """The arrays of the tape, by layer and name."""
    layers = []
    for at, n_out, norm in zip(
        places, learner.design.sizes[1:], learner.design.norms, strict=True
    ):
        shapes = dict.fromkeys(("a", "f", "z", "delta"), (n, n_out))
        if norm:
            shapes["hat"] = (n, n_out)
            shapes["inverse"] = (1, n_out) if norm == "batch" else (n, 1)
        if norm == "batch":
            shapes["moments"] = (2, n_out)
        layers.append(
            {
                name: part(memory, at[name], shape, learner.dtype)
                for name, shape in shapes.items()
            }
        )
    return tuple(layers)


def _bytes(
    learner: Learner, X: Real, others: list[Real], tape: int, apply: bool
) -> int:
    """The memory of a trace in bytes.

    Copies of X and of the other arguments, dX, losses and their derivatives; the tape;
    parameters, optimizer state and gradients; a workspace, if the network does not have
    one that is large enough; and scratch memory of the products, for it and for the
    copy of the network that makes the step.
    """
    state, design, n = learner.state, learner.design, len(X)
    arrays = state.optimizer_arrays
    optimizer = 0 if arrays is None else arrays.nbytes
    copies = 3  # before, after, gradients
    if not apply:  # a copy of the network makes the step
        if state.optimizer.clip_norm:  # and scales a copy of the gradient
            copies += 1
        if state.moments.size:  # its engine has memory for folded weights
            copies += 1
    size = sum(array.nbytes for array in others) + 2 * X.nbytes
    size += n * (8 + design.sizes[-1] * learner.dtype.itemsize)
    size += tape + copies * state.parameters.nbytes + 2 * optimizer
    scratch = max(
        kernels.scratch_bytes(learner.dtype.name, n, n_in, n_out)[0]
        for n_in, n_out in pairwise(design.sizes)
    )
    size += scratch * (not apply)
    if n > learner.engine.capacity:
        size += scratch
        noisy = design.sizes[0] if design.input_noise else 0
        deltas = 2 * max(design.sizes[1:])
        if design.input_scale:
            noisy, deltas = noisy + design.sizes[0], 2 * max(design.sizes)
        size += (deltas + noisy) * n * learner.dtype.itemsize
        size += learner.engine.tape_size(n)[0]
    return size
