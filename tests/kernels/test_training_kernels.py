"""Kernels of training: what holds beyond their agreement with the reference.

Activations and losses where numbers are extreme, optimizers over many steps, noise and
what it is drawn from, norms and normalisation.
"""

import functools
import math

import mpmath
import numpy as np
import pytest

import bpcore as bp
from bpcore import reference
from bpcore.engine import dispatch

TOLERANCE = {"float32": 1e-6, "float64": 2e-15}
WIDER = {"float32": np.float64, "float64": np.longdouble}

each_activation = pytest.mark.parametrize("name", bp.kernels.ACTIVATIONS)


def assert_close(given, wanted, tolerance, least=0.0):
    """Within the tolerance of every element, or of `least` where that is larger."""
    with np.errstate(invalid="ignore", over="ignore"):
        wanted = wanted.astype(given.dtype)
        error = abs(given - wanted) / tolerance
        scale = np.maximum(abs(wanted), least)
    wrong = ~((given == wanted) | (error <= scale))
    assert not wrong.any(), (np.argwhere(wrong)[0], given[wrong][0], wanted[wrong][0])


# --- activations ----------------------------------------------------------------------


def extremes(dtype):
    """Rows of several outputs, as softmax needs; more than one vector, and a tail."""
    huge = np.finfo(dtype).max / 4
    ends = [0, 1e-30, 1e-3, 0.5, 1, 3, 8, 12, 30, 100, 1e4, 1e15, huge]
    column = np.array([*ends, *(-x for x in ends)], dtype)
    return np.stack([column, np.zeros_like(column), -column], axis=1)


@each_activation
def test_values_at_extremes(kernels, dtype, name):
    """To the last digits near 0; for |z| > 1, sums may lose small terms.

    A softmax has terms below the least normal number, which are 0.
    """
    z = extremes(dtype)
    given = z.copy()
    kernels.activate(given, name)
    assert not np.isnan(given).any(), z[np.isnan(given)]
    with np.errstate(all="ignore"):
        wanted = reference.activate(z.astype(WIDER[dtype]), name)
    least = np.where((abs(z) <= 1) & (name != "softmax"), 0, 1)
    assert_close(given, wanted, 3 * TOLERANCE[dtype], least)


@each_activation
def test_derivatives_at_extremes(kernels, dtype, name):
    z = extremes(dtype)
    a, given = z.copy(), np.linspace(-1, 1, z.size, dtype=dtype).reshape(z.shape)
    wide, delta = WIDER[dtype], given.copy()
    if not bp.ACTIVATIONS[name].needs_z:
        kernels.activate(a, name)
    kernels.times_derivative(given, a, name)
    assert not np.isnan(given).any(), z[np.isnan(given)]
    with np.errstate(all="ignore"):
        wanted = reference.times_derivative(delta.astype(wide), a.astype(wide), name)
    known = ~np.isnan(wanted)  # with no wider dtype a cube overflows in the twin
    assert_close(given[known], wanted[known], 3 * TOLERANCE[dtype], 1)


@each_activation
def test_nan_stays_where_it_is(kernels, dtype, name):
    """In every place of a vector and of its tail; with softmax in the whole row."""
    z = np.random.default_rng(0).normal(size=(2, 37)).astype(dtype)
    clean = z.copy()
    kernels.activate(clean, name)
    for j in range(37):
        given = z.copy()
        given[0, j] = np.nan
        kernels.activate(given, name)
        lost = np.zeros(z.shape, bool)
        lost[0, slice(None) if name == "softmax" else j] = True
        assert np.array_equal(np.isnan(given), lost)
        assert np.array_equal(given[~lost], clean[~lost])


