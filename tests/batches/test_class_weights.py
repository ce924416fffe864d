"""Weights of classes, and weights of samples by label."""

import numpy as np
import pandas as pd
import pytest

import bpcore as bp
from helpers import softmax
from helpers.weights import QUIET, X, everything, net_of, rng

# --- classes --------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("kind", ["labels", "one-hot", "shares", "no shares"])
def test_classes_of_cross_entropy(Network, smoothing, kind):
    """-1/n sum_i sum_j c_j y_ij log(a_ij): torch's, with smoothed targets y."""
    labels, c = rng.integers(3, size=24), np.array([0.5, 3.0, 0.0])
    y = softmax(rng.normal(size=(24, 3))) if "shares" in kind else np.eye(3)[labels]
    if kind == "no shares":  # their sums are not 1
        y *= rng.uniform(size=(24, 1))
    net = net_of(Network, bp.CrossEntropy(smoothing))
    given = labels if kind == "labels" else y
    smooth = (1 - smoothing) * y + smoothing / 3
    E = -(c * smooth * np.log(net.predict(X))).sum(axis=1)
    grads = net.gradients(X, given, class_weight=c)
    assert grads.loss == pytest.approx(E.mean())
    assert bp.check_gradients(net, X, given, class_weight=c).largest < 1e-7
    w = (c * smooth).sum(axis=1) / smooth.sum(axis=1)
    assert net.evaluate(X, given, class_weight=c) == pytest.approx(E.sum() / w.sum())
    w = rng.uniform(size=24)
    assert net.gradients(X, given, w, c).loss == pytest.approx((w * E).mean())


@pytest.mark.parametrize("z", [-1e4, -1e8, -3e38, 1e8])
def test_a_class_without_weight_has_no_say_however_far_its_z(Network, z):
    net = Network([1, 3], loss=bp.CrossEntropy(0.1), init="zeros")
    net.biases[0][...] = [z, 1, 2]
    given = {"class_weight": [0, 1, 1]}
    found = net.gradients([[0.0]], [1], **given).loss
    log_a = [1 - max(z, 2), 2 - max(z, 2)]
    if z < 0:
        log_a = np.array([1, 2]) - np.log(np.exp(1) + np.exp(2))
    expected = -(0.9 + 0.1 / 3) * log_a[0] - 0.1 / 3 * log_a[1]
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("weight", "c"),
    [(1e160, [1e150, 1e150]), (1e-200, [1e-200, 1e-200]), (1e300, [1e-300, 1e-300])],
)
def test_products_of_weights_that_do_not_fit(Network, weight, c):
    """fit and evaluate scale weights first; in a step, products must not overflow."""
    y, w = rng.integers(2, size=24), np.full(24, weight)
    nets = [net_of(Network, "cross_entropy") for _ in range(2)]
    c = [*c, c[0]]
    plain = nets[0].fit(X, y, validation=(X, y), epochs=2, **QUIET)
    weighted = nets[1].fit(
        X, y, sample_weight=w, class_weight=c, validation=(X, y, w), epochs=2, **QUIET
    )
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=1e-12)
    np.testing.assert_allclose(plain.validation_loss, weighted.validation_loss)
    assert nets[0].evaluate(X, y) == pytest.approx(
        nets[1].evaluate(X, y, w, c), rel=1e-9
    )
    if weight == 1e160:
        with pytest.raises(ValueError, match="times sample_weight must be finite"):
            nets[1].train_step(X, y, w, c)


@pytest.mark.parametrize("soft", [False, True])
def test_classes_of_several_labels(Network, soft):
    """c_j weighs the positives of output j: torch's pos_weight."""
    y = (
        rng.uniform(size=(24, 3))
        if soft
        else rng.integers(2, size=(24, 3)).astype(float)
    )
    c = np.array([2.0, 0.5, 0.0])
    net = net_of(Network, "binary_cross_entropy")
    a = net.predict(X)
    E = -(c * y * np.log(a) + (1 - y) * np.log(1 - a)).sum(axis=1)
    grads = net.gradients(X, y, class_weight=c)
    assert grads.loss == pytest.approx(E.mean())
    assert bp.check_gradients(net, X, y, class_weight=c).largest < 1e-7
    np.testing.assert_allclose(bp.trace(net, X, y, class_weight=c).losses, E)
    share = (c * y + 1 - y).mean(axis=1).sum()
    assert net.evaluate(X, y, class_weight=c) == pytest.approx(E.sum() / share)
    w = rng.uniform(size=24)
    assert net.gradients(X, y, w, c).loss == pytest.approx((w * E).mean())
    # In fit, the mean of all weights is 1.
    weights = (w[:, None] * (c * y + 1 - y)).mean()
    history = net.fit(
        X, y, sample_weight=w, class_weight=c, epochs=1, batch_size=24, **QUIET
    )
    assert history.loss[0] == pytest.approx((w * E).mean() / weights)


