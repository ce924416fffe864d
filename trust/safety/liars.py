"""Optimizers, tapes and arrays that are not what they say."""

from dataclasses import replace
from itertools import product

import numpy as np

import bpcore as bp
from trust.forms.arrays import misaligned
from trust.safety.subject import SIZES, data, network, shrink, trained

# --- optimizers -----------------------------------------------------------------------


def fewer_states(Optimizer, by, count):
    """An optimizer that names fewer arrays than its rule uses."""
    states = property(lambda self: super(Poor, self).states[:count])
    Poor = type(f"Poor{Optimizer.__name__}", (Optimizer,), {by: states})
    return Poor(0.01)


class Forgetful(bp.Adam):
    """Its arrays are fewer each time they are counted."""

    @property
    def states(self):
        counted = vars(self).setdefault("counted", [3])
        counted[0] -= 1
        return super().states[: max(counted[0], 0)]


def optimizer_cases():
    rules = (bp.Adam, bp.AMSGrad, bp.Adagrad, bp.Lion, bp.Rprop, bp.RMSprop)
    for Optimizer, by, count in product(rules, ("states", "kept"), (0, 1)):

        def build(Optimizer=Optimizer, by=by, count=count):
            network(optimizer=fewer_states(Optimizer, by, count)).train_step(*data())

        def assign(Optimizer=Optimizer, by=by, count=count):
            net = network()
            try:
                net.optimizer = fewer_states(Optimizer, by, count)
            finally:
                trained(net)

        def kernel(Optimizer=Optimizer, by=by, count=count):
            w = np.ones(1 << 20)
            state = np.ones((count, w.size))
            bp.kernels.descend(w, w.copy(), fewer_states(Optimizer, by, count), state)

        name = f"{Optimizer.__name__} with {count} {by}"
        yield f"{name}, built", build
        yield f"{name}, assigned", assign
        yield f"{name}, kernel", kernel
    yield "states that vary", lambda: network(optimizer=Forgetful()).train_step(*data())


# --- tapes ----------------------------------------------------------------------------


class Liar(np.ndarray):
    """A subclass that gives another shape, dtype and length than it has."""

    shape = property(lambda self: (64, SIZES[-1]))
    dtype = property(lambda self: np.dtype("float32"))
    size = property(lambda self: 64 * SIZES[-1])
    nbytes = property(lambda self: 4 * 64 * SIZES[-1])
    ndim = property(lambda self: 2)
    flags = property(lambda self: np.ones(1).flags)

    def __len__(self):
        return 64


def tape_cases():
    X, d = data()
    changes = {
        "uint8": lambda a: a.astype("u1"),
        "float16": lambda a: a.astype("f2"),
        "float64": lambda a: a.astype("f8"),
        "other byte order": lambda a: a.astype(">f4"),
        "fewer rows": lambda a: a[:1],
        "narrow": lambda a: a[:, :1],
        "misaligned": misaligned,
        "strided": lambda a: np.repeat(a, 2, 1)[:, ::2],
        "subclass": lambda a: a[:1].view(Liar),
        "scalar": lambda a: a[0, 0],
    }  # fmt: skip
    for name, change in changes.items():

        def backward(change=change):
            net = network()
            tape = net.forward(X)
            bad = change(tape.activations[0]), *tape.activations[1:]
            net.backward(replace(tape, activations=bad), d)

        yield f"tape whose X is {name}", backward

    def small_memory():
        net = network()
        tape = net.forward(X)
        net.backward(replace(tape, memory=tape.memory[:64].view(Liar)), d)

    def resized():
        net = network()
        tape = net.forward(X)
        for array in (*tape.activations, tape.memory):
            shrink(array), shrink(np.asarray(array.base))
        net.backward(tape, d)

    def reshaped():
        net = network()
        tape = net.forward(X)
        tape.activations[0].shape = (-1,)
        tape.memory.dtype = np.float64
        net.backward(tape, d)

    class ByTurns(bp.model.gradients.Tape):
        """Its arrays are others each time they are read."""

        def __getattribute__(self, name):
            value = super().__getattribute__(name)
            times = object.__getattribute__(self, "__dict__").setdefault("times", [0])
            times[0] += 1
            if name == "memory" and times[0] > 4:
                return value[:64]
            return value

    def by_turns():
        net = network()
        tape = net.forward(X)
        net.backward(ByTurns(tape.activations, tape.memory, tape.seen), d)

    yield "tape with small memory", small_memory
    yield "tape resized", resized
    yield "tape reshaped", reshaped
    yield "tape that varies", by_turns


# --- outputs --------------------------------------------------------------------------


def output_cases():
    X, _ = data()

    def lying_out():
        network().predict(X, out=np.zeros((1, 1), "f4").view(Liar))

    class Plain(np.ndarray):
        pass

    def honest_out():
        net = network()
        out = np.zeros((64, SIZES[-1]), "f4").view(Plain)
        assert net.predict(X, out=out) is out
        assert np.array_equal(np.asarray(out), net.predict(X))

    def own_row():
        net = network()
        net._one = np.zeros(1, "f4")
        net.predict_one(X[0])

    yield "predict(out=) of a subclass that lies", lying_out
    yield "predict(out=) of a subclass", honest_out
    yield "predict_one with an array too small", own_row
