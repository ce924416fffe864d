"""C headers, compiled: the bits of `predict`."""

import numpy as np
import pytest

import bpcore as bp
from helpers.c_compiler import assert_same_bits, compiler, outputs

ACTIVATIONS = sorted(bp.ACTIVATIONS)
NORMS = (None, "batch", "layer")

pytestmark = pytest.mark.skipif(
    bp.config()["isa"] == "x86_64_v2", reason="predictions without fused multiply-add"
)


def network(sizes, rng, **settings):
    """A network whose parameters and moments are all random."""
    net = bp.Network(sizes, loss="squared_error", rng=0, **settings)
    net.parameters[:] = 0.6 * rng.normal(size=net.parameters.size)
    for moments in net.running_moments:
        if moments is not None:
            moments[0], moments[1] = rng.normal(size=moments.shape[1]), 0.5
    return net


def values_of_every_size(dtype, rng):
    """Zeros, critical points and random numbers, small to large."""
    far = [1e-30, 0.25, 0.5, 1, 3, 5, 8, 10, 17.5, 20, 40, 80, 88, 89, 104, 709, 746,
           1000, 1001, 1e5, 1e18, float(np.finfo(dtype).max) * 0.99, 1e-45]  # fmt: skip
    near = rng.normal(size=400) * rng.choice([0.1, 1, 3, 30], 400)
    sizes = 2.0 ** rng.uniform(-120, 120, 200) * rng.choice([-1, 1], 200)
    found = np.array([0.0, -0.0, *far, *(-x for x in far), *near, *sizes])
    with np.errstate(over="ignore"):
        return found.astype(dtype)[:, None]


def networks(dtype):
    """Networks and rows of inputs, by name."""
    rng = np.random.default_rng(1)
    for f in ACTIVATIONS:  # f alone
        net = bp.Network([1, 1], output=f, loss="squared_error", dtype=dtype)
        net.weights[0][...], net.biases[0][...] = 1, -0.0  # so that z may be -0
        yield f, net, values_of_every_size(dtype, rng)
    for i in range(6):
        *hidden, output = ACTIVATIONS[3 * i : 3 * i + 3]
        net = network(
            [5, 19, 6, 3],
            rng,
            activation=hidden,
            output=output,
            norm=NORMS[i % 3],
            input_scale=2.0 if i % 2 else None,
            dtype=dtype,
        )
        yield f"net_{i}", net, rng.normal(size=(9, 5)).astype(dtype)
    # Chains of 256 terms, layers of one unit, and a softmax of many.
    for sizes in ([257, 1, 70], [600, 5], [512, 17], [1, 1, 1]):
        name = "net_" + "_".join(map(str, sizes))
        net = network(sizes, rng, activation="tanh", output="softmax", dtype=dtype)
        yield name, net, rng.normal(size=(5, sizes[0])).astype(dtype)
    net = network([3, 40, 4], rng, norm="layer", dtype=dtype)
    large = float(np.finfo(dtype).max)
    sizes = [[0.0], [1e-38], [1.0], [large**0.4], [large**0.7], [large / 10]]
    yield "large", net, (rng.normal(size=(6, 3)) * sizes).astype(dtype)
    net = bp.Network([1, 4, 2], norm="layer", dtype=dtype)
    net.weights[0][...] = 1  # no variance, where the largest are NaN
    yield "equal", net, np.array([[1.0], [large**0.4], [large**0.8]], dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cc", ["gcc", "clang"])
def test_same_bits(cc, dtype, tmp_path):
    cc = compiler(cc)
    models = {}
    for name, net, X in networks(dtype):
        net.to_c(tmp_path / f"{name}.h", name=name, X=X)
        models[name] = X, net.predict(X)
    # gnu99, in which gcc contracts a * b + c unless the header forbids it.
    flags = ("-O2", "-fno-inline", "-march=native", "-std=gnu99")
    got, wrong = outputs(cc, models, tmp_path, *flags)
    for name, (_, out) in models.items():
        assert_same_bits(got[name], out, name)
    assert wrong == 0


def test_without_fused_multiply_add(tmp_path):
    """The last digits differ, and the test of the header allows for it."""
    cc, rng = compiler("gcc"), np.random.default_rng(2)
    net = network([30, 20, 3], rng, activation="tanh")
    X = rng.normal(size=(20, 30)).astype("f4")
    models = {"model": (X, net.predict(X))}
    net.to_c(tmp_path / "model.h", X=X)
    flags = ("-O2", "-DBPCORE_FMAF(a,b,c)=((a)*(b)+(c))", "-ffp-contract=off")
    got, wrong = outputs(cc, models, tmp_path, *flags)
    assert wrong > 0  # since the macro says that it is one
    assert 0 < np.abs(got["model"] - net.predict(X)).max() < 1e-5
    flags = ("-O2", "-DBPCORE_FMAF=fmaf", "-include", "math.h", "-lm")
    got, wrong = outputs(cc, models, tmp_path, *flags)
    assert_same_bits(got["model"], net.predict(X))
    assert wrong == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_8_bits(dtype, tmp_path):
    """The outputs are those of a network with the rounded weights."""
    cc, rng = compiler("gcc"), np.random.default_rng(3)
    settings = {"activation": "silu", "norm": "layer", "input_scale": 1.0}
    net = network([300, 7, 3], rng, dtype=dtype, **settings)
    net.weights[1][:, 0] = 0
    X = rng.normal(size=(20, 300)).astype(dtype)
    report = net.to_c(tmp_path / "model.h", weights="int8", X=X)
    exact = net.predict(X)
    got, wrong = outputs(cc, {"model": (X, exact)}, tmp_path, "-march=native")
    assert wrong == 0
    assert report.largest_difference == pytest.approx(
        np.abs(got["model"] - exact).max()
    )
    rounded = net.astype(dtype)
    for W in rounded.weights:
        scale = (np.abs(W).max(axis=0) / 127).astype(dtype)
        scale[scale == 0] = 1
        W[...] = np.rint(W / scale).astype(dtype) * scale
    assert_same_bits(got["model"], rounded.predict(X))
    assert 0 < report.largest_difference < 0.2
