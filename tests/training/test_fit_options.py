"""Options of fit: validation, metrics, stopping, streams and more."""

import itertools
import pickle

import numpy as np
import pytest

import bpcore as bp
from helpers import Values, chooses_threads, each_library

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5)).astype("float32")
LABELS = np.arange(60) % 3
LABELS[rng.random(60) < 0.4] = 0  # classes of unequal size
TARGETS = (X[:, :2] * 2 + 1).astype("float32")


def classifier(**settings):
    settings = {"optimizer": bp.Adam(0.01), "rng": 0, **settings}
    return bp.Network([5, 16, 3], loss="cross_entropy", **settings)


def regressor(**settings):
    settings = {"optimizer": bp.Adam(0.01), "rng": 0, **settings}
    return bp.Network([5, 16, 2], **settings)


# --- validation -----------------------------------------------------------------------


def held_back(net, y, fraction, **settings):
    """The rows that a fraction holds back, from the losses a network sees of them."""
    seen = []
    mean_loss = net.learner.mean_loss

    def spy(data):
        seen.append((data.X, data.y, data.weight))
        return mean_loss(data)

    net.learner.mean_loss = spy
    net.fit(X, y, epochs=1, validation=fraction, **settings, **QUIET)
    return seen[0]


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
def test_a_fraction_keeps_the_shares_of_classes(fraction):
    rows, labels, weight = held_back(classifier(), LABELS, fraction)
    assert len(rows) == round(60 * fraction) and weight is None
    for label in range(3):
        expected = fraction * (label == LABELS).sum()
        assert abs((labels == label).sum() - expected) <= 1
    # Rows of the data, each at most once, with their own labels.
    at = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in rows]
    assert len(set(at)) == len(at) and np.array_equal(LABELS[at], labels)


def test_a_fraction_of_one_hot_rows_and_of_one_output():
    _, y, _ = held_back(classifier(), np.eye(3)[LABELS], 0.5)
    assert abs(y.sum(axis=0) - np.bincount(LABELS) / 2).max() <= 1
    net = bp.Network([5, 1], loss="binary_cross_entropy", rng=0)
    _, y, _ = held_back(net, (LABELS == 0).astype(float), 0.5)
    assert abs(y.sum() - (LABELS == 0).sum() / 2) <= 1


def test_a_fraction_is_held_back():
    """The network learns nothing of it, and with the seed it is the same again."""
    nets = [classifier() for _ in range(2)]
    rows = [held_back(net, LABELS, 0.3)[0] for net in nets]
    assert np.array_equal(*rows)
    weight = np.arange(60.0) + 1
    net = regressor()
    rows, targets, w = held_back(net, TARGETS, 0.2, sample_weight=weight)
    assert np.array_equal(targets, rows[:, :2] * 2 + 1) and len(w) == 12
    at = [int(np.flatnonzero((row == X).all(axis=1))[0]) for row in rows]
    assert np.array_equal(weight[at], w)
    assert sorted(at) != list(range(12))  # not simply the first ones


# --- metrics and the history ----------------------------------------------------------


def test_metrics_are_of_the_validation_data_where_there_are_some():
    net = classifier()

    def worst(y, a):
        return -a[np.arange(len(y)), y].min()

    wanted = ["accuracy", "top_2", worst]
    history = net.fit(
        X, LABELS, epochs=4, validation=(X[:20], LABELS[:20]), metrics=wanted, **QUIET
    )
    a = net.predict(X[:20])
    assert list(history.metrics) == ["accuracy", "top_2", "worst"]
    assert history["accuracy"][-1] == (a.argmax(axis=1) == LABELS[:20]).mean()
    assert history["worst"][-1] == pytest.approx(worst(LABELS[:20], a))
    of_training = classifier().fit(X, LABELS, epochs=4, metrics="acc", **QUIET)
    assert len(of_training["acc"]) == 4 and of_training.validation_loss.size == 0


def test_evaluate_with_metrics():
    net = classifier()
    found = net.evaluate(X, LABELS, metrics=["accuracy", "auc"])
    assert list(found) == ["loss", "accuracy", "auc"]
    assert found["loss"] == net.evaluate(X, LABELS)


