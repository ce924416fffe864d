"""The facts of a model file as text."""

from __future__ import annotations

from typing import Any

from bpcore.cli.facts import Facts
from bpcore.cli.show import line, number, size_of, table

#: Most rows of columns, of epochs, and most categories shown.
COLUMNS, EPOCHS, CATEGORIES = 40, 5, 6


def show(facts: Facts) -> None:
    """Print what a file holds."""
    first, count = facts["networks"][0], len(facts["networks"])
    writer = facts["writer"]
    written = f", format {facts['format']}, by bpcore {writer}" if writer else ""
    line(f"{facts['file']}: {facts['kind']}, {size_of(facts['bytes'])}{written}")
    line(f"self-test: {facts['self_test']}")
    if facts.get("target") is not None:
        line(f"target: {facts['target']}")
    if "classes" in facts:
        line(f"{len(facts['classes'])} classes: {_some(facts['classes'])}")
    each = f"{count} networks, each with " if count > 1 else ""
    size = size_of(first["parameters"] * (4 if first["dtype"] == "float32" else 8))
    line(f"{each}{first['parameters']:,} parameters in {first['dtype']}, {size}")
    if first["loss"] is not None:
        line(f"loss: {first['loss']}")
    if "optimizer" in facts:
        line(f"optimizer: {facts['optimizer']}")
    if "fit" in facts:
        line(f"fit: it can go on {_place(facts['fit'], first['epochs'])}")
    line("")
    _show_layers(first)
    for i, network in enumerate(facts["networks"], 1):
        _show_history(network, f" of network {i} of {count}" if count > 1 else "")
    if "columns" in facts:
        _show_columns(facts["columns"])


def _place(fit: Facts, epochs: int) -> str:
    """Where a fit stopped."""
    rows = fit["rows_of_epoch"]
    within = f", and {rows:,} rows of the next" if rows else ""
    return f"after epoch {epochs:,}{within}: fit(resume=...)"


def _show_layers(network: Facts) -> None:
    head = ["layer", "inputs", "outputs", "activation", "norm", "dropout", "parameters"]
    rows = [
        [
            str(l),
            f"{layer['inputs']:,}",
            f"{layer['outputs']:,}",
            layer["activation"],
            layer["norm"] or "",
            f"{layer['dropout']:g}" if layer["dropout"] else "",
            f"{layer['parameters']:,}",
        ]
        for l, layer in enumerate(network["layers"])
    ]
    others = network["parameters"] - sum(l["parameters"] for l in network["layers"])
    if others:
        rows.insert(0, ["scale", *[""] * 5, f"{others:,}"])
    # Without norm or dropout their columns are left out, for narrow terminals.
    shown = [j for j in range(len(head)) if j not in (4, 5) or any(r[j] for r in rows)]
    left = [at for at, j in enumerate(shown) if j in (0, 3, 4)]
    rows = [[row[j] for j in shown] for row in rows]
    table("Layers", [head[j] for j in shown], rows, left)


def _show_history(network: Facts, which: str) -> None:
    epochs, best = network["epochs"], network["best_epoch"]
    if not epochs:
        line(f"History{which}: none\n")
        return
    losses = {"training loss": network["training_loss"]}
    if network["validation_loss"]:
        losses["validation loss"] = network["validation_loss"]
    for name, values in network["metrics"].items():
        losses[name.replace("_", " ")] = values
    shown = {*range(max(1, epochs - EPOCHS + 1), epochs + 1), 1, best or 1}
    rows = [
        [
            f"{epoch}, the best" if epoch == best else str(epoch),
            *(f"{values[epoch - 1]:#.4g}" for values in losses.values()),
        ]
        for epoch in sorted(shown)
    ]
    many = "1 epoch" if epochs == 1 else f"{epochs:,} epochs"
    by = network["best_by"]
    by = f"; the best by {by.replace('_', ' ')}" if by else ""
    table(f"History{which}, of {many}{by}", ["epoch", *losses], rows)


def _show_columns(columns: list[Facts]) -> None:
    rows = [
        [column["name"], column["kind"], _in_short(column)]
        for column in columns[:COLUMNS]
    ]
    few = len(columns) > COLUMNS
    more = f", the first {COLUMNS} of {len(columns):,}" if few else ""
    table(f"Columns{more}", ["column", "kind", "values"], rows, left=(0, 1, 2))


def _in_short(column: Facts) -> str:
    """The values of a column in a few words."""
    if column["kind"] == "categories":
        others = ", others" if column["others"] else ""
        return _some(column["categories"]) + others
    if column["scale"] is None:
        return f"constant, {number(column['centre'])}"
    missing = ", some missing" if column["had_missing_values"] else ""
    centre, scale = number(column["centre"]), number(column["scale"])
    return f"median {centre}, quartiles {scale} apart{missing}"


def _some(values: list[Any]) -> str:
    """The first of several values, those with commas in quotes."""
    texts = map(str, values[:CATEGORIES])
    first = ", ".join(f'"{text}"' if "," in text else text for text in texts)
    rest = len(values) - CATEGORIES
    return f"{first}, ... ({len(values):,})" if rest > 0 else first
