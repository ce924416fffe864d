"""Everything that training may be told: does it do so, and to the last bit?"""

import copy
import hashlib
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.engine import dispatch
from helpers import trained

FUSED = [isa for isa in dispatch.available if isa != "x86_64_v2"]
QUIET = {"progress": False}
SIZES = (7, 19, 33, 4)
rng = np.random.default_rng(0)
X = rng.normal(size=(50, 7)).astype("float32")
LABELS = rng.integers(0, 4, 50)

#: Each with a rate at which it learns, and every option at least once.
OPTIMIZERS = [
    bp.SGD(0.05),
    bp.SGD(0.05, l1=1e-3, weight_decay=1e-3),
    bp.SGD(0.05, momentum=0.9, dampening=0.5),
    bp.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-2, decoupled=True),
    bp.SGD(0.05, momentum=0.9, clip_value=1e-3),
    bp.SGD(0.05, momentum=0.9, clip_norm=1e-2),
    bp.SGD(0.05, max_norm=0.8),
    bp.SGD(0.05, biases={"momentum": 0.5, "lr_factor": 2.0}),
    bp.Momentum(0.05),
    bp.RMSprop(1e-3, momentum=0.5, centered=True),
    bp.RMSprop(1e-3),
    bp.Adagrad(1e-2, lr_decay=1e-3, initial_accumulator=0.1),
    bp.Adam(1e-2, weight_decay=1e-2, biases={"weight_decay": 0.0}),
    bp.AdamW(1e-2, l1=1e-3),
    bp.AMSGrad(1e-2),
    bp.Nadam(1e-2),
    bp.Adamax(1e-2),
    bp.RAdam(1e-2, decoupled=True, weight_decay=0.1),
    bp.Lion(1e-3, weight_decay=0.1),
    bp.Rprop(1e-2),
]

#: What a network may be made of, beside sizes and activations.
OPTIONS = [
    {"dropout": 0.3},
    {"norm": "batch"},
    {"norm": "layer"},
    {"input_noise": 0.2},
    {"norm": ["batch", "layer"], "dropout": [0.2, 0.4], "input_noise": 0.1},
]

#: Rates that change by the step, by the epoch, and by what comes of it.
RATES = [
    schedules.OneCycle(0.05, 40),
    schedules.CosineRestarts(0.05, 3),
    schedules.WarmUp(schedules.Exponential(0.05, 0.5, per="step"), 3, start=0.1),
    schedules.ReduceOnPlateau(0.05, patience=0, min_delta=0.5),
    schedules.WarmUp(schedules.ReduceOnPlateau(0.05, patience=0), 2, start=0.5),
    schedules.Custom(lambda epoch: 0.05 / (1 + epoch)),
]

each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
each_option = pytest.mark.parametrize("options", OPTIONS, ids=str)
each_library = pytest.mark.parametrize(
    "Network", [bp.Network, bp.reference.Network], ids=["compiled", "reference"]
)


def make(Network=bp.Network, **settings):
    settings = {"activation": ["gelu", "relu"], "loss": "cross_entropy", **settings}
    return Network(SIZES, rng=0, **settings)


def batch_size(optimizer):
    return None if optimizer.full_batch else 16


# --- one arithmetic, whatever the way -------------------------------------------------


@each_library
@each_option
@each_optimizer
def test_fused_equals_stored(Network, optimizer, options):
    fused, stored = (make(Network, optimizer=optimizer, **options) for _ in range(2))
    for first in (0, 16, 32):
        rows = slice(first, first + 16)
        loss = fused.train_step(X[rows], LABELS[rows])
        gradients = stored.gradients(X[rows], LABELS[rows])
        stored.apply(gradients)
        assert loss == gradients.loss
    assert trained(fused) == trained(stored)


@each_option
@each_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_build_and_any_number_of_threads(optimizer, options, dtype):
    results = set()
    for isa in FUSED:
        for n_threads in (1, 2, 3):
            settings = {"dtype": dtype, "n_threads": n_threads, **options}
            with dispatch.using(isa):
                net = make(optimizer=optimizer, **settings)
            # However little there is to do.
            net.learner.engine.use_threads(n_threads, 1)
            history = net.fit(
                X, LABELS, epochs=2, batch_size=batch_size(optimizer), **QUIET
            )
            outputs = net.predict(X).tobytes(), history.loss.tobytes()
            results.add((trained(net), *outputs))
    assert len(results) == 1


