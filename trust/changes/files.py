"""Calls that write and read files of networks, for `trust.interrupts`.

The subject is a network and a folder with a file of another one: after an interrupt the
file is the old one or the new one, and nothing lies beside it.
"""

import os
import shutil
import tempfile
from functools import partial

import bpcore as bp
from trust.changes.change import QUIET, Change, X, Y, network, network_fault, state_of
from trust.changes.networks import EVERY_EPOCH, HELD_BACK, nothing


class Folder:
    """A network, and a file in a folder that is removed with this object."""

    def __init__(self, make, old):
        self.net, self.name = make(), tempfile.mkdtemp(prefix="bpcore-trust-")
        self.path = os.path.join(self.name, "net.bpc")
        old(self)

    def __del__(self):
        shutil.rmtree(self.name, ignore_errors=True)


def save_other(folder):
    network(rng=5).save(folder.path, sync=False)


def stop_in_the_middle(folder):
    """A file of a fit of five epochs after its second one, with the best epoch."""
    saving = bp.Checkpoint(folder.path, sync=False)
    net = EVERY_EPOCH()
    net.fit(X, Y, epochs=2, callbacks=[saving], **HOW)


HOW = {"batch_size": 7, "restore_best": True, **HELD_BACK, **QUIET}


def save(folder):
    folder.net.save(folder.path, sync=False)


def save_at_checkpoints(folder, after_epoch=nothing):
    saving = bp.Checkpoint(folder.path, sync=False)
    how = {"epochs": 3, "batch_size": 7, "callbacks": [saving, after_epoch]}
    folder.net.fit(X, Y, **how, **QUIET)


def resume(folder, after_epoch=nothing):
    how = {"epochs": 5, "resume": folder.path, "callbacks": [after_epoch]}
    folder.net.fit(X, Y, **how, **HOW)


def state_of_both(folder):
    return state_of(folder.net)[0], state_of(bp.load(folder.path))[0]


def state_of_file(folder):
    return state_of(bp.load(folder.path))


def fault(folder):
    there = os.listdir(folder.name)
    if there != ["net.bpc"]:
        return f"the folder has {there}"
    return network_fault(folder.net)


def epochs_of_file(change):
    """The file before and after each epoch."""
    folder = change.make()
    found = {change.state(folder)}

    def note(net, history):
        found.add(change.state(folder))

    change.change(folder, note)
    return found


def epochs_resumed(change):
    """The network before, at the point of the file, and after each epoch."""
    folder = change.make()
    found = {state_of(folder.net), state_of(bp.load(folder.path))}

    def note(net, history):
        found.add(state_of(net))

    change.change(folder, note)
    whole = EVERY_EPOCH()  # the same fit from its start: its epochs may be restored
    found.add(state_of(whole))
    whole.fit(X, Y, epochs=5, callbacks=[note], **HOW)
    found.add(state_of(whole))
    return found


def changes():
    """All of them."""
    over_old = partial(Folder, network, save_other)
    yield Change("save", over_old, save, None, state_of_both, fault)
    yield Change(
        "Checkpoint",
        over_old,
        save_at_checkpoints,
        epochs_of_file,
        state_of_file,
        fault,
    )
    yield Change(
        "fit, resume",
        partial(Folder, EVERY_EPOCH, stop_in_the_middle),
        resume,
        epochs_resumed,
        lambda folder: state_of(folder.net),
        fault,
    )
