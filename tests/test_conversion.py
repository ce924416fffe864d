"""Conversion of anything given for numbers; what cannot be converted is refused."""

import array
import contextlib
import datetime
import math
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import bpcore as bp
from helpers.arrays import (
    DATE,
    NUMBERS,
    A,
    B,
    ByArray,
    ByDLPack,
    ByInterface,
    Float,
    Interchange,
    Lazy,
    NoArray,
    OnDevice,
    Polars,
    PolarsDtype,
    PolarsField,
    PolarsSeries,
    PolarsTimes,
    Sparse,
    Strange,
    Tensor,
    arrow,
    matrix,
    objects,
    pandas,
    polars,
)

#: Whatever gives the same predictions as NUMBERS.
TAKEN = {
    "list": NUMBERS.tolist,
    "tuples": lambda: tuple(map(tuple, NUMBERS.tolist())),
    "list of arrays": lambda: list(NUMBERS),
    "Fortran order": lambda: np.asfortranarray(NUMBERS),
    "strided": lambda: np.repeat(NUMBERS, 2, axis=0)[::2],
    "big endian": lambda: NUMBERS.astype(">f8"),
    "read only": lambda: np.frombuffer(NUMBERS.tobytes()).reshape(3, 2),
    "half": lambda: NUMBERS.astype(np.float16),
    "longdouble": lambda: NUMBERS.astype(np.longdouble),
    "matrix": lambda: matrix(NUMBERS),
    "memoryview": lambda: memoryview(NUMBERS),
    "lists of array.array": lambda: [array.array("d", row) for row in NUMBERS],
    "objects": objects,
    "Decimals": lambda: objects(((1, 1), Decimal("0.5")), ((0, 0), True)),
    "Fractions": lambda: objects(((1, 1), Fraction(1, 2)), ((0, 0), 1)),
    "numbers of NumPy": lambda: objects(
        ((0, 0), np.int8(1)), ((1, 1), np.float16(0.5))
    ),
    "numbers of others": lambda: objects(((1, 1), Float(0.5))),
    "__array__": lambda: ByArray(NUMBERS),
    "__array_interface__": lambda: ByInterface(NUMBERS),
    "__dlpack__": lambda: ByDLPack(NUMBERS),
    "like polars": lambda: Polars(NUMBERS),
    "pandas": pandas(lambda pd: pd.DataFrame(NUMBERS)),
    "pandas, one name twice": pandas(
        lambda pd: pd.DataFrame(NUMBERS, columns=["a", "a"])
    ),
    "pandas, one name twice, two dtypes": pandas(
        lambda pd: pd.concat(
            [pd.Series(A, name="a", dtype=np.float32), pd.Series(B, name="a")], axis=1
        )
    ),
    "pandas, columns of tuples": pandas(
        lambda pd: pd.DataFrame(
            NUMBERS, columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
        )
    ),
    "pandas, nullable": pandas(
        lambda pd: pd.DataFrame(
            {"a": pd.array([1, 3, 0], dtype="Int64"), "b": pd.array(B, dtype="Float32")}
        )
    ),
    "pandas, bool and whole": pandas(
        lambda pd: pd.DataFrame(NUMBERS).astype({0: "uint8", 1: "float16"})
    ),
    "pandas, objects": pandas(lambda pd: pd.DataFrame(objects())),
    "pandas, sparse": pandas(
        lambda pd: pd.DataFrame({"a": pd.arrays.SparseArray(A), "b": B})
    ),
    "polars": polars(lambda pl: pl.DataFrame({"a": A, "b": B})),
    "polars, two dtypes": polars(
        lambda pl: pl.DataFrame({"a": [1, 3, 0], "b": pl.Series(B, dtype=pl.Float32)})
    ),
    "polars, Decimals": polars(
        lambda pl: pl.DataFrame({"a": A, "b": [Decimal(str(b)) for b in B]})
    ),
    "arrow": arrow(lambda pa: pa.table({"a": A, "b": B})),
    "arrow, two dtypes": arrow(lambda pa: pa.table({"a": [1, 3, 0], "b": B})),
    "arrow, batch": arrow(lambda pa: pa.record_batch({"a": A, "b": B})),
    "pandas of arrow": arrow(
        lambda pa: pa.table({"a": A, "b": B}).to_pandas(
            types_mapper=pytest.importorskip("pandas").ArrowDtype
        )
    ),
    "xarray": lambda: pytest.importorskip("xarray").DataArray(NUMBERS),
    "torch": lambda: pytest.importorskip("torch").from_numpy(NUMBERS),
    "bfloat16": lambda: NUMBERS.astype(pytest.importorskip("ml_dtypes").bfloat16),
}

