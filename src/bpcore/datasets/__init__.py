"""Data sets as `Network.fit` takes them: rows of floats and integer labels.

`load_digits` reads a file of the package; `load_mnist` and `load_idx` read the user's
files.
"""

from bpcore.datasets.digits import load_digits
from bpcore.datasets.idx import load_idx
from bpcore.datasets.mnist import load_mnist

__all__ = ["load_digits", "load_idx", "load_mnist"]
