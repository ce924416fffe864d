"""Kernels give the same bits for every build, shape, packing and way to call them."""

import itertools

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch
from helpers.kernels import (
    KERNELS,
    LOSSES,
    PACKED,
    assert_close,
    assert_same_bits,
    draw,
    each_kernel,
    edges,
    every_size,
    run,
    triples,
    without,
)


@each_kernel()
def test_bits_of_every_build(isa, kernels, dtype, name, settings):
    """They equal those of the scalar build, for any tile, vector and alignment."""
    for sizes in every_size(dtype, name, settings):
        arrays = draw(name, settings, sizes, dtype)
        given = run(kernels, name, arrays, settings)
        with dispatch.using("scalar"):
            wanted = run(kernels, name, arrays, settings, guard=0)
        if isa == "x86_64_v2":  # rounds every product: the one exception
            assert_close(given, wanted, name, settings, sizes, dtype)
        else:
            assert_same_bits(given, wanted, sizes)


@each_kernel(lambda name, settings: "activation" in settings)
def test_bits_of_a_row_alone(kernels, dtype, name, settings):
    by_row = {key for key, shape in KERNELS[name].shapes.items() if shape[:2] == "n "}
    for sizes in every_size(dtype, name, settings):
        if sizes[0] == 1:
            continue
        arrays = draw(name, settings, sizes, dtype)
        batch = run(kernels, name, arrays, settings)
        for i in {0, sizes[0] - 1}:
            row = slice(i, i + 1)
            alone = {key: x[row] if key in by_row else x for key, x in arrays.items()}
            given = run(kernels, name, alone, settings)
            assert_same_bits(given, {key: x[row] for key, x in batch.items()}, sizes)


@each_kernel(lambda name, settings: name == "update")
def test_bits_of_update_are_those_of_gradient_then_descend(
    kernels, dtype, name, settings
):
    """For several steps, one after another."""
    optimizer = settings["optimizer"]
    for sizes in every_size(dtype, name, settings):
        stepped = draw(name, settings, sizes, dtype)
        sums = draw("gradient", {}, sizes, dtype)
        sums |= {"a": stepped["a"], "delta": stepped["delta"]}
        gradients = run(kernels, "gradient", sums, {})
        stored = {key: stepped[key] for key in stepped.keys() - {"a", "delta"}}
        for step in (1, 2, 9):
            at = {"optimizer": optimizer, "step": step}
            stepped |= run(kernels, name, stepped, at)
            for w in ("W", "b"):
                flat = {"w": stored[w].ravel(), "g": gradients[f"d{w}"].ravel()}
                if f"state_{w}" in stored:
                    state = stored[f"state_{w}"]
                    flat["state"] = state.reshape(len(state), -1)
                given = run(kernels, "descend", flat, at)
                stored[w] = given["w"].reshape(stored[w].shape)
                if "state" in given:
                    stored[f"state_{w}"] = given["state"].reshape(state.shape)
            assert_same_bits({key: stepped[key] for key in stored}, stored, sizes)


