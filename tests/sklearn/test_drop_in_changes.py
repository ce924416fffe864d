"""A drop-in takes over arrays and an optimizer in one switch, or not at all."""

import copy
import pickle
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn")

from bpcore.sklearn.drop_in.trained import trained
from trust.changes import drop_ins
from trust.changes.change import X
from trust.changes.interrupting import Points

DAMAGES = {
    "adam": ("t", lambda t: "many"),
    "sgd": ("velocities", lambda arrays: [np.full(a.shape, "x") for a in arrays]),
}


@pytest.mark.parametrize("solver", DAMAGES)
def test_an_optimizer_that_was_refused_is_not_left_out_later(solver):
    model = drop_ins.with_own_arrays(solver=solver)
    twin = copy.deepcopy(model)
    (name, damaged), optimizer = DAMAGES[solver], vars(model)["_optimizer"]
    before = getattr(optimizer, name)
    setattr(optimizer, name, damaged(before))
    with pytest.raises((TypeError, ValueError)):
        drop_ins.partial_fit(model)
    setattr(optimizer, name, before)
    drop_ins.partial_fit(model), drop_ins.partial_fit(twin)
    assert drop_ins.numbers(model) == drop_ins.numbers(twin)


@pytest.mark.parametrize("solver", DAMAGES)
def test_an_optimizer_that_a_user_assigns_is_used(solver):
    model, other = (drop_ins.classifier(solver=solver) for _ in range(2))
    for _ in range(3):
        drop_ins.partial_fit(other)
    vars(model)["_optimizer"] = copy.deepcopy(vars(other)["_optimizer"])
    twin = pickle.loads(pickle.dumps(model))
    drop_ins.partial_fit(model), drop_ins.partial_fit(twin)
    assert drop_ins.numbers(model) == drop_ins.numbers(twin)


def test_a_fit_that_is_interrupted_counts_its_steps():
    counter = Points()
    counter.call(partial(drop_ins.partial_fit, drop_ins.classifier()))
    for point in range(counter.count - 20, counter.count + 1, 3):
        model = drop_ins.classifier()
        Points(point).call(partial(drop_ins.partial_fit, model))
        model.partial_fit(X, drop_ins.LABELS)
        steps = trained(model).learner.state.steps
        assert vars(model)["_optimizer"].t == steps, point
