"""Files of the present format, to be loaded for ever, and what they must give.

python tests/golden/make_formats.py

Run once for each format, before its release; never again for the same number.
"""

from pathlib import Path

import numpy as np

import bpcore as bp
from bpcore import schedules
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
    np.savez_compressed(FOLDER / f"format_{FORMAT}.npz", **arrays)


if __name__ == "__main__":
    main()
