"""Many networks at the same time, each in a thread of its own."""

import time

from trust.concurrency import work


def rounds(seconds, threads, names):
    """Call each thread's own network again and again.

    Yields, for each round, what was wrong: after the same calls each network must have
    the bits of one that was alone.
    """
    end, first = time.monotonic() + seconds, True
    alone = {name: _after_calls(name) for name in names}
    while first or time.monotonic() < end:
        first = False
        for at in range(0, len(names), threads):
            yield _fault(names[at : at + threads] * 2, alone)


def _after_calls(name):
    """The state of a new network after some calls."""
    make, call, _ = work.CALLS[name]
    net = make()
    for _ in range(2):
        call(net)
    return work.state_of(net)


def _fault(names, alone):
    found, errors = [None] * len(names), []

    def run(i):
        try:
            found[i] = _after_calls(names[i])
        except BaseException as error:
            errors.append(f"{names[i]}: {type(error).__name__}: {error}")

    work.in_threads(len(names), run)
    errors += [
        f"{name}: other bits than alone"
        for name, state in zip(names, found, strict=True)
        if state is not None and state != alone[name]
    ]
    return "; ".join(errors) or None
