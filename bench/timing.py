"""Time several actions against each other, so that what disturbs one disturbs all.

The clock of a CPU drifts with heat and neighbours, by tens of per cent within a
minute. So contenders are not timed one after the other: in every round each runs one
short block, in an order drawn anew, and a ratio is taken within a round. The median of
those ratios holds where the ratio of two medians does not.

What shares the core is worse than drift: it takes it away for as long as a block lasts.
A block that was robbed of time is run again.
"""

import contextlib
import gc
import random
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from .contention import lost

#: Length of a block in seconds: thousands of times the resolution of the clock, and
#: short beside the seconds over which clock rates drift.
BLOCK = 2e-3

#: Share of its time that a block may wait for a core, and how often it is tried.
ROBBED = 0.02
TRIES = 4

#: Quartiles of fewer rounds say nothing, so slow actions overrun their seconds.
FEWEST_ROUNDS = 7


@dataclass(frozen=True)
class Spread:
    """The middle of many samples, and how far they scatter."""

    median: float
    lower: float
    upper: float
    best: float
    rounds: int

    @classmethod
    def of(cls, samples):
        """Median, quartiles and smallest of `samples`, one value a round."""
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
        Called without arguments, very often. One that has its own clock, because what
        it calls is another process, has a method ``time(calls)`` that returns the
        seconds which so many calls took and how many of them were lost to other work.
    seconds : float
        About how long all rounds together shall take.

    Returns
    -------
    samples : dict of str to ndarray
        Arrays of one length; entries at one index were timed next to each other.
    robbed : float
        Share of the blocks that lost their core at every try: of a busy machine.
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
                taken, share_lost = _undisturbed(actions[name], calls[name])
                samples[name].append(taken / calls[name])
                robbed += share_lost > ROBBED
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
    """Seconds for so many calls, and the share of them lost to other work.

    Each try warms up first: the block before has emptied the caches and trained the
    branch predictor on something else, and a user's loop would find neither.
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
    """How many calls fill a block, not counting the first, which may compile."""
    _time(action, 1)
    calls = 1
    while (taken := _time(action, calls)[0]) < BLOCK / 2:
        calls *= 2
    return max(1, round(calls * BLOCK / taken))


def _time(action, calls):
    """Seconds for so many calls, and how many of them were lost to other work.

    The loop itself adds some 10 ns to each call.
    """
    if hasattr(action, "time"):
        return action.time(calls)
    waited = lost()
    start = perf_counter()
    for _ in range(calls):
        action()
    taken = perf_counter() - start
    return taken, lost() - waited


@contextlib.contextmanager
def _no_garbage_collection():
    """A collection set off by one contender would be billed to another."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
