"""Forms in which numbers come: of arrays, tables, other libraries and hostile objects.

Each form takes a plain array, C-contiguous float64 or int64, and returns a `Form`: the
same numbers in another form, and the plain array that is right in its place, or None if
the form must be refused. Packages that are not installed are left out.
"""

import array
import datetime
import importlib.util
import tempfile
import warnings
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

TAKEN, REFUSED, EITHER = "taken", "refused", "either"


@dataclass(frozen=True)
class Form:
    """Numbers in some form.

    Parameters
    ----------
    value : object
        What a call gets.
    plain : array or None
        The array with the same result; None if the value must be refused.
    must : str
        TAKEN, if a call that takes the plain array must take the value too, or EITHER.
    """

    value: Any
    plain: Any = None
    must: str = TAKEN


# --- memory ---------------------------------------------------------------------------


def strided(numbers, step):
    """A view of every other element along all axes, backwards for a negative step."""
    room = np.full([2 * n for n in numbers.shape], 7, numbers.dtype)
    start = None if step > 0 else -1
    view = room[(slice(start, None, step),) * numbers.ndim]
    view[...] = numbers
    return view


def misaligned(numbers):
    """The numbers one byte beyond an aligned address."""
    memory = bytearray(numbers.nbytes + 1)
    view = np.frombuffer(memory, numbers.dtype, numbers.size, 1).reshape(numbers.shape)
    view[...] = numbers
    return view


def field(numbers):
    """A view of one field of packed records."""
    records = np.zeros(numbers.shape, [("flag", "i1"), ("number", numbers.dtype)])
    records["number"] = numbers
    return records["number"]


def repeated(numbers):
    """Its first row, or element, for all others, without memory for them."""
    return np.broadcast_to(numbers[:1], numbers.shape) if numbers.ndim else numbers


def read_only(numbers):
    """A copy that cannot be written."""
    copy = numbers.copy()
    copy.flags.writeable = False
    return copy


def mapped(numbers, mode):
    """The numbers in a file."""
    with tempfile.TemporaryFile() as file:
        numbers.tofile(file)
        file.flush()
        return np.memmap(file, numbers.dtype, mode, shape=numbers.shape or (1,))


MEMORY = {
    "C order": lambda a: a.copy(),
    "Fortran order": np.asfortranarray,
    "transposed twice": lambda a: a.T.copy().T,
    "every other": lambda a: strided(a, 2),
    "backwards": lambda a: strided(a, -2),
    "misaligned": misaligned,
    "field of records": field,
    "read-only": read_only,
    "other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "misaligned, other byte order": lambda a: misaligned(
        a.astype(a.dtype.newbyteorder())
    ),
    "memory-mapped": lambda a: mapped(a, "r").reshape(a.shape),
    "memory-mapped, private": lambda a: mapped(a, "c").reshape(a.shape),
}

# --- subclasses -----------------------------------------------------------------------


class Plain(np.ndarray):
    """A subclass with an attribute, as units and labels have it."""

    def __array_finalize__(self, other):
        self.unit = getattr(other, "unit", "m")


class Lying(np.ndarray):
    """A subclass whose attributes, comparisons and conversions are wrong."""

    shape = property(lambda self: (1, 1))
    dtype = property(lambda self: np.dtype("u1"))
    ndim = property(lambda self: 7)
    size = property(lambda self: -1)
    __len__ = lambda self: 0  # noqa: E731
    __eq__ = lambda self, other: True  # noqa: E731
    __hash__ = None
    __array_ufunc__ = None


class Refusing(np.ndarray):
    """A subclass in which no function of NumPy works."""

    def __array_ufunc__(self, *inputs, **options):
        raise RuntimeError("no ufunc")

    def __array_function__(self, *inputs, **options):
        raise RuntimeError("no function")


