"""Kernels called alone: arrays that share memory are refused, settings read once."""

import itertools

import numpy as np
import pytest

import bpcore as bp

N, N_IN, N_OUT = 3, 4, 5
A, DELTA, W = (N, N_IN), (N, N_OUT), (N_IN, N_OUT)
OUT, IN, MOMENTS = (N_OUT,), (N_IN,), (2, N_OUT)
ADAM = bp.Adam(0.1)

#: Of each kernel: its arrays and their shapes, those it writes first; how many it
#: writes; and what else it takes.
CASES = {
    "forward": ({"out": DELTA, "a": A, "W": W, "b": OUT}, 1, {}),
    "propagate": ({"out": A, "delta": DELTA, "W": W, "a": A}, 1, {}),
    "gradient": ({"dW": W, "db": OUT, "a": A, "delta": DELTA}, 2, {}),
    "update": (
        {"W": W, "b": OUT, "state_W": (2, *W), "state_b": (2, *OUT), "a": A,
         "delta": DELTA}, 4, {"optimizer": ADAM},
    ),
    "descend": (
        {"w": OUT, "state": (2, *OUT), "g": OUT}, 2, {"optimizer": ADAM},
    ),
    "add": ({"total": OUT, "g": OUT}, 1, {}),
    "normalise": (
        {"y": DELTA, "hat": DELTA, "inverse": OUT, "moments": MOMENTS, "gain": OUT,
         "shift": OUT}, 4, {"kind": "batch"},
    ),
    "normalise_back": (
        {"delta": DELTA, "dgain": OUT, "dshift": OUT, "hat": DELTA, "inverse": OUT,
         "gain": OUT}, 3, {"kind": "layer"},
    ),
    "follow": ({"running": MOMENTS, "moments": MOMENTS}, 1, {"n": 3}),
    "fold": (
        {"W_folded": W, "b_folded": OUT, "W": W, "shift": OUT, "gain": OUT,
         "running": MOMENTS}, 2, {},
    ),
    "scale_rows_back": (
        {"delta": DELTA, "dscale": OUT, "x": DELTA, "scale": OUT}, 2, {},
    ),
    "times_derivative": ({"delta": DELTA, "a": DELTA}, 1, {"activation": "tanh"}),
    "loss": ({"delta": DELTA, "z": DELTA, "y": DELTA}, 1, {"name": "huber"}),
}  # fmt: skip
#: Kernels whose `out` may be their x, but no part of it.
IN_PLACE = {
    "drop": {"key": 1, "p": 0.5},
    "add_noise": {"key": 1, "size": 1.0},
    "elementary": {"name": "exp"},
}


def separate(shapes, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(0.5, 1, shape).astype(dtype) for name, shape in
            shapes.items()}  # fmt: skip


def in_one_buffer(arrays, first, second, shift):
    """The same arrays in one buffer, the second `shift` elements after the first."""
    dtype, sizes = arrays[first].dtype, [arrays[first].size, arrays[second].size]
    buffer = np.full(sum(sizes) + abs(shift), 0.75, dtype)
    start = max(0, -shift)
    parts = {first: buffer[start : start + sizes[0]],
             second: buffer[start + shift : start + shift + sizes[1]]}  # fmt: skip
    return arrays | {name: part.reshape(arrays[name].shape)
                     for name, part in parts.items()}  # fmt: skip


PAIRS = [
    (kernel, written, other)
    for kernel, (shapes, n_written, _) in CASES.items()
    for written, other in itertools.product(list(shapes)[:n_written], shapes)
    if written != other
]


@pytest.mark.parametrize(("kernel", "written", "other"), PAIRS)
def test_shared_memory_is_refused(kernels, dtype, kernel, written, other):
    shapes, _, more = CASES[kernel]
    arrays = separate(shapes, dtype)
    call = getattr(kernels, kernel)
    first, second = arrays[written].size, arrays[other].size
    for shift in (0, 1, first - 1, 1 - second):
        shared = in_one_buffer(arrays, written, other, shift)
        before = {name: array.copy() for name, array in shared.items()}
        with pytest.raises(ValueError, match="must not share memory with") as caught:
            call(**shared, **more)
        assert written in str(caught.value) and other in str(caught.value)
        assert all(np.array_equal(before[name], shared[name]) for name in shared)
    for shift in (first, -second):  # neighbours
        call(**in_one_buffer(arrays, written, other, shift), **more)


