"""Training on one row after another inside ``fit``: no Python between two steps."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from bpcore import SGD

from .case import MOMENTUM, Case
from .peers import bpcore, reference

#: So large, and the weights below, that each parameter moves by much more than its
#: rounding: what moves less says nothing about who is right.
LEARNING_RATE = 0.1

#: Rows of one pass: enough that what a call of ``fit`` costs is lost among them.
ROWS = 2000


@dataclass(frozen=True)
class Rows(Case):
    """A case of batch size 1 that has many rows, each a training step of its own.

    The net has sigmoid units and half the squared error: all of it is in FANN too. FANN
    takes the derivative of a sigmoid as if its value were within 0.01 .. 0.99; inputs,
    weights and targets are such that it is. Both then follow the reference to a
    relative 1e-4 or so of the movement of each parameter, which is rounding.
    """

    batch: int = 1

    @cached_property
    def X(self):
        """Inputs, (ROWS, n_0), in rows about half a unit long."""
        return Case(self.net, ROWS, self.dtype).X / 4

    @cached_property
    def weights(self):
        """Initial W of every layer, (n_in, n_out), so large that each unit matters."""
        rng = np.random.default_rng(3)
        return [
            self._cast(rng.standard_normal((n_in, n_out)) / np.sqrt(n_in))
            for n_in, n_out in self.layers
        ]

    @cached_property
    def biases(self):
        """Initial b of every layer, (n_out,)."""
        rng = np.random.default_rng(4)
        return [self._cast(rng.standard_normal(n) / 2) for n in self.sizes[1:]]

    @cached_property
    def y(self):
        """Targets, (ROWS, n_L), not so far out that a sigmoid saturates."""
        rng = np.random.default_rng(2)
        return self._cast(rng.uniform(0.3, 0.7, (ROWS, self.sizes[-1])))


class Peer(bpcore.Peer):
    """``fit``, row by row in the order given; a step of it is one pass."""

    def __init__(self, case):
        super().__init__(
            case,
            activation="sigmoid",
            output="sigmoid",
            loss="squared_error",
            optimizer=SGD(lr=LEARNING_RATE, momentum=MOMENTUM),
        )
        self.step = partial(
            self._net.fit,
            *(case.X, case.y),
            epochs=1,
            batch_size=1,
            shuffle=False,
            progress=False,
        )


class Reference(Peer):
    """The same by the reference, the oracle."""

    title = reference.Peer.title
    network = reference.Peer.network
