"""Rows that are mostly zeros: the bits of the dense way, whatever is in the weights.

A mini-batch of two rows skips nothing; neither does a network of which a user holds a
writable array, or the learner.
"""

import copy
import gc
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch

SIZES = [300, 37, 40, 3]
DTYPES = ("float32", "float64")
OPTIMIZERS = (
    bp.SGD(0.001),
    bp.SGD(0.001, momentum=0.9),
    bp.SGD(0.001, momentum=0.9, nesterov=True),
    bp.SGD(0.001, weight_decay=0.01),
    bp.SGD(0.001, l1=0.01),
    bp.SGD(0.001, clip_norm=0.1),
    bp.SGD(0.001, max_norm=0.5),
    bp.SGD(0.001, momentum=0.9, dampening=0.5, l1=0.01),
    bp.Momentum(0.001),
    bp.Adam(0.01),
    bp.AdamW(0.01),
    bp.AMSGrad(0.01),
    bp.Nadam(0.01),
    bp.Adamax(0.01),
    bp.RAdam(0.01),
    bp.RMSprop(0.01, momentum=0.5),
    bp.Adagrad(0.01),
    bp.Lion(0.001),
    bp.Rprop(),
)


def network(sizes=SIZES, **settings):
    settings = {"rng": 0, "dtype": "float32", "optimizer": bp.SGD(0.001)} | settings
    return bp.Network(sizes, **settings)


