"""The time of steps and predictions on subnormal numbers, over that on normal ones.

Velocities and decaying means come to such numbers by themselves, where an input is 0
for long or a unit is dead, and so do the weights of a dead unit that decay, and
activations and deltas, where inputs are large (pixels that were not scaled): there the
promise is at most 3 times. Other inputs and weights are subnormal only if they were
given so: their ratios are shown.
"""

import time

import numpy as np

import bpcore as bp
from trust import campaign

MOST = 3.0
SIZES = [256, 256, 10]
#: Optimizers with velocities and means that decay.
OPTIMIZERS = {
    "SGD, momentum": bp.SGD(1e-4, momentum=0.9),
    "SGD, Nesterov": bp.SGD(1e-4, momentum=0.9, nesterov=True),
    "SGD, momentum, l1": bp.SGD(1e-4, momentum=0.9, l1=1e-30),
    "Momentum": bp.Momentum(1e-4),
    "RMSprop, momentum": bp.RMSprop(1e-4, momentum=0.9, centered=True),
    "Adam": bp.Adam(1e-4),
    "Adamax": bp.Adamax(1e-4),
    "Nadam": bp.Nadam(1e-4),
    "Lion": bp.Lion(1e-4),
}
#: Optimizers by which weights decay, by a tenth in a step.
DECAYING = {
    "SGD": bp.SGD(0.01, weight_decay=10),
    "SGD, momentum": bp.SGD(0.01, momentum=0.9, weight_decay=3),
    "AdamW": bp.AdamW(0.01, weight_decay=10),
    "Lion": bp.Lion(0.01, weight_decay=10),
}


def ratio(normal, subnormal, rounds=9, calls=10):
    """The shortest time of one call over that of another, in rounds of changing order.

    Each makes a function of no argument, which is called once before it is timed.
    """
    seconds = {normal: [], subnormal: []}
    for i in range(rounds):
        for make in (normal, subnormal) if i % 2 else (subnormal, normal):
            call = make()
            call()
            began = time.perf_counter()
            for _ in range(calls):
                call()
            seconds[make].append(time.perf_counter() - began)
    return min(seconds[subnormal]) / min(seconds[normal])


def network(dtype, **settings):
    """A network on one thread."""
    settings = {"activation": "identity", **settings}
    return bp.Network(SIZES, dtype=dtype, rng=0, n_threads=1, **settings)


def step_ratio(optimizer, dtype, rows):
    """Steps on zeros, with velocities and means of an ordinary or a subnormal size."""
    X, y = np.zeros((rows, SIZES[0]), dtype), np.zeros((rows, SIZES[-1]), dtype)

    def step(size):
        net = network(dtype, optimizer=optimizer)
        net.train_step(X, y)
        net.learner.state.optimizer_arrays[...] = size
        return lambda: net.train_step(X, y)

    tiny = 1000 * float(np.finfo(dtype).smallest_subnormal)
    return ratio(lambda: step(1e-3), lambda: step(tiny))


def decay_ratio(optimizer, dtype, predicts):
    """Steps or predictions once the weights of dead units decayed, over those of 0."""
    rng = np.random.default_rng(0)
    X, y = rng.random((128, SIZES[0])).astype(dtype), rng.integers(0, 10, 128)
    sizes = 10.0 ** rng.uniform(0, 3, (SIZES[0], 1)) * np.finfo(dtype).tiny

    def call(factor):
        settings = {"loss": "cross_entropy", "optimizer": optimizer}
        net = network(dtype, activation="relu", **settings)
        net.weights[0][:, ::2] = factor * sizes
        net.biases[0][::2] = -9
        for _ in range(96):
            net.train_step(X, y)
        return lambda: net.predict(X) if predicts else net.train_step(X, y)

    return ratio(lambda: call(0), lambda: call(1))


def scale_ratio(activation, dtype, factor, predicts):
    """Steps or predictions on pixels 0 .. 255 times a factor, over those on 0 .. 1."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (128, SIZES[0])) * (rng.random((128, SIZES[0])) < 0.2)
    y = rng.integers(0, SIZES[-1], 128)

    def call(factor):
        settings = {"loss": "cross_entropy", "optimizer": bp.SGD(1e-12)}
        net = network(dtype, activation=activation, **settings)
        data = np.array(X * factor, dtype)
        return lambda: net.predict(data) if predicts else net.train_step(data, y)

    return ratio(lambda: call(1 / 255), lambda: call(factor))


def predict_ratio(dtype, rows, what):
    """Predictions of subnormal inputs, or by subnormal weights."""
    tiny = 1000 * float(np.finfo(dtype).smallest_subnormal)
    X = np.random.default_rng(0).normal(size=(rows, SIZES[0])).astype(dtype)

    def predict(size):
        net, data = network(dtype), X
        if what == "weights":
            for W in net.weights:
                W *= size
        else:
            data = (X * size).astype(dtype)
        return lambda: net.predict(data)

    return ratio(lambda: predict(1), lambda: predict(tiny))


def counted(name, ratios):
    """A count of ratios, of which those above MOST fail; its note has the largest."""
    count = campaign.Count(name)
    for found in ratios:
        count.add(f"{found:.1f} times as long" if found > MOST else None)
    count.note = f"{max(ratios):.2g} times as long"
    return count


def optimizer_times(dtype):
    """Yields a count for each optimizer: with 1 row and with 32."""
    for name, optimizer in OPTIMIZERS.items():
        yield counted(name, [step_ratio(optimizer, dtype, rows) for rows in (1, 32)])


def decay_times(dtype):
    """Yields a count for each optimizer by which weights decay: steps, predictions."""
    for name, optimizer in DECAYING.items():
        ratios = [decay_ratio(optimizer, dtype, each) for each in (False, True)]
        yield counted(name, ratios)


def activation_times(dtype):
    """Yields a count for each activation: steps and predictions, on large inputs."""
    factor = 1 if dtype == "float32" else 10  # where most of them decay to 0
    for name, activation in bp.ACTIVATIONS.items():
        if not activation.trains or name in ("softmax", "exp"):  # exp overflows
            continue
        ratios = [scale_ratio(name, dtype, factor, each) for each in (False, True)]
        yield counted(name, ratios)


def data_times(dtype):
    """Yields a count for subnormal inputs and weights: figures, no promise."""
    for what in ("inputs", "weights"):
        note = f"{predict_ratio(dtype, 32, what):.0f} times as long: no promise"
        yield campaign.Count(f"time of subnormal {what}, {dtype}", 1, 0, note)
