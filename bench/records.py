"""Figures in JSON files, for plots and for comparisons with other runs."""

import json
from dataclasses import asdict, fields
from pathlib import Path

from .timing import Spread

_SPREAD = {field.name for field in fields(Spread)}


def write(path, record):
    """Write a record, one line per result; a spread becomes an object.

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
    """The record in a file, with its spreads."""
    return json.loads(Path(path).read_text(), object_hook=_spread)


def _plain(spread):
    """The fields of a spread, rounded to four digits."""
    return {
        name: float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in asdict(spread).items()
    }


def _spread(found):
    """The spread with these fields; other objects unchanged."""
    return Spread(**found) if found.keys() == _SPREAD else found
