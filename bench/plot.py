"""Plots: the time of each library over the floor; the time of a gradient."""

from matplotlib.figure import Figure

from . import report

#: A colour for each peer, distinct for colour-blind readers (after Okabe and Ito).
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
        Results of `bench.step`.
    path : Path
        File of the plot.
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
    axes.set_xlabel("multiply-adds of one training step (network, mini-batch above)")
    axes.set_ylabel("time over the floor")
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    nets = axes.secondary_xaxis("top")
    labels = [f"{result['net']}, {result['batch']}" for result in results]
    nets.set_xticks(work, labels, rotation=40, ha="left", fontsize="small")
    nets.minorticks_off()
    figure.savefig(path, dpi=110)


def growth(results, exponents, path):
    """Plot the times of gradients, by backpropagation and numerical, over the weights.

    Parameters
    ----------
    results : list of dict
        Results of `bench.numerical`.
    exponents : dict of str to float
        The powers of the number of weights with which both times grow.
    path : Path
        File of the plot.
    """
    weights = [result["weights"] for result in results]
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots()
    ways = {
        "numerical": ("central differences:\ntwo calls per weight", _COLOURS["torch"]),
        "backpropagation": ("backpropagation:\none call", _COLOURS["bpcore"]),
    }
    for way, (title, colour) in ways.items():
        spreads = [result[way] for result in results]
        middle = [1e6 * spread.median for spread in spreads]
        below = [1e6 * (spread.median - spread.lower) for spread in spreads]
        above = [1e6 * (spread.upper - spread.median) for spread in spreads]
        axes.errorbar(
            weights,
            middle,
            yerr=(below, above),
            color=colour,
            marker="o",
            linewidth=2.5,
            capsize=2,
        )
        axes.annotate(
            f"{title}, and\nweights to the power {exponents[way]:.1f}",
            (weights[-1], middle[-1]),
            (12, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    for result in results:
        high, low = result["numerical"].median, result["backpropagation"].median
        axes.plot(
            [result["weights"]] * 2, [1e6 * high, 1e6 * low], ":", color="#999999"
        )
        axes.annotate(
            f"{report.number(result['over_backpropagation'].median)}x",
            (result["weights"], 1e6 * (high * low) ** 0.5),
            (5, 0),
            textcoords="offset points",
            color="#666666",
            va="center",
        )
    axes.set(xscale="log", yscale="log")
    axes.set_xlim(weights[0] / 1.5, weights[-1] * 11)  # space for annotations
    axes.set_xlabel("weights of the network (its layers above)")
    axes.set_ylabel("time of one gradient, 32 rows (us)")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    nets = axes.secondary_xaxis("top")
    nets.set_xticks(weights, [result["net"] for result in results], fontsize="small")
    nets.tick_params(length=0)
    nets.spines["top"].set_visible(False)
    nets.minorticks_off()
    figure.savefig(path, dpi=110)


def _line(axes, points, colour, bold):
    """One library: medians, with bars between the quartiles."""
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
