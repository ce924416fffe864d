"""Monitored quantities from fit to fit, and where they are NaN."""

import math
import pickle
import warnings

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import Values, each_library

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3)).astype("float32")
Y = X[:, :1] + 1
LABELS = (X[:, 0] > 0).astype(int)


def make(Network=bp.Network, lr=0.0, **settings):
    """A network that learns nothing, so that its values stay the same."""
    settings = {"optimizer": bp.SGD(lr), "rng": 0, **settings}
    return Network([3, 4, 1], **settings)


def plateau(**settings):
    return schedules.ReduceOnPlateau(1e-30, factor=0.5, **settings)


# --- another quantity -----------------------------------------------------------------

#: Settings of a first and a second fit, and whether they monitor the same quantity.
FITS = {
    "the same": ({}, {}, True),
    "validation": ({}, {"validation": (X, 100 * Y)}, False),
    "no validation": ({"validation": (X, 0 * Y)}, {}, False),
    "validation, the same": ({"validation": (X, Y)}, {"validation": (X, Y)}, True),
}


@each_library
@pytest.mark.parametrize("between", ["nothing", "a pickle"])
@pytest.mark.parametrize("name", FITS)
def test_another_quantity_begins_anew(Network, name, between):
    first, second, same = FITS[name]
    net = make(Network, plateau(patience=1))
    net.fit(X, Y, epochs=4, **first, **QUIET)  # one better epoch, three that are not
    lr, best, wait, _ = net.learner.state.schedule.plateau
    assert (lr, wait) == (0.5e-30, 1)
    if between == "a pickle":
        net = pickle.loads(pickle.dumps(net))
    history = net.fit(X, Y, epochs=1, **second, **QUIET)
    if same:
        assert (net.lr, net.learner.state.schedule.plateau.best) == (0.25e-30, best)
    else:
        column = "validation_loss" if "validation" in second else "loss"
        assert net.learner.state.schedule.plateau == (lr, history[column][-1], 0, 0)


@each_library
def test_another_direction_begins_anew(Network):
    """With a metric of which more is better after one of which less is."""
    lr = plateau(patience=0, monitor="mae")
    net = make(Network, lr)
    net.fit(X, Y, epochs=2, **QUIET)
    assert net.lr == 0.5e-30
    net.optimizer = bp.SGD(lr, momentum=0.5)  # the same schedule goes on
    assert net.lr == 0.5e-30
    score = Values(-5.0, -6.0, -4.0, -4.0)
    net = make(Network, plateau(patience=0, monitor="score", mode="max"))
    rates = net.fit(X, Y, epochs=3, metrics=score, **QUIET).lr.tolist()
    assert (
        rates == [1e-30, 1e-30, 0.5e-30]
        and net.learner.state.schedule.plateau.best == -4.0
    )


def test_metrics_of_training_and_of_validation_data_are_two_quantities():
    net = make(lr=plateau(patience=9, monitor="mae"))
    net.fit(X, Y, epochs=2, **QUIET)
    assert net.learner.state.schedule.plateau.wait == 1
    history = net.fit(X, Y, epochs=2, validation=(X, 9 * Y), **QUIET)
    assert net.learner.state.schedule.plateau == (1e-30, history["mae"][0], 1, 0)


@each_library
def test_an_optimizer_of_a_callbacks_is_followed_by_its_own_schedule(Network):
    net = make(Network, 0.0)
    lr = schedules.ReduceOnPlateau(1e-30, factor=0.25, patience=0)

    def change(net, history):
        if len(history) == 1:
            net.optimizer = bp.SGD(lr)

    rates = net.fit(X, Y, epochs=4, callbacks=[change], **QUIET).lr.tolist()
    assert rates == [0.0, 1e-30, 1e-30, 0.25e-30]


def test_a_plateau_of_negative_losses():
    """Losses rise from -1 by a twentieth of the margin that counts."""
    lr = schedules.ReduceOnPlateau(
        1e-30, factor=0.5, patience=0, min_delta=0.1, monitor="score", mode="min"
    )
    score = Values(-1.0, -0.95, -1.05, -1.2)
    history = make(lr=lr).fit(X, Y, epochs=4, metrics=score, **QUIET)
    assert history.lr.tolist() == [1e-30, 1e-30, 0.5e-30, 0.25e-30]


# --- NaN ------------------------------------------------------------------------------

ONE_CLASS = X, np.ones(len(X), int)


