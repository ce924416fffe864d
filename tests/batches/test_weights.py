"""Weights of samples: one rule for the mean loss, for every batch size."""

import hashlib

import numpy as np
import pytest

import bpcore as bp
from bpcore.batches.weights import scaled_to_mean_1
from bpcore.engine import dispatch
from helpers.weights import QUIET, X, everything, net_of, rng


def constant(Network, loss=None, n_out=1, optimizer=None, **settings):
    """A network that can learn only its biases, since X is zero."""
    return Network(
        [1, n_out], loss=loss, init="zeros", rng=0, dtype="float64",
        optimizer=optimizer or bp.SGD(0.05), **settings,
    )  # fmt: skip


# --- the optimum does not depend on the batch size ------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2, 3, 6])
@pytest.mark.parametrize(
    ("weight", "y"),
    [
        ([1, 99, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0]),
        ([100, 100, 100, 1, 1, 1], [0, 0, 0, 1, 1, 1]),
        ([0, 5, 0, 0, 2, 0], [9, 1, 9, 9, 3, 9]),
        ([1e-200, 3e-200, 1e-200, 0, 0, 0], [0, 1, 2, 9, 9, 9]),
        ([1e300, 3e300, 1e300, 0, 0, 0], [0, 1, 2, 9, 9, 9]),
    ],
)
def test_fit_finds_the_weighted_mean(Network, batch_size, weight, y):
    # A mean over the epochs' orders: the end of every epoch, at a small rate.
    net = constant(Network, optimizer=bp.SGD(0.002))
    net.biases[0][...] = mean = np.average(y, weights=weight)
    net.fit(
        np.zeros((6, 1)), y, sample_weight=weight, batch_size=batch_size, epochs=40,
        **QUIET,
    )  # fmt: skip
    assert net.biases[0][0] == pytest.approx(mean, abs=0.05)


def test_weights_1_and_99():
    net = bp.Network([1, 1], optimizer=bp.SGD(0.01), rng=0)
    net.fit(
        [[0], [0]], [0, 1], sample_weight=[1, 99], batch_size=1, epochs=3000, **QUIET
    )
    assert net.predict([0.0]) == pytest.approx(0.99, abs=0.002)


def test_balanced_classes_of_1_percent(Network):
    y = (np.arange(400) % 100 == 0).astype(int)
    net = constant(Network, "binary_cross_entropy", optimizer=bp.SGD(0.1))
    net.fit(np.zeros((400, 1)), y, class_weight="balanced", epochs=150, **QUIET)
    values = []
    for _ in range(20):
        net.fit(np.zeros((400, 1)), y, class_weight="balanced", epochs=1, **QUIET)
        values.append(net.predict([0.0])[0])
    assert np.mean(values) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize("power", (-1000, 0, 1000))
def test_weights_of_any_size_are_scaled_to_mean_1(power):
    w = np.ldexp(rng.uniform(size=1000), power)
    assert scaled_to_mean_1(w).mean() == pytest.approx(1, rel=1e-14)


def test_scaled_to_mean_1():
    assert scaled_to_mean_1(np.array([2.0, 2.0])).tolist() == [1, 1]
    assert scaled_to_mean_1(np.array([1.0, 99.0])).tolist() == [0.02, 1.98]
    two = scaled_to_mean_1(rng.uniform(size=(50, 3)))
    assert two.mean() == pytest.approx(1, rel=1e-14)


# --- the rule, in every call ----------------------------------------------------------

