"""Models from files of any kind that the library reads."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import click

import bpcore as bp
from bpcore.cli.errors import note

#: The functions of this library that read files of others, by their suffix.
READERS = {
    ".onnx": "load",
    ".net": "from_fann",
    ".keras": "from_keras",
    ".h5": "from_keras",
    ".safetensors": "from_torch",
}


#: Suffixes of files without activations.
WEIGHTS_ALONE = (".h5", ".safetensors")
#: Suffixes of tables, which may have been given for a model.
TABLES = (".csv", ".tsv", ".parquet", ".gz")


def suffix_of(path: str) -> str:
    """The suffix of a file in small letters.

    Examples
    --------
    >>> from bpcore.cli.models import suffix_of
    >>> suffix_of("a/Net.ONNX")
    '.onnx'
    """
    return os.path.splitext(path)[1].lower()


def loaded(path: str, **missing: Any) -> Any:
    """The network or estimator of a file; the native format may have any suffix.

    `missing` is what weights alone do not say: "activation", "output" and "keys".
    """
    suffix = suffix_of(path)
    if suffix in TABLES:
        raise ValueError(f"{path} is a table, not a model")
    if suffix in WEIGHTS_ALONE and not {"activation", "output"} & {*missing}:
        note(f"{path} has weights alone; assumed: relu, and identity for the output")
        missing["activation"] = "relu"
    return getattr(bp, READERS.get(suffix, "load"))(path, **missing)


def is_native(path: str) -> bool:
    """Whether a file is read as one of this library."""
    return suffix_of(path) not in READERS


def require_suffix(path: str, suffixes: Collection[str], what: str) -> str:
    """The suffix of a file, which must be a known one."""
    suffix = suffix_of(path)
    if suffix not in suffixes:
        known = ", ".join(suffixes)
        raise click.UsageError(f"{what} must end in one of {known}; got {path}")
    return suffix
