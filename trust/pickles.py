"""Damaged pickles of every class: they are refused, or work; nothing crashes or hangs.

    python -m trust.pickles [--seconds S] [--json FILE]

Pickles of all protocols, with arrays in them and beside them, get bytes flipped,
deleted and doubled; and values in them are replaced, one at a time, by hostile ones.
Each is loaded in a child process with limits of time and memory, and everything is done
with what is loaded.  Only names of bpcore and those of the undamaged pickle can be
loaded: a pickle that names others can do anything.  Outcomes: refused, with an error
that is "named" if it names the field; loaded; not made, if pickle itself cannot.
"""

import pickle
import time
from functools import partial

import numpy as np

from bpcore.network import OWN
from trust import campaign
from trust.children.trials import outcomes
from trust.pickling import trees, uses
from trust.pickling.flipped import Restricted, flipped, names_in
from trust.pickling.objects import objects as every_object

#: Bytes changed, and values replaced, in the long form.
FLIPPED, REPLACED = 14_000, 14_000
#: Keys in the path of a value that are no names of fields.
PICKLES = ("arguments", "state", "items", "pairs", OWN)
#: Beginnings of outcomes that are failures, of changed bytes and of replaced values.
BAD = ("crash ", "hang", "broken", "use ")
BAD_REPLACED = (*BAD, "error ", "changed ")


def run(seconds):
    """Count flipped and replaced pickles; about half of the time for each."""
    objects = {
        name: value for name, value in every_object().items() if can_be_pickled(value)
    }
    random = np.random.default_rng(0)
    yield counted(
        "bytes flipped, deleted or doubled",
        lambda case: flipped_trial(objects, *case),
        flipped_cases(objects, random, FLIPPED),
        BAD,
        seconds / 2,
        partial(by_others, objects),
    )
    yield counted(
        "values replaced",
        lambda case: replaced_trial(objects, *case),
        replaced_cases(objects, random, REPLACED),
        BAD_REPLACED,
        seconds / 2,
    )


def can_be_pickled(value):
    """Whether an object can be pickled at all: what it holds may refuse."""
    try:
        pickle.dumps(value)
    except TypeError:
        return False
    return True


def counted(name, trial, cases, bad, seconds, is_of_others=lambda case: False):
    """The Count of the trials of some cases, as many as the time allows.

    Crashes that are those of others do not count as failures.
    """
    count, found = campaign.Count(name), {}
    until = time.monotonic() + seconds
    for case, outcome in outcomes(trial, cases):
        if outcome.startswith("crash") and is_of_others(case):
            outcome = "crash-of-NumPy"
        kind = outcome.split(" ")[0]
        found[kind] = found.get(kind, 0) + 1
        count.add(f"{case}: {outcome}" if outcome.startswith(bad) else None)
        if time.monotonic() > until:
            break
    count.note = ", ".join(f"{n:,} {kind}" for kind, n in sorted(found.items()))
    return count


# --- bytes ----------------------------------------------------------------------------


def flipped_cases(objects, random, most):
    """(name, protocol, whether arrays lie beside it, seed)."""
    names = sorted(objects)
    return [
        (names[i % len(names)], 2 + i % 4, i % 8 == 7, int(random.integers(1 << 31)))
        for i in range(most)
    ]


def flipped_trial(objects, name, protocol, beside, seed, bare=False):
    """What became of a pickle with bytes changed.

    With `bare`, nothing of this library is called: see `by_others`.
    """
    choose = np.random.default_rng(seed)
    buffers = []
    keep = buffers.append if beside else None
    data = pickle.dumps(objects[name], protocol, buffer_callback=keep)
    parts = [bytearray(each.raw()) for each in buffers]
    names = names_in(data, parts)
    if parts and choose.integers(2):
        i = int(choose.integers(len(parts)))
        parts[i] = bytearray(flipped(parts[i], choose))
    else:
        data = flipped(data, choose)
    try:
        value = Restricted(data, names, parts, bare).load()
    except Exception as error:
        return f"refused {type(error).__name__}"
    return "loaded" if bare else used(name, value)


def by_others(objects, case):
    """Whether a crash is one of pickle or NumPy: it comes without this library too."""
    trial = partial(flipped_trial, objects, bare=True)
    [(_, outcome)] = outcomes(lambda case: trial(*case), [case])
    return outcome.startswith("crash")


def used(name, value):
    """What became of the use of a loaded object."""
    for error in uses.use(value):
        if not uses.is_allowed(name, error):
            return f"use {type(error).__name__}: {error}"
    return "loaded"


# --- values ---------------------------------------------------------------------------


def replaced_cases(objects, random, most):
    """(name, path, how) of values of this library's objects, in a random order."""
    cases = []
    for name, value in objects.items():
        cases += [
            (name, path, how)
            for path, each in trees.places(trees.tree(value))
            for how in trees.replacements(path, each)
        ]
    random.shuffle(cases)
    return cases[:most]


def replaced_trial(objects, name, path, how):
    """What became of a pickle with a value replaced."""
    root = trees.tree(objects[name])
    try:
        other = trees.with_replaced(root, path, how)
        data = pickle.dumps(other)
    except Exception:
        return "not-made"  # pickle itself refuses it
    try:
        value = pickle.loads(data)
    except Exception as error:
        if not uses.is_allowed(name, error):
            return f"error {type(error).__name__}: {error}"
        if not unchanged(objects[name], other):
            return f"changed by {error}"
        field = [key for key in path if isinstance(key, str) and key not in PICKLES]
        return "named" if field and field[-1] in str(error) else "refused"
    return used(name, value)


def unchanged(original, other):
    """Whether a living object is as before after the same state was refused."""
    state = getattr(other, "state", None)
    if state is None or not hasattr(type(original), "__setstate__"):
        return True
    living = pickle.loads(pickle.dumps(original))
    before = trees.text_of(trees.tree(living))
    try:
        living.__setstate__(pickle.loads(pickle.dumps(state)))
    except Exception:
        return trees.text_of(trees.tree(living)) == before
    return True


if __name__ == "__main__":
    campaign.main(
        "A damaged pickle is refused or works, and never crashes or hangs.", run, 1800
    )
