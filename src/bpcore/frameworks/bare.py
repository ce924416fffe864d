"""Bare weights: networks of arrays whose activations are given beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.activations import ACTIVATIONS
from bpcore.arrays import Real
from bpcore.losses import Loss, LossFunction
from bpcore.model.assembly import assemble
from bpcore.model.design import hidden_activations
from bpcore.model.elements import (
    Activation,
    BatchNorm,
    Element,
    LayerNorm,
    Linear,
)
from bpcore.network import Network, network_of
from bpcore.quoting import quoted


@dataclass(frozen=True)
class Settings:
    """What arrays do not say.

    Attributes
    ----------
    activation : str or sequence of str, or None
        None is for a single layer.
    output : str or None
        None is identity.
    norm_first : bool
        Whether the norm of a layer is before its activation.
    """

    activation: str | Sequence[str] | None = None
    output: str | None = None
    norm_first: bool = True

    def __post_init__(self) -> None:
        if self.output is not None:
            checks.one_of("output", self.output, ACTIVATIONS)
        checks.boolean("norm_first", self.norm_first)
        if self.activation is None:
            return
        several = not isinstance(self.activation, str)
        several = several and isinstance(self.activation, Sequence)
        for name in self.activation if several else [self.activation]:
            checks.one_of("activation", name, ACTIVATIONS)

    def elements(self, groups: Sequence[Sequence[Element]]) -> list[Element]:
        """The elements of layers that each are a product, and a norm or not."""
        count = len(groups) - 1
        if self.activation is None and count:
            raise TypeError(
                f"activation must be given for {count} hidden "
                f"layer{'s' * (count > 1)}: weights alone do not say it"
            )
        hidden = hidden_activations(self.activation or "identity", count)
        found: list[Element] = []
        names = *hidden, self.output or "identity"
        for (product, *norm), name in zip(groups, names, strict=True):
            f = Activation(name, at=product.at)
            found += [product, *norm, f] if self.norm_first else [product, f, *norm]
        return found


def require_keys(keys: Any) -> None:
    """Raise unless keys are a sequence of names, or None."""
    if keys is None:
        return
    listed = isinstance(keys, Sequence) and not isinstance(keys, str)
    if not listed or not all(isinstance(key, str) for key in keys):
        raise TypeError(f"keys must be a sequence of names; got {quoted(keys)}")


def with_output(elements: list[Element], output: str | None) -> list[Element]:
    """The elements of a model that ends in logits, and an activation of the output.

    Raises
    ------
    ValueError
        If the model ends in an activation already.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.frameworks.bare import with_output
    >>> from bpcore.model.elements import Linear
    >>> len(with_output([Linear(np.ones((2, 1)), None)], "sigmoid"))
    2
    """
    if output is None:
        return elements
    checks.one_of("output", output, ACTIVATIONS)
    last = elements[-1] if elements else None
    if isinstance(last, Activation) and last.name != "identity":
        raise ValueError(
            f"output must be None for a model that ends in {last.name}; "
            f"got {quoted(output)}"
        )
    return [*elements, Activation(output, at="output")]


def groups_of(elements: Sequence[Element]) -> list[list[Element]]:
    """Products, each with the norm that follows it.

    Raises
    ------
    ValueError
        If there is a norm without a product, or none of both.
    """
    groups: list[list[Element]] = []
    for element in elements:
        if isinstance(element, Linear):
            groups.append([element])
        elif groups and len(groups[-1]) == 1:
            groups[-1].append(element)
        else:
            raise ValueError(f"{element.at}: a norm must follow weights")
    if not groups:
        raise ValueError("there must be weights (n_in, n_out); got none")
    return groups


def network_with(
    elements: Sequence[Element], loss: str | Loss | LossFunction | None
) -> Network:
    """A network that computes elements, in float64 if an array of theirs is."""
    return network_of(*assemble(elements, dtype_of(elements), loss))


def dtype_of(elements: Sequence[Element]) -> np.dtype[np.floating]:
    """float64 if weights are of that dtype, else float32."""
    weights: list[Real] = [e.W for e in elements if isinstance(e, Linear)]
    wide = any(W.dtype == np.float64 for W in weights)
    return np.dtype(np.float64 if wide else np.float32)


def real(name: str, array: object) -> Real:
    """An array of real numbers, of float32 or float64.

    Raises
    ------
    ValueError
        If it is of another dtype.
    """
    found = np.asarray(array)
    if found.dtype not in (np.float32, np.float64):
        raise ValueError(f"{name} must be of float32 or float64; got {found.dtype}")
    return found


def batch_norm(at: str, arrays: Sequence[Real], eps: float) -> BatchNorm:
    """A batch norm of gain, shift, mean and variance."""
    gain, shift, mean, variance = arrays
    return BatchNorm(gain, shift, mean, variance, eps, at=at)


def layer_norm(at: str, arrays: Sequence[Real], eps: float) -> LayerNorm:
    """A layer norm of gain and shift."""
    gain, shift = arrays
    return LayerNorm(gain, shift, eps, at=at)
