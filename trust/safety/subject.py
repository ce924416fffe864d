"""The network and the data of the cases of `hooks`."""

import contextlib

import numpy as np

import bpcore as bp

#: Large enough that memory outside is not the process's own.
SIZES = (600, 400, 10)
QUIET = {"epochs": 1, "progress": False}


def network(**settings):
    return bp.Network(SIZES, **{"rng": 0, "n_threads": 1} | settings)


def data(n=64, dtype="float32"):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(n, SIZES[0])).astype(dtype),
            rng.normal(size=(n, SIZES[-1])).astype(dtype))  # fmt: skip


def shrink(array):
    """Free the memory of an array; NumPy may refuse, for one that is in use."""
    with contextlib.suppress(ValueError):
        array.resize((1,) * array.ndim, refcheck=False)
    return [np.full(1 << 18, 7, np.uint8) for _ in range(4)]  # over what was freed


def trained(net):
    """Use a network after a case: it must still predict and learn."""
    X, y = data()
    net.predict(X)
    net.train_step(X, y)
