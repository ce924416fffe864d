"""Elements: the steps from input to output of a network of another library.

Each is one function of the rows a, (n, n_units), in the order of the data.  Readers of
files and of other libraries' objects make them; ``assembly`` makes layers of them.
Arrays may be of any real dtype, and may be views of a file's bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bpcore.arrays import Real


@dataclass(frozen=True, eq=False)
class Element:
    """Base class.  `at` is the element's place in its source, for messages."""

    at: str = field(default="", kw_only=True)


@dataclass(frozen=True, eq=False)
class Linear(Element):
    """``a W + b``, with W (n_in, n_out) and b (n_out,) or None."""

    W: Real
    b: Real | None = None


@dataclass(frozen=True, eq=False)
class Affine(Element):
    """``a scale + shift``, each of shape (n_units,), or (1,) for all units."""

    scale: Real
    shift: Real


@dataclass(frozen=True, eq=False)
class BatchNorm(Element):
    """``gain (a - mean) / sqrt(variance + eps) + shift``, arrays (n_units,)."""

    gain: Real
    shift: Real
    mean: Real
    variance: Real
    eps: float


@dataclass(frozen=True, eq=False)
class LayerNorm(Element):
    """``gain (a - m) / sqrt(v + eps) + shift``, m and v the moments of each row."""

    gain: Real
    shift: Real
    eps: float


@dataclass(frozen=True, eq=False)
class Activation(Element):
    """``f(a)``, by its name in ``bpcore.ACTIVATIONS``."""

    name: str


@dataclass(frozen=True, eq=False)
class Dropout(Element):
    """Dropout of a with a probability, while training."""

    p: float


@dataclass(frozen=True, eq=False)
class BothClasses(Element):
    """``(1 - a, a)`` of one probability a."""
