"""Tests every wheel of a folder as installed, away from the source.

For each interpreter found: a new environment, the wheel that pip chooses for it, and
the tests, in a folder without the source.  One interpreter runs the whole suite, the
others a short list, as many at a time as there are cores.  Interpreters of newer Debian
releases and of arm64 (by qemu-user) are unpacked into a cache folder, where debootstrap
is installed and the user is root.

    python packaging/test_wheels.py [--python COMMAND] [--only VERSION] [WHEELS]

The exit status is 1 if a test failed or no wheel was tested.
"""

import argparse
import os
import platform
import shutil
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import instruction_set
import interpreters
import roots
import short_list
from environments import Environment, NoWheel, environment
from interpreters import Interpreter

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CACHES = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")

#: What the tests read, and pytest's settings.
BESIDE = ["tests", "bench", "trust", "docs", "examples"]
BESIDE += ["README.md", "CHANGELOG.md", "pyproject.toml"]

#: Debian releases with a newer Python, and those with an arm64 Python: (suite,
#: architecture).  Bookworm has 3.11, which needs a wheel of its own.
RELEASES = [("trixie", "amd64"), ("sid", "amd64")]
RELEASES += [("bookworm", "arm64"), ("trixie", "arm64")]

CHECK = """
import pathlib, sys, bpcore
packages, isa = sys.argv[1:]
assert pathlib.Path(bpcore.__file__).parents[1].samefile(packages), bpcore.__file__
assert bpcore.config()["isa"] == isa, (bpcore.config()["isa"], isa)
"""


@dataclass(frozen=True)
class Result:
    """What one interpreter did."""

    interpreter: Interpreter
    wheel: str
    isa: str
    tests: str
    seconds: float
    passed: bool

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        return (
            f"{verdict}: {self.interpreter}: {self.wheel}\n"
            f"    {self.isa}, {self.tests}, {self.seconds:.0f} s"
        )


def from_roots(cache: Path) -> Iterator[Interpreter]:
    """Interpreters of other releases and processors, as far as they work here."""
    for suite, architecture in RELEASES:
        try:
            script = roots.interpreter(suite, architecture, cache)
            interpreter = interpreters.described(script)
            if interpreter is None:
                raise roots.Unavailable(f"{script} does not start")
            yield interpreter
        except roots.Unavailable as why:
            print(f"skipped: Python of Debian {suite}, {architecture}: {why}")


def copy_tests(folder: Path) -> None:
    """Copy the tests and what they read into a new folder."""
    folder.mkdir()
    for name in BESIDE:
        if (ROOT / name).is_dir():
            unwanted = shutil.ignore_patterns("__pycache__", "*.so")
            shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
        else:
            shutil.copy(ROOT / name, folder)


def run_tests(
    made: Environment, folder: Path, tests: list[str], name: str
) -> tuple[bool, str]:
    """Run pytest in a folder; whether all passed, and its last line.

    What it prints is printed after `name`, since several run at the same time.
    """
    process = subprocess.Popen(
        [
            made.python,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--maxfail=20",
            *tests,
        ],
        cwd=folder,
        env=made.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = "no output"
    for line in process.stdout:
        print(f"{name}: {line}", end="", flush=True)
        last = line.strip("= \n") or last
    return process.wait() == 0, last


def test(interpreter: Interpreter, wheels: Path, whole: bool, work: Path) -> Result:
    """Install what pip chooses for one interpreter, and test it."""
    start = time.monotonic()
    made = environment(interpreter, work / "environment")
    wheel = made.install_bpcore(wheels, work / "report.json").name
    print(f"{interpreter}: {wheel}", flush=True)
    emulated = interpreter.machine != platform.machine()
    if whole:
        extra, tests = PROJECT["optional-dependencies"]["test"], []
    else:
        extra = short_list.REQUIREMENTS
        tests = short_list.EMULATED if emulated else short_list.TESTS
    made.install(*PROJECT["dependencies"], *extra)
    copy_tests(work / "tests")
    isa = instruction_set.best(interpreter.machine)
    subprocess.run(
        [made.python, "-c", CHECK, made.packages, isa],
        cwd=work / "tests",
        env=made.variables,
        check=True,
    )
    name = f"{interpreter.version} {interpreter.machine}"
    passed, last = run_tests(made, work / "tests", tests, name)
    seconds = time.monotonic() - start
    return Result(interpreter, wheel, isa, last, seconds, passed)


def arguments() -> argparse.Namespace:
    """Those of the command line, and of BPCORE_PYTHONS."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheels", nargs="?", type=Path, default=ROOT / "dist")
    parser.add_argument(
        "--python", type=Path, action="append", default=[], metavar="COMMAND",
        help="an interpreter to test besides those found; may be repeated "
        "(or BPCORE_PYTHONS, paths with : between them)",
    )  # fmt: skip
    parser.add_argument(
        "--only", action="append", metavar="VERSION",
        help="test these versions of Python only, such as 3.12; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--whole", default="3.11", metavar="VERSION",
        help="the version that runs the whole suite, or none (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--no-roots", action="store_true", help="only interpreters of this machine"
    )
    given = parser.parse_args()
    more = os.environ.get("BPCORE_PYTHONS", "").split(os.pathsep)
    given.python += [Path(path) for path in more if path]
    return given


def attempt(interpreter: Interpreter, wheels: Path, whole: bool) -> Result | str:
    """`test` in a folder of its own, or why there is no wheel for the interpreter."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bpcore-wheel-") as work:
        try:
            return test(interpreter, wheels, whole, Path(work))
        except NoWheel as why:
            return f"skipped: {interpreter}: {why}"
        except (subprocess.CalledProcessError, RuntimeError) as error:
            seconds = time.monotonic() - start
            return Result(interpreter, "no tests", "", str(error), seconds, False)


def main() -> None:
    """Test the wheels with each interpreter, and print what each did."""
    given = arguments()
    oldest = int(PROJECT["requires-python"].removeprefix(">=3."))
    chosen = interpreters.found(given.python, oldest)
    if not given.no_roots:
        chosen += from_roots(CACHES / "bpcore-roots")
    if given.only:
        chosen = [it for it in chosen if it.version in given.only]

    def runs_all(interpreter: Interpreter) -> bool:
        native = interpreter.machine == platform.machine()
        return native and interpreter.version == given.whole

    chosen.sort(key=runs_all, reverse=True)  # since it takes the longest
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        attempts = [
            pool.submit(attempt, each, given.wheels.resolve(), runs_all(each))
            for each in chosen
        ]
        done = [each.result() for each in attempts]
    results = [each for each in done if isinstance(each, Result)]
    skipped = [each for each in done if isinstance(each, str)]
    print("", *results, *skipped, sep="\n")
    tested = {result.wheel for result in results}
    for wheel in sorted(given.wheels.glob("*.whl")):
        if wheel.name not in tested:
            print(f"never run: {wheel.name}: no interpreter here chooses it")
    if not results or not all(result.passed for result in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
