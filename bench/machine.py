"""The machine and software of a measurement: processor, compiler, BLAS, versions."""

import platform
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

import bpcore

from . import cpu, pinning

_PACKAGES = ("bpcore", "numpy", "scipy", "scikit-learn", "torch", "jax", "onnxruntime")


def describe():
    """All properties of machine and software that affect figures, for the record."""
    found = cpu.identify()
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": [_named(argument) for argument in sys.orig_argv[1:]],
        "processor": found.processor or platform.machine(),
        "microarchitecture": found.microarchitecture,
        "caches": dict(_caches()),
        "system": platform.platform(),
        "python": platform.python_version(),
        "blas": _blas(),
        "bpcore": dict(bpcore.config()),
        "packages": dict(_versions()),
        **pinning.settings(),
    }


def headline(machine):
    """The same in two lines of text."""
    bp, packages = machine["bpcore"], machine["packages"]
    blas = machine["blas"]
    kind = machine["microarchitecture"]
    processor = machine["processor"] + f" ({kind})" * bool(kind)
    return (
        f"{processor}, cores {machine['cores']}, {machine['date']}\n"
        f"bpcore {packages.get('bpcore', '(not installed)')} on {bp['isa']}, "
        f"{bp['compiler']}; NumPy {packages['numpy']} on {blas}"
    )


def _named(argument):
    """An argument without the folders of this machine."""
    path = Path(argument)
    return path.name if path.is_absolute() else argument


def _caches():
    """(name, size) of the data caches of the first core, on Linux."""
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (cache / field).read_text().strip() for field in ("level", "type", "size")
        )
        if kind != "Instruction":
            yield f"L{level}", size


def _blas():
    """NumPy's BLAS and, if threadpoolctl is installed, its processor type."""
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    name = f"{built['name']} {built['version']}"
    try:
        from threadpoolctl import threadpool_info
    except ModuleNotFoundError:
        return name
    chosen = {
        info["architecture"] for info in threadpool_info() if "architecture" in info
    }
    return f"{name} ({', '.join(sorted(chosen))})" if chosen else name


def _versions():
    """(name, version) of the installed packages."""
    for name in _PACKAGES:
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
