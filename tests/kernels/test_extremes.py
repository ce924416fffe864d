"""Numbers whose squares overflow or vanish, infinite z, moments that overflow."""

import numpy as np
import pytest

import bpcore as bp
from bpcore import reference
from bpcore.losses import LOSSES

QUIET = {"progress": False}
#: Sizes far beyond the root of the largest and of the least number of each dtype.
FAR = {"float32": [1e19, 1e20, 1e36, 1e-25, 1e-38, 1.0],
       "float64": [1e160, 1e200, 1e305, 1e-170, 1e-300, 1.0]}  # fmt: skip
EACH_SIZE = [(dtype, size) for dtype, sizes in FAR.items() for size in sizes]
LARGE = [(dtype, size) for dtype, size in EACH_SIZE if size > 1]
each_size = pytest.mark.parametrize(("dtype", "size"), EACH_SIZE)
large = pytest.mark.parametrize(("dtype", "size"), LARGE)
INF = np.inf
rng = np.random.default_rng(0)


def close(found, expected, dtype, **settings):
    rtol = {"float32": 1e-5, "float64": 1e-12}[str(np.dtype(dtype))]
    np.testing.assert_allclose(found, expected, rtol=rtol, **settings)


# --- norms ----------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["kernels", "reference"])
@each_size
@pytest.mark.parametrize("n", [1, 5, 9000])
def test_clip_norm(kernels, dtype, size, n, library):
    clip = (kernels if library == "kernels" else reference).clip_norm
    shape = rng.normal(size=n)
    g = (size * shape).astype(dtype)
    exact = size * np.sqrt((shape**2).sum())
    clipped = g.copy()
    close(clip(clipped, 1.0), exact, dtype)
    factor = min(1.0, 1 / (exact + 1e-6))
    close(clipped, g.astype(np.longdouble) * factor, dtype, atol=1e-37)


@large
@pytest.mark.parametrize("how", ["train_step", "apply", "accumulate", "stream"])
def test_a_large_gradient_makes_a_step_of_the_clipped_norm(Network, dtype, size, how):
    """X = (size, 0), delta = 1: the gradient is (size, 0), and 1 of the bias."""
    net = Network([2, 1], loss="mean_absolute_error", init="zeros", dtype=dtype,
                  optimizer=bp.SGD(1.0, clip_norm=1.0))  # fmt: skip
    X, y = np.array([[size, 0.0]] * 2, dtype), np.array([-1.0, -1.0], dtype)
    if how == "train_step":
        net.train_step(X, y)
    elif how == "apply":
        net.apply(net.gradients(X, y))
    elif how == "accumulate":
        net.fit(X, y, batch_size=1, accumulate=2, epochs=1, **QUIET)
    else:
        net.fit([(X, y)], epochs=1, **QUIET)
    close(net.weights[0][:, 0], [-1, 0], dtype)


@pytest.mark.parametrize("library", ["kernels", "reference"])
@each_size
def test_limit_norms(kernels, dtype, size, library):
    limit = (kernels if library == "kernels" else reference).limit_norms
    shape = rng.normal(size=(7, 19))
    norms = np.sqrt((shape**2).sum(axis=0))
    W = (size * shape).astype(dtype)
    limited = W.copy()
    limit(limited, size / 2)
    close(limited, W * np.minimum(1, 0.5 / norms), dtype, atol=1e-44)
    unlimited = W.copy()
    limit(unlimited, size * 100)
    assert np.array_equal(unlimited, W)


def test_columns_of_other_sizes_do_not_change_bits(kernels, dtype):
    W = rng.normal(size=(9, 33)).astype(dtype)
    alone = W.copy()
    kernels.limit_norms(alone, 1.0)
    W[:, ::5] *= FAR[dtype][0]
    kernels.limit_norms(W, 1.0)
    keep = np.arange(33) % 5 != 0
    assert np.array_equal(W[:, keep], alone[:, keep])


