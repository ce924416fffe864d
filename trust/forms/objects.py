"""Forms of Python's objects, and what no call may take."""

import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np

from trust.forms.arrays import masked, strided


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
