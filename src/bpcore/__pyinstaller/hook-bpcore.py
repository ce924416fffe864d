"""Modules and data of bpcore that PyInstaller does not find in its source.

Modules loaded at first use are imported by computed names, and compiled modules import
others.  So all modules of the package are listed, except its commands, and the data
files.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

#: Modules included only if a program imports them: those of the command `bpcore`, and
#: those that import scikit-learn.
OPTIONAL = (
    "bpcore.__main__",
    "bpcore.__pyinstaller",
    "bpcore.accel",
    "bpcore.cli",
    "bpcore.sklearn",
)

#: Endings of the files that a page of ``Trace.save_html`` is made of.
KINDS = ("html", "css", "js")


def modules(folder: Path, package: str) -> Iterator[str]:
    """The package and its modules, found in its folder without importing them."""
    yield package
    for module in pkgutil.iter_modules([str(folder)]):
        name = f"{package}.{module.name}"
        if name in OPTIONAL:
            continue
        if module.ispkg:
            yield from modules(folder / module.name, name)
        else:
            yield name


# Found without an import, which would need NumPy and the kernels.
spec = find_spec("bpcore")
assert spec is not None and spec.submodule_search_locations
folder = Path(spec.submodule_search_locations[0])

hiddenimports = list(modules(folder, "bpcore"))
datas = [(str(folder / "datasets" / "data"), "bpcore/datasets/data")]
page = folder / "tracing" / "page"
datas += [(str(page / f"*.{kind}"), "bpcore/tracing/page") for kind in KINDS]
