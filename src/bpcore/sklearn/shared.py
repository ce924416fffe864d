"""Parameters that a class shares with its base: their signature and documentation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

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
        init.__signature__ = signature.replace(parameters=[*shared, *own])
        if cls.__doc__ and base.__doc__:  # not with python -OO
            text = inspect.cleandoc(cls.__doc__)
            for name in ("parameters", "attributes"):
                text = text.replace(f"{{{name}}}", _section(base.__doc__, name))
            cls.__doc__ = text
        return cls

    return decorate


def _section(docstring: str, name: str) -> str:
    """The entries of a section of a docstring."""
    title = name.capitalize()
    found = re.search(
        rf"^{title}\n-+\n(.*?)(?=\n\n[^\n]+\n-+\n|\Z)",
        inspect.cleandoc(docstring),
        re.DOTALL | re.MULTILINE,
    )
    return found[1] if found else ""
