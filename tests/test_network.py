"""A network step against the reference: the same numbers, from the old weights."""

import copy

import numpy as np
import pytest

import bpcore as bp
from helpers import each_library

OPTIMIZERS = [
    bp.SGD(0.05),
    bp.SGD(0.05, weight_decay=0.1),
    bp.SGD(0.02, momentum=0.9),
    bp.SGD(0.02, momentum=0.9, nesterov=True, weight_decay=0.01),
]
LOSSES = [
    "squared_error",
    "mean_squared_error",
    "cross_entropy",
    "binary_cross_entropy",
]


def twins(sizes=(11, 23, 9, 5), n=19, dtype="float64", **settings):
    """The compiled network, the NumPy one, and a mini-batch for both."""
    rng = np.random.default_rng(3)
    settings = {"activation": "tanh", "rng": 5, "dtype": dtype, **settings}
    X = rng.normal(size=(n, sizes[0])).astype(dtype)
    y = rng.uniform(size=(n, sizes[-1])).astype(dtype)
    nets = bp.Network(sizes, **settings), bp.reference.Network(sizes, **settings)
    return *nets, X, y


def test_twins_begin_equal():
    net, ref, _, _ = twins()
    assert net.parameters.tobytes() == ref.parameters.tobytes()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_200_steps(loss, optimizer):
    net, ref, X, y = twins(loss=loss, optimizer=optimizer)
    before = net.parameters.copy()
    for _ in range(200):
        assert net.train_step(X, y) == pytest.approx(ref.train_step(X, y), abs=1e-9)
    np.testing.assert_allclose(net.parameters, ref.parameters, rtol=0, atol=1e-9)
    assert np.abs(net.parameters - before).max() > 1e-2


