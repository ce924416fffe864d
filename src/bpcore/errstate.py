"""Floating-point errors: the library's own arithmetic does not depend on np.errstate.

Nor on the state of the thread's arithmetic: how it rounds, and whether it takes
subnormal numbers for 0 (csrc/arithmetic.h).

``np.errstate`` and ``np.seterr`` select what NumPy does at an overflow, an underflow, a
division by zero or an invalid operation: nothing, a warning, an exception or a call.
The library uses NumPy's value (0, infinity, NaN), and checks it where that matters, so
these settings must not raise, warn or change results in it::

    @own_errstate               in a function of the library no error is reported
    with callers_errstate():    for a call of a user's function: the caller's settings

Settings made by a user's function (``np.seterr``, ``np.seterrcall``) hold for its later
calls and remain afterwards, as if the library had not been in between.

Only the outermost call changes settings; nested calls cost almost nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

import numpy as np

from bpcore.engine.engine import arithmetic_now, set_arithmetic

P = ParamSpec("P")
R = TypeVar("R")
Class = TypeVar("Class", bound=type)

#: NumPy's settings: the report of each kind of error, and the function or object that
#: "call" and "log" use.
Settings = tuple[Any, Any]


class _Caller:
    """The caller of the library's outermost function.

    Attributes
    ----------
    context : Context
        With the caller's settings.
    arithmetic : int
        The state of the caller's arithmetic.
    """

    __slots__ = ("arithmetic", "context")

    def __init__(self) -> None:
        self.context, self.arithmetic = copy_context(), arithmetic_now()


#: None outside of such a call.
_callers: ContextVar[_Caller | None] = ContextVar("bpcore_callers", default=None)

#: In that context only: settings changed by a user's function.
_left: ContextVar[Settings | None] = ContextVar("bpcore_errstate_left", default=None)


def own_errstate(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: NumPy reports no floating-point errors during a call.

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
        caller = _Caller()
        try:
            try:
                _callers.set(caller)
                set_arithmetic()
                return quiet(*args, **kwargs)
            except BaseException:
                # An interrupt may have come within NumPy's own setting of it.
                _set(caller.context.run(_settings))
                raise
            finally:
                _callers.set(None)
                set_arithmetic(caller.arithmetic)
        finally:  # once more: an interrupt may come just before it
            _callers.set(None)
            set_arithmetic(caller.arithmetic)
            if (left := caller.context.get(_left)) is not None:
                _set(left)

    return under_own_errstate


def methods_own_errstate(cls: Class) -> Class:
    """Class decorator: `own_errstate` for all public methods that the class defines."""
    for name, method in list(vars(cls).items()):
        if isinstance(method, FunctionType) and name[0] != "_":
            setattr(cls, name, own_errstate(method))
    return cls


class callers_errstate:
    """Context manager: the caller's settings, for a call of the caller's function.

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
        self.caller = _callers.get()
        if self.caller is not None:
            self.errstate = np.errstate(all="ignore")
            self.token = _callers.set(None)
            self.errstate.__enter__()
            self.before = self.caller.context.run(_settings)
            _set(self.before)
            set_arithmetic(self.caller.arithmetic)

    def __exit__(self, *exception: object) -> None:
        if self.caller is not None:
            self.caller.arithmetic = arithmetic_now()  # perhaps changed
            set_arithmetic()
            after = _settings()
            self.errstate.__exit__(None, None, None)
            _callers.reset(self.token)
            if after != self.before:
                self.caller.context.run(_set, after)
                self.caller.context.run(_left.set, after)


def _settings() -> Settings:
    """NumPy's current settings."""
    return np.geterr(), np.geterrcall()


def _set(settings: Settings) -> None:
    """Set NumPy's settings."""
    reports, call = settings
    np.seterr(**reports)
    np.seterrcall(call)
