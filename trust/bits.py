"""The bits of every case, however it is trained, and on every machine.

    python -m trust.bits
    BPCORE_TRUST_PYTHON=COMMAND:... python -m trust.bits

The commands start Python on other processors, emulated ones too, where bpcore is
installed; each compares its bits with the record.  ``python -m trust.golden`` explains
a difference.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import bpcore as bp
from trust import campaign, golden
from trust.children.programs import failure, python
from trust.fits import ways
from trust.fits.cases import table

#: Block sizes of other caches: the smallest blocks, small caches, and large ones.
BLOCKS = {
    "the smallest blocks": "l1=4096,l2=16384,kc=256,mc=1,nc=1",
    "small caches": "l1=16384,l2=131072,kc=256,mc=24,nc=32",
    "large caches": "l1=131072,l2=8388608,kc=1024,mc=4096,nc=8192",
}

#: Titles of the ways that one process goes.
WAYS = {
    "1 to 7 threads": ways.by_threads,
    "every build, x86_64_v2 excepted": ways.by_builds,
    "callbacks, slices of time, parameters held": ways.watched,
    "two fits of an epoch, and one of two": ways.in_parts,
    "pickle, copy or file in between": ways.carried,
    "stopped within an epoch and resumed": ways.resumed,
    "fit_many": ways.among_others,
    "distributed.fit and accumulate": ways.on_shards,
    "fused update and stored gradient": ways.stored_gradients,
    "other forms of the data": ways.other_forms,
    "a row alone and among 1 to 70": ways.rows_alone,
}


def run(seconds):
    """The record, then every way; cases are left out where the time is short."""
    cases = [*table().values()]
    if bp.kernels.in_use() != "x86_64_v2":  # which has other bits
        yield recorded()
        yield from in_other_processes()
    titled = {**WAYS}
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        titled["another process, by spawn"] = partial(ways.elsewhere, pool=pool)
        for title, way in titled.items():
            yield trials(title, way, cases, seconds / len(titled))


def trials(title, way, cases, seconds):
    """One way with every case, or with as many as the seconds allow, spread evenly."""
    count, end = campaign.Count(title), time.monotonic() + seconds
    tried = 0
    # By steps of a number without a common factor, every optimizer comes soon.
    for i in range(len(cases)):
        case = cases[i * 29 % len(cases)]
        for fault in way(case):
            count.add(fault and f"{case.name}: {fault}")
        tried += 1
        if time.monotonic() > end:
            break
    count.note = f"{tried} cases"
    return count


def recorded():
    """The bits here and those recorded."""
    count = campaign.Count("recorded bits, and those of each step")
    record = golden.read()
    for case in golden.recorded_cases():
        found = golden.difference(record.get(case.name), golden.line_of(case))
        count.add(found and f"{case.name} {found}")
    return count


def in_other_processes():
    """The recorded cases with other block sizes, and by other processors."""
    for title, blocks in BLOCKS.items():
        yield elsewhere(f"BPCORE_BLOCKS: {title}", BPCORE_BLOCKS=blocks)
    for command in filter(None, os.environ.get("BPCORE_TRUST_PYTHON", "").split(":")):
        yield elsewhere(f"by {Path(command).name}", command)


def elsewhere(title, command=sys.executable, **variables):
    """Recorded cases in a process of its own."""
    arguments = "-m", "trust.golden", "--digests"
    ended = python(*arguments, command=[command], variables=variables)
    count = campaign.Count(title)
    if wrong := failure(ended):
        count.add(f"{command} with {variables}: {wrong}")
        return count
    count.note, found = json.loads(ended.stdout)
    record = golden.read()
    for name, digests in found.items():
        same = all(record[name][what] == it for what, it in digests.items())
        count.add(None if same else f"{name} ({command}, {variables})")
    return count


if __name__ == "__main__":
    campaign.main(
        "The same data, seed and settings give the same bits, whatever the way.",
        run,
        1800.0,
    )
