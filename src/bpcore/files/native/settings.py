"""Settings as JSON: losses, optimizers and schedules, by the names of their classes.

A class is found by its name in a closed table; nothing else can be made of a file.  A
Python function is stored by its name only, and given again where it is needed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from bpcore import losses, optimizers, schedules
from bpcore.quoting import quoted

Table = Mapping[str, type]

#: The classes of settings by their names.
LOSSES: Table = {
    kind.__name__: kind
    for kind in (*(type(loss) for loss in losses.LOSSES.values()), losses.CustomLoss)
}
OPTIMIZERS: Table = {
    kind.__name__: kind
    for name in optimizers.__all__
    if issubclass(kind := getattr(optimizers, name), optimizers.Optimizer)
    and kind is not optimizers.Optimizer
}
SCHEDULES: Table = {
    kind.__name__: kind
    for name in schedules.__all__
    if isinstance(kind := getattr(schedules, name), type)
    and issubclass(kind, schedules.Schedule)
    and kind is not schedules.Schedule
}
#: Functions that are settings of this library.
FUNCTIONS: Table = {"JointQuantile": losses.JointQuantile}

#: Marks the name of a Python function.
FUNCTION = "function"


class NamedFunction:
    """In the place of a loss of which a file has the name only; it cannot be called.

    Examples
    --------
    >>> from bpcore.files.native.settings import NamedFunction
    >>> NamedFunction("cubes")(None, None)
    Traceback (most recent call last):
        ...
    ValueError: the loss is the Python function 'cubes', of which a file has ...
    """

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *arguments: Any) -> Any:
        raise ValueError(
            f"the loss is the Python function {quoted(self.__name__)}, of which a file "
            "has the name only: give it to bpcore.load(path, loss=...)"
        )


def as_plain(settings: Any) -> Any:
    """Settings as values for JSON: a dict with the class's name as "type".

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.native.settings import as_plain
    >>> as_plain(bp.Huber(0.5))
    {'type': 'Huber', 'delta': 0.5}
    """
    if dataclasses.is_dataclass(settings):
        kind = type(settings).__name__
        if kind not in {**LOSSES, **OPTIMIZERS, **SCHEDULES, **FUNCTIONS}:
            raise TypeError(f"{kind} is not a class of this library; a file needs one")
        return {"type": kind} | {
            field.name: as_plain(getattr(settings, field.name))
            for field in dataclasses.fields(settings)
            if field.init
        }
    if callable(settings):
        return {FUNCTION: getattr(settings, "__name__", type(settings).__name__)}
    if isinstance(settings, tuple):
        return [as_plain(value) for value in settings]
    return settings


def loss_of(plain: Any, given: Callable[..., Any] | None = None) -> Any:
    """The loss of plain values; `given` is its Python function, if it is one."""
    return _made("loss", plain, LOSSES, given or NamedFunction)


def optimizer_of(plain: Any, given: Callable[..., Any] | None = None) -> Any:
    """The optimizer of plain values; `given` is the Python function of its schedule.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.files.native.settings import as_plain, optimizer_of
    >>> adam = bp.Adam(bp.schedules.Exponential(0.1, 0.9), biases={"lr_factor": 2.0})
    >>> optimizer_of(as_plain(adam)) == adam
    True
    """
    return _made("optimizer", plain, OPTIMIZERS, given)


def settings_of(plain: Any) -> Any:
    """A loss, an optimizer or a schedule of plain values, without functions."""
    return _made("settings", plain, {**LOSSES, **OPTIMIZERS, **SCHEDULES}, None)


def _made(name: str, plain: Any, table: Table, function: Any) -> Any:
    """The object of a dict as `as_plain` returns it."""
    known = isinstance(plain, dict) and isinstance(plain.get("type"), str)
    if not known or plain["type"] not in table:
        raise ValueError(
            f"{name} must have a type, one of {', '.join(table)}; got {quoted(plain)}"
        )
    kind = table[plain["type"]]
    names = {field.name for field in dataclasses.fields(kind) if field.init}
    values = {key: value for key, value in plain.items() if key != "type"}
    if set(values) != names:
        raise ValueError(
            f"a stored {kind.__name__} must have {', '.join(sorted(names))}; got "
            f"{', '.join(sorted(values))[:200]}"
        )
    return kind(**{key: _value(key, value, function) for key, value in values.items()})


def _value(name: str, plain: Any, function: Any) -> Any:
    """A setting: a number, a text, a schedule, a function or a tuple of them."""
    if isinstance(plain, list):
        return tuple(_value(name, each, function) for each in plain)
    if not isinstance(plain, dict):
        return plain
    if set(plain) == {FUNCTION} and isinstance(plain[FUNCTION], str):
        return _function(name, plain[FUNCTION], function)
    return _made(name, plain, {**SCHEDULES, **FUNCTIONS}, function)


def _function(name: str, known_as: str, given: Any) -> Any:
    """The Python function of a setting, given by the caller."""
    if given is NamedFunction:
        return NamedFunction(known_as)
    if given is None:
        raise ValueError(
            "the schedule of the learning rate is the Python function "
            f"{quoted(known_as)}, of which a file has the name only: give it to "
            "bpcore.load(path, lr=...), or load without training by weights_only=True"
        )
    return given
