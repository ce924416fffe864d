"""Time each kernel, on every instruction set of this CPU, and NumPy.

python -m bench.kernels 32x784x128 128x1024x1024 --json kernels.json

The products of a layer n x n_in x n_out are forward pass, propagation and update, each
one call on plain arrays. NumPy uses the best kernels that its BLAS has for this CPU,
for every instruction set of bpcore. ``--blas-core Haswell`` limits OpenBLAS to AVX2,
as on a CPU without AVX-512.
"""

import argparse
from functools import partial

import bpcore
from bpcore.engine import dispatch

from . import machine, operations, pinning, records, report
from .layer import Layer, layer_name
from .products import measure

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
        type=layer_name,
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
