"""Joblib's processes: what they must do before the calls that are sent to them.

Joblib pickles calls in batches, for loky as for multiprocessing.  A reducer for these
batches writes another call in front of each, which unpickling makes first: only then
the names of classes in the batch are looked up.
"""

from __future__ import annotations

import copyreg
from collections.abc import Callable
from typing import Any

Function = Callable[[], object]


def call_before_batches(function: Function) -> None:
    """Have each process call a function before each batch of calls.

    It takes the place of the function given before.  Raises ImportError if joblib has
    no such batches.
    """
    from joblib.parallel import BatchedCalls

    def reduced(batch: Any) -> tuple[Any, ...]:
        rebuild, arguments = batch.__reduce__()
        return rebuilt, (Call(function), rebuild, arguments)

    copyreg.pickle(BatchedCalls, reduced)


class Call:
    """Unpickling calls the function, and gives what it returns."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def __reduce__(self) -> tuple[Function, tuple[()]]:
        return self.function, ()


def rebuilt(called: object, rebuild: Callable[..., Any], arguments: Any) -> Any:
    """The batch; what the call returned is not used."""
    return rebuild(*arguments)