@large
def test_max_norm(Network, dtype, size):
    net = Network([2, 3], dtype=dtype, optimizer=bp.SGD(0.0, max_norm=2.5), rng=0)
    net.weights[0][...] = np.array([[0.3], [0.4]]) * size
    net.train_step(np.zeros((1, 2)), np.zeros((1, 3)))
    close(net.weights[0], np.array([[1.5] * 3, [2.0] * 3]), dtype)


@large
@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_normalise(kernels, dtype, size, kind):
    u = rng.normal(size=(11, 7))
    u[:, 2] /= size  # of an ordinary size
    axis = 0 if kind == "batch" else 1
    gain, shift = rng.normal(size=(2, 7)).astype(dtype)
    scaled = (u * size).astype(dtype)
    wide = scaled.astype(np.longdouble)
    mean, eps = wide.mean(axis, keepdims=True), np.longdouble(1e-5)
    hat = (wide - mean) / np.sqrt(wide.var(axis, keepdims=True) + eps)
    found, y = scaled.copy(), np.empty_like(scaled)
    inverse, moments = np.empty(11, dtype), np.empty((2, 7), dtype)
    kernels.normalise(y, found, inverse, moments, gain, shift, kind)
    close(found, hat, dtype, atol=2e-6)
    close(y, hat * gain + shift, dtype, atol=2e-6)
    other = reference.normalise(scaled, gain, shift, kind)
    close(other[1], hat, dtype, atol=2e-6)
    close(other[0], hat * gain + shift, dtype, atol=2e-6)
    if kind == "batch":
        close(moments[0], mean[0], dtype, atol=size * 1e-6)


@pytest.mark.parametrize("size", [1e19, 1e30])
@pytest.mark.parametrize("kind", ["batch", "layer"])
def test_gradients_of_normalised_layers(Network, size, kind):
    """dE/dW times the size equals dE/dW for X of size 1."""
    X, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
    found = []
    for scale in (1e6, size):
        net = Network([3, 5, 2], norm=kind, activation="tanh", rng=0, dtype="float32")
        grads = net.gradients((X * scale).astype("float32"), y)
        found.append((grads.loss, grads.weights[0], grads.weights[1]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4)
    for a, b in zip(*(each[1:] for each in found), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@each_size
@pytest.mark.parametrize("name", ["squared_error", "mean_squared_error"])
def test_squared_errors(kernels, dtype, size, name):
    """The loss is a float64, whatever the dtype of the outputs."""
    d = (size * rng.normal(size=(5, 37))).astype(dtype)
    wide = d.astype(np.longdouble)
    E = 0.5 * (wide**2).sum(axis=1) if name == "squared_error" else (wide**2).mean(1)
    delta = np.empty_like(d)
    with np.errstate(over="ignore", under="ignore"):
        expected = float(E.mean())
    if 0 < expected < INF:
        found = kernels.loss(d, delta, name, y=np.zeros_like(d))
        close(found, expected, dtype)
        if dtype == "float32":
            values, _ = reference.loss(d, np.zeros_like(d), name)
            close(values.mean(), expected, dtype)


@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-10, 1e-19, 1e-22, 1e-25, 1e-37])
@pytest.mark.parametrize("name", ["huber", "log_cosh"])
def test_losses_that_are_squares_near_0(kernels, dtype, size, name):
    """In float64, whatever the dtype of the outputs; deltas are normal or 0."""
    d = (size * rng.uniform(-1, 1, size=(5, 37))).astype(dtype)
    wide = d.astype(np.longdouble)
    values = wide**2 / 2
    if name == "log_cosh":
        values = np.log1p(2 * np.sinh(wide / 2) ** 2)
    delta = np.empty_like(d)
    found = kernels.loss(d, delta, name, y=np.zeros_like(d))
    close(found, float(values.mean()), dtype)
    slope = wide if name == "huber" else np.tanh(wide)
    slope = slope / (37 * 5)
    slope[np.abs(slope) < np.finfo(dtype).tiny] = 0
    close(delta, slope, dtype, atol=1e-44)
    E, _ = reference.loss(d, np.zeros_like(d), name)
    close(E.mean(), float(values.mean()), dtype)