#: What it is; the error; what is said of it, besides the argument; and its cause.
REFUSED = {
    "None": (lambda: None, TypeError, "NoneType", None),
    "text": (lambda: "1 2", TypeError, "str", None),
    "bytes": (lambda: b"12", TypeError, "bytes", None),
    "texts": (lambda: [["1", "2"]], TypeError, "dtype <U1", None),
    "dict": (lambda: {"a": A, "b": B}, TypeError, "dict", None),
    "set": (lambda: {1.0, 2.0}, TypeError, "set", None),
    "generator": (lambda: (row for row in NUMBERS), TypeError, "generator", None),
    "map": (lambda: map(float, A), TypeError, "map", None),
    "class": (lambda: np.ndarray, TypeError, "type", None),
    "complex": (lambda: NUMBERS * 1j, TypeError, "complex128", None),
    "complex object": (
        lambda: objects(((2, 1), 1j)),
        TypeError,
        r"1j at \[2, 1\]",
        None,
    ),
    "dates": (lambda: NUMBERS.astype("M8[s]"), TypeError, "datetime64", None),
    "times": (lambda: NUMBERS.astype("m8[s]"), TypeError, "timedelta64", None),
    "structured": (lambda: np.zeros(3, "f8,f8"), TypeError, "dtype", None),
    "masked": (lambda: np.ma.masked_equal(NUMBERS, 1), TypeError, "none masked", None),
    "list of masked": (
        lambda: list(np.ma.masked_equal(NUMBERS, 1)),
        *(TypeError, "none masked", None),
    ),
    "ragged": (lambda: [[1.0], [1.0, 2.0]], ValueError, "ragged list", ValueError),
    "text among objects": (
        lambda: objects(((1, 0), "a")),
        *(TypeError, r"'a' at \[1, 0\]", None),
    ),
    "number as text": (
        lambda: objects(((1, 0), "1.5")),
        *(TypeError, r"'1.5' at \[1, 0\]", None),
    ),
    "None among objects": (
        lambda: objects(((0, 1), None)),
        *(TypeError, r"None at \[0, 1\]", None),
    ),
    "no number": (lambda: objects(((0, 0), Strange())), TypeError, "today", OSError),
    "requires grad": (Tensor, TypeError, "Can't call numpy", RuntimeError),
    "list of those": (lambda: [Tensor()], TypeError, "Can't call numpy", RuntimeError),
    "device": (OnDevice, ValueError, "no implicit transfer", ValueError),
    "no array": (NoArray, ValueError, "NoArray", ValueError),
    "Variable": (
        lambda: bp.graph.Variable(NUMBERS),
        *(TypeError, r"use its \.value", TypeError),
    ),
    "lazy": (Lazy, TypeError, r"collect\(\)", None),
    "interchange": (Interchange, TypeError, "Interchange", None),
    "sparse": (Sparse, TypeError, r"toarray\(\)", None),
    "scipy.sparse": (
        lambda: pytest.importorskip("scipy.sparse").csr_array(NUMBERS),
        *(TypeError, r"csr_array.*toarray\(\)", None),
    ),
    "polars, with text": (
        lambda: Polars(objects(((0, 1), "x"))),
        *(TypeError, "'x' in row 0 of 'b'", None),
    ),
    "polars's interface, dates": (
        lambda: PolarsTimes(DATE),
        *(TypeError, "dtype Date in 'b'", None),
    ),
    "polars's interface, dates in lists": (
        lambda: PolarsTimes(PolarsDtype("List(Date)", inner=DATE)),
        *(TypeError, r"dtype List\(Date\) in 'b'", None),
    ),
    "polars's interface, dates in a struct": (
        lambda: PolarsSeries(PolarsDtype("Struct", fields=[PolarsField(DATE)])),
        *(TypeError, "dtype Struct in 's'", None),
    ),
    **{
        f"polars, {kind} beside {beside}": (
            polars(
                lambda pl, value=value, number=number: pl.DataFrame(
                    {"a": [number] * 3, "when": [value] * 3}
                )
            ),
            *(TypeError, f"dtype {kind}.* in 'when'", None),
        )
        for kind, value in {
            "Date": datetime.date(2020, 1, 1),
            "Datetime": datetime.datetime(2020, 1, 1),
            "Duration": datetime.timedelta(days=1),
            "Time": datetime.time(1),
        }.items()
        for beside, number in {"ints": 1, "floats": 1.5}.items()
    },
    "polars, dates and numbers in a struct": (
        polars(lambda pl: pl.Series([{"d": datetime.date(2020, 1, 1), "a": 1}] * 3)),
        *(TypeError, "Struct", None),
    ),
    "polars, Series of durations": (
        polars(lambda pl: pl.Series("t", [datetime.timedelta(days=1)])),
        *(TypeError, "dtype Duration.* in 't'", None),
    ),
    "timedelta64 among objects": (
        lambda: objects(((1, 1), np.timedelta64(5, "D"))),
        *(TypeError, r"timedelta64\(5, ?'D'\).* at \[1, 1\]", None),
    ),
    "timedelta64 alone": (
        lambda: np.array(np.timedelta64(5, "D"), object),
        *(TypeError, "real numbers", None),
    ),
    "timedelta64 in a list": (
        lambda: [[np.timedelta64(5, "D"), 1]] * 3,
        *(TypeError, "timedelta64", None),
    ),
    "pandas, timedeltas among objects": (
        pandas(lambda pd: pd.DataFrame({"a": [np.timedelta64(5, "D")]}, dtype=object)),
        *(TypeError, "in row 0 of 'a'", None),
    ),
    "pandas, text": (
        pandas(lambda pd: pd.DataFrame({"a": A, "city": ["x", "y", "z"]})),
        *(
            TypeError,
            "dtype (str|object|string).* in 'city'|'x' in row 0 of 'city'",
            None,
        ),
    ),
    "pandas, text under the name of numbers": (
        pandas(lambda pd: pd.DataFrame([["x", 1.0]], columns=["a", "a"])),
        *(TypeError, "in 'a'|of 'a'", None),
    ),
    "pandas, text among objects": (
        pandas(lambda pd: pd.DataFrame({"a": A, "b": [1, "q", 2.5]}, dtype=object)),
        *(TypeError, "'q' in row 1 of 'b'", None),
    ),
    "pandas, categories": (
        pandas(lambda pd: pd.DataFrame({"a": A, "c": pd.Categorical([1, 2, 1])})),
        *(TypeError, "dtype category in 'c'", None),
    ),
    "pandas, dates": (
        pandas(lambda pd: pd.DataFrame({"a": A, "d": pd.to_datetime([1, 2, 3])})),
        *(TypeError, "datetime64.* in 'd'", None),
    ),
    "polars, text": (
        polars(lambda pl: pl.DataFrame({"a": A, "city": ["x", "y", "z"]})),
        *(TypeError, "'x' in row 0 of 'city'", None),
    ),
    "polars, categories": (
        polars(lambda pl: pl.DataFrame({"c": pl.Series(["x"], dtype=pl.Categorical)})),
        *(TypeError, "of 'c'", None),
    ),
    "polars, lazy": (
        polars(lambda pl: pl.DataFrame({"a": A, "b": B}).lazy()),
        *(TypeError, r"LazyFrame.*collect\(\)", None),
    ),
    "arrow, text": (
        arrow(lambda pa: pa.table({"a": A, "city": ["x", "y", "z"]})),
        *(TypeError, "'x' in row 0 of 'city'", None),
    ),
    "xarray, Dataset": (
        lambda: pytest.importorskip("xarray").Dataset({"a": ("x", A)}),
        *(TypeError, "DataArray", TypeError),
    ),
    "torch, requires grad": (
        lambda: pytest.importorskip("torch").ones(3, 2, requires_grad=True),
        *(TypeError, "requires grad", RuntimeError),
    ),
}
NOT_FINITE = {
    "missing": pandas(lambda pd: pd.DataFrame({"a": pd.array([1, None]), "b": [1, 2]})),
    "missing of arrow": arrow(lambda pa: pa.table({"a": [1.0, None], "b": [1, 2]})),
    "missing of polars": polars(lambda pl: pl.DataFrame({"a": [1, None], "b": [1, 2]})),
    "too large": lambda: [[10**400, 1]],
    "too small": lambda: [[1, -(10**400)]],
    "large Decimal": lambda: [[Decimal("1e999"), 1]],
    "NaN": lambda: [[Decimal("NaN"), 1]],
}
#: What a network calls the argument, and a call with it.
ARGUMENTS = {
    "X": lambda net, value: net.predict(value),
    "y": lambda net, value: net.train_step(NUMBERS, value),
    "sample_weight": lambda net, value: net.train_step(NUMBERS, NUMBERS, value),
    "validation X": lambda net, value: net.fit(
        NUMBERS, NUMBERS, validation=(value, NUMBERS), progress=False
    ),
    "d_output": lambda net, value: net.backward(net.forward(NUMBERS), value),
    "x": lambda net, value: net.learn_one(value, [1.0, 2.0]),
}


