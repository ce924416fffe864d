"""Early stopping over several calls of `fit` and `partial_fit`."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple

from bpcore.network import Network
from bpcore.training.watch import Watch


class Stopping(NamedTuple):
    """Early stopping after a call, from which the next one goes on.

    Examples
    --------
    >>> from bpcore.sklearn.stopping import Stopping
    >>> Stopping()
    Stopping(monitor='', best=inf, waited=0, network=None)
    """

    monitor: str = ""
    """The quantity; none before the first call."""
    best: float = math.inf
    """Its best value, with its sign changed if larger is better."""
    waited: int = 0
    """Epochs without a better one."""
    network: Network | None = None
    """A copy of the best network."""

    def go_on(self, watch: Watch, *, anew: bool) -> None:
        """Let `watch` go on from here, if it is of the same quantity.

        If its patience has run out, it begins to count `anew`, or is over.
        """
        if self.monitor != watch.monitor:
            return
        watch.best, watch.waited = self.best, self.waited
        if watch.is_over and anew:
            watch.waited = 0

    def after(self, watch: Watch, network: Network | None, better: bool) -> Stopping:
        """Early stopping after one more call, which made the network.

        The network is copied if it is `better` than the one before; None copies none.
        """
        best = None
        if network is not None:
            is_first = self.network is None
            best = copy.copy(network) if better or is_first else self.network
        return Stopping(watch.monitor, watch.best, watch.waited, best)
