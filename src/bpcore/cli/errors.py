"""Errors and warnings as lines on standard error, and exit statuses."""

from __future__ import annotations

import io
import os
import re
import sys
import warnings
from collections.abc import Sequence

import click

from bpcore.quoting import cut

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130

#: How to install what a command needs, by the name of the module that is missing.
INSTALL = {
    "pandas": 'pip install "bpcore[cli]"',
    "matplotlib": "pip install matplotlib",
    "pyarrow": "pip install pyarrow",
    "h5py": "pip install h5py",
}


def status_of(command: click.Command, argv: Sequence[str]) -> int:
    """Run a command with its arguments; the exit status.

    Examples
    --------
    >>> from bpcore.cli.commands import bpcore
    >>> from bpcore.cli.errors import status_of
    >>> status_of(bpcore, ["--version"])  # doctest: +ELLIPSIS
    bpcore ...
    0
    """
    _replace_closed_streams()
    written: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("always", category=UserWarning)
            warnings.showwarning = _show_warning
            with command.make_context("bpcore", [*argv], obj=written) as context:
                command.invoke(context)
            sys.stdout.flush()
    except click.exceptions.Exit as end:  # after --help and --version
        return end.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "bpcore"
        message = error.format_message().rstrip(".")
        return _report(f"{message} (see {path} --help)", MISUSED)
    except (KeyboardInterrupt, click.Abort):
        note(f"interrupted; {' and '.join(written) or 'nothing'} was written")
        return INTERRUPTED
    except BrokenPipeError:
        # Otherwise the interpreter would flush again at exit, and print an error.
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), sys.stdout.fileno())
        return FAILED
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in INSTALL:
            raise
        needed = f"this needs {name}, which is not installed"
        return _report(f"{needed}: {INSTALL[name]}", FAILED)
    except (OSError, ValueError, TypeError, ArithmeticError, ImportError) as error:
        return _report(_message(error), FAILED)
    except MemoryError:
        return _report("not enough memory", FAILED)
    return DONE


class ClosedOutput(io.TextIOWrapper):
    """Standard output where it is closed: nothing can be written to it.

    Examples
    --------
    >>> import io
    >>> from bpcore.cli.errors import ClosedOutput
    >>> ClosedOutput(io.BytesIO()).write("prediction")
    Traceback (most recent call last):
        ...
    OSError: standard output is closed
    """

    def write(self, text: str) -> int:
        raise OSError("standard output is closed")


def _replace_closed_streams() -> None:
    """Streams in place of those that the caller has closed."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115
    if sys.stdout is None:
        # It has a descriptor, so that no other file has that of standard output.
        nowhere = open(os.devnull, "wb")  # noqa: SIM115
        sys.stdout = ClosedOutput(nowhere, encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


#: Most characters of a message.
MESSAGE = 1000
#: Words of the functions of Python in messages, and those of the command line.
WORDS = {
    "to_c needs": "a C header needs",
    ": to_onnx writes them": ": bpcore convert can write them, to a file .onnx",
    "give keys, or": "give --keys for each of its layers in turn, or",
    "name the layers by keys": "name the layers by --keys",
    "keys must be": "--keys must be",
}


def in_one_line(message: str) -> str:
    r"""A message without line breaks, with columns as a user of a table names them.

    Examples
    --------
    >>> from bpcore.cli.errors import in_one_line
    >>> in_one_line("X['age'] must have\nnumbers")
    "column 'age' must have numbers"
    """
    for python, here in WORDS.items():
        message = message.replace(python, here)
    named = re.sub(r"\bX\[('[^']*'|\"[^\"]*\")\]", r"column \1", message)
    return printable(cut(" ".join(named.split()), MESSAGE))


def printable(text: str) -> str:
    r"""A text with escapes for characters that would control a terminal.

    Examples
    --------
    >>> from bpcore.cli.errors import printable
    >>> printable("gr\xfcn"), printable("a\x1b[31m")
    ('gr\xfcn', 'a\\x1b[31m')
    """
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )


def note(message: str, kind: str = "") -> None:
    """Write one line to standard error, of a kind such as "warning"."""
    begin = f"bpcore: {kind}: " if kind else "bpcore: "
    click.echo(begin + in_one_line(message), err=True)


def _report(message: str, status: int) -> int:
    note(message, "error")
    return status


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    note(str(message), "warning")


def _message(error: Exception) -> str:
    """The message of an error, without the number that an `OSError` begins with."""
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    return str(error) or type(error).__name__