@pytest.fixture
def net(Network):
    return Network([2, 2], rng=0)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
def test_taken(net, make):
    expected = net.predict(NUMBERS).tobytes()
    assert net.predict(make()).tobytes() == expected
    other = type(net)([2, 2], rng=0)
    assert net.train_step(make(), make()) == other.train_step(NUMBERS, NUMBERS)
    assert net.parameters.tobytes() == other.parameters.tobytes()
    value = bp.graph.Variable(make()).value
    assert np.array_equal(value, NUMBERS)


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("make, error, said, cause", REFUSED.values(), ids=REFUSED)
def test_refused(net, argument, make, error, said, cause):
    value, before = make(), net.parameters.copy()
    if argument == "y" and value is None:
        pytest.skip("there is another message: y must be given")
    if argument == "sample_weight" and value is None:
        pytest.skip("None is no weights")
    with pytest.raises(error, match=rf"^{argument} must .*(?:{said})") as caught:
        ARGUMENTS[argument](net, value)
    assert type(caught.value) is error
    assert type(caught.value.__cause__) is (cause or type(None))
    assert net.parameters.tobytes() == before.tobytes()


@pytest.mark.parametrize("make", NOT_FINITE.values(), ids=NOT_FINITE)
def test_not_finite(net, make):
    value = make()
    with pytest.raises(
        ValueError, match=r"^X must be finite in float32; got (nan|-?inf)"
    ):
        net.predict(value)


