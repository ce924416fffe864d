"""Results of a comparison as text: all spreads, a summary, cases with faster peers."""

from . import report


def details(result):
    """All figures of one case: every contender with its spread."""
    rows = [("", "us", "quartiles", "over floor", "over bpcore", "quartiles")]
    for name, peer in result["peers"].items():
        over_floor, _ = report.ratio(peer["over_floor"])
        over_bpcore = (
            ("", "") if name == "bpcore" else report.ratio(peer["over_bpcore"])
        )
        times = report.microseconds(peer["seconds"])
        rows.append((peer["title"], *times, over_floor, *over_bpcore))
    refused = [
        f"{peer['title']} {deviation(peer)}" for peer in result["refused"].values()
    ]
    heading = f"{result['net']}, batch {result['batch']}, {result['dtype']}"
    return "\n".join([heading, _floor(result["floor"]), report.table(rows), *refused])


def summary(results):
    """One line per case, one column per peer: its time, and its ratio to bpcore."""
    titles = {
        name: peer["title"]
        for result in results
        for name, peer in result["peers"].items()
    }
    del titles["bpcore"]
    rows = [("net", "batch", "floor", "bpcore", "over floor", *titles.values())]
    for result in results:
        own = result["peers"]["bpcore"]
        floor, _ = report.microseconds(result["floor"]["seconds"])
        time, _ = report.microseconds(own["seconds"])
        over, _ = report.ratio(own["over_floor"])
        cells = [_cell(result["peers"].get(name)) for name in titles]
        rows.append((result["net"], str(result["batch"]), floor, time, over, *cells))
    return report.table(rows)


def faster(results):
    """(result, peer) of every case in which a peer is faster."""
    return [
        (result, peer)
        for result in results
        for peer in result["peers"].values()
        if peer["over_bpcore"].median < 1
    ]


def losses(results):
    """The cases in which a peer is faster, as text."""
    lost = [
        f"  {result['net']}, batch {result['batch']}: {peer['title']}, "
        "{} of the time of bpcore ({})".format(*report.ratio(peer["over_bpcore"]))
        for result, peer in faster(results)
    ]
    return "\n".join(["a peer is faster at", *lost]) if lost else "No peer is faster."


def deviation(refused):
    """The reason why a contender is not timed."""
    return f"differs by {refused['error']:.1e} from the reference and is not timed"


def _floor(floor):
    time, _ = report.microseconds(floor["seconds"])
    return (
        f"floor {time} us, {floor['bound']}: {floor['multiply_adds']:,} multiply-adds "
        f"at {floor['gigaflops']:.0f} GFLOP/s, "
        f"{floor['bytes']:,} bytes at {floor['gigabytes_per_second']:.0f} GB/s"
    )


def _cell(peer):
    """Time and ratio of a peer in the summary; a dash if it was not timed."""
    if peer is None:
        return "-"
    time, _ = report.microseconds(peer["seconds"])
    over, _ = report.ratio(peer["over_bpcore"])
    return f"{time} {over.rjust(6)}"
