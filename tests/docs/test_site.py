"""The pages of the site hang together; none of these tests needs Sphinx."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import bpcore
from bpcore import kernels

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

pytestmark = pytest.mark.skipif(
    not (DOCS / "conf.py").is_file(), reason="no pages beside tests"
)

#: Public modules with a list of their names.
MODULES = (
    *("accel", "cli", "datasets", "graph", "losses", "metrics", "optimizers"),
    *("reference", "schedules", "sklearn", "tabular", "tracing"),
)

#: Directives of the reference, which name what they document.
ENTRY = re.compile(
    r"^\.\. (?:auto)?(?:py:)?(class|function|exception|data):: ([\w.]+)|"
    r"^\.\. (?:py:|auto)(module):: (\S+)|^\.\. (currentmodule):: (\S+)",
    re.MULTILINE,
)


def documented():
    """The full name of every entry of the reference, with repetitions."""
    for path in sorted((DOCS / "reference").glob("*.rst")):
        module = ""
        for entry in ENTRY.finditer(path.read_text()):
            kind, name = [part for part in entry.groups() if part]
            if kind in ("module", "currentmodule"):
                module = name
            if kind != "currentmodule":
                absolute = name.startswith("bpcore") or kind == "module"
                yield name if absolute else f"{module}.{name}"


def found(name):
    """The object of that name."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        if name == "bpcore.config":  # a module has the same name
            return bpcore.config
        try:
            value = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        for part in parts[count:]:
            value = getattr(value, part)
        return value
    raise LookupError(name)


def public():
    """The names of every list `__all__`, the kernels and the errors, by object.

    One name for what is public in two modules; a constant has its own name only.
    """
    for name in MODULES:
        if name == "sklearn":
            pytest.importorskip("sklearn")
        module = importlib.import_module(f"bpcore.{name}")
        for attribute in module.__all__:
            yield f"bpcore.{name}.{attribute}"
    yield from (f"bpcore.{name}" for name in bpcore.__all__)
    for name, value in vars(kernels).items():
        if callable(value) and value.__module__ == kernels.__name__ and name[0] != "_":
            yield f"bpcore.kernels.{name}"
    for name, value in vars(bpcore.errors).items():
        if inspect.isclass(value):
            yield f"bpcore.errors.{name}"


def test_every_public_name_is_in_the_reference_once():
    entries = list(documented())
    assert len(entries) == len(set(entries)) > 150
    held = {}
    for name in entries:
        value = found(name)
        assert id(value) not in held, f"{name} is {held.get(id(value))}"
        held[id(value)] = name
    missing = [name for name in public() if id(found(name)) not in held]
    assert not missing, "add them to a page of docs/reference"


def toctrees(path):
    """The pages that a page lists in its toctrees."""
    text = path.read_text(encoding="utf-8")
    for fenced, indented in re.findall(
        r"```\{toctree\}\n(.*?)```|^\.\. toctree::\n((?:[ ]+.*\n|\n)+)",
        text,
        re.S | re.M,
    ):
        for line in (fenced or indented).splitlines():
            line = line.strip()
            if line and not line.startswith(":"):
                entry = re.sub(r".*<(.*)>$", r"\1", line)
                yield (path.parent / entry).resolve()


@pytest.mark.parametrize("edition", [".", "zh"])
def test_every_page_is_in_one_toctree(edition):
    top = (DOCS / edition).resolve()
    if not (top / "conf.py").is_file():
        pytest.skip("no such edition")
    pages = {
        path.resolve().with_suffix("")
        for suffix in ("*.md", "*.rst")
        for path in top.rglob(suffix)
        if not {"zh", "gallery"} & set(path.relative_to(top).parts)
    }
    listed = []
    for page in pages:
        path = page.with_suffix(".md")
        listed += toctrees(path if path.is_file() else page.with_suffix(".rst"))
    assert len(listed) == len(set(listed))
    written = {top / "gallery" / "index", top / "performance"}
    assert set(listed) - written == pages - {top / "index"} - written


def test_editions_have_pages_of_the_same_names():
    chinese = {path.name for path in (DOCS / "zh").glob("*.md")}
    assert chinese <= {path.name for path in DOCS.glob("*.md")}