LABELS = {
    "list": lambda: [0, 1, 1],
    "objects": lambda: np.array([0, True, 1], object),
    "unsigned": lambda: np.array([0, 1, 1], np.uint64),
    "bool": lambda: [False, True, True],
    "array.array": lambda: array.array("B", [0, 1, 1]),
    "bytearray": lambda: bytearray([0, 1, 1]),
    "range": lambda: range(0, 2, 1),
    "pandas": pandas(lambda pd: pd.Series([0, 1, 1])),
    "pandas, nullable": pandas(lambda pd: pd.Series([0, 1, 1], dtype="UInt8")),
    "pandas, array": pandas(lambda pd: pd.array([0, 1, 1])),
    "pandas, Index": pandas(lambda pd: pd.Index([0, 1, 1])),
    "polars": polars(lambda pl: pl.Series([0, 1, 1])),
    "arrow": arrow(lambda pa: pa.chunked_array([[0], [1, 1]])),
}


@pytest.mark.parametrize("make", LABELS.values(), ids=LABELS)
def test_labels(make):
    labels = make()
    n = len(labels)
    net, other = (bp.Network([2, 2], loss="cross_entropy", rng=0) for _ in range(2))
    expected = other.train_step(NUMBERS[:n], np.array([0, 1, 1])[:n])
    assert net.train_step(NUMBERS[:n], labels) == expected


@pytest.mark.parametrize(
    "one",
    (1, 1.0, True, np.float16(1), np.array(1), Decimal(1), Fraction(1)),
    ids=["int", "float", "bool", "float16", "array", "Decimal", "Fraction"],
)
def test_numbers(one):
    net = bp.Network([1, 1], rng=0)
    assert net.learn_one([one], one) >= 0
    assert bp.graph.Variable(one).value == 1


