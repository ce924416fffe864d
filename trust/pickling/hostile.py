"""Hostile values, by which values in a pickle are replaced."""

import numpy as np

#: What anything may be replaced by.
VALUES = {
    "None": None,
    "True": True,
    "text": "x",
    "empty text": "",
    "bytes": b"x",
    "0": 0,
    "1": 1,
    "-1": -1,
    "2^31": 1 << 31,
    "2^62": 1 << 62,
    "2^64": 1 << 64,
    "10^400": 10**400,
    "-2^63": -(1 << 63),
    "0.5": 0.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "-1e308": -1e308,
    "()": (),
    "[]": [],
    "{}": {},
    "nested": ((), [0], {"x": 1}),
    "array": np.zeros(3),
    "empty array": np.zeros(0),
    "NumPy number": np.float32(2),
    "class": dict,
    "object": object(),
}


def fill(array, value):
    """An array of the same kind, full of a value."""
    return np.full_like(array, value)


#: What an array may be replaced by, besides.
ARRAYS = {
    "one less": lambda a: a[..., :-1] if a.ndim else a,
    "one more": lambda a: np.append(a, a.ravel()[:1]),
    "one number": lambda a: a.ravel()[:1].copy(),
    "no axis": lambda a: a.ravel()[:1].reshape(()),
    "an axis more": lambda a: a[None],
    "rows twice": lambda a: np.concatenate([a, a]) if a.ndim else a,
    "transposed": lambda a: np.asfortranarray(a.T),
    "float16": lambda a: a.astype(np.float16),
    "other float": lambda a: a.astype(
        np.float64 if a.dtype == np.float32 else np.float32
    ),
    "long double": lambda a: a.astype(np.longdouble),
    "complex": lambda a: a.astype(complex),
    "int8": lambda a: a.astype(np.int8),
    "uint64": lambda a: a.astype(np.uint64),
    "bool": lambda a: a.astype(bool),
    "object": lambda a: a.astype(object),
    "None in it": lambda a: np.full(a.shape, None),
    "texts": lambda a: a.astype("U8"),
    "times": lambda a: a.astype(np.int64).astype("M8[s]"),
    "records": lambda a: np.zeros(a.shape, [("x", "f4"), ("y", "O")]),
    "other byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "masked": lambda a: np.ma.masked_array(a, np.ones(a.shape, bool)),
    "matrix": lambda a: a.view(np.matrix) if a.ndim == 2 else np.asmatrix(a),
    "full of NaN": lambda a: fill(a, np.nan) if a.dtype.kind == "f" else fill(a, 0),
    "full of -1": lambda a: fill(a.astype(np.int64), -1).astype(a.dtype),
    "full of the largest": lambda a: fill(a, _largest(a.dtype)),
    "full of 2^40": lambda a: fill(a, min(2**40, _largest(a.dtype))),
    "a list": lambda a: a.tolist(),
}


def _largest(dtype):
    if dtype.kind in "iu":
        return np.iinfo(dtype).max
    return np.finfo(dtype).max if dtype.kind == "f" else 1
