"""Inventories of other libraries' documentation, with the names that the pages use.

    python docs/make_inventories.py

finds these names in the pages and docstrings, imports each one to see that it exists,
and writes ``docs/inventories``, so that a build needs no network.  Names of Python
itself stand in `PYTHON`.
"""

import importlib
import re
import sys
import zlib
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parent
FOLDER = DOCS / "inventories"
SOURCE = DOCS.parent / "src" / "bpcore"

#: Address of a name within the documentation of its library, after "generated".
PLACES = {
    "numpy": "reference/generated/{name}.html#$",
    "scipy": "reference/generated/{name}.html#$",
    "sklearn": "modules/generated/{name}.html#$",
    "pandas": "reference/api/{name}.html#$",
    "matplotlib": "api/_as_gen/{name}.html#$",
}

#: Names that have no page of their own.
ELSEWHERE = {
    "sklearn.metrics": "api/sklearn.metrics.html",
    "sklearn.neural_network": "api/sklearn.neural_network.html",
    "numpy.float32": "reference/arrays.scalars.html#$",
    "numpy.float64": "reference/arrays.scalars.html#$",
    "numpy.random.Generator": "reference/random/generator.html#$",
    "numpy.random.default_rng": "reference/random/generator.html#$",
    "matplotlib.axes.Axes": "api/_as_gen/{name}.html#$",
    "matplotlib.figure.Figure": "api/_as_gen/{name}.html#$",
}

#: Names of Python, and their pages.
PYTHON = {
    "help": ("functions", "function"),
    "ArithmeticError": ("exceptions", "exception"),
    "ImportError": ("exceptions", "exception"),
    "KeyboardInterrupt": ("exceptions", "exception"),
    "OSError": ("exceptions", "exception"),
    "RuntimeError": ("exceptions", "exception"),
    "TypeError": ("exceptions", "exception"),
    "ValueError": ("exceptions", "exception"),
    "copy.deepcopy": ("copy", "function"),
    "os.fork": ("os", "function"),
}

ABBREVIATIONS = {
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
}

#: Code in a line of text, and a name with dots in it, perhaps with a call.
CODE = re.compile(r"`{1,2}([A-Za-z_]\w*(?:\.\w+)+)(?:\([^`]*\))?`{1,2}")


def main():
    """Write all inventories."""
    FOLDER.mkdir(exist_ok=True)
    for library, names in used().items():
        for name in names:
            if library != "python" and kind_of(name) is None:
                sys.exit(f"{name} is on a page, and is not in {library}")
        (FOLDER / f"{library}.inv").write_bytes(inventory(library, names))


def used():
    """The names that the pages use, sorted, by library."""
    found = {library: set() for library in PLACES}
    for text in texts():
        for name in CODE.findall(text):
            first, _, rest = name.partition(".")
            name = f"{ABBREVIATIONS.get(first, first)}.{rest}"
            library = name.partition(".")[0]
            if library in found:
                found[library].add(name)
    return {"python": sorted(PYTHON)} | {k: sorted(v) for k, v in found.items()}


def texts():
    """The text of every page, and the source of the package with its docstrings."""
    for path in sorted([*DOCS.rglob("*.md"), *DOCS.rglob("*.rst")]):
        if "gallery" not in path.parts:
            yield re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.S)
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.read_text(encoding="utf-8")


def kind_of(name):
    """function, class, method, ...; None where there is no such name."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
            for part in parts[count:]:
                found = getattr(found, part)
        except (ImportError, AttributeError):
            continue
        if isinstance(found, ModuleType):
            return "module"
        if isinstance(found, type):
            return "class"
        if len(parts) - count > 1:
            return "method"
        return "function" if callable(found) else "data"
    return None


def inventory(library, names):
    """The file of a library, in the format of Sphinx (version 2)."""
    lines = []
    for name in names:
        if library == "python":
            page, kind = PYTHON[name]
            place = f"library/{page}.html#$"
        else:
            kind = kind_of(name)
            place = ELSEWHERE.get(name, PLACES[library]).format(name=name)
        lines.append(f"{name} py:{kind} 1 {place} -\n")
    head = (
        "# Sphinx inventory version 2\n"
        f"# Project: {library}\n"
        "# Version: \n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    return head.encode() + zlib.compress("".join(lines).encode(), 9)


def names_in(data):
    """The names in such a file."""
    body = data.split(b"\n", 4)[4]
    return [line.split(" ")[0] for line in zlib.decompress(body).decode().splitlines()]


if __name__ == "__main__":
    main()