def test_large_unsigned_numbers_beside_others_stay_large():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.array([2**63 + 2**11], "u8"), "b": [1]})
    value = bp.graph.Variable(frame).value
    assert value.tolist() == [[2.0**63 + 2.0**11, 1.0]]


# --- without y ------------------------------------------------------------------------

TABLES = {
    "array": lambda: NUMBERS,
    "array.array": lambda: array.array("d", A),
    "bytes": lambda: b"abc",
    "dates": lambda: np.zeros(2, "M8[s]"),
    "like polars": lambda: Polars(NUMBERS),
    "interchange": Interchange,
    "lazy": Lazy,
    "pandas": pandas(lambda pd: pd.DataFrame(NUMBERS)),
    "polars": polars(lambda pl: pl.DataFrame({"a": A, "b": B})),
    "polars, lazy": polars(lambda pl: pl.DataFrame({"a": A, "b": B}).lazy()),
    "arrow": arrow(lambda pa: pa.table({"a": A, "b": B})),
    "arrow, column": arrow(lambda pa: pa.array(A)),
    "arrow, reader": arrow(lambda pa: pa.table({"a": A}).to_reader()),
    "xarray": lambda: pytest.importorskip("xarray").Dataset({"a": ("x", A)}),
}


@pytest.mark.parametrize("make", TABLES.values(), ids=TABLES)
def test_a_table_without_y_is_no_stream_of_mini_batches(net, make):
    with pytest.raises((TypeError, ValueError), match=r"^(X|y) must ") as caught:
        net.fit(make(), progress=False)
    assert "mini-batch" not in str(caught.value)


class Loader:
    """As a DataLoader of torch's: it has a length, and mini-batches."""

    def __len__(self):
        return 2

    def __iter__(self):
        return iter([(NUMBERS, NUMBERS)] * 2)


@pytest.mark.parametrize(
    "make",
    [
        Loader,
        lambda: [(NUMBERS, NUMBERS)] * 2,
        lambda: ((NUMBERS, NUMBERS) for _ in range(2)),
        {1: (NUMBERS, NUMBERS)}.values,
        lambda: zip([NUMBERS], [NUMBERS], strict=True),
    ],
    ids=["loader", "list", "generator", "values", "zip"],
)
def test_streams_are_still_streams(net, make):
    assert math.isfinite(net.fit(make(), epochs=1, progress=False).loss[0])


# --- out ------------------------------------------------------------------------------

OUTS = {
    "list": lambda: [[0.0, 0.0]] * 3,
    "matrix of another shape": lambda: matrix(np.zeros(6, "f4")),
    "masked": lambda: np.ma.zeros((3, 2), "f4"),
    "objects": lambda: np.zeros((3, 2), object),
    "memoryview": lambda: memoryview(np.zeros((3, 2), "f4")),
    "like polars": lambda: Polars(np.zeros((3, 2), "f4")),
    "requires grad": Tensor,
    "lazy": Lazy,
    "sparse": Sparse,
    "pandas": pandas(lambda pd: pd.DataFrame(np.zeros((3, 2), "f4"))),
    "polars": polars(lambda pl: pl.DataFrame({"a": A, "b": B})),
    "arrow": arrow(lambda pa: pa.table({"a": A, "b": B})),
}


@pytest.mark.parametrize("make", OUTS.values(), ids=OUTS)
def test_bad_out(net, make):
    with pytest.raises((TypeError, ValueError), match=r"^out must "):
        net.predict(NUMBERS, out=make())


@pytest.mark.parametrize(
    "call",
    (
        lambda: bp.fit_many([bp.Network([2, 2])], Tensor(), NUMBERS),
        lambda: bp.GradientFlow(Tensor(), NUMBERS),
        lambda: bp.trace(bp.Network([2, 2]), Tensor(), NUMBERS),
    ),
    ids=["fit_many", "GradientFlow", "trace"],
)
def test_fit_many_and_gradient_flow_name_their_arguments(call):
    with pytest.raises(TypeError, match=r"^X must .*requires grad") as caught:
        call()
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_memory_errors_are_not_disguised():
    class Huge:
        def __array__(self, dtype=None, copy=None):
            raise MemoryError

    with contextlib.suppress(MemoryError):
        bp.Network([2, 2]).predict(Huge())
        pytest.fail("no error")
