"""Networks as JSON and arrays of a container, and the strict reading of them.

The parameters are an array for each W, b and gain, one after the other in the order of
the flat array of parameters, so that they can be read or mapped at once::

    weights.0  biases.0  (gains.0)  weights.1  ...  (input_scale)

The others have the names of `State.arrays`.  Of several networks in one file each has a
prefix of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore.files.native.container import Container
from bpcore.files.native.settings import as_plain, loss_of, optimizer_of
from bpcore.model.design import Design, known_optimizer, real_dtype
from bpcore.model.layout import Layout
from bpcore.model.reader import Reader
from bpcore.model.state import State, empty_state, read_layers
from bpcore.optimizers import SGD
from bpcore.quoting import quoted

#: Arrays that a file of weights only has, besides the parameters.
OF_WEIGHTS = ("moments", "lr_factors", "frozen")


class Stored(NamedTuple):
    """A network for a file: values for JSON, and arrays by name.

    Those named in `finite` must have finite numbers only.
    """

    plain: dict[str, Any]
    arrays: dict[str, Any]
    finite: frozenset[str] = frozenset()


class HowToRead(NamedTuple):
    """How networks are read from a file; see `bpcore.load`."""

    mmap: bool = False
    weights_only: bool = False
    loss: Callable[..., Any] | None = None
    lr: Callable[..., Any] | None = None


def parameter_shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
    """The shape of each array of the parameters, by its name in a file, in order.

    Examples
    --------
    >>> from bpcore.files.native.networks import parameter_shapes
    >>> from bpcore.model.layout import Layout
    >>> parameter_shapes(Layout((2, 1), (None,), has_scale=True))
    {'weights.0': (2, 1), 'biases.0': (1,), 'input_scale': (2,)}
    """
    shapes: dict[str, tuple[int, ...]] = {}
    of_layers = zip(itertools.pairwise(layout.sizes), layout.norms, strict=True)
    for l, ((n_in, n_out), norm) in enumerate(of_layers):
        shapes[f"weights.{l}"] = n_in, n_out
        shapes[f"biases.{l}"] = (n_out,)
        if norm:
            shapes[f"gains.{l}"] = (n_out,)
    if layout.has_scale:
        shapes["input_scale"] = (layout.sizes[0],)
    return shapes


def parameter_parts(layout: Layout, flat: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The arrays of the parameters, views of the flat one, by their names in a file."""
    parts, at = {}, 0
    for name, shape in parameter_shapes(layout).items():
        size = math.prod(shape)
        parts[name] = flat[at : at + size].reshape(shape)
        at += size
    return parts


def state_arrays(
    design: Design, state: State, prefix: str = ""
) -> dict[str, NDArray[Any]]:
    """The arrays of a state by their names in a file."""
    arrays = state.arrays()
    parts = parameter_parts(design.layout, arrays.pop("parameters"))
    return {f"{prefix}{name}": array for name, array in (parts | arrays).items()}


def stored(
    design: Design,
    state: State,
    dtype: np.dtype[Any],
    n_threads: int | str,
    prefix: str = "",
    *,
    weights_only: bool = False,
) -> Stored:
    """A network for a file.

    Raises
    ------
    ValueError
        If a running variance is negative: its file could not be read.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.native.networks import stored
    >>> learner = bp.Network([2, 1]).learner
    >>> network = stored(learner.design, learner.state, learner.dtype, "auto")
    >>> network.plain["sizes"], network.arrays["weights.0"].shape
    ((2, 1), (2, 1))
    """
    design.layout.require_variances("moments", state.moments)
    plain = {
        **design.to_dict(),
        "loss": as_plain(design.loss),
        "dtype": dtype.name,
        "optimizer": None if weights_only else as_plain(state.optimizer),
        "n_threads": n_threads,
    }
    arrays = state_arrays(design, state, prefix)
    if weights_only:
        kept = (*parameter_parts(design.layout, state.parameters), *OF_WEIGHTS)
        arrays = {f"{prefix}{name}": arrays[f"{prefix}{name}"] for name in kept}
    finite = {f"{prefix}{name}" for name in parameter_shapes(design.layout)}
    finite |= {
        name
        for name in arrays
        if name.startswith((f"{prefix}optimizer.", f"{prefix}moments"))
    }
    return Stored(plain, arrays, frozenset(finite))


