"""The inventories of other libraries name what the pages use."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "make_inventories.py"

pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="no pages beside tests")


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("make_inventories", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_name_what_the_pages_use(module):
    for library, names in module.used().items():
        held = module.names_in((module.FOLDER / f"{library}.inv").read_bytes())
        assert set(names) <= set(held), "run python docs/make_inventories.py"


def test_every_name_has_an_address(module):
    text = module.inventory("numpy", ["numpy.exp", "numpy.float32"])
    assert module.names_in(text) == ["numpy.exp", "numpy.float32"]
    assert text.startswith(b"# Sphinx inventory version 2\n# Project: numpy\n")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("numpy.exp", "function"),
        ("numpy.random.Generator", "class"),
        ("numpy.ndarray.sum", "method"),
        ("numpy.pi", "data"),
        ("numpy.linalg", "module"),
        ("numpy.no_such_name", None),
    ],
)
def test_kinds(module, name, kind):
    assert module.kind_of(name) == kind


def test_names_in_code_are_found(module, monkeypatch):
    pages = [
        "`np.exp(x)` and ``pd.DataFrame``, not `net.fit` nor numpy.log",
        "`np.exp`",
    ]
    monkeypatch.setattr(module, "texts", lambda: pages)
    used = module.used()
    assert used["numpy"] == ["numpy.exp"] and used["pandas"] == ["pandas.DataFrame"]
    assert used["scipy"] == []
