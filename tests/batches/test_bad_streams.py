"""Iterables of mini-batches that fit refuses, and errors of the iterable."""

import numpy as np
import pytest

from helpers.refusals import (
    DATA,
    EITHER,
    ERRORS,
    LABELS,
    NAN,
    QUIET,
    ROWS,
    TYPE,
    VALUE,
    X,
    bad_counts,
    everything,
    generator,
    made,
    table,
)


def frame():
    return pytest.importorskip("pandas").DataFrame(X)


ITEM = "mini-batch {}: it must be (X, y) or (X, y, sample_weight); got {}"
NO_BATCH = VALUE("X must yield at least one mini-batch; got none")
Y_GIVEN = TYPE("y must be given...; got None")
BAD_STREAMS = {
    "array": (lambda: X, Y_GIVEN),
    "data frame": (frame, Y_GIVEN),
    "None": (lambda: None, TYPE("X must hold real numbers; got NoneType")),
    "number": (lambda: 5, EITHER("X must ...; got ...")),
    "text": (lambda: "XY", TYPE(ITEM.format(1, "str"))),
    "mapping": (lambda: {"X": X, "y": LABELS}, TYPE(ITEM.format(1, "str"))),
    "lists": (X.tolist, EITHER("mini-batch 1: ...; got ...")),
    "empty list": (list, NO_BATCH),
    "empty generator": (generator, NO_BATCH),
    "arrays": (lambda: [X, X], TYPE(ITEM.format(1, "ndarray"))),
    "pairs in an array": (lambda: [np.ones((2, 3))], TYPE(ITEM.format(1, "ndarray"))),
    "None in it": (lambda: [None], TYPE(ITEM.format(1, "NoneType"))),
    "mappings": (lambda: [{"X": X, "y": LABELS}], TYPE(ITEM.format(1, "dict"))),
    "X alone": (lambda: [(X,)], EITHER(ITEM.format(1, "1 entr..."))),
    "four": (lambda: [(X,) * 4], EITHER(ITEM.format(1, "4 entries"))),
    "no X": (lambda: [(None, LABELS)], TYPE("mini-batch 1: X must hold real ...")),
    "no y": (lambda: [(X, None)], TYPE("mini-batch 1: y must be given; got None")),
    "no rows": (lambda: [(X[:0], LABELS[:0])], VALUE(f"mini-batch 1: {ROWS}(0, 3)")),
    "one row": (lambda: [(X[0], 1)], VALUE(f"mini-batch 1: {ROWS}(3,)")),
}
#: As the second mini-batch, after a right one.
OF_WEIGHT = "mini-batch 2: sample_weight must "
BAD_ITEMS = {
    "narrow": ((X[:, :2], LABELS), VALUE(f"mini-batch 2: {ROWS}(6, 2)")),
    "nan": ((X * NAN, LABELS), VALUE("mini-batch 2: X must be finite ...")),
    "few": ((X, LABELS[:5]), VALUE("mini-batch 2: y must have shape (6,) ...")),
    "label": (
        (X, LABELS + 1),
        VALUE("mini-batch 2: y must hold labels in 0 .. 1; ..."),
    ),
    "weights": ((*DATA, -np.ones(6)), VALUE(OF_WEIGHT + "not be negative ...")),
    "few weights": (
        (*DATA, np.ones(5)),
        VALUE(OF_WEIGHT + "have shape (6,); got (5,)"),
    ),
    "no tuple": (5, TYPE(ITEM.format(2, "int"))),
}
BRINGS = "{} cannot be given with mini-batches from an iterable..."
BAD_WITH_STREAMS = [
    ({"sample_weight": np.ones(6)}, VALUE(BRINGS.format("sample_weight"))),
    ({"class_weight": "balanced"}, VALUE(BRINGS.format("class_weight"))),
    ({"batch_size": 4}, VALUE(BRINGS.format("batch_size"))),
    *(
        ({"validation": bad}, VALUE(f"validation must be (X, y) ...; got {bad!r}"))
        for bad in (0.5, 1, np.float32(0.5))
    ),
    ({"metrics": "accuracy"}, VALUE("metrics ...need validation data...")),
    ({"monitor": "validation_loss"}, VALUE("monitor=... needs validation data...")),
    *bad_counts("steps_per_epoch"),
    *bad_counts("patience"),
]


@table(BAD_STREAMS)
def test_bad_stream(Network, bad, refusal):
    net, stream = made(Network), bad()
    refusal.of(lambda: net.fit(stream, **QUIET), net)


@pytest.mark.parametrize("accumulate", [1, 2])
@table(BAD_ITEMS)
def test_bad_mini_batch_after_a_right_one(Network, accumulate, bad, refusal):
    net, other, stream = made(Network), made(Network), generator(DATA, bad)
    refusal.of(lambda: net.fit(stream, epochs=1, accumulate=accumulate, **QUIET))
    if accumulate == 1:
        other.train_step(*DATA)
    else:
        other.learner.state.counters[1] += 1  # what waits for a step is forgotten
    assert everything(net) == everything(other)
    for each in (net, other):
        each.fit([DATA, DATA], epochs=2, **QUIET)
    assert everything(net) == everything(other)


def test_an_error_of_the_iterable_arrives_as_it_is(Network):
    def broken():
        yield DATA
        raise ERRORS[0]

    net, other = made(Network), made(Network)
    with pytest.raises(LookupError) as caught:
        net.fit(broken(), epochs=1, **QUIET)
    assert caught.value is ERRORS[0]
    other.train_step(*DATA)
    assert everything(net) == everything(other)


@table(BAD_WITH_STREAMS)
def test_bad_setting_with_a_stream(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.fit([DATA], **{**QUIET, **bad}), net)
