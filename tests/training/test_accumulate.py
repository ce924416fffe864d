"""Accumulated gradients: a binary tree over the numbers of the mini-batches."""

import hashlib
import tracemalloc

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch
from bpcore.reference.engine import tree_sum

QUIET = {"epochs": 1, "shuffle": False, "progress": False}
ROWS = 8  # a power of two: 8 times a mean has the bits of the sum
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40 * ROWS, 5)).astype("float32")
Y = RNG.normal(size=(40 * ROWS, 3)).astype("float32")


def make(library=bp, n_threads=1, **settings):
    settings = {"optimizer": bp.SGD(0.05, momentum=0.9), "rng": 0, **settings}
    net = library.Network(
        (5, 37, 3), activation="tanh", n_threads=n_threads, **settings
    )
    net.learner.engine.use_threads(n_threads, **({"work": 1} if n_threads > 1 else {}))
    return net


def leaves(net, first, count, weights=None):
    """The gradients of the sums over mini-batches, None where all weights are 0."""
    found = []
    for i in range(first, first + count):
        at = slice(i * ROWS, (i + 1) * ROWS)
        weight = None if weights is None else weights[at]
        absent = weight is not None and not weight.any()
        sums = ROWS * net.gradients(X[at], Y[at], weight).flat
        found.append(None if absent else sums)
    return found


def sums_in_blocks(gradients, size):
    """The trees of blocks of mini-batches, one for each of several processes."""
    return [
        tree_sum(gradients[i : i + size]) for i in range(0, len(gradients), size)
    ]  # fmt: skip


def step(net, gradient, count):
    """A step by the mean of a sum over so many mini-batches."""
    gradients = net.gradients(X[:ROWS], Y[:ROWS])
    scale = np.float32(1 / (count * ROWS))
    gradients.flat[...] = gradient * scale
    net.apply(gradients)


def bits(net):
    return net.parameters.tobytes() + net.learner.state.optimizer_arrays.tobytes()


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("accumulate", range(2, 18))
def test_the_engine_sums_as_the_tree_of_the_reference(accumulate, n_threads):
    """In whole groups, and in a last one that is not complete."""
    net, by_hand = make(n_threads=n_threads), make()
    net.fit(X, Y, batch_size=ROWS, accumulate=accumulate, **QUIET)
    for first in range(0, 40, accumulate):
        count = min(accumulate, 40 - first)
        step(by_hand, tree_sum(leaves(by_hand, first, count)), count)
    assert bits(net) == bits(by_hand)


@pytest.mark.parametrize("library", [bp, bp.reference], ids=["engine", "reference"])
def test_both_engines_take_a_list_as_an_array(library):
    nets = [make(library) for _ in range(2)]
    nets[0].fit(X, Y, batch_size=ROWS, accumulate=7, **QUIET)
    parts = [(X[i : i + ROWS], Y[i : i + ROWS]) for i in range(0, len(X), ROWS)]
    nets[1].fit(parts, accumulate=7, **QUIET)
    assert bits(nets[0]) == bits(nets[1])


