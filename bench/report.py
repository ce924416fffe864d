"""Figures as text: rounded numbers, aligned tables, Markdown."""

from statistics import median


def table(rows):
    """Rows of strings as aligned lines: names left-aligned, figures right-aligned."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def markdown(rows):
    """The same as a table in Markdown; the first row is its head."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def number(value):
    """Three significant digits, never an exponent."""
    size = abs(value)
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    if size >= 1:
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
    """How much others used the core: visible processes, and invisible neighbours."""
    worst = max(result["robbed"] for result in results)
    waited = f"Timings disturbed by other processes at every try: at most {worst:.1%}."
    return "\n".join([waited, *front_end(results)])


def front_end(results):
    """A line with the probe of the front end; none where it was not taken.

    Of several results: the medians of their medians and quartiles.
    """
    probes = [result["front_end"] for result in results if "front_end" in result]
    parts = []
    for figure, unit in _PROBES.items():
        spreads = [probe[figure] for probe in probes if probe[figure] is not None]
        if spreads:
            middle = number(median(spread.median for spread in spreads))
            low = number(median(spread.lower for spread in spreads))
            high = number(median(spread.upper for spread in spreads))
            parts.append(f"{middle} {unit} ({low} .. {high})")
    return [f"Front end: {', '.join(parts)}."] if parts else []


_PROBES = {
    "nops_per_tick": "nops per tick",
    "nops_per_nanosecond": "per ns",
    "hot_tile": "of the peak in a hot tile",
}