def row(zeros=0.8, dtype="float32", seed=0, width=SIZES[0]):
    """A row with so many zeros, of both signs."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=width)
    x[rng.permutation(width)[: round(zeros * width)]] = 0
    x[1::2] *= np.where(x[1::2] == 0, -1, 1)
    return x.astype(dtype)


def know(net, x):
    """Calls after which the network knows that its weights are finite."""
    for _ in range(4):
        net.predict_one(x)


def dense(net, x):
    """The outputs of a mini-batch of two rows, which skips nothing."""
    return net.predict(np.array([x, x]))[0]


def same(a, b):
    assert np.array_equal(a, b, equal_nan=True)
    assert np.array_equal(np.signbit(a), np.signbit(b)) or np.isnan(a).any()


def check(net, x):
    """Single rows have the bits of a mini-batch, before and after a check of W."""
    for _ in range(4):
        same(net.predict_one(x), dense(net, x))
        same(net.predict(x), dense(net, x))
        same(net.predict(x[None])[0], dense(net, x))


@pytest.mark.parametrize("zeros", [0, 0.2, 0.3, 0.5, 0.8, 0.99, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_predictions(isa, dtype, zeros):
    with dispatch.using(isa):
        for sizes in (SIZES, [5000, 9, 130], [1100, 1], [40, 64, 64, 2]):
            net = network(sizes, dtype=dtype, activation="relu")
            check(net, row(zeros, dtype, width=sizes[0]))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("dtype", DTYPES)
def test_steps(isa, dtype, optimizer):
    rows = [row(zeros, dtype, i) for i, zeros in enumerate((0.8, 1, 0.5, 0.95) * 3)]
    y = np.ones(3, dtype)
    with dispatch.using(isa):
        skips = network(dtype=dtype, optimizer=optimizer, activation="relu")
        reads_all = copy.copy(skips)
        held = reads_all.parameters
        for x in rows:
            assert skips.learn_one(x, y) == reads_all.learn_one(x, y)
            step = skips.train_step(x[None], y[None])
            assert step == reads_all.train_step(x[None], y[None])
            same(skips.predict_one(x), reads_all.predict_one(x))
        same(skips.parameters, held)


@pytest.mark.parametrize("optimizer", OPTIMIZERS[:-1], ids=repr)  # no Rprop
@pytest.mark.parametrize("dtype", DTYPES)
def test_fit(isa, dtype, optimizer):
    """Mini-batches of one row, in random order."""
    X = np.array([row(zeros, dtype, i) for i, zeros in enumerate((0.8, 1, 0.5) * 3)])
    y = np.ones((len(X), 3), dtype)
    with dispatch.using(isa):
        skips = network(dtype=dtype, optimizer=optimizer, activation="relu")
        reads_all = copy.copy(skips)
        held = reads_all.parameters
        for net in (skips, reads_all):
            net.fit(X, y, epochs=3, batch_size=1, progress=False)
        same(skips.parameters, held)


def learn(net, x, y):
    """The loss of x, or None if it is not finite."""
    try:
        return net.learn_one(x, y)
    except bp.DivergenceError:
        return None


@pytest.mark.parametrize("scale, lr", [(1e3, 3e38), (1e37, 1e3)])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_steps_until_weights_are_infinite(optimizer, scale, lr):
    """An infinite weight in a row that is skipped is 0 times infinity: NaN."""
    x, other = row(0.5), row(0.5)
    x[1::2], other[::2] = 0, 0  # no input is in both
    x = np.sign(x) * np.float32(scale)
    skips = network(
        [300, 17],
        output="sigmoid",
        loss="squared_error",
        optimizer=optimizer.replace(lr=lr),
    )
    skips.parameters[...] *= 1e-6 / scale
    reads_all = copy.copy(skips)
    held = reads_all.parameters
    y = np.ones(17, "float32")
    know(skips, x)
    for i in range(20):
        assert learn(skips, x, y) == learn(reads_all, x, y), i
        for one in (x, other):
            same(skips.predict_one(one), reads_all.predict_one(one))
    same(skips.parameters, held)
    name = type(optimizer).__name__
    limited = optimizer.clip_norm or optimizer.max_norm or name in ("Adagrad", "Rprop")
    assert limited or lr < 3e38 or not np.isfinite(held).all()


def one_hot(i, scale=1.0):
    x = np.zeros(300, "float32")
    x[i] = scale
    return x


@pytest.mark.parametrize("scale", [1.0, 1e5])
@pytest.mark.parametrize("row_of_W", [1.0, 1e17, 3e18])
@pytest.mark.parametrize(
    "optimizer",
    [
        bp.SGD(1e-10, weight_decay=1e22),
        bp.SGD(0.0, weight_decay=1e30),
        bp.SGD(1e-10, l1=1e30),
        bp.SGD(1e-10, momentum=0.9, weight_decay=1e22),
        bp.Adam(0.0, eps=1e-46),
        bp.Adam(1e-20, eps=1e-30),
        bp.AdamW(1e-30, eps=1e-46),
        bp.AMSGrad(0.0, eps=1e-46),
        bp.Adamax(0.0, eps=1e-46),
        bp.Nadam(1e-3, beta1=1e-30),
        bp.RMSprop(0.0, eps=1e-46),
        bp.Adagrad(0.0, eps=1e-46),
    ],
    ids=repr,
)
def test_numbers_that_overflow_on_the_way(optimizer, row_of_W, scale):
    """The step is tiny, but a number of its formula is infinite or NaN."""
    skips = network([300, 17], optimizer=optimizer, output="sigmoid")
    skips.weights[0][7] *= row_of_W
    reads_all = copy.copy(skips)
    held = reads_all.parameters
    y = np.ones(17, "float32")
    know(skips, one_hot(1))
    for i in range(6):
        x = one_hot(i % 3, scale)
        assert learn(skips, x, y) == learn(reads_all, x, y), i
        for at in (0, 1, 7, 200):
            same(skips.predict_one(one_hot(at)), reads_all.predict_one(one_hot(at)))
    same(skips.parameters, held)


@pytest.mark.parametrize("optimizer", [bp.Adam(), bp.RMSprop(), bp.Adagrad()], ids=repr)
def test_squares_below_zero(optimizer):
    """A state that was restored with means of squares below 0: roots are NaN."""
    skips = network([300, 17], optimizer=optimizer, output="sigmoid")
    y = np.ones(17, "float32")
    skips.learn_one(row(), y)
    state = pickle.loads(pickle.dumps(skips.__getstate__()))
    arrays = state[next(iter(state))]["state"]
    (name,) = (
        name for name in arrays if name.startswith("optimizer") and "s" in name[10:]
    )
    arrays[name][: 17 * 5] = -1
    skips.__setstate__(state)
    reads_all = copy.copy(skips)
    held = reads_all.parameters
    know(skips, one_hot(200))
    for _ in range(3):
        assert learn(skips, one_hot(200), y) == learn(reads_all, one_hot(200), y)
        same(skips.predict_one(one_hot(200)), reads_all.predict_one(one_hot(200)))
    same(skips.parameters, held)


def test_accumulated_gradients_of_weight_zero():
    """They are flushed by a mini-batch that itself makes no step."""
    X = np.array([one_hot(i) for i in range(8)])
    y = np.ones((8, 17), "float32")
    settings = {"optimizer": bp.SGD(1e20, weight_decay=1e20), "output": "sigmoid"}
    skips = network([300, 17], **settings)
    reads_all = copy.copy(skips)
    held = reads_all.parameters
    messages = []
    for net in (skips, reads_all):
        with pytest.raises(bp.DivergenceError) as caught:
            net.fit(
                X, y, epochs=1, batch_size=1, accumulate=4, shuffle=False,
                sample_weight=[1, 0, 0, 0, 1, 0, 0, 0], progress=False,
            )  # fmt: skip
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    same(skips.parameters, held)


@pytest.mark.parametrize("size", [1e5, 1e7, 1e12, 1e18, 1e30])
@pytest.mark.parametrize("what", ["inputs", "weights"])
def test_large_numbers(size, what):
    skips = network([300, 17, 3], activation="tanh", output="sigmoid")
    x, y = row(0.9), np.ones(3, "float32")
    if what == "weights":
        skips.parameters[...] *= size
    else:
        x *= size
    reads_all = copy.copy(skips)
    held = reads_all.parameters
    know(skips, x)
    for i in range(8):
        assert skips.learn_one(x, y) == reads_all.learn_one(x, y), i
        same(skips.predict_one(x), reads_all.predict_one(x))
    same(skips.parameters, held)


@pytest.mark.parametrize(
    "settings",
    [
        {"norm": "layer"},
        {"dropout": 0.5},
        {"input_noise": 0.1},
        {"input_scale": 3.0},
        {"loss": "cross_entropy", "output": "softmax"},
        {"n_threads": 2},
    ],
    ids=repr,
)
def test_other_networks(settings):
    skips = network(**settings)
    reads_all = copy.copy(skips)
    held = reads_all.parameters
    y = np.array([1, 0, 0], "float32")
    for i in range(8):
        x = row(seed=i)
        assert skips.train_step(x[None], y[None]) == reads_all.train_step(
            x[None], y[None]
        )
        same(skips.predict_one(x), reads_all.predict_one(x))
    same(skips.parameters, held)


def test_batch_norm():
    net = network(norm="batch")
    know(net, row())
    net.train_step(np.array([row(), row(seed=1)]), np.ones((2, 3), "float32"))
    check(net, row())


@pytest.mark.parametrize("value", [-0.0, 0.0])
@pytest.mark.parametrize("zeros", [0.8, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_sums(isa, dtype, zeros, value):
    """Sums that are zeros: biases of -0, zero weights, products that underflow."""
    tiny = np.finfo(dtype).smallest_subnormal
    with dispatch.using(isa):
        for weight in (0.0, -0.0, tiny, -tiny):
            net = network([300, 37], dtype=dtype, output="identity")
            net.parameters[...] = weight
            net.biases[0][...] = value
            check(net, row(zeros, dtype) * np.asarray(1e-3, dtype))


def test_minus_zero_weights_stay(isa):
    """A plain step leaves -0 where the input is 0."""
    with dispatch.using(isa):
        net = network([300, 37])
        net.weights[0][...] = -0.0
        know(net, row())
        x = row()
        net.learn_one(x, np.ones(37, "float32"))
        W = net.weights[0]
        assert (W[x == 0] == 0).all()
        assert np.signbit(W[x == 0]).all()
        assert (W[x != 0] != 0).any()


BAD = (np.nan, np.inf, -np.inf)


@pytest.mark.parametrize("bad", BAD)
class TestNotFinite:
    """An infinite or NaN weight in a skipped row: NaN, as the dense way gives it."""

    x = row()
    at = int(np.flatnonzero(x == 0)[0])

    def check(self, net):
        assert np.isnan(net.predict_one(self.x)).any()
        assert np.isnan(net.predict(self.x)).any()
        with pytest.raises(bp.DivergenceError):
            net.learn_one(self.x, np.ones(3, "float32"))

    def test_by_a_fresh_view(self, bad):
        net = network()
        know(net, self.x)
        net.weights[0][self.at] = bad
        self.check(net)

    def test_by_all_parameters(self, bad):
        net = network()
        know(net, self.x)
        net.parameters[self.at * SIZES[1]] = bad
        self.check(net)

    @pytest.mark.parametrize(
        "view",
        [
            lambda net: net.weights[0],
            lambda net: net.weights[0].T[:, 1:].T,
            lambda net: np.asarray(memoryview(net.weights[0])),
            lambda net: net.parameters[: 300 * 37].reshape(300, 37),
        ],
    )
    def test_by_a_kept_view(self, bad, view):
        net = network()
        at = min(self.at, 298)
        W = view(net)
        know(net, self.x)
        for _ in range(3):
            before = net.predict_one(self.x).copy()
            old = W[at].copy()
            W[at] = bad
            assert np.isnan(net.predict_one(self.x)).any()
            W[at] = old
            same(net.predict_one(self.x), before)
        del W
        know(net, self.x)
        net.weights[0][at] = bad
        self.check(net)

    def test_by_the_learner(self, bad):
        net = network()
        learner = net.learner
        know(net, self.x)
        learner.views.weights[0][self.at] = bad
        self.check(net)
        net = network()
        state = net.learner.state
        gc.collect()
        know(net, self.x)
        state.parameters[self.at * SIZES[1]] = bad
        self.check(net)

    def test_in_copies(self, bad):
        net = network()
        know(net, self.x)
        net.weights[0][self.at] = bad
        self.check(copy.deepcopy(net))
        self.check(pickle.loads(pickle.dumps(net)))

    def test_by_set_state(self, bad):
        net = network()
        know(net, self.x)
        state = pickle.loads(pickle.dumps(net.__getstate__()))
        state[next(iter(state))]["state"]["parameters"][self.at * SIZES[1]] = bad
        net.__setstate__(state)
        self.check(net)

    def test_back_to_finite(self, bad):
        net = network()
        W = net.weights[0]
        old = W[self.at].copy()
        W[self.at] = bad
        know(net, self.x)
        self.check(net)
        W[self.at] = old
        del W
        check(net, self.x)


@pytest.mark.parametrize("optimizer", [bp.SGD(1e38), bp.SGD(1e38, momentum=0.5)])
def test_a_step_that_overflows(optimizer):
    net = network([300, 37, 3], activation="identity", optimizer=optimizer)
    x, y = row(), np.full(3, 1e20, "float32")
    other = copy.copy(net)
    held = other.parameters
    know(net, x)
    losses = []
    for one in (net, other):
        losses.append(one.learn_one(x, y))
    assert losses[0] == losses[1]
    same(net.parameters, held)
    assert not np.isfinite(held).all()
    for zeros in (0.8, 1):
        same(net.predict_one(row(zeros, seed=3)), other.predict_one(row(zeros, seed=3)))


def test_steps_of_other_kinds():
    """After fit, apply, flush and LBFGS the weights are checked again."""
    pytest.importorskip("scipy")
    x = row()
    X = np.array([row(seed=i) for i in range(6)])
    y = np.ones((6, 3), "float32")
    net = network()
    for change in (
        lambda: net.fit(X, y, epochs=2, batch_size=1),
        lambda: net.fit(X, y, epochs=2, batch_size=4),
        lambda: net.apply(net.gradients(X, y)),
        lambda: net.train_step(X, y),
    ):
        know(net, x)
        change()
        check(net, x)
    net.optimizer = bp.LBFGS()
    net.fit(X, y, epochs=2)
    check(net, x)


def test_predictions_within_fit():
    """A callback that predicts does not hide what the next epochs write."""
    pytest.importorskip("scipy")
    X = np.array([row(seed=i) for i in range(6)])
    y = np.ones((6, 3), "float32")
    for optimizer in (bp.SGD(0.1), bp.LBFGS()):
        net = network(optimizer=optimizer)
        net.fit(X, y, epochs=3, callbacks=[lambda net, _: know(net, X[0])])
        check(net, X[0])


def test_views_of_the_parameters():
    """Arrays handed out are writable views of one memory, alive after the network."""
    net = network(norm="layer")
    flat = net.parameters
    assert flat.flags.writeable
    assert flat.flags.aligned
    for array in (*net.weights, *net.biases, *net.gains[:-1]):
        assert np.shares_memory(array, flat)
        assert array.flags.writeable
    W = net.weights[0]
    W[0, 0] = 7
    assert net.parameters[0] == 7
    del net, flat
    gc.collect()
    assert W[0, 0] == 7


def test_the_library_keeps_no_parameters(monkeypatch):
    """After traces, checks and many fits rows are still skipped."""
    pytest.importorskip("scipy")
    net = network([300, 17], output="sigmoid")
    X, y = np.array([row(), row(seed=1)]), np.ones((2, 17), "float32")
    shared = []
    monkeypatch.setattr(bp.Network, "learner", property(shared.append))
    bp.trace(net, X, y)
    bp.check_gradients(net, X, y)
    bp.fit_many([net], X, y, epochs=1, progress=False)
    net.fit(X, y, epochs=1, callbacks=[bp.GradientFlow(X, y)], progress=False)
    assert not shared