def test_the_issues_two_labels(Network):
    y = [[1, 1], [0, 0]]
    net = Network([3, 2], loss="binary_cross_entropy", rng=0, dtype="float64")
    plain, weighted = net.gradients(X[:2], y), net.gradients(X[:2], y, None, [2.0, 1.0])
    assert plain.biases[0][1] == weighted.biases[0][1]
    a = net.predict(X[:2])
    assert weighted.biases[0][0] == pytest.approx((2 * (a[0, 0] - 1) + a[1, 0]) / 2)


@pytest.mark.parametrize(
    "weights", ([2.0, 5.0], {-1: 2.0, 1: 5.0}), ids=["list", "dict"]
)
def test_classes_of_hinges(Network, weights):
    y, c = rng.choice([-1.0, 1.0], size=(24, 3)), np.array([2.0, 0.5, 3.0])
    net = net_of(Network, "hinge")
    E = (np.where(y > 0, c, 1) * np.maximum(0, 1 - y * net.predict(X))).mean(axis=1)
    assert net.gradients(X, y, class_weight=c).loss == pytest.approx(E.mean())
    one = Network([3, 1], loss="hinge", rng=0, dtype="float64")
    E = np.where(y[:, :1] > 0, 5, 2) * np.maximum(0, 1 - y[:, :1] * one.predict(X))
    given = one.gradients(X, y[:, 0], class_weight=weights)
    assert given.loss == pytest.approx(E.mean())


def test_classes_of_one_soft_output(Network):
    y, c = rng.uniform(size=24), [2.0, 5.0]
    net = Network([3, 1], loss="binary_cross_entropy", rng=0, dtype="float64")
    a = net.predict(X)[:, 0]
    E = -(5 * y * np.log(a) + 2 * (1 - y) * np.log(1 - a))
    assert net.gradients(X, y, class_weight=c).loss == pytest.approx(E.mean())


def test_classes_of_a_loss_function(Network):
    labels, c = rng.integers(3, size=24), np.array([2.0, 1.0, 0.5])

    def loss(a, y):
        E = ((a - y) ** 2).sum(axis=1)
        return E, 2 * (a - y)

    net = Network([3, 3], output="softmax", loss=loss, rng=0, dtype="float64")
    y = np.eye(3)[labels]
    E = loss(net.predict(X), y)[0]
    given = net.gradients(X, y, class_weight=c)
    assert given.loss == pytest.approx((c[labels] * E).mean())
    several = Network([3, 3], output="sigmoid", loss=loss, rng=0)
    with pytest.raises(ValueError, match="class_weight with several labels"):
        several.train_step(X, y, class_weight=c)


def test_balanced(Network):
    labels = np.repeat([0, 1, 2], [12, 8, 4])
    expected = np.array([24 / 36, 24 / 24, 24 / 12])
    net = net_of(Network, "cross_entropy")
    for y in (labels, np.eye(3)[labels]):
        assert net.evaluate(X, y, class_weight="balanced") == pytest.approx(
            net.evaluate(X, y, class_weight=expected)
        )
    shares = np.full((24, 3), [0.5, 0.25, 0.25])
    assert net.evaluate(X, shares, class_weight="balanced") == pytest.approx(
        net.evaluate(X, shares, class_weight=[2 / 3, 4 / 3, 4 / 3])
    )
    several = net_of(Network, "binary_cross_entropy")
    y = np.stack([np.arange(24) < n for n in (6, 0, 24)], axis=1).astype(float)
    assert several.evaluate(X, y, class_weight="balanced") == pytest.approx(
        several.evaluate(X, y, class_weight=[18 / 6, 1, 1])
    )


