"""Class weights that are refused."""

import numpy as np
import pytest

import bpcore as bp
from helpers.refusals import (
    AT_LEAST_0,
    DATA,
    LABELS,
    NAN,
    ONE,
    QUIET,
    TARGETS,
    TYPE,
    VALUE,
    X,
    bad_numbers,
    made,
    right,
    table,
)

OF_CLASSES = "class_weight must have labels in {} .. 1 for keys; got {!r}"
IN_SHAPE = "class_weight must have shape (2,); got "
ALL_REAL = "class_weight must hold real numbers; got "
NO_KEYS = (2, -1, 10**30, "0", None, 2.0, 0.5, NAN, (0,))
BAD_CLASS_WEIGHTS = [
    *(({bad: 2.0}, VALUE(OF_CLASSES.format(0, bad))) for bad in NO_KEYS),
    *bad_numbers("class_weight[1]", AT_LEAST_0, lambda bad: {1: bad}),
    ({0: 0, 1: 0}, VALUE("class_weight must not be ...; got values from 0.0 to 0.0")),
    ([0, 0], VALUE("class_weight must not be ...; got values from 0.0 to 0.0")),
    ([1, -1], VALUE("class_weight must not be negative...; got ...-1.0...")),
    ([1, NAN], VALUE("class_weight must be finite in float64; got nan at [1]")),
    *((bad, VALUE(f"{IN_SHAPE}({len(bad)},)")) for bad in ([], [1], [1, 2, 3])),
    (np.ones((2, 1)), VALUE(IN_SHAPE + "(2, 1)")),
    (0.5, VALUE(IN_SHAPE + "()")),
    ([1, None], TYPE(ALL_REAL + "None at [1] (dtype object)")),
    (["a", "b"], TYPE(ALL_REAL + "dtype <U1")),
    ({0, 1}, TYPE(ALL_REAL + "set")),
    (b"balanced", TYPE(ALL_REAL + "bytes")),
    ("balancd", VALUE("class_weight must be ...'balanced'; got 'balancd'...")),
    ("", VALUE("class_weight must be ...'balanced'; got ''...")),
]
WEIGHS = {
    "fit": lambda net, y, w: net.fit(X, y, class_weight=w, **QUIET),
    "share": lambda net, y, w: net.fit(X, y, class_weight=w, validation=0.5, **QUIET),
    "partial_fit": lambda net, y, w: net.partial_fit(X, y, class_weight=w),
    "train_step": lambda net, y, w: net.train_step(X, y, class_weight=w),
    "gradients": lambda net, y, w: net.gradients(X, y, class_weight=w),
    "evaluate": lambda net, y, w: net.evaluate(X, y, class_weight=w),
    "fit_many": lambda net, y, w: bp.fit_many([net], X, y, class_weight=w),
}
CLASSLESS = ["squared_error", "huber", "quantile", "poisson", "kl_divergence"]


@pytest.mark.parametrize(
    "loss, n_out, y",
    (
        ("cross_entropy", 2, LABELS),
        ("binary_cross_entropy", 1, ONE),
    ),
    ids=["labels", "one output"],
)
@pytest.mark.parametrize("name", WEIGHS)
@table(BAD_CLASS_WEIGHTS)
def test_bad_class_weight(Network, name, bad, refusal, loss, n_out, y):
    net = made(Network, loss, n_out)
    refusal.of(lambda net=net, y=y: WEIGHS[name](net, y, bad), net)


@pytest.mark.parametrize("name", WEIGHS)
@pytest.mark.parametrize("bad", [-2, 2, "1", 0.5], ids=repr)
def test_bad_class_weight_of_a_hinge(Network, name, bad):
    net, refusal = made(Network, "hinge", 1), VALUE(OF_CLASSES.format(-1, bad))
    y = right(net)
    refusal.of(lambda: WEIGHS[name](net, y, {bad: 2.0}), net)


@pytest.mark.parametrize("name", WEIGHS)
@pytest.mark.parametrize("loss", CLASSLESS)
@pytest.mark.parametrize("weight", ["balanced", [1.0, 2.0], {0: 2.0}], ids=str)
def test_class_weight_of_what_are_no_classes(Network, name, loss, weight):
    net = made(Network, loss)
    refusal = VALUE(f"class_weight needs a loss whose targets are classes...{loss}...")
    refusal.of(lambda: WEIGHS[name](net, TARGETS, weight), net)


@pytest.mark.parametrize("label", [1.0, True, np.int8(1), np.float32(1)], ids=repr)
def test_a_class_is_what_equals_its_label(Network, label):
    net = made(Network)
    expected = net.evaluate(*DATA, class_weight=[1.0, 5.0])
    assert net.evaluate(*DATA, class_weight={label: 5.0}) == expected


def test_validation_data_of_weightless_classes_alone(Network):
    net, validation = made(Network), (X[:1], LABELS[:1])
    settings = {"class_weight": {0: 0.0}, "validation": validation, **QUIET}
    refusal = VALUE(
        "validation class_weight must not be negative nor all zero; got ..."
    )
    refusal.of(lambda: net.fit(*DATA, **settings), net)
