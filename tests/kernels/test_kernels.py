"""Every kernel against its twin in bpcore.reference: numbers, NaN and zero."""

import itertools
import sys
from functools import partial

import numpy as np
import pytest

import bpcore as bp
from helpers.kernels import (
    GUARD,
    JUMPS,
    KERNELS,
    LOSSES,
    PLAIN,
    SENTINEL,
    STEPS,
    TOLERANCE,
    assert_close,
    assert_equal,
    draw,
    each_kernel,
    edges,
    every_size,
    rule,
    run,
    sizes_of,
    triples,
    twin,
)
from trust.safety.guard_pages import guarded

#: The twin computes in more digits than the kernel it is compared with.
WIDER = {"float32": np.float64, "float64": np.longdouble}


# --- numbers --------------------------------------------------------------------------


def test_every_function_is_tested():
    functions = {name for name, it in vars(bp.kernels).items() if callable(it)}
    public = {name for name in functions if name[0].islower()}
    others = {"all_between", "fma_loop", "elementary"}  # below; test_elementary.py
    others |= {"use", "in_use", "table"}  # builds: test_dispatch.py
    others |= {"scratch_bytes"}  # test_kernel_errors.py
    others |= {"set_blocks"}  # test_blocking.py
    others |= {"robust_scale"}  # tests/tabular/test_encoder.py
    assert public == KERNELS.keys() | others


def test_every_name_is_tested():
    assert {rule(settings) for settings in STEPS} == bp.kernels.RULES.keys()
    assert {settings["name"] for settings in LOSSES} == bp.kernels.LOSSES.keys()


@each_kernel()
def test_close_to_its_twin(kernels, dtype, name, settings):
    for sizes in every_size(dtype, name, settings):
        arrays = draw(name, settings, sizes, dtype)
        given = run(kernels, name, arrays, settings)
        wanted = twin(name, arrays, settings, WIDER[dtype])
        assert_close(given, wanted, name, settings, sizes, dtype)


#: What gives exact results from small integers: nothing that divides or takes exp.
EXACT = {
    "forward": ("identity", "relu", "hard_tanh", "step"),
    "propagate": ("identity", "relu", "hard_tanh", "step", "sigmoid", "tanh", "elu",
                  "softsign", "exp", "softmax"),
    "update": (*PLAIN, "sgd", "momentum", *JUMPS),
    "gradient": (None,),
    "add": (None,),
}  # fmt: skip
EXACT |= {
    "activate": EXACT["forward"],
    "times_derivative": EXACT["propagate"],
    "descend": EXACT["update"],
}


def needs_no_rounding(name, settings):
    if name == "drop":
        return settings["p"] <= 0.5
    return (settings.get("activation") or rule(settings)) in EXACT.get(name, ())


@each_kernel(needs_no_rounding)
def test_exact_on_small_integers(kernels, dtype, name, settings):
    for sizes in every_size(dtype, name, settings):
        arrays = draw(name, settings, sizes, dtype, integers=True)
        given = run(kernels, name, arrays, settings)
        assert_equal(given, twin(name, arrays, settings, "float64"), sizes)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("forward", {}),
        ("propagate", {}),
        ("gradient", {}),
        ("update", {"optimizer": bp.SGD(0.5, momentum=0.5), "step": 1}),
        ("update", {"optimizer": bp.Momentum(0.5, 0.5), "step": 1}),
    ],
    ids=str,
)
def test_every_shape_of_tile(kernels, dtype, name, settings):
    build = bp.config()
    rows, columns = build["tile_rows"], build["tile_columns"][dtype]
    product = KERNELS[name].shapes[KERNELS[name].written[0]].split()
    for tile in itertools.product(range(1, rows + 2), range(1, columns + 2)):
        shape = dict(zip(product, tile, strict=True))
        sizes = [shape.get(size, 3) for size in ("n", "n_in", "n_out")]
        arrays = draw(name, settings, sizes, dtype, integers=True)
        given = run(kernels, name, arrays, settings)
        assert_equal(given, twin(name, arrays, settings, "float64"), sizes)


def test_identity_matrix(kernels, dtype):
    """A I = A and I A = A, exactly."""
    rows = bp.config()["tile_rows"] + 1
    for size in edges(dtype):
        I = np.eye(size, dtype=dtype)
        A = np.random.default_rng(size).normal(size=(rows, size)).astype(dtype)
        B = A.T.copy()
        zeros, nan = np.zeros(size, dtype), np.full_like(A, np.nan)
        calls = (
            ("forward", {"a": A, "W": I, "b": zeros, "out": nan}, A),
            ("propagate", {"delta": A, "W": I, "a": A, "out": nan}, A),
            ("forward", {"a": I, "W": B, "b": B[0] * 0, "out": nan.T}, B),
            ("gradient", {"a": I, "delta": B, "dW": nan.T, "db": nan[:, 0]}, B),
        )
        for name, arrays, wanted in calls:
            product, *_ = run(kernels, name, arrays, {}).values()
            assert np.array_equal(product, wanted), (name, size)


