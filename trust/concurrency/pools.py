"""Networks as arguments and results of processes, by every start method."""

import functools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import bpcore as bp
from trust.concurrency import work

METHODS = ("fork", "spawn", "forkserver", "loky")


def train(net):
    """Train a network that has come from another process; returned, it goes back."""
    net.fit(work.X, work.Y, epochs=2, batch_size=16, progress=False)
    return net


def networks(seed):
    """Networks of several kinds, trained a little."""
    made = [
        work.new(seed=seed),
        work.new(seed=seed, dropout=0.2, optimizer=bp.SGD(0.01, momentum=0.9)),
        work.new(seed=seed, norm="batch", dtype="float64"),
        work.new(seed=seed, loss=work.squared),
    ]
    return [train(net) for net in made]


@functools.cache
def pool(method):
    """A pool of two processes that stay."""
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(2, context)


def trained_elsewhere(method, nets):
    """The networks, trained by processes of this start method."""
    if method == "loky":
        import joblib

        return joblib.Parallel(2, "loky")(joblib.delayed(train)(net) for net in nets)
    return list(pool(method).map(train, nets))


def fault_of(method, seed):
    """What was wrong with networks trained in other processes, or None."""
    nets = networks(seed)
    found = trained_elsewhere(method, nets)
    for number, (net, other) in enumerate(zip(nets, found, strict=True)):
        train(net)
        if net.parameters.tobytes() != other.parameters.tobytes():
            return f"{method}, seed {seed}: network {number} has other bits"
    return None


def close():
    """End the processes that stay."""
    for method in ("fork", "spawn", "forkserver"):
        pool(method).shutdown()
    pool.cache_clear()