@each_activation
def test_nan_deltas_stay_nan(kernels, dtype, name):
    """For every function with a derivative; `step` has none."""
    a = np.full((1, 37), 0.5, dtype)
    for j in range(37):
        delta = np.ones_like(a)
        delta[0, j] = np.nan
        kernels.times_derivative(delta, a, name)
        lost = [] if name == "step" else range(37) if name == "softmax" else [j]
        assert np.flatnonzero(np.isnan(delta)).tolist() == list(lost)


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [
        ("relu", [-2, 0, 2], [0, 0, 2]),
        ("leaky_relu", [-100, 0, 2], [-1, 0, 2]),
        ("elu", [-np.inf, 0, 2], [-1, 0, 2]),
        ("softsign", [-1, 0, 3], [-0.5, 0, 0.75]),
        ("hard_sigmoid", [-3, 0, 3], [0, 0.5, 1]),
        ("hard_tanh", [-2, 0.5, 2], [-1, 0.5, 1]),
        ("step", [-1, 0, 1], [0, 0, 1]),
        ("sigmoid", [-np.inf, 0, np.inf], [0, 0.5, 1]),
        ("tanh", [-np.inf, 0, np.inf], [-1, 0, 1]),
        ("exp", [-np.inf, 0, np.inf], [0, 1, np.inf]),
        ("softplus", [-np.inf, np.inf], [0, np.inf]),
        ("selu", [0, np.inf], [0, np.inf]),
        ("gelu", [0, np.inf], [0, np.inf]),
        ("gelu_tanh", [0, np.inf], [0, np.inf]),
        ("silu", [0, np.inf], [0, np.inf]),
        ("mish", [0, np.inf], [0, np.inf]),
    ],
)
def test_values_known_exactly(kernels, dtype, name, z, a):
    given = np.array([z], dtype)
    kernels.activate(given, name)
    assert_close(given, np.array([a]), TOLERANCE[dtype])


@functools.cache
def mish_exactly(dtype):
    """Points, mish and mish' there, in 40 digits; far below 0 both are subnormal."""
    rng = np.random.default_rng(0)
    far = np.log(np.finfo(dtype).tiny) + 20
    parts = [rng.uniform(far, 100, 500), rng.uniform(-8, 8, 1500)]
    parts.append(rng.choice([-1, 1], 300) * 2.0 ** rng.uniform(-60, 3, 300))
    z = np.concatenate(parts).astype(dtype)
    with mpmath.workdps(40):
        exact = [mpmath.mpf(x) for x in z.tolist()]
        t = [mpmath.tanh(mpmath.log1p(mpmath.exp(x))) for x in exact]
        a = [x * y for x, y in zip(exact, t, strict=True)]
        slope = [
            y + x * (1 - y * y) / (1 + mpmath.exp(-x))
            for x, y in zip(exact, t, strict=True)
        ]
    return z, a, slope


def test_error_of_mish(kernels, dtype):
    """Relative to the value; of the derivative, which has a zero, to its terms."""
    z, a, slope = mish_exactly(dtype)
    found, d = z[None].copy(), np.ones((1, z.size), dtype)
    kernels.activate(found, "mish")
    kernels.times_derivative(d, z[None], "mish")
    eps = float(np.finfo(dtype).eps)
    with mpmath.workdps(40):
        for x, y, exact in zip(z.tolist(), found[0].tolist(), a, strict=True):
            assert abs(y - exact) <= 3 * eps * abs(exact), x
        for x, y, exact in zip(z.tolist(), d[0].tolist(), slope, strict=True):
            size = abs(exact) + (min(mpmath.exp(x), 1) if x < 0 else 0)
            assert abs(y - exact) <= 3 * eps * size, x


# --- losses ---------------------------------------------------------------------------

LOSSES = dict.fromkeys(bp.kernels.LOSSES, 0.0)
LOSSES |= {"huber": 1.0, "quantile": 0.9, "poisson": 1e-8}
CASES = [*LOSSES.items(), ("cross_entropy", 0.1), ("huber", 1e-3)]
each_loss = pytest.mark.parametrize(("name", "setting"), CASES)


def outputs_and_targets(name, n, n_out, dtype):
    rng = np.random.default_rng(n_out)
    z, y = rng.normal(size=(2, n, n_out)).astype(dtype)
    if name == "poisson":
        z = abs(z)
    return z, np.where(y < 0, -1, 1).astype(dtype) if name == "hinge" else abs(y)