@each_option
@each_optimizer
def test_the_reference_agrees(optimizer, options):
    fast, plain = (
        make(Network, optimizer=optimizer, dtype="float64", **options)
        for Network in (bp.Network, bp.reference.Network)
    )
    for net in (fast, plain):
        net.history = net.fit(
            X, LABELS, epochs=3, batch_size=batch_size(optimizer), **QUIET
        )
    # Noise is drawn by another quantile function, and signs turn small into large.
    noisy = fast.input_noise > 0
    if noisy and isinstance(optimizer, bp.Lion | bp.Rprop):
        pytest.skip("a sign of what is nearly 0 may be either")
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if noisy else {"rtol": 1e-8, "atol": 1e-10}
    np.testing.assert_allclose(fast.parameters, plain.parameters, **tolerance)
    np.testing.assert_allclose(fast.history.loss, plain.history.loss, **tolerance)
    np.testing.assert_allclose(fast.predict(X), plain.predict(X), **tolerance)


# --- going on -------------------------------------------------------------------------


@each_library
@pytest.mark.parametrize("lr", RATES, ids=str)
@each_option
def test_epochs_continue(Network, options, lr):
    """5 epochs are 2 and then 3, for every schedule, with everything that is random."""
    if Network is bp.reference.Network and "input_noise" in options:
        pytest.skip("slow, and the same code")
    whole, parts = (make(Network, optimizer=bp.Adam(lr), **options) for _ in range(2))
    settings = {"batch_size": 16, "validation": (X, LABELS), **QUIET}
    history = whole.fit(X, LABELS, epochs=5, **settings)
    first = parts.fit(X, LABELS, epochs=2, **settings)
    parts = pickle.loads(pickle.dumps(parts)) if "lambda" not in str(lr) else parts
    then = parts.fit(X, LABELS, epochs=3, **settings)
    assert trained(whole) == trained(parts)
    for name in ("loss", "validation_loss", "lr"):
        assert np.array_equal(history[name], [*first[name], *then[name]])


@each_optimizer
def test_a_copy_goes_on_alike(optimizer):
    net = make(optimizer=optimizer, norm="batch", dropout=0.2)
    net.fit(X, LABELS, epochs=2, batch_size=batch_size(optimizer), **QUIET)
    twin = copy.deepcopy(net)
    for each in (net, twin):
        each.fit(X, LABELS, epochs=2, batch_size=batch_size(optimizer), **QUIET)
    assert trained(net) == trained(twin)


def test_schedules_reach_every_step():
    """By the step within an epoch, and by train_step, learn_one and apply alike."""
    lr = schedules.Exponential(0.5, 0.9, per="step")
    nets = [make(optimizer=bp.SGD(lr)) for _ in range(4)]
    nets[0].fit(X, LABELS, epochs=1, batch_size=1, shuffle=False, **QUIET)
    for x, label in zip(X, LABELS, strict=True):
        nets[1].train_step(x[None], [label])
        nets[2].learn_one(x, label)
        nets[3].apply(nets[3].gradients(x[None], [label]))
    for net in nets:
        net.learner.state.epochs = 0  # counted by fit alone
    assert len({trained(net) for net in nets}) == 1
    assert nets[0].lr == pytest.approx(0.5 * 0.9**50)


def test_a_schedule_by_the_epoch():
    net = make(optimizer=bp.SGD(schedules.StepDecay(0.1, 2, factor=0.5)))
    history = net.fit(X, LABELS, epochs=5, **QUIET)
    assert history.lr.tolist() == [0.1, 0.1, 0.05, 0.05, 0.025]
    net.optimizer = bp.SGD(schedules.StepDecay(0.2, 2, factor=0.5))
    assert net.lr == 0.2  # another schedule begins at its beginning
    net.optimizer = bp.SGD(0.3)
    assert net.fit(X, LABELS, epochs=1, **QUIET).lr.tolist() == [0.3]


def test_reduce_on_plateau_follows_what_it_is_told():
    lr = schedules.ReduceOnPlateau(0.1, patience=0, monitor="accuracy", mode="max")
    net = make(optimizer=bp.SGD(lr), init="zeros")
    history = net.fit(np.zeros_like(X), LABELS, epochs=3, metrics="accuracy", **QUIET)
    # Zeros teach the biases alone: the accuracy is that of one class from the first on.
    assert history.lr.tolist() == [0.1, 0.1, pytest.approx(0.01)]


def watched(net, history):
    """A callback that does nothing, but keeps fit from running many epochs at once."""


