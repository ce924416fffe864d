"""Fields of frozen dataclasses with checks of their values.

The settings of losses, optimizers and schedules are such dataclasses.  A field's check
is in its metadata, ``lr: float = field(metadata=NON_NEGATIVE)``, and the
``__post_init__`` of the class calls `check_fields`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from bpcore import checks
from bpcore.cached import cached_property


def checked(check: Callable[..., Any], **arguments: Any) -> dict[str, Any]:
    """Metadata of a field that ``check(name, value, **arguments)`` converts."""
    return {"check": partial(check, **arguments)}


NON_NEGATIVE = checked(checks.number, least=0.0)
POSITIVE = checked(checks.number, above=0.0)
#: At least 0 and below 1.
BELOW_1 = checked(checks.number, least=0.0, below=1.0)
#: At least 0 and at most 1.
UP_TO_1 = checked(checks.number, least=0.0, most=1.0)
#: Above 0 and below 1.
BETWEEN_0_AND_1 = checked(checks.number, above=0.0, below=1.0)
COUNT = checked(checks.integer, least=0)
POSITIVE_COUNT = checked(checks.integer, least=1)
BOOLEAN = checked(checks.boolean)


def check_fields(settings: Any) -> None:
    """Check and convert each field of a frozen dataclass that has a check.

    None is allowed if it is the default.

    Examples
    --------
    >>> from dataclasses import dataclass, field
    >>> from bpcore.fields import NON_NEGATIVE, check_fields
    >>> @dataclass(frozen=True)
    ... class Decay:
    ...     rate: float = field(metadata=NON_NEGATIVE)
    ...     def __post_init__(self):
    ...         check_fields(self)
    >>> Decay(2)
    Decay(rate=2.0)
    >>> Decay(-2)
    Traceback (most recent call last):
        ...
    ValueError: rate must be finite and at least 0; got -2.0
    """
    for setting in fields(settings):
        value = getattr(settings, setting.name)
        if "check" in setting.metadata and not (value is None is setting.default):
            converted = setting.metadata["check"](setting.name, value)
            object.__setattr__(settings, setting.name, converted)


def stored_fields(settings: Any) -> dict[str, Any]:
    """Attributes of a frozen dataclass for its pickle, except cached properties."""
    cached = {
        name
        for kind in type(settings).__mro__
        for name, value in vars(kind).items()
        if isinstance(value, cached_property)
    }
    return {name: v for name, v in vars(settings).items() if name not in cached}


def restore_fields(settings: Any, stored: Mapping[str, Any]) -> None:
    """Fill a frozen dataclass from its pickle; every field is checked again.

    Raises
    ------
    ValueError, TypeError
        If a field is missing or unknown, or its value is not allowed.
    """
    name, own = type(settings).__name__, fields(settings)
    for field in own:
        if field.init and field.name not in stored:
            raise ValueError(f"a stored {name} must have {field.name!r}; it is missing")
    if unknown := stored.keys() - {field.name for field in own}:
        raise ValueError(f"a stored {name} must not have {sorted(unknown)[0]!r}")
    for name, value in stored.items():
        object.__setattr__(settings, name, value)
    settings.__post_init__()
