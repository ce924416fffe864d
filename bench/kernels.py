"""Time each kernel, on every instruction set of this CPU, and NumPy.

python -m bench.kernels 32x784x128 128x1024x1024 --json kernels.json

The products of a layer n x n_in x n_out are forward pass, propagation and update, each
one call on plain arrays. NumPy uses the best kernels that its BLAS has for this CPU,
for every instruction set of bpcore. ``--blas-core Haswell`` limits OpenBLAS to AVX2,
as on a CPU without AVX-512.
"""

import argparse
import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import bpcore
from bpcore.engine import dispatch

from . import machine, numpy_kernels, operations, pinning, records, report
from .front_end import FrontEnd
from .layer import Layer
from .timing import Spread, Within, interleave
from .verify import RESULT, largest_error
from .yardsticks import Peak

#: The first has a target; then other batch sizes and widths, one with tails in every
#: dimension, one with a row stride of 4096 bytes, so that rows share cache sets, one
#: without that, and one larger than the second-level cache.
LAYERS = (
    "32x784x128",
    "1x784x128",
    "128x784x128",
    "32x64x64",
    "32x128x10",
    "33x785x129",
    "1x1024x1024",
    "128x1024x1024",
    "128x1024x1040",
    "256x2048x2048",
)


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle(blas_core=options.blas_core)
    builds = {
        name: partial(dispatch.using, name) for name in options.isa or _vector_sets()
    }
    where = machine.describe()
    print(machine.headline(where) + "\n")
    layers = [Layer.of(sizes, options.dtype) for sizes in options.layers]
    results = [
        measure(operation, layer, builds, options.seconds)
        for layer in layers
        for operation in operations.ALL
    ]
    print(table(results))
    print(report.disturbance(results))
    if options.json:
        settings = {"task": "kernels", "seconds": options.seconds}
        records.write(options.json, {**where, "settings": settings, "results": results})


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
    calls = {}
    print(f"timing {operation.__name__} {layer}", file=sys.stderr)
    for name, context in {"NumPy": nullcontext, **builds}.items():
        kernels = numpy_kernels if name == "NumPy" else bpcore.kernels
        with context():
            call, error = _verified(operation, kernels, layer)
        if not error <= RESULT[layer.dtype]:
            raise SystemExit(
                f"{operation.__name__} {layer} {layer.dtype}, {name}: "
                f"{error:.1e} from the reference; nothing is timed"
            )
        calls[name] = Within(context, call)
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
    samples, robbed = interleave(calls | yardsticks, seconds)

    def figures(name):
        peak = peaks[name].rate(samples[f"peak of {name}"])
        return {
            "seconds": Spread.of(samples[name]),
            "share_of_peak": Spread.of(layer.multiply_adds / samples[name] / peak),
            "numpy_over_it": Spread.of(samples["NumPy"] / samples[name]),
        }

    return {
        "layer": str(layer),
        "dtype": layer.dtype,
        "robbed": robbed,
        "front_end": front_end.describe(
            samples, peaks[first].rate(samples[f"peak of {first}"])
        ),
        "operation": operation.__name__,
        "numpy_seconds": Spread.of(samples["NumPy"]),
        "isa": {name: figures(name) for name in builds},
    }


def table(results):
    """One line for each layer, operation and instruction set."""
    head = ("layer", "kernel", "instructions", "us", "quartiles", "of its peak")
    rows = [(*head, "NumPy us", "NumPy over it", "quartiles")]
    for result in results:
        numpy_time, _ = report.microseconds(result["numpy_seconds"])
        for name, figures in result["isa"].items():
            rows.append(
                (
                    result["layer"],
                    result["operation"],
                    name,
                    *report.microseconds(figures["seconds"]),
                    f"{figures['share_of_peak'].median:.0%}",
                    numpy_time,
                    *report.ratio(figures["numpy_over_it"]),
                )
            )
    return report.table(rows)


def shares(results):
    """One line per layer, one column per kernel: fractions of the peak, per build."""
    found = {(result["layer"], result["operation"]): result for result in results}
    columns = [operation.__name__ for operation in operations.ALL]
    rows = [("layer", *columns)]
    for layer in dict.fromkeys(layer for layer, _ in found):
        rows.append((layer, *(_shares(found[layer, name]) for name in columns)))
    return f"{' / '.join(results[0]['isa'])}\n\n{report.table(rows)}"


def _shares(result):
    shares = (figures["share_of_peak"] for figures in result["isa"].values())
    return " / ".join(f"{share.median:.0%}" for share in shares)


def _verified(operation, kernels, layer):
    """The call to be timed, and the error of its first run."""
    oracle, expected = operation(numpy_kernels, replace(layer, dtype="float64"))
    oracle()
    call, results = operation(kernels, layer)
    call()
    return call, largest_error(results, expected)


def _layer(text):
    """`text`, checked to be the sizes of a layer."""
    if not re.fullmatch(r"[1-9]\d*(x[1-9]\d*){2}", text):
        raise argparse.ArgumentTypeError(f"write as in 32x784x128; got {text}")
    return text


def _vector_sets():
    """The instruction sets available here, except scalar, which is not for speed."""
    return [name for name in bpcore.config()["available"] if name != "scalar"]


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.kernels",
        description="Time the kernels on every instruction set of this CPU.",
    )
    add = parser.add_argument
    add(
        "layers",
        nargs="*",
        metavar="LAYER",
        type=_layer,
        default=LAYERS,
        help="as in 32x784x128",
    )
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--isa", nargs="+", metavar="NAME", help="all but scalar if not given")
    add("--blas-core", metavar="NAME", help="kernels for OpenBLAS, as in Haswell")
    add("--seconds", type=float, default=1.0, help="per layer and kernel, about")
    add("--json", metavar="FILE", help="file for all figures and the machine")
    return parser


if __name__ == "__main__":
    main()