def test_a_huber_loss_whose_delta_is_tiny(kernels, dtype):
    d, delta = np.full((1, 3), 1e-20, dtype), np.empty((1, 3), dtype)
    found = kernels.loss(d, delta, "huber", y=np.zeros_like(d), setting=1e-25)
    close(found, 1e-45, dtype, atol=1e-44)


@pytest.mark.parametrize("size", [1.0, 1e-25])
def test_rprop_sees_the_sign_of_small_gradients(Network, size):
    nets = [
        Network([2, 1], init="zeros", optimizer=bp.Rprop(0.01),
                loss="mean_absolute_error")
        for _ in range(2)
    ]  # fmt: skip
    X = np.array([[1.0, -2.0], [3.0, 1.0]], np.float32)
    for _ in range(3):
        for net, scale in zip(nets, (1.0, size), strict=True):
            net.train_step(X * np.float32(scale), np.array([9.0, 9.0]))
    np.testing.assert_allclose(nets[0].weights[0], nets[1].weights[0])


# --- infinite z -----------------------------------------------------------------------

#: f(-inf), f(inf) and f'(-inf), f'(inf).
LIMITS = {
    "identity": (-INF, INF, 1, 1),
    "sigmoid": (0, 1, 0, 0),
    "tanh": (-1, 1, 0, 0),
    "relu": (0, INF, 0, 1),
    "leaky_relu": (-INF, INF, 0.01, 1),
    "elu": (-1, INF, 0, 1),
    "selu": (-1.7580993408473766, INF, 0, 1.0507009873554805),
    "gelu": (0, INF, 0, 1),
    "gelu_tanh": (0, INF, 0, 1),
    "silu": (0, INF, 0, 1),
    "mish": (0, INF, 0, 1),
    "softplus": (0, INF, 0, 1),
    "softsign": (-1, 1, 0, 0),
    "hard_sigmoid": (0, 1, 0, 0),
    "hard_tanh": (-1, 1, 0, 0),
    "exp": (0, INF, 0, INF),
    "step": (0, 1, 0, 0),
}


def test_every_activation_has_its_limits():
    assert LIMITS.keys() | {"softmax"} == set(bp.ACTIVATIONS)


@pytest.mark.filterwarnings("ignore:.*encountered in")
@pytest.mark.parametrize("f", LIMITS)
def test_activations_of_infinite_z(kernels, dtype, f):
    low, high, slope_low, slope_high = LIMITS[f]
    z = np.tile(np.array([-INF, INF, 0.5], dtype), (3, 11))  # vectors and tails
    a = z.copy()
    kernels.activate(a, f)
    expected = reference.activate(z.copy(), f)
    assert a[0, :2] == pytest.approx([low, high], rel=1e-6)
    assert expected[0, :2] == pytest.approx([low, high], rel=1e-6)
    np.testing.assert_allclose(a, expected, rtol=1e-6)
    source = z if bp.ACTIVATIONS[f].needs_z else a
    d = np.ones_like(a)
    kernels.times_derivative(d, source, f)
    assert d[0, :2] == pytest.approx([slope_low, slope_high], rel=1e-6)
    found = reference.times_derivative(np.ones_like(a), source, f)
    assert found[0, :2] == pytest.approx([slope_low, slope_high], rel=1e-6)


