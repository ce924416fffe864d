"""Ways to train and to predict that must give the same bits.

Each is a function of a case that yields, for every comparison, None or what differs; a
way that a case cannot go, or that is not promised for it, yields nothing.
"""

import copy
import pickle
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

import bpcore as bp
from bpcore import distributed, interrupts
from bpcore.batches.weights import scaled_to_mean_1
from bpcore.distributed.shards import bounds
from bpcore.engine import dispatch
from trust.fits.cases import table
from trust.fits.outcome import fitted, layers, outcome, use_threads

#: Builds with a fused multiply-add, the best first.
FUSED = [isa for isa in dispatch.available if isa != "x86_64_v2"]
#: Rows beside which each row is predicted.
MOST_ROWS = 70


@cache
def expected(name):
    """The outcome of a case by the build in use, on one thread."""
    return fitted(table()[name])


def differing(case, found, how, only=None):
    """None if an outcome is the expected one, else what differs."""
    names = [it for it in only or found if found[it] != expected(case.name)[it]]
    return f"{how}: {', '.join(names)}" if names else None


def goes_on(case):
    """Whether two fits of an epoch are promised to be one of two epochs."""
    return case.recorded and case["watched"] != "best"


def is_stored(case):
    """Whether a file can hold the network: it has no function in Python."""
    return case["loss"] not in ("function", "expression") and case["rate"] != "function"


# --- one fit --------------------------------------------------------------------------


def by_threads(case):
    """On two to seven threads."""
    for n in range(2, 8):
        yield differing(case, fitted(case, n_threads=n), f"--threads 1 --threads {n}")


def by_builds(case):
    """By every other build of the kernels."""
    for isa in FUSED[1:]:
        yield differing(case, fitted(case, isa), f"--isa {FUSED[0]} --isa {isa}")


def watched(case):
    """With callbacks, in slices of no time, and with the parameters held."""
    watch = "batch_callbacks" if case.recorded else "callbacks"
    found = fitted(case, **{watch: [lambda *_: False]})
    yield differing(case, found, watch)
    usual = interrupts.SLICE
    try:
        interrupts.SLICE = 0.0
        yield differing(case, fitted(case), "slices of no time")
    finally:
        interrupts.SLICE = usual
    net = case.network()
    held = net.parameters
    history = case.fit(net)
    yield differing(case, outcome(case, net, history), f"{held.size} held")


def among_others(case):
    """With `fit_many`, beside another network, in two threads."""
    nets = [case.network(), case.network(rng=8)]
    fits = bp.fit_many(nets, *case.data(), n_threads=2, **case.options())
    yield differing(case, outcome(case, nets[0], fits[0].history), "fit_many")


def other_forms(case):
    """From arrays of other orders, strides, byte orders and dtypes, and lists."""
    X, y = case.data()
    for how, given_X, given_y in forms(X, y):
        net = case.network()
        history = net.fit(given_X, given_y, **case.options())
        yield differing(case, outcome(case, net, history), how)
    if case["loss"] in ("labels", "label smoothing") and "class_weight" not in (
        case.options()
    ):
        net = case.network()
        history = net.fit(X, np.eye(net.sizes[-1])[y], **case.options())
        found = outcome(case, net, history)
        if case["watched"] != "fraction":  # which divides the classes evenly
            yield differing(case, found, "one-hot targets")


def forms(X, y):
    """The same data in other forms: (name, X, y)."""
    wide = np.zeros((2 * len(X), 3 * X.shape[1]), X.dtype)
    wide[::2, 1::3] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    other = "float64" if X.dtype == "float32" else "float32"
    swapped = X.astype(X.dtype.newbyteorder())
    yield "Fortran order", np.asfortranarray(X), np.asfortranarray(y)
    yield "strided", wide[::2, 1::3], np.repeat(y, 2, axis=0)[::2]
    yield "backwards", X[::-1, ::-1].copy()[::-1, ::-1], y[::-1].copy()[::-1]
    yield "another byte order", swapped, y.astype(y.dtype.newbyteorder())
    exact = y.astype("int32" if y.dtype.kind == "i" else other)
    yield "another dtype", X.astype(other), exact if (exact == y).all() else y
    yield "longdouble", X.astype(np.longdouble), y
    yield "lists", X.tolist(), y.tolist()
    yield "read-only", read_only, y


# --- in parts -------------------------------------------------------------------------


def in_parts(case):
    """A fit of one epoch, and another."""
    if goes_on(case):
        net = case.network()
        losses = [case.fit(net, epochs=1).loss[0] for _ in range(2)]
        found = outcome(case, net, net.history)
        yield differing(case, found, "in parts", PARTS)
        whole = case.fit(case.network()).loss.tolist()
        yield None if losses == whole else f"losses in parts: {losses}, {whole}"


#: What is compared after a fit in parts, whose history is of the last part.
PARTS = ("parameters", "optimizer", "outputs")


def carried(case):
    """After an epoch through a pickle, a copy or a file, and then another epoch."""
    if not goes_on(case):
        return
    net = case.network()
    case.fit(net, epochs=1)
    copies = {
        "pickle": pickle.loads(pickle.dumps(net)),
        "copy": copy.copy(net),
        "deepcopy": copy.deepcopy(net),
    }
    if is_stored(case):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.bpc"
            net.save(path)
            copies["file"] = bp.load(path)
    for how, each in copies.items():
        history = case.fit(each, epochs=1)
        yield differing(case, outcome(case, each, history), how, PARTS)