def read_network(
    plain: Any, file: Container, how: HowToRead, prefix: str = ""
) -> tuple[Design, State, int | str]:
    """Design, state and number of threads of a network in a file.

    Raises
    ------
    ValueError, TypeError
        If anything is missing, unknown or not as described.
    """
    if not isinstance(plain, Mapping):
        raise ValueError(
            f"a network must be an object of its settings; got {quoted(plain)}"
        )
    others = {"dtype", "optimizer", "n_threads"}
    if missing := others - set(plain):
        raise ValueError(f"a network must have {', '.join(sorted(missing))}")
    fields = {name: value for name, value in plain.items() if name not in others}
    dtype = real_dtype(plain["dtype"])
    fields["loss"] = loss_of(fields.get("loss"), how.loss)
    design = Design.from_dict(fields)
    optimizer = plain["optimizer"]
    read = FileReader(file, prefix, design.layout, dtype)
    if optimizer is None or how.weights_only or how.mmap:
        state = read_weights(design, dtype, read, how)
    else:
        settings = known_optimizer(optimizer_of(optimizer, how.lr))
        state = State.read(design, dtype, settings, read)
    return design, state, plain["n_threads"]


def read_weights(
    design: Design, dtype: np.dtype[Any], read: FileReader, how: HowToRead
) -> State:
    """A state with the weights of a file, before any training."""
    read.require("parameters", design.layout.size)
    mapped = read.mapped_parameters() if how.mmap else None
    state = empty_state(design, dtype, SGD(), mapped)
    if not how.mmap:
        read.real_into("parameters", state.parameters)
    read_layers(design, state, read)
    read.skip_rest()
    return state


class FileReader(Reader):
    """Reads the arrays of one network in a file, each when it is needed.

    ``file.unread`` becomes shorter by those that are read.
    """

    def __init__(
        self, file: Container, prefix: str, layout: Layout, dtype: np.dtype[Any]
    ) -> None:
        self.file, self.prefix, self.layout, self.dtype = file, prefix, layout, dtype
        self._start: int | None = None

    def has(self, name: str) -> bool:
        return f"{self.prefix}{name}" in self.file.entries

    def take(self, name: str) -> NDArray[Any]:
        return self.file.array(f"{self.prefix}{name}")

    def require(self, name: str, size: int) -> None:
        """Raise unless the parameters are there, as the layout has them."""
        assert name == "parameters" and size == self.layout.size
        self._parameters()

    def real_into(self, name: str, out: NDArray[Any]) -> None:
        parts = {name: out}
        if name == "parameters":
            self._parameters()  # raises if they are not one after the other
            parts = parameter_parts(self.layout, out)
        self.file.read_numbers({f"{self.prefix}{own}": parts[own] for own in parts})

    def mapped_parameters(self) -> NDArray[Any]:
        """The parameters as a map of the file."""
        return self.file.mapped(self._parameters(), self.layout.size, self.dtype)

    def skip_rest(self) -> None:
        """Leave the arrays of the optimizer and of the training unread."""
        known = {"counters", "epochs", "bits", "schedule", "plateau", "quantity"}
        for name in [*self.file.unread]:
            own = name.removeprefix(self.prefix)
            if own in known or own.startswith("optimizer."):
                self.file.unread.discard(name)

    def finish(self) -> None:
        """Nothing: ``file.finish()`` raises if an array of the file was not read."""

    def _parameters(self) -> int:
        """The first byte of the parameters."""
        if self._start is None:
            shapes = parameter_shapes(self.layout)
            names = [f"{self.prefix}{name}" for name in shapes]
            self._start = self.file.span(names, list(shapes.values()), self.dtype)
        return self._start
