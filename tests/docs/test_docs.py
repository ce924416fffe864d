"""Examples in the documentation run as shown; stubs name what is compiled."""

import ast
import doctest
import importlib
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bpcore
from bpcore import _kernels
from bpcore.engine import dispatch, engine

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
HOUSING = Path(os.environ.get("HOUSING", SHARED / "housing" / "housing.csv"))
#: All but the kernels, whose builds have a test of their own.
MODULES = [
    name
    for _, name, _ in pkgutil.walk_packages(bpcore.__path__, "bpcore.")
    if not name.endswith(("__main__", "._kernels"))  # which are doctested below
]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def examples(module):
    """The doctests of a module; a compiled one keeps them in ``__test__``."""
    tests = doctest.DocTestFinder().find(module, module.__name__)
    return [test for test in tests if test.examples]


def assert_pass(tests):
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    for test in tests:
        report = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    assert_pass(examples(importlib.import_module(name)))


@pytest.mark.parametrize("isa", dispatch.available)
def test_doctests_of_kernels(isa):
    names = public_functions(_kernels)
    tests = doctest.DocTestFinder().find(_kernels, "kernels", module=False)
    tests += [
        doctest.DocTestParser().get_doctest(
            getattr(_kernels, name).__doc__, {}, f"kernels.{name}", None, 0
        )
        for name in names
    ]
    assert len([test for test in tests if test.examples]) >= len(names)
    with dispatch.using(isa):
        assert_pass(tests)


#: Attributes of the engine, which are no methods.
FIELDS = {"runs_epochs", "state", "scheduled", "capacity", "gathers", "n_threads"}
FIELDS |= {"accumulate", "lr"}


def public_functions(module):
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and callable(value)
        and value.__module__.split(".")[-1] == module.__name__.split(".")[-1]
    )


@pytest.mark.parametrize(
    "stub, module",
    [("engine/engine", engine), ("_kernels", _kernels)],
)
def test_stubs_name_what_is_compiled(stub, module):
    tree = ast.parse((Path(bpcore.__file__).parent / f"{stub}.pyi").read_text())
    stubbed = {
        node.name: node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    assert sorted(stubbed) == public_functions(module)
    for name, node in stubbed.items():
        if isinstance(node, ast.ClassDef):
            methods = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
            compiled = {m for m in vars(getattr(module, name)) if m[0] != "_"}
            assert compiled - FIELDS == {m for m in methods if m[0] != "_"}


@pytest.mark.parametrize("name", bpcore.__all__)
def test_public_names_are_documented(name):
    assert getattr(bpcore, name).__doc__


def blocks_of(page):
    """The blocks of Python on a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


#: README, and the pages of the documentation that have programs.
PAGES = [
    page
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.is_file() and blocks_of(page := path.relative_to(ROOT).as_posix())
]


def imported(block):
    """The modules that a block imports, without the part after the first dot."""
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("page", PAGES)
def test_examples_of_pages(page, tmp_path, monkeypatch):
    """In order, in one namespace; each block of README is a program of its own."""
    blocks = blocks_of(page)
    for name in {name for block in blocks for name in imported(block)}:
        pytest.importorskip(name)
    if any("housing.csv" in block for block in blocks):
        if not HOUSING.is_file():
            pytest.skip(f"no file {HOUSING}")
        shutil.copy(HOUSING, tmp_path / "housing.csv")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(compile(block, page, "exec"), {} if page == "README.md" else names)


def test_pages_with_programs_are_found():
    if not (ROOT / "docs").is_dir():
        pytest.skip("no pages beside tests")
    some = {"README.md", "docs/index.md", "docs/tutorial.md", "docs/guide/training.md"}
    assert some <= set(PAGES) and all(page.endswith(".md") for page in PAGES)


def test_rarely_used_modules_are_imported_later():
    """bpcore is imported in milliseconds."""
    code = (
        "import sys, bpcore; names = sys.modules; "
        "assert not [n for n in names if n.startswith(('bpcore.graph', "
        "'bpcore.tracing', 'bpcore.reference', 'bpcore.many', 'matplotlib', 'scipy', "
        "'pandas', 'sklearn'))]; "
        "assert {'trace', 'graph', 'reference', 'fit_many'} <= set(dir(bpcore)); "
        "bpcore.trace, bpcore.graph.exp, bpcore.GradientFlow; "
        "bpcore.reference.Network; "
        "bpcore.fit_many, bpcore.Fitted, bpcore.check_gradients, bpcore.GradientCheck; "
        "assert 'bpcore.tracing.record' in names"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'tarce'"):
        _ = bpcore.tarce