def test_all_between(kernels, dtype):
    for size in edges(dtype):
        x = np.random.default_rng(size).uniform(-1, 1, size).astype(dtype)
        low, high = x.min(), x.max()
        buffer = np.full(size + 2 * GUARD, np.nan, dtype)
        inside = buffer[GUARD:-GUARD]
        inside[...] = x
        x = inside.view()
        x.flags.writeable = False
        assert kernels.all_between(x, low, high) is True
        below, above = low - np.spacing(abs(low)), high + np.spacing(abs(high))
        for i, bad in itertools.product(range(size), (below, above, np.nan)):
            kept, inside[i] = inside[i], bad
            assert kernels.all_between(x, low, high) is False, (size, i, bad)
            inside[i] = kept


def test_all_between_of_nothing_and_of_infinities(kernels, dtype):
    assert kernels.all_between(np.empty(0, dtype), 1, 0) is True
    infinities = np.array([-np.inf, np.inf] * 20, dtype)
    assert kernels.all_between(infinities, -np.inf, np.inf) is True
    assert kernels.all_between(infinities, -np.inf, np.finfo(dtype).max) is False


@pytest.mark.parametrize("iterations", [0, 1, 1000])
def test_fma_loop(kernels, dtype, iterations):
    """Ten vectors of sums 0 .. 9, each times 0.999 plus out[0] in every iteration."""
    buffer = np.array([SENTINEL, 0.25, SENTINEL], dtype)
    count = kernels.fma_loop(buffer[1:2], iterations)
    lanes = bp.config()["tile_columns"][dtype] // 2
    assert count == iterations * 10 * lanes
    factor = float(np.dtype(dtype).type(0.999))
    wanted = 45.0
    for _ in range(iterations):
        wanted = wanted * factor + 10 * 0.25
    assert float(buffer[1]) == pytest.approx(wanted, rel=10 * TOLERANCE[dtype])
    assert buffer[0] == buffer[2] == SENTINEL


before_a_wall = partial(guarded, at_end=True)
behind_a_wall = partial(guarded, at_end=False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mprotect")
@each_kernel()
def test_nothing_outside_an_array_is_touched(kernels, dtype, name, settings):
    """Neither written nor read: reading, which guard bands cannot show, would crash."""
    for i, sizes in enumerate(triples(sizes_of(dtype, name, settings))):
        arrays = draw(name, settings, sizes, dtype)
        run(kernels, name, arrays, settings, guard=0, empty=before_a_wall)
        if i % 4 == 0:  # vectors that are read backwards are no part of any kernel
            run(kernels, name, arrays, settings, guard=0, empty=behind_a_wall)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mprotect")
def test_nothing_outside_is_touched_by_other_functions(kernels, dtype):
    for size, place in itertools.product(
        (1, 3, 8, 16, 17, 33), (before_a_wall, behind_a_wall)
    ):
        x, out = place(size, dtype), place(size, dtype)
        x[...] = 0.5
        for name in kernels.ELEMENTARY:
            kernels.elementary(name, x, out)
        assert kernels.all_between(x, 0.5, 0.5)
        labels, z = place(size, "int64"), place(3 * size, dtype).reshape(size, 3)
        labels[...], z[...] = np.arange(size) % 3, 0.25
        delta = place(3 * size, dtype).reshape(size, 3)
        for name in ("cross_entropy", "log_loss"):
            kernels.loss(z, delta, name, labels=labels)
        columns = place(size, "float64")
        columns[...] = 1
        table = place(3 * size, "float64").reshape(3, size)
        table[...] = 2
        scaled = place(3 * size, "float32").reshape(3, size)
        assert kernels.robust_scale(table, columns, columns, scaled)


# --- NaN and zero ---------------------------------------------------------------------


def twin_keeps_nan(name, settings):
    """Except for `step` and constant derivatives (test_training_kernels.py)."""
    named = settings.get("activation"), settings.get("name")
    return not {"step", "hinge", "quantile"} & {*named}


@each_kernel(twin_keeps_nan)
def test_nan_spreads_as_in_the_twin(kernels, dtype, name, settings):
    arrays = draw(name, settings, (9, 40, 21), dtype)
    if "a" in arrays:
        arrays["a"] = abs(arrays["a"])  # where relu is 0 the kernels pass over delta
    optimizer = settings.get("optimizer")
    decoupled = ("w", "W", "b") if optimizer and optimizer.decoupled else ()
    for argument in arrays.keys() - {*KERNELS[name].overwritten, "weight"}:
        if argument.startswith("state") and rule(settings) in ("amsgrad", "adamax"):
            continue  # a largest square that is NaN is forgotten; it never is alone
        for i in (0, arrays[argument].size // 2, -1):
            poisoned = arrays | {argument: arrays[argument].copy()}
            poisoned[argument].flat[i] = np.nan
            given = run(kernels, name, poisoned, settings)
            wanted = twin(name, poisoned, settings, "float64")
            for key in given:
                if key.startswith("state") and argument in decoupled:
                    continue  # the kernels add 0 w to the gradient, which is NaN
                same = np.isnan(given[key]) == np.isnan(wanted[key])
                assert same.all(), (argument, i, key)


def test_relu_keeps_negative_zero(kernels, dtype):
    zeros = np.full((3, 37), -0.0, dtype)
    activated, product = zeros.copy(), np.full_like(zeros, np.nan)
    kernels.activate(activated, "relu")
    kernels.forward(np.zeros((3, 1), dtype), zeros[:1] - 1, zeros[0], product, "relu")
    for z in (activated, product):
        assert np.signbit(z).all() and not z.any()