@each_loss
def test_losses_at_extremes(kernels, dtype, name, setting):
    """No NaN, and the numbers of the reference, for every output and kind of target."""
    ends = np.array([0, 1e-30, 1e-3, 1, 30, 1e4])
    z = ends if name == "poisson" else np.array([*ends, *-ends])
    targets = [-1, 1] if name == "hinge" else [0, 1e-30, 1]
    for y in targets:
        x = np.stack([z, 0 * z, z[::-1]], axis=1).astype(dtype)
        ys = np.full_like(x, y)
        ys[:, 1] = 1
        for i in range(len(x)):
            row, target = x[i : i + 1], ys[i : i + 1]
            delta = np.empty_like(row)
            E = kernels.loss(row, delta, name, target, setting=setting)
            wide = WIDER[dtype]
            with np.errstate(over="ignore"):
                wanted, d = reference.loss(
                    row.astype(wide), target.astype(wide), name, setting
                )
            assert not np.isnan(E) and not np.isnan(delta).any(), row
            assert_close(np.array([E], dtype), wanted, 10 * TOLERANCE[dtype], 1)
            assert_close(delta, d, 10 * TOLERANCE[dtype], 1)


@each_loss
def test_nan_spoils_a_loss(kernels, dtype, name, setting):
    """In outputs and in targets, in every place of a vector and of a tail."""
    z, y = outputs_and_targets(name, 2, 37, dtype)
    for j in range(37):
        for i in (0, 1):
            given = [z.copy(), y.copy()]
            given[i][0, j] = np.nan
            delta = np.empty_like(z)
            loss = kernels.loss(given[0], delta, name, given[1], setting=setting)
            assert np.isnan(loss)
            assert np.isnan(delta[0, j])
            assert not np.isnan(delta[1]).any()


@each_loss
def test_rows_of_weight_0_may_hold_anything(kernels, dtype, name, setting):
    z, y = outputs_and_targets(name, 4, 21, dtype)
    weight = np.array([0.0, 2.0, 0.0, 1.0])
    wanted = np.empty_like(z)
    E = kernels.loss(z, wanted, name, y, weight=weight, setting=setting)
    assert not wanted[[0, 2]].any()
    z[0], y[2], z[2, 3] = np.nan, np.nan, np.inf
    given = np.full_like(z, np.nan)
    assert kernels.loss(z, given, name, y, weight=weight, setting=setting) == E
    assert given.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("wrong", (-1, 5, 2**62))
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_labels_out_of_range_are_not_followed(kernels, dtype, smoothing, wrong):
    """They are refused before anything is written."""
    z, delta = np.zeros((20, 5), dtype), np.full((20, 5), 7, dtype)
    labels = np.zeros(20, np.int64)
    labels[11] = wrong
    settings = {"labels": labels, "setting": smoothing}
    with pytest.raises(ValueError, match=f"got {wrong}"):
        kernels.loss(z, delta, "cross_entropy", **settings)
    assert (delta == 7).all()


# --- steps of the optimizers ----------------------------------------------------------

OPTIMIZERS = (
    bp.SGD(0.1),
    bp.SGD(0.1, weight_decay=0.1, l1=0.01, clip_value=0.5),
    bp.SGD(0.1, momentum=0.9, dampening=0.5),
    bp.SGD(0.1, momentum=0.9),
    bp.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    bp.SGD(0.1, momentum=0.9, weight_decay=0.1, decoupled=True),
    bp.Momentum(0.1),
    bp.RMSprop(0.1),
    bp.RMSprop(0.1, momentum=0.9),
    bp.RMSprop(0.1, alpha=0.9, centered=True, weight_decay=0.1),
    bp.RMSprop(0.1, alpha=0.9, centered=True, momentum=0.9),
    bp.Adagrad(0.1),
    bp.Adagrad(0.1, lr_decay=0.1, initial_accumulator=0.5),
    bp.Adam(0.1),
    bp.Adam(0.1, weight_decay=0.1, l1=0.01, clip_value=0.5),
    bp.AdamW(0.1, weight_decay=0.1),
    bp.AMSGrad(0.1, beta2=0.5),
    bp.Nadam(0.1),
    bp.Adamax(0.1),
    bp.RAdam(0.1),
    bp.RAdam(0.1, beta2=0.9),
    bp.Lion(0.1, weight_decay=0.1),
    bp.Rprop(0.1),
    bp.Rprop(0.1, least=0.05, most=0.15, weight_decay=0.1),
)
each_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
SIZE = 75