def test_the_history_is_a_table():
    history = classifier().fit(
        X, LABELS, epochs=3, validation=0.2, metrics="accuracy", **QUIET
    )
    lines = str(history).splitlines()
    names = ["epoch", "loss", "validation_loss", "accuracy", "lr", "seconds"]
    assert lines[0].split() == names
    assert [line.split()[0] for line in lines[1:]] == ["1", "2", "3"]
    assert len({len(line) for line in lines}) == 1
    assert float(lines[2].split()[1]) == pytest.approx(history.loss[1], rel=1e-5)
    assert list(history.to_dict()) == names[1:]
    assert "3 epochs, last loss" in repr(history) and "accuracy" in repr(history)
    with pytest.raises(KeyError, match="there are loss, validation_loss, accuracy"):
        history["auc"]


def test_a_long_table_is_cut_in_the_middle():
    lines = str(regressor().fit(X, TARGETS, epochs=100, **QUIET)).splitlines()
    assert len(lines) == 42 and lines[21].split() == ["..."] * 4
    assert lines[1].split()[0] == "1" and lines[-1].split()[0] == "100"


def test_the_history_plots_itself(tmp_path):
    pytest.importorskip("matplotlib")
    history = classifier().fit(
        X, LABELS, epochs=5, validation=0.2, metrics=["accuracy", "auc"], **QUIET
    )
    figure = history.plot()
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy", "auc"]
    losses = [line.get_ydata() for line in figure.axes[0].lines[:2]]
    assert np.array_equal(losses[0], history.loss)
    assert np.array_equal(losses[1], history.validation_loss)
    figure.savefig(tmp_path / "history.png")
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert history.plot(axes) is axes.figure and len(axes.figure.axes) == 1


# --- stopping -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mode, min_delta, values, epochs, best",
    [
        ("max", 0.0, [1, 2, 2, 1, 9], 4, 2),
        ("min", 0.0, [5, 4, 4, 4, 1], 4, 2),
        ("max", 0.5, [1, 1.4, 1.5, 9], 3, 1),
        ("max", 0.5, [1, 1.6, 1.7, 2.2, 2.3, 2.4, 9], 6, 4),
        ("max", 0.0, [-1, -2, -3, 9], 3, 1),
    ],
)
def test_patience_with_any_metric(mode, min_delta, values, epochs, best):
    history = regressor().fit(
        X,
        TARGETS,
        epochs=99,
        metrics=Values(*values),
        monitor="score",
        mode=mode,
        patience=2,
        min_delta=min_delta,
        **QUIET,
    )
    assert len(history) == epochs and history.best_epoch == best
    assert history.stopped == "patience"


@each_library
def test_restore_best(Network):
    """Parameters, optimizer state and running moments are those of the best epoch."""
    net = Network([5, 16, 2], norm="batch", optimizer=bp.Adam(0.01), rng=0)
    kept = []

    def keep(net, history):
        kept.append(
            pickle.dumps(
                (
                    net.parameters,
                    net.learner.state.optimizer_arrays,
                    net.learner.state.moments,
                )
            )
        )

    history = net.fit(
        X,
        TARGETS,
        epochs=6,
        metrics=Values(0, 1, 3, 9, 2, 3, 4),  # the first is that of epoch 0
        monitor="score",
        mode="max",
        restore_best=True,
        callbacks=[keep],
        **QUIET,
    )
    assert history.best_epoch == 3 and len(history) == 6
    assert (
        pickle.dumps(
            (
                net.parameters,
                net.learner.state.optimizer_arrays,
                net.learner.state.moments,
            )
        )
        == kept[2]
    )
    net.fit(X, TARGETS, epochs=1, **QUIET)  # and on it goes


def test_names_of_metrics_know_what_is_better():
    history = classifier().fit(
        X, LABELS, epochs=30, metrics="accuracy", monitor="accuracy", **QUIET
    )
    assert history.best_epoch == history["accuracy"].argmax() + 1


# --- callbacks ------------------------------------------------------------------------


def test_callbacks_of_mini_batches():
    calls = []

    def note(net, epoch, batch, loss):
        calls.append((epoch, batch, loss))

    plain, net = classifier(), classifier()
    options = {"epochs": 2, "batch_size": 16, "shuffle": False, **QUIET}
    expected = plain.fit(X, LABELS, **options)
    history = net.fit(X, LABELS, batch_callbacks=[note], **options)
    assert net.parameters.tobytes() == plain.parameters.tobytes()
    assert [call[:2] for call in calls] == [*itertools.product((1, 2), (1, 2, 3, 4))]
    of_first = [loss for epoch, _, loss in calls if epoch == 1]
    assert np.average(of_first, weights=[16, 16, 16, 12]) == pytest.approx(
        expected.loss[0]
    )
    assert np.array_equal(history.loss, expected.loss)


