"""Errors of kernels: wrong shapes, dtypes, memory layouts, names and settings."""

import re
from contextlib import contextmanager

import numpy as np
import pytest

import bpcore as bp
from helpers.kernels import KERNELS, TOLERANCE, draw, each_kernel, rule, without

SIZES = (3, 5, 7)
ARGUMENTS = [(name, key) for name, kernel in KERNELS.items() for key in kernel.shapes]
WRITTEN = [(name, key) for name, key in ARGUMENTS if key in KERNELS[name].written]
each_argument = pytest.mark.parametrize(("name", "key"), ARGUMENTS)


@contextmanager
def refused(arrays, message=None, errors=ValueError):
    """The call inside raises, and does not change the arrays."""
    before = {name: array.tobytes() for name, array in arrays.items()}
    with pytest.raises(errors, match=message):
        yield
    assert before == {name: array.tobytes() for name, array in arrays.items()}


def drawn(name, dtype):
    return draw(name, KERNELS[name].settings[-1], SIZES, dtype)


def call(name, arrays, settings=None):
    settings = KERNELS[name].settings[-1] if settings is None else settings
    getattr(bp.kernels, name)(**arrays, **settings)


def resized(arrays, key, axis, change):
    """The arrays, one of them resized: `change` maps its size to the new one."""
    shape = list(arrays[key].shape)
    shape[axis] = change(shape[axis])
    return arrays | {key: np.ones(shape, arrays[key].dtype)}


@each_argument
def test_shapes_must_agree(dtype, name, key):
    """The first argument with a size sets it; the error names the next one."""
    shapes = KERNELS[name].shapes
    for axis, size in enumerate(shapes[key].split()):
        having = [k for k, shape in shapes.items() if size in shape.split()]
        follows = size in ("2", "longest", "states")  # of others, or of nothing
        if follows or len(having) > 1:
            named = having[1] if key == having[0] and not follows else key
            arrays = resized(drawn(name, dtype), key, axis, lambda size: size + 1)
            message = f"^{named} must have shape .*; got "
            with refused(arrays, message + re.escape(f"{arrays[named].shape}") + "$"):
                call(name, arrays)


@each_argument
def test_arrays_must_not_be_empty(dtype, name, key):
    for axis, _ in enumerate(KERNELS[name].shapes[key].split()):
        arrays = resized(drawn(name, dtype), key, axis, lambda size: 0)
        got = re.escape(str(arrays[key].shape))
        with refused(arrays, f"^{key} must .*; got .*{got}$"):
            call(name, arrays)


@each_argument
def test_arrays_must_be_given(dtype, name, key):
    arrays = drawn(name, dtype)
    optional = name == "loss" and key == "weight"
    if not optional:
        with refused(without(arrays, key), errors=(TypeError, ValueError)):
            call(name, arrays | {key: None})


@each_argument
def test_arrays_must_be_of_one_dtype(dtype, name, key):
    arrays = drawn(name, dtype)
    alone = TOLERANCE if len(arrays) == 1 else ()  # then either dtype will do
    others = {"float16", "float32", "float64", "int64"}
    for other in others - {arrays[key].dtype.name, *alone}:
        mixed = arrays | {key: np.ones_like(arrays[key], other)}
        with refused(mixed, errors=(TypeError, ValueError)):
            call(name, mixed)


@each_argument
def test_arrays_must_be_contiguous(dtype, name, key):
    arrays = drawn(name, dtype)
    strided = arrays | {key: np.repeat(arrays[key], 2, axis=-1)[..., ::2]}
    with refused(strided, "contiguous"):
        call(name, strided)


@each_argument
def test_arrays_must_have_as_many_axes(dtype, name, key):
    arrays = drawn(name, dtype)
    with refused(arrays, errors=(TypeError, ValueError)):
        call(name, arrays | {key: arrays[key][None]})


@pytest.mark.parametrize(("name", "key"), WRITTEN)
def test_outputs_must_be_writeable(dtype, name, key):
    arrays = drawn(name, dtype)
    arrays[key].flags.writeable = False
    with refused(arrays, "read-only"):
        call(name, arrays)