@each_option
@each_optimizer
def test_epochs_that_nobody_watches(optimizer, options):
    """They run in one go: the same bits, and the same history."""
    nets = [make(optimizer=optimizer, **options) for _ in range(2)]
    histories = [
        net.fit(
            X,
            LABELS,
            epochs=5,
            batch_size=batch_size(optimizer),
            accumulate=1 if optimizer.full_batch else 2,
            callbacks=callbacks,
            **QUIET,
        )
        for net, callbacks in zip(nets, ([], [watched]), strict=True)
    ]
    assert trained(nets[0]) == trained(nets[1])
    for name in ("loss", "lr"):
        assert np.array_equal(*(history[name] for history in histories))
    assert histories[0].best_epoch == histories[1].best_epoch
    assert len(histories[0].seconds) == 5 and (histories[0].seconds > 0).all()


@pytest.mark.parametrize("lr", RATES, ids=str)
def test_schedules_that_nobody_watches(lr):
    nets = [make(optimizer=bp.SGD(lr, momentum=0.9)) for _ in range(2)]
    histories = [
        net.fit(X, LABELS, epochs=6, callbacks=callbacks, **QUIET)
        for net, callbacks in zip(nets, ([], [watched]), strict=True)
    ]
    assert trained(nets[0]) == trained(nets[1]) and nets[0].lr == nets[1].lr
    assert np.array_equal(*(history.lr for history in histories))


@pytest.mark.parametrize("seconds", [0.0, 10.0])
@pytest.mark.parametrize("lr, batch", [(3.0, True), (1e38, False)])
def test_divergence_that_nobody_watches(monkeypatch, seconds, lr, batch):
    """The same epoch, batch and message; network and random stream as before it."""
    monkeypatch.setattr(bp.interrupts, "SLICE", seconds)
    results = []
    for callbacks in ([], [watched]):
        net = bp.Network([7, 4], optimizer=bp.SGD(lr, momentum=0.9), rng=0)
        # Of one mini-batch with large numbers only the parameters tell.
        rows, size = (X, 8) if batch else (100 * X, 50)
        options = {"epochs": 999, "batch_size": size, "callbacks": callbacks, **QUIET}
        with pytest.raises(bp.DivergenceError) as caught:
            net.fit(rows, X[:, :4], **options)
        error = caught.value
        assert (error.batch is not None) == batch
        results.append((str(error), error.epoch, error.batch, trained(net)))
    assert results[0] == results[1]


# --- what acts on steps ---------------------------------------------------------------


def step(**settings):
    """Parameters before and after one step on all rows, and the gradient between."""
    lr_factors = settings.pop("lr_factors", None)
    net = make(dtype="float64", **settings)
    if lr_factors:
        net.lr_factors = lr_factors
    before = net.parameters.copy()
    gradients = net.gradients(X, LABELS)
    net.train_step(X, LABELS)
    return net, before, gradients


def test_layers_learn_at_their_own_rates():
    net, before, gradients = step(optimizer=bp.SGD(0.1), lr_factors=[0.0, 0.5, 2.0])
    change = net.learner.design.layout.views(net.parameters - before)
    for l, factor in enumerate([0.0, 0.5, 2.0]):
        for kind in ("weights", "biases"):
            expected = -0.1 * factor * getattr(gradients, kind)[l]
            np.testing.assert_allclose(getattr(change, kind)[l], expected, atol=1e-15)


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


def test_penalties_act_on_weights_alone_if_told_so():
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


# --- divergence -----------------------------------------------------------------------


def blows_up(optimizer):
    """The same settings at a rate that no network survives."""
    return optimizer.replace(lr=1e38, max_norm=None, clip_norm=None, clip_value=None)


@each_library
@each_optimizer
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_optimizer_that_diverges_tells(Network, optimizer):
    settings = {"loss": "squared_error", "activation": "relu", "output": "identity"}
    net = make(Network, optimizer=optimizer, **settings)
    y = rng.normal(size=(50, 4))
    net.fit(X, y, epochs=2, batch_size=batch_size(optimizer), **QUIET)
    most = {"most": 1e38} if isinstance(optimizer, bp.Rprop) else {}
    net.optimizer = blows_up(optimizer).replace(**most)
    if isinstance(optimizer, bp.Rprop):
        net.learner.state.optimizer_arrays[1] = 1e38  # its rate is the first step only
    before = trained(net)
    with pytest.raises(bp.DivergenceError, match="not finite") as caught:
        net.fit(
            1e3 * X,
            y,
            epochs=9,
            batch_size=batch_size(optimizer),
            shuffle=False,
            **QUIET,
        )
    assert caught.value.epoch is not None
    if caught.value.epoch == 1:
        assert trained(net) == before
    assert np.isfinite(net.parameters).all()
    with pytest.raises(bp.DivergenceError):
        for _ in range(9):
            net.train_step(1e3 * X, y)


