"""Programs put together by PyInstaller have all that bpcore imports and reads."""

import glob
import importlib.util
import os
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import bpcore
from bpcore.__pyinstaller import get_hook_dirs

PACKAGE = Path(bpcore.__file__).parent
ROOT = Path(__file__).parents[1]
PYPROJECT, SOURCE = ROOT / "pyproject.toml", ROOT / "src"
(HOOKS,) = get_hook_dirs()
OPTIONAL = {"__main__", "cli", "demo", "__pyinstaller", "accel", "sklearn"}


@pytest.fixture(scope="module")
def hook():
    return runpy.run_path(str(Path(HOOKS) / "hook-bpcore.py"))


def in_the_package():
    """Every module but the optional ones, by the names of the files."""
    found = {"bpcore"}
    for path in PACKAGE.rglob("*"):
        *folders, name = path.relative_to(PACKAGE).parts
        module = name.split(".")[0]
        if OPTIONAL & {*folders, module} or "__pycache__" in folders:
            continue
        if path.suffix in (".py", ".so", ".pyd"):
            parts = folders if module == "__init__" else [*folders, module]
            found.add(".".join(["bpcore", *parts]))
    return found


def test_every_module_is_named(hook):
    assert {*hook["hiddenimports"]} == in_the_package()
    assert len(hook["hiddenimports"]) == len({*hook["hiddenimports"]})


def test_what_is_imported_by_a_computed_name_is_among_them(hook):
    names = {*hook["hiddenimports"]}
    for module in ("tracing", "tracing.flow", "graph", "graph.copies", "datasets"):
        assert f"bpcore.{module}" in names
    assert {"bpcore.engine.engine", "bpcore._kernels", "bpcore.show.figure"} <= names


def test_the_data_are_among_it(hook):
    (folder, inside), *of_pages = hook["datas"]
    assert inside == "bpcore/datasets/data"
    assert Path(folder, "digits.zlib").is_file()
    found = {name for pattern, _ in of_pages for name in glob.glob(pattern)}
    folder = PACKAGE / "tracing" / "page"
    assert {Path(name) for name in found} == {
        path for path in folder.iterdir() if path.suffix in (".html", ".css", ".js")
    }
    assert {inside for _, inside in of_pages} == {"bpcore/tracing/page"}


def test_the_hook_does_not_import_the_package():
    code = f"""
import runpy, sys
runpy.run_path({str(Path(HOOKS) / "hook-bpcore.py")!r})
print(*(name for name in sys.modules if name.split(".")[0] in ("bpcore", "numpy")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == [], done.stderr


@pytest.mark.skipif(not SOURCE.is_dir(), reason="needs the source tree")
def test_the_hook_is_declared_and_installed():
    project = tomllib.loads(PYPROJECT.read_text())
    entry = project["project"]["entry-points"]["pyinstaller40"]["hook-dirs"]
    module, function = entry.split(":")
    assert getattr(importlib.import_module(module), function)() == [HOOKS]
    packages = project["tool"]["setuptools"]["packages"]
    assert {*packages} == {
        ".".join(path.parent.relative_to(SOURCE).parts)
        for path in SOURCE.rglob("__init__.py")
    }


# --- for real -------------------------------------------------------------------------

PROGRAM = """
import numpy as np
import bpcore as bp
from bpcore.datasets import load_digits

X, y = load_digits()
net = bp.Network([64, 16, 10], loss="cross_entropy", optimizer=bp.Adam(3e-3), rng=0)
net.fit(X, y, epochs=3, progress=False, callbacks=[bp.GradientFlow(X[:50], y[:50])])
print(len(bp.trace(net, X[:2], y[:2]).text()) > 0)
x = bp.graph.Variable(3.0)
(x * x).backward()
print(x.grad == 6, bp.reference.Network([2, 1], rng=0).predict([1.0, 2.0]).shape)
print(*bp.config()["available"])
print(net.predict(X).argmax(1).tolist())
"""


def test_a_program(tmp_path):
    """It has every build of the kernels, and computes what the source does."""
    pytest.importorskip("PyInstaller")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    build = subprocess.run(
        [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=WARN"]
        + ["--additional-hooks-dir", HOOKS, "--paths", str(PACKAGE.parent)]
        + [f"--exclude-module={name}" for name in ("matplotlib", "scipy", "pandas")]
        + ["--distpath", str(tmp_path / "dist"), "--workpath", str(tmp_path / "build")]
        + ["--specpath", str(tmp_path), str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert build.returncode == 0, build.stderr
    clean = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    done = subprocess.run(
        [tmp_path / "dist" / "program" / "program"],
        cwd=tmp_path / "dist",
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    expected = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, check=True
    )
    assert done.stdout == expected.stdout != "", done.stderr