def matrix(numbers):
    """A matrix, which stays two-dimensional."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy advises against it
        return np.asmatrix(numbers)


def masked(numbers, some):
    """A masked array, with some elements masked or none."""
    found = np.ma.array(numbers.copy(), mask=np.zeros(numbers.shape, bool))
    if some:
        found[(0,) * numbers.ndim] = np.ma.masked
    return found


SUBCLASSES = {
    "subclass": lambda a: a.view(Plain),
    "subclass, lying": lambda a: a.copy().view(Lying),
    "subclass, refusing": lambda a: a.copy().view(Refusing),
    "recarray": lambda a: a.view(np.recarray),
    "chararray of bytes": lambda a: np.char.array(a.astype("S9")),
}

# --- Python's objects -----------------------------------------------------------------


def objects(numbers, change=None):
    """The numbers as Python objects, the first replaced."""
    found = numbers.astype(object)
    if change is not None:
        found[(0,) * numbers.ndim] = change
    return found


def nested(numbers):
    """Tuples of tuples."""
    return tuple(map(nested, numbers)) if numbers.ndim else numbers.item()


def listed(numbers, change):
    """Lists of lists, the first number replaced."""
    found = objects(numbers, None)
    found[(0,) * numbers.ndim] = change
    return found.tolist()


class ByArray:
    """An object that has only ``__array__``."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return self.value


class Raising:
    """An object whose ``__array__`` raises."""

    def __init__(self, error):
        self.error = error

    def __array__(self, dtype=None, copy=None):
        raise self.error


class ByInterface:
    """An object that has only ``__array_interface__``."""

    def __init__(self, value, **changes):
        self.kept = value
        self.__array_interface__ = {**value.__array_interface__, **changes}


class ByDLPack:
    """An object of the array API: ``__dlpack__`` and nothing of NumPy's."""

    def __init__(self, value):
        self.value = value

    def __dlpack__(self, **options):
        return self.value.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.value.__dlpack_device__()


class Endless:
    """A sequence of one sequence of one sequence, and so on without end."""

    def __len__(self):
        return 1

    def __getitem__(self, at):
        if at:
            raise IndexError(at)
        return Endless()


