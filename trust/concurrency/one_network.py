"""One network in many threads: each call is done whole, or raises InUseError."""

import random
import time

import numpy as np

import bpcore as bp
from bpcore.errors import InUseError
from trust.concurrency import work

#: Calls that make one step, all the same.
STEPS = (
    lambda net: net.train_step(work.X, work.Y),
    lambda net: net.train_step(work.X.astype(np.float64), work.Y.tolist()),
    lambda net: net.fit(
        work.X, work.Y, epochs=1, batch_size=len(work.X), shuffle=False, progress=False
    ),
)

#: Calls that change nothing.
OTHERS = (
    lambda net: net.predict(work.X),
    lambda net: net.predict(work.X[0]),
    lambda net: net.evaluate(work.X, work.Y),
    lambda net: net.gradients(work.X, work.Y),
    lambda net: net.forward(work.X),
    lambda net: setattr(net, "lr_factors", net.lr_factors),
    lambda net: setattr(net, "optimizer", bp.SGD(0.01, momentum=0.9)),
    lambda net: setattr(net, "n_threads", 2),
    repr,
)


def make(loss=None):
    """The network, of which each step costs enough to meet others."""
    loss = "squared_error" if loss is None else loss
    return work.new(
        (work.N_IN, 200, 200, work.N_OUT),
        loss=loss,
        optimizer=bp.SGD(0.01, momentum=0.9),
    )


def fault_of(seconds, threads, seed, loss=None):
    """Use a network in threads; returns (steps, refused calls, what was wrong)."""
    net, end = make(loss), time.monotonic() + seconds
    steps, refused, errors = [0] * threads, [0] * threads, []

    def use(number):
        draw = random.Random(f"{seed} {number}")
        try:
            while time.monotonic() < end and not errors:
                is_step = draw.random() < 0.5
                call = draw.choice(STEPS if is_step else OTHERS)
                try:
                    call(net)
                    steps[number] += is_step
                except InUseError:
                    refused[number] += 1
        except BaseException as error:
            errors.append(error)

    work.in_threads(threads, use)
    made, other = sum(steps), make(loss)
    for _ in range(made):
        STEPS[0](other)
    fault = None
    if errors:
        fault = f"{type(errors[0]).__name__}: {errors[0]}"
    elif net.parameters.tobytes() != other.parameters.tobytes():
        fault = f"other bits than {made} steps of one thread"
    return made, sum(refused), fault and f"{threads} threads, seed {seed}: {fault}"
