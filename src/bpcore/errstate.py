"""Floating-point errors: the library's own arithmetic does not depend on np.errstate.

``np.errstate`` and ``np.seterr`` say what NumPy does at an overflow, an underflow, a
division by zero or an invalid operation: nothing, a warning, an exception, a call.
Where the library computes with NumPy it takes NumPy's value (0, infinity, NaN) and
checks it where that matters, so none of these settings may raise, warn or change a
result in it.  Two things do that::

    @own_errstate               a function of the library: nothing is reported within
    with callers_errstate():    a call of the user's function: as the caller set it

What the user's function sets itself (``np.seterr``, ``np.seterrcall``) holds for the
further calls of it and stays set afterwards, as without the library in between.

Calls within calls cost next to nothing: only the outermost sets anything.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")
Class = TypeVar("Class", bound=type)

#: How NumPy reports each kind of error, and the function or object that "call" and
#: "log" use.
Settings = tuple[Any, Any]

#: The context of the caller of the outermost function of the library, with its
#: settings; None outside of one.
_callers: ContextVar[Context | None] = ContextVar("bpcore_callers", default=None)

#: In that context only: the settings that a function of the user's has left.
_left: ContextVar[Settings | None] = ContextVar("bpcore_errstate_left", default=None)


def own_errstate(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: NumPy reports no floating-point errors while the function runs.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.errstate import own_errstate
    >>> @own_errstate
    ... def log(x):
    ...     return np.log(x)
    >>> with np.errstate(all="raise"):
    ...     log(np.zeros(1))
    array([-inf])
    """
    quiet: Callable[P, R] = np.errstate(all="ignore")(function)

    @functools.wraps(function)
    def under_own_errstate(*args: P.args, **kwargs: P.kwargs) -> R:
        if _callers.get() is not None:
            return function(*args, **kwargs)
        context = copy_context()
        token = _callers.set(context)
        try:
            return quiet(*args, **kwargs)
        finally:
            _callers.reset(token)
            if (left := context.get(_left)) is not None:
                _set(left)

    return under_own_errstate


def methods_own_errstate(cls: Class) -> Class:
    """Class decorator: `own_errstate` for all public methods that the class defines."""
    for name, method in list(vars(cls).items()):
        if isinstance(method, FunctionType) and name[0] != "_":
            setattr(cls, name, own_errstate(method))
    return cls


class callers_errstate:
    """Context: the settings of the caller, for a call of the caller's function.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.errstate import callers_errstate, own_errstate
    >>> @own_errstate
    ... def call(f):
    ...     with callers_errstate():
    ...         return f()
    >>> with np.errstate(over="raise"):
    ...     call(np.geterr)["over"]
    'raise'
    """

    def __enter__(self) -> None:
        self.context = _callers.get()
        if self.context is not None:
            self.errstate = np.errstate(all="ignore")
            self.token = _callers.set(None)
            self.errstate.__enter__()
            self.before = self.context.run(_settings)
            _set(self.before)

    def __exit__(self, *exception: object) -> None:
        if self.context is not None:
            after = _settings()
            self.errstate.__exit__(None, None, None)
            _callers.reset(self.token)
            if after != self.before:
                self.context.run(_set, after)
                self.context.run(_left.set, after)


def _settings() -> Settings:
    """How NumPy reports errors now, and what it calls."""
    return np.geterr(), np.geterrcall()


def _set(settings: Settings) -> None:
    """Let NumPy report errors so."""
    how, call = settings
    np.seterr(**how)
    np.seterrcall(call)
