"""Files of Keras 3: ``.keras`` archives, and ``.weights.h5`` files of arrays alone.

An archive is a zip file with ``config.json`` and ``model.weights.h5``.  In the latter
each layer is a group ``layers/dense_1/vars`` with the datasets ``0``, ``1``, ...; its
attribute ``name`` is the layer's name in ``config.json``.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import IO, Any, NamedTuple

import numpy as np

from bpcore.arrays import Real
from bpcore.files.regular import errors_of, size_of
from bpcore.files.strict_json import parse_json
from bpcore.files.whole import Path

#: The most bytes of ``config.json``.
MOST_CONFIG = 1 << 22

#: The most layers, and arrays of one layer.
MOST_LAYERS, MOST_ARRAYS = 10_000, 16

#: The members of an archive that are read.
CONFIG, WEIGHTS = "config.json", "model.weights.h5"

#: The most members of an archive, each of which begins with `MEMBER` in its directory.
MOST_MEMBERS, MEMBER = 1000, b"PK\x01\x02"

#: What files begin with.
ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"


class Content(NamedTuple):
    """A file: its configuration, None if it has weights alone, and arrays by layers.

    Layers have the names of the configuration, or of their groups where there is none.
    """

    config: Any
    arrays: dict[str, list[Real]]


def read(path: Path) -> Content:
    """The configuration and the arrays of a file.

    Raises
    ------
    ModelFileError
        If it is damaged or of another kind.
    OSError
        If it cannot be read.
    ImportError
        If the package h5py is not installed.
    """
    with errors_of(path):
        size = size_of(path)
        with open(path, "rb") as file:
            first = file.read(len(HDF5))
            file.seek(0)
            if first == HDF5:
                return Content(None, _arrays(file, size, by_name=False))
            if not first.startswith(ZIP):
                raise ValueError("must be a .keras archive or an HDF5 file of weights")
            config, weights = _members(file, size)
    with errors_of(path):
        arrays = _arrays(io.BytesIO(weights), len(weights), by_name=True)
        return Content(parse_json(config), arrays)


def _members(file: IO[bytes], size: int) -> tuple[bytes, bytes]:
    """The members of an archive: the configuration, and the file of weights."""
    if _count(file, MEMBER) > MOST_MEMBERS:
        raise ValueError(f"must have at most {MOST_MEMBERS:,} members")
    try:
        with zipfile.ZipFile(file) as archive:
            found = []
            for name, most in {CONFIG: MOST_CONFIG, WEIGHTS: size}.items():
                if archive.namelist().count(name) != 1:
                    raise ValueError(f"must have {name} once, as Keras writes it")
                entry = archive.getinfo(name)
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > most:
                    raise ValueError(
                        f"{name} must be stored without compression, in at most "
                        f"{most:,} bytes; got {entry.file_size:,}"
                    )
                found.append(archive.read(entry))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError) as error:
        raise ValueError(f"is a damaged archive: {error}") from None
    config, weights = found
    return config, weights


def _count(file: IO[bytes], text: bytes) -> int:
    """How many times a text of 4 bytes is in a file."""
    found, last = 0, b""
    while part := file.read(1 << 20):
        found += (last + part).count(text)
        last = part[-3:]
    file.seek(0)
    return found


def _arrays(file: IO[bytes], size: int, by_name: bool) -> dict[str, list[Real]]:
    """The arrays of each layer in an HDF5 file, at most as large as the file."""
    try:
        import h5py
    except ImportError:
        raise ImportError(
            "weights of Keras are HDF5 files, which the package h5py reads: install "
            "it, or give model.get_weights()"
        ) from None
    try:
        with h5py.File(file, "r") as opened:
            return Groups(h5py, size).arrays(opened, by_name)
    except (OSError, RuntimeError, KeyError, AttributeError) as error:
        raise ValueError(f"is a damaged HDF5 file: {error!s:.200}") from None


class Groups:
    """Reads groups and arrays of an HDF5 file, and counts their bytes."""

    def __init__(self, h5py: Any, size: int) -> None:
        self.h5py, self.left = h5py, size

    def arrays(self, opened: Any, by_name: bool) -> dict[str, list[Real]]:
        """The arrays of each layer, by its name or by that of its group."""
        if "model_weights" in opened:
            raise ValueError(
                "is a model in an older format: load it in Keras, and save it as .keras"
            )
        layers = self.child(opened, "layers", self.h5py.Group)
        if len(layers) > MOST_LAYERS:
            raise ValueError(f"must have at most {MOST_LAYERS:,} layers")
        found: dict[str, list[Real]] = {}
        for group in layers:
            layer = self.child(layers, group, self.h5py.Group)
            variables = self.child(layer, "vars", self.h5py.Group)
            if len(variables) > MOST_ARRAYS:
                raise ValueError(f"layer {group[:80]!r} has {len(variables)} arrays")
            name = str(variables.attrs.get("name", group)) if by_name else group
            if name in found:
                raise ValueError(f"layer {name[:80]!r} is there twice")
            found[name] = [
                self.array(variables, str(i), f"layer {name[:80]!r}")
                for i in range(len(variables))
            ]
        return found

    def child(self, group: Any, name: str, kind: type) -> Any:
        """A member of a group, which is in the file itself."""
        if name not in group or not isinstance(
            group.get(name, getlink=True), self.h5py.HardLink
        ):
            raise ValueError(f"{group.name!s:.80} must have {name[:80]!r} in the file")
        found = group[name]
        if not isinstance(found, kind):
            raise ValueError(f"{name[:80]!r} must be a {kind.__name__}")
        return found

    def array(self, group: Any, name: str, layer: str) -> Real:
        """An array that is stored in the file as it is."""
        data = self.child(group, name, self.h5py.Dataset)
        if data.dtype not in (np.float32, np.float64):
            raise ValueError(f"{layer} must be of float32 or float64; got {data.dtype}")
        plain = data.chunks is None and not data.external and not data.is_virtual
        if not plain or data.shape is None or data.nbytes > self.left:
            raise ValueError(f"{layer} must be stored as it is, array by array")
        if data.id.get_storage_size() != data.nbytes:
            raise ValueError(f"{layer} is not in the file")
        self.left -= data.nbytes
        found: Real = data[()] if data.shape else np.array(data[()])
        return found.astype(found.dtype.newbyteorder("="), copy=False)
