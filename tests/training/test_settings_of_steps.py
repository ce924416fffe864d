"""Settings that act on steps: rates, norms, penalties, dropout, noise, weights."""

import copy

import numpy as np
import pytest

import bpcore as bp
from helpers import each_library, everything, trained
from helpers.training import LABELS, QUIET, SIZES, X, make, rng

# --- what acts on steps ---------------------------------------------------------------


def step(**settings):
    """Parameters before and after one step on all rows, and the gradient between."""
    lr_factors = settings.pop("lr_factors", None)
    net = make(settings.pop("Network", bp.Network), dtype="float64", **settings)
    if lr_factors:
        net.lr_factors = lr_factors
    before = net.parameters.copy()
    gradients = net.gradients(X, LABELS)
    net.train_step(X, LABELS)
    return net, before, gradients


@each_library
@pytest.mark.parametrize("norm", [None, "batch", ["layer", None]], ids=str)
@pytest.mark.parametrize(
    "factors", [[0, 0.5, 2], [(0.5, 2), 0, (0, 1)], [(1, 0), (0.25, 3), 1]], ids=str
)
def test_parameters_learn_at_rates_of_their_own(Network, factors, norm):
    optimizer, settings = bp.SGD(0.1), {"norm": norm, "lr_factors": factors}
    net, before, gradients = step(Network=Network, optimizer=optimizer, **settings)
    change = net.learner.design.layout.views(net.parameters - before)
    for l, factor in enumerate(factors):
        of_W, of_b = np.broadcast_to(factor, 2)
        rates = {"weights": of_W, "biases": of_b, "gains": of_b}
        for kind, rate in rates.items():
            if (gradient := getattr(gradients, kind)[l]) is not None:
                expected = -0.1 * rate * gradient
                found = getattr(change, kind)[l]
                np.testing.assert_allclose(found, expected, atol=1e-15)
                assert rate or not found.any()


def trained_with(Network, factors, optimizer, dtype, norm=None):
    net = make(Network, optimizer=optimizer, dtype=dtype, norm=norm)
    net.lr_factors = factors
    rows = None if optimizer.full_batch else 17
    net.fit(X, LABELS, epochs=3, batch_size=rows, **QUIET)
    return net


@each_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("stored", [{}, {"clip_norm": 1.0}], ids=str)
@pytest.mark.parametrize(
    "kind", [bp.SGD, bp.Momentum, bp.Adam, bp.AdamW, bp.RMSprop, bp.Lion, bp.Rprop]
)
def test_a_factor_of_all_biases_is_that_of_the_optimizer(Network, kind, stored, dtype):
    lr = {} if kind is bp.Rprop else {"lr": 0.01}
    own = kind(**lr, **stored, biases={"lr_factor": 0.25})
    apart = trained_with(
        Network, [(2.0, 0.5)] * 3, kind(**lr, **stored), dtype, "batch"
    )
    together = trained_with(Network, [2.0] * 3, own, dtype, "batch")
    assert apart.parameters.tobytes() == together.parameters.tobytes()
    assert (
        apart.parameters.tobytes()
        != trained_with(
            Network, [2.0] * 3, kind(**lr, **stored), dtype, "batch"
        ).parameters.tobytes()
    )


@each_library
def test_one_number_stands_for_both(Network):
    nets = [
        trained_with(Network, factors, bp.Adam(0.01, max_norm=1.0), "float32")
        for factors in ([0.5, 0, 2], np.array([[0.5, 0.5], [0, 0], [2, 2]]))
    ]
    assert everything(nets[0]) == everything(nets[1])
    assert nets[0].lr_factors == ((0.5, 0.5), (0.0, 0.0), (2.0, 2.0))


def test_a_layer_is_left_out_only_if_both_factors_are_0():
    """The optimizer's arrays of parameters with the rate 0 follow their gradient."""
    net = trained_with(bp.Network, [0, (0, 1), (1, 0)], bp.Adam(0.01), "float32")
    first = make()
    assert np.array_equal(net.weights[0], first.weights[0]) and not net.biases[0].any()
    assert np.array_equal(net.weights[1], first.weights[1]) and net.biases[1].any()
    assert not np.array_equal(net.weights[2], first.weights[2])
    assert not net.biases[2].any()
    state = net.learner.state
    assert state.fixed == (True, False, False)
    assert state.layer_steps.tolist() == [0, state.steps, state.steps]
    means = net.learner.design.layout.views(state.optimizer_rows()["mean"])
    assert (
        not means.weights[0].any() and means.weights[1].any() and means.biases[2].any()
    )


