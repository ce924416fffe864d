"""Optimizer subclasses that name fewer state arrays than their rule uses: refused.

The kernels would write past the arrays.
"""

import dataclasses

import numpy as np
import pytest

import bpcore as bp
from helpers.kernels import OPTIMIZERS

X, Y = np.ones((4, 3), "f4"), np.ones((4, 2), "f4")
WITH_STATES = [each for each in OPTIMIZERS if each.states]


def with_fewer(optimizer, by):
    """The optimizer, of a subclass that leaves out its last array."""
    Optimizer = type(optimizer)
    fewer = property(lambda self: getattr(super(Poor, self), by)[:-1])
    Poor = type(f"Poor{Optimizer.__name__}", (Optimizer,), {by: fewer})
    names = [field.name for field in dataclasses.fields(optimizer) if field.init]
    return Poor(**{name: getattr(optimizer, name) for name in names})


@pytest.mark.parametrize("by", ["states", "kept"])
@pytest.mark.parametrize("optimizer", WITH_STATES, ids=str)
def test_fewer_arrays_than_the_rule_uses(optimizer, by):
    poor = with_fewer(optimizer, by)
    expected = f"states of {type(poor).__name__} must name at least"
    with pytest.raises(ValueError, match=expected):
        bp.Network([3, 4, 2], optimizer=poor)
    net, twin = bp.Network([3, 4, 2], rng=0), bp.Network([3, 4, 2], rng=0)
    with pytest.raises(ValueError, match=expected):
        net.optimizer = poor
    assert net.optimizer == twin.optimizer
    assert net.train_step(X, Y) == twin.train_step(X, Y)
    if poor.both()[0].kept or by == "states":
        w, states = np.ones(5), np.ones((len(poor.states), 5))
        if optimizer.both()[0].kept:  # the kernels take the settings of the weights
            with pytest.raises(ValueError, match=expected):
                bp.kernels.descend(w, w.copy(), poor, states)
            assert (w == 1).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_the_library_s_own_name_enough(optimizer):
    net = bp.Network([3, 4, 2], optimizer=optimizer)
    assert np.isfinite(net.train_step(X, Y))


def test_more_arrays_than_the_rule_uses():
    class Rich(bp.SGD):
        @property
        def states(self):
            return (*super().states, "spare")

    net = bp.Network([3, 4, 2], optimizer=Rich(0.1, momentum=0.9))
    assert np.isfinite(net.train_step(X, Y))
