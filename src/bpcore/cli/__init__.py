"""The command line `bpcore`; each of its commands is a module of this package."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]

#: Packages that every command needs, besides those of the library.
NEEDED = ("click", "rich")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        0: done.  1: the work failed, for example for a bad file, or the reader of the
        output is gone.  2: the command was used wrongly.  130: interrupted.  Errors are
        one line on standard error.

    Examples
    --------
    >>> from bpcore.cli import main
    >>> main(["--version"])  # doctest: +ELLIPSIS
    bpcore ...
    0
    """
    if any(_is_missing(name) for name in NEEDED):
        print(
            'bpcore: the command line needs click and rich: pip install "bpcore[cli]"',
            file=sys.stderr,
        )
        return 1
    try:
        from bpcore.cli.commands import bpcore
        from bpcore.cli.errors import status_of
    except KeyboardInterrupt:
        print("bpcore: interrupted; nothing was written", file=sys.stderr)
        return 130
    return status_of(bpcore, sys.argv[1:] if argv is None else argv)


def _is_missing(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is None
    return importlib.util.find_spec(name) is None