def test_lbfgs_that_cannot_begin_tells():
    pytest.importorskip("scipy")
    net = bp.Network([7, 2], optimizer=bp.LBFGS(), rng=0)
    net.weights[0][...] = 1e38
    before = trained(net)
    with pytest.raises(bp.DivergenceError, match="not finite before epoch 1"):
        net.fit(X, np.zeros((50, 2)), epochs=2, **QUIET)
    assert trained(net) == before


# --- L-BFGS ---------------------------------------------------------------------------


@each_library
def test_lbfgs_solves_least_squares(Network):
    pytest.importorskip("scipy")
    A = np.c_[X.astype("float64"), np.ones(50)]
    y = rng.normal(size=(50, 3))
    best = np.linalg.lstsq(A, y, rcond=None)[0]
    net = Network([7, 3], optimizer=bp.LBFGS(tolerance=1e-10), dtype="float64", rng=0)
    history = net.fit(X, y, epochs=200, **QUIET)
    np.testing.assert_allclose(net.weights[0], best[:-1], atol=1e-7)
    np.testing.assert_allclose(net.biases[0], best[-1], atol=1e-7)
    assert history.stopped == "converged" and len(history) < 200
    assert (np.diff(history.loss) <= 1e-12).all()
    assert net.evaluate(X, y) <= history.loss[-1]


def test_lbfgs_with_weight_decay_and_frozen_layers():
    pytest.importorskip("scipy")
    y = rng.normal(size=(50, 3))
    optimizer = bp.LBFGS(weight_decay=0.3, biases={"weight_decay": 0.0}, tolerance=1e-9)
    net = bp.Network([7, 3], optimizer=optimizer, dtype="float64", rng=0)
    net.fit(X, y, epochs=200, **QUIET)
    gradients = net.gradients(X, y)
    np.testing.assert_allclose(gradients.weights[0], -0.3 * net.weights[0], atol=1e-7)
    np.testing.assert_allclose(gradients.biases[0], 0, atol=1e-7)
    deep = make(optimizer=bp.LBFGS())
    deep.frozen = [True, False, False]
    before = deep.weights[0].copy()
    history = deep.fit(X, LABELS, epochs=10, metrics="accuracy", **QUIET)
    assert np.array_equal(deep.weights[0], before)
    assert history.loss[-1] < history.loss[0] and len(history["accuracy"]) == 10


def test_lbfgs_stops_when_told():
    pytest.importorskip("scipy")
    net = make(optimizer=bp.LBFGS())
    history = net.fit(
        X, LABELS, epochs=50, callbacks=[lambda net, h: len(h) == 3], **QUIET
    )
    assert len(history) == 3 and history.stopped == "callback"


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


# --- the same bits on every machine ---------------------------------------------------


@pytest.mark.parametrize(
    "dtype, digest", [("float32", "e524326a188c5e3f"), ("float64", "ac3e995cdd3e3106")]
)
def test_every_machine(dtype, digest):
    """Bits recorded once, of every optimizer, option, schedule and activation."""
    if bp.kernels.in_use() == "x86_64_v2":
        pytest.skip("x86_64_v2 has no fused multiply-add: its bits may differ")
    # Integers over a power of two: the same numbers without a random generator.
    rows = (np.arange(50 * 7).reshape(50, 7) * 37 % 101 - 50) / 64
    labels = np.arange(50) * 7 % 4
    found = hashlib.sha256()
    settings = [{"optimizer": optimizer} for optimizer in OPTIMIZERS]
    settings += [{**options, "optimizer": bp.Adam(0.01)} for options in OPTIONS]
    settings += [{"optimizer": bp.SGD(lr, momentum=0.5)} for lr in RATES]
    settings += [
        {"activation": [f, "tanh"]}
        for f, known in bp.ACTIVATIONS.items()
        if known.trains
    ]
    for each in settings:
        net = make(dtype=dtype, **each)
        size = batch_size(net.optimizer)
        history = net.fit(
            rows, labels, epochs=3, batch_size=size, validation=(rows, labels), **QUIET
        )
        for array in (net.parameters, history.validation_loss, net.predict(rows)):
            found.update(array.tobytes())
    names = ["huber", "quantile", "log_cosh", "mean_absolute_error", "poisson"]
    for loss in [*names, bp.CrossEntropy(0.1), "kl_divergence"]:
        net = make(dtype=dtype, loss=loss)
        net.fit(rows, np.eye(4)[labels], epochs=3, **QUIET)
        found.update(net.parameters.tobytes())
    assert found.hexdigest()[:16] == digest
