"""Reading of ONNX files as designs and states of networks."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from bpcore.errors import ModelFileError
from bpcore.files.onnx.decode import Message, decode
from bpcore.files.onnx.expressions import Terms
from bpcore.files.onnx.nodes import Graph, Node
from bpcore.files.onnx.operators import ML_OPERATORS, OPERATORS, reshape_to
from bpcore.files.onnx.own_forms import own_activation
from bpcore.files.onnx.patterns import (
    MOST_NODES,
    activation_of,
    both_classes,
    centred,
    constants_of,
    expression_of,
    flattened_width,
    layer_norm,
    same,
)
from bpcore.files.onnx.sequence import Part, Sequence, sequence_of
from bpcore.files.onnx.step import Rows, Step
from bpcore.files.regular import errors_of, read_whole
from bpcore.files.whole import Path
from bpcore.model.assembly import assemble
from bpcore.model.design import Design
from bpcore.model.elements import (
    Activation,
    Affine,
    BothClasses,
    Dropout,
    Element,
    LayerNorm,
    Linear,
)
from bpcore.model.state import State

#: The most bytes of a protocol-buffers message.
MOST_BYTES = (1 << 31) - 1

#: A key of the metadata of files that this library wrote.
OWN = "bpcore_version"

#: The most parts of an activation that this library writes.
MOST_OWN_PARTS = 8

#: Bytes of parameters that a file may give beyond its own size, by weights used twice.
MOST_SHARED = 1 << 24


def read(path: Path) -> tuple[Design, State, dict[str, str]]:
    """Design and state of the network in an ONNX file, and the file's metadata.

    Raises
    ------
    ModelFileError
        If it is damaged or no ONNX file, or has an operator that cannot be read, of
        which the first is named.
    OSError
        If the file cannot be read.
    """
    with errors_of(path):
        return read_bytes(read_whole(path, MOST_BYTES))


def read_bytes(data: bytes) -> tuple[Design, State, dict[str, str]]:
    """`read`, from the bytes of a file."""
    model = decode(data, "ModelProto")
    sequence = sequence_of(Graph(model))
    dtype = _dtype(sequence)
    metadata = _metadata(model)
    own = OWN in metadata
    elements = _without_outer_dropout(_elements(sequence, dtype, own))
    bounded = _not_larger(elements, dtype, 2 * len(data) + MOST_SHARED)
    return *assemble(bounded, dtype), metadata


def _elements(sequence: Sequence, dtype: np.dtype[Any], own: bool) -> Iterator[Element]:
    """The elements of all parts, read one after the other.

    `own` is whether this library wrote the file.
    """
    shape = sequence.input.shape
    rows = Rows(None)
    if shape is not None:
        inner = [1 if size is None else size for size in shape[1:]]
        known = len(shape) > 1 and None not in shape[1:]
        width = int(np.prod(inner, dtype=object)) if known else None
        rows = Rows(width, len(shape), shape[0] if shape else None)
    parts = deque(sequence.parts)
    while parts:
        if own and (found := _own(parts, sequence, dtype)) is not None:
            yield found
            continue
        part = parts.popleft()
        if len(part.nodes) == 1:
            yield from _one(part, sequence, rows)
            continue
        if parts and _is_centring(part, sequence):  # the first half of a layer norm
            part = Part(part.source, part.nodes + parts.popleft().nodes)
        yield from _several(part, sequence, rows)


def _own(
    parts: deque[Part], sequence: Sequence, dtype: np.dtype[Any]
) -> Activation | None:
    """An activation that this library wrote, whose parts are then taken."""
    source, first = parts[0].source, parts[0].nodes[0]
    ahead: list[Node] = []
    ends = []
    for part in itertools.islice(parts, MOST_OWN_PARTS):
        ahead += part.nodes
        ends.append(len(ahead))
    found = own_activation(ahead, source, sequence.constants, dtype.name)
    if found is None or found[1] not in ends:
        return None
    for _ in range(ends.index(found[1]) + 1):
        parts.popleft()
    return Activation(found[0], at=first.at)


def _is_centring(part: Part, sequence: Sequence) -> bool:
    """Whether a part subtracts the mean of each row."""
    if len(part.nodes) > MOST_NODES:
        return False
    terms = Terms()
    found = expression_of(terms, part.nodes, part.source, sequence.constants)
    return not isinstance(found, Node) and same(found, centred(terms))


def _one(part: Part, sequence: Sequence, rows: Rows) -> list[Element]:
    """The elements of a part with a single node."""
    (node,) = part.nodes
    tables: dict[str, dict[str, Callable[[Step], list[Element]]]] = {
        "": OPERATORS,
        "ai.onnx": OPERATORS,
        "ai.onnx.ml": ML_OPERATORS,
    }
    reader = tables.get(node.domain, {}).get(node.op)
    if reader is None:
        raise _unknown(node)
    if node.inputs.count(part.source) != 1:
        raise ModelFileError(f"{node.at}: reads {part.source[:80]!r} more than once")
    return reader(Step(node, part.source, sequence.constants, rows))


def _several(part: Part, sequence: Sequence, rows: Rows) -> list[Element]:
    """The elements of a part whose nodes are one function together."""
    first, last = part.nodes[0], part.nodes[-1]
    if len(part.nodes) > MOST_NODES:
        raise ModelFileError(
            f"{first.at}: begins a branch of {len(part.nodes)} nodes; only sequences "
            "can be read"
        )
    if (
        width := flattened_width(part.nodes, part.source, sequence.constants)
    ) is not None:
        return reshape_to(Step(last, part.source, sequence.constants, rows), 0, width)
    terms = Terms()
    found = expression_of(terms, part.nodes, part.source, sequence.constants)
    if isinstance(found, Node):
        known = found.domain in ("", "ai.onnx") and found.op in OPERATORS
        if not known:
            raise _unknown(found)
        raise ModelFileError(
            f"{first.at}: begins a branch that ends at {last.at}; only sequences can "
            "be read"
        )
    if (named := activation_of(terms, found)) is not None:
        name, factor = named
        scale = Affine(np.array([factor]), np.zeros(1), at=last.at)
        return [Activation(name, at=first.at), scale]
    if same(found, both_classes(terms)):
        return [BothClasses(at=last.at)]
    constants = constants_of(part.nodes, sequence.constants)
    if rows.width and (norm := layer_norm(terms, constants, found)) is not None:
        gain, shift = (
            default if name is None else constants[name].reshape(-1)
            for name, default in (
                (norm.gain, np.ones(rows.width)),
                (norm.shift, np.zeros(rows.width)),
            )
        )
        return [LayerNorm(gain, shift, norm.eps, at=first.at)]
    operators = ", ".join(node.op[:80] for node in part.nodes)
    raise ModelFileError(
        f"{first.at}: begins a function that cannot be read: {operators:.200}"
    )


def _unknown(node: Node) -> ModelFileError:
    domain = f" of {node.domain[:80]}" if node.domain else ""
    return ModelFileError(
        f"{node.at}: there is no layer here for the operator {node.op[:80]}{domain}"
    )


def _without_outer_dropout(elements: Iterable[Element]) -> Iterator[Element]:
    """Dropout directly before the next product; that of the input and output left out.

    There is no place for these here, and predictions are the same.
    """
    products, held = 0, []
    for element in elements:
        if isinstance(element, Dropout):
            held.append(element)
            continue
        if isinstance(element, Linear):
            yield from held if products else []
            products, held = products + 1, []
        yield element


def _not_larger(
    elements: Iterable[Element], dtype: np.dtype[Any], most: int
) -> Iterator[Element]:
    """The elements, as long as their weights have at most `most` bytes."""
    size = 0
    for element in elements:
        if isinstance(element, Linear):
            size += element.W.size * dtype.itemsize
        if size > most:
            raise ModelFileError(
                f"{element.at}: the layers share weights, and would have more than "
                f"{most:,} bytes of them"
            )
        yield element


def _dtype(sequence: Sequence) -> np.dtype[Any]:
    """float64 if an array of real numbers is, else float32."""
    arrays = sequence.constants.values()
    wide = any(array.dtype == np.float64 for array in arrays)
    return np.dtype("float64" if wide else "float32")


def _metadata(model: Message) -> dict[str, str]:
    """The file's own pairs of key and value."""
    found: dict[str, str] = {}
    for pair in model.get("metadata_props", []):
        key = pair.get("key", "")
        if key in found:
            raise ModelFileError(f"metadata key {key[:80]!r} is there twice")
        found[key] = pair.get("value", "")
    return found
