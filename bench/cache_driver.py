"""The process whose parts are counted: each kernel at each layer, called twice.

python -m bench.cache_driver float32 200x784x100 256x256x256

Its parts: the start; nothing, which is what a mark costs; and for every layer and
kernel a first call, for the caches, and a second one.
"""

import sys

import bpcore

from . import operations
from .callgrind import MARK
from .layer import Layer


def main():
    """Make the arrays of all layers, then call the kernels."""
    dtype, *sizes = sys.argv[1:]
    layers = [Layer.of(text, dtype) for text in sizes]
    calls = [
        operation(bpcore.kernels, layer)[0]
        for layer in layers
        for operation in operations.ALL
    ]
    MARK()
    MARK()
    for call in calls:
        call()
        MARK()
        call()
        MARK()


if __name__ == "__main__":
    main()