@each_library
@pytest.mark.parametrize("clip_norm", [None, 1e-3])
@pytest.mark.parametrize("options", [{}, {"norm": "batch"}], ids=str)
def test_frozen_layers_stay(Network, options, clip_norm):
    optimizer = bp.Adam(0.01, weight_decay=0.1, clip_norm=clip_norm, max_norm=0.5)
    net = make(Network, optimizer=optimizer, **options)
    for frozen in ([True, False, False], [False, True, False], [True, True, False]):
        net.frozen = frozen
        before = copy.deepcopy(net)
        net.fit(X, LABELS, epochs=2, batch_size=25, **QUIET)
        net.apply(net.gradients(X, LABELS))
        for l, stays in enumerate(frozen):
            same = np.array_equal(net.weights[l], before.weights[l])
            assert same == stays
            assert np.array_equal(net.biases[l], before.biases[l]) == stays
            if (moments := net.running_moments[l]) is not None:
                assert np.array_equal(moments, before.running_moments[l]) == stays


def test_frozen_layers_have_no_part_in_the_norm():
    net = make(optimizer=bp.SGD(1.0, clip_norm=1e-3), dtype="float64")
    net.frozen = [True, False, True]
    before = net.parameters.copy()
    net.train_step(X, LABELS)
    assert np.linalg.norm(net.parameters - before) == pytest.approx(1e-3, rel=1e-2)


def test_max_norm():
    net = make(optimizer=bp.SGD(0.5, max_norm=0.7))
    net.fit(X, LABELS, epochs=5, **QUIET)
    for W in net.weights:
        norms = np.linalg.norm(W, axis=0)
        assert norms.max() <= 0.7 * (1 + 1e-6)
    assert norms.max() > 0.69  # it had to


def test_penalties_of_weights_only():
    penalised = bp.SGD(
        0.1, weight_decay=0.5, l1=0.25, biases={"weight_decay": 0, "l1": 0}
    )
    net, before, gradients = step(optimizer=penalised)
    old = net.learner.design.layout.views(before)
    for l in range(3):
        W, dW = old.weights[l], gradients.weights[l]
        expected = W - 0.1 * (dW + 0.5 * W + 0.25 * np.sign(W))
        np.testing.assert_allclose(net.weights[l], expected, atol=1e-15)
        expected = old.biases[l] - 0.1 * gradients.biases[l]
        np.testing.assert_allclose(net.biases[l], expected, atol=1e-15)


@each_library
@pytest.mark.parametrize(
    "optimizer", [bp.SGD(0.05, momentum=0.9), bp.Adam(1e-2)], ids=str
)
@pytest.mark.parametrize("weight", [None, rng.uniform(size=50)], ids=["", "weighted"])
def test_accumulated_mini_batches_are_one(Network, optimizer, weight):
    """4 mini-batches of 8 rows and one of 32; at the end 16 + 2 rows are left."""
    small, large = (
        make(Network, optimizer=optimizer, dtype="float64") for _ in range(2)
    )
    settings = {"epochs": 2, "shuffle": False, "sample_weight": weight, **QUIET}
    small.fit(X, LABELS, batch_size=8, accumulate=4, **settings)
    large.fit(X, LABELS, batch_size=32, **settings)
    np.testing.assert_allclose(
        small.parameters, large.parameters, rtol=1e-9, atol=1e-12
    )
    assert small.learner.state.steps == large.learner.state.steps == 4


# --- dropout and noise ----------------------------------------------------------------


def test_dropout_drops_its_share_of_hidden_units():
    net = bp.Network([10, 1000, 500, 3], activation="tanh", dropout=[0.3, 0.0], rng=0)
    rows = np.random.default_rng(1).normal(size=(200, 10))
    first, second = net.forward(rows), net.forward(rows)
    kept = first.activations[1] != 0
    assert abs(kept.mean() - 0.7) < 0.005
    # Neither rows nor units alike.
    assert abs(kept.mean(axis=0) - 0.7).max() < 0.2 > abs(kept.mean(axis=1) - 0.7).max()
    assert (first.activations[2] != 0).all() and (first.output != 0).all()
    assert np.array_equal(kept, second.activations[1] != 0)  # the same step
    net.apply(net.backward(first, np.zeros((200, 3))))
    third = net.forward(rows).activations[1] != 0
    assert abs((kept == third).mean() - 0.58) < 0.01  # independent: 0.7^2 + 0.3^2
    plain = bp.Network([10, 1000, 500, 3], activation="tanh", rng=0)
    a = plain.forward(rows).activations[1]
    np.testing.assert_allclose(first.activations[1][kept], a[kept] / 0.7, rtol=1e-6)
    assert net.predict(rows).tobytes() == plain.predict(rows).tobytes()


def test_dropout_has_a_stream_of_its_own():
    """Weights and shuffles are those of a network without it; seeds differ."""
    nets = [bp.Network([5, 50, 2], dropout=p, rng=0) for p in (0.0, 0.5)]
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert nets[0].learner.state.bits.state == nets[1].learner.state.bits.state
    others = [bp.Network([5, 50, 2], dropout=0.5, rng=seed) for seed in (0, 1)]
    others[1].parameters[...] = others[0].parameters
    masks = [net.forward(np.ones((1, 5))).activations[1] != 0 for net in others]
    assert not np.array_equal(*masks)


