"""One training step, with everything that it computes kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from bpcore import _validation as door
from bpcore.errors import DivergenceError
from bpcore.model.memory import aligned_zeros, part
from bpcore.network import Network
from bpcore.tracing.memory import tell
from bpcore.tracing.values import Parameters, Trace
from bpcore.weights import ClassWeight

if TYPE_CHECKING:
    from bpcore.model.gradients import Gradients
    from bpcore.model.memory import Real


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

    The step is ``network.train_step(X, y)`` by the same kernels: what is shown has the
    bits of what happens there, the weights after it too.

    Parameters
    ----------
    network : Network
        Left as it is, unless `apply`.
    X, y, sample_weight, class_weight
        As for ``Network.fit``, one mini-batch.
    apply : bool
        Whether the network makes the step; otherwise a copy of it does.

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
        If the trace takes more than 1 GB, before it takes it.

    Notes
    -----
    For a large network it takes the time of two to three steps with stored gradients,
    for a small one about a quarter of a millisecond; and memory for X twice, for a, z
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
    door.instance("network", network, Network)
    apply = door.yes_or_no("apply", apply)
    network._require_derivatives()
    network._require_steps()
    given = network._batch(X, y, sample_weight, some=False)
    class_weights = network._class_weights(class_weight, given[1], whole=False)
    batch = network._with_class_weights(given, class_weights, some=False)
    network._require_rows(len(batch[0]))
    with network._engine:
        return record(network, *batch, apply, (*given[1:], class_weights))


def record(
    network: Network,
    X: Real,
    targets: Real,
    weights: Real | None,
    apply: bool,
    by_caller: tuple[Real, Real | None, Real | None] | None = None,
) -> Trace:
    """The trace of a mini-batch that has been checked; the caller holds the engine.

    Where class weights are worked into the targets and weights, `by_caller` are those
    before, and the class weights.  Where the optimizer makes no steps, the parameters
    after it are those before.
    """
    engine, n = network._engine, len(X)
    size, places = engine.tape_size(n, True)
    y, weight, class_weight = by_caller or (targets, weights, None)
    several = (y, weight, targets, weights)
    arrays = {id(array): array for array in several if array is not None}
    given = [X, *arrays.values()]
    tell("this trace takes", _bytes(network, given, size, apply))
    X, dX = X.copy(), np.empty_like(X)
    flat, moments = np.empty_like(network.parameters), network._new_moments()
    losses = np.empty(n)
    d_output = np.empty((n, network.sizes[-1]), network.dtype)
    memory = aligned_zeros(size, np.uint8)
    lr, step, seen = network.lr, engine.steps + 1, engine.seen
    layer_steps = tuple(steps + 1 for steps in engine.layer_steps)
    into = flat, dX, moments, memory, losses, d_output
    loss = engine.record(X, targets, weights, *into)
    if loss != loss or not (moments is None or door.all_finite(moments)):
        raise DivergenceError(
            f"{network._design.diverging} of this mini-batch is not finite; nothing "
            "has changed"
        )
    weighs = weights is None or bool(weights.any())
    gradients = network._as_gradients(loss, flat, dX, moments, weighs)
    before, after = _step(network, gradients, apply)
    kept = {at: array.copy() for at, array in arrays.items()}
    return Trace(
        network=repr(network),
        design=network._design,
        optimizer=network.optimizer,
        lr=lr,
        step=step,
        layer_steps=layer_steps,
        seen=seen,
        lr_factors=network.lr_factors,
        frozen=network.frozen,
        X=X,
        y=kept[id(y)],
        weight=kept.get(id(weight)),
        class_weight=class_weight,
        targets=kept[id(targets)],
        weights=kept.get(id(weights)),
        loss=loss,
        losses=losses,
        d_output=d_output,
        layers=_layers(network, memory, places, n),
        gradients=gradients,
        before=before,
        after=after,
    )


def _step(
    network: Network, gradients: Gradients, apply: bool
) -> tuple[Parameters, Parameters]:
    """What the step changes, before it and after, in the network or in a copy."""

    def parameters(buffers: dict[str, Any]) -> Parameters:
        arrays = (buffers[name] for name in ("_parameters", "_state", "_running"))
        return Parameters.of(network._design, network.optimizer, *arrays)

    state = Network.__getstate__(network)  # copies
    before = parameters(state)
    if not network._makes_steps:
        return before, before
    step = gradients.flat, gradients.moments, len(gradients.input), gradients.weighs
    if apply:
        network._apply(*step)
        return before, parameters(Network.__getstate__(network))
    stepped = object.__new__(type(network))
    Network.__setstate__(stepped, state)
    stepped._apply(*step)
    return before, parameters(vars(stepped))


def _layers(
    network: Network, memory: Real, places: list[dict[str, int]], n: int
) -> tuple[dict[str, Real], ...]:
    """The parts of the tape, by layer and name."""
    layers = []
    for at, n_out, norm in zip(places, network.sizes[1:], network.norms, strict=True):
        shapes = dict.fromkeys(("a", "f", "z", "delta"), (n, n_out))
        if norm:
            shapes["hat"] = (n, n_out)
            shapes["inverse"] = (1, n_out) if norm == "batch" else (n, 1)
        if norm == "batch":
            shapes["moments"] = (2, n_out)
        layers.append(
            {
                name: part(memory, at[name], shape, network.dtype)
                for name, shape in shapes.items()
            }
        )
    return tuple(layers)


def _bytes(network: Network, given: list[Real], tape: int, apply: bool) -> int:
    """What a trace takes: copies of what is given, dX, losses and their derivatives;
    the tape; parameters, state, gradients.

    And a workspace, where the network has none yet that is large enough.
    """
    state = 0 if network._state is None else network._state.nbytes
    copies = 3  # before, after, gradients
    if not apply:  # the copy that makes the step
        if network.optimizer.clip_norm:  # scales a gradient of its own
            copies += 1
        if network._running.size:  # has room for folded weights
            copies += 1
    X, n = given[0], len(given[0])
    size = sum(array.nbytes for array in given) + X.nbytes
    size += n * (8 + network.sizes[-1] * network.dtype.itemsize)
    size += tape + copies * network.parameters.nbytes + 2 * state
    if n > network._engine.capacity:
        noisy = network.sizes[0] if network.input_noise else 0
        size += (2 * max(network.sizes[1:]) + noisy) * n * network.dtype.itemsize
        size += network._engine.tape_size(n)[0]
    return size