@pytest.mark.filterwarnings("ignore:.*encountered in")
@pytest.mark.parametrize("width", [2, 3, 8, 16, 17, 40])
@pytest.mark.parametrize("rows", [1, 2, 9, 33])
def test_softmax_of_infinite_z(kernels, dtype, width, rows):
    z = rng.normal(size=(rows, width)).astype(dtype)
    z[:, width - 1] = INF
    z[0] = -INF
    z[0, 0] = 1
    a = z.copy()
    kernels.activate(a, "softmax")
    expected = np.zeros_like(z)
    expected[:, width - 1] = 1
    expected[0] = np.arange(width) == 0
    assert np.array_equal(a, expected)
    assert np.array_equal(reference.activate(z, "softmax"), expected)
    z[:, 0] = INF  # equal shares of those that are
    expected[:, 0] = expected[:, width - 1] = 0.5
    expected[0] = np.arange(width) == 0
    kernels.activate(z, "softmax")
    assert np.array_equal(z, expected)


@pytest.mark.parametrize(
    "label, loss", ((1, 0.0), (0, INF)), ids=["its class", "another class"]
)
@pytest.mark.filterwarnings("ignore:.*encountered in")
@pytest.mark.parametrize("width", [2, 3, 16, 40])
@pytest.mark.parametrize("rows", [1, 2, 17])
def test_cross_entropy_of_infinite_z(kernels, dtype, width, rows, label, loss):
    """0 where the class has the infinite z, infinite where it has not."""
    z = rng.normal(size=(rows, width)).astype(dtype)
    z[:, 1] = INF
    eye = np.eye(width, dtype=dtype)
    for given in ({"labels": np.full(rows, label)}, {"y": eye[[label] * rows]}):
        delta = np.empty_like(z)
        assert kernels.loss(z, delta, "cross_entropy", **given) == loss
        np.testing.assert_array_equal(delta, (eye[[1]] - eye[[label]]) / rows
                                      + 0 * delta)  # fmt: skip
    E, d = reference.loss(z, np.full(rows, label), "cross_entropy")
    assert (loss == E).all()
    np.testing.assert_array_equal(d, np.tile(eye[1] - eye[label], (rows, 1)))


@pytest.mark.parametrize(
    "name, z, y, E, d",
    [
        ("binary_cross_entropy", INF, 1, 0, 0),
        ("binary_cross_entropy", -INF, 0, 0, 0),
        ("binary_cross_entropy", INF, 0, INF, 1),
        ("binary_cross_entropy", -INF, 1, INF, -1),
        ("binary_cross_entropy", INF, 0.5, INF, 0.5),
        ("hinge", INF, 1, 0, 0),
        ("hinge", -INF, -1, 0, 0),
        ("poisson_of_log", -INF, 0, 0, 0),
        ("poisson_of_log", INF, 3, INF, INF),
        ("poisson", INF, 3, INF, 1),
        ("log_cosh", INF, 3, INF, 1),
        ("log_cosh", -INF, 3, INF, -1),
        ("huber", INF, 3, INF, 1),
        ("mean_absolute_error", -INF, 3, INF, -1),
    ],
)
@pytest.mark.filterwarnings("ignore:.*encountered in")
def test_losses_of_infinite_z(kernels, dtype, name, z, y, E, d):
    """The limit, where there is one: name, z, y, loss, derivative."""
    rows, targets = np.full((1, 1), z, dtype), np.full((1, 1), y, dtype)
    delta = np.empty_like(rows)
    found = kernels.loss(rows, delta, name, y=targets), delta[0, 0]
    assert found == (E, d), name
    values, slope = reference.loss(rows, targets, name)
    assert (values[0], slope[0, 0]) == (E, d), name


@pytest.mark.filterwarnings("ignore:.*encountered in")
@pytest.mark.parametrize(
    "f", ("softsign", "tanh", "sigmoid", "hard_tanh", "hard_sigmoid")
)
def test_hidden_layers_whose_z_is_infinite(Network, f):
    net = Network([1, 2, 1], activation=f, rng=0)
    net.weights[0][...] = [[3e38, -3e38]]
    net.weights[1][...] = [[1.0], [1.0]]
    assert np.isfinite(net.predict([3e38])).all(), f


