"""Histories of fits: the table, the epoch in place, columns by name."""

import copy
import pickle
import re
import warnings

import numpy as np
import pytest

import bpcore as bp
from bpcore.training.record import Record
from helpers import Values

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3)).astype("float32")
Y = X[:, :1] + 1


def make(**settings):
    return bp.Network([3, 4, 1], **{"rng": 0, **settings})


def fitted(*scores, **how):
    net = make()
    how = {"metrics": Values(*scores), "monitor": "score", "mode": "max", **how}
    return net.fit(X, Y, epochs=4, **how, **QUIET)


# --- which epoch is in place ----------------------------------------------------------

BEST = {"restore_best": True}
ENDS = {
    "the last": ((0, 1, 2, 3, 4), BEST, 4, 4, "restored to best epoch 4"),
    "another": ((0, 1, 3, 2, 2), BEST, 2, 2, "restored to best epoch 2"),
    "none is better": (
        (5, 1, 2, 3, 4),
        BEST,
        0,
        0,
        "restored to best epoch 0: as before the fit",
    ),
    "patience": (
        (0, 1, 0, 0, 0),
        {**BEST, "patience": 2},
        1,
        1,
        "stopped by patience, restored to best epoch 1",
    ),
    "not restored": ((1, 3, 2, 2), {}, 2, None, None),
    "patience, not restored": (
        (1, 0, 0, 0),
        {"patience": 2},
        1,
        None,
        "stopped by patience, best epoch 1",
    ),
    "callback": (
        (0, 1, 0, 0),
        {**BEST, "callbacks": [lambda net, history: len(history) == 2]},
        1,
        1,
        "stopped by callback, restored to best epoch 1",
    ),
    "never a number": ((np.nan,) * 5, BEST, 0, None, None),
}


@pytest.mark.parametrize("name", ENDS)
def test_the_table_says_which_epoch_is_in_place(name):
    scores, how, best, restored, line = ENDS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NaN
        history = fitted(*scores, **how)
    assert (history.best_epoch, history.restored) == (best, restored)
    lines = str(history).splitlines()
    assert (lines[-1] == line) if line else re.match(r" *4 ", lines[-1])


def test_after_an_error():
    def fail(net, history):
        if len(history) == 3:
            raise KeyError

    net = make()
    with pytest.raises(KeyError):
        net.fit(X, Y, metrics=Values(0, 1, 2, 1), monitor="score", mode="max",
                restore_best=True, callbacks=[fail], **QUIET)  # fmt: skip
    line = str(net.history).splitlines()[-1]
    assert line == "stopped by error, restored to best epoch 2"


# --- without an epoch -----------------------------------------------------------------


def test_a_history_of_no_epoch():
    net = make(optimizer=bp.SGD(1e30))
    with pytest.raises(bp.DivergenceError):
        net.fit(X, Y, batch_size=5, **QUIET)
    history = net.history
    assert str(history) == "no epoch was finished, stopped by error"
    assert repr(history) == "<History of 0 epochs, stopped by error>"
    assert history.loss.shape == (0,) and list(history.to_dict()) == ["loss"]
    with pytest.raises(bp.DivergenceError):
        net.fit(X, Y, batch_size=5, restore_best=True, **QUIET)
    assert str(net.history) == (
        "no epoch was finished, stopped by error, "
        "restored to best epoch 0: as before the fit"
    )
    pytest.importorskip("matplotlib")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history.plot()


# --- columns --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, column", (("mae", "mae"), ("mean_absolute_error", "mae"), ("r2", "r2"))
)
def test_a_column_as_an_attribute_is_refused_with_its_name(name, column):
    history = make().fit(X, Y, epochs=2, metrics=["mae", "r2"], **QUIET)
    with pytest.raises(AttributeError, match=rf"that column is history\['{column}"):
        getattr(history, name)
    with pytest.raises(AttributeError, match=r"no attribute 'accuracy'$"):
        _ = history.accuracy
    for other in (pickle.loads(pickle.dumps(history)), copy.deepcopy(history)):
        assert str(other) == str(history) and np.array_equal(other.loss, history.loss)


def test_seconds_have_three_digits():
    history = make().fit(X, Y, epochs=3, **QUIET)
    rows = [line.split() for line in str(history).splitlines()]
    assert rows[0][-1] == "seconds"
    for row, seconds in zip(rows[1:], history.seconds, strict=True):
        assert row[-1] == f"{seconds:.3g}"


def test_columns_that_begin_or_end_late_are_filled_with_nan():
    record = Record()
    record.append(loss=1, lr=0.1, seconds=3)
    record.append(loss=2, lr=None, seconds=4, mae=5)
    history = bp.History(record)
    assert list(history.to_dict()) == ["loss", "mae", "lr", "seconds"]
    np.testing.assert_array_equal(history.lr, [0.1, np.nan])
    np.testing.assert_array_equal(history["mae"], [np.nan, 5])
    assert len(str(history).splitlines()) == 3


# --- what may be monitored ------------------------------------------------------------

NEEDS = "{}monitor={!r} needs validation data, of which there are none; 'loss' is ..."
MEANT = "{}monitor must be one of loss, ...; got {!r}; did you mean {!r}?"
WITHOUT = "{}monitor must be one of loss, ...; got {!r}"
MONITORS = [
    ("validation_loss", NEEDS, None),
    ("val_loss", NEEDS, None),
    ("validation_los", NEEDS, None),
    ("train_loss", MEANT, "loss"),
    ("Loss", MEANT, "loss"),
    ("val_acc", MEANT, "accuracy"),
    ("val_accuracy", MEANT, "accuracy"),
    ("validation_accuracy", MEANT, "accuracy"),
    ("accurcy", MEANT, "accuracy"),
    ("val_mean_absolute_error", MEANT, "mae"),
    ("zzz", WITHOUT, None),
]


@pytest.mark.parametrize("of", ["", "ReduceOnPlateau's "])
@pytest.mark.parametrize("name, message, meant", MONITORS)
def test_what_cannot_be_monitored(name, message, meant, of):
    if of:
        lr = bp.schedules.ReduceOnPlateau(0.1, monitor=name)
        net, how = make(optimizer=bp.SGD(lr)), {}
    else:
        net, how = make(), {"monitor": name}
    before = net.parameters.copy()
    pattern = re.escape(message.format(of, name, meant)).replace(r"\.\.\.", ".*")
    with pytest.raises(ValueError, match=f"^{pattern}$"):
        net.fit(X, Y, **how, **QUIET)
    assert np.array_equal(net.parameters, before) and net.history is None


@pytest.mark.parametrize("name", ("val_loss", "validation_los", "valid_loss"))
def test_the_names_that_are_meant_with_validation_data(name):
    with pytest.raises(ValueError, match="did you mean 'validation_loss'"):
        make().fit(X, Y, validation=0.2, monitor=name, **QUIET)


def test_the_mode_of_a_plateau():
    lr = bp.schedules.ReduceOnPlateau(0.1, monitor="score")
    with pytest.raises(ValueError, match=r"^ReduceOnPlateau's mode must be 'min' or"):
        make(optimizer=bp.SGD(lr)).fit(X, Y, metrics=Values(1), **QUIET)
