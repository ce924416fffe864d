"""What a model file holds, as values of JSON."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from bpcore.cli.models import is_native, loaded
from bpcore.files.native.container import Container
from bpcore.files.strict_json import parse_json
from bpcore.model.layout import Layout
from bpcore.network import Network
from bpcore.quoting import name_of
from bpcore.tabular.base import TabularEstimator
from bpcore.tabular.validation import chosen_by
from bpcore.training.history import History

Facts = dict[str, Any]

#: Results of the self-test.
PASSED, ROUNDED = "passed, with the same bits", "passed, but for rounding"
NO_TEST = "none in this kind of file"


def facts_of(path: str) -> Facts:
    """What the file holds; it is loaded, and tested by its self-test.

    Examples
    --------
    >>> import os, tempfile
    >>> import bpcore as bp
    >>> from bpcore.cli.facts import facts_of
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.bpc")
    ...     bp.Network([2, 8, 1]).save(path)
    ...     facts = facts_of(path)
    >>> facts["kind"], facts["self_test"], facts["networks"][0]["parameters"]
    ('network', 'passed, with the same bits', 33)
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = loaded(path)
    facts: Facts = {"file": path, "bytes": os.path.getsize(path)}
    native = is_native(path)
    if native:
        facts |= _header(path)
        facts["self_test"] = ROUNDED if caught else PASSED
    else:
        facts |= {"kind": "network", "format": None, "writer": None}
        facts["self_test"] = NO_TEST
    networks = networks_of(model)
    if isinstance(model, TabularEstimator):
        facts |= _of_table(model)
    elif native:
        facts["optimizer"] = str(networks[0].optimizer)
    if hasattr(model, "classes_"):
        facts["classes"] = np.asarray(model.classes_).tolist()
    by = facts.get("fit", {}).get("monitor")
    if isinstance(model, TabularEstimator):
        by = chosen_by(model.histories_[0])
    facts["networks"] = [_of_network(network, by) for network in networks]
    if not native:  # its loss is a default
        for network in facts["networks"]:
            network["loss"] = None
    return facts


def networks_of(model: Any) -> list[Network]:
    """The networks of a model.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.cli.facts import networks_of
    >>> [network.sizes for network in networks_of(bp.Network([2, 1]))]
    [(2, 1)]
    """
    if isinstance(model, Network):
        return [model]
    found: list[Network] = getattr(model, "networks_", None) or [model.network_]
    return found


def _header(path: str) -> Facts:
    """The kind, format and writer of a native file that has been read, and its fit."""
    with Container.opened(path) as file:
        content = parse_json(file.metadata["bpcore"].encode())
    facts = {name: content[name] for name in ("kind", "format", "writer")}
    fit = content.get("fit")
    if fit is not None:
        facts["fit"] = {
            "rows_of_epoch": (fit["within"] or {"rows": 0})["rows"],
            "monitor": fit["settings"]["monitor"],
        }
    return facts


def _of_network(network: Network, best_by: str | None) -> Facts:
    history = network.history or History()
    loss = network.loss
    return {
        "layers": _layers(network),
        "parameters": int(network.parameters.size),
        "dtype": network.dtype.name,
        "loss": loss if isinstance(loss, str) else name_of(loss),
        "epochs": len(history),
        "best_epoch": history.best_epoch or None,
        "best_by": best_by if history.best_epoch else None,
        "metrics": {name: list(map(float, v)) for name, v in history.metrics.items()},
        "training_loss": history.loss.tolist(),
        "validation_loss": history.validation_loss.tolist(),
    }


def _layers(network: Network) -> list[Facts]:
    sizes, norms = network.sizes, network.norms
    layers = []
    for l, activation in enumerate(network.activations):
        inputs, outputs = sizes[l : l + 2]
        layers.append(
            {
                "inputs": inputs,
                "outputs": outputs,
                "activation": activation,
                "norm": norms[l],
                "dropout": network.dropout[l],
                "parameters": Layout((inputs, outputs), (norms[l],)).size,
            }
        )
    return layers


def _of_table(model: Any) -> Facts:
    encoder = model.encoder_
    names = encoder.names or tuple(f"x{j}" for j in range(encoder.n_columns))
    columns: list[Facts] = [{} for _ in names]
    numbers = encoder.numbers
    for i, j in enumerate(numbers.places):
        factor = float(numbers.scale.factor[i])
        columns[j] = {
            "name": str(names[j]),
            "kind": "numbers",
            "centre": float(numbers.scale.centre[i]),
            "scale": 1 / factor if factor else None,
            "had_missing_values": i in numbers.marked,
        }
    for column in encoder.categories:
        columns[column.place] = {
            "name": str(names[column.place]),
            "kind": "categories",
            "categories": list(column.categories.names),
            "others": column.categories.others,
        }
    return {"target": model.target_name_, "columns": columns}
