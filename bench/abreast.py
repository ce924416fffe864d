"""Several networks trained at the same time, each in its own Python thread."""

from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

from . import report, verify
from .case import Case
from .peers import bpcore
from .timing import Spread, interleave

CASE = Case("784-128-10", 32)

#: Mini-batches in the data of a network, and epochs of one call of ``fit``: so long
#: that the time to wake a Python thread is negligible.
BATCHES = 64
EPOCHS = 4


def measure(counts, seconds):
    """Train so many networks, compare the bits with one trained alone, then time.

    Parameters
    ----------
    counts : list of int
        Numbers of networks, 1 among them.
    seconds : float
        About how long to time.

    Returns
    -------
    list of dict
        The figures of each number except 1, as JSON data except for the spreads.
    """
    with ThreadPoolExecutor(max(counts)) as pool:
        peers = [Peer() for _ in range(max(counts))]
        _train(pool, peers)
        alone = Peer()
        alone.fit()
        if not all(verify.same_bits(peer, alone) for peer in peers):
            raise SystemExit(f"{CASE}: networks trained at once differ from one alone")
        actions = {n: partial(_train, pool, peers[:n]) for n in counts}
        samples, robbed = interleave(actions, seconds)
    return [
        {
            "net": CASE.net,
            "batch": CASE.batch,
            "dtype": CASE.dtype,
            "robbed": robbed,
            "networks": n,
            "throughput": Spread.of(n * samples[1] / samples[n]),
        }
        for n in counts[1:]
    ]


def table(results):
    """One line for each number of networks."""
    rows = [("net", "batch", "networks at once", "throughput over one", "quartiles")]
    for result in results:
        cells = (result["net"], str(result["batch"]), str(result["networks"]))
        rows.append((*cells, *report.ratio(result["throughput"])))
    return report.table(rows)


class Peer(bpcore.Peer):
    """A network with one thread."""

    def __init__(self):
        super().__init__(CASE, n_threads=1)
        data = Case(CASE.net, BATCHES * CASE.batch, CASE.dtype)
        self.fit = partial(
            self._net.fit,
            *(data.X, data.y),
            epochs=EPOCHS,
            batch_size=CASE.batch,
            shuffle=False,
            progress=False,
        )


def _train(pool, peers):
    """One ``fit`` of each, at the same time."""
    fits = [pool.submit(peer.fit) for peer in peers]
    wait(fits)
    for fit in fits:
        fit.result()
