"""Many networks at once, each on a thread of its own."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from numpy.typing import ArrayLike

from bpcore import _validation as door
from bpcore import fitting
from bpcore.errors import DivergenceError
from bpcore.history import History
from bpcore.network import Network
from bpcore.threads import n_threads as thread_count


class Fitted(NamedTuple):
    """One of many networks.

    Attributes
    ----------
    network : Network
    history : History or None
        What its fit returned.
    error : DivergenceError or None
        Why there is no history.
    """

    network: Network
    history: History | None
    error: DivergenceError | None


def fit_many(
    networks: Sequence[Network] | Callable[[Any], Network],
    X: ArrayLike,
    y: ArrayLike,
    *,
    values: Iterable[Any] | None = None,
    n_threads: int | str = "auto",
    **settings: Any,
) -> list[Fitted]:
    """Train many networks on the same data, as many at a time as there are cores.

    Each network works on one thread, without the interpreter's lock, and has the same
    bits afterwards as if it had been trained alone.

    Parameters
    ----------
    networks : sequence of Network, or a function
        Different networks; or ``make(value)``, which makes one for each of `values`.
    X, y
        As for ``Network.fit``; X is converted once for all networks of a dtype.
    values : iterable, optional
        One for each network, where `networks` is a function: learning rates, seeds,
        dicts of settings.
    n_threads : int or "auto"
        How many networks train at a time.
    **settings
        As for ``Network.fit``: epochs, batch_size, validation, callbacks, ...; but
        progress, which is off.  Callbacks may be called from several threads at a time.

    Returns
    -------
    list of Fitted
        ``(network, history, error)`` for each, in the order given.  One that diverges
        has an error and no history; the others go on.

    Raises
    ------
    ValueError, TypeError
        Before anything has changed, if an argument is not as described.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> def make(lr):
    ...     return bp.Network([1, 8, 1], optimizer=bp.Adam(lr), rng=0)
    >>> fitted = bp.fit_many(make, X, X**2, values=[0.1, 0.01, 0.001], epochs=50)
    >>> best = min(fitted, key=lambda fit: fit.history.loss[-1])
    >>> best.network.optimizer
    Adam(lr=0.1)
    """
    nets = _networks(networks, values)
    threads = min(thread_count(n_threads), len(nets))
    door.yes_or_no("progress", settings.get("progress", False))
    settings["progress"] = False
    for name in ("callbacks", "batch_callbacks", "metrics"):
        if isinstance(settings.get(name), Iterator):
            settings[name] = tuple(settings[name])
    shared = {dtype: _converted(nets, dtype, X, y) for dtype in {n.dtype for n in nets}}

    # Nothing changes in any before all is known to be right.
    for network in {_kind(network): network for network in nets}.values():
        plateau = network._plateau
        try:
            all_settings = {**_defaults(), **settings}
            fitting.prepare(network, *shared[network.dtype], **all_settings)
        finally:
            network._plateau = plateau
    for network in nets:
        if not door.all_finite(network.parameters):
            raise ValueError("every network's parameters must be finite")

    def train(network: Network) -> Fitted:
        kept = network._n_threads
        network.n_threads = 1
        try:
            return Fitted(
                network, network.fit(*shared[network.dtype], **settings), None
            )
        except DivergenceError as error:
            return Fitted(network, None, error)
        finally:
            network.n_threads = kept

    fitted: dict[int, Fitted] = {}
    left = iter(enumerate(nets))

    def train_what_is_left() -> None:
        for i, network in left:
            fitted[i] = train(network)

    if threads == 1:
        train_what_is_left()
    else:
        from concurrent.futures import ThreadPoolExecutor  # not at every import

        # One job for each thread, not for each network: nobody waits in between.
        with ThreadPoolExecutor(threads, thread_name_prefix="bpcore") as pool:
            jobs = [pool.submit(train_what_is_left) for _ in range(threads)]
        for job in jobs:
            job.result()
    return [fitted[i] for i in range(len(nets))]


@cache
def _defaults() -> dict[str, Any]:
    """What ``Network.fit`` takes where nothing is said."""
    parameters = inspect.signature(Network.fit).parameters
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    return {name: defaults[name] for name in defaults if name not in ("self", "X", "y")}


def _kind(network: Network) -> tuple[Any, ...]:
    """What decides which settings of a fit a network can take."""
    optimizer, design = network.optimizer, network._design
    return (
        dataclasses.replace(design, seed=0),
        network.dtype,
        type(optimizer),
        network._reducer,
    )


def _networks(
    networks: Sequence[Network] | Callable[[Any], Network], values: Iterable[Any] | None
) -> list[Network]:
    """The networks, every one of them another."""
    if callable(networks) and not isinstance(networks, Network):
        if values is None:
            raise TypeError(
                "values must be given where networks is a function; got None"
            )
        if not isinstance(values, Iterable):
            raise TypeError(f"values must be iterable, one for each; got {values!r}")
        made = [networks(value) for value in values]
    elif isinstance(networks, Sequence):
        if values is not None:
            raise TypeError("values goes with a function for networks; got a sequence")
        made = list(networks)
    else:
        raise TypeError(
            "networks must be a sequence of networks, or a function that makes one of "
            f"a value; got {type(networks).__name__}"
        )
    for network in made:
        door.instance("each of networks", network, Network)
    if len({id(network) for network in made}) < len(made):
        raise ValueError("networks must be different ones; got one of them twice")
    if not made:
        raise ValueError("networks must not be empty; got none")
    return made


def _converted(
    nets: Sequence[Network], dtype: Any, X: ArrayLike, y: ArrayLike
) -> tuple[Any, Any]:
    """X as the networks of this dtype can use it where it lies, and y as an array.

    Metrics are of the targets as they were given, in no network's dtype.
    """
    return door.as_dtype("X", X, dtype), door.as_array("y", y)
