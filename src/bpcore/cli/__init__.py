"""The command line `bpcore`; each of its commands is a module of this package."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

import bpcore

__all__ = ["main"]

_OK, _FAILED, _MISUSED, _INTERRUPTED = 0, 1, 2, 130

#: The commands, each a module of this package with `add_options` and `execute`.
COMMANDS = {
    "demo": "train a digit classifier, compare its time with NumPy, draw the result",
    "config": "show versions, instruction sets and build settings",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        0 for success; 1 if the output was closed by its reader (a broken pipe); 2 for
        an error reported in one line on stderr; 130 if interrupted.

    Raises
    ------
    SystemExit
        With code 0, after ``--help`` and ``--version``.

    Examples
    --------
    >>> from bpcore.cli import main
    >>> main([])  # doctest: +ELLIPSIS
    usage: bpcore ...
    0
    """
    try:
        argv = sys.argv[1:] if argv is None else argv
        arguments = _parser(argv).parse_args(argv)
        arguments.execute(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Otherwise the interpreter would flush again at exit, and print an error.
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), sys.stdout.fileno())
        return _FAILED
    except (OSError, ValueError, bpcore.DivergenceError) as error:
        print(f"bpcore: error: {_message(error)}", file=sys.stderr)
        return _MISUSED
    return _OK


class _Parser(argparse.ArgumentParser):
    """A parser that raises, so that `main` reports all errors in one way."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser(argv: Sequence[str]) -> _Parser:
    """The parser; of the commands, only the one in the arguments is imported."""
    parser = _Parser(prog="bpcore", description="Train multilayer perceptrons, fast.")
    version = f"bpcore {bpcore.__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.set_defaults(execute=lambda _: parser.print_help())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    chosen = next((word for word in argv if not word.startswith("-")), "")
    for name, summary in COMMANDS.items():
        description = f"{summary[0].upper()}{summary[1:]}."
        options = commands.add_parser(name, help=summary, description=description)
        if name == chosen:
            command = _command(name)
            command.add_options(options)
            options.set_defaults(execute=command.execute)
    return parser


def _command(name: str) -> ModuleType:
    """The module of a command; its name in an import statement is for PyInstaller."""
    if name == "demo":
        from bpcore.cli import demo

        return demo
    from bpcore.cli import config

    return config


def _message(error: Exception) -> str:
    """The message of an error, without the number that an `OSError` begins with."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