class Number:
    """A real number of an unknown class."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return self.value


def itself():
    """A list that contains itself."""
    found = [1.0]
    found.append(found)
    return found


OBJECTS = {
    "list": lambda a: a.tolist(),
    "tuples": nested,
    "list of arrays": lambda a: list(a) if a.ndim else a,
    "objects": objects,
    "objects of NumPy": lambda a: objects(a, a.reshape(-1)[0]),
    "__array__": ByArray,
    "__array__ of a view": lambda a: ByArray(strided(a, -2)),
    "__array_interface__": ByInterface,
    "__dlpack__": ByDLPack,
}
#: These are numbers to some calls only, such as labels that are whole floats.
NUMBERS = {
    "Fractions": lambda a: objects(a, Fraction(a.flat[0].item())),
    "Decimals": lambda a: objects(a, Decimal(a.flat[0].item())),
    "numbers of others": lambda a: objects(a, Number(float(a.flat[0]))),
}

# --- dtypes ---------------------------------------------------------------------------

DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g")


def of_dtype(dtype):
    """The form of a dtype: the numbers that it has in place of the plain ones."""

    def form(numbers):
        with np.errstate(all="ignore"):
            value = numbers.astype(dtype)
        back = value.astype(numbers.dtype)
        floats = numbers.dtype.kind == "f"
        same = bool((back == numbers).all())
        must = TAKEN if floats or (same and np.dtype(dtype).kind in "iub") else EITHER
        plain = back if floats or same else value
        return Form(value, value.copy() if dtype == "f4" else plain, must)

    return form


def with_first(numbers, value, dtype=np.float64):
    """A copy in a dtype, the first number replaced."""
    found = numbers.astype(dtype)
    found[(0,) * numbers.ndim] = value
    return found


def values(value, dtype=np.float64):
    """The form of numbers of which one is unusual; right is what float64 gives."""

    def form(numbers):
        found = with_first(numbers, value, dtype)
        if numbers.dtype.kind == "i" and np.dtype(dtype).kind in "iu":
            return Form(found, np.array(found), EITHER)
        return Form(found, found.astype(np.float64), EITHER)

    return form


UNUSUAL = {
    "uint64 above 2^53": values(2**53 + 1, "u8"),
    "uint64 above 2^63": values(2**64 - 1, "u8"),
    "int64 above 2^53": values(-(2**53) - 1, "i8"),
    "NaN": values(np.nan),
    "infinite": values(np.inf),
    "minus infinite": values(-np.inf, "f2"),
    "above float32": values(1e39),
    "below float32": values(1e-46),
    "largest float64": values(1.7976931348623157e308),
    "above float64": lambda a: Form(
        with_first(a, np.longdouble("1e4000"), "g"), with_first(a, np.inf), EITHER
    ),
    "minus zero": values(-0.0),
    "subnormal": values(5e-324),
}

# --- what no call may take ------------------------------------------------------------

BAD = {
    "masked": lambda a: masked(a, some=True),
    "list of masked": lambda a: [masked(a, some=True)],
    "lists of masked": lambda a: [[masked(a, some=True)]],
    "the constant masked": lambda a: np.ma.masked,
    "masked in lists": lambda a: listed(a, np.ma.masked),
    "masked among objects": lambda a: objects(a, np.ma.masked),
    "__array__ of masked": lambda a: ByArray(masked(a, some=True)),
    "tuple of lists of masked": lambda a: (list(masked(a.reshape(-1), some=True)),),
    "masked records": lambda a: np.ma.array(np.zeros(a.shape, "f8,f8"), mask=True),
    "None": lambda a: None,
    "None in lists": lambda a: listed(a, None),
    "Ellipsis among objects": lambda a: objects(a, Ellipsis),
    "text": lambda a: "1 2 3",
    "bytes": lambda a: b"123",
    "texts": lambda a: a.astype("U9"),
    "StringDType": lambda a: a.astype(np.dtypes.StringDType()),
    "bytes in an array": lambda a: a.astype("S9"),
    "texts in lists": lambda a: a.astype("U9").tolist(),
    "complex": lambda a: a.astype("c16"),
    "complex object": lambda a: objects(a, 1j),
    "dates": lambda a: a.astype("M8[s]"),
    "timedeltas": lambda a: a.astype("m8[s]"),
    "dates among objects": lambda a: objects(a, datetime.datetime(2020, 1, 1)),
    "timedelta64 among objects": lambda a: objects(a, np.timedelta64(1, "s")),
    "arrays among objects": lambda a: objects(np.zeros(a.shape), Inner()),
    "structured": lambda a: np.zeros(a.shape, "f8,f8"),
    "structured, one field": lambda a: np.zeros(a.shape, [("x", "f8")]),
    "void": lambda a: np.zeros(a.shape, "V8"),
    "dict": lambda a: {"a": [1.0], "b": [2.0]},
    "set": lambda a: {1.0, 2.0},
    "frozenset": lambda a: frozenset((0.0, 1.0)),
    "generator": lambda a: (row for row in np.atleast_1d(a)),
    "iterator": lambda a: iter(a.tolist() if a.ndim else [0.0]),
    "class": lambda a: np.ndarray,
    "function": lambda a: np.sum,
    "ragged": lambda a: [[1.0], [1.0, 2.0]],
    "ragged in depth": lambda a: [1.0, [1.0, 2.0]],
    "within itself": lambda a: itself(),
    "__array__ raises TypeError": lambda a: Raising(TypeError("no array")),
    "__array__ raises OSError": lambda a: Raising(OSError("disk")),
    "__array__ raises StopIteration": lambda a: Raising(StopIteration()),
    "__array__ returns a list": lambda a: ByArray(a.tolist()),
    "__array__ returns None": lambda a: ByArray(None),
    "__array__ returns texts": lambda a: ByArray(a.astype("U9")),
    "__array__ returns itself": lambda a: ByArray(ByArray(a)),
    "interface without memory": lambda a: ByInterface(a, data=None, shape=(-1,)),
    "interface with a wrong type": lambda a: ByInterface(a, typestr="nonsense"),
    "endless sequence": lambda a: Endless(),
    "number that raises": lambda a: objects(a, RaisingNumber()),
}


class Inner:
    """An array that stands for one number."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros(2)

    def __float__(self):
        return 0.0


