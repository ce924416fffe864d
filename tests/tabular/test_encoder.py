"""Tables as networks read them: kinds of columns, holes, categories, messages."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import bpcore as bp
from bpcore.reference.scaling import robust_scale
from bpcore.tabular.categories import FEW, LEAST_ROWS, Categories
from bpcore.tabular.encoder import Encoder
from bpcore.tabular.table import FEW_ROWS, Table


def objects(*values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


# --- numbers --------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 16, 17, 5000])
def test_the_scale_is_that_of_its_twin_bit_for_bit(n):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, 5)) * 10.0 ** rng.integers(-300, 300, size=(n, 5))
    x[rng.random(x.shape) < 0.2] = np.nan
    centre, factor = rng.normal(size=5), np.array([1e-300, 0, 1, 3, 1e300])
    out = np.empty(x.shape, np.float32)
    assert bp.kernels.robust_scale(x, centre, factor, out) is True
    assert out.tobytes() == robust_scale(x, centre, factor).tobytes()
    strided = np.empty((n, 10), np.float32)[:, ::2]
    bp.kernels.robust_scale(np.asfortranarray(x), centre, factor, strided)
    assert np.array_equal(strided, out)


def test_the_scale_reports_infinities():
    out = np.empty((1, 2), np.float32)
    for x in ([[np.inf, 0]], [[0, -np.inf]]):
        assert not bp.kernels.robust_scale(np.array(x), np.zeros(2), np.ones(2), out)


@pytest.mark.parametrize(
    "x, y, factor",
    [
        (np.zeros((1, 3)), np.zeros(2), np.zeros(3)),
        (np.zeros((1, 3)), np.zeros(3), np.zeros(2)),
        (np.zeros((2, 3)), np.zeros(3), np.zeros(3)),
    ],
)
def test_shapes_of_the_scale(x, y, factor):
    with pytest.raises(ValueError, match="must have shape"):
        bp.kernels.robust_scale(x, y, factor, np.empty((1, 3), np.float32))


def test_median_and_quartiles():
    x = np.random.default_rng(0).normal(size=(101, 1)) * 7 + 5
    Z = Encoder.of(x)("X", x)
    lower, centre, upper = np.quantile(x, [0.25, 0.5, 0.75])
    t = (x - centre) / (upper - lower)
    assert np.allclose(Z, t / np.sqrt(1 + (t / 3) ** 2), rtol=1e-5)
    assert np.abs(Z).max() < 3


@pytest.mark.parametrize(
    "column, expected",
    [
        ([5.0] * 9, 0),  # constant
        ([0.0] * 8 + [4.0], 1.6641),  # equal quartiles: half of the range
        ([-1.7e308, 0.0, 1.7e308], None),  # a range that overflows
        ([0.0, 5e-324, 1e-323], None),  # one whose inverse does
        ([None] * 5, 0),  # nothing known
    ],
)
def test_columns_at_the_limits(column, expected):
    X = objects(*column).reshape(-1, 1)
    Z = Encoder.of(X)("X", X)
    assert Z.shape == (len(X), 1) and np.isfinite(Z).all()
    if expected is not None:
        assert Z[-1, 0] == pytest.approx(expected, abs=1e-4)


def test_holes_become_the_median_and_a_mark():
    X = np.array([[1.0, 1], [np.nan, 2], [3.0, 3], [2.0, 4]])
    encoder = Encoder.of(X)
    assert encoder.width == 3 and encoder.sources.tolist() == [0, 1, 0]
    Z = encoder("X", X)
    assert Z[1, 0] == 0 and np.flatnonzero(Z[:, 2]).tolist() == [1]
    assert encoder("X", [[None, None]])[0, :2].tolist() == [0, 0]


NUMBERS = {
    "float32": np.array([[1.5], [2.5], [np.nan]], np.float32),
    "int": np.array([[1], [2], [3]]),
    "objects": objects(1, 2.5, None).reshape(-1, 1),
    "numpy scalars": objects(np.float32(1), np.int8(2), np.float64("nan")).reshape(
        -1, 1
    ),
    "decimals": objects(Decimal("1.5"), Fraction(1, 2), None).reshape(-1, 1),
    "lists": [[1.5], [2], [None]],
    "big": [[10**30], [1], [2]],
}


@pytest.mark.parametrize("X", NUMBERS.values(), ids=NUMBERS)
def test_kinds_of_numbers(X):
    encoder = Encoder.of(X)
    rows = [[None if v is None else float(v)] for (v,) in np.asarray(X, object)]
    assert np.array_equal(encoder("X", X), encoder("X", rows))
    assert not encoder.categories


# --- categories -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, names",
    [
        (objects("b", "a", "c", "a"), ("a", "b", "c")),
        (objects(True, False, None), (False, True)),
        (np.array([True, False]), (False, True)),
        (np.array(["x", "y", "x"]).astype(object), ("x", "y")),
    ],
)
def test_names_of_categories(values, names):
    (column,) = Encoder.of(values.reshape(-1, 1)).categories
    assert column.categories.names == names and not column.categories.others


def test_two_categories_are_one_column_and_a_missing_one_is_between():
    encoder = Encoder.of([["a"], ["b"], [None], ["a"], ["b"]])
    low, high, hole, unseen = encoder("X", [["a"], ["b"], [None], ["c"]])[:, 0]
    assert low < hole < high and unseen == hole


def test_rare_categories_share_a_column_with_unseen_ones():
    common = [f"c{i}" for i in range(FEW + 2)]
    values = objects(*(common * LEAST_ROWS), "rare", "seldom")
    categories = Categories.of("c", values)
    assert categories.others and categories.names == tuple(sorted(common))
    found = categories.encode("c", objects("rare", "seldom", "new", None, "c0"))
    assert found[:3].tolist() == [found[0].tolist()] * 3 and found[0, -1] == 1
    assert not found[3].any() and found[4].argmax() == 0


def test_most_categories():
    values = objects(*(str(i) for i in range(100) for _ in range(20)))
    assert Categories.of("c", values, 7).width == 8


def test_numbers_can_be_chosen_as_categories():
    X = [[3, 1.5], [7, 2.5], [3, 3.5], [9, 4.5]]
    assert Encoder.of(X).width == 2
    encoder = Encoder.of(X, [0])
    assert encoder.categories[0].categories.names == (3, 7, 9) and encoder.width == 4
    assert np.array_equal(encoder("X", [[3.0, 1.5]]), encoder("X", [[3, 1.5]]))
    for wrong in (["a"], [5], [-1], "all"):
        with pytest.raises(ValueError, match="categorical must"):
            Encoder.of(X, wrong)


# --- frames ---------------------------------------------------------------------------


def frames():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {
        "n": [1.0, None, 3.0, 2.5] * 10,
        "i": [1, 2, 3, 4] * 10,
        "t": ["x", "y", None, "z"] * 10,
        "b": [True, False, True, None] * 10,
    }
    typed = pd.DataFrame(columns).astype(
        {"t": "category", "b": "boolean", "i": "Int32"}
    )
    texts = pl.DataFrame(columns)
    return [
        pd.DataFrame(columns),
        pd.DataFrame(columns).convert_dtypes(),
        typed,
        texts,
        texts.with_columns(pl.col("t").cast(pl.Categorical)),
        texts.with_columns(pl.col("t").cast(pl.Enum(["x", "y", "z"]))),
    ]


def head(frame, n):
    return frame.iloc[:n] if hasattr(frame, "iloc") else frame.head(n)


def test_all_frames_are_the_same_table():
    first, *others = frames()
    encoder = Encoder.of(first)
    Z = encoder("X", first)
    assert encoder.names == ("n", "i", "t", "b") and Z.shape == (40, 7)
    for frame in others:
        assert np.array_equal(encoder("X", frame), Z), frame
        assert np.array_equal(Encoder.of(frame)("X", frame), Z), frame
    for n in (1, FEW_ROWS, FEW_ROWS + 1):
        for frame in (first, *others):
            assert np.array_equal(encoder("X", head(frame, n)), Z[:n]), (frame, n)


def test_a_dtype_of_categories_counts_for_numbers_too():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"k": pd.Categorical([3, 4, 5, 3] * 10)})
    encoder = Encoder.of(frame)
    assert encoder.categories[0].categories.names == (3, 4, 5)
    assert np.array_equal(encoder("X", frame[:1]), encoder("X", frame)[:1])


# --- messages -------------------------------------------------------------------------

TIMES = [
    datetime.date(2020, 1, 1),
    datetime.datetime(2020, 1, 1),
    datetime.timedelta(1),
    np.datetime64("2020-01-01"),
]


@pytest.mark.parametrize("time", TIMES)
def test_dates_are_refused_with_advice(time):
    for X in ([[time], [None]], [[None], [time]]):
        with pytest.raises(TypeError, match=r"X\[:, 0\] has dates .* day of the week"):
            Encoder.of(X)
    with pytest.raises(TypeError, match=r"X\[:, 0\] has dates"):
        Encoder.of([[1.0], [2.0]])("X", [[time]])


def test_dates_of_frames_are_named():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for frame in (
        pd.DataFrame({"when": pd.to_datetime(["2020-01-01"] * 30)}),
        pd.DataFrame({"when": pd.to_datetime(["2020-01-01"] * 30, utc=True)}),
        pl.DataFrame({"when": [datetime.date(2020, 1, 1)] * 30}),
    ):
        with pytest.raises(TypeError, match=r"X\['when'\] has dates"):
            Encoder.of(frame)


@pytest.mark.parametrize(
    "X, error, message",
    [
        ([[np.inf], [1.0]], ValueError, r"X\[:, 0\] must be finite or missing"),
        ([[1, "a"], ["b", 2]], ValueError, r"X\[:, 0\] must have numbers or texts"),
        ([[{}], [{}]], TypeError, r"X\[:, 0\] must have numbers, texts or bools"),
        ([1, 2], ValueError, "Expected 2D array for X, got 1D"),
        (np.zeros((0, 3)), ValueError, r"0 sample\(s\)"),
        (np.zeros((3, 0)), ValueError, r"0 feature\(s\)"),
        (np.zeros((3, 1), complex), ValueError, "Complex data not supported"),
    ],
)
def test_bad_tables(X, error, message):
    with pytest.raises(error, match=message):
        Encoder.of(X)


@pytest.mark.parametrize("value", ["3", "three", "", {}, [1]])
def test_a_column_of_numbers_takes_no_texts_later(value):
    encoder = Encoder.of([[1.0, 2.0], [2.0, 3.0]])
    X = np.empty((1, 2), object)
    X[0] = 1.0, value
    with pytest.raises(ValueError, match=r"X\[:, 1\] must have numbers"):
        encoder("X", X)


def test_other_columns():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [2.0, 3.0]})
    encoder = Encoder.of(frame)
    for wrong, message in (
        (frame[["b", "a"]], "same order"),
        (frame[["a"]], "yet now missing:\n- b"),
        (frame.assign(c=1), "unseen at fit time:\n- c"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder("X", wrong)
    with pytest.raises(ValueError, match="X has 3 features"):
        encoder("X", np.zeros((1, 3)))
    assert encoder("X", frame.to_numpy()).shape == (2, 2)


def test_a_table_of_a_list():
    table = Table("X", [[1, "a"]])
    assert (len(table), table.width, table.names) == (1, 2, None)


def test_columns_whose_texts_are_lost_are_named():
    rng = np.random.default_rng(0)
    numbers = objects(*map(str, rng.normal(size=400))).reshape(-1, 1)
    with pytest.warns(UserWarning, match=r"X\[:, 0\] has 400 .* are numbers: convert"):
        Encoder.of(numbers)
    names = objects(*(f"n{i}" for i in range(400))).reshape(-1, 1)
    with pytest.warns(UserWarning, match=r"X\[:, 0\] is not used: none of its 400"):
        Encoder.of(names)


def test_fewer_rows_are_enough_in_small_tables():
    values = objects(*(f"c{i}" for i in range(50) for _ in range(6)))
    assert Categories.of("c", values).width == 50
    assert Categories.of("c", objects(*values, *["other"] * 700)).width == 2


@pytest.mark.parametrize(
    "fitted, given, message",
    [
        (["a", "b"], 1, "must have texts, as in the training; got 1"),
        (["1", "2"], 1, "must have texts"),
        ([True, False], "True", "must have bools"),
        ([3, 7], "3", "must have numbers"),
    ],
)
def test_values_of_another_type_are_no_unseen_categories(fitted, given, message):
    encoder = Encoder.of(objects(*fitted * 5).reshape(-1, 1), [0])
    with pytest.raises(ValueError, match=message):
        encoder("X", objects(given).reshape(-1, 1))


def test_names_that_are_no_texts_count_too():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({3: [1.0, 2.0], 7: [5.0, 9.0]})
    encoder = Encoder.of(frame)
    with pytest.raises(ValueError, match="same order"):
        encoder("X", frame[[7, 3]])
    with pytest.raises(ValueError, match="different names of columns; got 'a'"):
        Encoder.of(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_large_integers_are_the_same_in_few_rows_and_in_many():
    pd = pytest.importorskip("pandas")
    ids = 2**60 + np.arange(5)
    frame = pd.DataFrame({"id": np.tile(ids, 10), "x": np.arange(50.0)})
    encoder = Encoder.of(frame, ["id"])
    whole = encoder("X", frame)
    for n in (1, FEW_ROWS, FEW_ROWS + 1):
        assert np.array_equal(encoder("X", frame[:n]), whole[:n])


def test_masks_are_holes():
    X = np.ma.masked_greater(np.array([[1.0, 2.0], [9.0, 3.0], [2.0, 1.0]]), 5)
    encoder = Encoder.of(X)
    assert encoder.numbers.marked == [0] and encoder("X", X)[1, 0] == 0


def test_a_constant_column_stays_0_whatever_comes():
    encoder = Encoder.of([[1.7e308], [1.7e308]])
    assert encoder("X", [[-1.7e308], [0.0]]).tolist() == [[0.0], [0.0]]


def test_tables_of_other_kinds():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    for X, error, message in (
        ([{"a": 1.0}], TypeError, "got a list of dicts: pandas.DataFrame"),
        ({"a": [1.0]}, TypeError, "got a dict"),
        ("file.csv", TypeError, "got a str"),
        (pl.LazyFrame({"a": [1.0]}), TypeError, r"call X.collect\(\)"),
        (frame["a"], ValueError, r"got a Series: one row of a frame is frame\[:1\]"),
    ):
        with pytest.raises(error, match=message):
            Encoder.of(X)


def test_wide_frames_are_read_as_one_array():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3000)))
    assert Table("X", frame).matrix is not None
    assert np.array_equal(
        Encoder.of(frame)("X", frame), Encoder.of(frame.to_numpy())("X", frame)
    )
