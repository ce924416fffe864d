"""The picture of speed: the fastest of the other libraries, case by case, as SVG."""

import math

from performance_records import TASKS, case, sentence, title_of

WIDTH, LEFT, RIGHT, ROW = 500, 162, 382, 19
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
    parts.append(_text(RIGHT + 8, y + 30, "fastest other library", size=10))
    for name in ("step", "predict"):
        y += 30
        parts.append(_text(0, y, sentence(TASKS[name]), weight="bold"))
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
    short = {"NumPy by hand": "NumPy", "onnxruntime": "ONNX Runtime", "JAX jit": "JAX"}
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
