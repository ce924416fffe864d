"""Callbacks, custom losses and interrupts that change the network during a fit."""

import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(64, 5)).astype("float32")
Y = (X[:, :2] * 2 + 1).astype("float32")


def make(**settings):
    settings = {"optimizer": bp.SGD(0.01, momentum=0.9), "rng": 0, **settings}
    return bp.Network([5, 8, 2], **settings)


# --- the optimizer --------------------------------------------------------------------


def test_a_schedule_goes_on_with_another_optimizer():
    lr = schedules.Exponential(0.1, 0.9, per="step")
    net = make(optimizer=bp.SGD(0.1))
    net.fit(X, Y, epochs=3, **QUIET)
    net.optimizer = bp.SGD(lr)
    net.fit(X, Y, epochs=1, **QUIET)
    before = net.lr
    net.optimizer = net.optimizer.replace(momentum=0.9)  # another state, the same rate
    assert net.lr == before < 0.1
    net.train_step(X, Y)
    assert net.lr == pytest.approx(0.9 * before)
    net.optimizer = bp.Adam(schedules.Exponential(0.1, 0.9, per="step"))
    assert net.lr == 0.1  # another schedule begins


def test_a_rate_set_within_an_epoch_holds_at_once():
    net = make(optimizer=bp.SGD(schedules.OneCycle(0.1, 100)))
    kept = []

    def stop_learning(net, epoch, batch, loss):
        if batch == 2:
            net.optimizer = bp.SGD(0.0)
        kept.append(net.parameters.copy())

    net.fit(X, Y, epochs=1, batch_size=8, batch_callbacks=[stop_learning], **QUIET)
    assert all(np.array_equal(kept[1], later) for later in kept[2:])
    assert not np.array_equal(kept[0], kept[1]) and net.lr == 0.0


def test_steps_within_a_callback_use_the_schedule():
    """No rate is read beyond the last one, however many steps are made."""
    net = make(optimizer=bp.SGD(schedules.Exponential(0.05, 0.9, per="step")))
    rates = []

    def more(net, epoch, batch, loss):
        net.train_step(X[:8], Y[:8])
        rates.append(net.lr)

    net.fit(X, Y, epochs=1, batch_size=4, batch_callbacks=[more], **QUIET)
    np.testing.assert_allclose(rates, 0.05 * 0.9 ** np.arange(2, 33, 2))


@pytest.mark.parametrize("large", [False, True])
def test_divergence_after_another_optimizer(monkeypatch, large):
    """The network has its former optimizer again, with its state."""
    if large:
        monkeypatch.setattr("bpcore.model.snapshot.IN_MEMORY", 1)
    net = make()
    net.fit(X, Y, epochs=1, **QUIET)
    before = pickle.dumps(
        (net.parameters, net.learner.state.optimizer_arrays, net.learner.state.steps)
    )

    def spoil(net, epoch, batch, loss):
        if batch == 2:
            net.optimizer = bp.RMSprop(1e30, momentum=0.9)

    with pytest.raises(bp.DivergenceError):
        net.fit(X, Y, epochs=9, batch_size=8, batch_callbacks=[spoil], **QUIET)
    assert net.optimizer == bp.SGD(0.01, momentum=0.9)
    assert (
        pickle.dumps(
            (
                net.parameters,
                net.learner.state.optimizer_arrays,
                net.learner.state.steps,
            )
        )
        == before
    )
    net.fit(X, Y, epochs=1, **QUIET)


def test_the_best_epoch_of_another_optimizer():
    net, kept = make(), []

    def change(net, history):
        kept.append(net.parameters.copy())
        if len(history) == 1:
            net.optimizer = bp.Adam(0.5)

    net.fit(
        X, Y, epochs=4, restore_best=True, monitor="loss", callbacks=[change], **QUIET
    )
    assert any(np.array_equal(net.parameters, each) for each in kept)
    assert isinstance(net.optimizer, bp.Adam)
    assert np.isfinite(net.fit(X, Y, epochs=2, **QUIET).loss).all()


@pytest.mark.parametrize(
    "optimizer", [bp.Rprop(0.01, biases={"lr_factor": 0.0}), bp.Rprop(0.01)], ids=str
)
def test_rates_of_rprop(optimizer):
    net = make(optimizer=optimizer)
    net.lr_factors = [1.0, 0.01]
    before = [b.copy() for b in net.biases], net.weights[1].copy()
    net.fit(X, Y, epochs=1, **QUIET)
    still = bool(optimizer.biases)
    for b, old in zip(net.biases, before[0], strict=True):
        assert np.array_equal(b, old) == still
    change = abs(net.weights[1] - before[1]).max()
    assert change == pytest.approx(1e-4, rel=0.01)


