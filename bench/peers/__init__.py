"""What a user would pick instead, each as a good user of it would write it.

A peer is a class, in a file of its own name, with

    title          how tables call it
    Peer(case)     an instance at the weights of the case, ready to run
    step()         one training step on the data of the case, if it can train
    predict()      output activations for the data of the case
    parameters()   every W (n_in, n_out), then every b (n_out,), as NumPy arrays

Peers do the least that trains. Data is handed over, in the form that each library likes
best, before the clock starts; the loss is computed only where the library insists; and
whatever makes a peer faster on one core is switched on.
"""

from importlib import import_module

#: In the order of the tables.
NAMES = ("bpcore", "reference", "by_hand", "sklearn", "torch", "jax", "onnxruntime")


def load(name):
    """The class of a peer, or None where a package that it needs is not installed."""
    try:
        return import_module(f"{__name__}.{name}").Peer
    except ModuleNotFoundError:
        return None