class RaisingNumber:
    """A number whose conversion raises an error of its own."""

    def __float__(self):
        raise OSError("no number today")


# --- tables and arrays of other libraries ---------------------------------------------


def has(package):
    """Whether a package is installed."""
    return importlib.util.find_spec(package) is not None


def pandas_forms(pd):
    """Forms of pandas: taken, with missing numbers, refused."""

    def frame(a, **options):
        make = pd.DataFrame if a.ndim == 2 else pd.Series
        return make(a.copy(), **options)

    def columns(a, names):
        return frame(a, columns=names(a.shape[1])) if a.ndim == 2 else frame(a)

    def nullable(a, missing):
        kind = "Float64" if a.dtype.kind == "f" else "Int64"
        found = frame(a).astype(kind)
        if missing:
            at = (0, 0) if a.ndim == 2 else 0
            found.iat[at] = pd.NA
        return found

    def arrow(a, missing=False):
        found = frame(a).astype(
            "double[pyarrow]" if a.dtype.kind == "f" else "int64[pyarrow]"
        )
        if missing:
            found.iat[(0, 0) if a.ndim == 2 else 0] = pd.NA
        return found

    taken = {
        "pandas": frame,
        "pandas, index of text": lambda a: frame(
            a, index=list(map(str, range(len(a))))
        ),
        "pandas, repeated index": lambda a: frame(a, index=[0] * len(a)),
        "pandas, index backwards": lambda a: frame(a, index=range(len(a))[::-1]),
        "pandas, MultiIndex": lambda a: columns(
            a, lambda n: pd.MultiIndex.from_tuples([("a", i) for i in range(n)])
        ),
        "pandas, one name for all": lambda a: columns(a, lambda n: ["a"] * n),
        "pandas, names None and NaN": lambda a: columns(
            a, lambda n: [None, np.nan, *range(n)][:n]
        ),
        "pandas, nullable": lambda a: nullable(a, missing=False),
        "pandas, objects": lambda a: frame(a.astype(object)),
    }
    if has("pyarrow"):
        taken["pandas of arrow"] = arrow
    missing = {"pandas, NA": lambda a: nullable(a, missing=True)}
    refused = {
        "pandas, NA among objects": lambda a: frame(objects(a, pd.NA)),
        "pandas, NaT among objects": lambda a: frame(objects(a, pd.NaT)),
        "pandas, text": lambda a: frame(a.astype("U9")),
        "pandas, dates": lambda a: frame(a.astype("M8[s]")),
        "pandas, timedeltas": lambda a: frame(a.astype("m8[s]")),
        "pandas, categories": lambda a: pd.Series(pd.Categorical(a.reshape(-1))),
        "pandas, intervals": lambda a: pd.Series(pd.interval_range(0, a.size, a.size)),
        "pandas, complex": lambda a: frame(a.astype("c16")),
        "pandas, GroupBy": lambda a: pd.DataFrame({"a": [1.0]}).groupby("a"),
    }
    if has("pyarrow"):
        missing["pandas of arrow, null"] = lambda a: arrow(a, missing=True)
    return taken, missing, refused


def polars_forms(pl):
    """Forms of polars: taken, with missing numbers, refused."""

    def frame(a):
        return pl.DataFrame(a) if a.ndim == 2 else pl.Series(a.reshape(-1))

    def missing(a):
        if a.ndim == 2:
            raise ValueError("a column has one axis")
        return pl.Series([None, *a.reshape(-1)[1:].tolist()])

    refused = {
        "polars, lazy": lambda a: pl.DataFrame({"a": [1.0]}).lazy(),
        "polars, dates": lambda a: pl.Series([datetime.date(2020, 1, 1)] * len(a)),
        "polars, expression": lambda a: pl.col("a"),
    }
    return {"polars": frame}, {"polars, null": missing}, refused


def arrow_forms(pa):
    """Forms of pyarrow: taken, with missing numbers, refused."""

    def table(a):
        if a.ndim < 2:
            return pa.chunked_array([a.reshape(-1)])
        return pa.table({str(i): column for i, column in enumerate(a.T)})

    return {"arrow": table}, {}, {"arrow, nulls": lambda a: pa.nulls(a.size)}


