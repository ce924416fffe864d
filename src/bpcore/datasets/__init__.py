"""Data sets in the form `Network.fit` takes: rows of floats and integer labels."""

from bpcore.datasets.idx import load_digits, load_idx, load_mnist

__all__ = ["load_digits", "load_idx", "load_mnist"]