def test_a_callback_of_a_mini_batch_stops():
    net = classifier()
    seen = []

    def enough(net, epoch, batch, loss):
        seen.append((epoch, batch))
        return (epoch, batch) == (2, 3)

    history = net.fit(
        X, LABELS, epochs=9, batch_size=16, batch_callbacks=[enough], **QUIET
    )
    assert seen[-1] == (2, 3) and net.learner.state.steps == 7
    assert history.stopped == "callback" and len(history) == 2


def test_callbacks_may_use_and_change_the_network():
    net = regressor(optimizer=bp.SGD(0.01))

    def slower(net, history):
        net.optimizer = net.optimizer.replace(lr=0.5 * net.lr)

    def look(net, epoch, batch, loss):
        net.predict(np.zeros((500, 5)))  # a larger workspace than training's

    history = net.fit(
        X, TARGETS, epochs=3, callbacks=[slower], batch_callbacks=[look], **QUIET
    )
    assert history.lr.tolist() == [0.01, 0.005, 0.0025]


# --- streams --------------------------------------------------------------------------


def mini_batches(size=16, y=LABELS):
    return [(X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)]


@each_library
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_list_of_mini_batches_is_the_same_as_arrays(Network, accumulate):
    nets = [
        Network([5, 16, 3], loss="cross_entropy", dropout=0.2, rng=0,
                optimizer=bp.Adam(bp.schedules.Exponential(0.1, 0.9, per="step")))
        for _ in range(2)
    ]  # fmt: skip
    options = {"epochs": 3, "accumulate": accumulate, **QUIET}
    a = nets[0].fit(X, LABELS, batch_size=16, shuffle=False, **options)
    b = nets[1].fit(mini_batches(), **options)
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    np.testing.assert_allclose(a.loss, b.loss)
    assert nets[0].learner.state.steps == nets[1].learner.state.steps


def test_generators_and_how_far_they_go():
    def forever():
        while True:
            yield from mini_batches()

    net, endless = classifier(), forever()
    history = net.fit(endless, epochs=3, steps_per_epoch=2, **QUIET)
    assert len(history) == 3 and net.learner.state.steps == 6
    net.fit(
        endless, epochs=1, steps_per_epoch=3, **QUIET
    )  # it goes on, it does not begin
    same = classifier()
    for rows, labels in [*mini_batches(), *mini_batches(), *mini_batches()][:9]:
        same.train_step(rows, labels)
    assert net.parameters.tobytes() == same.parameters.tobytes()

    once = classifier()
    history = once.fit(iter(mini_batches()), epochs=3, **QUIET)
    assert (
        len(history) == 1 and once.learner.state.steps == 4
    )  # nothing is left for more

    again = classifier()  # a list begins again where it ends within an epoch
    again.fit(mini_batches(), epochs=2, steps_per_epoch=6, **QUIET)
    assert again.learner.state.steps == 12


def test_streams_with_weights_and_validation():
    weight = np.tile([0.5, 1.5, 0.25, 1.75], 15)  # of mean 1
    batches = [
        (rows, labels, weight[16 * i : 16 * i + 16])
        for i, (rows, labels) in enumerate(mini_batches())
    ]
    a, b = classifier(), classifier()
    first = a.fit(batches, epochs=2, validation=(X, LABELS), metrics="auc", **QUIET)
    second = b.fit(
        X, LABELS, sample_weight=weight, batch_size=16, shuffle=False, epochs=2,
        validation=(X, LABELS), metrics="auc", **QUIET,
    )  # fmt: skip
    assert a.parameters.tobytes() == b.parameters.tobytes()
    assert np.array_equal(first["auc"], second["auc"])


def test_a_stream_shows_its_progress(capsys):
    classifier().fit(mini_batches(), epochs=2)
    assert "2/2" in capsys.readouterr().err


def test_a_stream_that_fails_leaves_the_network_usable():
    def broken():
        yield mini_batches()[0]
        raise OSError("the disk is gone")

    net = classifier()
    with pytest.raises(OSError, match="the disk is gone"):
        net.fit(broken(), epochs=1, **QUIET)
    assert net.learner.state.steps == 1
    net.fit(X, LABELS, epochs=1, **QUIET)