LOSSES = {
    "squared_error": lambda n: rng.normal(size=(n, 3)),
    "cross_entropy": lambda n: rng.integers(3, size=n),
    "binary_cross_entropy": lambda n: rng.integers(2, size=(n, 3)).astype(float),
    "huber": lambda n: rng.normal(size=(n, 3)),
    "half squares": lambda n: rng.normal(size=(n, 3)),
    "graph": lambda n: rng.normal(size=(n, 3)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_loss_and_gradient_are_sums_over_rows(Network, loss):
    """1/rows sum w E, with the weights as they are given."""
    y, w = LOSSES[loss](24), rng.uniform(0, 5, size=24)
    net = net_of(Network, loss)
    each = [net.gradients(X[i : i + 1], y[i : i + 1]) for i in range(24)]
    given = net.gradients(X, y, w)
    assert given.loss == pytest.approx(np.mean(w * [one.loss for one in each]))
    expected = np.mean(w[:, None] * [one.flat for one in each], axis=0)
    np.testing.assert_allclose(given.flat, expected, atol=1e-14)
    halves = [net.gradients(X, y, w * factor) for factor in (0.5, 1000)]
    np.testing.assert_allclose(halves[1].flat, 2000 * halves[0].flat)
    steps = [net_of(Network, loss) for _ in range(2)]
    assert steps[0].train_step(X, y, w) == pytest.approx(given.loss)
    steps[1].apply(given)
    assert np.array_equal(steps[0].parameters, steps[1].parameters)
    assert bp.check_gradients(net, X, y, w).largest < 1e-7
    trace = bp.trace(net, X, y, w)
    assert trace.loss == given.loss and np.array_equal(trace.dW[0], given.weights[0])
    np.testing.assert_allclose(trace.losses, w * [one.loss for one in each])


def test_one_row_feels_its_weight(Network):
    moved = []
    for weight in (0.001, 1.0, 1000.0):
        net = net_of(Network, "squared_error", optimizer=bp.SGD(1e-6))
        before = net.parameters.copy()
        net.train_step(X[:1], np.ones((1, 3)), [weight])
        moved.append(np.abs(net.parameters - before).max() / weight)
    assert moved[0] == pytest.approx(moved[1], rel=1e-4)
    assert moved[2] == pytest.approx(moved[1], rel=1e-4)


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "graph"])
@pytest.mark.parametrize("batch_size", [7, 24])
def test_every_way_makes_the_same_steps(Network, loss, batch_size):
    """Arrays in order, a stream, single steps; all weights of mean 1."""
    y, w = LOSSES[loss](24), scaled_to_mean_1(rng.uniform(0, 3, size=24))
    parts = [slice(i, i + batch_size) for i in range(0, 24, batch_size)]
    items = [(X[at], y[at], w[at]) for at in parts]
    nets = [net_of(Network, loss) for _ in range(4)]
    options = {"shuffle": False, "epochs": 1, **QUIET}
    a = nets[0].fit(X, y, sample_weight=w * 7, batch_size=batch_size, **options)
    b = nets[1].fit(items, **options)
    losses = [nets[2].train_step(*item) * len(item[0]) for item in items]
    nets[3].fit(items, accumulate=1, batch_callbacks=[lambda *_: None], **options)
    for net in nets[1:]:
        np.testing.assert_allclose(net.parameters, nets[0].parameters, atol=1e-12)
    assert a.loss[0] == pytest.approx(b.loss[0]) == pytest.approx(sum(losses) / 24)


def test_partial_fit_uses_weights_as_given(Network):
    y = rng.normal(size=(24, 3))
    nets = [net_of(Network, "squared_error", optimizer=bp.SGD(0.01)) for _ in range(3)]
    start = nets[0].parameters.copy()
    nets[0].partial_fit(X, y, batch_size=24, sample_weight=np.full(24, 3.0))
    nets[1].partial_fit(X, y, batch_size=24)
    nets[2].fit(X, y, batch_size=24, epochs=1, sample_weight=np.full(24, 3.0), **QUIET)
    moved = [net.parameters - start for net in nets]
    np.testing.assert_allclose(moved[0], 3 * moved[1], atol=1e-12)
    assert np.array_equal(nets[1].parameters, nets[2].parameters)


