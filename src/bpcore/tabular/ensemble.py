"""Several networks: their seeds, and their training at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.arrays import Real
from bpcore.many import fit_many
from bpcore.network import Network
from bpcore.training.history import History

#: Seeds are below this.
LIMIT = 2**31 - 1


def seeds(random_state: Any, count: int) -> list[int]:
    """The seed of each network; the first ones are those of fewer networks.

    Examples
    --------
    >>> from bpcore.tabular.ensemble import seeds
    >>> seeds(0, 3)[:2] == seeds(0, 2)
    True
    """
    if isinstance(random_state, np.random.RandomState):
        return [int(seed) for seed in random_state.randint(LIMIT, size=count)]
    if not isinstance(random_state, np.random.Generator):
        if random_state is not None:
            others = ", a Generator, a RandomState or None"
            random_state = checks.integer("random_state", random_state, 0, others)
        random_state = np.random.default_rng(random_state)
    return [int(seed) for seed in random_state.integers(LIMIT, size=count)]


def mean(members: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The mean of the predictions of networks, added in order: bits of a row alone.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.ensemble import deviation, mean
    >>> members = [np.array([1.0]), np.array([3.0])]
    >>> mean(members), deviation(members)
    (array([2.]), array([1.]))
    """
    if len(members) == 1:
        return members[0]
    total = members[0] / len(members)
    for member in members[1:]:
        total += member / len(members)
    return total


def deviation(members: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The standard deviation of the predictions of networks."""
    centre = mean(members)
    largest = np.maximum.reduce([np.abs(member - centre) for member in members])
    unit = np.where(largest > 0, largest, 1)  # squares of quotients do not overflow
    found: NDArray[Any] = unit * np.sqrt(
        mean([((member - centre) / unit) ** 2 for member in members])
    )
    return found


def train(
    networks: list[Network],
    X: Real,
    y: NDArray[Any],
    options: dict[str, Any],
    n_threads: int | str,
    verbose: bool,
) -> list[History]:
    """Train the networks, several of them at the same time; their histories."""
    if len(networks) == 1:
        networks[0].n_threads = n_threads
        return [networks[0].fit(X, y, progress=verbose, **options)]
    histories = []
    for member in fit_many(networks, X, y, n_threads=n_threads, **options):
        if member.error is not None:
            raise member.error
        assert member.history is not None  # there was no error
        histories.append(member.history)
    for network in networks:
        network.n_threads = n_threads
    return histories