def test_one_step_by_hand():
    """2-2-1 by hand: the hidden delta comes from the weights before the step."""
    net = bp.Network(
        [2, 2, 1], activation="sigmoid", optimizer=bp.SGD(0.5), dtype="float64"
    )
    W0, W1 = np.array([[0.1, 0.4], [-0.2, 0.3]]), np.array([[0.5], [-0.6]])
    net.weights[0][...], net.weights[1][...] = W0, W1
    x, y = np.array([[1.0, 2.0]]), 1.0
    a1 = 1 / (1 + np.exp(-(x @ W0)))
    delta1 = a1 @ W1 - y
    delta0 = (delta1 @ W1.T) * a1 * (1 - a1)
    assert net.train_step(x, [[y]]) == pytest.approx(0.5 * delta1.item() ** 2)
    np.testing.assert_allclose(net.weights[1], W1 - 0.5 * a1.T @ delta1, rtol=1e-12)
    np.testing.assert_allclose(net.weights[0], W0 - 0.5 * x.T @ delta0, rtol=1e-12)
    np.testing.assert_allclose(net.biases[0], -0.5 * delta0[0], rtol=1e-12)
    from_new = (delta1 @ (W1 - 0.5 * a1.T @ delta1).T) * a1 * (1 - a1)
    assert np.abs(net.weights[0] - (W0 - 0.5 * x.T @ from_new)).max() > 1e-4


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_stays_close_to_float64(loss):
    net, ref, X, y = twins(loss=loss, optimizer=bp.SGD(0.05, momentum=0.5))
    single = net.astype("float32")
    for _ in range(20):
        single.train_step(X, y)
        ref.train_step(X, y)
    np.testing.assert_allclose(single.parameters, ref.parameters, rtol=0, atol=2e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_evaluate_and_predict(loss, weighted):
    net, ref, X, y = twins(loss=loss, n=700)  # more than one workspace of rows
    weight = np.arange(700) % 5 if weighted else None
    assert net.evaluate(X, y, weight) == pytest.approx(
        ref.evaluate(X, y, weight), rel=1e-12
    )
    np.testing.assert_allclose(net.predict(X), ref.predict(X), rtol=1e-11, atol=1e-14)
    mean = 1 if weight is None else weight.mean()
    assert net.evaluate(X, y, weight) * mean == pytest.approx(
        net.gradients(X, y, weight).loss, rel=1e-12
    )


def test_weights_act_like_repeated_rows():
    net, _, X, y = twins()
    repeats = np.arange(19) % 3
    weighted = net.gradients(X, y, repeats)
    repeated = net.gradients(X.repeat(repeats, axis=0), y.repeat(repeats, axis=0))
    rows = 19, repeats.sum()  # of which each is a mean
    assert weighted.loss * rows[0] == pytest.approx(repeated.loss * rows[1], rel=1e-12)
    np.testing.assert_allclose(
        weighted.flat * rows[0], repeated.flat * rows[1], rtol=1e-9, atol=1e-14
    )


def test_single_row_prediction():
    net, _, X, _ = twins()
    assert net.predict(X[0]).shape == (5,)
    out = np.empty(5)
    assert net(X[0], out=out) is out
    assert out.tobytes() == net.predict(X)[0].tobytes()


def test_parameters_are_one_aligned_buffer():
    net, *_ = twins()
    assert net.parameters.ctypes.data % 64 == 0
    assert net.parameters.size == sum(W.size for W in (*net.weights, *net.biases))
    pairs = zip(net.weights, net.biases, strict=True)
    parts = [part.ravel() for pair in pairs for part in pair]
    assert np.concatenate(parts).tobytes() == net.parameters.tobytes()
    net.parameters[...] = 7
    assert all((p == 7).all() for p in parts)


@pytest.mark.parametrize(
    "given, output, loss",
    [
        ({}, "identity", "squared_error"),
        ({"loss": "cross_entropy"}, "softmax", "cross_entropy"),
        ({"loss": "binary_cross_entropy"}, "sigmoid", "binary_cross_entropy"),
        ({"loss": "mean_squared_error"}, "identity", "mean_squared_error"),
        ({"output": "softmax"}, "softmax", "cross_entropy"),
        ({"output": "sigmoid"}, "sigmoid", "binary_cross_entropy"),
        ({"output": "tanh"}, "tanh", "squared_error"),
        (
            {"output": "sigmoid", "loss": "squared_error"},
            "sigmoid",
            "squared_error",
        ),
    ],
)
def test_output_and_loss_follow_each_other(given, output, loss):
    net = bp.Network([2, 3, 2], **given)
    assert (net.activations[-1], net.loss) == (output, loss)


@pytest.mark.parametrize("name", ["glorot", "he", "lecun"])
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_initialisers_have_their_variance(name, distribution):
    W = bp.Network([300, 200], init=f"{name}_{distribution}", rng=0).weights[0]
    variance = {"glorot": 2 / 500, "he": 2 / 300, "lecun": 1 / 300}[name]
    assert W.var() == pytest.approx(variance, rel=0.03)
    assert abs(W.mean()) < 4 * np.sqrt(variance / W.size)
    share_within_one_sigma = (np.abs(W) < np.sqrt(variance)).mean()
    expected = 1 / np.sqrt(3) if distribution == "uniform" else 0.6827
    assert share_within_one_sigma == pytest.approx(expected, abs=0.01)


def test_auto_init_follows_the_activation():
    he = bp.Network([50, 60, 9], activation="relu", init="he_uniform", rng=1)
    auto = bp.Network([50, 60, 9], activation="relu", rng=1)
    assert auto.weights[0].tobytes() == he.weights[0].tobytes()
    assert auto.weights[1].tobytes() != he.weights[1].tobytes()


@pytest.mark.parametrize("make", [np.random.PCG64, np.random.MT19937])
def test_rng_may_be_a_numpy_generator(make):
    first = bp.Network([3, 4], rng=np.random.Generator(make(1)))
    again = bp.Network([3, 4], rng=make(1))
    other = bp.Network([3, 4], rng=make(2))
    assert first.parameters.tobytes() == again.parameters.tobytes()
    assert first.parameters.tobytes() != other.parameters.tobytes()


@each_library
def test_a_row_of_weight_zero_may_be_anything(Network):
    settings = {"optimizer": bp.SGD(0.01), "rng": 0, "dtype": "float64"}
    net, alone = Network([1, 1], **settings), Network([1, 1], **settings)
    loss = net.train_step([[1.0], [1e200]], [[1.0], [0.0]], [1, 0])
    assert loss == alone.train_step([[1.0]], [[1.0]], [0.5])
    assert net.parameters.tobytes() == alone.parameters.tobytes()


@pytest.mark.parametrize("scale", [1e308, 1e-310])
def test_only_ratios_of_weights_count(scale):
    """In evaluate and fit, which have all rows."""
    net, twin, X, y = twins()
    weight = (np.arange(19) % 3).astype(float)
    large = weight / 2 * scale
    assert net.evaluate(X, y, large) == pytest.approx(net.evaluate(X, y, weight))
    twin = copy.deepcopy(net)
    options = {"epochs": 2, "batch_size": 7, "progress": False}
    net.fit(X, y, sample_weight=weight, **options)
    twin.fit(X, y, sample_weight=large, **options)
    np.testing.assert_allclose(net.parameters, twin.parameters, rtol=1e-9)


def test_labels_changed_after_the_checks_write_nowhere():
    net = bp.Network([4, 8, 3], loss="cross_entropy", rng=0)
    X, y = np.ones((64, 4)), np.zeros(64, np.int64)
    relabel = [lambda net, history: y.fill(700_000)]
    with pytest.raises(bp.DivergenceError):
        net.fit(X, y, epochs=2, callbacks=relabel, shuffle=False, progress=False)


def test_denormals_survive_the_import():
    """A build linked with -Ofast would flush them, in the whole process."""
    assert np.array([1e-310])[0] * 1.0 == 1e-310
    assert np.float32(1e-39) * np.float32(1) != 0


def test_pandas_frames_of_many_dtypes():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "float": [0.5, 1.5, -1.0],
            "whole": np.array([1, 2, 3], np.int8),
            "flag": [True, False, True],
            "nullable": pd.array([1.0, 2.0, 4.0], dtype="Float64"),
        }
    )
    plain = np.array([[0.5, 1, 1, 1], [1.5, 2, 0, 2], [-1, 3, 1, 4]])
    net = bp.Network([4, 3, 2], loss="cross_entropy", rng=0)
    assert net.predict(frame).tobytes() == net.predict(plain).tobytes()
    labels = pd.Series([0, 1, 1], dtype="Int64")
    assert net.evaluate(frame, labels) == net.evaluate(plain, [0, 1, 1])
    with pytest.raises(TypeError, match=r"got dtype (object|str) in 'name'"):
        net.predict(frame.rename(columns={"flag": "name"}).assign(name=["a", "b", "c"]))
    with pytest.raises(ValueError, match=r"X must be finite .* nan at \[1, 3\]"):
        net.predict(frame.assign(nullable=pd.array([1.0, None, 2.0], dtype="Float64")))
    with pytest.raises(TypeError, match=r"y .* integer labels"):
        net.evaluate(frame, pd.Series([0, None, 1], dtype="Int64"))
