"""Parameters of odd types and sizes: refused by name before anything changes."""

from decimal import Decimal

import numpy as np
import pytest

import bpcore as bp
from bpcore import graph
from bpcore.metrics import METRICS
from bpcore.schedules import WarmUp

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X[:, :2]
LABELS = np.arange(12) % 2
HUGE = 10**400


def network(**more):
    return bp.Network([3, 4, 2], rng=0, **more)


def labelled():
    return network(loss="cross_entropy")


def surface(ranges):
    return bp.loss_surface(network(), X, Y, points=3, ranges=ranges)


def onnx(names, folder):
    network().to_onnx(folder / "a.onnx", output_names=names)


#: {name: (call of a value and a folder, values, name in the message)}
CASES = {
    **{
        f"fit, {name}": (
            lambda v, _, name=name: network().fit(X, Y, epochs=1, **{name: v}),
            [np.array(0.5), np.ma.masked, 0.5],
            name,
        )
        for name in ("callbacks", "batch_callbacks", "metrics")
    },
    "evaluate, metrics": (
        lambda v, _: network().evaluate(X, Y, metrics=v),
        [np.array(0.5), 0.5],
        "metrics",
    ),
    "animate, callbacks": (
        lambda v, _: bp.animate(
            bp.Network([2, 1]), X[:, :2], Y[:, :1], epochs=1, callbacks=v
        ),
        [np.array(0.5)],
        "callbacks",
    ),
    "fit_many, values": (
        lambda v, _: bp.fit_many(lambda _: network(), X, Y, values=v),
        [np.array(0.5)],
        "values",
    ),
    "loss_surface, ranges": (
        lambda v, _: surface(v),
        [HUGE, [(0, HUGE), (0, 1)], [("0", "1"), (0, 1)], [(1, 0), (0, 1)], "01"],
        "ranges",
    ),
    "graph, axis": (
        lambda v, _: graph.sum(np.ones((2, 3)), axis=v),
        [0.5, HUGE, 2**62, -HUGE, "0", np.array(0.5), [0.5], Decimal(1), 2, (0, 0)],
        "axis",
    ),
    "graph, axis of a maximum": (
        lambda v, _: graph.Variable(np.ones((2, 3))).max(axis=v),
        [0.5, HUGE, 2**62],
        "axis",
    ),
    "graph, keepdims": (
        lambda v, _: graph.mean(np.ones((2, 3)), keepdims=v),
        [0.5, HUGE, None, "yes", 1],
        "keepdims",
    ),
    "WarmUp, after": (
        lambda v, _: WarmUp(v, 3),
        [float("nan"), -1, HUGE, None, "0.1", True],
        "after",
    ),
    "class_weight": (
        lambda v, _: labelled().fit(X, LABELS, epochs=1, class_weight=v),
        [{np.timedelta64(1, "s"): 2.0}, {2: 1.0}, {"0": 1.0}, {0.5: 1.0}],
        "class_weight",
    ),
    "to_onnx, output_names": (onnx, [0.5, "output", b"o", ["a", "b"]], "output_names"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_message_names_the_parameter(name, tmp_path):
    call, values, argument = CASES[name]
    for value in values:
        with pytest.raises((TypeError, ValueError), match=argument):
            call(value, tmp_path)


def test_labels_of_class_weights_may_be_numbers_of_any_kind():
    expected = labelled().evaluate(X, LABELS, class_weight={1: 3.0})
    for label in (np.int8(1), 1.0, np.float32(1), 1 + 0j, True):
        found = labelled().evaluate(X, LABELS, class_weight={label: 3.0})
        assert found == expected


@pytest.mark.parametrize("name", METRICS)
def test_metrics_need_a_weight(name):
    y = LABELS if METRICS[name].higher_is_better and name != "r2" else X[:, :1]
    with pytest.raises(ValueError, match="weight must not be all zero"):
        METRICS[name](y, X[:, :2], np.zeros(12))


@pytest.mark.parametrize("keepdims", [True, np.True_])
def test_keepdims_of_numpy(keepdims):
    assert graph.sum(np.ones((2, 3)), axis=0, keepdims=keepdims).shape == (1, 3)
