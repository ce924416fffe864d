"""Peers: what a user could choose instead, each written as for production use.

A peer is a class, in a file of its own name, with

    title          name in tables
    Peer(case)     an instance at the weights of the case, ready to run
    step()         one training step on the data of the case, if it can train
    predict()      output activations for the data of the case
    parameters()   every W (n_in, n_out), then every b (n_out,), as NumPy arrays

Peers do the least work for training. Data is converted to the form that each library
prefers before the timing starts; the loss is computed only if the library always does;
and settings that make a peer faster on one core are used.
"""

from importlib import import_module

#: In the order of the tables.
NAMES = ("bpcore", "reference", "by_hand", "sklearn", "torch", "jax", "onnxruntime")


def load(name):
    """The class of a peer, or None if a package that it needs is not installed."""
    try:
        return import_module(f"{__name__}.{name}").Peer
    except ModuleNotFoundError:
        return None
