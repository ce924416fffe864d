"""Figures in files, as JSON: for later, for plots, and to see what a change changed."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from .timing import Spread

_SPREAD = {field.name for field in fields(Spread)}


def write(path, record):
    """Write a record, a line for each of its results; a spread becomes an object.

    Parameters
    ----------
    path : str or Path
    record : dict
        The machine, the settings, and a list under ``"results"``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {name: part for name, part in record.items() if name != "results"}
    lines = [json.dumps(result, default=_plain) for result in record["results"]]
    path.write_text(
        json.dumps(head, indent=1).removesuffix("\n}")
        + ',\n "results": [\n  '
        + ",\n  ".join(lines)
        + "\n ]\n}\n"
    )
    print(f"\nwritten to {path}")


def read(path):
    """The record in a file, its spreads as they were."""
    return json.loads(Path(path).read_text(), object_hook=_spread)


def _plain(spread):
    """The fields of a spread, its times no more exact than they mean anything."""
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in asdict(spread).items()
    }


def _spread(found):
    """The spread with these fields; other objects as they are."""
    return Spread(**found) if found.keys() == _SPREAD else found
