"""Columns and targets of odd kinds: the values that they stand for, or an error."""

import warnings

import numpy as np
import pytest

import bpcore as bp
from bpcore.tabular import Classifier, Regressor
from bpcore.tabular.encoder import Encoder
from bpcore.tabular.numeric import RobustScale
from bpcore.tabular.targets import Classes, Standardised

ROWS = 40
NUMBERS = np.random.default_rng(0).normal(size=ROWS).round(2)
WHOLE = np.random.default_rng(1).integers(0, 3, ROWS).tolist()
MASK = NUMBERS > 1


class ByArray:
    """An object that has only ``__array__``."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return self.value


def table_of(numbers):
    return np.stack([numbers, numbers], axis=1)


MASKED = {
    "masked array": lambda: np.ma.array(
        table_of(NUMBERS), mask=np.stack([MASK, MASK], 1)
    ),
    "by __array__": lambda: ByArray(MASKED["masked array"]()),
}


@pytest.mark.parametrize("form", MASKED)
def test_masked_values_of_a_table_are_missing(form):
    expected = Encoder.of(table_of(np.where(MASK, np.nan, NUMBERS)))
    plain = expected("X", table_of(np.where(MASK, np.nan, NUMBERS)))
    encoder = Encoder.of(MASKED[form]())
    assert (encoder("X", MASKED[form]()) == plain).all()


@pytest.mark.parametrize("find", [Classes.of, Standardised.of])
def test_a_mask_of_targets_is_found_behind_array(find):
    y = ByArray(np.ma.array(WHOLE, mask=MASK))
    with pytest.raises(ValueError, match="y must have no missing values; got a mask"):
        find(y)


# --- frames ---------------------------------------------------------------------------


def polars_columns():
    pl = pytest.importorskip("polars")
    few = [None if i % 7 == 0 else value for i, value in enumerate(WHOLE)]
    return {
        name: (
            pl.Series(few, dtype=getattr(pl, name)),
            np.array(few, np.float64),
        )
        for name in ("Int8", "UInt64", "Int128", "Float32")
    }


@pytest.mark.parametrize("name", ["Int8", "UInt64", "Int128", "Float32"])
@pytest.mark.parametrize("rows", [1, 10, ROWS])
def test_numbers_of_polars(name, rows):
    pl = pytest.importorskip("polars")
    series, plain = polars_columns()[name]
    frame = pl.DataFrame({"a": series, "b": NUMBERS})
    array = np.stack([plain, NUMBERS], axis=1)
    encoder = Encoder.of(array)
    found = [Encoder.of(frame)("X", frame[i : i + rows]) for i in range(0, ROWS, rows)]
    assert (np.concatenate(found) == encoder("X", array)).all()


@pytest.mark.parametrize("rows", [10, ROWS])
@pytest.mark.parametrize("kind", ["Array", "List", "Struct"])
def test_nested_columns_of_polars_are_refused_by_name(kind, rows):
    pl = pytest.importorskip("polars")
    column = {
        "Array": pl.Series([[1, 2]] * rows, dtype=pl.Array(pl.Int64, 2)),
        "List": pl.Series([[1, 2]] * rows),
        "Struct": pl.Series([{"x": 1}] * rows),
    }[kind]
    with pytest.raises((TypeError, ValueError), match=r"X\['a'\] must have numbers"):
        Encoder.of(pl.DataFrame({"a": column, "b": NUMBERS[:rows]}))


def empty_categories():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"a": pd.Categorical([None] * ROWS), "b": NUMBERS})


def test_a_column_of_categories_without_values(tmp_path):
    frame = empty_categories()
    model = Regressor(quick=True, epochs=2, random_state=0).fit(frame, NUMBERS)
    expected = model.predict(frame)
    with_values = frame.assign(a=["red"] * ROWS)  # as if they were missing
    assert (model.predict(with_values) == expected).all()
    model.save(tmp_path / "model.bpc")
    assert (bp.load(tmp_path / "model.bpc").predict(frame) == expected).all()
    model.to_onnx(tmp_path / "model.onnx")


# --- classes --------------------------------------------------------------------------

#: {name: (targets, class names)}
CLASSES = {
    "large whole numbers": ([2**60 + i for i in WHOLE], [2**60 + i for i in range(3)]),
    "unsigned": ([2**63 + i for i in WHOLE], [2**63 + i for i in range(3)]),
    "negative": ([i - 2**62 for i in WHOLE], [i - 2**62 for i in range(3)]),
    "small": ([np.int8(i) for i in WHOLE], [0, 1, 2]),
    "whole floats among them": ([float(i) if i else i for i in WHOLE], [0, 1, 2]),
}


@pytest.mark.parametrize("name", CLASSES)
def test_whole_numbers_among_objects_are_not_rounded(name):
    targets, names = CLASSES[name]
    y = np.array(targets, object)
    classes = Classes.of(y)
    assert classes.names.tolist() == names
    assert classes.encode("y", y).tolist() == WHOLE


#: {name: (targets, text of the message)}
REFUSED_CLASSES = {
    "beyond 64 bits": ([2**64, 1] * 20, "y must have whole numbers of at most 64 bits"),
    "no float": ([10**400, 1] * 20, "y must have whole numbers of at most 64 bits"),
    "float and beyond": (np.array([2**53 + 1, 0.5] * 20, object), "y must have whole"),
    "numbers and texts": ([1, "a"] * 20, "y must have classes of one type; got int, s"),
    "NaN and texts": ([float("nan"), "a"] * 20, "y must have no missing values"),
    "dates, one missing": (np.array(["2020", "NaT"] * 20, "M8[D]"), "missing values"),
    "complex": ([1j, 2j] * 20, "y must have texts, whole numbers or bools; got comp"),
    "structured": (np.zeros(ROWS, "f8,f8"), "y must have texts, whole numbers or boo"),
    "no order": ([{}] * ROWS, "y must have classes in an order"),
    "ragged": ([[1], [1, 2]] * 20, "y must be an array"),
}


@pytest.mark.parametrize("name", REFUSED_CLASSES)
def test_targets_that_are_no_classes(name):
    y, message = REFUSED_CLASSES[name]
    with pytest.raises((TypeError, ValueError), match=message):
        Classes.of(y)


def test_texts_of_numpy_among_texts():
    classes = Classes.of(["b", np.str_("a"), "b"])
    assert classes.names.tolist() == ["a", "b"]


def test_targets_of_a_library_that_numpy_does_not_know():
    pl = pytest.importorskip("polars")
    y = pl.Series(WHOLE, dtype=pl.Int128)
    for find in (Classes.of, Standardised.of):
        with pytest.raises(ValueError, match="y must be an array"):
            find(y)


# --- numbers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    [
        [-1e308, 1.79e308, -1.79e308],
        [-1.79e308, 1.79e308],
        [1e308, 1.5e308, -1.79e308, 1.79e308, 0.0],
        [2.0**1023, -(2.0**1023), 0.0, 1.0],
    ],
)
def test_scale_of_a_column_whose_differences_overflow(column):
    x = np.array(column)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scale = RobustScale.of(x[:, None])
    smaller = RobustScale.of(x[:, None] / 8)
    assert (scale.centre == 8 * smaller.centre).all()
    np.testing.assert_allclose(8 * scale.factor, smaller.factor, rtol=1e-14)


def test_whole_numbers_of_other_classes_are_parameters():
    class Two:
        def __index__(self):
            return 2

    X = table_of(NUMBERS)
    expected = Regressor(quick=True, epochs=2, batch_size=2, random_state=0)
    model = Regressor(
        quick=True, epochs=Two(), batch_size=np.uint64(2), random_state=Two()
    )
    expected.random_state = 2
    expected, found = (m.fit(X, NUMBERS).predict(X) for m in (expected, model))
    assert (expected == found).all()


@pytest.mark.parametrize("entry", [True, np.timedelta64(1, "s")])
def test_what_is_no_number_of_a_column(entry):
    model = Classifier(categorical=[entry])
    with pytest.raises(ValueError, match="categorical must name columns of X"):
        model.fit(table_of(NUMBERS), WHOLE)
