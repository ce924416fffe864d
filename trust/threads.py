"""Threads: one network in many, many networks, daemon threads, limits and rest.

    python -m trust.threads

``python -m trust.tsan`` repeats its first two parts under the thread sanitizer.
"""

import tempfile

from trust import campaign
from trust.concurrency import ending, limits, many_networks, one_network, work

#: Calls that daemon threads repeat while a program ends.
ENDING = (
    "fit",
    "fit, custom loss",
    "fit, loss of the graph",
    "fit, backups in a file",
    "fit_many",
    "fit, Checkpoint",
    "train_step, large",
    "learn_one",
    "predict, large",
)


def run(seconds):
    """All parts, of which the longest take some seconds each."""
    yield from one(seconds / 6)
    yield many(seconds / 3)
    yield end(seconds / 3)
    yield from limited()
    yield resting(min(10, seconds / 20))


def one(seconds):
    """One network in threads."""
    count = campaign.Count("one network in 2 to 8 threads: whole steps or InUseError")
    made = refused = 0
    cases = [(n, loss) for n in (2, 3, 4, 8) for loss in (None, work.squared)]
    for seed, (threads, loss) in enumerate(cases):
        found = one_network.fault_of(seconds / len(cases), threads, seed, loss)
        made, refused = made + found[0], refused + found[1]
        count.add(found[2])
    count.note = f"{made:,} steps, {refused:,} calls refused"
    yield count


def many(seconds, names=tuple(work.CALLS), threads=4):
    """Networks of their own in threads."""
    count = campaign.Count("many networks in threads: the bits of each alone")
    for fault in many_networks.rounds(seconds, threads, names):
        count.add(fault)
    return count


def end(seconds):
    """Programs that end."""
    count = campaign.Count("a program ends while daemon threads train: status 0")
    for fault in ending.trials(seconds, ENDING):
        count.add(fault)
    return count


def limited():
    """Limits of the processor."""
    count = campaign.Count("CPU affinity of one core: one thread")
    count.add(limits.affinity())
    yield count
    with limits.group_of_one_core() as folder:
        if folder is not None:
            count = campaign.Count("control group of one core: one thread")
            count.add(limits.control_group(folder))
            yield count
    count = campaign.Count("control group, simulated files")
    with tempfile.TemporaryDirectory() as folder:
        count.add(limits.simulated_group(folder))
    yield count
    count = campaign.Count("threadpoolctl shows and limits the team")
    count.add(limits.threadpoolctl())
    yield count


def resting(seconds):
    """Processor time after work."""
    count = campaign.Count("at rest after work: below 1 % of a core")
    percent = limits.rest(seconds)
    count.note = f"{percent:.3f} %"
    count.add(None if percent < 1 else f"{percent} %")
    return count


if __name__ == "__main__":
    campaign.main(
        "Threads never corrupt a network, rest without work, and obey limits.", run, 600
    )
