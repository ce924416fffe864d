"""Memory after many fits of one kind: nothing may be left.

    python -m trust.safety.leaks COUNT [NAME ...]

For each kind of fit, networks are made, used and dropped. Memory in use, as the C
library counts it, and the memory of the process, are compared after a tenth of the fits
and after all; and in a shorter pass also what Python has allocated.
"""

import contextlib
import ctypes
import gc
import pickle
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np

import bpcore as bp

X = np.random.default_rng(0).normal(size=(12, 5)).astype("f4")
Y = X[:, :2].copy()
LABELS = np.arange(12) % 2
QUIET = {"epochs": 1, "batch_size": 4, "progress": False}

#: Bytes in use that may come and go: caches of the allocators and of NumPy.
NOISE = 1 << 17
#: Bytes of the process, which grows by whole pages and arenas.
PROCESS_NOISE = 1 << 21


class _Counts(ctypes.Structure):
    """glibc's mallinfo2."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
        "uordblks", "fordblks", "keepcost",
    )]  # fmt: skip


def in_use():
    """Bytes that the C library has handed out."""
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Counts
    counts = mallinfo()
    return counts.uordblks + counts.hblkhd


def process_memory():
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def network(**settings):
    return bp.Network([5, 8, 2], **{"n_threads": 1, "rng": 0} | settings)


def failing(*_):
    raise RuntimeError("on purpose")


def ignoring(call, *arguments, **options):
    with contextlib.suppress(RuntimeError, ValueError, bp.DivergenceError):
        call(*arguments, **options)


def in_file(net):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.bpc")
        net.save(path, sync=False)
        bp.load(path)


def half_error(a, y):
    return ((a - y) ** 2).sum(1) / 2, a - y


def in_graph(net):
    (net.node(X) ** 2).mean().backward()
    net.apply()


def switched(net):
    for optimizer in (bp.Adam(), bp.SGD(0.1, clip_norm=1.0), bp.Lion()):
        net.optimizer = optimizer
        net.train_step(X, Y)


#: Uses of a new network, by name.
FITS = {
    "fit": lambda: network().fit(X, Y, **QUIET),
    "fit by Adam, clipped": lambda: network(
        optimizer=bp.Adam(clip_norm=1.0)).fit(X, Y, **QUIET),
    "fit with batch norm": lambda: network(norm="batch").fit(X, Y, **QUIET),
    "fit to labels, validated": lambda: network(loss="cross_entropy").fit(
        X, LABELS, validation=0.5, restore_best=True, **QUIET),
    "fit with accumulation": lambda: network().fit(X, Y, accumulate=3, **QUIET),
    "fit by LBFGS": lambda: network(optimizer=bp.LBFGS()).fit(
        X, Y, epochs=1, progress=False),
    "fit to a loss in Python": lambda: network(loss=half_error).fit(X, Y, **QUIET),
    "fit from an iterable": lambda: network().fit([(X, Y)] * 2, epochs=2,
                                                  progress=False),
    "fit ended by a callback's error": lambda: ignoring(
        network().fit, X, Y, callbacks=[failing], **QUIET),
    "fit ended by a loss's error": lambda: ignoring(
        network(loss=failing).fit, X, Y, **QUIET),
    "fit that diverges": lambda: ignoring(
        network(optimizer=bp.SGD(1e30)).fit, X, Y, **{**QUIET, "epochs": 5}),
    "bad input": lambda: ignoring(network().fit, X[:, :3], Y, **QUIET),
    "train_step, learn_one": lambda: (network().train_step(X, Y),
                                      network().learn_one(X[0], Y[0])),
    "predict, predict_one": lambda: (network().predict(X), network().predict_one(X[0])),
    "forward, backward": lambda: (net := network()).backward(net.forward(X), Y),
    "gradients, apply": lambda: (net := network()).apply(net.gradients(X, Y)),
    "graph": lambda: in_graph(network()),
    "trace": lambda: bp.trace(network(), X, Y),
    "optimizers by turns": lambda: switched(network()),
    "pickle": lambda: pickle.loads(pickle.dumps(network())),
    "file": lambda: in_file(network()),
    "parameters lent": lambda: np.sum(network().parameters),
}  # fmt: skip


def growth(fit, count):
    """How many bytes in use, and of the process, the last nine tenths have added."""
    for _ in range(max(count // 10, 20)):
        fit()
    gc.collect()
    used, process = in_use(), process_memory()
    for _ in range(count - count // 10):
        fit()
    gc.collect()
    return in_use() - used, process_memory() - process


def traced_growth(fit, count):
    """How many bytes of Python's and NumPy's memory `count` fits have added.

    It is the less of two passes: a cache that is filled once is no leak.
    """
    for _ in range(20):
        fit()
    tracemalloc.start()
    try:
        sizes = []
        for number in (5, count, count):
            for _ in range(number):
                fit()
            gc.collect()
            sizes.append(tracemalloc.get_traced_memory()[0])
        return min(sizes[1] - sizes[0], sizes[2] - sizes[1])
    finally:
        tracemalloc.stop()


def fault(name, count):
    """What is left after so many fits of a kind, as text; None if it is nothing."""
    used, process = growth(FITS[name], count)
    traced = traced_growth(FITS[name], max(count // 50, 20))
    if used > NOISE or process > PROCESS_NOISE or traced > NOISE // 8:
        return (f"python -m trust.safety.leaks {count} {name!r}: {used} bytes in use, "
                f"{process} of the process, {traced} of Python are left")  # fmt: skip
    return None


def main():
    """Print what is left, of the kinds named or of all."""
    count, names = int(sys.argv[1]), sys.argv[2:] or [*FITS]
    faults = [text for name in names if (text := fault(name, count)) is not None]
    print(*faults, sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
