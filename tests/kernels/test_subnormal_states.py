"""Velocities and decaying means become 0 instead of subnormal numbers."""

import numpy as np
import pytest

import bpcore as bp
from bpcore import reference

OPTIMIZERS = {
    "momentum": bp.SGD(0.1, momentum=0.9),
    "Nesterov": bp.SGD(0.1, momentum=0.9, nesterov=True),
    "momentum and l1": bp.SGD(0.1, momentum=0.9, l1=1e-9),
    "Momentum": bp.Momentum(0.1),
    "RMSprop": bp.RMSprop(0.1, momentum=0.9, centered=True),
    "Adam": bp.Adam(0.1),
    "AdamW": bp.AdamW(0.1),
    "Nadam": bp.Nadam(0.1),
    "RAdam": bp.RAdam(0.1),
    "Adamax": bp.Adamax(0.1),
    "Lion": bp.Lion(0.1),
}
SIZES = [1, 40]  # a tail, and whole registers


@pytest.mark.parametrize("library", ["kernels", "reference"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_states_decay_to_0(kernels, dtype, optimizer, size, library):
    tiny = np.finfo(dtype).tiny
    state = np.full((len(optimizer.states), size), 1.1 * tiny, dtype)
    w, g = np.zeros(size, dtype), np.zeros(size, dtype)
    for step in range(1, 4):
        if library == "kernels":
            kernels.descend(w, g, optimizer, state, step)
        else:
            group = optimizer.groups()[0]
            reference.descend(w, g, group, optimizer.lr, step, state)
    assert not ((np.abs(state) > 0) & (np.abs(state) < tiny)).any()


@pytest.mark.parametrize("sign", [-1, 1])
def test_smallest_normal_numbers_are_kept(kernels, dtype, sign):
    tiny = sign * np.finfo(dtype).tiny
    state = np.zeros((1, 3), dtype)
    w, g = np.zeros(3, dtype), np.array([tiny, tiny / 2, np.nan], dtype)
    kernels.descend(w, g, bp.SGD(0.1, momentum=0.9), state, 1)
    assert state[0, :2].tolist() == [tiny, 0] and np.isnan(state[0, 2])