@pytest.mark.filterwarnings("ignore:.*encountered in")
def test_networks_whose_z_is_infinite(Network):
    """A hidden layer's too: the next one sees 1 and 0, not NaN."""
    net = Network([1, 2], loss="cross_entropy", rng=0)
    net.weights[0][...] = [[3e38, 1.0]]
    assert net.predict([3e38]).tolist() == [1, 0]
    assert net.train_step([[3e38]], [0]) == 0


# --- log cosh -------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1e-4, 1e-3, 3e-10, 0.5, 1.0, 30.0, 0.0])
def test_log_cosh(Network, d):
    net = Network([1, 1], loss="log_cosh", init="zeros")
    d = float(np.float32(d))
    exact = np.log1p(2 * np.sinh(d / 2) ** 2)
    assert net.evaluate([[0.0]], [d]) == pytest.approx(exact, rel=3e-7)


# --- the default settings of losses ---------------------------------------------------


@pytest.mark.parametrize("name", bp.kernels.LOSSES)
def test_kernels_take_the_default_of_a_loss(kernels, name):
    z, y = rng.uniform(0.1, 3, size=(4, 3)), rng.uniform(size=(4, 3))
    of_others = INF if "log_loss" in name else 0.0
    setting = LOSSES[name].setting if name in LOSSES else of_others
    found = []
    for given in ({}, {"setting": None}, {"setting": setting}):
        delta = np.full_like(z, np.nan)
        found.append((kernels.loss(z, delta, name, y=y, **given), delta.tolist()))
    assert found[0] == found[1] == found[2]
    assert found[0][0] != 0 and np.any(found[0][1])
    values, slope = reference.loss(z, y, name)
    assert values.mean() == pytest.approx(found[0][0])
    np.testing.assert_allclose(slope / 4, found[0][1])


# --- moments that cannot be kept ------------------------------------------------------


@pytest.mark.parametrize("how", ["fit", "train_step", "stream", "trace", "numerical"])
@pytest.mark.filterwarnings("ignore:.*encountered in")
def test_moments_that_are_not_finite(Network, how):
    """One row of 1e20 must not make all later predictions NaN."""
    X, y = rng.normal(size=(32, 3)).astype("float32"), rng.normal(size=(32, 1))
    net = Network([3, 4, 1], norm="batch", optimizer=bp.SGD(0.01), rng=0)
    net.train_step(X, y)
    X_far = X.copy()
    X_far[5] = 1e20
    before = net.predict(X), [m.copy() for m in net.running_moments if m is not None]
    with pytest.raises(bp.DivergenceError, match="not finite"):
        if how == "fit":
            net.fit(X_far, y, epochs=1, **QUIET)
        elif how == "train_step":
            net.train_step(X_far, y)
        elif how == "stream":
            net.fit([(X_far, y)], epochs=1, **QUIET)
        elif how == "trace":
            bp.trace(net, X_far, y)
        else:
            net.fit(X_far, y, gradient="numerical", epochs=1, **QUIET)
    assert np.array_equal(net.predict(X), before[0])
    assert np.array_equal(net.running_moments[0], before[1][0])
    with pytest.raises(ValueError, match=r"gradients\.moments must be finite"):
        net.apply(net.gradients(X_far, y))


@pytest.mark.filterwarnings("ignore:.*encountered in")
def test_an_optimizer_state_that_is_not_finite(Network):
    """Squares of a gradient of 1e22 in float32: Adam's step would be 0 for ever."""
    X = np.array([[1e22], [1e22]], np.float32)
    net = Network([1, 1], loss="mean_absolute_error", init="zeros",
                  optimizer=bp.Adam(0.01))  # fmt: skip
    with pytest.raises(bp.DivergenceError, match="the optimizer's state is not finite"):
        net.fit(X, [1.0, 1.0], epochs=3, **QUIET)
    assert not net.parameters.any()


# --- batch norm and a last row alone --------------------------------------------------


