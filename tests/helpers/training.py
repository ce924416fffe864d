"""A small network and its data."""

import numpy as np

import bpcore as bp

QUIET = {"progress": False}
SIZES = (7, 19, 33, 4)
rng = np.random.default_rng(0)
X = rng.normal(size=(50, 7)).astype("float32")
LABELS = rng.integers(0, 4, 50)


def make(Network=bp.Network, **settings):
    settings = {"activation": ["gelu", "relu"], "loss": "cross_entropy", **settings}
    return Network(SIZES, rng=0, **settings)
