"""Arguments that fit refuses."""

import numpy as np
import pytest

import bpcore as bp
from helpers.refusals import (
    AT_LEAST_0,
    BAD_METRICS,
    BETWEEN,
    DATA,
    LABELS,
    QUIET,
    TYPE,
    VALUE,
    X,
    bad_counts,
    bad_flags,
    bad_numbers,
    everything,
    made,
    mine,
    pair,
    table,
    wrong_names,
)

# --- names, with the closest right one ------------------------------------------------

WRONG_NAMES_OF_FIT = {
    "metrics": (
        "acuracy>accuracy ROC_AUC>roc_auc top5>top_5 "
        "mean_abs_error>mean_absolute_error zzz"
    ),
    "monitor": "validation_los>validation_loss acuracy>accuracy los>loss zzz",
    "mode": "maximum>max Min>min zzz",
}


@wrong_names(WRONG_NAMES_OF_FIT)
def test_wrong_name_in_a_fit(Network, argument, name, refusal):
    net = made(Network)
    settings = {"metrics": "accuracy", "validation": DATA, **QUIET, argument: name}
    refusal.of(lambda: net.fit(*DATA, **settings), net)
    if argument == "metrics":
        refusal.of(lambda: net.evaluate(*DATA, metrics=name), net)


# --- fit ------------------------------------------------------------------------------

CALLABLES = [
    (None, "None"),
    (5, "5"),
    (print, "<built-in function print>"),
    ("ab", "'a'"),
    ([print, 3], "3"),
    ([[print]], "[...]"),
    ({"print": print}, "'print'"),
]
BAD_FITS = [
    *bad_counts("epochs"),
    *bad_counts("batch_size"),
    *bad_counts("accumulate"),
    *bad_counts("patience"),
    ({"epochs": None}, TYPE("epochs must be a whole number ...; got None")),
    ({"accumulate": None}, TYPE("accumulate must be a whole number ...; got None")),
    *bad_flags("shuffle"),
    *bad_flags("restore_best"),
    *bad_flags("progress"),
    *bad_numbers("min_delta", AT_LEAST_0, lambda bad: {"min_delta": bad}),
    *BAD_METRICS,
    *(
        ({"monitor": bad}, VALUE(f"monitor must be one of loss...; got {bad!r}..."))
        for bad in ("", 5, True, [], {}, "lr", "seconds")
    ),
    *(
        ({"mode": bad}, VALUE(f"mode must be one of auto, min, max; got {bad!r}"))
        for bad in (None, 5, True, "", [])
    ),
    (
        {"metrics": [mine], "monitor": "mine"},
        VALUE("mode must be 'min' or 'max' to monitor 'mine'; got 'auto'"),
    ),
    *(
        ({name: bad}, TYPE(f"{name} must be ...callables; got {got}"))
        for name in ("callbacks", "batch_callbacks")
        for bad, got in CALLABLES
    ),
    ({"steps_per_epoch": 3}, VALUE("steps_per_epoch needs mini-batches ...for X...")),
]
NO_DATA = "validation must be (X, y), (X, y, sample_weight) or a fraction; got "
BAD_VALIDATION = [
    *bad_numbers("validation", BETWEEN, lambda bad: bad, ()),
    (0.01, VALUE("validation=0.01 must leave at least one of 6 rows on each side...")),
    (0.99, VALUE("validation=0.99 must leave at least one of 6 rows on each side...")),
    *((bad, TYPE(f"{NO_DATA}{bad.__class__.__name__}")) for bad in (True, "0.5", 0.5j)),
    (X, TYPE(NO_DATA + "ndarray")),
    ({"X": X, "y": LABELS}, TYPE(NO_DATA + "dict")),
    *((bad, VALUE(f"{NO_DATA}{len(bad)} entries")) for bad in ((), (X,), (X,) * 4)),
    ((X[:, :2], LABELS), VALUE("validation X must have shape (n, 3) ...; got (6, 2)")),
    ((X, LABELS[:5]), VALUE("validation y must have shape (6,) ...; got (5,)")),
    ((X, None), TYPE("validation y must be given; got None")),
    ((*DATA, -np.ones(6)), VALUE("validation sample_weight must not be neg...")),
]


def assert_fit_refuses(net, bad, refusal, capsys):
    refusal.of(lambda: net.fit(*DATA, **bad), net)
    assert capsys.readouterr().err == ""  # no bar was begun


@table(BAD_FITS)
def test_bad_setting_of_a_fit(Network, capsys, bad, refusal):
    assert_fit_refuses(made(Network), bad, refusal, capsys)
    # Nor are rows drawn to be held back before all is known to be right.
    assert_fit_refuses(made(Network), {"validation": 0.5, **bad}, refusal, capsys)


@table(BAD_FITS)
def test_bad_setting_of_a_fit_of_many(Network, bad, refusal):
    nets = pair(Network)
    refusal.of(lambda: bp.fit_many(nets, *DATA, **bad), *nets)


@table(BAD_VALIDATION)
def test_bad_validation(Network, capsys, bad, refusal):
    assert_fit_refuses(made(Network), {"validation": bad}, refusal, capsys)


def test_all_the_weight_on_one_side_of_a_share(Network):
    # Then nothing would be learnt, or the validation loss would be 0 for ever.
    net, weight = made(Network), np.eye(6)[2]
    settings = {"sample_weight": weight, "validation": 0.5, **QUIET}
    VALUE("...sample_weight...all zero...").of(lambda: net.fit(*DATA, **settings), net)


def test_any_real_number_is_a_share_of_the_rows(Network):
    shares = 0.5, np.float32(0.5), np.float64(0.5)
    nets = [made(Network) for _ in shares]
    for net, share in zip(nets, shares, strict=True):
        assert net.fit(*DATA, validation=share, **QUIET).validation_loss.size
    assert everything(nets[0]) == everything(nets[1]) == everything(nets[2])


def test_numbers_larger_than_any_count_are_taken(Network):
    huge, net, other = 2**70, made(Network), made(Network)
    stop = {"batch_callbacks": [lambda net, *_: net.learner.state.steps == 9], **QUIET}
    net.fit(*DATA, epochs=huge, batch_size=huge, patience=huge, **stop)
    net.fit(*DATA, accumulate=huge, epochs=2, **QUIET)
    net.fit(iter([DATA] * 2), steps_per_epoch=huge, epochs=2, **QUIET)
    other.fit(*DATA, epochs=8, **QUIET)
    other.fit(*DATA, accumulate=7, epochs=2, **QUIET)
    other.fit([DATA] * 2, epochs=1, **QUIET)
    assert everything(net) == everything(other)


def test_an_unknown_option_gets_a_suggestion():
    message = (
        r"fit\(\) got an unexpected keyword argument 'epoch'; did you mean 'epochs'\?"
    )
    with pytest.raises(TypeError, match=message):
        bp.Network([2, 1]).fit(*DATA, epoch=3)
