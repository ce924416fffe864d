"""Table of all kernels: their arguments, twins and sizes, and how tests call them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

import bpcore as bp
from bpcore import reference

#: Largest error over the largest element, by the root of the number of summands.  At
#: most 0.61e-6 and 0.93e-15 were seen, in any build.
TOLERANCE = {"float32": 1e-6, "float64": 2e-15}
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
    """Only the first elements of `inverse` are written: one for each column or row."""
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


def scale_rows(x, scale, out):
    return {"out": reference.scale_rows(x, scale)}


def scale_rows_back(delta, dscale, x, scale):
    delta, dscale = reference.scale_rows_back(delta, x, scale)
    return {"delta": delta, "dscale": dscale}


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
    {"name": "log_loss", "setting": 1.5},
    {"name": "binary_log_loss", "setting": 0.75},
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
    bp.Momentum(0.5, 0.5, nesterov=True, weight_decay=0.25),
    bp.RMSprop(0.1, weight_decay=0.1),
    bp.RMSprop(0.1, alpha=0.9, momentum=0.9),
    bp.RMSprop(0.1, alpha=0.8, eps=0.1, centered=True),
    bp.RMSprop(0.1, momentum=0.5, centered=True, clip_value=0.3, l1=0.1),
    bp.Adagrad(0.1),
    bp.Adagrad(0.1, lr_decay=0.5, eps=0.1, weight_decay=0.1),
    bp.Adam(0.1),
    bp.Adam(0.1, beta1=0.5, beta2=0.9, eps=0.1, weight_decay=0.1, l1=0.1),
    bp.Adam(0.1, beta1=0, beta2=0, eps=1, clip_value=0.3),
    bp.Adam(0.1, eps=0.1, eps_corrected=True),
    bp.AdamW(0.1, weight_decay=0.5, l1=0.1),
    bp.AMSGrad(0.1),
    bp.AMSGrad(0.1, eps=0.1, eps_corrected=True),
    bp.AMSGrad(0.1, beta2=0.5, weight_decay=0.1, decoupled=True),
    bp.Nadam(0.1),
    bp.Nadam(0.1, eps=0.1, eps_corrected=True),
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
    "scale_rows": Kernel(
        {"x": "n n_out", "scale": "n_out", "out": "n n_out"},
        ("out",), (), "", ({},), scale_rows,
    ),
    "scale_rows_back": Kernel(
        {"delta": "n n_out", "dscale": "n_out", "x": "n n_out", "scale": "n_out"},
        ("dscale",), ("delta",), "n", ({},), scale_rows_back,
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


def edges(dtype):
    """The sizes at which a loop or a tile ends, one less, and one more.

    Of the tile's rows and columns and of the columns taken for a single row; one more
    than a chain and than the longest block of k; and a prime, at which both are cut
    twice.
    """
    build = bp.config()
    rows, columns = build["tile_rows"], build["tile_columns"][dtype]
    ends = [size + d for size in (rows, columns, 4 * columns) for d in (-1, 0, 1)]
    prime = 1163
    block = build["blocks"][dtype]["kc"]
    longest = block + block // 4
    assert prime > block + longest
    return sorted({1, *ends, build["chain"] + 1, longest + 1, prime})


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
    """A value from the range of this argument."""
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
