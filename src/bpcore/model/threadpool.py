"""The thread team as threadpoolctl shows and limits it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from bpcore.engine import engine
from bpcore.version import VERSION


def register(usable: Callable[[], int]) -> None:
    """Register with threadpoolctl, if the program has imported it.

    Parameters
    ----------
    usable : callable
        Returns the number of threads where there is no limit.  Other libraries call it
        by threadpoolctl, so that it must not raise.

    Examples
    --------
    >>> from bpcore.model.threadpool import register
    >>> register(lambda: 2)
    """
    if (module := sys.modules.get("threadpoolctl")) is not None:
        _register(module, usable)


@cache
def _register(threadpoolctl: Any, usable: Callable[[], int]) -> None:
    if hasattr(threadpoolctl, "register"):  # since its version 3.3
        threadpoolctl.register(_controller(threadpoolctl.LibController, usable))


def _controller(base: Any, usable: Callable[[], int]) -> type:
    """A class for the compiled module that has the team."""

    class Controller(base):  # type: ignore[misc]
        user_api = internal_api = "bpcore"
        filename_prefixes = (engine.__name__.rpartition(".")[2],)
        check_symbols = ("bpcore_get_num_threads", "bpcore_set_num_threads")

        def get_num_threads(self) -> int:
            return int(self.dynlib.bpcore_get_num_threads() or usable())

        def set_num_threads(self, num_threads: int) -> None:
            limits = num_threads < usable()
            self.dynlib.bpcore_set_num_threads(num_threads if limits else 0)

        def get_version(self) -> str:
            return VERSION

    return Controller