BALANCED = {
    "train_step": lambda net, X, y: net.train_step(X, y, class_weight="balanced"),
    "gradients": lambda net, X, y: net.gradients(X, y, class_weight="balanced"),
    "partial_fit": lambda net, X, y: net.partial_fit(X, y, class_weight="balanced"),
    "trace": lambda net, X, y: bp.trace(net, X, y, class_weight="balanced"),
    "check": lambda net, X, y: bp.check_gradients(net, X, y, class_weight="balanced"),
}


@pytest.mark.parametrize("call", BALANCED)
def test_balanced_needs_all_labels(Network, call):
    net = net_of(Network, "cross_entropy")
    before = everything(net)
    with pytest.raises(ValueError, match="'balanced' needs the labels of all data"):
        BALANCED[call](net, X, rng.integers(3, size=24))
    assert everything(net) == before


def test_class_weights_of_a_stream(Network):
    y, c = rng.integers(3, size=24), {0: 2.0, 2: 0.5}
    nets = [net_of(Network, "cross_entropy") for _ in range(2)]
    nets[0].fit([(X[:12], y[:12]), (X[12:], y[12:])], class_weight=c, epochs=1, **QUIET)
    for at in (slice(12), slice(12, 24)):
        nets[1].train_step(X[at], y[at], class_weight=c)
    assert np.array_equal(nets[0].parameters, nets[1].parameters)


# --- labelled input is read by its labels ---------------------------------------------


class Labelled:
    """A mapping with as few methods as possible."""

    def __init__(self, pairs):
        self.pairs = pairs

    def keys(self):
        return [key for key, _ in self.pairs]

    def items(self):
        return iter(self.pairs)


@pytest.mark.parametrize(
    "weights",
    [
        {1: 0.556, 0: 5.0},
        pd.Series({1: 0.556, 0: 5.0}),
        pd.Series([0.556, 5.0], index=[1, 0]),
        pd.Series([0.556, 5.0], index=[1.0, 0.0]),
        Labelled([(1, 0.556), (0, 5.0)]),
        {np.int64(1): np.float32(0.556), np.int8(0): 5},
        [5.0, 0.556],
    ],
    ids=lambda value: type(value).__name__,
)
def test_class_weights_by_label(Network, weights):
    net = Network([3, 1], loss="binary_cross_entropy", rng=0, dtype="float64")
    y = (np.arange(24) < 6).astype(int)
    expected = net.gradients(X, y, np.where(y == 1, 0.556, 5.0))
    assert net.gradients(X, y, class_weight=weights).loss == pytest.approx(
        expected.loss, rel=1e-7
    )


@pytest.mark.parametrize(
    "weights, message",
    [
        (pd.Series({2: 1.0}), "labels in 0 .. 1 for keys; got 2"),
        (pd.Series([1.0, 2.0], index=[1, 1]), "each label once; got 1 twice"),
        ({"1": 2.0}, "labels in 0 .. 1 for keys; got '1'"),
        (pd.DataFrame({0: [1.0]}), r"class_weight\[0\] must be a number"),
        ({0: -1.0}, r"class_weight\[0\] must be finite and at least 0"),
    ],
    ids=["no class", "a label twice", "text", "a table", "negative"],
)
def test_labels_that_are_wrong(Network, weights, message):
    net = Network([3, 1], loss="binary_cross_entropy", rng=0)
    y = np.zeros(24)
    with pytest.raises((ValueError, TypeError), match=message):
        net.train_step(X, y, class_weight=weights)


@pytest.mark.parametrize(
    "wrong",
    ({0: 1.0}, {1: 1.0, 2: 1.0}, pd.Series([1.0, 1.0], index=["a", "b"])),
    ids=["one missing", "from 1", "text"],
)
def test_rates_of_layers_by_wrong_labels(wrong):
    net = bp.Network([3, 4, 1], rng=0)
    with pytest.raises(TypeError, match=r"by the labels 0 \.\. 1 or in order"):
        net.lr_factors = wrong


def test_rates_of_layers_by_label():
    net = bp.Network([3, 4, 1], rng=0)
    net.lr_factors = pd.Series([1.0, 0.1], index=[1, 0])
    assert net.lr_factors == ((0.1, 0.1), (1.0, 1.0))
    net.lr_factors = {1: 0.5, 0: (2.0, 0.0)}
    assert net.lr_factors == ((2.0, 0.0), (0.5, 0.5))
    assert bp.Network(pd.Series({2: 5, 1: 4, 0: 3})).sizes == (3, 4, 5)
    net.frozen = pd.Series([True, False], index=[1, 0])
    assert net.frozen == (False, True)
