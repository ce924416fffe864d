"""Names, classes and properties in an ONNX file, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.quoting import quoted
from bpcore.version import VERSION


def output_names(given: Sequence[str] | None, classifies: bool) -> tuple[str, ...]:
    """The names of the outputs: those given, or the usual ones.

    Examples
    --------
    >>> from bpcore.files.onnx.names import output_names
    >>> output_names(None, True), output_names(["y"], False)
    (('label', 'probabilities'), ('y',))
    """
    usual = ("label", "probabilities") if classifies else ("output",)
    if given is None:
        return usual
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise TypeError(
            f"output_names must be a list or tuple of names; got {quoted(given)}"
        )
    if len(given) != len(usual):
        raise ValueError(
            f"output_names must be {len(usual)} names, as {usual}; got {quoted(given)}"
        )
    return tuple(given)


def require_names(graph: str, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raise if a name is empty or no text, or two inputs or outputs have the same.

    Examples
    --------
    >>> from bpcore.files.onnx.names import require_names
    >>> require_names("network", ["x"], ["x"])
    Traceback (most recent call last):
        ...
    ValueError: inputs and outputs must have different names; 'x' is there twice
    """
    for argument, names in (
        ("name", [graph]),
        ("input_name", inputs),
        ("output_names", outputs),
    ):
        for name in names:
            if not isinstance(name, str) or not name:
                raise ValueError(
                    f"{argument} must be a text, not empty; got {quoted(name)}"
                )
    ends = [*inputs, *outputs]
    for name in ends:
        if ends.count(name) > 1:
            raise ValueError(
                f"inputs and outputs must have different names; {quoted(name)} is "
                "there twice"
            )


def as_classes(classes: Any) -> NDArray[Any]:
    """Whole numbers as int64, or texts as objects.

    Raises
    ------
    TypeError
        If they are others, or of both kinds.

    Examples
    --------
    >>> from bpcore.files.onnx.names import as_classes
    >>> as_classes(["no", "yes"])
    array(['no', 'yes'], dtype=object)
    """
    values = [v.item() if isinstance(v, np.generic) else v for v in classes]
    kinds = {type(value) for value in values}
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return np.array(values, np.int64)
    if kinds == {str}:
        return np.array(values, object)
    raise TypeError(
        f"classes must be all whole numbers of 64 bits, or all texts; "
        f"got {quoted(classes)}"
    )


def properties(own: Mapping[str, str], metadata: Any) -> dict[str, str]:
    """What is always there, the version first, and the user's own texts.

    Raises
    ------
    TypeError, ValueError
        If a key or value is no text, or a key is one of those that are always there.

    Examples
    --------
    >>> from bpcore.files.onnx.names import properties
    >>> properties({"dtype": "float32"}, {"author": "Ann"})
    {'bpcore_version': '0.1.0', 'dtype': 'float32', 'author': 'Ann'}
    """
    given = {} if metadata is None else metadata
    checks.instance("metadata", given, Mapping)
    found = {"bpcore_version": VERSION, **own}
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"metadata must be texts by texts; got {quoted(value)} for "
                f"{quoted(key)}"
            )
        if key in found:
            raise ValueError(
                f"metadata must not have {quoted(key)}, which is always there"
            )
    return {**found, **given}
