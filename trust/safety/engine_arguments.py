"""Wrong arrays for every method of the engine: each must be refused."""

import numpy as np

import bpcore as bp

N, N_IN, N_OUT = 32, 300, 4


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
    """Each argument of each method in turn: a name, and a function that must raise."""
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
    given = {
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
    for name, arguments in given.items():
        call = getattr(engine, name)
        yield f"engine.{name}", lambda call=call, given=arguments: taken(call, given)
        for at, right in enumerate(arguments):
            if not isinstance(right, np.ndarray):
                continue
            for kind, wrong in wrong_arrays(right):
                if right is rates and kind in ("short", "long"):
                    continue  # any number of rates is right
                changed = [*arguments[:at], wrong, *arguments[at + 1 :]]
                yield (
                    f"engine.{name}, argument {at} {kind}",
                    lambda call=call, changed=changed: refused(call, changed),
                )
    huge = 1 << 62
    for first, size, most in (
        *((-1, 8, 0), (N + 1, 8, 0), (0, 0, 0), (0, -8, 0)),
        *((0, 8, -1), (huge, 8, 1), (0, huge, huge)),
    ):

        def run(first=first, size=size, most=most):
            engine.run(X, y, weight, order, size, first, 0.0, 0.0, most, True, None)

        yield f"engine.run from {first}, {size} rows, {most} mini-batches", run
    for far in (-1, N, 1 << 40):
        places = np.full(N, far)
        yield (
            f"engine.run, order of {far}",
            lambda places=places: refused(
                engine.run, [X, y, weight, places, 8, 0, 0.0, 0.0, 0, True, None]
            ),
        )
    yield "no targets", lambda: refused(engine.train_step, [X, None, None])
    yield "no threads", lambda: refused(engine.use_threads, [0])
    yield "no work", lambda: refused(engine.use_threads, [1, 0])
    yield "no rows of a tape", lambda: refused(engine.tape_size, [0])


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