def resumed(case):
    """Stopped in the middle of an epoch, and resumed from the file of a Checkpoint."""
    if not (case.recorded and is_stored(case)):
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.bpc"
        for stop in (int(case["accumulate"]), 5):
            seen = []

            def stops(network, epoch, batch, loss, seen=seen, stop=stop):
                seen.append(loss)
                return len(seen) == stop

            path.unlink(missing_ok=True)
            saving = bp.Checkpoint(path, sync=False)
            case.fit(case.network(), batch_callbacks=[saving, stops])
            if path.exists():
                net = case.network(rng=7)
                found = outcome(case, net, case.fit(net, resume=path))
                yield differing(case, found, f"resumed after mini-batch {stop}")


def elsewhere(case, pool):
    """The second epoch in another process, and the whole fit there."""
    if goes_on(case):
        net = case.network()
        case.fit(net, epochs=1)
        found = pool.submit(last_epoch, case.name, pickle.dumps(net)).result()
        yield differing(case, found, "last epoch in another process", PARTS)
    found = pool.submit(fitted, case).result()
    yield differing(case, found, "in another process")


def last_epoch(name, stored):
    """The outcome of a case whose network was pickled after an epoch."""
    case, net = table()[name], pickle.loads(stored)
    return outcome(case, net, case.fit(net, epochs=1))


# --- step by step ---------------------------------------------------------------------


def stored_gradients(case):
    """Each step fused into backpropagation, and from a stored gradient."""
    if not case.recorded:
        return
    X, y = case.data()
    weights = case.weights()
    if weights.get("class_weight") == "balanced":
        weights = {}
    size = case.batch_size or (len(X) if case.optimizer == "rprop" else 32)
    fused, stored = case.network(), case.network()
    for number, first in enumerate(range(0, len(X), size)):
        at = slice(first, first + size)
        if len(X[at]) == 1 and case["norm"] in ("batch", "both"):
            continue
        kind = {
            name: value[at] if name == "sample_weight" else value
            for name, value in weights.items()
        }
        loss = fused.train_step(X[at], y[at], **kind)
        gradients = stored.gradients(X[at], y[at], **kind)
        stored.apply(gradients)
        same = loss == gradients.loss and pickle.dumps(layers(fused)) == (
            pickle.dumps(layers(stored))
        )
        yield None if same else f"step {number + 1} fused and stored"


def on_shards(case):
    """With `distributed.fit` on one process: the mini-batches of three shards."""
    options = case.options()
    weight, n = options.pop("sample_weight", None), len(case.data()[0])
    promised = case.recorded and case.optimizer != "rprop" and n >= 12
    if not promised or "class_weight" in options or case["watched"] == "fraction":
        return
    X, y = case.data()
    for name in ("accumulate", "shuffle"):
        del options[name]
    # Two rows or more in each mini-batch, for batch norm.
    options |= {"batch_size": 4, "shuffle": False}
    shards = bounds(n - n % 12, 3)
    X, y = X[: shards[-1][1]], y[: shards[-1][1]]
    scaled = None
    if weight is not None:
        weight = weight[: len(X)]
        scaled = scaled_to_mean_1(weight)
    net = case.network()
    history = distributed.fit(net, X, y, shards=3, sample_weight=weight, **options)
    first = outcome(case, net, history)

    batches = []
    for step in range(shards[0][1] // 4):
        for begin, _ in shards:
            at = slice(begin + 4 * step, begin + 4 * step + 4)
            batch = (X[at], y[at]) if scaled is None else (X[at], y[at], scaled[at])
            batches.append(batch)
    net = case.network()
    del options["batch_size"]
    history = net.fit(batches, accumulate=3, **options)
    second = outcome(case, net, history)
    names = [name for name in first if first[name] != second[name]]
    yield f"on shards: {', '.join(names)}" if names else None


# --- rows -----------------------------------------------------------------------------


def rows_alone(case):
    """A row alone and beside up to 69 others: its outputs and its loss."""
    net = case.network()
    case.fit(net)
    use_threads(net, 1 + len(case.name) % 3)
    X, y = case.data(MOST_ROWS)
    together = net.predict(X)
    losses = [net.evaluate(X[i : i + 1], y[i : i + 1]) for i in range(MOST_ROWS)]
    sums = np.cumsum(losses)
    for n in range(1, MOST_ROWS + 1):
        among = net.predict(X[:n]).tobytes() == together[:n].tobytes()
        alone = {
            each.tobytes()
            for each in (net.predict(X[n - 1]), net.predict(X[n - 1 : n]),
                         net.predict_one(X[n - 1]))
        }  # fmt: skip
        yield None if among else f"the first {n} rows"
        yield None if alone == {together[n - 1].tobytes()} else f"row {n - 1} alone"
        if case["loss"] not in ("function", "expression"):
            same = net.evaluate(X[:n], y[:n]) == sums[n - 1] / n
            yield None if same else f"the loss of the first {n} rows"