@pytest.mark.parametrize("loss", ["squared_error", "graph"])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_accumulated_steps(Network, loss, clip_norm):
    """They equal one step on all their rows."""
    y, w = LOSSES[loss](24), rng.uniform(0, 4, size=24)
    w[6:12] = 0
    optimizer = bp.Adam(0.01, clip_norm=clip_norm)
    nets = [net_of(Network, loss, optimizer=optimizer) for _ in range(2)]
    options = {"shuffle": False, "sample_weight": w, "epochs": 3, **QUIET}
    nets[0].fit(X, y, batch_size=6, accumulate=4, **options)
    nets[1].fit(X, y, batch_size=24, **options)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, atol=1e-10)


def test_a_step_within_accumulated_steps(Network):
    """A single step leaves accumulated gradients as they are, in both engines."""
    y = rng.normal(size=(24, 3))

    def step(net, epoch, batch, loss):
        if batch == 1:
            net.train_step(X[:4], y[:4])

    net, other = net_of(Network, "squared_error"), net_of(Network, "squared_error")
    net.fit(
        X, y, batch_size=12, accumulate=2, epochs=1, shuffle=False,
        batch_callbacks=[step], **QUIET,
    )  # fmt: skip
    # The first gradient is of the weights before that step, the second of those after.
    first = other.gradients(X[:12], y[:12]).flat.copy()
    other.train_step(X[:4], y[:4])
    grads = other.gradients(X[12:], y[12:])
    grads.flat[...] = (first + grads.flat) / 2
    other.apply(grads)
    np.testing.assert_allclose(net.parameters, other.parameters, atol=1e-12)


@pytest.mark.parametrize("own", ("parameters", "moments"))
def test_data_that_training_would_change_are_copied(Network, own):
    """Parameters and running moments, as X or as y."""
    nets = [Network([3, 3, 3], norm="batch", rng=0) for _ in range(2)]
    arrays = [net.weights[0] if own == "parameters" else net.running_moments[0]
              for net in nets]  # fmt: skip
    given = arrays[0], arrays[1].copy()
    for net, rows in zip(nets, given, strict=True):
        net.fit(rows, rows, epochs=5, **QUIET)
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


def divided_by_weights(net):
    """A copy whose mini-batches' losses are sum w E / sum w."""
    state = net.__getstate__()
    state["_bpcore_network"]["design"]["by_weights"] = True
    other = type(net).__new__(type(net))
    other.__setstate__(state)
    return other


def test_division_by_the_sum_of_weights_is_an_option_of_the_engine(Network):
    y, w = rng.normal(size=(24, 3)), rng.uniform(0, 4, size=24)
    net = net_of(Network, "squared_error")
    by_rows = net.gradients(X, y, w)
    net = divided_by_weights(net)
    by_weights = net.gradients(X, y, w)
    assert by_weights.loss == pytest.approx(by_rows.loss / w.mean())
    np.testing.assert_allclose(by_weights.flat * w.mean(), by_rows.flat, atol=1e-14)
    one, stored = (divided_by_weights(net) for _ in range(2))
    one.train_step(X, y, w)
    stored.apply(by_weights)
    assert np.array_equal(one.parameters, stored.parameters)
    options = {"shuffle": False, "sample_weight": w, "epochs": 2, **QUIET}
    one.fit(X, y, batch_size=6, accumulate=4, **options)
    stored.fit(X, y, batch_size=24, **options)
    np.testing.assert_allclose(one.parameters, stored.parameters, atol=1e-12)


def test_lbfgs_and_numerical_gradients(Network):
    y, w = rng.normal(size=(24, 3)), rng.uniform(0, 4, size=24)
    given = {"sample_weight": w, "epochs": 2, "batch_size": 7, **QUIET}
    nets = [net_of(Network, "squared_error", optimizer=bp.SGD(0.01)) for _ in range(2)]
    histories = [
        nets[0].fit(X, y, **given),
        nets[1].fit(X, y, gradient="numerical", **given),
    ]
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, atol=1e-7)
    np.testing.assert_allclose(histories[0].loss, histories[1].loss)
    pytest.importorskip("scipy")
    net = net_of(Network, "squared_error", optimizer=bp.LBFGS())
    first = net.evaluate(X, y, w)
    assert net.fit(X, y, sample_weight=w * 9, **QUIET).loss[0] == pytest.approx(first)