def test_every_rule_steps():
    assert {optimizer.rule for optimizer in OPTIMIZERS} == bp.kernels.RULES.keys()


def beginning(optimizer, dtype):
    """The states before the first step."""
    starts = [optimizer.start(state) for state in optimizer.states]
    return np.repeat(np.array(starts, dtype), SIZE).reshape(-1, SIZE)


def in_the_twin(w, g, optimizer, state, step):
    reference.descend(w, g, optimizer.groups()[0], optimizer.lr, step, state)


def tolerance_of(optimizer, dtype):
    """More for RAdam, whose first r[t] are differences of two numbers near 2000."""
    lost = 1e-12 if optimizer.rule == "radam" else 0
    return 12 * TOLERANCE[dtype] + lost


@each_optimizer
def test_steps_one_after_another(kernels, dtype, optimizer):
    """Twelve steps, so that RAdam uses both of its formulas.

    Lion's step would be another one where rounding turns a sign, which is not so here.
    """
    rng = np.random.default_rng(0)
    w = rng.normal(size=SIZE).astype(dtype)
    state, wide = beginning(optimizer, dtype), WIDER[dtype]
    w_twin, state_twin = w.astype(wide), state.astype(wide)
    for step in range(1, 13):
        g = rng.normal(size=SIZE).astype(dtype)
        kernels.descend(w, g, optimizer, state, step)
        in_the_twin(w_twin, g.astype(wide), optimizer, state_twin, step)
        assert_close(w, w_twin, tolerance_of(optimizer, dtype), 1)
        assert_close(state, state_twin, tolerance_of(optimizer, dtype), 1)


@pytest.mark.parametrize("step", [100, 12345])
@each_optimizer
def test_steps_far_on(kernels, dtype, optimizer, step):
    """Powers that depend on the step's number are right for any first step."""
    rng = np.random.default_rng(step)
    w, g = rng.normal(size=(2, SIZE)).astype(dtype)
    state = beginning(optimizer, dtype) + abs(g) + 1
    w_twin, state_twin = w.astype(WIDER[dtype]), state.astype(WIDER[dtype])
    kernels.descend(w, g, optimizer, state, step)
    in_the_twin(w_twin, g.astype(WIDER[dtype]), optimizer, state_twin, step)
    assert_close(w, w_twin, tolerance_of(optimizer, dtype), 1)
    assert_close(state, state_twin, tolerance_of(optimizer, dtype), 1)


@each_optimizer
def test_gradients_of_0_change_nothing(kernels, dtype, optimizer):
    optimizer = optimizer.replace(weight_decay=0.0, l1=0.0)
    w = np.random.default_rng(0).normal(size=SIZE).astype(dtype)
    before, state = w.copy(), beginning(optimizer, dtype)
    for step in range(1, 9):
        kernels.descend(w, np.zeros_like(w), optimizer, state, step)
    assert np.array_equal(w, before)
    assert not np.isnan(state).any()


@pytest.mark.parametrize("g", [1e-30, 1e-20, 1e-3, 0.1, 1, 1e4, 1e15])
@each_optimizer
def test_equal_gradients_lead_to_no_nan(kernels, dtype, optimizer, g):
    """The mean square minus the squared mean is 0, and must not be negative."""
    optimizer = optimizer.replace(weight_decay=0.0, l1=0.0)
    w, state = np.zeros(SIZE, dtype), beginning(optimizer, dtype)
    gradient = np.linspace(0.5, 1, SIZE, dtype=dtype) * np.dtype(dtype).type(g)
    for step in range(1, 301):
        kernels.descend(w, gradient, optimizer, state, step)
    assert np.isfinite(w).all()
    assert np.isfinite(state).all()


@each_optimizer
def test_steps_go_down(kernels, dtype, optimizer):
    """On w^2 / 2 every optimizer ends nearer to 0."""
    w = np.linspace(1, 2, SIZE, dtype=dtype)
    state = beginning(optimizer, dtype)
    for step in range(1, 41):
        kernels.descend(w, w.copy(), optimizer, state, step)
    assert abs(w).mean() < 1.2


