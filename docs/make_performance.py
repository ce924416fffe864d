"""The page of measurements and its picture, from the JSON files of ``bench/results``.

    python docs/make_performance.py

writes ``docs/performance.md`` and ``docs/_static/speed.svg``, which are not kept in the
repository: the build of the documentation runs this first.  No number is typed here;
each is read from a file that ``make bench`` wrote on the CPU it names.
"""

import math
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from bench import cpu, records, report, tables  # noqa: E402

PAGE = DOCS / "performance.md"
PICTURE = DOCS / "_static" / "speed.svg"

RESULTS = "https://github.com/bpcore/bpcore/tree/main/bench/results"

#: Files of a CPU that compare libraries: what was timed, as the page calls it.
TASKS = {
    "step": "training step, float32",
    "step_float64": "training step, float64",
    "predict": "prediction, float32",
    "fann": "training sample by sample, float32",
}

HEAD = """\
# Performance

Time of one call from Python, one core. Each case is timed in rounds, in which all
libraries run in random order in one process; numbers are medians over the rounds. Every
library's result is compared with the NumPy reference before it is timed.

- *us* is the time of bpcore in microseconds.
- */ floor* is that time divided by the least that the arithmetic or the memory traffic
  takes at the rates measured in the same process: 1 is the machine's limit.
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


def all_records():
    """The records of every CPU: {name of its folder: {name of the file: record}}."""
    folders = sorted(path.parent for path in cpu.RESULTS.glob("*/step.json"))
    return {
        folder.name: {
            path.stem: records.read(path) for path in sorted(folder.glob("*.json"))
        }
        for folder in folders
    }


def title_of(folder, files):
    """The CPU of a folder, as "AMD EPYC (Zen 3, AVX2)"."""
    name = cpu.title(folder, files["step"]["processor"])
    return name.replace("(R)", "").replace(" Processor", "")


def page(cpus):
    """The page in Markdown, from the records of all CPUs."""
    parts = [HEAD, PICTURE_TEXT, LOST, lost(cpus)]
    for folder, files in cpus.items():
        parts += [f"\n## {title_of(folder, files)}\n", machine(files["step"])]
        for name, task in TASKS.items():
            if name in files:
                parts += [f"\n### {_sentence(task)}\n", comparison(files[name])]
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
    return table(rows) if len(rows) > 1 else "There is none."


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
    titles = {
        name: peer["title"]
        for result in record["results"]
        for name, peer in result["peers"].items()
        if name != "bpcore"
    }
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
    return table(rows)


def table(rows):
    """A table of numbers, which scrolls where it is too wide."""
    return f":::{{container}} numbers\n\n{report.markdown(rows)}\n\n:::"


def case(result):
    """A network and its rows, as "784-128-10, 32"."""
    return f"{result['net']}, {result['batch']}"


def _ratio(peer):
    if peer is None:
        return "-"
    ratio = peer["over_bpcore"].median
    number = report.number(ratio)
    return f"**{number}**" if ratio < 1 else number


def _thread_count(count):
    return {"1": "1 thread", "auto": "auto"}.get(count, f"{count} threads")


def _sentence(text):
    return text[0].upper() + text[1:]


# The picture.

WIDTH, LEFT, RIGHT, ROW = 470, 162, 382, 19
LEAST, MOST = 0.85, 60.0  # of the axis
#: A mark for each CPU, drawn around the origin.
MARKS = (
    '<circle r="4"/>',
    '<path d="M0-5 5 0 0 5-5 0z"/>',
    '<path d="M-3.7-3.7h7.4v7.4h-7.4z"/>',
    '<path d="M0-5 5 4h-10z"/>',
)


def picture(cpus):
    """The picture as SVG: the fastest of the other libraries, case by case."""
    marks = dict(zip(cpus, MARKS, strict=False))
    parts, y = [], 20
    for folder, files in cpus.items():
        title = title_of(folder, files)
        parts.append(_mark(marks[folder], 8, y - 4) + _text(20, y, title))
        y += 17
    top = y + 16
    for name in ("step", "predict"):
        y += 30
        parts.append(_text(0, y, _sentence(TASKS[name]), weight="bold"))
        for label, found in fastest(cpus, name).items():
            y += ROW
            parts.append(_text(0, y, label))
            parts.append(_line(LEFT, y - 4, RIGHT, y - 4, opacity=0.15))
            for folder, (ratio, _) in found.items():
                parts.append(_mark(marks[folder], _x(ratio), y - 4, ratio < 1))
            names = sorted({peer for _, peer in found.values()})
            parts.append(_text(RIGHT + 8, y, _short(names), size=10))
    bottom = y + 8
    ticks = (1, 2, 5, 10, 20, 50)
    for tick in ticks:
        x = _x(tick)
        opacity = 0.9 if tick == 1 else 0.15
        parts.append(_line(x, top, x, bottom, opacity=opacity))
        parts.append(_text(x, bottom + 14, str(tick), anchor="middle"))
    axis = "time of the fastest other library / time of bpcore"
    parts.append(_text((LEFT + RIGHT) / 2, bottom + 32, axis, anchor="middle"))
    height = bottom + 42
    label = "Time of the fastest other library over the time of bpcore, case by case"
    return (
        f'<svg class="speed" xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-label="{label}" viewBox="0 0 {WIDTH} {height}" font-size="11.5" '
        f'font-family="inherit" fill="currentColor">\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def fastest(cpus, name):
    """Case by case, for each CPU the least ratio and its library."""
    found = {}
    for folder, files in cpus.items():
        for result in files[name]["results"] if name in files else ():
            ratios = {
                peer["title"]: peer["over_bpcore"].median
                for key, peer in result["peers"].items()
                if key != "bpcore"
            }
            best = min(ratios, key=ratios.get)
            found.setdefault(case(result), {})[folder] = ratios[best], best
    return found


def _x(ratio):
    share = math.log(ratio / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + share * (RIGHT - LEFT), 1)


def _short(names):
    short = {"NumPy by hand": "NumPy", "onnxruntime": "ONNX Rt."}
    return ", ".join(short.get(name, name) for name in names)


def _text(x, y, text, anchor="start", weight="normal", size=None):
    more = f' font-size="{size}"' if size else ""
    more += ' font-weight="bold"' if weight == "bold" else ""
    more += f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x}" y="{y}"{more}>{text}</text>'


def _line(x1, y1, x2, y2, opacity):
    return (
        f'<path d="M{x1} {y1}L{x2} {y2}" stroke="currentColor" '
        f'stroke-opacity="{opacity}"/>'
    )


def _mark(mark, x, y, hollow=False):
    look = 'fill="none" stroke="currentColor"' if hollow else 'fill-opacity="0.7"'
    return f'<g transform="translate({x} {y})" {look}>{mark}</g>'


if __name__ == "__main__":
    main()
