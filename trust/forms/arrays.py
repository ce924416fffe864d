"""Forms of NumPy: other memory, subclasses, other dtypes and unusual numbers."""

import tempfile
import warnings
from dataclasses import dataclass
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


# --- dtypes ---------------------------------------------------------------------------

DTYPES = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", "g")


def dtype_form(dtype):
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
