"""Parameters that a class shares with its base: their signature and documentation."""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from bpcore.quoting import quoted

#: What has another name in scikit-learn's networks.
RENAMED = {
    "max_iter": "'epochs'",
    "solver": "'optimizer'",
    "alpha": "the weight_decay of an optimizer, alpha / batch_size",
    "learning_rate": "'schedule'",
    "learning_rate_init": "'lr'",
    "momentum": "optimizer=bpcore.SGD(momentum=...)",
    "n_iter_no_change": "'patience'",
    "early_stopping": "'patience' with 'validation_fraction'",
    "tol": "'min_delta'",
    "hidden_layers": "'hidden_layer_sizes'",
}

Class = TypeVar("Class", bound=type)


def with_parameters_of(base: type) -> Callable[[Class], Class]:
    """Decorator of a class whose ``__init__`` passes ``**parameters`` to its base's.

    ``inspect.signature``, and so scikit-learn, shows the parameters of `base` before
    those of the class.  In its docstring ``{parameters}`` and ``{attributes}`` stand
    for the entries of those sections in the docstring of `base`.

    Examples
    --------
    >>> import inspect
    >>> from bpcore.sklearn.shared import with_parameters_of
    >>> class Base:
    ...     def __init__(self, *, a=1):
    ...         self.a = a
    >>> @with_parameters_of(Base)
    ... class Derived(Base):
    ...     def __init__(self, *, b=2, **parameters):
    ...         super().__init__(**parameters)
    ...         self.b = b
    >>> inspect.signature(Derived)
    <Signature (*, a=1, b=2)>
    """

    def decorate(cls: Class) -> Class:
        init = cls.__init__  # type: ignore[misc]
        signature = inspect.signature(init)
        shared = list(inspect.signature(base.__init__).parameters.values())  # type: ignore[misc]
        own = [
            parameter
            for parameter in list(signature.parameters.values())[1:]
            if parameter.kind is not parameter.VAR_KEYWORD
        ]
        known = [parameter.name for parameter in [*shared[1:], *own]]

        @functools.wraps(init)
        def checked(self: Any, *arguments: Any, **parameters: Any) -> None:
            require_known(cls.__name__, arguments, parameters, known)
            init(self, **parameters)

        checked.__signature__ = signature.replace(parameters=[*shared, *own])  # type: ignore[attr-defined]
        cls.__init__ = checked  # type: ignore[misc]
        if cls.__doc__ and base.__doc__:  # not with python -OO
            text = inspect.cleandoc(cls.__doc__)
            for name in ("parameters", "attributes"):
                text = text.replace(f"{{{name}}}", _section(base.__doc__, name))
            cls.__doc__ = text
        return cls

    return decorate


def require_known(
    cls: str, arguments: Sequence[Any], parameters: Iterable[str], known: Sequence[str]
) -> None:
    """Raise for arguments without a name, and for names that a class does not have."""
    if arguments:
        raise TypeError(
            f"{cls} takes its parameters by name, {cls}({known[0]}=...); got "
            f"{len(arguments)} without a name"
        )
    for name in parameters:
        if name not in known:
            near = [RENAMED[name]] if name in RENAMED else []
            near += [
                repr(one) for one in difflib.get_close_matches(name[:80], known, 1)
            ]
            hint = f"; did you mean {near[0]}?" if near else ""
            raise TypeError(f"{cls} has no parameter {quoted(name)}{hint}")


def _section(docstring: str, name: str) -> str:
    """The entries of a section of a docstring."""
    title = name.capitalize()
    found = re.search(
        rf"^{title}\n-+\n(.*?)(?=\n\n[^\n]+\n-+\n|\Z)",
        inspect.cleandoc(docstring),
        re.DOTALL | re.MULTILINE,
    )
    return found[1] if found else ""
