"""Forms of tables and arrays of other libraries, if they are installed."""

import datetime
import importlib.util

import numpy as np

from trust.forms.objects import objects


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
