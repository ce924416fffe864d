"""The backward pass: from a result back to all variables that it depends on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from bpcore.errstate import own_errstate
from bpcore.graph.base import Array, Node, V, Vertex
from bpcore.interrupts import complete


def in_order(J: V, left_out: Callable[[V], bool] | None = None) -> list[V]:
    """J and all variables that it depends on, each after its operands.

    Variables for which ``left_out`` is true are omitted, as are those that only they
    depend on.

    Examples
    --------
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.backward import in_order
    >>> a, b = Variable(2.0, "a"), Variable(3.0, "b")
    >>> in_order(a * b)
    [Variable(2, name='a'), Variable(3, name='b'), Variable(6)]
    """
    order: list[V] = []
    known: set[V] = set()
    waiting: list[V | None] = [J]
    while waiting:
        x = waiting.pop()
        if x is None:  # all operands of the next one are in the order
            order.append(waiting.pop())  # type: ignore[arg-type]
        elif x not in known:
            known.add(x)
            waiting += (x, None)
            for o in reversed(x.node.operands):
                if type(o) is np.ndarray or o in known:
                    continue
                if left_out is None or not left_out(o):
                    waiting.append(o)
    return order


def sources(x: V) -> list[V]:
    """The operands of x that are variables."""
    return [o for o in x.node.operands if not isinstance(o, np.ndarray)]


def pull(v: Vertex, i: int, g: Array) -> Array:
    """The vector-Jacobian product: from dJ/dv, g, to dJ by operand i, which gave v.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.graph import Variable
    >>> from bpcore.graph.backward import pull
    >>> pull(Variable(2.0) * 3, 0, np.array(10.0)).item()
    30.0
    """
    node = v.node
    operation = node.operation
    assert operation is not None
    part = operation.pull(i, g, node.value, node.values, node.options)
    dtype = node.values[i].dtype
    return part if part.dtype == dtype else part.astype(dtype)


@own_errstate
def backpropagate(J: V, seed: Array) -> None:
    """Set ``grad`` of J and all variables that it depends on; `seed` is that of J.

    Networks get their stored gradients.  Nothing changes if an operation raises, or an
    interrupt comes: all gradients are stored, or none.
    """
    order = in_order(J)
    computed = [(v, v.node.operation) for v in order if v.node.operation is not None]
    for _, operation in computed:
        operation.check()
    gradients = {J: seed}
    sums: set[V] = set()  # those whose gradient is a sum, in an array of its own
    for v, operation in reversed(computed):
        g, node = gradients[v], v.node
        for i, x in enumerate(node.operands):
            if type(x) is np.ndarray:
                continue
            if x not in gradients:
                gradients[x] = pull(v, i, g)
            elif x in sums:
                operation.add(gradients[x], i, g, node.value, node.values, node.options)
            else:
                gradients[x] = total = gradients[x] + pull(v, i, g)
                if type(total) is np.ndarray:  # and no number, the sum of numbers
                    sums.add(x)
    loss = float(J.node.value.item()) if J.node.value.size == 1 else None
    operations = [operation for _, operation in computed]
    stores: list[Callable[[], None]] = []
    for kind in {type(operation): None for operation in operations}:
        stores += kind.finish([each for each in operations if type(each) is kind], loss)
    # Copied, since g may be a view of another array, or of one repeated number.
    found = [(x.node, np.array(g)) for x, g in gradients.items()]
    complete(partial(_store, J.node, object(), found, stores))


def _store(
    J: Node,
    began: object,
    found: list[tuple[Node, Array]],
    stores: list[Callable[[], None]],
) -> None:
    """Store all results of a backward pass; may be repeated."""
    J.began = began
    for node, grad in found:
        node.grad, node.reached_by = grad, began
    for store in stores:
        store()