def test_bits_do_not_depend_on_packing(kernels, dtype):
    """For products larger than every block, so that sums are kept between blocks.

    A single row takes the same columns unpacked, `gradient` has sums wait in dW.
    """
    (rows, columns), k = PACKED, 1163
    assert k > 2 * bp.config()["blocks"][dtype]["kc"]
    arrays = draw("forward", {}, (rows, k, columns), dtype)
    batch = run(kernels, "forward", arrays, {})["out"]
    for i in (0, rows // 2, rows - 1):
        row = {"a": arrays["a"][i : i + 1], "out": np.full_like(batch[:1], np.nan)}
        given = run(kernels, "forward", arrays | row, {})
        assert_same_bits(given, {"out": batch[i]}, i)
    sums = draw("gradient", {}, (k, rows, columns), dtype)
    gradients = run(kernels, "gradient", sums, {})
    step = {"a": sums["a"], "delta": sums["delta"]}
    step |= {"W": np.zeros_like(sums["dW"]), "b": np.zeros_like(sums["db"])}
    given = run(kernels, "update", step, {"optimizer": bp.SGD(1)})  # 0 - 1 dW
    assert_same_bits(given, {"W": -gradients["dW"], "b": -gradients["db"]}, k)


@pytest.mark.parametrize("wide", [1, 5, 255, 256, 257, 511, 512, 513, 771, 1300])
@pytest.mark.parametrize("narrow", [1, 3, 7, 8, 9, 16, 33])
def test_bits_of_a_row_alone_in_a_wide_layer(kernels, dtype, narrow, wide):
    """Its sums have several chains, of which some are computed at a time."""
    for sizes in ((6, narrow, wide), (6, wide, narrow)):
        for name, shape in (("forward", sizes[1:]), ("propagate", sizes[1:])):
            arrays = draw(name, {}, sizes, dtype)
            batch = run(kernels, name, arrays, {})["out"]
            for rows in (1, 2, 4):
                some = {
                    key: x if x.shape == shape or x.ndim == 1 else x[:rows]
                    for key, x in arrays.items()
                }
                given = run(kernels, name, some, {})
                assert_same_bits(given, {"out": batch[:rows]}, (sizes, rows))


def test_bits_of_few_rows_by_a_large_W(kernels, dtype):
    """A W that is in no near cache, in several strips of columns."""
    sizes = (6, 2001, 1101)
    blocks = bp.config()["blocks"][dtype]
    assert 2001 * 1101 * np.dtype(dtype).itemsize > blocks["l2"]
    arrays = draw("forward", {}, sizes, dtype)
    batch = run(kernels, "forward", arrays, {})["out"]
    for rows in range(1, 6):
        some = {key: arrays[key][:rows] for key in ("a", "out")}
        given = run(kernels, "forward", arrays | some, {})
        assert_same_bits(given, {"out": batch[:rows]}, rows)


@pytest.mark.parametrize("name", ["update", "descend"])
def test_a_state_that_no_rule_uses_is_not_touched(kernels, dtype, name):
    """Where only the rule of biases has one, and where there is none."""
    plain = {"optimizer": bp.SGD(0.5, weight_decay=0.25)}
    of_biases = {"optimizer": plain["optimizer"].replace(biases={"momentum": 0.5})}
    for sizes in triples(edges(dtype)[:-2]):
        arrays = draw(name, of_biases, sizes, dtype)
        states = {key: x for key, x in arrays.items() if "state" in key}
        assert states
        wanted = run(kernels, name, without(arrays, *states), plain) | states
        for settings in (plain, of_biases):
            given = run(kernels, name, arrays, settings)
            assert_same_bits(given, wanted, sizes)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_bits_of_labels_are_those_of_one_hot_targets(
    kernels, dtype, weighted, smoothing
):
    settings = {"name": "cross_entropy", "setting": smoothing}
    for n, n_out in itertools.product((1, 7, 33), edges(dtype)):
        arrays = draw("loss", settings, (n, 1, n_out), dtype)
        arrays = arrays if weighted else without(arrays, "weight")
        labels = np.random.default_rng(n_out).integers(0, n_out, n)
        arrays["y"] = np.eye(n_out, dtype=dtype)[labels]
        labels.flags.writeable = False
        wanted = run(kernels, "loss", arrays, settings)
        by_label = settings | {"labels": labels}
        given = run(kernels, "loss", without(arrays, "y"), by_label)
        assert_same_bits(given, wanted, (n, n_out))


@pytest.mark.parametrize("settings", LOSSES, ids=str)
def test_bits_without_weights_are_those_of_equal_weights(kernels, dtype, settings):
    arrays = draw("loss", settings, (13, 1, 37), dtype) | {"weight": np.ones(13)}
    given = run(kernels, "loss", without(arrays, "weight"), settings)
    assert_same_bits(given, run(kernels, "loss", arrays, settings), settings)
