"""Interrupts, failing memory and full stacks in every call that changes something.

Three kinds of trials. `points`: at one point after another of the call's Python code
KeyboardInterrupt, or MemoryError, is raised, as a signal's handler or an allocation
raises it there. `moments`: a real signal comes at a random time, from a timer or from
another thread. `depths`: Python's recursion limit leaves room for a few frames, from
too few to enough. Afterwards the subject must be in a state that is allowed (see
`changes.change`) and go on with the same bits as a copy of it, and no thread may be
left.

To repeat a failure, with the name and the numbers that it prints::

    from trust import interrupts
    interrupts.at_point("fit", 17, KeyboardInterrupt)
"""

import sys
import time
from functools import partial
from itertools import chain

import numpy as np

from trust import campaign
from trust.changes import drop_ins, estimators, files, networks, records
from trust.changes.change import mini_batches
from trust.changes.interrupting import Points, by_depth, by_thread, by_timer, duration
from trust.running import none_left, running

#: Real signals for each call.
MOMENTS = 2000
#: Seconds that a thread may take to end.
GRACE = 1.0
#: Trials of a call after which only each tenth subject goes on to train.
THOROUGH = 20
#: Fewest frames below a recursion limit with which a call can be begun, and most.
ROOMS = range(4, 200)
#: Calls in a row that come to their end, after which no more room is tried.
ENOUGH = 5
#: Fits that need frames at their end too: if there are too few, the best epoch is not
#: put back, and the network is as after its last mini-batch.
PUT_BACK = ("fit, restore_best",)


def groups():
    """All calls, in groups by name."""
    return {
        "an assignment": networks.settings(),
        "a step": networks.steps(),
        "a fit": networks.fits(),
        "a file": [*files.changes()],
        "several networks, estimators": [*estimators.changes()],
        "a drop-in, an expression, a film": [*drop_ins.changes(), *records.changes()],
    }


def every_change():
    """All calls, by their names."""
    return {each.name: each for each in chain(*groups().values())}


class Shares:
    """Parts of the time that is left.

    Parameters
    ----------
    seconds : float
    parts : float
        The sum of all parts.
    """

    def __init__(self, seconds, parts):
        self._end, self._left = time.monotonic() + seconds, parts

    def __call__(self, part):
        """Seconds for a part, as long as it is compared with those not yet taken."""
        seconds = (self._end - time.monotonic()) * part / max(self._left, part)
        self._left -= part
        return max(seconds, 0.0)


class Trials:
    """Trials of one call.

    Parameters
    ----------
    change : Change

    Attributes
    ----------
    count, ended : int
        Trials so far, and how many of the calls were ended by an error or a signal.
    """

    def __init__(self, change):
        self.change, self.count, self.ended = change, 0, 0
        self.allowed = change.states(change)
        self.threads, self.errors = running(), np.geterr()

    def fault(self, interrupted, **how):
        """What is wrong after ``interrupted(call)`` of a new subject, or None."""
        change, subject = self.change, self.change.make()
        try:
            self.ended += interrupted(partial(change.change, subject))
            wrong = self._wrong(subject)
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        self.count += 1
        np.seterr(**self.errors)  # NumPy may lose that of scikit-learn
        return wrong and f"{change}, {how}: {wrong}"

    def _wrong(self, subject):
        change = self.change
        state = change.state(subject)
        if not self.allowed.issuperset(state if isinstance(state, list) else [state]):
            return "half a change"
        if not none_left(self.threads, GRACE):
            return f"{running() - self.threads} threads are left"
        if set(np.geterr().values()) == {"ignore"}:
            return "np.geterr() is that of the library"
        if self.count < THOROUGH or self.count % 10 == 0:
            return change.fault(subject)
        return None


def at_point(name, point, error):
    """What is wrong after an error at one point of a call, or None."""
    trials = Trials(every_change()[name])
    return trials.fault(Points(point, error).call, point=point)


def points(count, change, error, seconds, rng):
    """An error at every point of a call; at random ones if there is no time for all.

    Returns the number of points.
    """
    for _ in range(2):  # without the imports of the first call
        counter = Points(error=error)
        counter.call(partial(change.change, change.make()))
    trials, end = Trials(change), time.monotonic() + seconds
    for point in rng.permutation(counter.count) + 1:
        raised = Points(point, error)
        fault = trials.fault(raised.call, point=int(point), error=error.__name__)
        count.add(fault and f"{fault}, at {raised.where}")
        if time.monotonic() > end:
            break
    return counter.count


def moments(count, change, number, seconds, rng):
    """Real signals at random times of a call; returns how many ended it."""
    times = [duration(partial(change.change, change.make())) for _ in range(5)]
    trials, end = Trials(change), time.monotonic() + seconds
    for i in range(number):
        after = float(rng.uniform(0, np.median(times)))
        send = partial((by_timer, by_thread)[i % 4 == 0], seconds=after)
        count.add(trials.fault(send, after=after))
        if time.monotonic() > end:
            break
    return trials.ended


def depths(count, change):
    """A recursion limit at each depth of a call; returns how many ended it."""
    change.change(change.make())  # without the imports of the first call
    trials, whole = Trials(change), 0
    if change.name in PUT_BACK:
        trials.allowed |= mini_batches(change)
    for room in ROOMS:
        ended = trials.ended
        count.add(trials.fault(partial(by_depth, room=room), room=room))
        whole = whole + 1 if trials.ended == ended else 0
        if whole == ENOUGH:
            break
    return trials.ended


def run(seconds):
    """Trials of every call; each gets an equal part of the time that is left."""
    rng, share = np.random.default_rng(0), Shares(seconds, len(every_change()))
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        for group, members in groups().items():
            for error, part in ((KeyboardInterrupt, 0.3), (MemoryError, 0.1)):
                count = campaign.Count(f"{error.__name__} at a point of {group}")
                there = [
                    points(count, each, error, share(part), rng) for each in members
                ]
                count.note = f"of {sum(there):,} points of {len(members)} calls"
                yield count
            count = campaign.Count(f"a recursion limit within {group}")
            ended = [depths(count, each) for each in members]
            count.note = f"{sum(ended):,} came before its end"
            yield count
            count = campaign.Count(f"a signal at a random moment of {group}")
            ended = [moments(count, each, MOMENTS, share(0.6), rng) for each in members]
            count.note = f"{sum(ended):,} came before its end"
            yield count
    finally:
        sys.setswitchinterval(before)


if __name__ == "__main__":
    campaign.main("An interrupt leaves no change half done.", run, 3600.0)