@pytest.mark.parametrize("unknown", ["Relu", "", None])
@pytest.mark.parametrize("name", ["forward", "propagate", "activate", "loss"])
def test_unknown_names(dtype, name, unknown):
    arrays = drawn(name, dtype)
    what = next(iter(KERNELS[name].settings[0]))
    known = {"name": bp.kernels.LOSSES}.get(what, bp.kernels.ACTIVATIONS)
    message = f"^{what} must be one of {', '.join(known)}; got {unknown!r}$"
    with refused(arrays, message):
        call(name, arrays, {what: unknown})


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("limit_norms", {"most": 0}, "most must be above 0; got 0.0"),
        ("limit_norms", {"most": np.nan}, "most must be above 0; got nan"),
        ("clip_norm", {"most": -1}, "most must be above 0; got -1.0"),
        ("clip_norm", {"most": np.nan}, "most must be above 0; got nan"),
        (
            "normalise",
            {"kind": "Batch"},
            "kind must be 'batch' or 'layer'; got 'Batch'",
        ),
        ("normalise_back", {"kind": None}, "kind must be 'batch' or 'layer'; got None"),
        ("drop", {"key": 0, "p": -0.5}, "p must be at least 0 and below 1; got -0.5"),
        ("drop", {"key": 0, "p": 1}, "p must be at least 0 and below 1; got 1.0"),
        ("drop", {"key": 0, "p": np.nan}, "p must be .* below 1; got nan"),
        ("add_noise", {"key": 0, "size": -1}, "size must be at least 0; got -1.0"),
        ("add_noise", {"key": 0, "size": np.nan}, "size must be at least 0; got nan"),
    ],
)
def test_settings_out_of_range(dtype, name, settings, message):
    arrays = drawn(name, dtype)
    with refused(arrays, f"^{message}$"):
        call(name, arrays, settings)


@pytest.mark.parametrize("name", ["update", "descend"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": bp.Rprop(), "step": 0}, "step must be .* at least 1 .*; got 0"),
        ({"optimizer": bp.LBFGS()}, "LBFGS is no step of the kernels'"),
    ],
)
def test_steps_that_are_none(dtype, name, settings, message):
    arrays = drawn(name, dtype)
    with refused(arrays, f"^{message}$"):
        call(name, arrays, settings)


@each_kernel(lambda name, settings: rule(settings) and settings["optimizer"].states)
def test_rules_need_their_states(dtype, name, settings):
    arrays = draw(name, settings, SIZES, dtype)
    names = ", ".join(settings["optimizer"].states)
    for key in (key for key in arrays if key.startswith("state")):
        message = rf"^{key} must have shape \(.*\), for {names}; got None$"
        with refused(without(arrays, key), message):
            call(name, without(arrays, key), settings)


Y = np.ones((3, 7))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("cross_entropy", {}, "exactly one of y and labels must be given"),
        ("cross_entropy", {"y": Y, "labels": [0, 1, 2]}, "exactly one of y and labels"),
        ("cross_entropy", {"labels": [0, 1]}, r"labels must .* \(3,\); got \(2,\)"),
        ("cross_entropy", {"labels": [0, 1, 7]}, r"labels must lie in 0 \.\. 6; got 7"),
        ("cross_entropy", {"labels": [-1, 0, 1]}, r"labels must .* 0 \.\. 6; got -1"),
        ("squared_error", {"labels": [0, 1, 2]}, "squared_error takes y; got labels"),
        ("squared_error", {"y": Y, "weight": [0, 0, 0]}, "weight .* 0; got 0.0"),
        ("squared_error", {"y": Y, "weight": [1, -3, 1]}, "weight .* 0; got -1.0"),
        ("squared_error", {"y": Y, "weight": [1, np.nan, 1]}, "weight .* 0; got nan"),
    ],
)
def test_targets_and_weights_of_loss(dtype, name, given, message):
    arrays = without(drawn("loss", dtype), "y", "weight")
    dtypes = {"y": dtype, "labels": "int64", "weight": "float64"}
    arrays |= {key: np.array(x, dtypes[key]) for key, x in given.items()}
    with refused(arrays, message):
        call("loss", arrays, {"name": name})


