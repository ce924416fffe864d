"""Many networks at once, each on a thread of its own."""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

from numpy.typing import ArrayLike

from bpcore import arrays, checks
from bpcore.errors import DivergenceError
from bpcore.interrupts import SLICE, Stopped, raise_if_stopped, stopped_by
from bpcore.model.threads import n_threads as thread_count
from bpcore.network import Network
from bpcore.training.fit import prepare
from bpcore.training.history import History
from bpcore.training.options import defaults

#: Seconds after an interrupt within which another one is ignored: threads stop by then,
#: unless a callback goes on.
PATIENCE = 1.0

#: Networks that a message names.
SHOWN = 10


class Fitted(NamedTuple):
    """One of many networks.

    Attributes
    ----------
    network : Network
    history : History or None
        What its fit returned, or the epochs before an error; None where it diverged
        (``network.history`` has the epochs before) or did not begin.
    error : BaseException or None
        What ended its fit, if anything: a DivergenceError, or what a callback raised.
    """

    network: Network
    history: History | None
    error: BaseException | None


class BaseFitErrors(BaseExceptionGroup[BaseException]):
    """Errors of some networks, with what has come of all; made by `fit_many`.

    It is a `FitErrors`, so an ExceptionGroup, where all of them are Exceptions.

    Attributes
    ----------
    fitted : list of Fitted
        What `fit_many` would have returned.  What ``except*``, ``split`` and
        ``subgroup`` make of the group has it too.

    Examples
    --------
    >>> import bpcore as bp
    >>> def check(network, history):
    ...     if network is nets[1]:
    ...         raise KeyError("mine")
    >>> nets = [bp.Network([1, 1], rng=0), bp.Network([1, 1], rng=1)]
    >>> try:
    ...     bp.fit_many(nets, [[1.0]], [[2.0]], callbacks=[check])
    ... except* KeyError as group:
    ...     [len(fit.history) for fit in group.fitted]
    [10, 1]
    """

    fitted: list[Fitted]

    def __new__(cls, message: str, errors: Sequence[BaseException]) -> BaseFitErrors:
        exceptions = all(isinstance(error, Exception) for error in errors)
        return super().__new__(FitErrors if exceptions else cls, message, errors)

    def derive(self, errors: Sequence[BaseException]) -> BaseFitErrors:  # type: ignore[override]
        """The same with some of the errors."""
        group = BaseFitErrors(self.message, errors)
        group.fitted = self.fitted
        return group