@each_optimizer
def test_bits_of_a_step_do_not_depend_on_the_place(isa, kernels, dtype, optimizer):
    """Tails of every length, aligned or not: those of the scalar build."""
    rng = np.random.default_rng(0)
    w, g = rng.normal(size=(2, SIZE)).astype(dtype)
    state = abs(rng.normal(size=(len(optimizer.states), SIZE))).astype(dtype) + 1
    whole, whole_state = w.copy(), state.copy()
    with dispatch.using(isa if isa == "x86_64_v2" else "scalar"):
        kernels.descend(whole, g, optimizer, whole_state, 7)
    for start in range(0, 41):
        part, its_state = w[start:].copy(), state[:, start:].copy()
        kernels.descend(part, g[start:], optimizer, its_state, 7)
        assert part.tobytes() == whole[start:].tobytes()
        assert its_state.tobytes() == whole_state[:, start:].tobytes()


# --- norms ----------------------------------------------------------------------------


@pytest.mark.parametrize("clipped", [True, False])
@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 8192, 12289])
def test_norms_over_blocks(kernels, dtype, size, clipped):
    """Norms of arrays that are summed in blocks of 4096."""
    g = np.random.default_rng(size).normal(size=size).astype(dtype)
    norm = math.sqrt(math.fsum(g.astype("float64") ** 2))
    most = norm / 3 if clipped else 2 * norm
    given = g.copy()
    assert kernels.clip_norm(given, most) == pytest.approx(
        norm, rel=4 * TOLERANCE[dtype]
    )
    if not clipped:
        assert given.tobytes() == g.tobytes()
    else:
        factor = most / (norm + 1e-6)
        assert_close(given, g.astype("float64") * factor, 4 * TOLERANCE[dtype])


def test_norms_of_columns(kernels, dtype):
    """Those below the limit keep their bits, those of zeros stay zeros."""
    W = np.random.default_rng(0).normal(size=(20, 37)).astype(dtype)
    W[:, 5], W[:, 7] = 0, 100
    norms = np.sqrt((W.astype("float64") ** 2).sum(axis=0))
    most = np.median(norms)
    given = W.copy()
    kernels.limit_norms(given, most)
    below = norms < most * (1 - 1e-6)
    assert given[:, below].tobytes() == W[:, below].tobytes()
    limited = np.sqrt((given.astype("float64") ** 2).sum(axis=0))
    assert_close(limited[~below], np.full(limited[~below].shape, most), 2e-6)
    assert not given[:, 5].any()


# --- normalisation --------------------------------------------------------------------


def normalised(kernels, u, gain, shift, kind):
    """y, and the arrays that normalise_back needs."""
    n, n_out = u.shape
    y, hat = np.empty_like(u), u.copy()
    inverse, moments = np.empty(max(n, n_out), u.dtype), np.empty((2, n_out), u.dtype)
    kernels.normalise(y, hat, inverse, moments, gain, shift, kind)
    return y, hat, inverse, moments


each_kind = pytest.mark.parametrize("kind", ["batch", "layer"])


@each_kind
def test_normalised_moments(kernels, dtype, kind):
    """0 and 1, except for the eps added to the variance, also far from 0."""
    u = np.random.default_rng(0).normal(100, 3, (130, 70)).astype(dtype)
    ones, zeros = np.ones(70, dtype), np.zeros(70, dtype)
    y, hat, _, moments = normalised(kernels, u, ones, zeros, kind)
    axis = 0 if kind == "batch" else 1
    wide = y.astype("float64")
    assert_close(wide.mean(axis=axis), np.zeros(1), 40 * TOLERANCE[dtype], 1)
    assert_close(wide.var(axis=axis), np.ones(1), 2e-5)
    assert y.tobytes() == hat.tobytes()
    if kind == "batch":
        assert_close(moments[0], u.mean(axis=0, dtype=WIDER[dtype]), TOLERANCE[dtype])
        variances = u.astype(WIDER[dtype]).var(axis=0)
        assert_close(moments[1], variances, 40 * TOLERANCE[dtype])


