"""Figures as aligned tables for people, and as JSON for plots and for later."""

import json
from dataclasses import asdict
from pathlib import Path


def table(rows):
    """Rows of strings as aligned lines: names to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def number(value):
    """Three significant digits, never an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 1:
        return f"{value:.2f}"
    return f"{value:.3f}"


def microseconds(spread):
    """A median time, and its quartiles."""
    return number(spread.median * 1e6), quartiles(spread, 1e6)


def ratio(spread):
    """A median ratio, and its quartiles."""
    return f"{number(spread.median)}x", quartiles(spread)


def quartiles(spread, unit=1):
    """The lower and the upper quartile of a spread."""
    return f"{number(spread.lower * unit)} .. {number(spread.upper * unit)}"


def disturbance(results):
    """How much of all this was measured while something else used the core."""
    worst = max(result["robbed"] for result in results)
    return f"Blocks during which something else ran on the core: up to {worst:.0%}."


def write(path, record):
    """`record` as JSON; a spread becomes an object of its fields."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, default=asdict, indent=1) + "\n")
    print(f"\nwritten to {path}")
