"""Build the wheels into dist/: `make wheels`.

python packaging/wheels.py [--python COMMAND ...] [--platform NAME ...] [--abi ABI ...]

For each platform, one wheel for CPython 3.11, one for 3.12 and all later versions (the
Limited API), and one for a free-threaded CPython where one is found.  GCC compiles: its
kernels are faster than Clang's.  Zig links, for an old glibc, for musl and for arm64,
whatever this system has.  A wheel is the same bytes whenever it is built by the same
tools, and needs nothing but Python, NumPy and the C library.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
import time
import tomllib
from pathlib import Path

import inspect_wheel
from interpreters import Interpreter, found
from toolchain import PLATFORMS, Platform, missing

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"

#: What a wheel is built from.
SOURCES = (
    "src", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE",
)  # fmt: skip
#: Times in the wheel if SOURCE_DATE_EPOCH is not set: of the last commit.
LAST_COMMIT = ("git", "log", "-1", "--format=%ct")

#: 1980, the first date that a zip file can hold: where there is no commit.
FIRST_DATE = "315532800"


def main() -> None:
    """Run the command line."""
    options = parser().parse_args()
    if not os.environ.get("SOURCE_DATE_EPOCH"):
        os.environ["SOURCE_DATE_EPOCH"] = date_of_sources()
    interpreters = builders(found(options.python, oldest=11), options.abi)
    DIST.mkdir(exist_ok=True)
    names = options.platform or [*PLATFORMS]
    with tempfile.TemporaryDirectory(prefix="bpcore-wheels-") as folder:
        places = Path(folder)
        environments = {
            interpreter: environment(interpreter, places / interpreter.version)
            for interpreter in interpreters
        }
        for name in names:
            platform = PLATFORMS[name]
            if lacks := missing(platform):
                print(f"{name}: left out, {lacks} is not installed", flush=True)
                continue
            tree = copy_of_sources(places / name)
            for interpreter, python in environments.items():
                start = time.monotonic()
                wheel = build(tree, platform, interpreter, python)
                size, seconds = wheel.stat().st_size, time.monotonic() - start
                print(f"{wheel.name}: {size:,} bytes, {seconds:.0f} s", flush=True)


def date_of_sources() -> str:
    """Seconds since 1970."""
    done = subprocess.run(
        LAST_COMMIT, cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or FIRST_DATE


def builders(
    interpreters: list[Interpreter], abis: list[str] | None
) -> list[Interpreter]:
    """One interpreter with headers for each wheel of a platform."""
    chosen = {}
    for interpreter in interpreters:
        if interpreter.headers and (not abis or interpreter.abi in abis):
            chosen.setdefault(interpreter.abi, interpreter)
    for abi in abis or ("cp311", "abi3"):
        if abi not in chosen:
            raise SystemExit(f"no Python found for the wheels {abi}: use --python")
    return [*chosen.values()]


def environment(interpreter: Interpreter, folder: Path) -> Path:
    """A new environment with the tools that build; returns its Python."""
    subprocess.run([interpreter.path, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pip(python, "install", *project["build-system"]["requires"])
    return python


def pip(python: Path, *arguments: str | Path, **environ: str) -> None:
    """Run pip, quietly unless it fails."""
    command = [
        python,
        "-m",
        "pip",
        "--quiet",
        "--disable-pip-version-check",
        *arguments,
    ]
    subprocess.run(command, env=os.environ | environ, check=True)


def copy_of_sources(folder: Path) -> Path:
    """A copy of the sources: a build of each platform has its own."""
    for name in SOURCES:
        source, copy = ROOT / name, folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignore = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
            shutil.copytree(source, copy, ignore=ignore)
        else:
            shutil.copy2(source, copy)
    return folder


def build(
    tree: Path, platform: Platform, interpreter: Interpreter, python: Path
) -> Path:
    """Build one wheel into dist/, and check it."""
    place = tree / "wheels" / interpreter.version
    variables = platform.variables(interpreter)
    pip(
        python, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", place,
        f"--config-settings=--build-option=--plat-name={platform.name}", tree,
        **variables,
    )  # fmt: skip
    (wheel,) = place.glob("*.whl")
    inspect_wheel.check(wheel, platform)
    tags = "-".join(wheel.stem.split("-")[-3:])
    for old in DIST.glob(f"*-{tags}.whl"):
        old.unlink()
    return Path(shutil.move(wheel, DIST / wheel.name))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    it = argparse.ArgumentParser(
        prog="python packaging/wheels.py", description="Build the wheels into dist/."
    )
    it.add_argument(
        "--python",
        metavar="COMMAND",
        type=Path,
        nargs="+",
        default=[],
        help="interpreters with headers to build with, before those that are found",
    )
    it.add_argument(
        "--platform",
        nargs="+",
        choices=PLATFORMS,
        metavar="NAME",
        help=f"some of {', '.join(PLATFORMS)}; default: all",
    )
    it.add_argument("--abi", nargs="+", help="default: cp311 abi3")
    return it


if __name__ == "__main__":
    main()
