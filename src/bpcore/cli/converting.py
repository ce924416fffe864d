"""The steps of `bpcore convert` and `bpcore export-c`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import click

import bpcore as bp
from bpcore.cli.models import READERS, WEIGHTS_ALONE, loaded, require_suffix, suffix_of
from bpcore.cli.outputs import mark_written, require_writable
from bpcore.cli.show import line, size_of
from bpcore.network import Network


def method(model: Any, name: str, path: str) -> Callable[..., Any]:
    """The method of a model that writes a file; raises if it has none."""
    found: Callable[..., Any] | None = getattr(model, name, None)
    if found is None:
        kind = f"{type(model).__module__.rsplit('.', 1)[0]}.{type(model).__name__}"
        raise ValueError(f"a {kind} cannot be written as {suffix_of(path)}")
    return found


def _write_fann(model: Any, path: str) -> None:
    if not isinstance(model, Network):
        raise ValueError("only a network can be written as .net, no estimator")
    try:
        bp.to_fann(model, path)
    except ValueError as error:
        raise ValueError(f"FANN, the format .net, cannot hold it: {error}") from None


#: How models are written, by the suffix of the file.
WRITERS: dict[str, Callable[[Any, str], Any]] = {
    ".bpc": lambda model, path: method(model, "save", path)(path),
    ".onnx": lambda model, path: method(model, "to_onnx", path)(path),
    ".h": lambda model, path: method(model, "to_c", path)(path),
    ".net": _write_fann,
}


def convert_file(source: str, result: str, missing: Mapping[str, Any]) -> None:
    """Read a model and write it as a file of another kind.

    `missing` is what weights alone do not say: "activation", "output" and "keys".
    """
    kind = require_suffix(source, [".bpc", *READERS], "SOURCE")
    if missing and kind not in WEIGHTS_ALONE:
        what = "layers" if "keys" in missing else "activations"
        raise click.UsageError(f"a file {kind} has {what} of its own")
    suffix = require_suffix(result, WRITERS, "RESULT")
    require_different(source, result)
    require_writable(result, "model")
    WRITERS[suffix](loaded(source, **missing), result)
    mark_written(result)
    line(f"{in_short(source)} -> {in_short(result)}")


def require_different(source: str, result: str) -> None:
    """Raise if a file is to be written over the one that is read."""
    if os.path.realpath(source) == os.path.realpath(result):
        raise click.UsageError(f"the result must not be {source} itself")


def in_short(path: str) -> str:
    """A file and its size."""
    return f"{path} ({size_of(os.path.getsize(path))})"
