"""Files of the present format, to be loaded for ever, and what they must give.

python tests/golden/make_formats.py

Run once for each format, before its release; never again for the same number.
"""

from pathlib import Path

import numpy as np
import pandas as pd

import bpcore as bp
from bpcore import schedules, sklearn, tabular
from bpcore.files.native.model_file import FORMAT

FOLDER = Path(__file__).parent
QUIET = {"progress": False, "batch_size": 8}


def main():
    """Write the files."""
    random = np.random.default_rng(0)
    X = random.normal(size=(40, 5)).astype("float32")
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    net = bp.Network(
        [5, 7, 6, 2],
        activation=["mish", "tanh"],
        loss=bp.CrossEntropy(label_smoothing=0.1),
        norm=["batch", "layer"],
        dropout=[0.1, 0.0],
        input_scale=6.0,
        optimizer=bp.Adam(
            schedules.WarmUp(schedules.ReduceOnPlateau(0.01), 2),
            biases={"lr_factor": 0.1},
            clip_norm=1.0,
        ),
        rng=0,
    )
    net.fit(X, y, epochs=5, validation=0.2, metrics="accuracy", **QUIET)
    output = net.predict(X)
    net.save(FOLDER / f"format_{FORMAT}_network.bpc")
    net.save(FOLDER / f"format_{FORMAT}_weights.bpc", weights_only=True)
    net.fit(X, y, epochs=2, **QUIET)
    arrays = {"X": X, "y": y, "output": output, "trained": net.parameters}
    arrays |= _checkpoint(X, y) | _estimators(X, y)
    np.savez_compressed(FOLDER / f"format_{FORMAT}.npz", **arrays)


def _checkpoint(X, y):
    """A fit stopped in the middle of an epoch, and the parameters after its end."""

    def new():
        return bp.Network([5, 7, 2], loss="cross_entropy", dropout=0.2, rng=0)

    def stop(net, epoch, batch, loss):
        return (epoch, batch) == (2, 3)

    path = FOLDER / f"format_{FORMAT}_checkpoint.bpc"
    saving = [bp.Checkpoint(path), stop]
    new().fit(X, y, epochs=4, batch_callbacks=saving, restore_best=True, **QUIET)
    whole = new()
    whole.fit(X, y, epochs=4, restore_best=True, **QUIET)
    return {"resumed": whole.parameters}


def _estimators(X, y):
    """Estimators of both kinds, and what they predict."""
    colours = np.array(["red", "blue", "gr\u00fcn"])[np.arange(40) % 3]
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "colour": colours, "flag": y > 0})
    frame.loc[::7, "b"] = np.nan
    few = {"random_state": 0, "epochs": 2}
    models = {
        "tabular_classifier": (
            tabular.Classifier(n_models=2, hidden_layer_sizes=(8,), **few), frame,
            np.where(y, "yes", "no"),
        ),
        "tabular_regressor": (
            tabular.Regressor(quantiles=(0.1, 0.9), hidden_layer_sizes=(8,), **few),
            frame, X[:, 2],
        ),
        "sklearn_classifier": (
            sklearn.Classifier(hidden_layer_sizes=(6,), **few), X, np.arange(40) % 3,
        ),
        "sklearn_regressor": (
            sklearn.Regressor(hidden_layer_sizes=(6,), **few), X, X[:, :2],
        ),
    }  # fmt: skip
    found = {}
    for name, (model, data, target) in models.items():
        model.fit(data, target).save(FOLDER / f"format_{FORMAT}_{name}.bpc")
        predict = getattr(model, "predict_proba", model.predict)
        found[name] = predict(data)
    return found | {"colours": colours, "b": frame["b"].to_numpy()}


if __name__ == "__main__":
    main()
