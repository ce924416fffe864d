"""Every kernel against its twin in bpcore.reference, and what holds to the last bit."""

import ctypes
import itertools
import math
import mmap
import re
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest

import bpcore as bp
from bpcore import _dispatch, reference

#: Largest error over the largest element, by the root of the number of summands.  At
#: most 0.61e-6 and 0.93e-15 were seen, in any build.
TOLERANCE = {"float32": 1e-6, "float64": 2e-15}
#: The twin computes in more digits than the kernel it is compared with.
WIDER = {"float32": np.float64, "float64": np.longdouble}
#: More than the eight vectors that a single row takes at a time, and odd: what begins
#: after so many elements is aligned to no more than one of them.
GUARD = 129
#: So many rows by so many columns of four bytes are more than BPCORE_PACK_FROM: panels
#: that stand as they should are copied all the same.
PACKED = 367, 373
SENTINEL = 12345.0


# --- what each kernel takes and what it should give -----------------------------------


@dataclass(frozen=True)
class Kernel:
    """One function of bpcore.kernels.

    The shape of each argument, in the order they are checked; which are overwritten,
    and which are read and updated; the sizes it sums over; its settings; and its twin,
    which gives what is written by name.
    """

    shapes: dict[str, str]
    overwritten: tuple[str, ...]
    updated: tuple[str, ...]
    sums_over: str
    settings: tuple[dict, ...]
    twin: Callable[..., dict]

    @property
    def written(self):
        return self.overwritten + self.updated


def forward(out, **given):
    return {"out": reference.forward(**given)}


def propagate(out, **given):
    return {"out": reference.propagate(**given)}


def gradient(a, delta, dW, db):
    dW, db = reference.gradient(a, delta)
    return {"dW": dW, "db": db}


def descend(w, g, velocity, **settings):
    optimizer = bp.SGD(**settings)
    reference.descend(w, g, velocity if optimizer.n_states else None, optimizer)
    return {"w": w, "velocity": velocity}


def update(a, delta, W, b, velocity_W, velocity_b, **settings):
    dW, db = reference.gradient(a, delta)
    W, velocity_W = descend(W, dW, velocity_W, **settings).values()
    b, velocity_b = descend(b, db, velocity_b, **settings).values()
    return {"W": W, "b": b, "velocity_W": velocity_W, "velocity_b": velocity_b}


def activate(z, activation):
    return {"z": reference.activate(z, activation)}


def times_derivative(delta, a, activation):
    return {"delta": reference.times_derivative(delta, a, activation)}


def loss(z, delta, y, weight, name):
    E, delta = reference.loss(z, y, name)
    share = weight / weight.sum()
    return {"delta": delta * share[:, None], "returned": E @ share}


ACTIVATIONS = tuple({"activation": name} for name in bp.kernels.ACTIVATIONS)
LOSSES = tuple({"name": name} for name in bp.kernels.LOSSES)
# Every number is a power of two, so that steps on small integers are exact.
RULES = (
    {"lr": 0.5},
    {"lr": 0.5, "weight_decay": 0.25},
    {"lr": 0.5, "momentum": 0.5},
    {"lr": 0.5, "momentum": 0.5, "weight_decay": 0.25},
    {"lr": 0.5, "momentum": 0.5, "nesterov": True},
    {"lr": 0.5, "momentum": 0.5, "nesterov": True, "weight_decay": 0.25},
)

KERNELS = {
    "forward": Kernel(
        {"a": "n n_in", "W": "n_in n_out", "b": "n_out", "out": "n n_out"},
        ("out",), (), "n_in", ACTIVATIONS, forward,
    ),
    "propagate": Kernel(
        {"delta": "n n_out", "W": "n_in n_out", "a": "n n_in", "out": "n n_in"},
        ("out",), (), "n_out", ACTIVATIONS, propagate,
    ),
    "gradient": Kernel(
        {"a": "n n_in", "delta": "n n_out", "dW": "n_in n_out", "db": "n_out"},
        ("dW", "db"), (), "n", ({},), gradient,
    ),
    "update": Kernel(
        {"a": "n n_in", "delta": "n n_out", "W": "n_in n_out", "b": "n_out",
         "velocity_W": "n_in n_out", "velocity_b": "n_out"},
        (), ("W", "b", "velocity_W", "velocity_b"), "n", RULES, update,
    ),
    "descend": Kernel(
        {"w": "n_out", "g": "n_out", "velocity": "n_out"},
        (), ("w", "velocity"), "", RULES, descend,
    ),
    "activate": Kernel({"z": "n n_out"}, (), ("z",), "n_out", ACTIVATIONS, activate),
    "times_derivative": Kernel(
        {"delta": "n n_out", "a": "n n_out"},
        (), ("delta",), "n_out", ACTIVATIONS, times_derivative,
    ),
    "loss": Kernel(
        {"z": "n n_out", "delta": "n n_out", "y": "n n_out", "weight": "n"},
        ("delta",), (), "n n_out", LOSSES, loss,
    ),
}  # fmt: skip


