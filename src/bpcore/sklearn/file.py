"""Estimators of this package in native files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.files.native.container import Container
from bpcore.files.native.model_file import require_keys, write_model
from bpcore.files.native.network_file import stored_with_test
from bpcore.files.native.networks import HowToRead
from bpcore.files.native.parameters import parameters_of, plain_parameters
from bpcore.files.native.settings import as_plain, loss_of
from bpcore.files.native.values import checked_value, classes_of, plain_classes
from bpcore.files.whole import Path
from bpcore.model.design import output_and_loss
from bpcore.network import learner_of, network_from
from bpcore.quoting import quoted
from bpcore.sklearn.columns import Columns
from bpcore.sklearn.fitted import Past, fitted_attributes
from bpcore.sklearn.labels import Labels
from bpcore.sklearn.stopping import Stopping
from bpcore.training.history import History

#: Keys of the content of a file.
CONTENT = ("parameters", "targets", "names", "curves", "model")
#: The arrays of the losses of all epochs.
CURVES = ("loss_curve", "validation_loss_curve")


def write_estimator(path: Path, kind: str, model: Any, *, sync: bool = True) -> None:
    """Write a fitted estimator to a file, or leave it as it was."""
    learner = learner_of(model.network_)
    with learner.engine.reading():  # not during a step of another thread
        content, arrays, finite = stored_with_test(learner, model.n_threads)
        names = getattr(model, "feature_names_in_", None)
        plain = {
            "parameters": plain_parameters(model.get_params(deep=False)),
            "targets": _targets(model.targets_),
            "names": None if names is None else [str(name) for name in names],
            "curves": {"n_iter": model.n_iter_, "stopped": model.stopped_},
            "model": content,
        }
        curves = {name: np.array(getattr(model, f"{name}_"), float) for name in CURVES}
        write_model(path, kind, plain, arrays | curves, finite=finite, sync=sync)


def estimator_from(
    new: type, content: dict[str, Any], file: Container, how: HowToRead
) -> Any:
    """The fitted estimator of a file, of the class `new`.

    Raises
    ------
    ValueError, TypeError
        If anything is missing, unknown or not as described.
    """
    require_keys("content", content, *CONTENT)
    parameters = parameters_of(content["parameters"], new().get_params(deep=False))
    model: Any = new(**parameters)
    network = network_from(content["model"], file, how)
    targets = _read_targets(content["targets"])
    if network.sizes[-1] != targets.n_out:
        raise ValueError(f"the network must have {targets.n_out} outputs")
    history = network.history or History()
    attributes = fitted_attributes(network, history, targets, Past())
    attributes |= _read_curves(content["curves"], file, history)
    attributes["n_features_in_"] = n = network.sizes[0]
    names = content["names"]
    if names is not None:
        if not isinstance(names, list) or len(names) != n:
            raise ValueError(f"names must be a list of {n}; got {quoted(names)}")
        for name in names:
            checks.instance("a name", name, str)
        attributes["feature_names_in_"] = np.array(names, dtype=object)
    for name, value in attributes.items():
        setattr(model, name, value)
    model._stopping = Stopping()  # noqa: SLF001 -- of this package's own class
    return model


def _targets(targets: Labels | Columns) -> dict[str, Any]:
    if isinstance(targets, Columns):
        return {"n_targets": targets.n_targets, "copies": targets.copies}
    return {
        "classes": plain_classes(targets.classes),
        "multilabel": targets.multilabel,
        "output": targets.output,
        "loss": as_plain(targets.loss),
    }


def _read_targets(plain: Any) -> Labels | Columns:
    if isinstance(plain, Mapping) and "n_targets" in plain:
        require_keys("targets", plain, "n_targets", "copies")
        counts = (checks.integer(name, plain[name], 1) for name in plain)
        return Columns(*counts)
    require_keys("targets", plain, "classes", "multilabel", "output", "loss")
    output = checked_value("output", plain["output"])
    output, loss = output_and_loss(output, loss_of(plain["loss"]))
    multilabel = checks.boolean("multilabel", plain["multilabel"])
    return Labels(classes_of(plain["classes"]), multilabel, output, loss)


def _read_curves(plain: Any, file: Container, history: History) -> dict[str, Any]:
    """The attributes of all epochs."""
    require_keys("curves", plain, "n_iter", "stopped")
    n_iter = checks.integer("n_iter", plain["n_iter"], 0)
    found: dict[str, Any] = {"n_iter_": n_iter, "stopped_": history.stopped}
    for name in CURVES:
        curve: NDArray[Any] = file.array(name)
        if curve.ndim != 1 or curve.dtype != np.float64 or len(curve) > n_iter:
            raise ValueError(f"{name} must be float64, of at most {n_iter} epochs")
        found[f"{name}_"] = curve.tolist()
    return found
