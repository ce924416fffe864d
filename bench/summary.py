"""The results of all commands, as one page per CPU and its plots, and an overview.

python -m bench.summary [FOLDER ...]

Reads the JSON files of the folders, that of the CPU at hand if none is given, and
writes ``README.md``, ``speed.png`` and ``numerical.png`` into each. Targets of missing
files are shown as not measured. Then the index ``bench/results/README.md`` and the
tables in README are written from the folders of all CPUs.
"""

import argparse
from pathlib import Path

from . import (
    abreast,
    cache,
    cpu,
    drop_ins,
    files,
    grid,
    kernels,
    many,
    memory,
    numerical,
    overview,
    plot,
    records,
    report,
    sparse,
    tables,
    threads,
    tracing,
    training,
    verdicts,
)

README = Path(__file__).parents[1] / "README.md"

_HEAD = """\
# Benchmark results

Written by `make bench` from the JSON files in this folder, which have all figures. Each
time is a median over rounds in which all contenders ran in random order; ratios are
medians of the ratios within a round. Both are given with their quartiles.
"""

_PLOT = """\
![Time of one training step over the floor, against its multiply-adds](speed.png)
"""


def main():
    """Read, render, write."""
    for folder in _parser().parse_args().folders or _own():
        write(folder)
    cpus = all_records()
    (cpu.RESULTS / "README.md").write_text(overview.index(cpus))
    README.write_text(overview.readme(README.read_text(), cpus))


def write(folder):
    """The page and the plots of one CPU's folder."""
    found = read(folder)
    if "step" not in found:
        raise SystemExit(f"the summary needs {folder}/step.json, which is missing")
    (folder / "README.md").write_text(document(found))
    plot.draw(found["step"]["results"], folder / "speed.png")
    if "numerical" in found:
        results = found["numerical"]["results"]
        powers = numerical.exponents(results)
        plot.growth(results, powers, folder / "numerical.png")
    print(f"{folder.name}: {verdicts.count(found)}")


def read(folder):
    """The records of one CPU, by file name."""
    return {path.stem: records.read(path) for path in sorted(folder.glob("*.json"))}


def all_records():
    """The records of every CPU whose steps were measured, by name of the folder."""
    steps = sorted(cpu.RESULTS.glob("*/step.json"))
    return {path.parent.name: read(path.parent) for path in steps}


def document(found):
    """The page, from the records by file name."""
    parts = [_HEAD, *_machine(found["step"]), _PLOT]
    parts += ["## Targets\n", verdicts.count(found) + "\n", verdicts.markdown(found)]
    parts += ["\n## Where a peer is faster\n", *_losses(found)]
    for name, title, table in _SECTIONS:
        if name in found:
            parts += [f"\n## {title}\n", _block(table(found[name]["results"]))]
            parts += _PICTURES.get(name, ())
    return "\n".join(parts) + "\n"


def _machine(record):
    """The machine and versions of the measurement."""
    caches = ", ".join(f"{name} {size}" for name, size in record["caches"].items())
    peak = max(result["floor"]["gigaflops"] for result in record["results"])
    bpcore, packages = record["bpcore"], record["packages"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    yield f"- Processor: {record['processor']}, {caches}"
    yield f"- Peak of fused multiply-add, one core, float32: {peak:.0f} GFLOP/s"
    yield from (f"- {line}" for line in report.front_end(record["results"]))
    yield f"- System: {record['system']}, Python {record['python']}"
    yield f"- bpcore: {bpcore['isa']}, {bpcore['compiler']}"
    yield f"- NumPy's BLAS: {record['blas']}"
    yield f"- Versions: {versions}"
    yield f"- Date: {record['date']}\n"


def _losses(found):
    """The cases in which a peer is faster, for each command that has peers."""
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


def _own():
    """The folder of the CPU at hand, if its steps were measured."""
    folder = cpu.folder()
    if (folder / "step.json").exists():
        return [folder]
    print(f"{folder.name} has no results yet: only the overview is written")
    return []


def _block(text):
    return f"```text\n{text}\n```"


_COMPARISONS = {
    "step": "Training step, float32",
    "step_float64": "Training step, float64",
    "predict": "Prediction",
    "fann": "Training sample by sample",
}

_OVERVIEW = "microseconds, and ratio to bpcore"

#: Files, headings, and the tables of the commands that wrote them.
_SECTIONS = (
    *(
        (name, f"{title}: {_OVERVIEW}", tables.summary)
        for name, title in _COMPARISONS.items()
    ),
    ("step_x86_64_v3", f"Training step with AVX2: {_OVERVIEW}", tables.summary),
    ("training", "Training with other settings", training.both_tables),
    ("sparse", "Rows that are mostly zeros", sparse.table),
    ("tracing", "A traced step over one with stored gradients", tracing.table),
    ("numerical", "A gradient without backpropagation", numerical.table),
    ("threads", "Threads", _threads),
    ("drop_ins", "scikit-learn and its drop-ins: the same weights", drop_ins.table),
    ("memory", "Peak memory", memory.table),
    ("files", "Saving and loading ten million parameters", files.table),
    ("kernels", "Kernels, float32: fraction of the peak", kernels.shares),
    ("kernels_float64", "Kernels, float64: fraction of the peak", kernels.shares),
    ("grid", "Kernels at sixty layers, float32", grid.table),
    ("grid_float64", "Kernels at sixty layers, float64", grid.table),
    ("cache", "Kernels: instructions and cache misses, simulated", cache.table),
)

#: Lines after a table.
_PICTURES = {
    "numerical": ["\n![Time of one gradient against the weights](numerical.png)"],
}


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m bench.summary", description="Write the pages of results."
    )
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    return parser


if __name__ == "__main__":
    main()