def each_kernel(holds=lambda name, settings: True):
    """Parametrises a test by the (name, settings) that a condition holds for."""
    cases = [
        pytest.param(name, settings, id="-".join(map(str, [name, *settings.values()])))
        for name, kernel in KERNELS.items()
        for settings in kernel.settings
        if holds(name, settings)
    ]
    return pytest.mark.parametrize(("name", "settings"), cases)


# --- sizes, arguments and calls -------------------------------------------------------


def edges(kernels, dtype):
    """The sizes at which a loop or a tile ends, one less, and one more.

    Of the tile's rows and columns and of the columns taken for a single row; one more
    than a chain and than a block of k; and a prime, at which both are cut twice, and at
    which the sums of `update` must wait outside their tile.
    """
    build = kernels.BUILD
    rows, columns = build["tile_rows"], build["tile_columns"][dtype]
    ends = [size + d for size in (rows, columns, 4 * columns) for d in (-1, 0, 1)]
    prime = 1031
    block = build["k_block"]["in_place"]
    assert block > build["chain"] == build["k_block"]["copied"]
    assert prime > max(2 * block, build["k_block"]["descend"])
    return sorted({1, *ends, build["chain"] + 1, block + 1, prime})


def triples(kernels, dtype):
    """Sizes (n, n_in, n_out): every edge in every position, large beside small."""
    sizes = edges(kernels, dtype)
    third = len(sizes) // 3
    for i, size in enumerate(sizes):
        yield size, sizes[i - third], sizes[i - 2 * third]


def every_size(kernels, dtype):
    """The triples, and the tile's edges beside a single row, column or summand.

    Then sizes at which `forward`, and those at which dW is made of packed panels.
    """
    yield from triples(kernels, dtype)
    *tile_edges, _, _, most = edges(kernels, dtype)
    for size in tile_edges:
        yield 1, most, size
        yield most, 1, size
        yield size, most, 1
    rows, columns = PACKED
    yield rows, 5, columns
    yield 5, rows, columns


def lengths(names, sizes):
    """[3, 2] for "n_out n_in" of sizes (1, 2, 3)"""
    return [sizes[("n", "n_in", "n_out").index(name)] for name in names.split()]


def draw(name, sizes, dtype, integers=False):
    """Arguments for a kernel: at random, but NaN where they are overwritten."""
    rng = np.random.default_rng(sizes)
    arrays = {}
    for argument, names in KERNELS[name].shapes.items():
        shape = lengths(names, sizes)
        x = rng.integers(-4, 5, shape) if integers else rng.uniform(-1, 1, shape)
        if argument in KERNELS[name].overwritten:
            x = np.full(shape, np.nan)
        if argument in ("y", "weight"):
            x = abs(x)
        arrays[argument] = x.astype("float64" if argument == "weight" else dtype)
    return arrays


def run(kernels, name, arrays, settings, guard=GUARD, empty=np.empty):
    """What a kernel gives by name, called on copies of the arrays in guard bands.

    The bands around what is only read hold NaN, and it is handed in read-only; those
    around what is written hold a sentinel that must still be there afterwards.
    """
    framed, bands = {}, []
    for argument, array in arrays.items():
        written = argument in KERNELS[name].written
        buffer = empty(array.size + 2 * guard, array.dtype)
        buffer[...] = SENTINEL if written else np.nan
        inside = slice(guard, guard + array.size)
        buffer[inside] = array.ravel()
        framed[argument] = buffer[inside].reshape(array.shape)
        framed[argument].flags.writeable = written
        if written:
            bands += [buffer[:guard], buffer[inside.stop :]]
    returned = getattr(kernels, name)(**framed, **settings)
    assert all((band == SENTINEL).all() for band in bands), "written out of bounds"
    given = {key: framed[key] for key in KERNELS[name].written if key in framed}
    return given if returned is None else given | {"returned": np.float64(returned)}


