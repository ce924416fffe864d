"""A fit with a checkpoint after each epoch, as a program for `trust.lost_processes`.

    python -m trust.concurrency.killed_run FOLDER

Each process writes its number into FOLDER/RANK, and makes FOLDER/RANK.begun when the
fit is loading.  It prints a digest of the network, or the error that ended its fit.
"""

import os
import sys
from pathlib import Path

EPOCHS = 25
SHARDS = 12


def digest_of_fit(folder, rank):
    """Train, from the checkpoint on if there is one; a digest of what was learned."""
    import numpy as np

    import bpcore as bp
    from trust.digest import digest

    def load(k):
        Path(folder, f"{rank}.begun").touch()
        rng = np.random.default_rng(k)
        X = rng.normal(size=(300 + k, 20)).astype("float32")
        return X, np.tanh(X[:, :2])

    net = bp.Network(
        [20, 200, 50, 2],
        optimizer=bp.Adam(1e-3, clip_norm=1.0),
        norm="batch",
        dropout=0.1,
        rng=0,
        n_threads=1,
    )
    path = Path(folder, "net.bpc")
    bp.distributed.fit(
        net,
        load,
        shards=SHARDS,
        epochs=EPOCHS,
        batch_size=16,
        restore_best=True,
        callbacks=[bp.Checkpoint(path, sync=False)],
        progress=False,
        resume=path if path.exists() else None,
    )
    arrays = net.learner.state.to_arrays()
    return digest(net.history.loss, *arrays, *arrays.values())


def main():
    """Run the command line."""
    folder = sys.argv[1]
    names = ("PMI_RANK", "OMPI_COMM_WORLD_RANK")
    rank = next((os.environ[name] for name in names if name in os.environ), "0")
    Path(folder, rank).write_text(str(os.getpid()))
    try:
        line = digest_of_fit(folder, rank)
    except Exception as error:
        line = f"{type(error).__name__}: {error}"
    sys.stdout.write(f"process {rank} {line}\n")
    sys.stdout.flush()
    if "Error" in line:
        sys.exit(2)


if __name__ == "__main__":
    main()