def classifier(Network=bp.Network, lr=0.01):
    return Network([3, 4, 1], loss="binary_cross_entropy", optimizer=bp.SGD(lr), rng=0)


@each_library
def test_an_area_of_one_class_is_warned_of_once(Network):
    lr = schedules.ReduceOnPlateau(0.01, patience=0, monitor="auc")
    net = classifier(Network, lr)
    with pytest.warns(UserWarning, match="^auc, which .* NaN after epoch 1;") as caught:
        history = net.fit(
            X,
            LABELS,
            epochs=5,
            validation=ONE_CLASS,
            metrics="auc",
            monitor="auc",
            patience=1,
            **QUIET,
        )
    assert len(caught) == 1 and caught[0].filename == __file__
    assert np.isnan(history["auc"]).all()
    # It ends neither in patience nor in a smaller rate.
    assert (len(history), history.stopped, history.best_epoch) == (5, "epochs", 0)
    assert history.lr.tolist() == [0.01] * 5 and net.lr == 0.01


def test_every_quantity_is_warned_of_once():
    lr = schedules.ReduceOnPlateau(0.01, monitor="auc")
    score = Values(1.0, math.nan, math.nan)
    with pytest.warns(UserWarning) as caught:
        classifier(lr=lr).fit(
            X,
            LABELS,
            epochs=3,
            validation=ONE_CLASS,
            metrics=score,
            monitor="score",
            mode="max",
            **QUIET,
        )
    texts = [str(warning.message).split(";")[0] for warning in caught]
    assert texts == [
        "auc, which is monitored, is NaN after epoch 1",
        "score, which is monitored, is NaN after epoch 2",
    ]


def test_what_is_not_monitored_may_be_nan():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = classifier().fit(
            X, LABELS, epochs=2, validation=ONE_CLASS, metrics="auc", **QUIET
        )
    assert np.isnan(history["auc"]).all() and history.best_epoch == 2


@pytest.mark.parametrize(
    "given, epochs, best",
    [
        ([math.nan, 1, math.nan, 2, 0, 0, 9], 6, 4),
        ([1, math.nan, math.nan, math.nan, 0, math.nan, 0, 9], 7, 1),
    ],
)
def test_nan_does_not_count_for_patience(given, epochs, best):
    with pytest.warns(UserWarning, match="score, which is monitored, is NaN"):
        history = make().fit(
            X,
            Y,
            epochs=99,
            metrics=Values(*given),
            monitor="score",
            mode="max",
            patience=2,
            **QUIET,
        )
    assert (len(history), history.best_epoch) == (epochs, best)
    assert history.stopped == "patience"


@pytest.mark.parametrize(
    "given, best",
    [
        ([math.nan, 3, math.nan, 2], 1),  # epoch 0 has no value
        ([5, math.nan, 4, math.nan], 0),
        ([5, 4, math.nan, 6], 3),
        ([math.nan] * 4, 0),
    ],
)
def test_nan_is_never_the_best_epoch(given, best):
    net, twin = make(lr=0.01), make(lr=0.01)
    how = {"metrics": Values(*given), "monitor": "score", "mode": "max"}
    with pytest.warns(UserWarning, match="NaN") as caught:
        history = net.fit(X, Y, epochs=3, restore_best=True, **how, **QUIET)
    assert history.best_epoch == best and len(caught) == 1
    # Where all are NaN there is none to go back to.
    epochs = 3 if np.isnan(given).all() else best
    if epochs:
        twin.fit(X, Y, epochs=epochs, **QUIET)
    assert net.parameters.tobytes() == twin.parameters.tobytes()


def test_a_warning_that_is_an_error_leaves_the_best_epoch():
    net = make(lr=0.01)
    before = net.parameters.copy()
    score = Values(5, 4, math.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="NaN after epoch 2"):
            net.fit(X, Y, epochs=9, metrics=score, monitor="score", mode="max",
                    restore_best=True, **QUIET)  # fmt: skip
    assert net.parameters.tobytes() == before.tobytes()
    assert len(net.history) == 2


@pytest.mark.parametrize("error", [ValueError("closed"), OSError(32), TypeError("no")])
def test_a_warning_that_cannot_be_written_ends_no_training(monkeypatch, error):
    def fail(*_, **__):
        raise error

    score = Values(math.nan, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", fail)
        make().fit(X, Y, epochs=2, metrics=score, monitor="score", mode="max", **QUIET)
