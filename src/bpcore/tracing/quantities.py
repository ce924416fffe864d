"""Every number of a step by its name in the equations: "delta[0]", "after.W[1]"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.quoting import quoted
from bpcore.tracing.step import Step, activation_derivative

#: Other names.
ALIASES = {"E": "loss", "dE/dX": "dX"}
#: Attributes of a step with an array for each layer, forward and backward.
BY_LAYER = ("z", "f", "kept", "u", "hat", "inverse", "delta", "du", "dW", "db", "dgain")


def quantity_names(step: Step) -> dict[str, Callable[[], Any]]:
    """A function for each name, which returns its numbers.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.quantities import quantity_names
    >>> names = quantity_names(bp.trace(bp.Network([1, 1]), [[3.0]], [[2.0]]))
    >>> names["delta[0]"]().shape
    (1, 1)
    """
    return dict(_named(step))


def _named(step: Step) -> Iterator[tuple[str, Callable[[], Any]]]:
    yield "X", lambda: step.X
    for l in range(step.n_layers + 1):
        yield f"a[{l}]", partial(_entry, step, "a", l)
        yield f"da[{l}]", partial(_entry, step, "da", l)
    for name in BY_LAYER:
        for l, array in enumerate(getattr(step, name)):
            if array is not None:
                yield f"{name}[{l}]", partial(_entry, step, name, l)
    for l in range(step.n_layers):
        yield f"derivatives[{l}]", partial(activation_derivative, step, l)
    yield "dX", lambda: step.dX
    yield "losses", lambda: step.losses
    yield "loss", lambda: step.loss
    for moment in ("after", "before"):
        parameters = getattr(step, moment)
        for name in ("W", "b", "gains"):
            for l, array in enumerate(getattr(parameters, name)):
                if array is not None:
                    yield f"{moment}.{name.rstrip('s')}[{l}]", partial(_same, array)
        if parameters.scale is not None:
            yield f"{moment}.scale", partial(_same, parameters.scale)
    if step.dscale is not None:
        yield "dscale", lambda: step.dscale


def _entry(step: Step, name: str, l: int) -> Any:
    return getattr(step, name)[l]


def _same(array: Any) -> Any:
    return array


def known_name(step: Step, name: Any) -> str:
    """The name of a quantity of the step; the message suggests the closest one.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.tracing.quantities import known_name
    >>> t = bp.trace(bp.Network([1, 1]), [[3.0]], [[2.0]])
    >>> known_name(t, "W[0]")
    Traceback (most recent call last):
        ...
    ValueError: name must be that of an equation, such as z[0], delta[0], dW[0], \
after.W[0] or loss; got 'W[0]'; did you mean 'after.W[0]'?
    """
    expected = (
        "name must be that of an equation, such as z[0], delta[0], dW[0], after.W[0] "
        f"or loss; got {quoted(name)}"
    )
    if not isinstance(name, str):
        raise TypeError(expected)
    names, short = quantity_names(step), name.replace(" ", "")
    short = short if short in names else ALIASES.get(short, short)
    if short in names:
        return short
    near = [known for known in names if known.endswith(f".{short}")]
    near += [known for known in names if known.lower() == short.lower()]
    near += difflib.get_close_matches(short[:80], names, n=1, cutoff=0.4)
    raise ValueError(expected + (f"; did you mean {near[0]!r}?" if near else ""))


def parts(name: str) -> tuple[str, int]:
    """The kind of a quantity and its layer.

    Examples
    --------
    >>> from bpcore.tracing.quantities import parts
    >>> parts("delta[0]"), parts("loss")
    (('delta', 0), ('loss', 0))
    """
    found = re.fullmatch(r"(.*)\[(\d+)\]", name)
    return (found[1], int(found[2])) if found else (name, 0)


def as_float64(array: Any) -> NDArray[np.float64]:
    """Numbers in float64, C-contiguous."""
    return np.ascontiguousarray(array, np.float64)
