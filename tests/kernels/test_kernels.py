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
from bpcore import reference
from bpcore.engine import dispatch

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
#: Made while the gradient is in registers.
PLAIN = ("plain", "plain_momentum", "plain_nesterov")
#: Rules whose step jumps where a sign turns: by rounding too, if numbers are not exact.
JUMPS = ("lion", "rprop")
#: States that are never negative.
POSITIVE = ("square", "sum", "largest", "step")


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


def descend(w, g, optimizer, step, state=None):
    group = optimizer.groups()[0]
    reference.descend(w, g, group, optimizer.lr, step, state)
    return {"w": w} if state is None else {"w": w, "state": state}


def update(a, delta, W, b, state_W=None, state_b=None, **settings):
    dW, db = reference.gradient(a, delta)
    descend(W, dW, state=state_W, **settings)
    descend(b, db, state=state_b, **settings)
    given = {"W": W, "b": b, "state_W": state_W, "state_b": state_b}
    return {key: x for key, x in given.items() if x is not None}


def activate(z, activation):
    return {"z": reference.activate(z, activation)}


def times_derivative(delta, a, activation):
    return {"delta": reference.times_derivative(delta, a, activation)}


def loss(z, delta, y, weight, **settings):
    E, d = reference.loss(z, y, **settings)
    share = weight / weight.sum()
    counts = share > 0  # a row that does not count may have any loss, NaN too
    delta = np.where(counts[:, None], d * share[:, None], 0)
    return {"delta": delta, "returned": E[counts] @ share[counts]}


def limit_norms(W, most):
    reference.limit_norms(W, most)
    return {"W": W}


def clip_norm(g, most):
    return {"returned": reference.clip_norm(g, most), "g": g}


def add(total, g):
    return {"total": total + g}


def normalise(hat, y, inverse, moments, gain, shift, kind):
    """Of `inverse` only as much is written as there are columns or rows."""
    y, hat, inverses, of_columns = reference.normalise(hat, gain, shift, kind)
    inverse[: inverses.size] = inverses.ravel()
    moments = of_columns if kind == "batch" else moments
    return {"y": y, "hat": hat, "inverse": inverse, "moments": moments}


def normalise_back(delta, dgain, dshift, hat, inverse, gain, kind):
    n, n_out = hat.shape
    inverse = inverse[:n_out] if kind == "batch" else inverse[:n, None]
    given = reference.normalise_back(delta, hat, inverse, gain, kind)
    return dict(zip(("delta", "dgain", "dshift"), given, strict=True))


def follow(running, moments, n):
    reference.follow(running, moments, n)
    return {"running": running}


def fold(W, W_folded, b_folded, shift, gain, running):
    W, b = reference.fold(W, shift, gain, running)
    return {"W_folded": W, "b_folded": b}


def drop(x, out, key, p):
    return {"out": reference.drop(x, key, p)}


def add_noise(x, out, key, size):
    return {"out": reference.add_noise(x, key, size)}