@each_kind
def test_what_is_constant_normalises_to_the_shift(kernels, dtype, kind):
    u = np.full((7, 19), 3, dtype)
    gain, shift = np.random.default_rng(0).normal(size=(2, 19)).astype(dtype)
    y, hat, inverse, _ = normalised(kernels, u, gain, shift, kind)
    assert not hat.any()
    assert np.array_equal(y, np.broadcast_to(shift, y.shape))
    used = inverse[: 19 if kind == "batch" else 7]
    assert_close(used, np.full(used.shape, 1 / math.sqrt(1e-5)), TOLERANCE[dtype])


@each_kind
def test_normalise_back_is_the_derivative(kernels, kind):
    """The derivative of sum(c y), against its differences."""
    rng = np.random.default_rng(0)
    u, c, du = rng.normal(size=(3, 11, 9))
    gain, shift, dgain, dshift = rng.normal(size=(4, 9))

    def total(t):
        moved = u + t * du, gain + t * dgain, shift + t * dshift
        return (c * normalised(kernels, *moved, kind)[0]).sum()

    _, hat, inverse, _ = normalised(kernels, u, gain, shift, kind)
    delta, by_gain, by_shift = c.copy(), np.empty(9), np.empty(9)
    kernels.normalise_back(delta, by_gain, by_shift, hat, inverse, gain, kind)
    slope = (delta * du).sum() + by_gain @ dgain + by_shift @ dshift
    assert slope == pytest.approx((total(1e-5) - total(-1e-5)) / 2e-5, rel=1e-6)


def test_bits_of_a_row_alone_in_layer_norm(kernels, dtype):
    for n_out in range(1, 70):
        rng = np.random.default_rng(n_out)
        u = rng.normal(size=(5, n_out)).astype(dtype)
        gain, shift = rng.normal(size=(2, n_out)).astype(dtype)
        y, _, inverse, _ = normalised(kernels, u, gain, shift, "layer")
        for i in range(5):
            alone, _, its, _ = normalised(kernels, u[i : i + 1], gain, shift, "layer")
            assert alone[0].tobytes() == y[i].tobytes()
            assert its[0] == inverse[i]


def test_folded_weights_normalise_by_running_moments(kernels, dtype):
    rng = np.random.default_rng(0)
    a, W = rng.normal(size=(6, 8)), rng.normal(size=(8, 37))
    gain, shift, mean, variance = rng.normal(size=(4, 37))
    variance = abs(variance)
    arrays = W, shift, gain, np.stack([mean, variance])
    folded = np.empty((8, 37), dtype), np.empty(37, dtype)
    kernels.fold(*folded, *(x.astype(dtype) for x in arrays))
    wanted = gain * (a @ W - mean) / np.sqrt(variance + 1e-5) + shift
    scale = 1 / np.sqrt(variance.min() + 1e-5)
    assert_close(a @ folded[0] + folded[1], wanted, 40 * TOLERANCE[dtype], scale)


# --- noise ----------------------------------------------------------------------------

KEYS = (0, 1, 2**32, 2**64 - 1)
SHAPE = 300, 700


def dropped(kernels, key, p, shape=SHAPE, dtype="float32"):
    """Where `drop` sets elements to 0."""
    out = np.empty(shape, dtype)
    kernels.drop(np.ones(shape, dtype), out, key, p)
    return out == 0


def noise(kernels, key, size=1.0, shape=SHAPE, dtype="float32"):
    out = np.empty(shape, dtype)
    kernels.add_noise(np.zeros(shape, dtype), out, key, size)
    return out


@pytest.mark.parametrize("p", [0.0, 0.25, 0.7, 0.9, 1 - 2**-20, 1 - 2**-53])
@pytest.mark.parametrize("key", KEYS)
def test_bits_of_drop_are_those_of_its_twin(kernels, dtype, key, p):
    """Except for the signs of zeros."""
    rng = np.random.default_rng(0)
    for n, width in ((1, 1), (1, 300), (70, 3), (9, 33)):
        x = rng.normal(size=(n, width)).astype(dtype)
        given, wanted = np.empty_like(x), reference.drop(x, key, p) + 0
        kernels.drop(x, given, key, p)
        assert (given + 0).tobytes() == wanted.tobytes(), (n, width)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("size", [0.0, 1e-3, 1.0, 50.0])
