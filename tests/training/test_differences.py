"""fit(gradient="numerical"): the loss of training, and training by its differences."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.training.inputs import checked_batch
from helpers import each_library, fourth_powers, short
from helpers.numerical import X, Y, make, rng

QUIET = {"progress": False}


# --- the loss of training -------------------------------------------------------------

KINDS = [
    {},
    {"activation": "gelu", "output": "tanh"},
    {"loss": "cross_entropy"},
    {"loss": "binary_cross_entropy"},
    {"loss": fourth_powers, "optimizer": bp.SGD(1e-3)},
    {"dropout": 0.3},
    {"input_noise": 0.3},
    {"input_noise": 0.3, "input_scale": 2.0},
    {"norm": "layer"},
    {"norm": "batch"},
    {"norm": "batch", "dropout": 0.2, "input_noise": 0.1},
]


@each_library
@pytest.mark.parametrize("kind", KINDS, ids=short)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_training_loss_has_the_bits_of_the_gradients(
    Network, kind, weighted, dtype
):
    net, y = make(kind, Network, dtype=dtype)
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


@each_library
@pytest.mark.parametrize("kind", KINDS, ids=short)
def test_both_gradients_reach_the_same_weights_in_every_kind_of_network(
    Network, kind, dtype
):
    assert_alike(*both(kind, Network, dtype=dtype))


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


def test_weights_of_rate_0_are_differentiated():
    """Their gradient is part of the optimizer's arrays."""

    def prepare(net):
        net.lr_factors = [(0.0, 2.0), (0.5, 0.0)]

    nets, histories = both({"optimizer": bp.Adam(0.01)}, prepare=prepare)
    assert_alike(nets, histories)
    assert nets[1].learner.state.optimizer_rows()["mean"].all()


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
    """The interrupt comes in the third mini-batch."""
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
