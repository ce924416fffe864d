"""Programs run as ``python`` runs them: a script, ``-m module`` or ``-c code``."""

from __future__ import annotations

import builtins
import logging
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any
from zipfile import is_zipfile

from bpcore.accel.patch import install

USAGE = """\
usage: python -m bpcore.accel script [arguments ...]
       python -m bpcore.accel -m module [arguments ...]
       python -m bpcore.accel -c code [arguments ...]

Run a program in which scikit-learn's MLPClassifier and MLPRegressor are bpcore's.
"""

#: The files of the frames between the interpreter and the program.
OWN_FILES = (
    __file__,
    os.path.join(os.path.dirname(__file__), "__main__.py"),
    runpy.run_path.__code__.co_filename,
)


def run(arguments: Sequence[str]) -> None:
    """Run a program with bpcore's classes in the place of scikit-learn's.

    Parameters
    ----------
    arguments : sequence of str
        A script, or -m and a module, or -c and code; then the program's arguments.

    Raises
    ------
    SystemExit
        As the program does; with code 2 for wrong arguments.
    """
    match arguments:
        case ["-h" | "--help"]:
            print(USAGE, end="")
        case ["-m", module, *others]:
            prepare("-m", others)
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *others]:
            prepare("-c", others, folder="")
            execute(compile(code, "<string>", "exec", dont_inherit=True))
        case [script, *others] if not script.startswith("-"):
            run_script(script, others)
        case _:
            print(USAGE, end="", file=sys.stderr)
            raise SystemExit(2)


def run_script(script: str, arguments: Sequence[str]) -> None:
    """Run a file of source, or a folder or zip file with a ``__main__.py``."""
    if os.path.isdir(script) or is_zipfile(script):
        prepare(script, arguments, folder=script)
        runpy.run_path(script, run_name="__main__")
        return
    path = os.path.abspath(script)
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        reason = f"[Errno {error.errno}] {error.strerror}"
        print(f"{sys.executable}: can't open file {path!r}: {reason}", file=sys.stderr)
        raise SystemExit(2) from None
    prepare(script, arguments, folder=os.path.dirname(os.path.realpath(path)))
    execute(compile(source, path, "exec", dont_inherit=True), path)


def prepare(program: str, arguments: Sequence[str], folder: str | None = None) -> None:
    """Install, then set sys.argv, the first folder of sys.path and sys.excepthook."""
    logger = logging.getLogger("bpcore.accel")
    handler, level = logging.StreamHandler(), logger.level
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    install()
    logger.setLevel(level)
    logger.removeHandler(handler)
    sys.argv[:] = [program, *arguments]
    if folder is not None and not sys.flags.safe_path:
        sys.path[0] = folder
    sys.excepthook = show_without_own_frames


def execute(code: CodeType, path: str | None = None) -> None:
    """Run code as the module ``__main__``, which stays there until the process ends."""
    module: Any = ModuleType("__main__")
    module.__builtins__, module.__cached__ = builtins, None  # as python sets them
    if path is not None:
        module.__file__ = path
        module.__loader__ = SourceFileLoader("__main__", path)
    sys.modules["__main__"] = module
    exec(code, vars(module))


def show_without_own_frames(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback that begins in the program, as a `sys.excepthook`."""
    while trace is not None and trace.tb_frame.f_code.co_filename in OWN_FILES:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.__excepthook__(kind, error, trace)