def sparse_forms(sparse):
    """Forms of scipy.sparse: refused, with advice."""
    return (
        {},
        {},
        {
            "scipy.sparse": lambda a: sparse.csr_array(np.atleast_2d(a)),
            "scipy.sparse, matrix": lambda a: sparse.coo_matrix(np.atleast_2d(a)),
        },
    )


def torch_forms(torch):
    """Forms of PyTorch."""
    return (
        {"torch": lambda a: torch.from_numpy(a.copy())},
        {},
        {"torch, requires grad": lambda a: torch.ones(a.shape, requires_grad=True)},
    )


LIBRARIES = {
    "pandas": pandas_forms,
    "polars": polars_forms,
    "pyarrow": arrow_forms,
    "scipy.sparse": sparse_forms,
    "torch": torch_forms,
}

#: What is found and what belongs to a table only.
FOR_TABLES = ("MultiIndex", "one name", "names None")

# --- shapes ---------------------------------------------------------------------------


def shapes(numbers):
    """Arrays of wrong shapes for a call that takes the shape of `numbers`."""
    found = {
        "cube": numbers.reshape(*numbers.shape, *[1] * max(3 - numbers.ndim, 1)),
        "32 axes": np.zeros((1,) * 32, numbers.dtype),
        "no rows": numbers[:0] if numbers.ndim else np.zeros(0, numbers.dtype),
        "2^62 rows of nothing": np.zeros((2**40, 0), numbers.dtype),
    }
    if numbers.ndim == 2:
        found |= {
            "0-d": numbers.reshape(-1)[0].reshape(()),
            "no columns": numbers[:, :0],
            "too wide": np.hstack([numbers, numbers[:, :1]]),
            "too narrow": numbers[:, :-1],
            "transposed": np.ascontiguousarray(numbers.T),
            "flat": numbers.reshape(-1),
        }
    elif numbers.ndim == 1:
        found |= {
            "0-d": numbers[0].reshape(()),
            "too long": np.append(numbers, numbers[:1]),
            "too short": numbers[:-1],
            "row": numbers.reshape(1, -1),
        }
    return found


# --- all of them ----------------------------------------------------------------------


def forms():
    """{name: function of a plain array that returns a `Form`}."""
    found = {}
    for name, make in {**MEMORY, **OBJECTS}.items():
        found[name] = lambda a, make=make: Form(make(a), a)
    for name, make in {**SUBCLASSES, **NUMBERS}.items():
        found[name] = lambda a, make=make: Form(make(a), a, EITHER)
    found["matrix"] = lambda a: Form(matrix(a), np.atleast_2d(a), EITHER)
    found["masked, nothing masked"] = lambda a: Form(masked(a, some=False), a, EITHER)
    found["repeated"] = lambda a: Form(repeated(a), repeated(a).copy())
    found["memoryview"] = lambda a: Form(memoryview(a), a)
    found["range"] = lambda a: Form(
        range(len(a)), np.arange(len(a)).astype(a.dtype), EITHER
    )
    found["array.array"] = lambda a: Form(
        [array.array("d" if a.dtype.kind == "f" else "q", row) for row in a], a
    )
    found |= {f"dtype {dtype}": of_dtype(dtype) for dtype in DTYPES}
    found |= UNUSUAL
    for name, make in BAD.items():
        found[name] = lambda a, make=make: Form(make(a), None, REFUSED)
    for package, of_library in LIBRARIES.items():
        if has(package.partition(".")[0]):
            taken, missing, refused = of_library(importlib.import_module(package))
            for name, make in taken.items():
                found[name] = lambda a, make=make: Form(make(a), a)
            for name, make in missing.items():  # as NaN, where that is a number
                found[name] = lambda a, make=make: Form(
                    make(a), with_first(a, np.nan), EITHER
                )
            for name, make in refused.items():
                found[name] = lambda a, make=make: Form(make(a), None, REFUSED)
    return found
