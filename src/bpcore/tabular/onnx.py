"""A fitted estimator as an ONNX model: encoder, networks and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real as RealNumber
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpcore.errstate import own_errstate
from bpcore.files.onnx.export import ROWS, add_network
from bpcore.files.onnx.graph import ML, Graph
from bpcore.files.onnx.names import (
    as_classes,
    output_names,
    properties,
    require_names,
)
from bpcore.network import Network, learner_of
from bpcore.quoting import quoted
from bpcore.tabular.encoder import CategoryColumn, Encoder, NumberColumns
from bpcore.tabular.targets import Classes, Standardised

#: Most of |t| in the scale of numbers, whose square is finite.
MOST = 1e150


class Names(NamedTuple):
    """Names in the ONNX file of an estimator.

    Attributes
    ----------
    graph, numbers : str
        Of the graph, and of the input with the columns of numbers.
    outputs : sequence of str, or None
        By default "label" and "probabilities", or "output".
    """

    graph: str = "estimator"
    numbers: str = "numbers"
    outputs: Sequence[str] | None = None


@own_errstate
def estimator_model(
    encoder: Encoder,
    networks: Sequence[Network],
    targets: Classes | Standardised,
    names: Names,
    metadata: Mapping[str, str] | None = None,
) -> list[bytes]:
    """The parts of an ONNX file of an encoder, networks and targets.

    Raises
    ------
    ValueError, TypeError
        If an argument, a name of a column, a category or a class cannot be written.
    """
    classifies = isinstance(targets, Classes)
    outputs = output_names(names.outputs, classifies)
    columns = [column for column in encoder.categories if column.categories.width]
    inputs = [column_name(encoder, column.place) for column in columns]
    if encoder.numbers.places:
        inputs.insert(0, names.numbers)
    require_names(names.graph, inputs, outputs)
    about = properties(described(encoder, networks, classifies), metadata)
    graph = Graph(networks[0].dtype, (*inputs, *outputs))
    parts = add_numbers(graph, encoder.numbers, names.numbers)
    for column in columns:
        parts.append(add_categories(graph, column, column_name(encoder, column.place)))
    x = parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)
    members = [add_network(graph, *learner_of(n).folded(), x) for n in networks]
    if isinstance(targets, Classes):
        add_classes(graph, targets, members, outputs)
    else:
        members = [add_decoding(graph, targets, z) for z in members]
        add_numbers_out(graph, targets, members, outputs[0])
    return graph.encoded(names.graph, about)


def column_name(encoder: Encoder, place: int) -> str:
    """The name of a column; of an array "x0", "x1", ..."""
    return str(encoder.names[place]) if encoder.names else f"x{place}"


def described(
    encoder: Encoder, networks: Sequence[Network], classifies: bool
) -> dict[str, str]:
    """What the file says of its own."""
    network = networks[0]
    places = encoder.numbers.places
    return {
        "estimator": "Classifier" if classifies else "Regressor",
        "numbers": ", ".join(column_name(encoder, place) for place in places),
        "dtype": network.dtype.name,
        "sizes": " ".join(map(str, network.sizes)),
        "activations": " ".join(network.activations),
        "loss": learner_of(network).design.loss.name,
        "networks": str(len(networks)),
    }


# --- the encoder ----------------------------------------------------------------------


def add_numbers(graph: Graph, numbers: NumberColumns, name: str) -> list[str]:
    """The scaled columns of numbers and the marks of missing ones, if there are any.

        t = (x - centre) factor / 3,    3 t / sqrt(1 + t^2), and 0 where x is missing

    In float64, as in the estimator: x may be large and differ in its last digits only.
    """
    if not numbers.places:
        return []
    count, double = len(numbers.places), np.float64

    def constant(value: Any) -> str:
        return graph.constant(value, dtype=double)

    x = graph.input(name, double, (ROWS, count))
    missing = graph.add("IsNaN", x, name="missing")
    scale = numbers.scale
    t = graph.add("Sub", x, constant(scale.centre))
    t = graph.add("Mul", t, constant(scale.factor))
    t = graph.add("Div", t, constant(3))
    t = graph.add("Clip", t, constant(-MOST), constant(MOST))
    unused = missing
    if not scale.factor.all():
        zero = graph.constant(scale.factor == 0, dtype=np.bool_)
        unused = graph.add("Or", missing, zero)
    t = graph.add("Where", unused, constant(0), t)
    root = graph.add("Add", graph.add("Mul", t, t), constant(1))
    scaled = graph.add("Div", graph.add("Mul", t, constant(3)), graph.add("Sqrt", root))
    found = [graph.add("Cast", scaled, to=1)]
    if numbers.marked:
        both = numbers.marks(np.array([[0.0], [1.0]]).repeat(len(numbers.marked), 1))
        marked = graph.constant(numbers.marked, "marked", np.int64)
        mark = graph.add("Gather", missing, marked, axis=1)
        present, absent = (graph.constant(row, "marks") for row in both)
        found.append(graph.add("Where", mark, absent, present))
    return found


def add_categories(graph: Graph, column: CategoryColumn, name: str) -> str:
    """The columns of a column of categories: rows of a table, by the category's place.

    After the rows of the names come those of a value that was never seen, and of a
    missing one: NaN, or the empty text unless that is a category.
    """
    categories = column.categories
    names, count = list(categories.names), len(categories.names)
    unknown = column.rows[count if categories.others else -1]
    table = np.vstack([column.rows[:count], unknown[None], column.rows[-1:]])
    if categories.kind is str or not names:
        place = text_place(graph, names, name)
    else:
        place = number_place(graph, categories.kind, names, name)
    flat = graph.add("Reshape", place, graph.constant([-1], "flat", np.int64))
    return graph.add("Gather", graph.constant(table, "categories"), flat)


def text_place(graph: Graph, names: list[str], name: str) -> str:
    """The place of a text in a table of rows."""
    x = graph.input(name, object, (ROWS, 1))
    keys = names if "" in names else [*names, ""]
    places = [*range(len(names)), len(names) + 1][: len(keys)]
    return graph.add("LabelEncoder", x, domain=ML, name="place", keys_strings=keys,
                     values_int64s=places, default_int64=len(names))  # fmt: skip


def number_place(graph: Graph, kind: Any, names: list[Any], name: str) -> str:
    """The place of a number or a bool in a table of rows.

    Whole numbers have an input of int64, in which none is missing, others of float64.
    """
    keys = number_keys(kind, names, name)
    x = graph.input(name, keys.dtype, (ROWS, 1))
    same = graph.add("Equal", x, graph.constant(keys, "keys", keys.dtype))
    # One more column, which is the largest where no name is equal.
    pads = graph.constant([0, 0, 0, 1], "pads", np.int64)
    ones = graph.add("Pad", graph.add("Cast", same, to=1), pads, graph.constant(0.5))
    place = graph.add("ArgMax", ones, axis=1, keepdims=1)
    if keys.dtype != np.float64:
        return place
    missing = graph.constant(len(names) + 1, dtype=np.int64)
    return graph.add("Where", graph.add("IsNaN", x), missing, place)


def number_keys(kind: Any, names: list[Any], name: str) -> NDArray[Any]:
    """Names of categories as bools, int64 or float64."""
    if kind is bool:
        return np.array(names, np.bool_)
    if kind is RealNumber:
        if all(isinstance(key, int) and -(2**63) <= key < 2**63 for key in names):
            return np.array(names, np.int64)
        keys = np.array([float(key) for key in names])
        if all(float(key) == key for key in names):
            return keys
    raise TypeError(
        f"column {quoted(name)} must have categories that are texts, bools or numbers "
        f"to be written as ONNX; got {quoted(names[0])}"
    )


# --- the targets ----------------------------------------------------------------------


def add_mean(graph: Graph, members: list[str], dtype: Any) -> str:
    """The mean of several networks, added in order."""
    if len(members) == 1:
        return members[0]
    count = graph.constant(len(members), dtype=dtype)
    total, *rest = (graph.add("Div", member, count) for member in members)
    for member in rest:
        total = graph.add("Add", total, member)
    return total


def add_classes(
    graph: Graph, classes: Classes, members: list[str], outputs: Sequence[str]
) -> None:
    """The label and the probabilities."""
    found = class_names(classes.names)
    probabilities = add_mean(graph, members, graph.dtype)
    most = graph.add("ArgMax", probabilities, axis=1, keepdims=0)
    names = graph.constant(found, "classes", found.dtype)
    graph.output(outputs[0], graph.add("Gather", names, most), found.dtype, (ROWS,))
    n_classes = len(found)
    graph.output(outputs[1], probabilities, graph.dtype, (ROWS, n_classes))


def class_names(names: NDArray[Any]) -> NDArray[Any]:
    """Classes as bools, int64, float64 or texts."""
    if names.dtype.kind == "b":
        return names
    if names.dtype.kind == "f":
        return names.astype(np.float64)
    return as_classes(names)


def add_decoding(graph: Graph, targets: Standardised, z: str) -> str:
    """z deviation + mean within the range of training, quantiles in order; float64."""
    double = np.float64
    y = graph.add("Cast", z, to=11)
    y = graph.add("Mul", y, graph.constant(targets.deviation, dtype=double))
    y = graph.add("Add", y, graph.constant(targets.mean, dtype=double))
    y = graph.add("Max", y, graph.constant(targets.least, dtype=double))
    y = graph.add("Min", y, graph.constant(targets.most, dtype=double))
    if targets.quantiles is None:
        return y
    count = graph.constant([len(targets.quantiles)], "count", np.int64)
    ascending = graph.add("TopK", y, count, axis=1, largest=0, unused=1)
    ranks = np.argsort(np.argsort(targets.quantiles))
    return graph.add(
        "Gather", ascending, graph.constant(ranks, "ranks", np.int64), axis=1
    )


def add_numbers_out(
    graph: Graph, targets: Standardised, members: list[str], name: str
) -> None:
    """The predicted numbers, (n,) if y was."""
    y, count = add_mean(graph, members, np.float64), targets.count
    if targets.quantiles is not None:
        count = len(targets.quantiles)
    elif targets.single:
        y = graph.add("Reshape", y, graph.constant([-1], "flat", np.int64))
        graph.output(name, y, np.float64, (ROWS,))
        return
    graph.output(name, y, np.float64, (ROWS, count))
