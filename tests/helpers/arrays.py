"""Arrays and tables of other libraries, and objects that resemble them."""

import warnings

import numpy as np
import pytest

NUMBERS = np.array([[1.0, 2.0], [3.0, 0.5], [0.0, 1.0]])


class ByArray:
    """An object that has only ``__array__``."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype)


class ByInterface:
    def __init__(self, value):
        self.kept = value
        self.__array_interface__ = value.__array_interface__


class ByDLPack:
    def __init__(self, value):
        self.value = value

    def __dlpack__(self, **options):
        return self.value.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.value.__dlpack_device__()


class Polars(ByArray):
    """A frame with the interface of polars: `dtypes` is a list."""

    columns = ("a", "b")
    dtypes = ("Float64", "Float64")
    shape = (3, 2)

    def to_numpy(self):
        return self.value

    def __iter__(self):
        return iter(self.value.T)


class PolarsDtype:
    """A dtype with the interface of polars: of numbers, of times or with parts."""

    def __init__(self, name, times=False, fields=(), inner=None):
        self.name, self.times, self.fields = name, times, fields
        if inner is not None:
            self.inner = inner

    def is_temporal(self):
        return self.times

    def __str__(self):
        return self.name


class PolarsField:
    def __init__(self, dtype):
        self.dtype = dtype


class PolarsTimes(Polars):
    """A frame whose array is one of numbers, though its second column is of another."""

    def __init__(self, dtype):
        super().__init__(NUMBERS)
        self.kept = dtype

    @property
    def schema(self):
        return {"a": PolarsDtype("Float64"), "b": self.kept}


class PolarsSeries(ByArray):
    name = "s"

    def __init__(self, dtype):
        super().__init__(NUMBERS)
        self.kept = dtype

    @property
    def dtype(self):
        return self.kept


DATE = PolarsDtype("Date", times=True)


class Float:
    """A real number of an unknown class."""

    def __init__(self, value):
        self.value = value

    def __float__(self):
        return self.value


class Tensor:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


class OnDevice:
    def __array__(self, dtype=None, copy=None):
        raise ValueError("no implicit transfer")


class NoArray:
    def __array__(self, dtype=None, copy=None):
        return [1.0, 2.0]


class Lazy:
    """As polars' LazyFrame: reading `columns` is slow, and warns."""

    @property
    def columns(self):
        raise AssertionError("expensive")

    dtypes = columns

    def collect(self):
        return NUMBERS


class Interchange:
    """An object that has only the dataframe interchange protocol."""

    def __dataframe__(self, *args, **kwargs):
        raise AssertionError("not for us")

    def __iter__(self):
        return iter(NUMBERS)


class Sparse:
    shape = (3, 2)

    def toarray(self):
        return NUMBERS

    def __len__(self):
        raise TypeError("sparse array length is ambiguous")


class Strange:
    def __float__(self):
        raise OSError("no number today")


def objects(*changes):
    """The numbers as objects, some replaced."""
    found = NUMBERS.astype(object)
    for at, value in changes:
        found[at] = value
    return found


def matrix(value):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy advises against it
        return np.asmatrix(value)


def pandas(make):
    return lambda: make(pytest.importorskip("pandas"))


def polars(make):
    return lambda: make(pytest.importorskip("polars"))


def arrow(make):
    return lambda: make(pytest.importorskip("pyarrow"))


A, B = NUMBERS.T.tolist()
