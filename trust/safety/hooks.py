"""Objects whose Python code runs inside a call, and changes what the call works on.

python -m trust.safety.hooks

Each case hands the library an object that lies about its memory, or whose methods
resize an array or change the network in the middle of a call.  It must end in a right
result or in an error; a process that dies, or memory that is damaged, is the failure.
`trust.memory_safety` runs the cases in a process whose allocator checks itself.
"""

import contextlib
from dataclasses import replace
from itertools import product

import numpy as np

import bpcore as bp
from trust.safety.engine_arguments import engine_cases
from trust.safety.kernel_hooks import kernel_cases

#: Errors that a call may end in.
ERRORS = (ValueError, TypeError, RuntimeError, AttributeError)
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


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
    raw[...] = array.reshape(-1).view(np.uint8)
    return raw.view(array.dtype).reshape(array.shape)


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


# --- arrays that lie, numbers that act ------------------------------------------------


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


def acting_number(kind, act):
    """A number whose conversion runs `act` first."""

    class Acting(kind):
        def __float__(self):
            act()
            return 0.5

        def __index__(self):
            act()
            return 0

        __int__ = __index__

    return Acting(0)


def number_cases():
    def meddlers(net, x):
        return {
            "another optimizer": lambda: setattr(net, "optimizer", bp.AMSGrad()),
            "another network": lambda: net.__init__([3, 2]),
            "threads": lambda: setattr(net, "n_threads", 4),
            "resized row": lambda: shrink(x),
        }

    for kind, loss, sizes in (
        (np.float32, "squared_error", (5000, 100, 1)),
        (np.int64, "squared_error", (5000, 100, 1)),
        (np.int64, "cross_entropy", (5000, 100, 10)),
    ):
        for name in meddlers(None, None):

            def learn(kind=kind, loss=loss, sizes=sizes, name=name):
                net = bp.Network(sizes, loss=loss, rng=0)
                x = np.ones(sizes[0], np.float32)
                act = meddlers(net, x)[name]
                net.learn_one(x, acting_number(kind, act))
                net.learn_one(np.ones(net.sizes[0], np.float32), 0)

            yield f"learn_one, {loss}, {kind.__name__}: {name}", learn


# --- callbacks, losses, schedules -----------------------------------------------------


def callback_cases():
    options = {
        "callbacks": lambda act: {"callbacks": [lambda *_: act()]},
        "batch_callbacks": lambda act: {"batch_callbacks": [lambda *_: act()]},
    }
    for name, option in options.items():

        def fit(option=option):
            net, (X, y) = network(), data()

            def act():
                shrink(X), shrink(y)

            net.fit(X, y, **{**QUIET, "epochs": 3}, batch_size=16, **option(act))

        yield f"fit, arrays resized by {name}", fit
    for use in ("fit", "train_step", "gradients", "evaluate", "trace"):
        for at in (1, 2, 3):

            def call(use=use, at=at):
                (X, y), calls = data(), []

                def loss(a, t):
                    calls.append(1)
                    if len(calls) >= at:
                        shrink(X), shrink(y)
                    return ((a - t) ** 2).sum(1), 2 * (a - t)

                net = network(loss=loss)
                if use == "trace":
                    bp.trace(net, X, y)
                elif use == "fit":
                    net.fit(X, y, batch_size=16, **QUIET)
                else:
                    getattr(net, use)(X, y)

            yield f"{use}, arrays resized by call {at} of the loss", call

    def schedule():
        X, y = data()
        net = network(optimizer=bp.SGD(lambda epoch: shrink(X) and shrink(y) and 0.1))
        net.fit(X, y, **{**QUIET, "epochs": 3})

    def labels_of_a_loss_without():
        class Labelled(bp.Huber):
            labels = True

        network(loss=Labelled()).train_step(data()[0], np.zeros(64, np.int64))

    def labels_changed():
        net = network(loss="cross_entropy")
        X, y = data()[0], np.zeros(64, np.int64)

        def act(*_):
            y[...] = 1 << 40

        with contextlib.suppress(bp.DivergenceError):
            net.fit(X, y, **{**QUIET, "epochs": 3}, batch_callbacks=[act])

    yield "fit, arrays resized by the schedule", schedule
    yield "loss that claims to take labels", labels_of_a_loss_without
    yield "labels out of range by a callback", labels_changed


# --- the network's own arrays ---------------------------------------------------------


def state_cases():
    def resize_all():
        net = network(norm="batch", optimizer=bp.Adam())
        trained(net)
        state = net.learner.state
        arrays = [net.parameters, *net.weights, net.running_moments[0],
                  *state.changed_in_place()]  # fmt: skip
        for array in arrays:
            owner = array
            while isinstance(owner, np.ndarray):
                shrink(owner)
                owner = owner.base
        trained(net)

    def reshape_all():
        net = network(norm="batch", optimizer=bp.Adam())
        parameters = net.parameters
        parameters.shape = (1, -1)
        parameters.dtype = np.uint8
        net.running_moments[0].shape = (-1,)
        state = net.learner.state
        state.parameters.shape = (1, -1)
        trained(net)

    def replaced_array():
        net = network()
        net.learner.state.parameters = np.zeros(1, "f4")
        net.learner.state.counters = np.zeros(1, np.int64)
        shrink(np.zeros(1 << 20))
        trained(net)

    def read_only():
        net = network()
        net.learner.state.parameters.setflags(write=False)
        trained(net)
        net.optimizer = bp.Adam()

    yield "state's arrays resized", resize_all
    yield "state's arrays reshaped", reshape_all
    yield "state's arrays replaced", replaced_array
    yield "state's arrays read-only", read_only


def cases():
    """All cases: a name, and a function without arguments."""
    for group in (
        optimizer_cases, tape_cases, output_cases, number_cases, callback_cases,
        state_cases, engine_cases, kernel_cases,
    ):  # fmt: skip
        yield from group()


def main():
    """Run each case; the name is printed before it, and counted after it."""
    for name, call in cases():
        print(name, flush=True)
        try:
            call()
        except ERRORS:
            continue
    trained(network())
    print("all", flush=True)


if __name__ == "__main__":
    main()
