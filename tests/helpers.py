"""What the tests share."""

import pickle

from bpcore.network import Network


def everything(net):
    """All that a network is, as bytes: equal where every bit is.

    Functions, which may be among the settings, by their names.
    """
    state = Network.__getstate__(net)
    stored = state.pop("_bpcore_network")
    try:
        lr = net.lr
    except Exception as error:  # a schedule of the caller's that fails now
        lr = error
    settings = repr((stored.pop("design"), stored.pop("optimizer"), lr))
    return pickle.dumps((state, stored, settings))


def trained(net):
    """All that training changes, as bytes; networks may differ in their settings."""
    return pickle.dumps((net.learner.state.to_arrays(), net.lr))