def norm_net(Network, **settings):
    return Network([3, 4, 2], norm="batch", rng=0, dtype="float64", **settings)


@pytest.mark.parametrize("rows", [3, 33, 65])
@pytest.mark.parametrize("way", ["watched", "at once", "numerical", "accumulated"])
def test_a_last_row_joins_the_mini_batch_before_it(Network, rows, way):
    X, y = rng.normal(size=(rows, 3)), rng.normal(size=(rows, 2))
    size = 2 if rows == 3 else 32
    nets = [norm_net(Network, optimizer=bp.SGD(0.01)) for _ in range(2)]
    options = {"shuffle": False, "epochs": 2, **QUIET}
    seen = []
    more = {
        "watched": {"batch_callbacks": [lambda net, *at: seen.append(at[:2])]},
        "numerical": {"gradient": "numerical"},
        "accumulated": {"accumulate": 2},
    }.get(way, {})
    nets[0].fit(X, y, batch_size=size, **more, **options)
    starts = list(range(0, rows - 1, size))
    parts = [(X[i : j], y[i : j])
             for i, j in zip(starts, [*starts[1:], rows], strict=True)]  # fmt: skip
    nets[1].fit(parts, accumulate=2 if way == "accumulated" else 1, **options)
    tolerance = 1e-7 if way == "numerical" else 0
    np.testing.assert_allclose(
        nets[0].parameters, nets[1].parameters, rtol=0, atol=tolerance
    )
    assert len(parts[-1][0]) == size + 1
    if way == "watched":
        each = [(e, b) for e in (1, 2) for b in range(1, len(starts) + 1)]
        assert seen == each


@pytest.mark.parametrize(
    "sizes",
    [
        (32, 1),
        (1, 32),
        (8, 1, 8),
        (8, 1, 1),
        (1, 1),
        (1, 1, 1),
        (8, 8, 1),
        (3, 1, 1, 4),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_streams_join_rows_that_are_alone(Network, sizes, weighted):
    ends = np.cumsum(sizes)
    X, y = rng.normal(size=(ends[-1], 3)), rng.normal(size=(ends[-1], 2))
    w = rng.uniform(size=ends[-1])

    def items():
        room = np.empty((max(sizes), 3))  # used again by every mini-batch
        for n, end in zip(sizes, ends, strict=True):
            room[:n] = X[end - n : end]
            item = room[:n], y[end - n : end]
            yield (*item, w[end - n : end]) if weighted else item

    used = []
    net = norm_net(Network)
    net.fit(
        items(), epochs=1, batch_callbacks=[lambda *at: used.append(at[2])], **QUIET
    )
    joined = []
    for n, end in zip(sizes, ends, strict=True):
        rows = list(range(end - n, end))
        if joined and len(joined[-1]) == 1:
            joined[-1] += rows
        else:
            joined.append(rows)
    if len(joined) > 1 and len(joined[-1]) == 1:
        last = joined.pop()
        joined[-1] += last
    assert len(used) == len(joined)
    other = norm_net(Network)
    for rows in joined:
        other.train_step(X[rows], y[rows], w[rows] if weighted else None)
    assert np.array_equal(net.parameters, other.parameters)


def test_one_row_in_all_is_refused_before_anything_changes(Network):
    net = norm_net(Network)
    before = net.parameters.copy()
    row = np.ones((1, 3)), np.ones((1, 2))
    with pytest.raises(ValueError, match="X must have at least 2 rows for batch norm"):
        net.fit([row], epochs=1, **QUIET)
    with pytest.raises(ValueError, match="at least 2 rows in every mini-batch"):
        net.fit(*row, epochs=1, **QUIET)
    with pytest.raises(ValueError, match="at least 2 rows in every mini-batch"):
        net.fit(np.ones((4, 3)), np.ones((4, 2)), batch_size=1, epochs=1, **QUIET)
    assert np.array_equal(net.parameters, before)