# --- accumulated mini-batches ---------------------------------------------------------


def meddle(kind):
    def callback(net, epoch, batch, loss):
        if kind == "factors":
            net.lr_factors = [1.0, 1.0]
        elif kind == "step":
            net.train_step(X[:8], Y[:8])
        elif kind == "predict":
            net.predict(np.zeros((500, 5)))

    return callback


@pytest.mark.parametrize("kind", ["factors", "predict"])
def test_gradients_that_wait_go_on_waiting(kind):
    nets = [make() for _ in range(2)]
    for net, callback in zip(nets, (meddle("nothing"), meddle(kind)), strict=True):
        net.fit(
            X,
            Y,
            epochs=2,
            batch_size=8,
            accumulate=4,
            batch_callbacks=[callback],
            **QUIET,
        )
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_a_step_while_gradients_wait_is_a_step_of_its_own():
    net, by_hand = make(optimizer=bp.SGD(0.1)), make(optimizer=bp.SGD(0.1))
    options = {"batch_size": 8, "accumulate": 2, "shuffle": False, **QUIET}
    net.fit(X[:16], Y[:16], epochs=1, batch_callbacks=[meddle("step")], **options)
    first = by_hand.gradients(X[:8], Y[:8])
    by_hand.train_step(X[:8], Y[:8])
    second = by_hand.gradients(X[8:16], Y[8:16])
    by_hand.parameters[...] -= 0.1 * (first.flat + second.flat) / 2
    by_hand.train_step(X[:8], Y[:8])
    np.testing.assert_allclose(net.parameters, by_hand.parameters, atol=1e-6)


# --- custom losses --------------------------------------------------------------------

USES = {
    "predict": lambda net: net.predict(X),
    "predict_one": lambda net: net.predict_one(X[0]),
    "gradients": lambda net: net.gradients(X, Y),
    "train_step": lambda net: net.train_step(X, Y),
    "optimizer": lambda net: setattr(net, "optimizer", bp.Adam()),
    "frozen": lambda net: setattr(net, "frozen", [True, False]),
    "n_threads": lambda net: setattr(net, "n_threads", 2),
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("use", USES)
def test_a_loss_that_uses_its_network_raises(use):
    asked = []

    def loss(a, y):
        asked.append(len(a))
        USES[use](net)
        return ((a - y) ** 2).sum(axis=1), 2 * (a - y)

    net = make(loss=loss)
    before = net.parameters.copy()
    with pytest.raises(RuntimeError, match="in use by the step that calls its loss"):
        net.train_step(X, Y)
    with pytest.raises(RuntimeError, match="in use by the step that calls its loss"):
        net.evaluate(np.tile(X, (10, 1)), np.tile(Y, (10, 1)))
    assert len(asked) == 2  # not asked again once it has failed
    assert np.array_equal(net.parameters, before)
    net.predict(X)


# --- batch norm and LBFGS -------------------------------------------------------------


def test_lbfgs_leaves_moments_to_predict_by():
    pytest.importorskip("scipy")
    net = make(norm="batch", optimizer=bp.LBFGS(), dtype="float64")
    history = net.fit(10 + 3 * X, Y, epochs=20, **QUIET)
    assert net.evaluate(10 + 3 * X, Y) < 1.2 * history.loss[-1] + 1e-3


# --- interrupts -----------------------------------------------------------------------


@pytest.mark.parametrize("interrupted", range(1, 4))
def test_an_interrupt_between_two_slices(monkeypatch, interrupted):
    """Counters, stream and schedule are those of the epochs that were made."""
    net, plain = make(), make()
    run_epochs, calls = type(net.learner.engine).run_epochs, []

    class Engine:
        def __init__(self, engine):
            object.__setattr__(self, "engine", engine)

        def __getattr__(self, name):
            return getattr(self.engine, name)

        def __setattr__(self, name, value):
            setattr(self.engine, name, value)

        def __enter__(self):
            return self.engine.__enter__()

        def __exit__(self, *exception):
            return self.engine.__exit__(*exception)

        def run_epochs(self, *arguments):
            calls.append(run_epochs(self.engine, *arguments))
            if len(calls) == interrupted:
                raise KeyboardInterrupt
            return calls[-1]

    monkeypatch.setattr(net.learner, "engine", Engine(net.learner.engine))
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, Y, epochs=10**6, **QUIET)
    epochs = sum(done for done, _ in calls)
    plain.fit(X, Y, epochs=epochs, **QUIET)
    assert net.learner.state.epochs == epochs
    assert net.learner.state.bits.state == plain.learner.state.bits.state
    assert net.parameters.tobytes() == plain.parameters.tobytes()
