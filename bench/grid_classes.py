"""The classes of the grid in figures: medians over layers, and the worst layer."""

from statistics import median

from . import operations
from .grid_targets import BARE_SHARE


def summaries(results):
    """One result for each class, from those of its layers and kernels.

    Parameters
    ----------
    results : list of dict
        As `bench.products.measure` makes them, each with its ``"class"``.

    Returns
    -------
    list of dict
        For each kernel ratios to NumPy and to the bare product; and of the kernels
        the least of each.
    """
    made = []
    for name in dict.fromkeys(result["class"] for result in results):
        members = [result for result in results if result["class"] == name]
        kernels = {
            operation.__name__: _kernel(
                [
                    result
                    for result in members
                    if result["operation"] == operation.__name__
                ]
            )
            for operation in operations.ALL
        }
        made.append(
            {
                "of_class": name,
                "dtype": members[0]["dtype"],
                "numpy_median": _least(kernels, "numpy_median"),
                "numpy_least": _least(kernels, "numpy_least"),
                "bare_least": _least(kernels, "bare_least"),
                "operations": kernels,
            }
        )
    return made


def _kernel(results):
    """The figures of one kernel in one class."""
    layers = {result["layer"]: _only(result["isa"]) for result in results}
    numpy = {name: of["numpy_over_it"].median for name, of in layers.items()}
    bare = {name: of["bare_over_it"].median for name, of in layers.items()}
    fast = {
        name: bare[name]
        for name, of in layers.items()
        if of["bare_share_of_peak"].median > BARE_SHARE
    }
    numpy_at, bare_at = min(numpy, key=numpy.get), min(fast, key=fast.get, default=None)
    return {
        "numpy_median": round(median(numpy.values()), 4),
        "numpy_least": numpy[numpy_at],
        "numpy_at": numpy_at,
        "bare_median": round(median(bare.values()), 4),
        "bare_least": fast.get(bare_at),
        "bare_at": bare_at,
    }


def _least(kernels, figure):
    """The least of a figure over the kernels; None where none has it."""
    found = [of[figure] for of in kernels.values() if of[figure] is not None]
    return min(found, default=None)


def _only(builds):
    """The figures of the one build that was timed."""
    (figures,) = builds.values()
    return figures
