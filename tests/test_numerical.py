"""numerical_gradient: derivatives by differences and by complex steps."""

import numpy as np
import pytest

import bpcore as bp
from helpers.numerical import X, Y, rng


def product(x):
    """A function with a different slope in every direction, and its gradient."""
    return np.sin(x[0]) * np.exp(x[1]) / x[2]


def slopes(x):
    return np.array(
        [
            np.cos(x[0]) * np.exp(x[1]) / x[2],
            product(x),
            -product(x) / x[2],
        ]
    )


def test_central_differences():
    x = np.array([0.3, -1.2, 2.0])
    found = bp.numerical_gradient(product, x)
    np.testing.assert_allclose(found, slopes(x), rtol=1e-8)
    scaled = bp.numerical_gradient(product, x, scaled=True)
    np.testing.assert_allclose(scaled, slopes(x), rtol=1e-9)


def test_the_complex_step_is_exact_to_rounding():
    for x in rng.uniform(-3, 3, (20, 3)):
        found = bp.numerical_gradient(product, x, method="complex")
        np.testing.assert_allclose(found, slopes(x), rtol=1e-14)


@pytest.mark.parametrize("x", (-1.3, 0.0, 0.7, 2.0))
@pytest.mark.parametrize(
    "f, slope",
    [
        (np.exp, np.exp),
        (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
        (lambda x: x**5, lambda x: 5 * x**4),
        (lambda x: np.log(x * x + 1), lambda x: 2 * x / (x * x + 1)),
    ],
    ids=["exp", "tanh", "power", "log"],
)
def test_the_complex_step_of_one_number(f, slope, x):
    found = bp.numerical_gradient(f, x, method="complex")
    assert abs(found - slope(x)) <= 1e-14 * max(1, abs(slope(x)))


def test_the_error_falls_with_the_square_of_the_step():
    steps = np.array([1e-1, 1e-2, 1e-3])
    errors = [abs(bp.numerical_gradient(np.sin, 1.0, h) - np.cos(1.0)) for h in steps]
    np.testing.assert_allclose(errors, np.cos(1.0) * steps**2 / 6, rtol=1e-2)


@pytest.mark.parametrize("method", ["central", "complex"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 2)])
def test_every_shape(method, shape):
    x = rng.normal(size=shape)
    seen = []

    def f(x):
        seen.append(x)
        return (x**3).sum()

    found = bp.numerical_gradient(f, x, method=method)
    assert isinstance(found, np.ndarray)
    assert found.shape == shape and found.dtype == np.float64
    np.testing.assert_allclose(found, 3 * x**2, rtol=1e-7)
    assert len(seen) == (2 if method == "central" else 1) * x.size
    assert {array.shape for array in seen} == {shape}
    assert len({id(array) for array in seen}) == len(seen)


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
@pytest.mark.parametrize("method", ["central", "complex"])
def test_nothing_to_differentiate_by(shape, method):
    found = bp.numerical_gradient(lambda x: 1.0, np.zeros(shape), method=method)
    assert found.shape == shape and found.dtype == np.float64


@pytest.mark.parametrize(
    "x, expected",
    [
        ([1, 2], "float64"),
        (np.array([1, 2]), "float64"),
        (np.array([True, False]), "float64"),
        (np.float16([1, 2]), "float64"),
        (np.float32([1, 2]), "float32"),
        (np.float64([1, 2]), "float64"),
        (3, "float64"),
    ],
)
def test_dtypes(x, expected):
    seen = set()

    def f(x):
        seen.add(str(x.dtype))
        return x.sum()

    found = bp.numerical_gradient(f, x)
    assert seen == {expected} and found.dtype == np.float64
    np.testing.assert_allclose(found, np.ones(np.shape(x)), rtol=0.2)
    seen.clear()
    bp.numerical_gradient(f, x, method="complex")
    assert seen == {"complex128"}


def test_float32_steps_are_divided_by_what_they_are():
    """x + 1e-6 is not a float32; the quotient of two that are is exact all the same."""
    x = np.float32([1.0, 3.0, 5.0])
    found = bp.numerical_gradient(lambda x: float(x.astype(np.float64).sum()), x)
    np.testing.assert_allclose(found, 1, rtol=1e-9)
    assert abs(2e-6 / (np.float32(5 + 1e-6) - np.float32(5 - 1e-6)) - 1) > 0.01


def test_scaled_steps():
    seen = []

    def f(x):
        seen.append(x.copy())
        return x.sum()

    bp.numerical_gradient(f, [0.5, -8.0], 0.25, scaled=True)
    assert np.array_equal(seen, [[0.75, -8], [0.25, -8], [0.5, -6], [0.5, -10]])
    seen.clear()
    bp.numerical_gradient(f, np.float32([0, 1000]), scaled=True)
    h = float(np.finfo(np.float32).eps) ** (1 / 3)
    assert seen[0][0] == np.float32(h)
    assert seen[2][1] == np.float32(1000 + 1000 * h)


