"""Wrong arrays for every method of the engine: each must be refused."""

from functools import partial

import numpy as np

import bpcore as bp

N, N_IN, N_OUT = 32, 300, 4
#: The position of the rates, of which any number is right.
RATES = {"run": 10, "run_epochs": 7}


def wrong_arrays(right):
    """Arrays that are not what a method of the engine needs in place of `right`."""
    yield "short", right.reshape(-1)[:1].copy()
    yield "long", np.resize(right, 2 * right.size + 1)
    yield "of half the bytes", right.astype(np.float16)
    if right.dtype != np.uint8:
        yield "of bytes", right.astype(np.uint8)
        yield "of another byte order", right.astype(right.dtype.newbyteorder())
    yield "strided", np.repeat(right.reshape(-1), 2)[::2].reshape(right.shape)[::-1]
    yield "a subclass", right.view(type("Sub", (np.ndarray,), {}))
    yield "a list", right.tolist()
    yield "bytes", right.tobytes()


def engine_cases():
    """A name, and a function that must raise nothing."""
    engine, arguments = right_arguments()
    for name, right in arguments.items():
        call = getattr(engine, name)
        yield f"engine.{name}", partial(taken, call, right)
        for at, kind, wrong in wrong_in(name, right):
            title = f"engine.{name}, argument {at} {kind}"
            yield title, partial(refused, call, wrong)
    X, *others = arguments["run"]
    yield from run_cases(engine, X, *others)
    yield "no targets", partial(refused, engine.train_step, [X, None, None])
    yield "no threads", partial(refused, engine.use_threads, [0])
    yield "no work", partial(refused, engine.use_threads, [1, 0])
    yield "no rows of a tape", partial(refused, engine.tape_size, [0])


def right_arguments():
    """An engine, and right arguments of each of its methods."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, N_IN)).astype("f4")
    y = rng.normal(size=(N, N_OUT)).astype("f4")
    weight, order = np.ones(N), np.arange(N)
    net = bp.Network([N_IN, 50, N_OUT], norm=["batch"], optimizer=bp.Adam(), rng=0)
    engine, state = net.learner.engine, net.learner.state
    flat, moments = np.zeros_like(state.parameters), np.zeros_like(state.moments)
    tape, traced = (np.zeros(engine.tape_size(N, whole)[0], np.uint8)
                    for whole in (False, True))  # fmt: skip
    out, dX, rates, losses = np.zeros_like(y), np.zeros_like(X), np.ones(3), np.ones(N)
    epochs = np.ones(2)
    arguments = {
        "predict": (X, out, True),
        "evaluate": (X, y, weight),
        "train_step": (X, y, weight),
        "gradients": (X, y, weight, flat, dX, moments),
        "training_loss": (X, y, weight, moments),
        "forward": (X, tape),
        "backward": (X, tape, 0, y, flat, dX, moments),
        "record": (X, y, weight, flat, dX, moments, traced, losses, out),
        "run": (X, y, weight, order, 8, 0, 0.0, 0.0, 0, True, rates),
        "run_epochs": (X, y, weight, state.bits, 8, epochs, epochs.copy(), rates,
                       [state.parameters], np.tile(order, (2, 1))),
        "gradient_in_step": (X, y, weight, order, 0, N, 0, flat, moments),
        "step_from_sum": (flat, 1.0, 0.1, np.stack([moments, moments]),
                          np.full(2, N), 2),
        "apply": (flat, moments, N),
        "shuffle": (order.copy(), order.astype(np.uint64)),
    }  # fmt: skip
    return engine, arguments


def wrong_in(name, right):
    """(position, what is wrong, arguments), each array in turn replaced."""
    for at, array in enumerate(right):
        if not isinstance(array, np.ndarray):
            continue
        for kind, wrong in wrong_arrays(array):
            if not (RATES.get(name) == at and kind in ("short", "long")):
                yield at, kind, [*right[:at], wrong, *right[at + 1 :]]


def run_cases(engine, X, y, weight, order, *_):
    """Mini-batches outside the rows: nothing is run, or it is refused."""
    huge = 1 << 62
    for first, size, most in (
        *((-1, 8, 0), (N + 1, 8, 0), (0, 0, 0), (0, -8, 0)),
        *((0, 8, -1), (huge, 8, 1), (0, huge, huge)),
    ):
        given = X, y, weight, order, size, first, 0.0, 0.0, most, True, None
        name = f"engine.run from {first}, {size} rows, {most} mini-batches"
        yield name, partial(engine.run, *given)
    for far in (-1, N, 1 << 40):
        given = X, y, weight, np.full(N, far), 8, 0, 0.0, 0.0, 0, True, None
        yield f"engine.run, order of {far}", partial(refused, engine.run, given)


def taken(call, arguments):
    """Call it: it must raise nothing."""
    try:
        call(*arguments)
    except Exception as error:
        raise SystemExit(f"{call} refused right arguments: {error!r}") from error


def refused(call, arguments):
    """Call it: it must raise ValueError or TypeError."""
    try:
        call(*arguments)
    except (ValueError, TypeError):
        return
    raise SystemExit(f"{call} took {[type(a).__name__ for a in arguments]}")
