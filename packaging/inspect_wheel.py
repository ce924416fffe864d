"""What a wheel must and must not hold: checked after it is built."""

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from toolchain import Platform

#: Libraries that every Linux has: parts of the C library.
LIBRARIES = re.compile(r"(lib(c|m|pthread)\.so\.\d+|ld-linux-\S+\.so\.\d)")
MACHINES = {"EM_X86_64": "x86_64", "EM_AARCH64": "aarch64"}
#: Largest size of a wheel, in bytes.
MOST_BYTES = 1_850_000
#: A path of the machine that built it.
PATH = re.compile(rb"/(?:home|root|tmp|usr|opt|work|build)/[\w./-]+")


class Unfit(SystemExit):
    """A wheel that must not be released, and why."""


def check(wheel: Path, platform: Platform) -> None:
    """Raise Unfit unless the wheel is fit for its platform."""
    if not wheel.name.endswith(f"-{platform.name}.whl"):
        raise Unfit(f"{wheel.name} is not tagged {platform.name}")
    if (size := wheel.stat().st_size) > MOST_BYTES:
        raise Unfit(f"{wheel.name} has {size:,} bytes; at most {MOST_BYTES:,} expected")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        libraries = sorted(Path(folder).rglob("*.so"))
        if len(libraries) != 2:
            raise Unfit(f"{wheel.name} has {len(libraries)} modules; expected 2")
        for library in libraries:
            check_library(wheel.name, library, platform)
    audit(wheel, platform)


def check_library(wheel: str, library: Path, platform: Platform) -> None:
    """Its machine, the libraries that it needs, and no path of this machine."""
    where = f"{wheel}: {library.name}"
    with library.open("rb") as file:
        elf = ELFFile(file)
        if MACHINES.get(elf["e_machine"]) != platform.machine:
            raise Unfit(f"{where} is for {elf['e_machine']}")
        for section in elf.iter_sections():
            if not isinstance(section, DynamicSection):
                continue
            for tag in section.iter_tags():
                if tag.entry.d_tag in ("DT_RPATH", "DT_RUNPATH"):
                    raise Unfit(f"{where} has a path of libraries")
                if tag.entry.d_tag == "DT_NEEDED" and not LIBRARIES.fullmatch(
                    tag.needed
                ):
                    raise Unfit(f"{where} needs {tag.needed}")
    if found := PATH.search(library.read_bytes()):
        raise Unfit(f"{where} holds the path {found[0].decode()}")


def audit(wheel: Path, platform: Platform) -> None:
    """What auditwheel and abi3audit say."""
    said = run("auditwheel", "show", wheel)
    fits = re.search(r'platform\s+tag:\s+"(\w+linux)_\d_(\d+)_', said)
    wanted = re.match(r"(\w+linux)_\d_(\d+)_", platform.name)
    if not fits or fits[1] != wanted[1] or int(fits[2]) > int(wanted[2]):
        raise Unfit(f"{wheel.name} is not fit for {platform.name}:\n{said}")
    if "-abi3-" in wheel.name:
        run("abi3audit", "--strict", wheel)


def run(module: str, *arguments: str | Path) -> str:
    """What a tool prints; raises Unfit if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Unfit(f"{module} refuses {arguments[-1]}:\n{done.stdout}")
    return done.stdout
