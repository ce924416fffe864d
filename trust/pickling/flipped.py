"""Pickles with bytes changed, and their safe loading."""

import io
import pickle

from trust.pickling.trees import PACKAGES


def flipped(data, choose):
    """Bytes with one to three of them changed, deleted or doubled."""
    data = bytearray(data)
    for _ in range(int(choose.choice([1, 1, 1, 2, 3]))):
        data = data or bytearray(1)
        at, kind = int(choose.integers(len(data))), int(choose.integers(9))
        if kind < 6:
            data[at] ^= 1 << int(choose.integers(8))
        elif kind == 6:
            data[at] = int(choose.integers(256))
        elif kind == 7:
            del data[at : at + int(choose.integers(1, 9))]
        else:
            data[at:at] = data[at : at + int(choose.integers(1, 9))]
    return bytes(data)


class Anything:
    """In the place of a class or function of this library; it takes whatever comes."""

    def __new__(cls, *arguments, **named):
        """An empty one."""
        return super().__new__(cls)

    def __setstate__(self, state):
        """Nothing."""


class Restricted(pickle.Unpickler):
    """An unpickler of names of bpcore, and of those in `allowed`.

    Others, which a flipped byte may name, are not tried: they may do anything.  With
    `bare`, `Anything` takes the place of all names of bpcore.
    """

    def __init__(self, data, allowed, buffers=None, bare=False):
        super().__init__(io.BytesIO(data), buffers=buffers)
        self.allowed, self.bare = allowed, bare

    def find_class(self, module, name):
        """The class or function of a name; remembers all if `allowed` is a list."""
        is_own = module.startswith(PACKAGES)
        if isinstance(self.allowed, list):
            self.allowed.append((module, name))
        elif (module, name) not in self.allowed and not is_own:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return Anything if is_own and self.bare else super().find_class(module, name)


def names_in(data, buffers=None):
    """The names that a pickle needs."""
    found = []
    Restricted(data, found, buffers).load()
    return frozenset(found)
