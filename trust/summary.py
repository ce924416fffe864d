"""Figures of the campaigns, written into docs/trust.md.

    python -m trust.summary

The page has a pair of comments for each campaign; between them stands the table of its
newest results, with the machine they are of.
"""

import re
from pathlib import Path

from bench import records

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results")
PAGE = ROOT / "docs" / "trust.md"

_BEGIN = "<!-- written by python -m trust.summary: {} -->"
_END = "<!-- end of {} -->"


def main():
    """Read the results, rewrite the page."""
    PAGE.write_text(page(PAGE.read_text(), newest()))


def newest():
    """The newest record of each campaign, by its name."""
    found = {}
    for path in RESULTS.glob("*/*.json"):
        record = records.read(path)
        if path.stem not in found or found[path.stem]["date"] < record["date"]:
            found[path.stem] = record
    return found


def page(text, found):
    """The page, its tables replaced by those of the records.

    Parameters
    ----------
    text : str
    found : dict of str to dict
        A record for each name of a campaign.
    """
    for name, record in found.items():
        begin, end = _BEGIN.format(name), _END.format(name)
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        table = "\n".join([begin, *_table(record), end])
        text, places = pattern.subn(lambda _, table=table: table, text)
        if not places:
            raise SystemExit(f"docs/trust.md has no place for {name}: {begin} {end}")
    return text


def _table(record):
    """Lines of Markdown."""
    bpcore, settings = record["bpcore"], record["settings"]
    kind = record["microarchitecture"]
    machine = record["processor"] + f" ({kind})" * bool(kind)
    software = f"{bpcore['isa']}, Python {record['python']}"
    yield f"{machine}, {software}, {record['date'][:10]}, {_time(settings)}:"
    yield ""
    yield "| Tried | Times | Failed | Note |"
    yield "|---|---:|---:|---|"
    for count in record["results"]:
        tried, failed = f"{count['tried']:,}", f"{count['failed']:,}"
        yield f"| {count['name']} | {tried} | {failed} | {count['note']} |"


def _time(settings):
    """The duration as text."""
    seconds = settings["seconds"]
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


if __name__ == "__main__":
    main()