def test_noise_is_that_of_its_twin(kernels, dtype, key, size):
    rng = np.random.default_rng(0)
    for n, width in ((1, 1), (1, 600), (70, 3), (9, 33)):
        x = rng.normal(size=(n, width)).astype(dtype)
        given, wanted = np.empty_like(x), reference.add_noise(x, key, size)
        kernels.add_noise(x, given, key, size)
        rounding = np.spacing(abs(wanted).max()) if dtype == "float32" else 1e-15
        assert abs(given - wanted).max() <= 1e-6 * size + rounding, (n, width)


@pytest.mark.parametrize("n, width", ((1, 1), (1, 600), (70, 3), (9, 33)))
@pytest.mark.parametrize("name", ["drop", "add_noise"])
def test_bits_of_noise_in_place(kernels, dtype, name, n, width):
    x = np.random.default_rng(width).normal(size=(n, width)).astype(dtype)
    out = np.empty_like(x)
    getattr(kernels, name)(x, out, 3, 0.5)
    getattr(kernels, name)(x, x, 3, 0.5)
    assert x.tobytes() == out.tobytes()


@pytest.mark.parametrize("n, width", ((1, 1), (13, 50), (50, 13)))
def test_a_place_has_its_noise_in_every_shape_and_dtype(kernels, n, width):
    """The key, row i and column j determine it."""
    part = slice(n), slice(width)
    for dtype in ("float32", "float64"):
        small = dropped(kernels, 3, 0.5, (n, width), dtype)
        assert np.array_equal(small, dropped(kernels, 3, 0.5)[part])
        few = noise(kernels, 3, 1.0, (n, width), dtype)
        assert abs(few - noise(kernels, 3)[part]).max() < 2e-6


@pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("key", KEYS)
def test_the_fraction_dropped_is_p(kernels, key, p):
    """Within five standard deviations: in all, by row and by column."""
    lost = dropped(kernels, key, p)
    for axis, count in ((None, lost.size), (1, SHAPE[1]), (0, SHAPE[0])):
        deviation = math.sqrt(p * (1 - p) / count)
        assert abs(lost.mean(axis=axis) - p).max() < 5 * deviation


def correlation(x, y):
    return np.corrcoef(x.ravel(), y.ravel())[0, 1]


@functools.cache
def other_places(n, width):
    """Pairs of parts that lie a row, a column, or both apart."""
    rows, columns = slice(n - 1), slice(width - 1)
    return (
        ((rows, slice(None)), (slice(1, None), slice(None))),
        ((slice(None), columns), (slice(None), slice(1, None))),
        ((rows, columns), (slice(1, None), slice(1, None))),
        ((rows, slice(1, None)), (slice(1, None), columns)),
    )


def test_places_and_keys_are_independent(kernels):
    """No correlation beyond five standard deviations."""
    far = 5 / math.sqrt(math.prod(SHAPE) - 1000)
    draws = [noise(kernels, key) for key in KEYS]
    draws += [1.0 * dropped(kernels, key, 0.5) for key in KEYS]
    for x in draws:
        for here, there in other_places(*SHAPE):
            assert abs(correlation(x[here], x[there])) < far
    of_keys = draws[: len(KEYS)]
    for i, x in enumerate(of_keys):
        for y in of_keys[:i]:
            assert abs(correlation(x, y)) < far


@pytest.mark.parametrize("key", KEYS)
def test_noise_is_normal(kernels, dtype, key):
    """Its first four moments, and the shares of its tails."""
    x = noise(kernels, key, 1.0, SHAPE, dtype).astype("float64")
    unit = 5 / math.sqrt(x.size)
    moments = [(x**k).mean() for k in (1, 2, 3, 4)]
    variances = [1, 2, 15, 96]
    for given, wanted, variance in zip(moments, (0, 1, 0, 3), variances, strict=True):
        assert abs(given - wanted) < unit * math.sqrt(variance)
    for end in (1.0, 2.0, 3.0, 4.0):
        share = math.erfc(end / math.sqrt(2)) / 2
        for tail in (x > end, x < -end):
            assert abs(tail.mean() - share) < unit * math.sqrt(share)
