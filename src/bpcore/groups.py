"""What the kernels read of an optimizer, checked: it may be of a user's class."""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bpcore.quoting import quoted

#: Settings of the kernels' update rules, besides the learning rate (csrc/types.h).
NUMBERS = (
    "weight_decay",
    "l1",
    "momentum",
    "dampening",
    "beta1",
    "beta2",
    "eps",
    "decay",
    "shrink",
    "grow",
    "least",
    "most",
)
FLAGS = ("decoupled", "nesterov", "centered", "eps_corrected")
#: Settings of the rules that are applied to gradients in registers.
FUSED = {"l1": 0.0, "clip_value": math.inf, "decoupled": False}
PLAIN = {
    "plain": {**FUSED, "momentum": 0.0},
    "plain_momentum": {**FUSED, "nesterov": False},
    "plain_nesterov": {**FUSED, "nesterov": True},
}


def names_of(optimizer: Any, attribute: str) -> tuple[str, ...]:
    """The names of arrays in an attribute of an optimizer.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.groups import names_of
    >>> names_of(bp.Adam(), "states")
    ('mean', 'square')
    """
    names = getattr(optimizer, attribute)
    wrong = (
        f"{attribute} of {type(optimizer).__name__} must be a tuple of different "
        f"names; got {quoted(names)}"
    )
    if not isinstance(names, tuple | list) or not all(
        isinstance(name, str) for name in names
    ):
        raise TypeError(wrong)
    if len(set(names)) < len(names):
        raise ValueError(wrong)
    return tuple(names)


def groups_of(
    optimizer: Any, rules: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of the weights and of the biases, as floats, bools and a rule.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.groups import groups_of
    >>> weights, biases = groups_of(bp.SGD(momentum=0.9), bp.kernels.RULES)
    >>> weights["momentum"], weights["clip_value"]
    (0.9, inf)
    """
    cls, groups = type(optimizer).__name__, optimizer.groups()
    two = isinstance(groups, Sequence) and len(groups) == 2
    if not two or not all(isinstance(group, Mapping) for group in groups):
        raise TypeError(
            f"groups() of {cls} must return two dicts, the settings of the weights and "
            f"of the biases; got {quoted(groups)}"
        )
    weights, biases = groups
    return (
        _checked(f"groups()[0] of {cls}", weights, rules),
        _checked(f"groups()[1] of {cls}", biases, rules),
    )


def _checked(
    place: str, group: Mapping[str, Any], rules: Collection[str]
) -> dict[str, Any]:
    """A group with each setting checked and converted."""
    checked: dict[str, Any] = {}
    for key in (*NUMBERS, *FLAGS, "rule", "lr_factor", "clip_value"):
        if key not in group:
            raise ValueError(f"{place} must have {key!r}; got {quoted([*group])}")
        name, value = f"{place}: {key!r}", group[key]
        if key == "rule":
            if not isinstance(value, str) or value not in rules:
                raise ValueError(
                    f"{name} must be one of {', '.join(rules)}; got {quoted(value)}"
                )
            checked[key] = value
        elif key in FLAGS:
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be a bool; got {quoted(value)}")
            checked[key] = value
        else:
            number = checked[key] = _number(name, value, infinite=key == "clip_value")
            if key == "clip_value" and number <= 0:
                raise ValueError(f"{name} must be above 0; got {number}")
            if key == "lr_factor" and number < 0:
                raise ValueError(f"{name} must be at least 0; got {number}")
    rule = checked["rule"]
    for key, value in PLAIN.get(rule, {}).items():
        if checked[key] != value:
            raise ValueError(
                f"{place}: {key!r} must be {value} for the rule {rule!r}; "
                f"got {checked[key]}"
            )
    return checked


def _number(name: str, value: object, *, infinite: bool) -> float:
    """A number as a float, which may be infinite or not."""
    if isinstance(value, bool | np.timedelta64) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number; got {quoted(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.nan
    if math.isfinite(number) or (infinite and number == math.inf):
        return number
    raise ValueError(
        f"{name} must be {'a number' if infinite else 'finite'}; got {quoted(value)}"
    )