def twin(name, arrays, settings, dtype):
    """What the kernel's twin gives by name, computed in a dtype of its own."""
    copies = {argument: array.astype(dtype) for argument, array in arrays.items()}
    return KERNELS[name].twin(**copies, **settings)


def assert_close(given, wanted, name, settings, sizes, dtype):
    """Within the tolerance; sums of terms up to 1 may cancel, so their unit is 1."""
    summands = math.prod(lengths(KERNELS[name].sums_over, sizes))
    unit = 0 if name == "loss" or "softmax" in settings.values() else 1
    for key in given.keys() | wanted.keys():
        error = abs(given[key] - wanted[key]).max()
        scale = max(abs(wanted[key]).max(), unit)
        assert error <= TOLERANCE[dtype] * math.sqrt(summands) * scale, (key, sizes)


def assert_equal(given, wanted, where):
    for key in given.keys() | wanted.keys():
        assert np.array_equal(given[key], wanted[key]), (key, where)


def assert_same_bits(given, wanted, where):
    for key in given.keys() | wanted.keys():
        assert given[key].tobytes() == wanted[key].tobytes(), (key, where)


# --- numbers --------------------------------------------------------------------------


def test_every_function_is_tested():
    public = {name for name in dir(bp.kernels) if name[0].islower()}
    others = {"all_between", "fma_loop", "elementary"}  # below; test_elementary.py
    assert public == KERNELS.keys() | others


@each_kernel()
def test_close_to_its_twin(kernels, dtype, name, settings):
    for sizes in every_size(kernels, dtype):
        arrays = draw(name, sizes, dtype)
        given = run(kernels, name, arrays, settings)
        wanted = twin(name, arrays, settings, WIDER[dtype])
        assert_close(given, wanted, name, settings, sizes, dtype)


def needs_no_rounding(name, settings):
    """Whether small integers give exact results: if nothing divides or takes exp."""
    calls_exp = settings.get("activation") in ("sigmoid", "tanh", "softmax")
    return name != "loss" and not (name in ("forward", "activate") and calls_exp)


@each_kernel(needs_no_rounding)
def test_exact_on_small_integers(kernels, dtype, name, settings):
    for sizes in every_size(kernels, dtype):
        arrays = draw(name, sizes, dtype, integers=True)
        given = run(kernels, name, arrays, settings)
        assert_equal(given, twin(name, arrays, settings, "float64"), sizes)


@pytest.mark.parametrize("name", ["forward", "propagate", "gradient"])
def test_every_shape_of_tile(kernels, dtype, name):
    rows, columns = kernels.BUILD["tile_rows"], kernels.BUILD["tile_columns"][dtype]
    product = KERNELS[name].shapes[KERNELS[name].overwritten[0]].split()
    for tile in itertools.product(range(1, rows + 2), range(1, columns + 2)):
        shape = dict(zip(product, tile, strict=True))
        sizes = [shape.get(size, 3) for size in ("n", "n_in", "n_out")]
        arrays = draw(name, sizes, dtype, integers=True)
        given = run(kernels, name, arrays, {})
        assert_equal(given, twin(name, arrays, {}, "float64"), sizes)


def test_identity_matrix(kernels, dtype):
    """A I = A and I A = A, in all the digits that A has."""
    rows = kernels.BUILD["tile_rows"] + 1
    for size in edges(kernels, dtype):
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
    for size in edges(kernels, dtype):
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
    lanes = kernels.BUILD["tile_columns"][dtype] // 2
    assert count == iterations * 10 * lanes
    factor = float(np.dtype(dtype).type(0.999))
    wanted = 45.0
    for _ in range(iterations):
        wanted = wanted * factor + 10 * 0.25
    assert float(buffer[1]) == pytest.approx(wanted, rel=10 * TOLERANCE[dtype])
    assert buffer[0] == buffer[2] == SENTINEL


