"""What estimators for tables have learned is checked when it is read from a pickle."""

import numpy as np
import pytest

from bpcore.tabular.encoder import Encoder
from bpcore.tabular.targets import Classes, Standardised

ROWS = [[1.0, "a"], [2.0, "b"], [np.nan, None], [3.0, "c"]]
ENCODER = Encoder.of(ROWS)
PARTS = {
    "encoder": ENCODER,
    "numbers": ENCODER.numbers,
    "scale": ENCODER.numbers.scale,
    "column": ENCODER.categories[0],
    "categories": ENCODER.categories[0].categories,
    "classes": Classes.of(["no", "yes"]),
    "numbers of y": Standardised.of([1.0, 3.0]),
}
ALTERED = [
    ("encoder", "n_columns", 3, "columns once"),
    ("encoder", "n_columns", 2**62, "columns once"),
    ("encoder", "names", ("x",), "different names"),
    ("encoder", "categories", (3,), "CategoryColumn"),
    ("encoder", "numbers", None, "numbers must be"),
    ("encoder", "owner", 3, "owner must be"),
    ("numbers", "places", [0, 1], "scale must be of 2"),
    ("numbers", "places", [-1], r"places\[0\]"),
    ("numbers", "marked", [0, 0], "no number twice"),
    ("numbers", "marked", [3], r"marked\[0\]"),
    ("scale", "factor", np.array([-1.0]), "factor must be finite and not negative"),
    ("scale", "centre", np.array([np.nan]), "centre must be finite"),
    ("scale", "centre", np.zeros(3), "a number for each factor"),
    ("scale", "centre", np.zeros(1, [("x", "f4"), ("y", "O")]), "centre must be of"),
    ("column", "place", -1, "place"),
    ("column", "rows", lambda a: a[:1], "rows must have shape"),
    ("column", "rows", lambda a: a.astype("f8"), "rows must be of dtype"),
    ("categories", "others", 2**31, "others must be a bool"),
    ("categories", "names", ("a", "a"), "different"),
    ("categories", "names", ["a", "b"], "names must be a tuple"),
    ("classes", "names", np.array(["no"]), "at least 2 classes"),
    ("classes", "weights", np.zeros(3), "weights must have"),
    ("numbers of y", "deviation", np.zeros(1), "deviations above 0"),
    ("numbers of y", "mean", np.zeros(0), "one mean for each"),
    ("numbers of y", "least", np.zeros(2), "one mean for each"),
    ("numbers of y", "single", 1, "single must be a bool"),
    ("numbers of y", "quantiles", (2.0,), "quantiles"),
]


@pytest.mark.parametrize(
    ("name", "entry", "change", "match"),
    ALTERED,
    ids=[f"{name} {entry} {i}" for i, (name, entry, *_) in enumerate(ALTERED)],
)
def test_an_altered_pickle_is_refused(name, entry, change, match):
    stored = PARTS[name].__getstate__()
    stored[entry] = change(stored[entry]) if callable(change) else change
    with pytest.raises((ValueError, TypeError), match=match):
        object.__new__(type(PARTS[name])).__setstate__(stored)
