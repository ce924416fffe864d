"""The state of a thread's floating-point arithmetic: no bit depends on it.

A library that was linked with -ffast-math lets the thread that loads it flush subnormal
numbers to 0; other programs change the rounding, or let exceptions stop the process.
"""

import ctypes
import platform
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp

#: By processor: where the control word lies in the C library's fenv_t (glibc and musl),
#: its bits that flush subnormal numbers, that round upwards, and that stop at an
#: invalid operation, an overflow or a division by 0 (cleared on x86-64).
LAYOUTS = {
    "x86_64": (28, 0x8040, 0x4000, 0x0680),
    "aarch64": (0, 1 << 24, 1 << 22, 0),
}
LAYOUT = LAYOUTS.get(platform.machine())

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or LAYOUT is None, reason="the layout of Linux's fenv_t"
)


class State:
    """The control word, for a ``with`` block in which it is another."""

    def __init__(self, flush=False, upwards=False, stop=False):
        self.libm = ctypes.CDLL("libm.so.6" if platform.libc_ver()[0] else None)
        _, flushing, rounding, stopping = LAYOUT
        self.word = self.now()
        self.bits = flush * flushing ^ upwards * rounding ^ stop * stopping

    def memory(self):
        memory = (ctypes.c_uint32 * 64)()
        assert self.libm.fegetenv(memory) == 0
        return memory

    def now(self):
        """The control word, without the flags of what has occurred."""
        return self.memory()[LAYOUT[0] // 4] & ~0x3F

    def set(self, word):
        memory = self.memory()
        memory[LAYOUT[0] // 4] = word
        assert self.libm.fesetenv(memory) == 0

    def __enter__(self):
        self.set(self.word ^ self.bits)
        return self

    def __exit__(self, *exception):
        now = self.now()
        self.set(self.word)
        if exception[0] is None:
            assert now == self.word ^ self.bits, "it was not set back"


def test_the_states_differ():
    tiny = np.full(4, 1e-40, "float32")
    with State(flush=True):
        flushed = tiny * np.float32(0.5)
    assert not flushed.any() and (tiny * np.float32(0.5)).all()
    third = np.ones(4) / np.full(4, 3.0)
    with State(upwards=True):
        above = np.ones(4) / np.full(4, 3.0)
    assert (above > third).all()


OPTIMIZERS = {
    "SGD": lambda: bp.SGD(0.1, momentum=0.5, weight_decay=0.1),
    "Adam": lambda: bp.Adam(0.01),
    "clipped": lambda: bp.SGD(0.1, clip_norm=1e-3),
}


def data(dtype):
    """Rows and targets, of ordinary size and so small that products are subnormal."""
    tiny, rng = np.finfo(dtype).smallest_normal, np.random.default_rng(0)
    X, Y = (rng.normal(size=(120, n)).astype(dtype) for n in (20, 30))
    return X, Y, X * tiny, Y * tiny


def network(dtype, optimizer, n_threads, norm):
    """A network, a part of whose weights is subnormal."""
    net = bp.Network([20, 80, 30], activation="tanh", optimizer=optimizer(), rng=0,
                     dtype=dtype, n_threads=n_threads, norm=norm)  # fmt: skip
    net.weights[1][:, ::2] *= np.finfo(dtype).smallest_normal
    net.learner.engine.use_threads(n_threads, work=1)
    return net


def use(net, X, Y, tiny_X, tiny_Y):
    """Losses, and all other numbers that the engine computes, as bytes."""
    losses = [net.fit(tiny_X, Y, epochs=2, batch_size=50, progress=False).loss]
    for _ in range(5):
        losses.append(net.train_step(tiny_X, tiny_Y))
    found = [net.predict(tiny_X), net.predict(X[:1]), net.predict_one(tiny_X[0]).copy()]
    found.append(net.gradients(tiny_X, tiny_Y).flat)
    if net.norms[0] != "batch":
        losses.append(net.learn_one(tiny_X[0], Y[0]))
    losses.append(net.fit(X, Y, epochs=1, accumulate=2, progress=False).loss)
    losses.append(net.evaluate(X, Y))
    found += net.learner.state.to_arrays().values()
    losses, found = (
        [np.asarray(each).tobytes() for each in part] for part in (losses, found)
    )
    return {"losses": losses, "found": found}


@pytest.mark.parametrize("state", ["flush", "upwards"])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_networks(dtype, name, norm, n_threads, state):
    arrays, settings = data(dtype), (dtype, OPTIMIZERS[name], n_threads, norm)
    expected = use(network(*settings), *arrays)
    net = network(*settings)
    with State(**{state: True}):
        found = use(net, *arrays)
    if state == "upwards":  # means are rounded in Python
        del found["losses"], expected["losses"]
    assert found == expected


@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_loss_that_changes_it(dtype, n_threads):
    _, Y, tiny_X, _ = data(dtype)

    def loss(a, y, change=None):
        if change is not None:
            change.set(change.word ^ change.bits)
        return np.zeros(len(a)), y

    networks = [
        bp.Network([20, 80, 30], loss=each, rng=0, dtype=dtype, n_threads=n_threads)
        for each in (loss, partial(loss, change=State(flush=True)))
    ]
    for net in networks:
        with State():
            net.train_step(tiny_X, Y)
    plain, changed = (net.parameters.tobytes() for net in networks)
    assert plain == changed


def parameters_after(act, **settings):
    settings = {"activation": "tanh", "rng": 0, "dtype": "float32", **settings}

    def call(X, Y, tiny_X, tiny_Y, folder):
        net = bp.Network([20, 10, 30], **settings)
        act(net, X, Y, tiny_X, tiny_Y)
        return net.parameters.tobytes()

    return call


def small_weights():
    """A network whose weights are subnormal, made in the default state."""
    net = bp.Network([20, 10, 30], rng=0, dtype="float32")
    net.parameters[...] *= np.float32(1e-39)
    return net


SMALL = small_weights()


def to_c(X, Y, tiny_X, tiny_Y, folder):
    SMALL.to_c(folder / "net.h")
    return (folder / "net.h").read_text()


LIBRARY = {
    "initial weights": parameters_after(lambda *_: None, init="he_normal"),
    "LBFGS": parameters_after(
        lambda net, X, Y, *_: net.fit(X, Y, epochs=3, progress=False),
        optimizer=bp.LBFGS(weight_decay=1e-3),
    ),
    "distributed.fit": parameters_after(
        lambda net, X, Y, tiny_X, tiny_Y: bp.distributed.fit(
            net, tiny_X, tiny_Y, epochs=2, batch_size=16, progress=False
        )
    ),
    "fit_many": parameters_after(
        lambda net, X, Y, tiny_X, tiny_Y: bp.fit_many(
            [net], tiny_X, tiny_Y, epochs=2, progress=False
        )
    ),
    "astype": lambda *_: SMALL.astype("float64").parameters.tobytes(),
    "to_c": to_c,
    "metrics": lambda X, Y, tiny_X, tiny_Y, folder: repr(
        SMALL.evaluate(tiny_X, tiny_Y, metrics=["mae", "r2"])
    ),
}  # fmt: skip


@pytest.mark.parametrize("state", ["flush", "upwards"])
@pytest.mark.parametrize("name", LIBRARY)
def test_what_numpy_computes_for_the_library(name, state, tmp_path):
    """Conversions, sums of shards, SciPy's part of L-BFGS."""
    if name == "LBFGS":
        pytest.importorskip("scipy")
    arrays = *data("float32"), tmp_path
    expected = LIBRARY[name](*arrays)
    with State(**{state: True}):
        found = LIBRARY[name](*arrays)
    assert found == expected


def test_functions_of_the_caller_have_the_callers_state():
    X, Y, *_ = data("float32")
    found = []

    def metric(y, a):
        found.append(State().word)
        return 0.0

    with State(flush=True) as state:
        SMALL.evaluate(X, Y, metrics=[metric])
    assert found == [state.word ^ state.bits]


def kernels(dtype):
    """Calls of kernels with subnormal numbers; each returns its arrays, as bytes."""
    tiny = float(np.finfo(dtype).smallest_normal)
    k, rng = bp.kernels, np.random.default_rng(0)

    def some(*shape, scale=tiny):
        return (rng.uniform(0.1, 0.9, shape) * scale).astype(dtype)

    X, z, b, moments, running = some(6, 4), some(6, 5), some(5), some(2, 5), some(2, 5)
    W, rows, small, one = some(4, 5, scale=1), some(6, 4, scale=1), some(4, 5), some(5)
    ones, longest, sgd = some(5, scale=1), some(6, scale=1), bp.SGD(0.5)
    negative, powers = -b / 2, (rows.ravel() * np.log(tiny / 1e3)).astype(dtype)
    calls = {
        "forward": (lambda *a: k.forward(*a, "identity"), X, W, b, z),
        "propagate": (lambda *a: k.propagate(*a, "tanh"), z, W, rows, X),
        "gradient": (k.gradient, rows, z, W, b),
        "update": (lambda *a: k.update(*a, sgd), small, b, rows, z),
        "descend": (lambda *a: k.descend(*a, sgd), b, one),
        "limit_norms": (lambda a: k.limit_norms(a, tiny), W),
        "clip_norm": (lambda a: k.clip_norm(a, tiny), ones),
        "add": (k.add, b, negative),
        "follow": (lambda *a: k.follow(*a, 6), running, moments),
        "fold": (k.fold, W, b, small, one, ones, np.stack([ones, ones])),
        "normalise": (
            lambda *a: k.normalise(*a, "batch"), z, z, longest, moments, ones, b
        ),
        "scale_rows": (k.scale_rows, X, ones[:4].copy(), X),
        "drop": (lambda *a: k.drop(*a, 1, 0.9), X, X),
        "add_noise": (lambda *a: k.add_noise(*a, 1, tiny), X, X),
        "activate": (lambda a: k.activate(a, "gelu"), z),
        "times_derivative": (lambda *a: k.times_derivative(*a, "tanh"), z, z),
        "loss": (lambda a, d, y: k.loss(a, d, "squared_error", y), z, z, b * z),
        "elementary": (lambda *a: k.elementary("exp", *a), powers, X.ravel()),
    }  # fmt: skip

    def call(function, *arrays):
        copies = [array.copy() for array in arrays]
        return [function(*copies), *(each.tobytes() for each in copies)]

    return {name: partial(call, *each) for name, each in calls.items()}


@pytest.mark.parametrize("name", kernels("float32"))
def test_kernels(dtype, name):
    call = kernels(dtype)[name]
    expected = call()
    with State(flush=True):
        found = call()
    assert found == expected


PROGRAM = """
import sys
import numpy as np, bpcore as bp
sys.path.insert(0, sys.argv[1])
from test_arithmetic import OPTIMIZERS, State, data, network, use

def bits(**state):
    arrays, net = data("float32"), network("float32", OPTIMIZERS["SGD"], 3, "layer")
    huge = np.full((64, 20), 3e38, "f4")
    with State(**state):
        found = use(net, *arrays)["found"]
        return [*found, net.predict(huge).tobytes()]

first = bits({first})
assert first == bits()
"""


@pytest.mark.parametrize("state", ["flush", "upwards", "stop"])
def test_threads_that_begin_in_another_state(state):
    """In a process of its own, which an exception may stop."""
    program = PROGRAM.replace("{first}", f"{state}=True")
    subprocess.run([sys.executable, "-c", program, Path(__file__).parent], check=True)
