"""The command `bpcore`: a demo to see the library work, and what it runs on."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import bpcore

if TYPE_CHECKING:
    from argparse import Namespace, _SubParsersAction

__all__ = ["main"]

_OK, _FAILED, _MISUSED, _INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments after the program's name; by default those of the process.

    Returns
    -------
    int
        0 when all went well; 2 for an error of the user's, told in one line on stderr;
        130 when interrupted; 1 when whoever read the output has gone.

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
        arguments = _parser().parse_args(argv)
        arguments.command(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Or the interpreter would flush once more at exit, and complain.
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), sys.stdout.fileno())
        return _FAILED
    except (OSError, ValueError, bpcore.DivergenceError) as error:
        print(f"bpcore: error: {_message(error)}", file=sys.stderr)
        return _MISUSED
    return _OK


class _Parser(argparse.ArgumentParser):
    """A parser that raises, so that `main` tells every error of the user's alike."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> _Parser:
    parser = _Parser(prog="bpcore", description="Train multilayer perceptrons, fast.")
    version = f"bpcore {bpcore.__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.set_defaults(command=lambda _: parser.print_help())
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_demo(commands)
    _add_config(commands)
    return parser


def _add_demo(commands: _SubParsersAction[_Parser]) -> None:
    summary = "train a digit classifier, time it beside NumPy, draw the result"
    demo = commands.add_parser("demo", help=summary, description=_sentence(summary))
    demo.add_argument(
        "--mnist",
        metavar="DIR",
        help="a folder with the four MNIST files, plain or .gz, to train on instead of "
        "the digits shipped with bpcore",
    )
    demo.add_argument(
        "--epochs",
        metavar="N",
        type=int,
        help="passes through the training data (default: 30, or 10 for MNIST)",
    )
    demo.add_argument(
        "--seed",
        metavar="N",
        type=int,
        default=0,
        help="of the initial weights and of the shuffling (default: %(default)s)",
    )
    demo.add_argument(
        "--picture",
        metavar="FILE",
        default="bpcore-demo.png",
        help="where to draw; the ending tells the format (default: %(default)s)",
    )
    demo.set_defaults(command=_demo)


def _add_config(commands: _SubParsersAction[_Parser]) -> None:
    summary = "show what the library is built for and what it runs on"
    config = commands.add_parser("config", help=summary, description=_sentence(summary))
    config.set_defaults(command=lambda _: bpcore.show_config())


def _demo(arguments: Namespace) -> None:
    from bpcore.cli import demo

    demo.run(arguments.mnist, arguments.epochs, arguments.seed, arguments.picture)


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


def _message(error: Exception) -> str:
    """Return what went wrong, without the number that an `OSError` leads with."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)
