"""Fields of frozen dataclasses with checks of their values.

The settings of losses, optimizers and schedules are such dataclasses.  A field's check
is in its metadata, ``lr: float = field(metadata=NON_NEGATIVE)``, and the
``__post_init__`` of their base `CheckedFields` calls `check_fields`.
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


def instance(*kinds: type) -> dict[str, Any]:
    """Metadata of a field whose value is an instance of one of these classes."""

    def check(name: str, value: Any) -> Any:
        checks.instance(name, value, kinds)
        return value

    return checked(check)


NON_NEGATIVE = checked(checks.number, least=0.0)
POSITIVE = checked(checks.number, above=0.0)
#: At least 0 and below 1.
BELOW_1 = checked(checks.number, least=0.0, below=1.0)
#: At least 0 and at most 1.
UP_TO_1 = checked(checks.number, least=0.0, most=1.0)
#: Above 0 and below 1.
BETWEEN_0_AND_1 = checked(checks.number, above=0.0, below=1.0)
COUNT = checked(checks.integer, least=0, below=1 << 63)
POSITIVE_COUNT = checked(checks.integer, least=1, below=1 << 63)
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


class CheckedFields:
    """Base of frozen dataclasses whose pickles and copies are read strictly.

    A pickle has the fields without cached properties, which are computed anew.  When it
    is read every name must be a field's, every field must be there, and all are checked
    by ``__post_init__``, before anything of the object changes.

    Examples
    --------
    >>> import bpcore as bp
    >>> huber = bp.Huber(0.5)
    >>> huber.__setstate__({"delta": -1.0})
    Traceback (most recent call last):
        ...
    ValueError: delta must be finite and above 0; got -1.0
    >>> huber
    Huber(delta=0.5)
    """

    def __post_init__(self) -> None:
        check_fields(self)

    def __getstate__(self) -> dict[str, Any]:
        cached = {
            name
            for kind in type(self).__mro__
            for name, value in vars(kind).items()
            if isinstance(value, cached_property)
        }
        return {name: v for name, v in vars(self).items() if name not in cached}

    def __setstate__(self, stored: Mapping[str, Any]) -> None:
        name, own = type(self).__name__, fields(self)  # type: ignore[arg-type]
        checks.instance(f"a stored {name}", stored, Mapping)
        for field in own:
            if field.init and field.name not in stored:
                raise ValueError(
                    f"a stored {name} must have {field.name!r}; it is missing"
                )
        if unknown := stored.keys() - {field.name for field in own}:
            raise ValueError(
                f"a stored {name} must not have {sorted(map(repr, unknown))[0]}"
            )
        other = object.__new__(type(self))
        vars(other).update(stored)
        other.__post_init__()
        object.__setattr__(self, "__dict__", vars(other))