@pytest.mark.parametrize("other", ("int32", "uint64", "float64"))
def test_labels_must_be_int64(dtype, other):
    arrays = without(drawn("loss", dtype), "y")
    arrays["labels"] = np.zeros(3, other)
    with refused(arrays):
        call("loss", arrays, {"name": "cross_entropy"})


@pytest.mark.parametrize(
    "x",
    (np.zeros(3, "int64"), np.zeros(3, "float16"), np.zeros((1, 3))),
    ids=["int64", "float16", "two axes"],
)
@pytest.mark.parametrize("name", ["all_between", "fma_loop"])
def test_plain_arrays_of_one_axis(name, x):
    settings = {"all_between": (0, 1), "fma_loop": (1,)}[name]
    with refused({"x": x}, errors=(TypeError, ValueError)):
        getattr(bp.kernels, name)(x, *settings)


def test_fma_loop_needs_an_element(dtype):
    with pytest.raises(ValueError, match=r"^out must not be empty; got shape \(0,\)$"):
        bp.kernels.fma_loop(np.empty(0, dtype), 1)


SHAPES = [(1, 1), (1, 513), (513, 1), (64, 64), (256, 512), (100, 8192), (128, 1024)]
SHAPES += [(784, 1024), (1024, 1024), (367, 373), (2048, 10), (10, 2048), (3000, 3000)]


@pytest.mark.parametrize(
    "sizes", [(0, 3, 4), (3, 0, 4), (3, 4, -1), (2**62, 2**62, 2**62)]
)
def test_scratch_bytes_of_no_layer(dtype, sizes):
    with pytest.raises(
        ValueError, match=r"^n\w* must be .* at least 1 and at most 16777216; got"
    ):
        bp.kernels.scratch_bytes(dtype, *sizes)


def test_scratch_bytes_of_another_dtype():
    with pytest.raises(ValueError, match=r"^dtype must be float32 or float64"):
        bp.kernels.scratch_bytes("float16", 1, 1, 1)


def test_there_is_room_for_every_product(kernels, dtype):
    """For the mini-batches of a workspace, and for all smaller ones."""
    rows = [*range(1, 300, 7), *range(250, 262), *range(500, 520), 819, 820, 911]
    rows += [*range(1020, 1030), 1500, 2049, 5000, 70000]
    for n_in, n_out in SHAPES:
        most = before = 0
        for n in sorted(rows):
            room, taken = kernels.scratch_bytes(dtype, n, n_in, n_out)
            most = max(most, taken)
            assert most <= room and before <= room, (n, n_in, n_out)
            before = room
    # There may be thousands of small networks.
    assert kernels.scratch_bytes(dtype, 256, 64, 64)[0] < 300_000


@pytest.mark.parametrize(
    "fields",
    [
        [("x", "f4"), ("y", "O")],
        [("x", "f8"), ("y", "i4")],
        [("x", "f4"), ("y", "f8"), ("z", "S3")],
        [("x", [("a", "f8"), ("b", "f4")])],
        [("x", "f4", 2)],
    ],
)
@each_argument
def test_records_are_refused(dtype, name, key, fields):
    """Cython's check of formats reads address 0 where a second type follows."""
    arrays = drawn(name, dtype)
    records = arrays | {key: np.zeros(arrays[key].shape, fields)}
    with refused(arrays, errors=(TypeError, ValueError)):
        call(name, records)


NAME = "x" * 10**5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: bp.kernels.activate(x, NAME),
        lambda x: bp.kernels.elementary(NAME, x[0], x[0]),
        lambda x: bp.kernels.loss(x, x, NAME, x),
        lambda x: bp.kernels.descend(x[0], x[0], NAME),
        lambda x: bp.kernels.normalise(x, x, x[0], x, x[0], x[0], NAME),
        lambda x: bp.kernels.table(NAME),
        lambda x: bp.kernels.use(NAME),
    ],
)
def test_messages_have_a_bounded_length(wrong):
    with pytest.raises((ValueError, TypeError)) as raised:
        wrong(np.ones((2, 2)))
    assert len(str(raised.value)) < 1000
