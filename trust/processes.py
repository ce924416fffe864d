"""Processes: forks at any moment, start methods, several interpreters.

    python -m trust.processes

A failure prints the name of the call, the seed and the number of the fork: the moments
follow from the seed.
"""

import time

from trust import campaign
from trust.concurrency import forks, pools, subinterpreters, work

#: Moments of a fork for each kind of call in the long form.
MOMENTS = 500


def run(seconds):
    """Forks while another thread calls and within functions; then start methods."""
    most = max(3, round(MOMENTS * min(1.0, seconds / 2000)))
    yield from forks_of_calls(most, seed=1)
    yield from forks_in_functions(most)
    yield from start_methods(seconds / 20)
    count = campaign.Count("subinterpreters: a clear ImportError")
    count.add(subinterpreters.fault())
    yield count


def forks_of_calls(most, seed, names=work.CALLS):
    """Forks while another thread is in a call, at random moments of up to 50 ms."""
    for name in names:
        count = campaign.Count(f"fork while another thread is in {name}")
        moments = forks.random_moments(most, 0.05, seed)
        for number, fault in enumerate(forks.fork_during(name, moments)):
            count.add(fault and f"{name}, seed {seed}, fork {number}: {fault}")
        yield count


def forks_in_functions(most, places=forks.PLACES):
    """Forks in functions of the user; both processes go on, either one first."""
    for place in places:
        count = campaign.Count(f"fork in {place}")
        calls = forks.calls_of(place)
        for number in range(min(most, 8 * calls)):
            at, first = number // 2 % calls + 1, ("child", "parent")[number % 2]
            fault = forks.fork_inside(place, at, first)
            count.add(fault and f"{place}, call {at}, {first} first: {fault}")
        yield count


def start_methods(seconds, methods=pools.METHODS):
    """Networks as arguments and results, for some seconds of each start method."""
    for method in methods:
        count = campaign.Count(f"networks to and from processes by {method}")
        end, seed = time.monotonic() + seconds, 0
        while seed == 0 or time.monotonic() < end:
            count.add(pools.fault_of(method, seed))
            seed += 1
        yield count
    pools.close()


if __name__ == "__main__":
    campaign.main(
        "A network works in every process: forked at any moment, or sent to it.",
        run,
        2000,
    )
