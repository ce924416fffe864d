"""Targets of the kernels over the grid of layers, on every CPU, as data."""

from .grid_shapes import CLASSES
from .target import Target

#: Least ratio of NumPy's time to bpcore's, of the same work, at any layer; and in the
#: median of the layers of a class, for the kernel where that median is least.
ANYWHERE = 0.97
MEDIAN = 1.0

#: Least ratio of the time of the bare product to that of the kernel, which also adds a
#: bias, applies a derivative or updates the weights, at layers where the bare product
#: has more than this share of the peak.
BARE = 0.95
BARE_SHARE = 0.6

_FIGURES = {
    "numpy_least": ("NumPy over it, at its worst layer", ANYWHERE),
    "numpy_median": ("NumPy over it, median of the layers", MEDIAN),
    "bare_least": ("bare product over it, at its worst layer", BARE),
}


def _all():
    for record, dtype in (("grid", ""), ("grid_float64", ", float64")):
        for name in CLASSES:
            for figure, (title, least) in _FIGURES.items():
                title = f"kernels{dtype}, {name}: {title}"
                yield Target(record, title, {"of_class": name}, figure, least=least)


ALL = tuple(_all())
