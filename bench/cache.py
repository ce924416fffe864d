"""Count the instructions and cache misses of each kernel, without timing anything.

python -m bench.cache 200x784x100 --D1 49152,12,64 --L2 1048576,16,64 --json cache.json

Valgrind simulates a first-level and a second-level cache (Cachegrind's model, which its
tool Callgrind can count in parts of a process), so the counts are the same on every
machine, whatever else it does, and a change of the kernels can be judged by them. They
are those of the second of two calls, per 1000 vector multiply-adds. It takes about two
minutes. What it does not see: latencies, prefetching, pages, and neighbours.

Valgrind does not know AVX-512: there, the kernels for AVX2 are counted.
"""

import argparse

import numpy as np

import bpcore

from . import callgrind, machine, operations, pinning, records, report
from .layer import Layer, layer_name

LAYERS = (
    "32x784x128",
    "200x784x100",
    "128x784x128",
    "256x256x256",
    "60x1024x1024",
    "33x785x129",
)

#: The caches of a Zen 3. The last level that is simulated stands for the second.
D1, L2 = "32768,8,64", "524288,8,64"

#: Larger layers take minutes.
MOST = 70_000_000

#: Bytes of a vector.
_VECTOR = {"x86_64_v3": 32, "x86_64_v2": 16, "arm64": 16}


def main():
    """Run the command line: count, print, write."""
    options = parser().parse_args()
    pinning.settle(isa=options.isa or _countable())
    isa = bpcore.config()["isa"]
    where = machine.describe()
    caches = {"D1": options.D1, "LL": options.L2}
    print(machine.headline(where))
    print(f"Simulated: D1 {options.D1}, L2 {options.L2} (bytes, ways, line)\n")
    try:
        results = count(options.layers, options.dtype, isa, caches)
    except callgrind.Unavailable as missing:
        raise SystemExit(f"Nothing can be counted here: {missing}") from None
    print(table(results))
    if options.json:
        settings = {"task": "cache", "simulated": caches}
        records.write(options.json, {**where, "settings": settings, "results": results})


def count(layers, dtype, isa, caches):
    """The counts of one call of every kernel at every layer.

    Parameters
    ----------
    layers : sequence of str
        As in ``"32x784x128"``.
    dtype, isa : str
    caches : dict of str to str
        As `callgrind.run` takes them.

    Returns
    -------
    list of dict
        Instructions, and misses in both levels, of the call and per 1000 vector
        multiply-adds; as JSON data.
    """
    cases = [
        (Layer.of(sizes, dtype), operation.__name__)
        for sizes in layers
        for operation in operations.ALL
    ]
    parts = callgrind.run("bench.cache_driver", [dtype, *layers], isa, caches)
    if len(parts) != 2 + 2 * len(cases):
        raise callgrind.Unavailable(f"{len(parts)} parts, for {len(cases)} kernels")
    _, mark, *pairs = parts
    lanes = max(_VECTOR.get(isa, 0) // np.dtype(dtype).itemsize, 1)
    return [
        {
            "layer": str(layer),
            "dtype": dtype,
            "operation": operation,
            "isa": isa,
            **figures(second, mark, layer.multiply_adds / lanes),
        }
        for (layer, operation), second in zip(cases, pairs[1::2], strict=True)
    ]


def figures(counted, mark, vector_multiply_adds):
    """The counts without those of a mark, and per 1000 vector multiply-adds."""
    of_call = {name: counted[name] - mark[name] for name in counted}
    found = {
        "instructions": of_call["Ir"],
        "d1_misses": of_call["D1mr"] + of_call["D1mw"],
        "l2_misses": of_call["DLmr"] + of_call["DLmw"],
    }
    return found | {
        f"{name}_per_1000": round(1000 * number / vector_multiply_adds, 1)
        for name, number in found.items()
    }


def table(results):
    """One line for each layer and kernel, per 1000 vector multiply-adds."""
    rows = [("layer", "kernel", "instruction set", "instructions", "D1", "L2")]
    for result in results:
        rows.append(
            (
                result["layer"],
                result["operation"],
                result["isa"],
                *(
                    report.number(result[f"{name}_per_1000"])
                    for name in ("instructions", "d1_misses", "l2_misses")
                ),
            )
        )
    head = "Per 1000 vector multiply-adds: instructions, and misses in D1 and L2."
    return f"{head}\n\n{report.table(rows)}"


def _countable():
    """The best instruction set here that Valgrind knows."""
    available = bpcore.config()["available"]
    return next(name for name in available if name not in callgrind.UNKNOWN_SETS)


def _set(text):
    """`text`, checked to be an instruction set that Valgrind knows."""
    if text in callgrind.UNKNOWN_SETS:
        raise argparse.ArgumentTypeError(
            f"Valgrind does not know {text}; {_countable()} can be counted"
        )
    return text


def _small(text):
    """`text`, checked to be a layer that is counted within a minute."""
    if Layer.of(layer_name(text), "float32").multiply_adds > MOST:
        raise argparse.ArgumentTypeError(
            f"{text} has more than {MOST:,} multiply-adds, which would take minutes"
        )
    return text


def parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.cache",
        description="Count instructions and cache misses of the kernels, by Valgrind.",
    )
    add = parser.add_argument
    add(
        "layers",
        nargs="*",
        metavar="LAYER",
        type=_small,
        default=LAYERS,
        help="as in 32x784x128",
    )
    add("--dtype", choices=("float32", "float64"), default="float32")
    add("--isa", type=_set, metavar="NAME", help="as in x86_64_v2; the best if none")
    for name, default in (("--D1", D1), ("--L2", L2)):
        add(name, metavar="BYTES,WAYS,LINE", default=default, help=default)
    add("--json", metavar="FILE", help="file for all figures and the machine")
    return parser


if __name__ == "__main__":
    main()
