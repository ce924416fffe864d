"""Forms in which numbers come: of arrays, tables, other libraries and hostile objects.

Each form takes a plain array, C-contiguous float64 or int64, and returns a `Form`: the
same numbers in another form, and the plain array that is right in its place, or None if
the form must be refused. Packages that are not installed are left out.
"""

import array
import importlib.util

import numpy as np

from trust.forms.arrays import (
    DTYPES,
    EITHER,
    MEMORY,
    REFUSED,
    SUBCLASSES,
    UNUSUAL,
    Form,
    dtype_form,
    masked,
    matrix,
    repeated,
    with_first,
)
from trust.forms.libraries import LIBRARIES, has
from trust.forms.objects import BAD, NUMBERS, OBJECTS

#: Parts of the names of forms that only a table has.
FOR_TABLES = ("MultiIndex", "one name", "names None")


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
    found |= {f"dtype {dtype}": dtype_form(dtype) for dtype in DTYPES}
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