# --- one pass, one row ----------------------------------------------------------------


def test_partial_fit_is_one_pass():
    a, b = classifier(), classifier()
    assert a.partial_fit(X, LABELS, batch_size=16) is a
    b.fit(X, LABELS, epochs=1, batch_size=16, **QUIET)
    assert a.parameters.tobytes() == b.parameters.tobytes()


ONE = {
    "labels": ({"sizes": [5, 16, 3], "loss": "cross_entropy"}, LABELS),
    "one output": ({"sizes": [5, 16, 1], "output": "sigmoid"}, (LABELS > 0) * 1.0),
    "vectors": ({"sizes": [5, 16, 2]}, TARGETS),
    "one-hot": ({"sizes": [5, 3], "loss": "cross_entropy"}, np.eye(3)[LABELS]),
    "hinge": ({"sizes": [5, 1], "loss": "hinge"}, np.where(LABELS, 1.0, -1.0)),
    "layer": ({"sizes": [5, 8, 1], "norm": "layer", "dropout": 0.5}, TARGETS[:, 0]),
}


@each_library
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", ONE)
def test_learn_one_is_a_step_on_one_row(Network, dtype, case):
    settings, y = ONE[case]
    settings = {"optimizer": bp.Adam(0.01), "dtype": dtype, "rng": 0, **settings}
    one, step, listed = (Network(**settings) for _ in range(3))
    rows = X.astype(dtype)
    y = y if y.dtype.kind == "i" else y.astype(dtype)
    for i in range(20):
        loss = one.learn_one(rows[i], y[i])
        assert loss == step.train_step(rows[i : i + 1], y[i : i + 1])
        assert loss == listed.learn_one(rows[i].tolist(), y[i].tolist())
        expected = step.predict(rows[i])
        assert one.predict_one(rows[i]).tobytes() == expected.tobytes()
        assert listed.predict_one(rows[i].tolist()).tobytes() == expected.tobytes()
    assert one.parameters.tobytes() == step.parameters.tobytes()
    assert listed.parameters.tobytes() == step.parameters.tobytes()


@pytest.mark.parametrize("case", ["labels", "one output", "vectors"])
def test_one_row_at_a_time_allocates_nothing(case):
    tracemalloc = pytest.importorskip("tracemalloc")
    settings, y = ONE[case]
    net = bp.Network(**{"optimizer": bp.Adam(0.01), "rng": 0, **settings})
    y = y if y.dtype.kind == "i" else y.astype("float32")
    x, target = X[0].copy(), y[0]

    def use():
        for _ in range(100):
            net.learn_one(x, target)
            net.predict_one(x)

    use()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    use()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - before < 500  # bytes, by 200 calls: a few small Python objects
    assert net.predict_one(x) is net.predict_one(x)


# --- many networks --------------------------------------------------------------------


def many():
    return [
        bp.Network([5, 8, 3], loss="cross_entropy", dropout=0.1, rng=seed,
                   optimizer=bp.Adam(0.01), dtype=dtype)
        for seed, dtype in enumerate(["float32", "float64"] * 4)
    ]  # fmt: skip


@pytest.mark.parametrize("n_threads", [1, 2, 3, "auto"])
def test_many_networks_learn_as_they_would_alone(n_threads):
    together, alone = many(), many()
    options = {"epochs": 5, "validation": (X, LABELS), "metrics": "accuracy"}
    fitted = bp.fit_many(together, X, LABELS, n_threads=n_threads, **options)
    for fit, net, own in zip(fitted, together, alone, strict=True):
        history = own.fit(X, LABELS, **options, **QUIET)
        assert fit.network is net and fit.error is None
        assert net.parameters.tobytes() == own.parameters.tobytes()
        assert np.array_equal(fit.history.validation_loss, history.validation_loss)
        assert chooses_threads(net)  # as before


def test_one_network_for_each_value():
    def make(settings):
        return bp.Network([5, 8, 2], rng=0, **settings)

    values = [{"optimizer": bp.SGD(lr)} for lr in (0.1, 0.01, 1e38)]
    *fitted, lost = bp.fit_many(make, X, TARGETS, values=values, epochs=4)
    assert [fit.network.optimizer.lr for fit in fitted] == [0.1, 0.01]
    assert all(len(fit.history) == 4 for fit in fitted)
    assert lost.history is None and isinstance(lost.error, bp.DivergenceError)
    assert np.isfinite(lost.network.parameters).all()
