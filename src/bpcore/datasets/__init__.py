"""Data sets in the form `Network.fit` takes: rows of floats and integer labels.

`load_digits` needs nothing but the package; `load_mnist` and `load_idx` read files of
the user's.
"""

from bpcore.datasets.digits import load_digits
from bpcore.datasets.idx import load_idx
from bpcore.datasets.mnist import load_mnist

__all__ = ["load_digits", "load_idx", "load_mnist"]