ACTIVATIONS = tuple({"activation": name} for name in bp.kernels.ACTIVATIONS)
LOSSES = (
    {"name": "squared_error"},
    {"name": "mean_squared_error"},
    {"name": "binary_cross_entropy"},
    {"name": "mean_absolute_error"},
    {"name": "huber", "setting": 1.0},
    {"name": "huber", "setting": 0.25},
    {"name": "quantile", "setting": 0.5},
    {"name": "quantile", "setting": 0.9},
    {"name": "log_cosh"},
    {"name": "hinge"},
    {"name": "poisson", "setting": 1e-8},
    {"name": "poisson_of_log"},
    {"name": "kl_divergence"},
    {"name": "cross_entropy", "setting": 0.0},
    {"name": "cross_entropy", "setting": 0.1},
)
# Those of the rules that neither divide nor take roots are powers of two, so that steps
# on small integers are exact.
OPTIMIZERS = (
    bp.SGD(0.5),
    bp.SGD(0.5, weight_decay=0.25),
    bp.SGD(0.5, momentum=0.5),
    bp.SGD(0.5, momentum=0.5, weight_decay=0.25),
    bp.SGD(0.5, momentum=0.5, nesterov=True),
    bp.SGD(0.5, momentum=0.5, nesterov=True, weight_decay=0.25),
    bp.SGD(0.5, biases={"momentum": 0.5}),  # the weights have a state they never use
    bp.SGD(0.5, clip_value=0.25),
    bp.SGD(0.5, weight_decay=0.5, l1=0.25),
    bp.SGD(0.5, weight_decay=0.5, l1=0.25, decoupled=True),
    bp.SGD(0.5, momentum=0.5, dampening=0.25),
    bp.SGD(0.5, momentum=0.5, nesterov=True, l1=0.25, clip_value=2),
    bp.SGD(0.5, momentum=0.5, weight_decay=0.25, decoupled=True),
    bp.Momentum(0.5, 0.5),
    bp.Momentum(0.5, 0.5, weight_decay=0.25, l1=0.5, clip_value=4),
    bp.RMSprop(0.1, weight_decay=0.1),
    bp.RMSprop(0.1, alpha=0.9, momentum=0.9),
    bp.RMSprop(0.1, alpha=0.8, eps=0.1, centered=True),
    bp.RMSprop(0.1, momentum=0.5, centered=True, clip_value=0.3, l1=0.1),
    bp.Adagrad(0.1),
    bp.Adagrad(0.1, lr_decay=0.5, eps=0.1, weight_decay=0.1),
    bp.Adam(0.1),
    bp.Adam(0.1, beta1=0.5, beta2=0.9, eps=0.1, weight_decay=0.1, l1=0.1),
    bp.Adam(0.1, beta1=0, beta2=0, eps=1, clip_value=0.3),
    bp.AdamW(0.1, weight_decay=0.5, l1=0.1),
    bp.AMSGrad(0.1),
    bp.AMSGrad(0.1, beta2=0.5, weight_decay=0.1, decoupled=True),
    bp.Nadam(0.1),
    bp.Nadam(0.1, momentum_decay=0.5, weight_decay=0.1),
    bp.Adamax(0.1),
    bp.Adamax(0.1, beta2=0.5, eps=0.1, l1=0.1),
    bp.RAdam(0.1),
    bp.RAdam(0.1, beta2=0.9, weight_decay=0.1),
    bp.RAdam(0.1, beta2=0.5),  # never to be trusted
    bp.Lion(0.5, beta1=0.5, beta2=0.75),
    bp.Lion(0.5, beta1=0.25, beta2=0.5, weight_decay=0.25),
    bp.Rprop(0.5, grow=2, least=1, most=8),
    bp.Rprop(0.5, shrink=0.25, grow=4, weight_decay=0.25, clip_value=2),
)
# The ninth step: RAdam then divides.
STEPS = tuple({"optimizer": optimizer, "step": 9} for optimizer in OPTIMIZERS)
KINDS = ({"kind": "batch"}, {"kind": "layer"})
LIMITS = ({"most": 1e4}, {"most": 0.5})
KEY = 2**64 - 59

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
         "state_W": "states n_in n_out", "state_b": "states n_out"},
        (), ("W", "b", "state_W", "state_b"), "n", STEPS, update,
    ),
    "descend": Kernel(
        {"w": "n_out", "g": "n_out", "state": "states n_out"},
        (), ("w", "state"), "", STEPS, descend,
    ),
    "limit_norms": Kernel(
        {"W": "n_in n_out"}, (), ("W",), "n_in", LIMITS, limit_norms,
    ),
    "clip_norm": Kernel({"g": "n*n_out"}, (), ("g",), "n n_out", LIMITS, clip_norm),
    "add": Kernel(
        {"total": "n*n_out", "g": "n*n_out"}, (), ("total",), "", ({},), add,
    ),
    "normalise": Kernel(
        {"hat": "n n_out", "y": "n n_out", "inverse": "longest", "moments": "2 n_out",
         "gain": "n_out", "shift": "n_out"},
        ("y", "inverse", "moments"), ("hat",), "longest", KINDS, normalise,
    ),
    "normalise_back": Kernel(
        {"delta": "n n_out", "dgain": "n_out", "dshift": "n_out", "hat": "n n_out",
         "inverse": "longest", "gain": "n_out"},
        ("dgain", "dshift"), ("delta",), "longest", KINDS, normalise_back,
    ),
    "follow": Kernel(
        {"running": "2 n_out", "moments": "2 n_out"},
        (), ("running",), "", ({"n": 1}, {"n": 2}, {"n": 100}), follow,
    ),
    "fold": Kernel(
        {"W": "n_in n_out", "W_folded": "n_in n_out", "b_folded": "n_out",
         "shift": "n_out", "gain": "n_out", "running": "2 n_out"},
        ("W_folded", "b_folded"), (), "", ({},), fold,
    ),
    "drop": Kernel(
        {"x": "n n_out", "out": "n n_out"}, ("out",), (), "",
        ({"key": 0, "p": 0.0}, {"key": KEY, "p": 0.5}, {"key": 1, "p": 0.9}), drop,
    ),
    "add_noise": Kernel(
        {"x": "n n_out", "out": "n n_out"}, ("out",), (), "",
        ({"key": 0, "size": 0.0}, {"key": KEY, "size": 1.0}, {"key": 1, "size": 0.1}),
        add_noise,
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


def rule(settings):
    """The rule of an optimizer's step, None for other kernels."""
    optimizer = settings.get("optimizer")
    return optimizer and optimizer.rule


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


def edges(dtype):
    """The sizes at which a loop or a tile ends, one less, and one more.

    Of the tile's rows and columns and of the columns taken for a single row; one more
    than a chain and than a block of k; and a prime, at which both are cut twice, and at
    which the sums of `update` must wait outside their tile.
    """
    build = bp.config()
    rows, columns = build["tile_rows"], build["tile_columns"][dtype]
    ends = [size + d for size in (rows, columns, 4 * columns) for d in (-1, 0, 1)]
    prime = 1031
    block = build["k_block"]["in_place"]
    assert block > build["chain"] == build["k_block"]["copied"]
    assert prime > max(2 * block, build["k_block"]["descend"])
    return sorted({1, *ends, build["chain"] + 1, block + 1, prime})


def triples(sizes):
    """Sizes (n, n_in, n_out): every edge in every position, large beside small."""
    third = len(sizes) // 3
    for i, size in enumerate(sizes):
        yield size, sizes[i - third], sizes[i - 2 * third]


def every_size(dtype, name, settings):
    """The triples, and the tile's edges beside a single row, column or summand.

    Then sizes at which `forward`, and those at which dW is made of packed panels; and
    for every rule of `update` a sum that must wait outside its tile, and more columns
    than a single row takes at a time.
    """
    sizes = sizes_of(dtype, name, settings)
    *_, prime = edges(dtype)
    yield from triples(sizes)
    for size in edges(dtype)[:-3]:
        yield 1, sizes[-1], size
        yield sizes[-1], 1, size
        yield size, sizes[-1], 1
    if prime in sizes:
        rows, columns = PACKED
        yield rows, 5, columns
        yield 5, rows, columns
    if name == "update":
        yield prime, 9, 37
        yield 1, 5, prime


def sizes_of(dtype, name, settings):
    """All edges for the loop nest of products; what is done besides needs no block."""
    in_the_nest = (None, "identity", "relu", "sigmoid", "tanh", *PLAIN)
    finish = settings.get("activation") or rule(settings)
    is_product = name in ("forward", "propagate", "gradient", "update")
    sizes = edges(dtype)
    return sizes if is_product and finish in in_the_nest else sizes[:-2]


def lengths(names, sizes, settings):
    """[3, 2] for "n_out n_in" of sizes (1, 2, 3)"""
    n, n_in, n_out = sizes
    optimizer = settings.get("optimizer")
    length = {"n": n, "n_in": n_in, "n_out": n_out, "n*n_out": n * n_out}
    length |= {"longest": max(n, n_out), "2": 2}
    length["states"] = len(optimizer.states) if optimizer else 0
    return [length[name] for name in names.split()]


def draw(name, settings, sizes, dtype, integers=False):
    """Arguments for a kernel: at random, but NaN where they are overwritten.

    A state that is not kept is left out.
    """
    rng = np.random.default_rng(sizes)
    integers = integers or rule(settings) in JUMPS
    arrays = {}
    for argument, names in KERNELS[name].shapes.items():
        shape = lengths(names, sizes, settings)
        if shape[0] == 0:
            continue
        x = rng.integers(-4, 5, shape) if integers else rng.uniform(-1, 1, shape)
        if argument in KERNELS[name].overwritten:
            x = np.full(shape, np.nan)
        x = as_it_may_be(argument, x, settings)
        arrays[argument] = x.astype("float64" if argument == "weight" else dtype)
    return arrays


def as_it_may_be(argument, x, settings):
    """Of the range that this argument has."""
    match argument, settings.get("name"):
        case "weight", _:
            x = abs(x)
            x[1::3] = 0
        case "y", "hinge":
            x = np.where(x < 0, -1, 1)
        case "y", _:
            x = np.maximum(x, 0)
        case "z", "poisson":
            x = abs(x)
        case "inverse", _:
            x = abs(x)
        case "a", _ if settings.get("activation") == "softplus":
            x = abs(x)
        case "running", _:
            x[1] = abs(x[1])
        case "state" | "state_W" | "state_b", _:
            for i, state in enumerate(settings["optimizer"].states):
                # A mean square is more than the square of the mean.
                x[i] = 2 + abs(x[i]) if state in POSITIVE else x[i]
    return x


def without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


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
    """Within the tolerance; NaN where it is wanted, which is what is not written."""
    summands = math.prod(lengths(KERNELS[name].sums_over, sizes, settings))
    tolerance = TOLERANCE[dtype] * math.sqrt(summands)
    inexact = 1e-6 * settings["size"] if name == "add_noise" else 0
    for key in given.keys() | wanted.keys():
        known = ~np.isnan(wanted[key])
        assert np.array_equal(np.isnan(given[key]), ~known), (key, sizes)
        error = np.where(known, abs(given[key] - wanted[key]), 0).max()
        scale = np.where(known, abs(wanted[key]), 0).max()
        unit = rounds_by(name, settings, sizes, wanted)
        allowed = inexact + tolerance * max(scale, unit)
        assert error <= allowed, (key, sizes, float(error / allowed))


def rounds_by(name, settings, sizes, wanted):
    """The unit of an error where the largest element is smaller.

    Sums of terms up to 1 may cancel, and so may what two losses are made of.
    """
    if name == "normalise":
        return np.nanmax(wanted["inverse"])
    if name == "loss":
        smoothed = settings["name"] == "cross_entropy" and settings["setting"] > 0
        return 1 / sizes[0] if smoothed or settings["name"] == "log_cosh" else 0
    return 0 if "softmax" in settings.values() else 1


def assert_equal(given, wanted, where):
    for key in given.keys() | wanted.keys():
        assert np.array_equal(given[key], wanted[key], equal_nan=True), (key, where)


def assert_same_bits(given, wanted, where):
    for key in given.keys() | wanted.keys():
        assert given[key].tobytes() == wanted[key].tobytes(), (key, where)


# --- numbers --------------------------------------------------------------------------


def test_every_function_is_tested():
    functions = {name for name, it in vars(bp.kernels).items() if callable(it)}
    public = {name for name in functions if name[0].islower()}
    others = {"all_between", "fma_loop", "elementary"}  # below; test_elementary.py
    others |= {"use", "in_use", "table"}  # builds: test_dispatch.py
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
    """A I = A and I A = A, in all the digits that A has."""
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
    for sizes in triples(sizes_of(dtype, name, settings)):
        arrays = draw(name, settings, sizes, dtype)
        run(kernels, name, arrays, settings, guard=0, empty=before_a_wall)


# --- bits -----------------------------------------------------------------------------


@each_kernel()
def test_bits_of_every_build(isa, kernels, dtype, name, settings):
    """The scalar build's, whatever the tile, the vectors, the alignment."""
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
    """In each of several steps, one after another."""
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
    """Beyond every block of k, where more sums wait than there is room for at a time.

    A single row takes the same columns unpacked, `gradient` has sums wait in dW.
    """
    (rows, columns), k = PACKED, 1031
    assert k > max(bp.config()["k_block"].values())
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


@pytest.mark.parametrize("name", ["update", "descend"])
def test_a_state_that_no_rule_uses_is_not_touched(kernels, dtype, name):
    """Where the biases' rule has one, and where it was not asked for."""
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


# --- NaN and zero ---------------------------------------------------------------------


def twin_keeps_nan(name, settings):
    """Not in the step and in slopes that are constants (test_training_kernels.py)."""
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


def drawn(name, dtype):
    return draw(name, KERNELS[name].settings[-1], SIZES, dtype)


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


@pytest.mark.parametrize("key", [-1, 2**64])
@pytest.mark.parametrize("name", ["drop", "add_noise"])
def test_keys_have_64_bits(dtype, name, key):
    arrays = drawn(name, dtype)
    with refused(arrays, errors=OverflowError):
        call(name, arrays, KERNELS[name].settings[0] | {"key": key})


@pytest.mark.parametrize("name", ["update", "descend"])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": bp.Rprop(), "step": 0}, "step must be at least 1; got 0"),
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


def test_labels_must_be_int64(dtype):
    arrays = without(drawn("loss", dtype), "y")
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
