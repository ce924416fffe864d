"""Every form of the same numbers has the same bits; arrays that fit are not copied."""

import tempfile
import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import bpcore as bp
from helpers.bad_input import (
    LABELS,
    TARGETS,
    TWO_EPOCHS,
    WEIGHTS,
    WHOLE_NUMBERS,
    X,
    misaligned,
    read_only,
    small,
)

# --- what is taken, with the bits of the plain array ----------------------------------


def strided(array):
    """A view of every other element of a larger array, along all axes."""
    room = np.full([2 * n for n in array.shape], 7).astype(array.dtype)
    view = room[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


class ArrayLike:
    """An object with ``__array__``."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)


def nested(array):
    return tuple(map(nested, array)) if array.ndim else array.item()


def mapped(array):
    with tempfile.TemporaryFile() as file:
        array.tofile(file)
        return np.memmap(file, array.dtype, "r", shape=array.shape)


def of_pandas(array):
    pandas = pytest.importorskip("pandas")
    return (pandas.Series if array.ndim == 1 else pandas.DataFrame)(array)


def of_mixed_columns(array):
    """A table whose columns have several dtypes, as those of data frames do."""
    frame = of_pandas(array)
    return frame if array.ndim == 1 else frame.astype({0: "int8", 1: "float64"})


FORMS = {
    "list": lambda array: array.tolist(),
    "tuple": nested,
    "list of arrays": list,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "backwards": lambda array: array[::-1].copy()[::-1],
    "read-only": read_only,
    "misaligned": misaligned,
    "byte order": lambda array: array.astype(array.dtype.newbyteorder("S")),
    "memmap": mapped,
    "memoryview": memoryview,
    "array-like": ArrayLike,
    "pandas": of_pandas,
    "pandas, mixed": of_mixed_columns,
    **{
        f"dtype {dtype}": lambda array, dtype=dtype: array.astype(dtype)
        for dtype in ("?", "i1", "u1", ">i4", "i8", "u8", "f2", "f4", "f8", "g")
    },
}


def results(net, X, y, weight):
    """Every number that comes out of a network for these data, as bytes."""
    gradients = net.gradients(X, y, weight)
    arrays = [net.predict(X), net.evaluate(X, y, weight), gradients.flat]
    arrays += [gradients.input, *net.forward(X).activations]
    arrays += [net.train_step(X, y, weight)]
    validation = (X, y, weight)
    history = net.fit(X, y, sample_weight=weight, validation=validation, **TWO_EPOCHS)
    arrays += [
        history.loss,
        history.validation_loss,
        net.parameters,
        net.learner.state.optimizer_arrays,
    ]
    return [np.asarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("y", [LABELS, TARGETS], ids=["labels", "targets"])
@pytest.mark.parametrize("form", FORMS)
def test_any_form_gives_the_same_bits(Network, form, y, dtype):
    net, twin = small(Network, dtype=dtype), small(Network, dtype=dtype)
    X_in, y_in, weights_in = map(FORMS[form], (X, y, WEIGHTS))
    if y is LABELS and np.asarray(y_in).dtype.kind == "f":
        y_in = y  # labels are whole numbers
    assert results(net, X_in, y_in, weights_in) == results(twin, X, y, WEIGHTS)


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_a_derivative_gives_the_same_bits(Network, form):
    net = small(Network)
    tape, d_output = net.forward(X), FORMS[form](TARGETS)
    expected = net.backward(tape, TARGETS)
    assert np.array_equal(net.backward(tape, d_output).flat, expected.flat)
    gradients = replace(expected, flat=expected.flat.astype("float64"))
    net.apply(gradients)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_output_takes_flat_targets(Network, dtype):
    column, flat = (Network([3, 1], rng=0, dtype=dtype) for _ in range(2))
    y = X.sum(axis=1)
    column.fit(X, y.reshape(-1, 1), **TWO_EPOCHS)
    flat.fit(X, y, **TWO_EPOCHS)
    assert np.array_equal(column.parameters, flat.parameters)


@pytest.mark.parametrize("power", [-1000, -300, 300, 1000])
def test_only_the_ratios_of_sample_weights_count(Network, power):
    """In fit and evaluate, which see all rows; scaled here without a rounding."""
    found = []
    for weight in (WEIGHTS, np.ldexp(WEIGHTS, power)):
        net, validation = small(Network), (X, LABELS, weight)
        history = net.fit(
            X, LABELS, sample_weight=weight, validation=validation, **TWO_EPOCHS
        )
        found.append([*history.loss, *history.validation_loss, *net.parameters])
        found[-1].append(net.evaluate(X, LABELS, weight))
    assert found[0] == found[1]


def test_one_row_is_a_row_of_the_batch(Network):
    net, out = small(Network), np.zeros(2, "float32")
    assert net.predict(X[0], out=out) is out
    assert np.array_equal(out, net.predict(X[:1])[0])
    assert np.array_equal(out, net(X[0].tolist()))


@pytest.mark.parametrize("rng", [7, np.int64(7), np.uint8(7)], ids=repr)
def test_any_whole_number_is_a_seed(Network, rng):
    same = Network([3, 4, 2], rng=7).parameters
    assert np.array_equal(Network([3, 4, 2], rng=rng).parameters, same)
    assert not np.array_equal(Network([3, 4, 2], rng=8).parameters, same)


@pytest.mark.parametrize("bits", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_any_generator_is_a_source(Network, bits):
    make = getattr(np.random, bits)
    one = Network([3, 4, 2], rng=make(7)).parameters
    other = Network([3, 4, 2], rng=np.random.Generator(make(7))).parameters
    assert np.array_equal(one, other)
    assert not np.array_equal(Network([3, 4, 2], rng=make(8)).parameters, one)


@pytest.mark.parametrize(
    "number", [1, np.int64(1), np.float32(1), np.float64(1), Fraction(1)], ids=repr
)
def test_any_real_number_is_a_learning_rate(number):
    assert bp.SGD(number) == bp.SGD(1.0)


def test_whole_numbers_of_numpy_are_whole_numbers(Network):
    net = Network(np.array([3, 4, 2]), rng=0)
    options = dict.fromkeys(WHOLE_NUMBERS, np.int32(2))
    assert len(net.fit(X, TARGETS, progress=False, **options)) <= 2
    assert net.sizes == (3, 4, 2)


def test_callbacks_may_come_from_a_generator(Network):
    seen = []
    callbacks = (callback for callback in [lambda *given: seen.append(given)])
    small(Network).fit(X, LABELS, callbacks=callbacks, **TWO_EPOCHS)
    assert len(seen) == 2


# --- what fits is used in place -------------------------------------------------------


def peak(call):
    """The most bytes that a call allocates at one time."""
    call()  # the workspace is made once
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["predict", "evaluate", "train_step"])
def test_fitting_arrays_are_not_copied(dtype, name):
    net = bp.Network([8, 2], loss="cross_entropy", dtype=dtype, rng=0)
    X, y, weight = np.ones((50_000, 8), dtype), np.ones(50_000, "i8"), np.ones(50_000)
    out, unfit = np.empty((50_000, 2), dtype), np.asfortranarray(X)
    call = {
        "predict": lambda X: net.predict(X, out=out),
        "evaluate": lambda X: net.evaluate(X, y, weight),
        "train_step": lambda X: net.train_step(X, y, weight),
    }[name]
    assert peak(lambda: call(X)) < 10_000
    # The measure sees the copy of an array that does not fit.
    assert peak(lambda: call(unfit)) >= X.nbytes
