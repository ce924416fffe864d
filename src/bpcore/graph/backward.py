"""The backward pass: from a result back to everything it was computed from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.graph.operations import Array

if TYPE_CHECKING:
    from bpcore.graph.variable import Variable


def in_order(
    J: Variable, left_out: Callable[[Variable], bool] | None = None
) -> list[Variable]:
    """Everything J was computed from, and J, each after its operands.

    But for variables that are `left_out`, and what only they were computed from.
    """
    order, known, waiting = [], set(), [J]
    while waiting:
        x = waiting[-1]
        new = [] if x in known else [o for o in sources(x) if o not in known]
        if left_out is not None:
            new = [o for o in new if not left_out(o)]
        if new:
            waiting += reversed(new)
            continue
        waiting.pop()
        if x not in known:
            known.add(x)
            order.append(x)
    return order


def sources(x: Variable) -> list[Variable]:
    """The operands of x that are variables."""
    return [o for o in x._operands if not isinstance(o, np.ndarray)]


@own_errstate
def backpropagate(J: Variable, seed: Array) -> dict[Variable, Array]:
    """dJ by everything it was computed from, seed by J itself.

    Networks get their stored gradients, nothing else changes.
    """
    order = in_order(J)
    computed = [(v, v._operation) for v in order if v._operation is not None]
    for _, operation in computed:
        operation.check()
    gradients = {J: seed}
    for v, operation in reversed(computed):
        for i, x in enumerate(v._operands):
            if isinstance(x, np.ndarray):
                continue
            part = operation.pull(i, gradients[v], v.value, v._values, v._options)
            part = part.astype(x.dtype, copy=False)
            gradients[x] = gradients[x] + part if x in gradients else part
    loss = float(J.value.item()) if J.size == 1 else None
    operations = [operation for _, operation in computed]
    for kind in {type(operation): None for operation in operations}:
        kind.finish([each for each in operations if type(each) is kind], loss)
    return gradients
