"""Options: the arguments of ``Network.fit`` other than the data, and their defaults."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import (
    Annotated,
    Any,
    NoReturn,
    TypedDict,
    TypeVar,
    get_type_hints,
)

from numpy.typing import ArrayLike

from bpcore.batches.weights import ClassWeight
from bpcore.metrics import MetricLike
from bpcore.quoting import quoted
from bpcore.training.history import History

#: Called as ``callback(network, history)`` after every epoch; returning True stops the
#: fit.
Callback = Callable[[Any, History], Any]

#: Called as ``callback(network, epoch, batch, loss)`` after every mini-batch; returning
#: True stops the fit.
BatchCallback = Callable[[Any, int, int, float], Any]

Function = TypeVar("Function", bound=Callable[..., Any])


class Options(TypedDict, total=False):
    """The arguments of ``Network.fit``, each with its type and its default."""

    epochs: Annotated[int, 10]
    batch_size: Annotated[int | None, None]
    shuffle: Annotated[bool, True]
    validation: Annotated[tuple[ArrayLike, ...] | float | None, None]
    sample_weight: Annotated[ArrayLike | None, None]
    class_weight: Annotated[ClassWeight | None, None]
    metrics: Annotated[MetricLike | Sequence[MetricLike] | None, None]
    monitor: Annotated[str | None, None]
    mode: Annotated[str, "auto"]
    patience: Annotated[int | None, None]
    min_delta: Annotated[float, 0.0]
    restore_best: Annotated[bool, False]
    accumulate: Annotated[int, 1]
    callbacks: Annotated[Iterable[Callback], ()]
    batch_callbacks: Annotated[Iterable[BatchCallback], ()]
    steps_per_epoch: Annotated[int | None, None]
    progress: Annotated[bool, True]
    gradient: Annotated[str, "backpropagation"]
    resume: Annotated[str | os.PathLike[str] | None, None]


@cache
def defaults() -> MappingProxyType[str, Any]:
    """The default of each option, by its name.

    Examples
    --------
    >>> from bpcore.training.options import defaults
    >>> defaults()["epochs"], defaults()["mode"]
    (10, 'auto')
    """
    hints = get_type_hints(Options, include_extras=True)
    found = {name: hint.__metadata__[0] for name, hint in hints.items()}
    return MappingProxyType(found)


def complete_options(function: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options given to a function, and the defaults of the others.

    Raises
    ------
    TypeError
        If one is unknown.
    """
    known = defaults()
    for name in given:
        if name not in known:
            reject_option(function, name, known)
    options = known.copy()
    options.update(given)
    return options


def reject_option(function: str, name: str, known: Iterable[str]) -> NoReturn:
    """Raise for an option that a function does not have, suggesting a known one."""
    import difflib  # slow to import; needed for the message only

    near = difflib.get_close_matches(name[:80].lower(), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise TypeError(
        f"{function}() got an unexpected keyword argument {quoted(name)}{hint}"
    )


def with_options(function: Function) -> Function:
    """Decorator: ``inspect.signature`` shows each option in place of ``**options``."""
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=_annotation(name),
        )
        for name, default in defaults().items()
    ]
    shown = signature.replace(parameters=[*own, *options])
    function.__signature__ = shown  # type: ignore[attr-defined]
    return function


def _annotation(name: str) -> str:
    """The type of an option, as written in `Options`."""
    written: Any = Options.__annotations__[name]
    text = getattr(written, "__forward_arg__", str(written))
    return str(text)[len("Annotated[") : text.rindex(",")]
