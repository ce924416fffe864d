"""The products of one layer by every build and by NumPy: verified, then timed."""

import sys
from contextlib import nullcontext
from dataclasses import replace

import bpcore

from . import bare_products, numpy_kernels
from .front_end import FrontEnd
from .timing import Spread, Within, interleave
from .verify import RESULT, largest_error
from .yardsticks import Peak


def measure(operation, layer, builds, seconds):
    """Verify one operation on one layer in every build and in NumPy, then time it.

    Parameters
    ----------
    operation : callable
        One of `operations.ALL`.
    layer : Layer
    builds : dict of str to callable
        Contexts in which the kernels of an instruction set are in use.
    seconds : float
        About how long to time.

    Returns
    -------
    dict
        The figures, as JSON data except for the spreads.
    """
    print(f"timing {operation.__name__} {layer}", file=sys.stderr)
    calls = _verified(operation, layer, builds)
    bare, _ = operation(bare_products, layer)
    peaks = {}
    for name, context in builds.items():
        with context():
            peaks[name] = Peak(bpcore.kernels, layer.dtype)
    yardsticks = {
        f"peak of {name}": Within(builds[name], peak.run)
        for name, peak in peaks.items()
    }
    first, context = next(iter(builds.items()))
    with context():
        front_end = FrontEnd(layer.dtype)
    yardsticks |= {
        name: Within(context, action) for name, action in front_end.actions.items()
    }
    samples, robbed = interleave(calls | {"bare": bare} | yardsticks, seconds)
    rates = {
        name: peak.rate(samples[f"peak of {name}"]) for name, peak in peaks.items()
    }

    def share_of_peak(name, build):
        return Spread.of(layer.multiply_adds / samples[name] / rates[build])

    return {
        "layer": str(layer),
        "dtype": layer.dtype,
        "robbed": robbed,
        "front_end": front_end.describe(samples, rates[first]),
        "operation": operation.__name__,
        "numpy_seconds": Spread.of(samples["NumPy"]),
        "bare_seconds": Spread.of(samples["bare"]),
        "isa": {
            name: {
                "seconds": Spread.of(samples[name]),
                "share_of_peak": share_of_peak(name, name),
                "numpy_over_it": Spread.of(samples["NumPy"] / samples[name]),
                "bare_over_it": Spread.of(samples["bare"] / samples[name]),
                "bare_share_of_peak": share_of_peak("bare", name),
            }
            for name in builds
        },
    }


def _verified(operation, layer, builds):
    """The calls of NumPy and of every build; ends the command if one is wrong."""
    oracle, expected = operation(numpy_kernels, replace(layer, dtype="float64"))
    oracle()
    calls = {}
    for name, context in {"NumPy": nullcontext, **builds}.items():
        kernels = numpy_kernels if name == "NumPy" else bpcore.kernels
        with context():
            call, results = operation(kernels, layer)
            call()
        error = largest_error(results, expected)
        if not error <= RESULT[layer.dtype]:
            raise SystemExit(
                f"{operation.__name__} {layer} {layer.dtype}, {name}: "
                f"{error:.1e} from the reference; nothing is timed"
            )
        calls[name] = Within(context, call)
    return calls
