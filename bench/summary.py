"""All that the other commands have found, as one page and its plots.

python -m bench.summary

Reads the JSON files in ``bench/results`` and writes ``README.md``, ``speed.png`` and
``numerical.png`` beside them. A file that is not there leaves its targets unmeasured.
"""

from pathlib import Path

from . import (
    abreast,
    kernels,
    many,
    memory,
    numerical,
    plot,
    records,
    tables,
    threads,
    tracing,
    training,
    verdicts,
)

FOLDER = Path(__file__).with_name("results")

_HEAD = """\
# How fast it is

Written by `make bench` from the JSON files beside this page, which have every figure.
Each time is a median of rounds in which all contenders ran in turn; ratios are medians
of the ratios within a round. Beside them are the quartiles.
"""

_PLOT = """\
![Time of one training step over the floor, against its multiply-adds](speed.png)
"""


def main():
    """Read, render, write."""
    found = {path.stem: records.read(path) for path in sorted(FOLDER.glob("*.json"))}
    if "step" not in found:
        raise SystemExit(f"nothing to tell of without {FOLDER.name}/step.json")
    (FOLDER / "README.md").write_text(document(found))
    plot.draw(found["step"]["results"], FOLDER / "speed.png")
    if "numerical" in found:
        results = found["numerical"]["results"]
        powers = numerical.exponents(results)
        plot.growth(results, powers, FOLDER / "numerical.png")
    print(verdicts.count(found))


def document(found):
    """The page, from records by the names of their files."""
    parts = [_HEAD, *_machine(found["step"]), _PLOT]
    parts += ["## Targets\n", verdicts.count(found) + "\n", verdicts.markdown(found)]
    parts += ["\n## Where a peer is faster\n", *_losses(found)]
    for name, title, table in _SECTIONS:
        if name in found:
            parts += [f"\n## {title}\n", _block(table(found[name]["results"]))]
            parts += _PICTURES.get(name, ())
    return "\n".join(parts) + "\n"


def _machine(record):
    """What the figures were taken on."""
    caches = ", ".join(f"{name} {size}" for name, size in record["caches"].items())
    peak = max(result["floor"]["gigaflops"] for result in record["results"])
    bpcore, packages = record["bpcore"], record["packages"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    yield f"- Processor: {record['processor']}, {caches}"
    yield f"- Peak of fused multiply-add, one core, float32: {peak:.0f} GFLOP/s"
    yield f"- System: {record['system']}, Python {record['python']}"
    yield f"- bpcore: {bpcore['isa']}, {bpcore['compiler']}"
    yield f"- NumPy's BLAS: {record['blas']}"
    yield f"- Versions: {versions}"
    yield f"- Date: {record['date']}\n"


def _losses(found):
    """What is lost to whom, for each command that has peers."""
    for name, title in _COMPARISONS.items():
        if name in found:
            yield _block(f"{title}: {tables.losses(found[name]['results'])}")


def _threads(results):
    """The tables of `bench.threads`."""
    steps = [result for result in results if "threads" in result]
    networks = [result for result in results if "networks" in result]
    fitted = [result for result in results if "fitted" in result]
    tables = threads.table(steps), abreast.table(networks), many.table(fitted)
    return "\n\n".join(tables)


def _block(text):
    return f"```text\n{text}\n```"


_COMPARISONS = {
    "step": "Training step, float32",
    "step_float64": "Training step, float64",
    "predict": "Prediction",
    "fann": "Training sample by sample",
}

_OVERVIEW = "microseconds, and times bpcore's"

#: Files, what they are about, and the tables of the commands that wrote them.
_SECTIONS = (
    *(
        (name, f"{title}: {_OVERVIEW}", tables.summary)
        for name, title in _COMPARISONS.items()
    ),
    ("step_x86_64_v3", f"Training step with AVX2: {_OVERVIEW}", tables.summary),
    ("training", "What training may be told besides", training.both_tables),
    ("tracing", "A traced step over one with stored gradients", tracing.table),
    ("numerical", "A gradient without backpropagation", numerical.table),
    ("threads", "Threads", _threads),
    ("memory", "Memory at its peak", memory.table),
    ("kernels", "Kernels, float32: share of the peak", kernels.shares),
    ("kernels_float64", "Kernels, float64: share of the peak", kernels.shares),
)

#: What stands below a table.
_PICTURES = {
    "numerical": ["\n![Time of one gradient against the weights](numerical.png)"],
}


if __name__ == "__main__":
    main()
