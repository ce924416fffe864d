"""Settings that losses refuse, and targets that they do not take."""

import pytest

import bpcore as bp
from helpers.refusals import (
    ABOVE_0,
    BETWEEN,
    IN_0_TO_1,
    INF,
    LABELS,
    NAN,
    ONE,
    QUIET,
    SHARE,
    TARGETS,
    VALUE,
    X,
    bad_numbers,
    made,
    right,
    table,
)

OF_LOSSES = {
    bp.Huber: ("delta", ABOVE_0),
    bp.Quantile: ("q", BETWEEN),
    bp.CrossEntropy: ("label_smoothing", SHARE),
}
#: Spoilt targets, whose refusal begins with what they are of.
MINUS_OR_PLUS = "y must be -1 or 1 for hinge; got "
NO_LABELS = "y must have shape (6, 2) (labels need loss='cross_entropy'); got (6,)"
SMOOTHED = bp.CrossEntropy(0.1)
BAD_TARGETS = [
    ("hinge", ONE, MINUS_OR_PLUS + "0.0"),
    ("hinge", 2 * ONE - 2, MINUS_OR_PLUS + "..."),
    ("hinge", TARGETS - 0.5, MINUS_OR_PLUS + "0.5"),
    ("hinge", NAN * ONE, "y must be finite in float32; got nan at [0, 0]"),
    ("poisson", -ONE, "y must be at least 0 for poisson; got values from -1.0 to -0.0"),
    ("poisson", INF + ONE, "y must be finite in float32; got inf at [0, 0]"),
    (SMOOTHED, 2 * TARGETS, IN_0_TO_1.format("cross_entropy", "0.0 to 2.0")),
    (SMOOTHED, LABELS + 1, "y must hold labels in 0 .. 1; got 2"),
    ("kl_divergence", -TARGETS, IN_0_TO_1.format("kl_divergence", "-1.0 to -0.0")),
    *((loss, LABELS, NO_LABELS) for loss in ("huber", "poisson", "hinge", "log_cosh")),
]
TAKES_Y = {
    "fit": lambda net, y: net.fit(X, y, **QUIET),
    "validation": lambda net, y: net.fit(X, right(net), validation=(X, y), **QUIET),
    "stream": lambda net, y: net.fit([(X, y)], **QUIET),
    "partial_fit": lambda net, y: net.partial_fit(X, y),
    "train_step": lambda net, y: net.train_step(X, y),
    "gradients": lambda net, y: net.gradients(X, y),
    "evaluate": lambda net, y: net.evaluate(X, y),
    "check_gradients": lambda net, y: bp.check_gradients(net, X, y),
    "fit_many": lambda net, y: bp.fit_many([net], X, y),
}


@table(
    [
        (loss, bad, refusal)
        for loss, (name, span) in OF_LOSSES.items()
        for bad, refusal in bad_numbers(name, span, lambda bad: bad)
    ],
    "loss, bad, refusal",
)
def test_bad_setting_of_a_loss(loss, bad, refusal):
    refusal.of(lambda: loss(bad))


@pytest.mark.parametrize("name", TAKES_Y)
@table(BAD_TARGETS, "loss, bad, text")
def test_targets_that_a_loss_does_not_take(Network, name, loss, bad, text):
    net = made(Network, loss, 2 if bad.ndim == 1 else bad.shape[1])
    of = {"validation": "validation ", "stream": "mini-batch 1: "}.get(name, "")
    VALUE(of + text).of(lambda: TAKES_Y[name](net, bad), net)
