"""Derivatives from values alone, and networks trained by them."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.training.inputs import checked_batch

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4))
Y = np.tanh(X[:, :2] * 2 + 1)
LABELS = np.arange(40) % 2


# --- numerical_gradient ---------------------------------------------------------------


def product(x):
    """Analytic, with another slope in every direction; and its gradient."""
    return np.sin(x[0]) * np.exp(x[1]) / x[2]


def slopes(x):
    return np.array(
        [
            np.cos(x[0]) * np.exp(x[1]) / x[2],
            product(x),
            -product(x) / x[2],
        ]
    )


def test_central_differences():
    x = np.array([0.3, -1.2, 2.0])
    found = bp.numerical_gradient(product, x)
    np.testing.assert_allclose(found, slopes(x), rtol=1e-8)
    scaled = bp.numerical_gradient(product, x, scaled=True)
    np.testing.assert_allclose(scaled, slopes(x), rtol=1e-9)


def test_the_complex_step_is_exact_to_rounding():
    for x in rng.uniform(-3, 3, (20, 3)):
        found = bp.numerical_gradient(product, x, method="complex")
        np.testing.assert_allclose(found, slopes(x), rtol=1e-14)


@pytest.mark.parametrize(
    "f, slope",
    [
        (np.exp, np.exp),
        (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
        (lambda x: x**5, lambda x: 5 * x**4),
        (lambda x: np.log(x * x + 1), lambda x: 2 * x / (x * x + 1)),
    ],
)
def test_the_complex_step_of_one_number(f, slope):
    for x in (-1.3, 0.0, 0.7, 2.0):
        found = bp.numerical_gradient(f, x, method="complex")
        assert abs(found - slope(x)) <= 1e-14 * max(1, abs(slope(x)))


def test_the_error_falls_with_the_square_of_the_step():
    steps = np.array([1e-1, 1e-2, 1e-3])
    errors = [abs(bp.numerical_gradient(np.sin, 1.0, h) - np.cos(1.0)) for h in steps]
    np.testing.assert_allclose(errors, np.cos(1.0) * steps**2 / 6, rtol=1e-2)


@pytest.mark.parametrize("method", ["central", "complex"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 2)])
def test_every_shape(method, shape):
    x = rng.normal(size=shape)
    seen = []

    def f(x):
        seen.append(x)
        return (x**3).sum()

    found = bp.numerical_gradient(f, x, method=method)
    assert isinstance(found, np.ndarray)
    assert found.shape == shape and found.dtype == np.float64
    np.testing.assert_allclose(found, 3 * x**2, rtol=1e-7)
    assert len(seen) == (2 if method == "central" else 1) * x.size
    assert {array.shape for array in seen} == {shape}
    assert len({id(array) for array in seen}) == len(seen)


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
@pytest.mark.parametrize("method", ["central", "complex"])
def test_nothing_to_differentiate_by(shape, method):
    found = bp.numerical_gradient(lambda x: 1.0, np.zeros(shape), method=method)
    assert found.shape == shape and found.dtype == np.float64


@pytest.mark.parametrize(
    "x, expected",
    [
        ([1, 2], "float64"),
        (np.array([1, 2]), "float64"),
        (np.array([True, False]), "float64"),
        (np.float16([1, 2]), "float64"),
        (np.float32([1, 2]), "float32"),
        (np.float64([1, 2]), "float64"),
        (3, "float64"),
    ],
)
def test_dtypes(x, expected):
    seen = set()

    def f(x):
        seen.add(str(x.dtype))
        return x.sum()

    found = bp.numerical_gradient(f, x)
    assert seen == {expected} and found.dtype == np.float64
    np.testing.assert_allclose(found, np.ones(np.shape(x)), rtol=0.2)
    seen.clear()
    bp.numerical_gradient(f, x, method="complex")
    assert seen == {"complex128"}


def test_float32_steps_are_divided_by_what_they_are():
    """x + 1e-6 is not a float32; the quotient of two that are is exact all the same."""
    x = np.float32([1.0, 3.0, 5.0])
    found = bp.numerical_gradient(lambda x: float(x.astype(np.float64).sum()), x)
    np.testing.assert_allclose(found, 1, rtol=1e-9)
    assert abs(2e-6 / (np.float32(5 + 1e-6) - np.float32(5 - 1e-6)) - 1) > 0.01


def test_scaled_steps():
    seen = []

    def f(x):
        seen.append(x.copy())
        return x.sum()

    bp.numerical_gradient(f, [0.5, -8.0], 0.25, scaled=True)
    assert np.array_equal(seen, [[0.75, -8], [0.25, -8], [0.5, -6], [0.5, -10]])
    seen.clear()
    bp.numerical_gradient(f, np.float32([0, 1000]), scaled=True)
    h = float(np.finfo(np.float32).eps) ** (1 / 3)
    assert seen[0][0] == np.float32(h)
    assert seen[2][1] == np.float32(1000 + 1000 * h)


@pytest.mark.parametrize("method", ["central", "complex"])
def test_x_is_left_as_it_is(method):
    x = rng.normal(size=(2, 3))
    kept = x.copy()

    def f(point):
        total = (point**2).sum()
        point[...] = 7  # its own copy
        return total

    read_only = x.copy()
    read_only.flags.writeable = False
    for at in (x, x.T, np.asfortranarray(x), read_only):
        found = bp.numerical_gradient(f, at, method=method)
        np.testing.assert_allclose(found, 2 * at, rtol=1e-7)
    assert np.array_equal(x, kept)


def test_f_may_write_what_it_is_given_into_x():
    """As of a network's own parameters."""
    net = bp.Network([3, 4, 1], activation="tanh", dtype="float64", rng=0)

    def loss(w):
        net.parameters[...] = w
        return net.evaluate(X[:, :3], Y[:, :1])

    expected = net.gradients(X[:, :3], Y[:, :1]).flat
    found = bp.numerical_gradient(loss, net.parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", [float, np.float32, np.array, int, bool])
def test_what_f_may_return(kind):
    assert bp.numerical_gradient(lambda x: kind(3), 1.0) == 0


def test_the_step_must_not_vanish():
    def f(x):
        return x.sum()

    with pytest.raises(
        ValueError, match=r"1e-06 does not change 100 at \[1\] in float32.*scaled="
    ):
        bp.numerical_gradient(f, np.float32([1, 100]))
    assert bp.numerical_gradient(f, np.float32([1, 100]), scaled=True).shape == (2,)
    with pytest.raises(ValueError, match=r"change 1e\+11 at \[\] in float64"):
        bp.numerical_gradient(f, 1e11)
    with pytest.raises(ValueError, match=r"take a larger eps$"):
        bp.numerical_gradient(f, 1.0, 1e-20, scaled=True)
    assert bp.numerical_gradient(f, 1e11, method="complex") == 1


@pytest.mark.parametrize(
    "f, settings, error, message",
    [
        (3, {}, TypeError, "f must be callable; got int"),
        (sum, {"x": "a"}, TypeError, "x must hold real numbers; got str"),
        (sum, {"x": [1j]}, TypeError, "x must hold real numbers; got dtype complex"),
        (sum, {"x": [1.0, np.nan]}, ValueError, r"x must be finite .* at \[1\]"),
        (sum, {"x": [[1], [2, 3]]}, ValueError, "x must be a regular array"),
        (sum, {"eps": 0}, ValueError, "eps must be finite and above 0; got 0"),
        (sum, {"eps": -1e-6}, ValueError, "eps must be finite and above 0"),
        (sum, {"eps": np.inf}, ValueError, "eps must be finite and above 0"),
        (sum, {"eps": "small"}, TypeError, "eps must be a number; got 'small'"),
        (sum, {"scaled": 1}, TypeError, "scaled must be a bool; got 1"),
        (sum, {"method": "complx"}, ValueError, "did you mean 'complex'"),
        (sum, {"method": None}, ValueError, "method must be one of central, complex"),
        (
            sum,
            {"x": [1e308], "eps": 1e308},
            ValueError,
            "x must stay finite in float64",
        ),
        (
            sum,
            {"x": np.float32([3e38]), "eps": 1.0, "scaled": True},
            ValueError,
            "x must stay finite in float32",
        ),
        (lambda x: x, {}, ValueError, r"f must return one number; got an array \(2,\)"),
        (lambda x: None, {}, TypeError, "f must return a real number; got object"),
        (lambda x: "1", {}, TypeError, "f must return a real number"),
        (lambda x: 1j, {}, TypeError, "f must return a real number; got complex128"),
        (
            lambda x: -np.inf,
            {},
            ValueError,
            r"f must be finite around x; got -inf with .* at \[0\]",
        ),
        (
            lambda x: complex(1, np.nan),
            {"method": "complex"},
            ValueError,
            "f must be finite",
        ),
        (
            lambda x: np.abs(x).sum(),
            {"method": "complex"},
            TypeError,
            "f must return a complex number; got float64 .*take method='central'",
        ),
    ],
)
def test_bad_input(f, settings, error, message):
    with pytest.raises(error, match=message):
        bp.numerical_gradient(f, **{"x": [1.0, 2.0], **settings})


def test_errors_of_f_come_through():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        bp.numerical_gradient(f, [1.0])


# --- the loss of training, without the way back ---------------------------------------


def fourth_powers(a, y):
    return ((a - y) ** 4).sum(axis=1), 4 * (a - y) ** 3


MAKERS = [bp.Network, bp.reference.Network]
KINDS = [
    {},
    {"activation": "gelu", "output": "tanh"},
    {"loss": "cross_entropy"},
    {"loss": "binary_cross_entropy"},
    {"loss": fourth_powers, "optimizer": bp.SGD(1e-3)},
    {"dropout": 0.3},
    {"input_noise": 0.3},
    {"norm": "layer"},
    {"norm": "batch"},
    {"norm": "batch", "dropout": 0.2, "input_noise": 0.1},
]


def make(kind=None, maker=bp.Network, **settings):
    """A network whose losses have no kinks nearby, and targets for it."""
    usual = {"activation": "tanh", "optimizer": bp.SGD(0.1, momentum=0.5), "rng": 0}
    net = maker([4, 6, 2], **{**usual, **(kind or {}), **settings})
    losses = {"cross_entropy": LABELS, "binary_cross_entropy": (Y + 1) / 2}
    return net, losses.get(net.loss, Y) if isinstance(net.loss, str) else Y


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_training_loss_has_the_bits_of_the_gradients(maker, kind, weighted, dtype):
    net, y = make(kind, maker, dtype=dtype)
    weight = np.arange(40) % 3 * 1.0 if weighted else None
    net.train_step(X, y, weight)  # what is random is not that of the first mini-batch
    batch = checked_batch(net.learner, X, y, weight)
    before, gradients = pickle.dumps(net), net.gradients(X, y, weight)
    moments = net.learner.new_moments()
    assert net.learner.training_loss(batch, moments) == gradients.loss
    assert net.learner.training_loss(batch) == gradients.loss
    if moments is not None:
        assert moments.tobytes() == gradients.moments.tobytes()
    assert pickle.dumps(net) == before


@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_training_loss_of_a_wide_net(n_threads):
    net = bp.Network([300, 400, 300], dropout=0.5, rng=0, n_threads=n_threads)
    rows = rng.normal(size=(200, 300)).astype("float32")
    loss = net.learner.training_loss(checked_batch(net.learner, rows, rows, None))
    assert loss == net.gradients(rows, rows).loss
    assert loss != net.evaluate(rows, rows)


def test_a_custom_loss_that_raises():
    calls = []

    def loss(a, y):
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError("mine")
        return fourth_powers(a, y)

    net, y = make({"loss": loss})
    batch = checked_batch(net.learner, X, y, None)
    net.learner.training_loss(batch)
    with pytest.raises(ZeroDivisionError, match="mine"):
        net.learner.training_loss(batch)
    assert np.isfinite(net.learner.training_loss(batch))


# --- the report of check_gradients ----------------------------------------------------


def test_the_worst_parameter_is_named():
    """A loss whose derivative by one output is wrong: that output's largest weight."""

    def wrong(a, y):
        E, d = fourth_powers(a, y)
        d[:, 1] *= 1.01
        return E, d

    net = bp.Network([4, 3, 2], activation="tanh", dtype="float64", loss=wrong, rng=0)
    net.weights[1][:, 1] = 0  # so nothing but W[1] and b[1] learns of it
    worst = bp.check_gradients(net, X, Y).worst
    grads = net.gradients(X, Y)
    i = int(np.abs(grads.weights[1][:, 1]).argmax())
    share_of_W = np.abs(grads.weights[1][i, 1]) / np.abs(grads.weights[1]).max()
    share_of_b = np.abs(grads.biases[1][1]) / np.abs(grads.biases[1]).max()
    expected = f"W[1][{i}, 1]" if share_of_W > share_of_b else "b[1][1]"
    assert worst.name == expected
    assert worst.backpropagation == pytest.approx(1.01 * worst.numerical, rel=1e-6)


@pytest.mark.parametrize(
    "array, at, name",
    [
        (lambda grads: grads.weights[1], (3, 1), "W[1][3, 1]"),
        (lambda grads: grads.biases[0], (5,), "b[0][5]"),
        (lambda grads: grads.gains[0], (2,), "gain[0][2]"),
        (lambda grads: grads.input, (7, 0), "X[7, 0]"),
    ],
)
@pytest.mark.parametrize("value", [10.0, np.nan])
def test_a_planted_error_is_named(monkeypatch, array, at, name, value):
    net, y = make({"norm": "layer"}, dtype="float64")
    right = net.gradients

    def wrong(*batch):
        grads = right(*batch)
        array(grads)[at] += value
        return grads

    exact = array(right(X, y))[at]
    monkeypatch.setattr(net, "gradients", wrong, raising=False)
    check = bp.check_gradients(net, X, y)
    worst = check.worst
    assert worst.name == name and worst.numerical == pytest.approx(exact, rel=1e-5)
    assert worst.backpropagation == pytest.approx(exact + value, nan_ok=True)
    assert check.largest == pytest.approx(worst.error, nan_ok=True)
    assert not worst.error < 0.5
    assert f"worst: {name}, off by" in repr(check)
    assert f"{worst.numerical:.12e}" in repr(check)


def test_a_check_of_nothing():
    net = bp.Network([2, 1], init="zeros", dtype="float64")
    check = bp.check_gradients(net, np.zeros((3, 2)), np.zeros((3, 1)))
    assert check.worst is None and check.largest == 0 and check.errors == {}
    assert check.zero == ("W[0]", "b[0]", "X") and "worst" not in repr(check)


def test_a_check_of_a_loss_that_is_not_finite():
    net = bp.Network([2, 1], loss=lambda a, y: (a[:, 0] / 0, a), rng=0)
    with (
        np.errstate(divide="ignore", invalid="ignore"),
        pytest.raises(bp.DivergenceError, match="not finite"),
    ):
        bp.check_gradients(net, np.ones((3, 2)), np.ones((3, 1)))


def test_a_check_leaves_the_network_alone():
    net, y = make({"norm": "batch", "dropout": 0.2})
    net.fit(X, y, epochs=1, **QUIET)
    before = pickle.dumps(net)
    assert bp.check_gradients(net, X, y).largest < 1e-4
    assert pickle.dumps(net) == before


# --- fit(gradient="numerical") --------------------------------------------------------

CLOSE = {"float32": 1e-5, "float64": 1e-7}

OPTIMIZERS = [
    bp.SGD(0.1),
    bp.SGD(0.05, momentum=0.9, nesterov=True),
    bp.SGD(0.1, clip_norm=0.1),
    bp.SGD(0.1, clip_value=0.05),
    bp.SGD(0.1, max_norm=1.0),
    bp.SGD(schedules.Exponential(0.1, 0.9, per="step")),
    bp.SGD(schedules.StepDecay(0.1, every=1, factor=0.5)),
    bp.SGD(schedules.ReduceOnPlateau(0.1, factor=0.5, patience=0)),
    bp.Momentum(0.05, 0.9),
    bp.RMSprop(0.01),
    bp.Adagrad(0.01),
    bp.Adam(0.01),
    bp.AdamW(0.01, biases={"weight_decay": 0.0}),
    bp.Nadam(0.01),
    bp.Lion(0.001),
]


def both(kind=None, maker=bp.Network, prepare=None, fit=None, **settings):
    """The same network fitted either way, and both histories."""
    nets, histories = [], []
    for gradient in ("backpropagation", "numerical"):
        net, y = make(kind, maker, **settings)
        if prepare is not None:
            prepare(net)
        how = {"epochs": 3, "batch_size": 16, **(fit or {})}
        histories.append(net.fit(X, y, gradient=gradient, **how, **QUIET))
        nets.append(net)
    return nets, histories


def assert_alike(nets, histories):
    close = CLOSE[nets[0].dtype.name]
    begun = make()[0].parameters
    if nets[0].parameters.shape == begun.shape:
        assert np.abs(nets[0].parameters - begun).max() > 100 * close
    for name in ("parameters", "moments", "optimizer_arrays"):
        arrays = [getattr(net.learner.state, name) for net in nets]
        if arrays[0] is not None:
            np.testing.assert_allclose(*arrays, atol=close, rtol=close)
    for quantity in ("loss", "lr"):
        one, other = (history[quantity] for history in histories)
        np.testing.assert_allclose(one, other, rtol=10 * close)
    counts = [
        (net.learner.state.steps, net.learner.state.seen, net.learner.state.epochs)
        for net in nets
    ]
    assert counts[0] == counts[1]
    assert nets[0].lr == nets[1].lr


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_both_gradients_reach_the_same_weights(optimizer, dtype):
    assert_alike(*both(optimizer=optimizer, dtype=dtype))


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_both_gradients_reach_the_same_weights_in_every_kind_of_network(
    maker, kind, dtype
):
    assert_alike(*both(kind, maker, dtype=dtype))


def test_rprop_takes_all_of_the_data():
    assert_alike(*both(optimizer=bp.Rprop(), fit={"batch_size": None}))


WEIGHT = np.arange(40) % 4 * 0.5


@pytest.mark.parametrize(
    "fit",
    [
        {"shuffle": False},
        {"sample_weight": WEIGHT},
        {"sample_weight": np.repeat([0.0, 1.0], 20), "shuffle": False},
        {"validation": 0.25, "metrics": "mae", "monitor": "mae", "patience": 2},
        {"restore_best": True, "epochs": 5},
    ],
    ids=str,
)
def test_what_fit_offers_beside(fit):
    nets, histories = both(fit=fit, dtype="float64")
    assert_alike(nets, histories)
    assert list(histories[0].to_dict()) == list(histories[1].to_dict())
    assert histories[0].stopped == histories[1].stopped


def test_class_weights():
    assert_alike(
        *both(
            {"loss": "cross_entropy"}, fit={"class_weight": {0: 3.0}}, dtype="float64"
        )
    )


def test_callbacks_are_called_alike():
    seen = []

    def after_batch(net, epoch, batch, loss):
        seen[-1].append((epoch, batch, round(loss, 6)))
        return (epoch, batch) == (2, 2)

    def prepare(net):
        seen.append([])

    fit = {"batch_callbacks": [after_batch]}
    nets, histories = both(prepare=prepare, fit=fit, dtype="float64")
    assert_alike(nets, histories)
    assert seen[0] == seen[1] and len(seen[0]) == 5
    assert histories[1].stopped == "callback" and len(histories[1]) == 2


def test_a_callback_that_freezes_and_changes_the_optimizer():
    def meddle(net, history):
        net.frozen = [True, False]
        net.optimizer = bp.Adam(0.01)

    assert_alike(*both(fit={"callbacks": [meddle]}, dtype="float64"))


def test_mini_batches_from_an_iterable():
    nets = [make(dtype="float64")[0] for _ in range(2)]
    stream = [(X[:15], Y[:15]), (X[15:], Y[15:], np.arange(25.0))]
    histories = [
        net.fit(stream, epochs=3, gradient=gradient, **QUIET)
        for net, gradient in zip(nets, ("backpropagation", "numerical"), strict=True)
    ]
    assert_alike(nets, histories)


@pytest.mark.parametrize("clip_norm", [None, 0.1])
@pytest.mark.parametrize("how", ["frozen", "lr_factors"])
def test_frozen_layers_are_not_differentiated(how, clip_norm):
    evaluations = []

    def loss(a, y):
        evaluations.append(1)
        return 0.5 * ((a - y) ** 2).sum(axis=1), a - y

    def prepare(net):
        evaluations.clear()
        setattr(net, how, [True, False] if how == "frozen" else [0.0, 2.0])

    nets, histories = both(
        {"loss": loss, "norm": "batch", "optimizer": bp.SGD(0.1, clip_norm=clip_norm)},
        prepare=prepare,
        fit={"epochs": 1, "batch_size": 40},
        dtype="float64",
    )
    assert_alike(nets, histories)
    assert len(evaluations) == 1 + 2 * (6 * 2 + 2)
    fresh = make({"norm": "batch"})[0]
    np.testing.assert_allclose(nets[1].weights[0], fresh.weights[0], rtol=1e-6)
    assert np.array_equal(nets[1].running_moments[0], fresh.running_moments[0])


def test_all_layers_frozen():
    def freeze(net):
        net.frozen = [True, True]

    nets, _ = both(prepare=freeze)
    assert nets[1].parameters.tobytes() == make()[0].parameters.tobytes()
    assert nets[0].learner.state.steps == nets[1].learner.state.steps == 9


def test_a_second_fit_goes_on():
    once, y = make({"dropout": 0.2})
    twice, _ = make({"dropout": 0.2})
    how = {"batch_size": 16, "gradient": "numerical", **QUIET}
    once.fit(X, y, epochs=2, **how)
    for _ in range(2):
        twice.fit(X, y, epochs=1, **how)
    assert once.parameters.tobytes() == twice.parameters.tobytes()


def test_either_way_may_follow_the_other():
    nets = [make(dtype="float64")[0] for _ in range(2)]
    ways = ("backpropagation", "numerical")
    for net, order in zip(nets, (ways, ways[::-1]), strict=True):
        for gradient in order:
            net.fit(X, Y, epochs=2, gradient=gradient, **QUIET)
    np.testing.assert_allclose(*(net.parameters for net in nets), atol=1e-8)


def test_many_networks():
    nets = [make(rng=seed, dtype="float64")[0] for seed in range(3)]
    fitted = bp.fit_many(nets, X, Y, epochs=2, gradient="numerical", n_threads=2)
    for seed, one in enumerate(fitted):
        alone = make(rng=seed, dtype="float64")[0]
        alone.fit(X, Y, epochs=2, gradient="numerical", **QUIET)
        assert alone.parameters.tobytes() == one.network.parameters.tobytes()


def test_divergence():
    def loud(net, epoch, batch, loss):
        if epoch == 2:
            net.parameters[0] = np.inf

    net, y = make()
    net.fit(X, y, epochs=1, gradient="numerical", **QUIET)
    kept = []
    with pytest.raises(bp.DivergenceError, match="in epoch 2, mini-batch 2") as caught:
        net.fit(
            X,
            y,
            epochs=3,
            batch_size=16,
            gradient="numerical",
            callbacks=[lambda net, history: kept.append(net.parameters.copy())],
            batch_callbacks=[loud],
            **QUIET,
        )
    assert (caught.value.epoch, caught.value.batch) == (2, 2)
    assert net.parameters.tobytes() == kept[0].tobytes()


def test_steps_that_are_too_large():
    net, y = make(optimizer=bp.SGD(1e38))
    with pytest.raises(bp.DivergenceError, match=r"(in|after) epoch 1"):
        net.fit(X, y, epochs=5, gradient="numerical", **QUIET)
    assert net.parameters.tobytes() == make()[0].parameters.tobytes()


def test_an_interrupt_leaves_whole_steps():
    """It comes amid the differences of the third mini-batch."""
    calls = []

    def loss(a, y):
        calls.append(1)
        if len(calls) == interrupted_at:
            raise KeyboardInterrupt
        return fourth_powers(a, y)

    kind = {"loss": loss, "optimizer": bp.SGD(1e-3, momentum=0.9)}
    interrupted_at = 2 * (1 + 2 * 44) + 30
    net, y = make(kind)
    how = {"batch_size": 8, "shuffle": False, "gradient": "numerical", **QUIET}
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y, epochs=2, **how)
    interrupted_at = None
    twin, _ = make(kind)
    twin.fit(X[:16], y[:16], epochs=1, **how)
    assert net.parameters.tobytes() == twin.parameters.tobytes()
    assert net.learner.state.steps == 2
    net.fit(X, y, epochs=1, **how)  # it is not locked


@pytest.mark.parametrize(
    "settings, fit, message",
    [
        ({}, {"gradient": "numeric"}, "gradient must be one of .*mean 'numerical'"),
        ({}, {"gradient": True}, "gradient must be one of backpropagation, numerical"),
        ({}, {"accumulate": 2}, "accumulate=2: every mini-batch makes a step"),
        ({"optimizer": bp.LBFGS()}, {}, "gradient='numerical' cannot .* LBFGS"),
    ],
)
def test_what_fit_refuses(settings, fit, message):
    net, y = make(**settings)
    before = pickle.dumps(net)
    with pytest.raises(ValueError, match=message):
        net.fit(X, y, **{"gradient": "numerical", **fit}, **QUIET)
    assert pickle.dumps(net) == before


def test_a_step_beyond_all_numbers():
    with pytest.raises(ValueError, match="must stay finite"):
        bp.numerical_gradient(lambda x: x[0], [0.0], eps=1e308)
