"""Targets, the figures reached with their quartiles, and whether they are met."""

from . import report
from .targets import TARGETS, of
from .timing import Spread

_HEAD = ("what", "net", "batch", "wanted", "reached", "quartiles", "met")


def table(name, record):
    """The targets of one record that it measured, as text."""
    rows = [row(target, record) for target in of(name) if found(target, record)]
    return report.table([_HEAD, *rows]) if rows else "There are no targets for these."


def markdown(records):
    """All targets of all records, by name, as a table in Markdown."""
    rows = [row(target, records.get(target.record)) for target in TARGETS]
    return report.markdown([_HEAD, *rows])


def count(records):
    """The number of targets met, and of targets, as text."""
    measured = [
        target for target in TARGETS if found(target, records.get(target.record))
    ]
    met = sum(is_met(target, records[target.record]) for target in measured)
    left = len(TARGETS) - len(measured)
    rest = f"; {left} were not measured" if left else ""
    return f"{met} of {len(measured)} targets are met{rest}."


def row(target, record):
    """The cells of one target."""
    net, batch = (str(target.at.get(name, "")) for name in ("net", "batch"))
    side, limit = (
        ("at least", target.least) if target.most is None else ("at most", target.most)
    )
    wanted = f"{side} {_written(target, limit)}"
    figure = found(target, record)
    if figure is None:
        return (target.title, net, batch, wanted, "not measured", "", "")
    middle, spread = figure, ""
    if isinstance(figure, Spread):
        middle = figure.median
        unit, _ = _unit(target)
        spread = report.quartiles(figure, unit)
    met = "yes" if is_met(target, record) else "**no**"
    return (target.title, net, batch, wanted, _written(target, middle), spread, met)


def is_met(target, record):
    """Whether the figure is on the right side of its limit."""
    figure = found(target, record)
    if figure is None:
        return False
    if isinstance(figure, Spread) and target.tie:
        # If two are equal, each is slower in half of all rounds.
        return figure.upper >= target.least and figure.median >= 0.97 * target.least
    if isinstance(figure, Spread):
        figure = figure.median
    return figure >= target.least if target.most is None else figure <= target.most


def found(target, record):
    """The figure, a `Spread` or a number; None where it was not measured."""
    for result in record["results"] if record else ():
        if all(result.get(name) == value for name, value in target.at.items()):
            figure = result
            for part in target.figure.split("."):
                figure = figure.get(part) if figure is not None else None
            if figure is not None:
                return figure
    return None


def _written(target, value):
    unit, symbol = _unit(target)
    return f"{report.number(value * unit)}{symbol}"


def _unit(target):
    """The factor of a figure, and the symbol of its unit."""
    if target.figure.endswith("seconds"):
        return 1e6, " us"
    if target.figure.endswith("beyond"):
        return 1e-6, " MB"
    return 1, "x"
