"""What PyInstaller cannot see in the source of bpcore.

What is loaded when it is first used is imported by computed names, and compiled modules
import others.  So every module of the package is named here, but for its commands, and
with them the data that it reads.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

#: What only the command `bpcore` needs; a program that imports them has them.
COMMANDS = ("bpcore.__main__", "bpcore.cli", "bpcore.__pyinstaller")


def modules(folder: Path, package: str) -> Iterator[str]:
    """The package and the modules in it, found in its folder without importing any."""
    yield package
    for module in pkgutil.iter_modules([str(folder)]):
        name = f"{package}.{module.name}"
        if name in COMMANDS:
            continue
        if module.ispkg:
            yield from modules(folder / module.name, name)
        else:
            yield name


# Not imported: that would need NumPy and the kernels where a program is only built.
spec = find_spec("bpcore")
assert spec is not None and spec.submodule_search_locations
folder = Path(spec.submodule_search_locations[0])

hiddenimports = list(modules(folder, "bpcore"))
datas = [(str(folder / "datasets" / "data"), "bpcore/datasets/data")]