class FitErrors(BaseFitErrors, ExceptionGroup[Exception]):
    """Of Exceptions only."""


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
        progress, which is off.  Callbacks are called from threads made for the fits,
        several at a time where n_threads is above 1.

    Returns
    -------
    list of Fitted
        ``(network, history, error)`` for each, in the order given.  One that diverges
        has an error and no history; the others go on.

    Raises
    ------
    ValueError, TypeError
        Before anything has changed, if an argument is not as described.
    ExceptionGroup
        Of all errors but DivergenceError that callbacks, metrics or losses raise, after
        all other networks have been trained: whatever they raise ends the fit of one
        network only.  Its attribute ``fitted`` is the list that would have been
        returned, with the ``error`` of each.  A BaseExceptionGroup, if one is no
        Exception (a KeyboardInterrupt or SystemExit raised by a callback).
    KeyboardInterrupt
        At an interrupt (Ctrl-C) all networks stop, each between two mini-batches: after
        the one being computed, or after a twentieth of a second, whichever is longer.
        They keep what they have learnt, as after an interrupt of ``Network.fit``, and
        no thread goes on.  A callback is waited for.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> def make(lr):
    ...     return bp.Network([1, 8, 1], optimizer=bp.Adam(lr), rng=0)
    >>> fitted = bp.fit_many(make, X, X**2, values=[0.1, 0.01, 0.001], epochs=50)
    >>> finished = [fit for fit in fitted if fit.error is None]  # did not diverge
    >>> best = min(finished, key=lambda fit: fit.history.loss[-1])
    >>> best.network.optimizer
    Adam(lr=0.1)
    """
    nets = _networks(networks, values)
    threads = min(thread_count(n_threads), len(nets))
    for name in settings:
        if name not in defaults():
            _reject_setting(name)
    checks.boolean("progress", settings.get("progress", False))
    settings["progress"] = False
    for name in ("callbacks", "batch_callbacks", "metrics"):
        if isinstance(settings.get(name), Iterator):
            settings[name] = tuple(settings[name])
    shared = {dtype: _converted(nets, dtype, X, y) for dtype in {n.dtype for n in nets}}

    # Nothing changes in any before all is known to be right.
    for network in _one_of_each_kind(nets):
        prepare(network.learner, network, *shared[network.dtype], settings)
    for network in nets:
        if not arrays.all_finite(network.parameters):
            raise ValueError("every network's parameters must be finite")

    fitted: dict[int, Fitted] = {}
    left = iter(enumerate(nets))
    stop = threading.Event()

    def train(network: Network) -> History:
        with network.learner.single_thread():
            return network.fit(*shared[network.dtype], **settings)

    def work() -> None:
        """Train one after the other of those that are left."""
        with contextlib.suppress(Stopped), stopped_by(stop):
            for i, network in left:
                raise_if_stopped()
                before = network.learner.history
                try:
                    fitted[i] = Fitted(network, train(network), None)
                except Stopped:
                    raise
                except DivergenceError as error:
                    fitted[i] = Fitted(network, None, error)
                except BaseException as error:
                    history = network.learner.history
                    begun = history is not before
                    fitted[i] = Fitted(network, history if begun else None, error)

    # One job for each thread, not for each network: none waits in between.  A single
    # thread is another one than the caller's too: an interrupt (Ctrl-C) comes to the
    # main thread, so one that a fit raises is a callback's, for any number of threads.
    _run_in_threads(work, threads, stop)
    return _results([fitted[i] for i in range(len(nets))])


def _run_in_threads(
    work: Callable[[], None], count: int, stop: threading.Event
) -> None:
    """Run in so many threads; if interrupted, set `stop` and wait for them."""
    # Not by Thread.join alone: an interrupt of it may take a thread for ended.
    finished = [threading.Event() for _ in range(count)]

    def run(own: threading.Event) -> None:
        try:
            work()
        finally:
            own.set()

    threads: list[threading.Thread] = []
    errors: list[BaseException] = []
    end = math.inf
    try:
        while True:
            try:
                for i in range(len(threads), 0 if errors else count):
                    thread = threading.Thread(
                        # Callbacks see the caller's context, np.errstate too.
                        target=contextvars.copy_context().run,
                        args=(run, finished[i]),
                        name=f"bpcore_{i}",
                    )
                    threads.append(thread)
                    thread.start()
                if errors:
                    stop.set()
                    end = min(end, time.monotonic() + PATIENCE)
                for thread, own in zip(threads, finished, strict=False):
                    # Without an ident it has not begun; if it does, it finds `stop`.
                    while thread.ident is not None and not own.wait(SLICE):
                        if not errors:
                            raise_if_stopped()
                    if thread.ident is not None:
                        thread.join()
                break
            except BaseException as error:
                errors.append(error)
                if time.monotonic() > end:
                    raise
        if errors:
            raise errors[0]
    finally:
        stop.set()


def _results(fitted: list[Fitted]) -> list[Fitted]:
    """These, or an ExceptionGroup of all errors that are not divergence."""
    errors = {
        i: fit.error
        for i, fit in enumerate(fitted)
        if fit.error is not None and not isinstance(fit.error, DivergenceError)
    }
    if errors:
        which = ", ".join(map(str, [*errors][:SHOWN]))
        more = ", ..." if len(errors) > SHOWN else ""
        group = BaseFitErrors(
            f"{len(errors)} of {len(fitted)} networks ended in an error, at index "
            f"{which}{more}; `fitted` has what has come of each",
            [*errors.values()],
        )
        group.fitted = fitted
        raise group
    return fitted


def _reject_setting(name: str) -> NoReturn:
    """Raise for what ``Network.fit`` does not take."""
    import difflib  # only to be helpful

    names = (*defaults(), "values", "n_threads")
    near = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise TypeError(f"fit_many() got an unexpected keyword argument {name!r}{hint}")


def _one_of_each_kind(nets: Sequence[Network]) -> list[Network]:
    """One network of each kind; each one of which the settings cannot be hashed."""
    kinds: dict[Any, Network] = {}
    for network in nets:
        kind: Any = _kind(network)
        try:
            kinds[kind] = network
        except TypeError:  # a loss of the caller's, say
            kinds[id(network)] = network
    return [*kinds.values()]


def _kind(network: Network) -> tuple[Any, ...]:
    """What decides which settings of a fit a network can take."""
    optimizer, design = network.optimizer, network.learner.design
    return (
        dataclasses.replace(design, seed=0),
        network.dtype,
        type(optimizer),
        network.learner.reducer,
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
        checks.instance("each of networks", network, Network)
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
    return arrays.as_contiguous("X", X, dtype), arrays.as_array("y", y)
