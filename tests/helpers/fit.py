"""A small network, its data, and ways to run it."""

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import bpcore as bp

RNG = np.random.default_rng(0)
N = 45
X = RNG.standard_normal((N, 3))
LABELS = RNG.integers(2, size=N)
TARGETS = RNG.random((N, 2))
QUIET = {"progress": False}
MOMENTUM = bp.SGD(0.1, momentum=0.9)


def small(Network=bp.Network, **settings):
    settings = {"loss": "cross_entropy", "optimizer": MOMENTUM, "rng": 0, **settings}
    return Network([3, 8, 5, 2], activation="tanh", **settings)


def bits(net):
    """All that training changes, as bytes: equal where every bit is."""
    return pickle.dumps(
        (
            net.parameters,
            net.learner.state.optimizer_arrays,
            net.learner.state.bits.state,
        )
    )


def python(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options)


def in_a_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def order_of_next_epoch(net, shuffle):
    """The order of rows in the network's next epoch."""
    order = np.arange(N)
    if shuffle:
        net.learner.engine.shuffle(
            order, copy.deepcopy(net.learner.state.bits).random_raw(N)
        )
        assert sorted(order) != order.tolist()
    return order


def diverging(lr=3.0, dtype="float32"):
    """A network that learns for some epochs, and then diverges."""
    optimizer = bp.SGD(lr, momentum=0.9)
    return bp.Network([3, 2], optimizer=optimizer, dtype=dtype, rng=0)


def train(seed):
    net = small(rng=seed)
    net.fit(np.resize(X, (5000, 3)), np.resize(LABELS, 5000), **QUIET)
    return bits(net)