def test_a_last_incomplete_mini_batch_steps_by_its_own_mean(Network):
    y = rng.normal(size=(24, 3))
    nets = [net_of(Network, "squared_error") for _ in range(2)]
    nets[0].fit(X, y, batch_size=20, shuffle=False, epochs=1, **QUIET)
    nets[1].train_step(X[:20], y[:20])
    nets[1].train_step(X[20:], y[20:])
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


@pytest.mark.parametrize("power", (-600, 0, 600))
def test_evaluate_is_a_weighted_mean(Network, power):
    y, w = rng.normal(size=(24, 3)), rng.uniform(0, 4, size=24)
    net = net_of(Network, "squared_error")
    each = [net.evaluate(X[i : i + 1], y[i : i + 1]) for i in range(24)]
    weight = np.ldexp(w, power)
    assert net.evaluate(X, y, weight) == pytest.approx(np.average(each, weights=w))
    history = net.fit(X, y, validation=(X, y, w * 5), epochs=1, batch_size=24, **QUIET)
    assert history.validation_loss[0] == pytest.approx(net.evaluate(X, y, w))


# --- weights that are all zero --------------------------------------------------------

WITH_STATE = [
    bp.SGD(0.1, momentum=0.9, weight_decay=0.1),
    bp.Adam(0.01, weight_decay=0.1),
    bp.AdamW(0.01),
    bp.SGD(0.1, momentum=0.9, clip_norm=1.0),
    bp.SGD(0.1, momentum=0.9, max_norm=0.1),
]


@pytest.mark.parametrize("optimizer", WITH_STATE, ids=repr)
@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_all_zero_makes_no_step(Network, optimizer, norm):
    y = rng.normal(size=(24, 3))
    net = net_of(Network, "squared_error", optimizer=optimizer, norm=norm)
    net.train_step(X, y)
    before = everything(net)
    assert net.train_step(X, y, np.zeros(24)) == 0
    assert everything(net) == before
    grads = net.gradients(X, y, np.zeros(24))
    assert grads.loss == 0 and not grads.flat.any() and not grads.input.any()
    net.apply(grads)
    assert everything(net) == before
    trace = bp.trace(net, X, y, np.zeros(24), apply=True)
    assert np.array_equal(trace.after.W[0], trace.before.W[0])
    assert everything(net) == before
    net.fit([(X, y, np.zeros(24))], epochs=1, **QUIET)
    assert everything(net) == before
    net.fit([(X, y, np.zeros(24))], epochs=1, accumulate=3, **QUIET)
    assert everything(net) == before


@pytest.mark.parametrize("optimizer", WITH_STATE, ids=repr)
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("gradient", ["backpropagation", "numerical"])
def test_zero_mini_batches_of_a_fit_are_left_out(
    Network, optimizer, accumulate, gradient
):
    if gradient == "numerical" and accumulate > 1:
        pytest.skip("every mini-batch makes a step of its own there")
    y, w = rng.normal(size=(24, 3)), np.repeat([1.0, 0, 2, 0], 6)
    net = net_of(Network, "squared_error", optimizer=optimizer, norm="batch")
    options = {"shuffle": False, "epochs": 2, "accumulate": accumulate, **QUIET}
    net.fit(X, y, sample_weight=w, batch_size=6, gradient=gradient, **options)
    other = net_of(Network, "squared_error", optimizer=optimizer, norm="batch")
    w = scaled_to_mean_1(w)
    counts = [0, 12] if accumulate == 1 else []
    items = [
        (X[i : i + 6], y[i : i + 6], w[i : i + 6]) for i in counts or range(0, 24, 6)
    ]
    other.fit(items, gradient=gradient, **options)
    tolerance = 1e-12 if gradient == "backpropagation" else 1e-6
    np.testing.assert_allclose(net.parameters, other.parameters, atol=tolerance)
    assert net.learner.state.steps == other.learner.state.steps == 4