def test_input_noise():
    net = bp.Network([400, 2], input_noise=0.5, rng=0)
    rows = np.zeros((300, 400), "float32")
    noise = net.forward(rows).activations[0]
    assert abs(noise.std() - 0.5) < 0.01 and abs(noise.mean()) < 0.01
    for z, share in ((1.0, 0.1587), (2.0, 0.0228), (3.0, 0.00135)):
        assert abs((noise > 0.5 * z).mean() - share) < 0.1 * share + 1e-3
    assert not rows.any()  # the caller's X is not touched
    target = np.zeros((300, 2))
    net.train_step(rows, target)
    net.fit(rows, target, epochs=1, **QUIET)
    assert not rows.any()
    assert np.array_equal(net.predict(rows)[0], net.biases[0])


# --- normalisation --------------------------------------------------------------------


def test_batch_norm_in_use_is_folded():
    net = make(norm="batch")
    net.fit(X, LABELS, epochs=3, batch_size=25, **QUIET)
    together = net.predict(X)
    for i in (0, 7, 49):
        assert net.predict(X[i]).tobytes() == together[i].tobytes()
    plain = net.folded()
    assert plain.norms == (None, None, None)
    assert plain.predict(X).tobytes() == together.tobytes()
    net.running_moments[0][0] += 1.0  # seen at once, as all writable views are
    assert (net.predict(X) != together).any()


def test_running_moments():
    net = make(norm=["batch", None])
    u = X @ net.weights[0]
    net.train_step(X, LABELS)
    mean, variance = net.running_moments[0]
    np.testing.assert_allclose(mean, 0.1 * u.mean(axis=0), rtol=1e-4, atol=1e-6)
    expected = 0.9 + 0.1 * u.var(axis=0, ddof=1)
    np.testing.assert_allclose(variance, expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalised_networks_learn(kind):
    rows = 100 + 50 * X  # what an affine layer alone would take long to get used to
    net = make(norm=kind, optimizer=bp.Adam(0.01))
    history = net.fit(rows, LABELS, epochs=60, **QUIET)
    assert history.loss[-1] < 0.3


# --- weights --------------------------------------------------------------------------


@each_library
def test_class_weights_are_sample_weights(Network):
    weights = np.array([2.0, 1.0, 0.5, 3.0])
    by_class, by_sample = make(Network), make(Network)
    options = {"epochs": 2, "batch_size": 16, **QUIET}
    a = by_class.fit(X, LABELS, class_weight=weights, validation=(X, LABELS), **options)
    b = by_sample.fit(
        X,
        LABELS,
        sample_weight=weights[LABELS],
        validation=(X, LABELS, weights[LABELS]),
        **options,
    )
    assert trained(by_class) == trained(by_sample)
    assert np.array_equal(a.validation_loss, b.validation_loss)
    of_class = dict(enumerate(weights))
    assert by_class.evaluate(X, LABELS, class_weight=of_class) == by_sample.evaluate(
        X, LABELS, weights[LABELS]
    )


def test_balanced_class_weights():
    net = bp.Network([7, 2], loss="cross_entropy", rng=0)
    y = (np.arange(50) < 10).astype(int)  # 40 and 10
    expected = np.where(y == 1, 50 / 20, 50 / 80)
    assert net.evaluate(X, y, class_weight="balanced") == net.evaluate(X, y, expected)
    one = bp.Network([7, 1], loss="binary_cross_entropy", rng=0)
    assert one.evaluate(X, y, class_weight="balanced") == one.evaluate(X, y, expected)
    hinge = bp.Network([7, 1], loss="hinge", rng=0)
    signs = np.where(y == 1, 1.0, -1.0)
    assert hinge.evaluate(X, signs, class_weight={-1: 50 / 80, 1: 50 / 20}) == (
        hinge.evaluate(X, signs, expected)
    )


def test_label_smoothing_pulls_the_outputs_from_the_corners():
    nets = [
        bp.Network([4, 3], loss=bp.CrossEntropy(smoothing), rng=0,
                   optimizer=bp.SGD(5.0))
        for smoothing in (0.0, 0.3)
    ]  # fmt: skip
    eye = np.eye(4)[:3]
    for net in nets:
        net.fit(eye, [0, 1, 2], epochs=500, **QUIET)
    assert nets[0].predict(eye).max() > 0.98
    assert nets[1].predict(eye).max() == pytest.approx(0.8, abs=1e-3)  # 0.7 + 0.3 / 3


def test_a_custom_loss_trains_like_the_same_built_in():
    def half_squared(a, y):
        return 0.5 * ((a - y) ** 2).sum(axis=1), a - y

    y = rng.normal(size=(50, 4)).astype("float32")
    nets = [
        bp.Network(SIZES, loss=loss, optimizer=bp.Adam(0.01), rng=0, dtype="float64")
        for loss in (half_squared, "squared_error")
    ]
    weight = rng.uniform(size=50)
    histories = [
        net.fit(X, y, epochs=3, sample_weight=weight, validation=(X, y), **QUIET)
        for net in nets
    ]
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, atol=1e-10)
    np.testing.assert_allclose(*(h.validation_loss for h in histories))
    assert nets[0].loss is half_squared
