"""The measured CPUs side by side: the index of ``bench/results``, and README's tables.

README's tables are between two marker comments, which `readme` keeps.
"""

from . import cpu, report, tables, verdicts

#: In README: one machine of each of these instruction sets, the one measured last.
SHOWN = ("x86_64_v3", "x86_64_v4")

BEGIN = "<!-- written by python -m bench.summary -->"
END = "<!-- end of what python -m bench.summary writes -->"

_PICTURES = "https://raw.githubusercontent.com/bpcore/bpcore/main/bench/results"

_PEERS = {
    "by_hand": "NumPy by hand",
    "sklearn": "scikit-learn",
    "torch": "PyTorch",
    "jax": "JAX jit",
}

_INDEX = """\
# Benchmark results by CPU

One folder per CPU, written by `make bench` on it (`python -m bench.summary` writes this
page): each has all figures as JSON files, and a page of its own. The tables are of one
training step called from Python, one core, float32, SGD with momentum: microseconds of
bpcore, their ratio to the floor, and the ratio of each peer's time to bpcore's.
"""


def index(cpus):
    """The page that lists all measured CPUs.

    Parameters
    ----------
    cpus : dict of str to dict
        By name of the folder, its records by file name.
    """
    parts = [_INDEX]
    for name, found in cpus.items():
        record = found["step"]
        parts += [
            f"## [{cpu.title(name, record['processor'])}]({name}/README.md)\n",
            f"{_date(record)}. {verdicts.count(found)}\n",
            steps(record) + "\n",
        ]
    return "\n".join(parts)


def readme(text, cpus):
    """README with its tables of the shown CPUs; the rest of its text as it is.

    Parameters
    ----------
    text : str
        README as it is.
    cpus : dict of str to dict
        By name of the folder, its records by file name.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"README has no {BEGIN} followed by {END}")
    return f"{before}{BEGIN}\n\n{tables_of(cpus)}\n\n{END}{after}"


def tables_of(cpus):
    """README's tables and pictures, for one CPU of each instruction set shown."""
    parts = []
    for isa in SHOWN:
        dates = {
            found["step"]["date"]: name
            for name, found in cpus.items()
            if cpu.best_set(name) == isa
        }
        if dates:
            name = dates[max(dates)]
            parts += _machine(name, cpus[name])
        else:
            parts.append(
                f"No CPU whose best instructions are {cpu.INSTRUCTIONS[isa]} has been "
                "measured yet."
            )
    return "\n\n".join(parts)


def steps(record):
    """The steps of one record in short, as a table in Markdown."""
    rows = [("network, mini-batch", "us", "/ floor", *_PEERS.values())]
    for result in record["results"]:
        peers = result["peers"]
        own = peers["bpcore"]
        ratios = (
            report.number(peers[name]["over_bpcore"].median) if name in peers else "-"
            for name in _PEERS
        )
        rows.append(
            (
                f"{result['net']}, {result['batch']}",
                report.number(own["seconds"].median * 1e6),
                report.number(own["over_floor"].median),
                *ratios,
            )
        )
    return report.markdown(rows)


def drop_ins(record):
    """scikit-learn's networks and their drop-ins, as a table in Markdown."""
    rows = [("the same weights", "dtype", "scikit-learn ms", "bpcore ms", "ratio")]
    for result in record["results"]:
        rows.append(
            (
                result["case"],
                result["dtype"],
                *(report.number(s.median * 1e3) for s in result["seconds"].values()),
                report.number(result["over_bpcore"].median),
            )
        )
    return report.markdown(rows)


def _machine(name, found):
    """README's paragraphs about one CPU."""
    record = found["step"]
    title = cpu.title(name, record["processor"])
    yield f"**{title}**, {_date(record)}. {_losses(record)}"
    yield steps(record)
    if "drop_ins" in found:
        yield (
            "scikit-learn's networks and the drop-ins of `bpcore.sklearn`, one thread, "
            "everything included that a user waits for:"
        )
        yield drop_ins(found["drop_ins"])
    yield (
        f"![Time of one training step over the floor, {title}]"
        f"({_PICTURES}/{name}/speed.png)"
    )


def _losses(record):
    """The cases with a faster peer, as one sentence."""
    lost = tables.faster(record["results"])
    if not lost:
        return "No other library makes a step faster."
    cases = "; ".join(
        f"{peer['title']} at {result['net']}, {result['batch']} "
        f"({report.number(peer['over_bpcore'].median)})"
        for result, peer in lost
    )
    return f"Faster is {cases}."


def _date(record):
    return record["date"].partition("T")[0]
