"""Training on one row after another inside ``fit``, without Python between steps."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from bpcore import SGD

from .case import MOMENTUM, Case
from .peers import bpcore, reference
from .timing import clocked

#: So large, as the weights below, that each parameter changes by much more than its
#: rounding error, and can be compared.
LEARNING_RATE = 0.1

#: Rows of one pass.
ROWS = 2000


@dataclass(frozen=True)
class Rows(Case):
    """A case of batch size 1 with many rows, each a training step.

    The network has sigmoid units and half the squared error, which FANN has too. For
    the derivative FANN clips the sigmoid to 0.01 .. 0.99; inputs, weights and targets
    are such that this has no effect. Both then agree with the reference to about 1e-4
    of the change of each parameter, which is rounding.
    """

    batch: int = 1

    @cached_property
    def X(self):
        """Inputs, (ROWS, n_0), rows of norm about 0.5."""
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
        """Targets, (ROWS, n_L), in a range where a sigmoid does not saturate."""
        rng = np.random.default_rng(2)
        return self._cast(rng.uniform(0.3, 0.7, (ROWS, self.sizes[-1])))


class Peer(bpcore.Peer):
    """``fit``, row by row in the given order; its `step` is one pass."""

    def __init__(self, case):
        super().__init__(
            case,
            activation="sigmoid",
            output="sigmoid",
            loss="squared_error",
            optimizer=SGD(lr=LEARNING_RATE, momentum=MOMENTUM),
        )
        self.step = Passes(self._net, case)


class Passes:
    """An action of `bench.timing`: a call is one pass over the rows.

    Several passes are one call of ``fit``, whose checks of the data are made once, as
    FANN's passes are one command to its program.

    Parameters
    ----------
    net : bpcore.Network
    case : Rows
    """

    def __init__(self, net, case):
        self._fit = partial(
            net.fit, case.X, case.y, batch_size=1, shuffle=False, progress=False
        )

    def __call__(self):
        """One pass."""
        self._fit(epochs=1)

    def time(self, calls):
        """Seconds of so many passes, and of these the seconds waiting for a core."""
        return clocked(partial(self._fit, epochs=calls))


class Reference(Peer):
    """The same by the reference, as oracle."""

    title = reference.Peer.title
    network = reference.Peer.network