@pytest.mark.parametrize("accumulate", [8, 12, 16, 13])
@pytest.mark.parametrize("processes", [2, 4, 8])
def test_processes_that_share_the_mini_batches_give_the_bits_of_one(
    accumulate, processes
):
    """Each sums a block of 2^j mini-batches, the sums are summed as the tree again."""
    gradients = leaves(make(), 0, accumulate)
    size = 1 << max((accumulate - 1) // processes, 0).bit_length()
    shares = sums_in_blocks(gradients, size)
    assert len(shares) <= processes
    together, alone = tree_sum(shares), tree_sum(gradients)
    assert together.dtype == np.float32 and together.tobytes() == alone.tobytes()
    one_by_one = gradients[0].copy()
    for gradient in gradients[1:]:
        one_by_one += gradient
    assert one_by_one.tobytes() != alone.tobytes()  # an order would show
    net, by_hand = make(), make()
    rows = accumulate * ROWS
    net.fit(X[:rows], Y[:rows], batch_size=ROWS, accumulate=accumulate, **QUIET)
    step(by_hand, together, accumulate)
    assert bits(net) == bits(by_hand)


ABSENT = [{0}, {1}, {3}, {0, 1}, {2, 3}, {0, 2, 4}, {4, 5, 6}, {1, 2, 3, 4}, {0, 6}]


@pytest.mark.parametrize("absent", ABSENT, ids=str)
def test_mini_batches_without_weight_add_nothing(absent):
    """They have a number and rows, but no gradient."""
    weight = np.ones(7 * ROWS)
    for i in absent:
        weight[i * ROWS : (i + 1) * ROWS] = 0
    net, by_hand = make(), make()
    items = [
        (X[i : i + ROWS], Y[i : i + ROWS], weight[i : i + ROWS])
        for i in range(0, len(weight), ROWS)
    ]
    net.fit(items, accumulate=7, **QUIET)
    step(by_hand, tree_sum(leaves(by_hand, 0, 7, weight)), 7)
    assert bits(net) == bits(by_hand)


def test_the_tree_of_what_is_absent():
    a, b = np.float32([1]), np.float32([2])
    assert tree_sum([]) is None and tree_sum([None, None, None]) is None
    assert tree_sum([None, a]) is a and tree_sum([a, None, None]) is a
    assert tree_sum([None, a, None, None, b]) == 3


@pytest.mark.parametrize("library", [bp, bp.reference], ids=["engine", "reference"])
def test_layers_frozen_while_gradients_wait(library):
    """Their accumulated gradients do not count in the norm."""

    def freeze(net, epoch, batch, loss):
        net.frozen = [batch == 2, False]

    settings = {"optimizer": bp.SGD(0.05, clip_norm=0.1), "dtype": "float64"}
    net, by_hand = make(library, **settings), make(library, **settings)
    before = net.weights[0].copy()
    options = {"batch_size": ROWS, "batch_callbacks": [freeze], **QUIET}
    net.fit(X[: 3 * ROWS], Y[: 3 * ROWS], accumulate=3, **options)
    by_hand.frozen = [True, False]
    by_hand.train_step(X[: 3 * ROWS], Y[: 3 * ROWS])
    assert np.array_equal(net.weights[0], before)
    np.testing.assert_allclose(net.parameters, by_hand.parameters, atol=1e-12)


@pytest.mark.parametrize(
    "accumulate, blocks", [(2, 2), (3, 2), (4, 3), (9, 4), (40, 6)]
)
def test_memory(accumulate, blocks):
    """floor(log2(k)) + 1 gradients wait at most."""
    net = bp.Network([5, 20000, 3], optimizer=bp.SGD(1e-6), n_threads=1, rng=0)
    net.fit(X, Y, batch_size=ROWS, **QUIET)
    used = []

    def look(net, *_):
        used.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        options = {"batch_size": ROWS, "batch_callbacks": [look], **QUIET}
        net.fit(X, Y, **options)
        without = max(used)
        used.clear()
        net.fit(X, Y, accumulate=accumulate, **options)
    finally:
        tracemalloc.stop()
    assert round((max(used) - without) / net.parameters.nbytes) == blocks


@pytest.mark.parametrize(
    "dtype, digest", [("float32", "e2278de97602cf8d"), ("float64", "a01c9d8c0356437c")]
)
def test_every_machine(isa, dtype, digest):
    """Bits recorded once: every build with a fused multiply-add must find them."""
    if isa == "x86_64_v2":
        pytest.skip("x86_64_v2 has no fused multiply-add: its bits may differ")
    found = hashlib.sha256()
    for optimizer in (bp.SGD(0.05, momentum=0.9), bp.Adam(0.01, clip_norm=0.5)):
        with dispatch.using(isa):
            net = bp.Network((5, 37, 3), optimizer=optimizer, dtype=dtype, rng=0)
        # Integers over a power of two: the same without a random generator.
        rows = (np.arange(1500).reshape(300, 5) * 37 % 101 - 50) / 32
        targets = (np.arange(900).reshape(300, 3) * 29 % 17) / 32
        net.fit(
            rows,
            targets,
            sample_weight=np.arange(300) // 7 % 5 != 2,
            batch_size=7,
            accumulate=11,
            shuffle=False,
            epochs=2,
            progress=False,
        )
        found.update(bits(net))
    assert found.hexdigest()[:16] == digest
