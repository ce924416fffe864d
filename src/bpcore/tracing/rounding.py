"""How far the sums of a step may be from those of exact numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bpcore.tracing.quantities import as_float64, parts, quantity_names
from bpcore.tracing.step import Step

Array = NDArray[np.float64]


def rounding(step: Step, name: str) -> float:
    """A bound on the rounding of a quantity, in the dtype of the network.

    With K terms x in a sum it is 4 eps sqrt(K) max(sum |x|): where terms cancel, it is
    much more than eps times the sum.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.rounding import rounding
    >>> net = bp.Network([2, 1], rng=0)
    >>> net.weights[0][...] = [[1.0], [-1.0]]
    >>> t = bp.trace(net, [[1e6, 1e6]], [[0.0]])
    >>> t.z[0].item(), rounding(t, "z[0]") > 0.5
    (0.0, True)
    """
    kind, l = parts(name)
    terms, count = _terms(step, kind, l, name)
    eps = float(np.finfo(step.before.weights[0].dtype).eps)
    largest = float(np.abs(terms).max(initial=0.0))
    return 4 * eps * max(count, 4) ** 0.5 * largest


def _terms(step: Step, kind: str, l: int, name: str) -> tuple[Array, int]:
    """The sums of the absolute terms of a quantity, and their number."""
    before = step.before

    def size(array: object) -> Array:
        return np.abs(as_float64(array))

    if kind in ("z", "u") and not (kind == "z" and step.design.norms[l]):
        sums = size(step.a[l]) @ size(before.weights[l]) + size(before.biases[l])
        return sums, step.sizes[l] + 1
    after_z = None
    if kind in ("da", "dW") and l < step.n_layers:
        after_z = size(step.delta[l] if step.du[l] is None else step.du[l])
    if kind == "da" and after_z is not None:
        return after_z @ size(before.weights[l]).T, step.sizes[l + 1]
    if kind == "dW" and after_z is not None:
        return size(step.a[l]).T @ after_z, len(step.X)
    if kind == "db":
        return size(step.delta[l]).sum(axis=0), len(step.X)
    if kind == "dgain":
        return (size(step.delta[l]) * size(step.hat[l])).sum(axis=0), len(step.X)
    return as_float64(quantity_names(step)[name]()), 1
