"""The page of measurements and its picture, from the JSON files of ``bench/results``.

    python docs/make_performance.py

writes ``docs/performance.md`` and ``docs/_static/speed.svg``, which are not kept in the
repository: the build of the documentation runs this first.  No number is typed here;
each is read from a file that ``make bench`` wrote on the CPU it names.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from bench import report, tables  # noqa: E402

from performance_picture import picture  # noqa: E402
from performance_records import (  # noqa: E402
    TASKS,
    all_records,
    case,
    sentence,
    title_of,
)

#: The other libraries; those that come closest are first.
ORDER = ("onnxruntime", "jax", "by_hand", "torch", "sklearn", "fann", "reference")

PAGE = DOCS / "performance.md"
PICTURE = DOCS / "_static" / "speed.svg"

RESULTS = "https://github.com/bpcore/bpcore/tree/main/bench/results"

HEAD = """\
# Performance

Time of one call from Python, one core. Each case is timed in rounds, in which all
libraries run in random order in one process; numbers are medians over the rounds. Every
library's result is compared with the NumPy reference before it is timed.

- *us* is the time of bpcore in microseconds.
- */ floor* is that time divided by the least that the arithmetic or the memory traffic
  takes at the rates measured in the same process: 1 is the machine's limit. The rates
  are measured too, so that a case may be slightly below 1.
- The other columns are the time of each library divided by that of bpcore: above 1,
  bpcore is faster; **below 1, in bold, the other library is**.

A step is SGD with momentum. `784-128-10, 32` is a network with 784 inputs, 128 hidden
units and 10 outputs, and 32 rows. "NumPy by hand" is NumPy in place, with buffers used
again; "NumPy reference" is `bpcore.reference`. The machines are virtual and shared with
others, who cannot be seen: ratios within a round are sound, single times are not.
"""

PICTURE_TEXT = """\
```{raw} html
:file: _static/speed.svg
```

The fastest of the other libraries in each case, with a mark for each CPU. Left of the
line at 1 it is faster than bpcore, and its mark is hollow; right of it bpcore is.
"""

LOST = """\
## Where another library is faster

Every case below 1 in the tables of this page:
"""


def main():
    """Write both."""
    cpus = all_records()
    PAGE.write_text(page(cpus), encoding="utf-8")
    PICTURE.write_text(picture(cpus), encoding="utf-8")


def page(cpus):
    """The page in Markdown, from the records of all CPUs."""
    parts = [HEAD, PICTURE_TEXT, LOST, lost(cpus)]
    for folder, files in cpus.items():
        parts += [f"\n## {title_of(folder, files)}\n", machine(files["step"])]
        for name, task in TASKS.items():
            if name in files:
                parts += [f"\n### {sentence(task)}\n", comparison(files[name])]
        if "threads" in files:
            parts += ["\n### Threads\n", threads(files["threads"])]
        if "drop_ins" in files:
            parts += ["\n### scikit-learn's networks and the drop-ins\n"]
            parts += [drop_ins(files["drop_ins"])]
        link = f"[the results of this CPU]({RESULTS}/{folder})"
        parts += [f"\nAll figures with their spread: {link}.\n"]
    return "\n".join(parts)


def lost(cpus):
    """A table of the cases in which another library is faster."""
    rows = [("network, rows", "library", "time / bpcore", "quartiles", "task", "CPU")]
    for folder, files in cpus.items():
        for name, task in TASKS.items():
            results = files[name]["results"] if name in files else ()
            for result, peer in tables.faster(results):
                ratio = peer["over_bpcore"]
                rows.append(
                    (
                        case(result),
                        peer["title"],
                        report.number(ratio.median),
                        report.quartiles(ratio),
                        task,
                        title_of(folder, files),
                    )
                )
    texts = {"library", "task", "CPU"}
    return table(rows, texts) if len(rows) > 1 else "There is none."


def machine(record):
    """A sentence about the machine, and the versions."""
    versions = ", ".join(f"{name} {v}" for name, v in record["packages"].items())
    date = record["date"].partition("T")[0]
    return (
        f"Measured on {date}. Kernels: {record['bpcore']['isa']}. Python "
        f"{record['python']}, {versions}; BLAS of NumPy: {record['blas']}."
    )


def comparison(record):
    """The table of one task on one CPU."""
    found = {
        name: peer["title"]
        for result in record["results"]
        for name, peer in result["peers"].items()
        if name != "bpcore"
    }
    first = [name for name in ORDER if name in found]
    titles = {name: found[name] for name in dict.fromkeys([*first, *found])}
    rows = [("network, rows", "us", "/ floor", *titles.values())]
    for result in record["results"]:
        own = result["peers"]["bpcore"]
        rows.append(
            (
                case(result),
                report.number(own["seconds"].median * 1e6),
                report.number(own["over_floor"].median),
                *(_ratio(result["peers"].get(name)) for name in titles),
            )
        )
    return table(rows)


def threads(record):
    """Speed of a step with more threads, over that of one thread."""
    results = [result for result in record["results"] if "threads" in result]
    counts = list(results[0]["threads"])
    rows = [("network, rows", *map(_thread_count, counts))]
    for result in results:
        speedups = (result["threads"][n]["speedup"].median for n in counts)
        rows.append((case(result), *map(report.number, speedups)))
    return "Speed of a training step over that of one thread:\n\n" + table(rows)


def drop_ins(record):
    """scikit-learn and the drop-ins, which reach the same weights."""
    rows = [("the same weights", "dtype", "scikit-learn, ms", "bpcore, ms", "ratio")]
    for result in record["results"]:
        times = (spread.median * 1e3 for spread in result["seconds"].values())
        numbers = (*times, result["over_bpcore"].median)
        rows.append((result["case"], result["dtype"], *map(report.number, numbers)))
    return table(rows, {"dtype"})


def table(rows, texts=()):
    """A table that scrolls where it is too wide.

    The first column and those with a head in ``texts`` are left-aligned, all others,
    of numbers, right-aligned.
    """
    head, _, *body = report.markdown(rows).splitlines()
    left = [k == 0 or name in texts for k, name in enumerate(rows[0])]
    line = "".join("|:---" if one else "|---:" for one in left) + "|"
    lines = "\n".join([head, line, *body])
    return f":::{{container}} numbers\n\n{lines}\n\n:::"


def _ratio(peer):
    if peer is None:
        return "-"
    ratio = peer["over_bpcore"].median
    number = report.number(ratio)
    return f"**{number}**" if ratio < 1 else number


def _thread_count(count):
    return {"1": "1 thread", "auto": "auto"}.get(count, f"{count} threads")


if __name__ == "__main__":
    main()
