"""Time several actions interleaved, so that disturbances affect all of them.

The clock rate of a CPU changes with temperature and other load, by tens of per cent
within a minute. So contenders are not timed one after the other: in every round each
runs one short block, in random order, and ratios are taken within a round. The median
of these ratios is reliable when the ratio of two medians is not.

Other processes on the core disturb more: they may use it for the whole time of a block.
A block that waited for the core is run again.
"""

import contextlib
import gc
import random
from dataclasses import dataclass
from functools import partial
from time import perf_counter

import numpy as np

from .contention import lost

#: Length of a block in seconds: thousands of times the resolution of the clock, and
#: short compared with the seconds in which clock rates change.
BLOCK = 2e-3

#: Largest fraction of its time that a block may wait for a core; most tries of a block.
ROBBED = 0.02
TRIES = 4

#: Least rounds for useful quartiles; slow actions exceed their seconds for them.
FEWEST_ROUNDS = 7


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of many samples."""

    median: float
    lower: float
    upper: float
    best: float
    rounds: int

    @classmethod
    def of(cls, samples):
        """Median, quartiles and minimum of `samples`, one value per round."""
        lower, median, upper = np.quantile(samples, (0.25, 0.5, 0.75))
        return cls(
            float(median),
            float(lower),
            float(upper),
            float(samples.min()),
            len(samples),
        )


def interleave(actions, seconds):
    """Seconds per call of each action, one sample a round.

    Parameters
    ----------
    actions : dict of str to callable
        Called without arguments, many times. An action with its own clock, for another
        process, has a method ``time(calls)`` that returns the seconds of so many calls,
        and of these the seconds that it waited for a core.
    seconds : float
        Approximate time of all rounds together.

    Returns
    -------
    samples : dict of str to ndarray
        Arrays of one length; entries at one index were timed next to each other.
    robbed : float
        Fraction of the blocks that waited for a core at every try, on a busy machine.
    """
    calls = {name: _calls_per_block(action) for name, action in actions.items()}
    samples = {name: [] for name in actions}
    order = list(actions)
    shuffle = random.Random(0).shuffle
    rounds = robbed = 0
    with _no_garbage_collection():
        end = perf_counter() + seconds
        while rounds < FEWEST_ROUNDS or perf_counter() < end:
            shuffle(order)
            for name in order:
                taken, fraction_lost = _undisturbed(actions[name], calls[name])
                samples[name].append(taken / calls[name])
                robbed += fraction_lost > ROBBED
            rounds += 1
    arrays = {name: np.array(times) for name, times in samples.items()}
    return arrays, robbed / (rounds * len(order))


class Within:
    """An action that is called in a context, whose entry and exit are not timed.

    Parameters
    ----------
    context : callable
        Makes the context.
    action : callable
        Called without arguments.
    """

    def __init__(self, context, action):
        self._context = context
        self._action = action

    def time(self, calls):
        with self._context():
            return _time(self._action, calls)


def _undisturbed(action, calls):
    """Seconds of so many calls, and the fraction of them spent waiting for a core.

    Each try warms up caches and branch predictor first, which the previous block has
    used for other code, as in a user's loop.
    """
    least = (0.0, np.inf)
    for _ in range(TRIES):
        _time(action, calls // 8 + 1)
        taken, waited = _time(action, calls)
        least = min(least, (taken, waited / taken), key=lambda block: block[1])
        if least[1] <= ROBBED:
            break
    return least


def _calls_per_block(action):
    """Calls per block, measured after a first call, which may compile."""
    _time(action, 1)
    calls = 1
    while (taken := _time(action, calls)[0]) < BLOCK / 2:
        calls *= 2
    return max(1, round(calls * BLOCK / taken))


def _time(action, calls):
    """Seconds of so many calls, and of these the seconds waiting for a core.

    The loop itself adds about 10 ns per call.
    """
    if hasattr(action, "time"):
        return action.time(calls)
    return clocked(partial(_repeat, action, calls))


def _repeat(action, calls):
    for _ in range(calls):
        action()


def clocked(action):
    """Seconds of one call, and of these the seconds waiting for a core."""
    waited = lost()
    start = perf_counter()
    action()
    taken = perf_counter() - start
    return taken, lost() - waited


@contextlib.contextmanager
def _no_garbage_collection():
    """Disable garbage collection, whose time could be counted for another contender."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