def test_a_schedule_counts_the_steps_that_are_made(Network):
    y, w = rng.normal(size=(24, 3)), np.repeat([1.0, 0, 2, 0], 6)
    rate = bp.schedules.Exponential(0.1, 0.5, per="step")
    net = net_of(Network, "squared_error", optimizer=bp.SGD(rate))
    history = net.fit(
        X, y, sample_weight=w, batch_size=6, epochs=2, shuffle=False, **QUIET
    )
    assert history.lr.tolist() == [0.05, 0.0125]
    assert net.lr == 0.1 / 16


@pytest.mark.parametrize("call", ["fit", "evaluate"])
def test_a_whole_set_must_weigh(Network, call):
    net = net_of(Network, "squared_error")
    y = np.zeros((24, 3))
    with pytest.raises(ValueError, match="sample_weight must not be negative nor all"):
        getattr(net, call)(X, y, sample_weight=np.zeros(24))
    with pytest.raises(ValueError, match="not be negative anywhere; got"):
        net.train_step(X, y, -np.ones(24))


# --- the same bits on every machine ---------------------------------------------------

#: Numbers without a random generator: integers over a power of two.
ROWS = (np.arange(50 * 3).reshape(50, 3) * 37 % 101 - 50) / 64
LABELS = np.arange(50) * 7 % 3
SEVERAL = (np.arange(150).reshape(50, 3) * 11 % 7 < 3).astype(float)
SHARES = (np.arange(150).reshape(50, 3) * 29 % 17 + 1) / 32
WEIGHTS = np.arange(50) % 11 / 8
RUNS = [
    ("squared_error", SHARES, {"sample_weight": WEIGHTS}),
    ("squared_error", SHARES, {"sample_weight": WEIGHTS, "accumulate": 3}),
    ("cross_entropy", LABELS, {"class_weight": [0.5, 3.0, 1.25]}),
    ("cross_entropy", SHARES, {"class_weight": [0.5, 3.0, 1.25]}),
    (bp.CrossEntropy(0.1), LABELS, {"class_weight": "balanced"}),
    ("binary_cross_entropy", SEVERAL, {"class_weight": "balanced"}),
    ("binary_cross_entropy", SHARES, {"class_weight": [2.0, 1.0, 0.5],
                                      "sample_weight": WEIGHTS}),
    ("hinge", 2 * SEVERAL - 1, {"class_weight": [2.0, 1.0, 0.5]}),
]  # fmt: skip


def bits_of_runs(dtype, n_threads=1, clip_norm=None):
    found = hashlib.sha256()
    for loss, y, settings in RUNS:
        optimizer = bp.Adam(0.01, clip_norm=clip_norm)
        net = bp.Network([3, 17, 3], loss=loss, optimizer=optimizer, rng=0,
                         norm="batch", dtype=dtype, n_threads=n_threads)  # fmt: skip
        history = net.fit(
            ROWS, y, batch_size=7, epochs=3, validation=(ROWS, y), **settings, **QUIET
        )
        for array in (net.parameters, history.loss, history.validation_loss):
            found.update(array.tobytes())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(
    ("dtype", "plain", "clipped"),
    [
        ("float32", "1b2e85038559fd8e", "1311cf6077b9fa27"),
        ("float64", "d3f5898b08e561ab", "c5a6600b2f1748e9"),
    ],
)
def test_every_machine(dtype, plain, clipped):
    if bp.kernels.in_use() == "x86_64_v2":
        pytest.skip("x86_64_v2 has no fused multiply-add: its bits may differ")
    for n_threads in (1, 2):
        assert bits_of_runs(dtype, n_threads) == plain
    assert bits_of_runs(dtype, clip_norm=1e20) == plain  # stored, and never clipped
    assert bits_of_runs(dtype, clip_norm=0.1) == clipped


def test_every_instruction_set(dtype):
    found = set()
    for isa in dispatch.available:
        if isa != "x86_64_v2":
            with dispatch.using(isa):
                found.add(bits_of_runs(dtype))
    assert len(found) == 1
