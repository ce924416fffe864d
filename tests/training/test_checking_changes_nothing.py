"""Checking the arguments of fit changes nothing, whether they are good or bad."""

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.training.fit import prepare
from helpers import everything

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
LABELS = np.arange(12) % 2

#: Arguments of a fit, and whether they are good.
ARGUMENTS = {
    "default": ({}, True),
    "validation data": ({"validation": (X, LABELS)}, True),
    "a share for validation": ({"validation": 0.5}, True),
    "metrics": ({"metrics": ["accuracy", "auc"], "monitor": "auc"}, True),
    "restore_best": ({"restore_best": True, "patience": 2}, True),
    "weights": ({"sample_weight": np.arange(12.0), "class_weight": "balanced"}, True),
    "numerical": ({"gradient": "numerical"}, True),
    "an iterable": ({"X": [(X, LABELS)], "y": None}, True),
    "accumulate": ({"accumulate": 3}, True),
    "bad epochs": ({"epochs": 0}, False),
    "bad monitor": ({"monitor": "validation_loss"}, False),
    "bad mode": ({"metrics": lambda y, a: 1.0, "mode": "best"}, False),
    "bad metric": ({"metrics": "accuracies"}, False),
    "bad targets": ({"y": LABELS + 5}, False),
    "bad validation": ({"validation": (X[:, :2], LABELS)}, False),
    "bad weights": ({"sample_weight": -np.ones(12)}, False),
    "bad callback": ({"callbacks": [3]}, False),
    "bad option": ({"epoch": 3}, False),
    "bad combination": ({"gradient": "numerical", "accumulate": 2}, False),
}

LEARNING_RATES = {
    "constant": lambda: 0.1,
    "plateau of the loss": lambda: schedules.ReduceOnPlateau(0.1, monitor="loss"),
    "plateau of validation": lambda: schedules.ReduceOnPlateau(0.1),
    "plateau of a metric": lambda: schedules.ReduceOnPlateau(0.1, monitor="accuracy"),
    "warm-up to a plateau": lambda: schedules.WarmUp(schedules.ReduceOnPlateau(0.1), 3),
}


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("rate", LEARNING_RATES)
@pytest.mark.parametrize("trained", [False, True], ids=["new", "trained"])
def test_checking_changes_nothing(name, rate, trained):
    net = bp.Network(
        [3, 4, 2],
        loss="cross_entropy",
        dropout=0.5,
        optimizer=bp.SGD(LEARNING_RATES[rate](), momentum=0.5),
        rng=0,
    )
    if trained:
        net.fit(X, LABELS, epochs=2, validation=(X, LABELS), progress=False)
    options, good = ARGUMENTS[name]
    options = {"progress": False, **options}
    data = options.pop("X", X), options.pop("y", LABELS)
    before, schedule = everything(net), net.learner.state.schedule
    if good:
        try:
            prepare(net.learner, net, *data, options)
        except ValueError as error:  # a plateau without the metric that it follows
            assert "metrics" in str(error) and name == "an iterable"
    else:
        with pytest.raises((TypeError, ValueError)):
            net.fit(*data, **options)
    assert everything(net) == before
    assert net.learner.state.schedule is schedule
