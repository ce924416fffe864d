"""Numbers: losses, norms, metrics and long sums at extreme inputs, against exact ones.

    python -m trust.numbers

Errors are stated in units of the machine epsilon of the dtype, relative to the sum of
the absolute values of what is added: a bound that no order of summation can much
better. The package `arithmetic` has the same quantities in extended precision (mpmath).
"""

import re

from trust import campaign
from trust.arithmetic import exact, losses, means, metrics, norms, speed
from trust.arithmetic.rounding import SIZES

#: The first number in a note.
FIGURE = re.compile(r"[0-9][0-9.e+-]*")


def together(name, counts):
    """One count of several; its note is that of the one with the largest figure."""
    counts = list(counts)
    worst = max(counts, key=lambda count: float(FIGURE.search(count.note)[0]))
    tried, failed = (sum(getattr(c, n) for c in counts) for n in ("tried", "failed"))
    return campaign.Count(name, tried, failed, f"{worst.name}: {worst.note}")


def run(seconds):
    """Yields a count for each kind of numbers and dtype."""
    count = max(20, int(seconds / 2))
    for dtype in SIZES:
        several = [losses.loss_errors(name, dtype, count) for name in exact.LOSSES]
        yield together(f"{len(several)} losses, {dtype}", several)
        yield losses.softmax_errors(dtype, count)
        yield norms.norm_errors(dtype, count)
        yield norms.moment_errors(dtype, count)
    several = metrics.metric_errors(count // 2)
    yield together(f"{len(several)} metrics", several)
    yield from means.mean_errors()
    for dtype in SIZES:
        steps = speed.optimizer_times(dtype)
        yield together(f"time of subnormal velocities and means, {dtype}", steps)
        weights = speed.decay_times(dtype)
        yield together(f"time of weights that decayed to 0, {dtype}", weights)
        layers = speed.activation_times(dtype)
        yield together(f"time of activations that decay to 0, {dtype}", layers)
        yield from speed.data_times(dtype)


if __name__ == "__main__":
    campaign.main("Errors at extreme inputs and in long sums are small.", run, 120)