@pytest.mark.parametrize("kernel", CASES)
def test_arrays_that_are_only_read_may_be_one(kernels, dtype, kernel):
    shapes, n_written, more = CASES[kernel]
    arrays = separate(shapes, dtype)
    reads = list(shapes)[n_written:]
    for first, second in itertools.combinations(reads, 2):
        if shapes[first] == shapes[second]:
            getattr(kernels, kernel)(**arrays | {second: arrays[first]}, **more)


@pytest.mark.parametrize("shift", (1, -1, 11))
@pytest.mark.parametrize("kernel", IN_PLACE)
def test_out_may_be_x_but_no_part_of_it(kernels, dtype, kernel, shift):
    shape = (12,) if kernel == "elementary" else (3, 4)
    x = np.linspace(0.1, 1, 12, dtype=dtype).reshape(shape)
    out = np.empty_like(x)
    call, more = getattr(kernels, kernel), IN_PLACE[kernel]
    call(x=x, out=out, **more)
    same = x.copy()
    call(x=same, out=same, **more)
    assert np.array_equal(same, out)
    arrays = {"x": x, "out": out}
    with pytest.raises(ValueError, match="out must not share memory with x"):
        call(**in_one_buffer(arrays, "x", "out", shift), **more)


def test_labels_and_weights_of_a_loss(kernels):
    z, delta = np.ones((3, 3)), np.ones((3, 3))
    flat = delta.reshape(-1)
    with pytest.raises(ValueError, match="delta must not share memory with weight"):
        kernels.loss(z, delta, "huber", y=z, weight=flat[:3])
    labels = flat[:3].view(np.int64)
    labels[...] = 0
    with pytest.raises(ValueError, match="delta must not share memory with labels"):
        kernels.loss(z, delta, "cross_entropy", labels=labels)


def test_settings_that_are_read_once(kernels, dtype):
    """Other optimizers or earlier steps in between do not change the result."""
    sequence = [
        (bp.SGD(0.1), 1), (ADAM, 1), (ADAM, 2), (bp.SGD(0.1), 1), (ADAM, 1),
        (bp.Adam(0.2), 7), (ADAM, 7), (ADAM, 3), (bp.RMSprop(0.1), 2), (ADAM, 4),
    ]  # fmt: skip
    for optimizer, step in sequence:
        arrays = separate({"w": OUT, "g": OUT}, dtype)
        states = np.zeros((len(optimizer.states), *OUT), dtype)
        kernels.descend(**arrays, optimizer=optimizer, state=states, step=step)
        again = separate({"w": OUT, "g": OUT}, dtype)
        fresh = optimizer.replace()
        states = np.zeros_like(states)
        kernels.descend(**again, optimizer=fresh, state=states, step=step)
        assert np.array_equal(arrays["w"], again["w"])
    with pytest.raises(ValueError, match="step must be a whole number of at least 1"):
        kernels.descend(**arrays, optimizer=ADAM, state=np.zeros((2, 5), dtype), step=0)
    with pytest.raises(ValueError, match=r"state must have shape \(2, 5\)"):
        kernels.descend(**arrays, optimizer=ADAM, state=np.zeros((1, 5), dtype))
    with pytest.raises(ValueError, match="got None"):
        kernels.descend(**arrays, optimizer=ADAM)


def test_rates_by_turns_cost_no_recount(kernels):
    """Powers are carried from one optimizer to another with the same decays."""
    found = {}
    for step in (7, 3_000_000, 8, 3_000_001):
        for lr in (0.1, 0.2):
            for _ in range(2):
                w = np.ones(5)
                optimizer = bp.Adam(lr, beta2=0.99999)
                kernels.descend(w, np.ones(5), optimizer, np.zeros((2, 5)), step)
                assert np.array_equal(found.setdefault((step, lr), w), w)
