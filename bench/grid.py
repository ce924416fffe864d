"""Time the kernels at sixty layers, and NumPy with and without the same epilogue.

python -m bench.grid --dtype float64 --json grid_float64.json

For every layer and kernel: the ratio of NumPy's time to bpcore's, and that of the time
of OpenBLAS's bare product, which neither adds a bias nor applies an activation nor
updates weights. The layers are in classes, such as "wide layers"; of each class its
median and its worst layer are printed, and the targets. It runs one instruction set on
one thread, for four minutes.
"""

import argparse
from functools import partial

import bpcore
from bpcore.engine import dispatch

from . import machine, operations, pinning, records, report, verdicts
from .command import add_settings
from .grid_classes import summaries
from .grid_shapes import CLASSES
from .layer import Layer
from .products import measure


def main():
    """Run the command line: measure, print, write."""
    options = _parser().parse_args()
    pinning.settle(isa=options.isa, blas_core=options.blas_core)
    isa = bpcore.config()["isa"]
    builds = {isa: partial(dispatch.using, isa)}
    where = machine.describe()
    print(machine.headline(where) + "\n")
    timed = []
    for name in options.classes:
        found = [
            {"class": name, **measure(operation, layer, builds, options.seconds)}
            for layer in (Layer.of(sizes, options.dtype) for sizes in CLASSES[name])
            for operation in operations.ALL
        ]
        print(f"{name}\n{details(found)}\n", flush=True)
        timed += found
    results = timed + summaries(timed)
    print(f"{table(results)}\n")
    print(report.disturbance(timed))
    task = "grid" if options.dtype == "float32" else "grid_float64"
    settings = {"task": task, "seconds": options.seconds}
    record = {**where, "settings": settings, "results": results}
    print(f"\n{verdicts.table(task, record)}")
    if options.json:
        records.write(options.json, record)


def details(results):
    """One line for each layer and kernel of the timed ones."""
    head = ("layer", "kernel", "us", "of peak", "NumPy over it", "quartiles")
    rows = [(*head, "bare over it", "quartiles", "bare of peak")]
    for result in results:
        (figures,) = result["isa"].values()
        time, _ = report.microseconds(figures["seconds"])
        rows.append(
            (
                result["layer"],
                result["operation"],
                time,
                f"{figures['share_of_peak'].median:.0%}",
                *report.ratio(figures["numpy_over_it"]),
                *report.ratio(figures["bare_over_it"]),
                f"{figures['bare_share_of_peak'].median:.0%}",
            )
        )
    return report.table(rows)


def table(results):
    """One line for each class and kernel, from their summaries."""
    head = ("class", "kernel", "NumPy over it, median", "least", "at")
    rows = [(*head, "bare over it, median", "least where it is fast", "at")]
    for result in results:
        for name, figures in result.get("operations", {}).items():
            rows.append(
                (
                    result["of_class"],
                    name,
                    *_cells(figures, "numpy"),
                    *_cells(figures, "bare"),
                )
            )
    return report.table(rows)


def _cells(figures, rival):
    """Median, least and where that is; dashes where nothing counted."""
    least = figures[f"{rival}_least"]
    return (
        f"{report.number(figures[f'{rival}_median'])}x",
        "-" if least is None else f"{report.number(least)}x",
        figures[f"{rival}_at"] or "-",
    )


def _class(text):
    """`text`, checked to be the name of a class."""
    if text not in CLASSES:
        raise argparse.ArgumentTypeError(f"no class {text}: {', '.join(CLASSES)}")
    return text


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.grid",
        description="Time the kernels at sixty layers, and NumPy.",
    )
    add = parser.add_argument
    add(
        "classes",
        nargs="*",
        metavar="CLASS",
        type=_class,
        default=list(CLASSES),
        help=f"some of {', '.join(CLASSES)}",
    )
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--isa", metavar="NAME", help="instruction set for bpcore, as in x86_64_v3")
    add("--blas-core", metavar="NAME", help="kernels for OpenBLAS, as in Haswell")
    add_settings(add, 0.7)
    return parser


if __name__ == "__main__":
    main()