def read_only(x):
    copy = x.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize("method", ["central", "complex"])
@pytest.mark.parametrize(
    "form",
    [lambda x: x, np.transpose, np.asfortranarray, read_only],
    ids=["array", "transposed", "Fortran", "read-only"],
)
def test_x_is_left_as_it_is(method, form):
    x = rng.normal(size=(2, 3))
    kept = x.copy()

    def f(point):
        total = (point**2).sum()
        point[...] = 7  # its own copy
        return total

    at = form(x)
    found = bp.numerical_gradient(f, at, method=method)
    np.testing.assert_allclose(found, 2 * at, rtol=1e-7)
    assert np.array_equal(x, kept) and np.array_equal(at, form(kept))


def test_f_may_write_what_it_is_given_into_x():
    """x may be an array that f uses, as the parameters of a network."""
    net = bp.Network([3, 4, 1], activation="tanh", dtype="float64", rng=0)

    def loss(w):
        net.parameters[...] = w
        return net.evaluate(X[:, :3], Y[:, :1])

    expected = net.gradients(X[:, :3], Y[:, :1]).flat
    found = bp.numerical_gradient(loss, net.parameters)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", [float, np.float32, np.array, int, bool])
def test_what_f_may_return(kind):
    assert bp.numerical_gradient(lambda x: kind(3), 1.0) == 0


def test_the_step_must_not_vanish():
    def f(x):
        return x.sum()

    with pytest.raises(
        ValueError, match=r"1e-06 does not change 100 at \[1\] in float32.*scaled="
    ):
        bp.numerical_gradient(f, np.float32([1, 100]))
    assert bp.numerical_gradient(f, np.float32([1, 100]), scaled=True).shape == (2,)
    with pytest.raises(ValueError, match=r"change 1e\+11 at \[\] in float64"):
        bp.numerical_gradient(f, 1e11)
    with pytest.raises(ValueError, match=r"take a larger eps$"):
        bp.numerical_gradient(f, 1.0, 1e-20, scaled=True)
    assert bp.numerical_gradient(f, 1e11, method="complex") == 1


@pytest.mark.parametrize(
    "f, settings, error, message",
    [
        (3, {}, TypeError, "f must be callable; got int"),
        (sum, {"x": "a"}, TypeError, "x must hold real numbers; got str"),
        (sum, {"x": [1j]}, TypeError, "x must hold real numbers; got dtype complex"),
        (sum, {"x": [1.0, np.nan]}, ValueError, r"x must be finite .* at \[1\]"),
        (sum, {"x": [[1], [2, 3]]}, ValueError, "x must be a regular array"),
        (sum, {"eps": 0}, ValueError, "eps must be finite and above 0; got 0"),
        (sum, {"eps": -1e-6}, ValueError, "eps must be finite and above 0"),
        (sum, {"eps": np.inf}, ValueError, "eps must be finite and above 0"),
        (sum, {"eps": "small"}, TypeError, "eps must be a number; got 'small'"),
        (sum, {"scaled": 1}, TypeError, "scaled must be a bool; got 1"),
        (sum, {"method": "complx"}, ValueError, "did you mean 'complex'"),
        (sum, {"method": None}, ValueError, "method must be one of central, complex"),
        (
            sum,
            {"x": [1e308], "eps": 1e308},
            ValueError,
            "x must stay finite in float64",
        ),
        (
            sum,
            {"x": np.float32([3e38]), "eps": 1.0, "scaled": True},
            ValueError,
            "x must stay finite in float32",
        ),
        (lambda x: x, {}, ValueError, r"f must return one number; got an array \(2,\)"),
        (lambda x: None, {}, TypeError, "f must return a real number; got object"),
        (lambda x: "1", {}, TypeError, "f must return a real number"),
        (lambda x: 1j, {}, TypeError, "f must return a real number; got complex128"),
        (
            lambda x: -np.inf,
            {},
            ValueError,
            r"f must be finite around x; got -inf with .* at \[0\]",
        ),
        (
            lambda x: complex(1, np.nan),
            {"method": "complex"},
            ValueError,
            "f must be finite",
        ),
        (
            lambda x: np.abs(x).sum(),
            {"method": "complex"},
            TypeError,
            "f must return a complex number; got float64 .*take method='central'",
        ),
    ],
    ids=[
        *("no function", "text", "complex x", "nan", "ragged", "eps 0", "eps below 0"),
        *("eps inf", "eps text", "scaled 1", "complx", "no method", "x too large"),
        *("float32 x too large", "an array", "None", "text returned", "complex number"),
        *("-inf", "complex nan", "no complex number"),
    ],
)
def test_bad_input(f, settings, error, message):
    with pytest.raises(error, match=message):
        bp.numerical_gradient(f, **{"x": [1.0, 2.0], **settings})


def test_errors_of_f_come_through():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        bp.numerical_gradient(f, [1.0])