def before_a_wall(size, dtype):
    """An array that ends where a page begins that may not be touched."""
    needed = size * dtype.itemsize
    whole = -(-needed // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, whole + mmap.PAGESIZE)
    wall = ctypes.addressof(ctypes.c_char.from_buffer(pages, whole))
    mprotect = ctypes.CDLL(None).mprotect
    assert mprotect(ctypes.c_void_p(wall), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    return np.frombuffer(pages, dtype, size, whole - needed)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no mprotect")
@each_kernel()
def test_nothing_beyond_an_array_is_touched(kernels, dtype, name, settings):
    """Not even read and forgotten, which bands would not show: this would crash."""
    for sizes in triples(kernels, dtype):
        arrays = draw(name, sizes, dtype)
        run(kernels, name, arrays, settings, guard=0, empty=before_a_wall)


# --- bits -----------------------------------------------------------------------------


@each_kernel()
def test_bits_of_every_build(isa, kernels, dtype, name, settings):
    """The scalar build's, whatever the tile, the vectors, the alignment."""
    scalar = _dispatch.load("scalar")
    for sizes in every_size(kernels, dtype):
        arrays = draw(name, sizes, dtype)
        given = run(kernels, name, arrays, settings)
        wanted = run(scalar, name, arrays, settings, guard=0)
        if isa == "x86_64_v2":  # rounds every product: the one exception
            assert_close(given, wanted, name, settings, sizes, dtype)
        else:
            assert_same_bits(given, wanted, sizes)


@each_kernel(lambda name, settings: "activation" in settings)
def test_bits_of_a_row_alone(kernels, dtype, name, settings):
    by_row = {key for key, shape in KERNELS[name].shapes.items() if shape[:2] == "n "}
    for sizes in every_size(kernels, dtype):
        if sizes[0] == 1:
            continue
        arrays = draw(name, sizes, dtype)
        batch = run(kernels, name, arrays, settings)
        for i in {0, sizes[0] - 1}:
            row = slice(i, i + 1)
            alone = {key: x[row] if key in by_row else x for key, x in arrays.items()}
            given = run(kernels, name, alone, settings)
            assert_same_bits(given, {key: x[row] for key, x in batch.items()}, sizes)


@pytest.mark.parametrize("settings", RULES, ids=str)
def test_bits_of_update_are_those_of_gradient_then_descend(kernels, dtype, settings):
    for sizes in every_size(kernels, dtype):
        arrays = draw("update", sizes, dtype)
        wanted = run(kernels, "update", arrays, settings)
        sums = draw("gradient", sizes, dtype)
        sums |= {"a": arrays["a"], "delta": arrays["delta"]}
        gradients = run(kernels, "gradient", sums, {})
        for w in ("W", "b"):
            flat = {
                "w": arrays[w].ravel(),
                "g": gradients[f"d{w}"].ravel(),
                "velocity": arrays[f"velocity_{w}"].ravel(),
            }
            given = run(kernels, "descend", flat, settings)
            step = {"w": wanted[w], "velocity": wanted[f"velocity_{w}"]}
            assert_same_bits(given, step, sizes)


def test_bits_do_not_depend_on_packing(kernels, dtype):
    """Beyond every block of k, where more sums wait than there is room for at a time.

    A single row takes the same columns unpacked, `gradient` has sums wait in dW.
    """
    (rows, columns), k = PACKED, 1031
    assert k > max(kernels.BUILD["k_block"].values())
    arrays = draw("forward", (rows, k, columns), dtype)
    batch = run(kernels, "forward", arrays, {})["out"]
    for i in (0, rows // 2, rows - 1):
        row = {"a": arrays["a"][i : i + 1], "out": np.full_like(batch[:1], np.nan)}
        given = run(kernels, "forward", arrays | row, {})
        assert_same_bits(given, {"out": batch[i]}, i)
    sums = draw("gradient", (k, rows, columns), dtype)
    gradients = run(kernels, "gradient", sums, {})
    step = {"a": sums["a"], "delta": sums["delta"]}
    step |= {"W": np.zeros_like(sums["dW"]), "b": np.zeros_like(sums["db"])}
    given = run(kernels, "update", step, {"lr": -1})  # 0 + 1 dW
    assert_same_bits(given, {"W": gradients["dW"], "b": gradients["db"]}, k)


def without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


@pytest.mark.parametrize("name", ["update", "descend"])
def test_bits_do_not_depend_on_a_velocity_that_no_rule_uses(kernels, dtype, name):
    arrays = draw(name, (7, 11, 13), dtype)
    needed = without(arrays, "velocity_W", "velocity_b", "velocity")
    for settings in RULES[:2]:
        given = run(kernels, name, needed, settings)
        wanted = run(kernels, name, arrays, settings)
        assert_same_bits(given, {key: wanted[key] for key in given}, settings)


@pytest.mark.parametrize("weighted", [False, True])
def test_bits_of_labels_are_those_of_one_hot_targets(kernels, dtype, weighted):
    for n, n_out in itertools.product((1, 7, 33), edges(kernels, dtype)):
        arrays = draw("loss", (n, 1, n_out), dtype)
        arrays = arrays if weighted else without(arrays, "weight")
        labels = np.random.default_rng(n_out).integers(0, n_out, n)
        arrays["y"] = np.eye(n_out, dtype=dtype)[labels]
        labels.flags.writeable = False
        settings = {"name": "cross_entropy"}
        wanted = run(kernels, "loss", arrays, settings)
        settings["labels"] = labels
        given = run(kernels, "loss", without(arrays, "y"), settings)
        assert_same_bits(given, wanted, (n, n_out))


@pytest.mark.parametrize("settings", LOSSES, ids=str)
def test_bits_without_weights_are_those_of_equal_weights(kernels, dtype, settings):
    arrays = draw("loss", (13, 1, 37), dtype) | {"weight": np.ones(13)}
    given = run(kernels, "loss", without(arrays, "weight"), settings)
    assert_same_bits(given, run(kernels, "loss", arrays, settings), settings)


# --- NaN and zero ---------------------------------------------------------------------


# 0 weight_decay is 0 only to the twin: in the kernels 0 NaN is NaN.
@each_kernel(lambda name, settings: "lr" not in settings or "weight_decay" in settings)
def test_nan_spreads_as_in_the_twin(kernels, dtype, name, settings):
    arrays = draw(name, (9, 40, 21), dtype)
    if "a" in arrays:
        arrays["a"] = abs(arrays["a"])  # where relu is 0 the kernels pass over delta
    for argument in arrays.keys() - {*KERNELS[name].overwritten, "weight"}:
        for i in (0, arrays[argument].size // 2, -1):
            poisoned = arrays | {argument: arrays[argument].copy()}
            poisoned[argument].flat[i] = np.nan
            given = run(kernels, name, poisoned, settings)
            wanted = twin(name, poisoned, settings, "float64")
            for key in given:
                same = np.isnan(given[key]) == np.isnan(wanted[key])
                assert same.all(), (argument, i, key)


def test_relu_keeps_negative_zero(kernels, dtype):
    zeros = np.full((3, 37), -0.0, dtype)
    activated, product = zeros.copy(), np.full_like(zeros, np.nan)
    kernels.activate(activated, "relu")
    kernels.forward(np.zeros((3, 1), dtype), zeros[:1] - 1, zeros[0], product, "relu")
    for z in (activated, product):
        assert np.signbit(z).all() and not z.any()


# --- errors, which all builds share ---------------------------------------------------


SIZES = (3, 5, 7)
ARGUMENTS = [(name, key) for name, kernel in KERNELS.items() for key in kernel.shapes]
WRITTEN = [(name, key) for name, key in ARGUMENTS if key in KERNELS[name].written]
each_argument = pytest.mark.parametrize(("name", "key"), ARGUMENTS)


@contextmanager
def refused(arrays, message=None, errors=ValueError):
    """What is called inside raises, and leaves the arrays as they were."""
    before = {name: array.tobytes() for name, array in arrays.items()}
    with pytest.raises(errors, match=message):
        yield
    assert before == {name: array.tobytes() for name, array in arrays.items()}


def call(name, arrays, settings=None):
    settings = KERNELS[name].settings[-1] if settings is None else settings
    getattr(bp.kernels, name)(**arrays, **settings)


def resized(arrays, key, axis, change):
    """The arrays, one of them changed to the size that `change` makes of its own."""
    shape = list(arrays[key].shape)
    shape[axis] = change(shape[axis])
    return arrays | {key: np.ones(shape, arrays[key].dtype)}


@each_argument
def test_shapes_must_agree(dtype, name, key):
    """The first argument to have a size sets it; the next to have it is named."""
    shapes = KERNELS[name].shapes
    for axis, size in enumerate(shapes[key].split()):
        first, *others = (k for k, shape in shapes.items() if size in shape.split())
        if others:
            named = others[0] if key == first else key
            arrays = resized(draw(name, SIZES, dtype), key, axis, lambda size: size + 1)
            got = re.escape(str(arrays[named].shape))
            with refused(arrays, f"^{named} must have shape .*; got {got}$"):
                call(name, arrays)


@each_argument
def test_arrays_must_not_be_empty(dtype, name, key):
    for axis, _ in enumerate(KERNELS[name].shapes[key].split()):
        arrays = resized(draw(name, SIZES, dtype), key, axis, lambda size: 0)
        got = re.escape(str(arrays[key].shape))
        with refused(arrays, f"^{key} must .*; got .*{got}$"):
            call(name, arrays)


@each_argument
def test_arrays_must_be_of_one_dtype(dtype, name, key):
    arrays = draw(name, SIZES, dtype)
    alone = TOLERANCE if len(arrays) == 1 else ()  # then either dtype will do
    others = {"float16", "float32", "float64", "int64"}
    for other in others - {arrays[key].dtype.name, *alone}:
        mixed = arrays | {key: np.ones_like(arrays[key], other)}
        with refused(mixed, errors=(TypeError, ValueError)):
            call(name, mixed)


@each_argument
def test_arrays_must_be_contiguous(dtype, name, key):
    arrays = draw(name, SIZES, dtype)
    strided = arrays | {key: np.repeat(arrays[key], 2, axis=-1)[..., ::2]}
    with refused(strided, "contiguous"):
        call(name, strided)


@each_argument
def test_arrays_must_have_as_many_axes(dtype, name, key):
    arrays = draw(name, SIZES, dtype)
    with refused(arrays, errors=(TypeError, ValueError)):
        call(name, arrays | {key: arrays[key][None]})


@pytest.mark.parametrize(("name", "key"), WRITTEN)
def test_outputs_must_be_writeable(dtype, name, key):
    arrays = draw(name, SIZES, dtype)
    arrays[key].flags.writeable = False
    with refused(arrays, "read-only"):
        call(name, arrays)


@pytest.mark.parametrize("unknown", ["Relu", "", None])
@pytest.mark.parametrize(
    "name", [name for name, k in KERNELS.items() if k.settings in (ACTIVATIONS, LOSSES)]
)
def test_unknown_names(dtype, name, unknown):
    arrays = draw(name, SIZES, dtype)
    ((what, known),) = KERNELS[name].settings[-1].items()
    with refused(arrays, f"^{what} must be one of .*, {known}; got {unknown!r}$"):
        call(name, arrays, {what: unknown})


@pytest.mark.parametrize("settings", RULES[2:], ids=str)
@pytest.mark.parametrize(
    ("name", "key"), [(name, key) for name, key in WRITTEN if "velocity" in key]
)
def test_momentum_needs_velocities(dtype, name, key, settings):
    arrays = without(draw(name, SIZES, dtype), key)
    with refused(arrays, f"{key} .*must be given where momentum is not 0; got None"):
        call(name, arrays, settings)


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
    arrays = without(draw("loss", SIZES, dtype), "y", "weight")
    dtypes = {"y": dtype, "labels": "int64", "weight": "float64"}
    arrays |= {key: np.array(x, dtypes[key]) for key, x in given.items()}
    with refused(arrays, message):
        call("loss", arrays, {"name": name})


def test_labels_must_be_int64(dtype):
    arrays = without(draw("loss", SIZES, dtype), "y")
    for other in ("int32", "uint64", "float64"):
        arrays["labels"] = np.zeros(3, other)
        with refused(arrays):
            call("loss", arrays, {"name": "cross_entropy"})


@pytest.mark.parametrize("name", ["all_between", "fma_loop"])
def test_plain_arrays_of_one_axis(name):
    settings = {"all_between": (0, 1), "fma_loop": (1,)}[name]
    for x in (np.zeros(3, "int64"), np.zeros(3, "float16"), np.zeros((1, 3))):
        with refused({"x": x}, errors=(TypeError, ValueError)):
            getattr(bp.kernels, name)(x, *settings)


def test_fma_loop_needs_an_element(dtype):
    with pytest.raises(ValueError, match=r"^out must not be empty; got shape \(0,\)$"):
        bp.kernels.fma_loop(np.empty(0, dtype), 1)


SHAPES = [(1, 1), (1, 513), (513, 1), (64, 64), (256, 512), (100, 8192), (128, 1024)]
SHAPES += [(784, 1024), (1024, 1024), (367, 373), (2048, 10), (10, 2048), (3000, 3000)]


def test_there_is_room_for_every_product(kernels, dtype):
    """Of the mini-batches a workspace was made for, and of all smaller ones."""
    tag = np.zeros(1, dtype)
    rows = [*range(1, 300, 7), *range(250, 262), *range(500, 520), 819, 820, 911]
    rows += [*range(1020, 1030), 1500, 2049, 5000, 70000]
    for n_in, n_out in SHAPES:
        most = before = 0
        for n in sorted(rows):
            room, taken = kernels._room(tag, n, n_in, n_out)
            most = max(most, taken)
            assert most <= room and before <= room, (n, n_in, n_out)
            before = room
    assert kernels._room(tag, 256, 64, 64)[0] < 40_000  # thousands of small nets
