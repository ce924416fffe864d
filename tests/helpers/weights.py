"""A network and its data, for tests of weights."""

import numpy as np

import bpcore as bp

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(24, 3))
CUSTOM = {
    "half squares": lambda a, y: (0.5 * ((a - y) ** 2).sum(axis=1), a - y),
    "graph": lambda a, y: ((a - y) ** 2).sum(axis=1),
}


def net_of(Network, loss, **settings):
    settings = {"optimizer": bp.SGD(0.1, momentum=0.9), "rng": 1, **settings}
    return Network(
        [3, 5, 3], activation="tanh", loss=CUSTOM.get(loss, loss), dtype="float64",
        **settings,
    )  # fmt: skip


def everything(net):
    state = net.learner.state
    arrays = [state.parameters, state.moments, state.optimizer_arrays]
    found = b"".join(a.tobytes() for a in arrays if a is not None)
    return found, tuple(state.layer_steps)
