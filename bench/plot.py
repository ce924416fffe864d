"""One picture: how far above the floor each library is, from tiny nets to wide ones."""

from matplotlib.figure import Figure

#: A colour for each peer, distinct to the colour-blind too (after Okabe and Ito).
_COLOURS = {
    "bpcore": "#000000",
    "reference": "#999999",
    "by_hand": "#0072B2",
    "sklearn": "#E69F00",
    "torch": "#D55E00",
    "jax": "#009E73",
}


def draw(results, path):
    """Plot the time of a training step over the floor, against its multiply-adds.

    Parameters
    ----------
    results : list of dict
        What `bench.step` found.
    path : Path
        Where the picture goes.
    """
    results = sorted(results, key=_work)
    work = [_work(result) for result in results]
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    axes = figure.subplots()
    for name, colour in _COLOURS.items():
        points = [
            (_work(result), result["peers"][name])
            for result in results
            if name in result["peers"]
        ]
        if points:
            _line(axes, points, colour, bold=name == "bpcore")
    axes.axhline(1, color="black", linestyle=":")
    axes.annotate("the floor", (work[0], 1), (0, 4), textcoords="offset points")
    axes.set(xscale="log", yscale="log")
    axes.margins(x=0.12)  # for the names of the largest
    axes.set_xlabel("multiply-adds of one training step (net, batch size above)")
    axes.set_ylabel("time over the floor")
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    nets = axes.secondary_xaxis("top")
    labels = [f"{result['net']}, {result['batch']}" for result in results]
    nets.set_xticks(work, labels, rotation=40, ha="left", fontsize="small")
    nets.minorticks_off()
    figure.savefig(path, dpi=110)


def _line(axes, points, colour, bold):
    """One library: medians, and bars from quartile to quartile."""
    work, peers = zip(*points, strict=True)
    over = [peer["over_floor"] for peer in peers]
    middle = [spread.median for spread in over]
    below = [spread.median - spread.lower for spread in over]
    above = [spread.upper - spread.median for spread in over]
    axes.errorbar(
        work,
        middle,
        yerr=(below, above),
        label=peers[0]["title"],
        color=colour,
        marker="o",
        markersize=7 if bold else 4,
        linewidth=2.5 if bold else 1.2,
        capsize=2,
        zorder=3 if bold else 2,
    )


def _work(result):
    return result["floor"]["multiply_adds"]
