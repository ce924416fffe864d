"""Training many networks at the same time, each on one thread."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bpcore import arrays, checks
from bpcore.batches.batch import Batch
from bpcore.errors import DivergenceError, InUseError
from bpcore.interrupts import Stopped, raise_if_stopped, stopped_by
from bpcore.model.threads import n_threads as thread_count
from bpcore.network import Network, learner_of
from bpcore.quoting import quoted
from bpcore.training.fit import prepare
from bpcore.training.history import History
from bpcore.training.options import defaults, reject_option
from bpcore.training.position import checksum
from bpcore.workers import in_threads

#: Most networks named in a message.
SHOWN = 10


class Fitted(NamedTuple):
    """Result of `fit_many` for one network.

    Attributes
    ----------
    network : Network
    history : History or None
        The result of its fit, or the epochs before an error; None if it diverged
        (``network.history`` has the epochs before) or did not start.
    error : BaseException or None
        The error that ended its fit: a DivergenceError, or one raised by a callback.
    """

    network: Network
    history: History | None
    error: BaseException | None


class BaseFitErrors(BaseExceptionGroup[BaseException]):
    """Errors of some networks, with the results of all; raised by `fit_many`.

    If all errors are Exceptions, it is a `FitErrors`, and so an ExceptionGroup.

    Attributes
    ----------
    fitted : list of Fitted
        The list that `fit_many` would have returned.  Groups made by ``except*``,
        ``split`` and ``subgroup`` have it too.

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
        """A group of some of the errors, with the same `fitted`."""
        group = BaseFitErrors(self.message, errors)
        group.fitted = self.fitted
        return group


class FitErrors(BaseFitErrors, ExceptionGroup[Exception]):
    """A `BaseFitErrors` of Exceptions only."""


def fit_many(
    networks: Sequence[Network] | Callable[[Any], Network],
    X: ArrayLike,
    y: ArrayLike,
    *,
    values: Iterable[Any] | None = None,
    n_threads: int | str = "auto",
    comm: Any = None,
    **settings: Any,
) -> list[Fitted]:
    """Train many networks on the same data, one per core at the same time.

    Each network is trained on one thread without the GIL, and has the same bits as if
    it were trained alone.

    Parameters
    ----------
    networks : sequence of Network, or a function
        Different networks; or ``make(value)``, which returns one for each of `values`.
    X, y
        As for ``Network.fit``; X is converted once per dtype of the networks.
    values : iterable, optional
        If `networks` is a function, its arguments, one for each network: learning
        rates, seeds, dicts of settings.
    n_threads : int or "auto"
        Number of networks trained at the same time.
    comm : mpi4py.MPI.Comm, optional
        Processes to spread the networks over, which all call this function with the
        same arguments; in the end all have all results (bpcore.distributed).
    **settings
        As for ``Network.fit``: epochs, batch_size, validation, callbacks, ..., except
        progress, which is off.  Callbacks are called from the threads of the fits, at
        the same time if n_threads is above 1.

    Returns
    -------
    list of Fitted
        ``(network, history, error)`` for each network, in order.  A network that
        diverges has an error and no history; the others are trained to the end.

    Raises
    ------
    ValueError, TypeError
        If an argument is not as described; nothing has changed then.
    ExceptionGroup
        If callbacks, metrics or losses raise errors (other than DivergenceError).  Such
        an error ends the fit of one network only; the group of all errors is raised
        after the other networks are trained.  Its attribute ``fitted`` is the list that
        would have been returned, with the ``error`` of each network.  It is a
        BaseExceptionGroup if one is not an Exception (a KeyboardInterrupt or SystemExit
        raised by a callback).
    KeyboardInterrupt
        At an interrupt (Ctrl-C) all networks stop between two mini-batches, within a
        twentieth of a second or after the current mini-batch, if that takes longer.
        They keep their parameters, as after an interrupt of ``Network.fit``.  A
        callback that is running is waited for; then no thread is left.

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
    ready = partial(_prepared, networks, values, X, y, n_threads, settings)
    if comm is not None:
        return _results(_fitted_by_processes(comm, ready))
    many = ready()
    fitted = _train(many, range(len(many.networks)), many.threads)
    return _results([fitted[i] for i in range(len(fitted))])


class Many(NamedTuple):
    """The checked arguments of `fit_many`; `data` by dtype of the networks."""

    networks: list[Network]
    data: dict[Any, tuple[Any, Any]]
    threads: int
    settings: dict[str, Any]

    @property
    def to_compare(self) -> dict[str, Any]:
        """What must be the same in all processes, besides the networks."""
        plain = int | float | str | None
        found = {
            k: value for k, value in self.settings.items() if isinstance(value, plain)
        }
        for dtype, data in self.data.items():
            found[f"checksum of the data in {dtype}"] = checksum(Batch(*data))
        return found


def _prepared(
    networks: Any,
    values: Iterable[Any] | None,
    X: ArrayLike,
    y: ArrayLike,
    n_threads: int | str,
    settings: dict[str, Any],
) -> Many:
    """All arguments, checked before any network changes."""
    nets = _networks(networks, values)
    threads = thread_count(n_threads)
    for name in settings:
        if name not in defaults():
            reject_option("fit_many", name, (*defaults(), "values", "n_threads"))
    checks.boolean("progress", settings.get("progress", False))
    settings["progress"] = False
    for name in ("callbacks", "batch_callbacks", "metrics"):
        if isinstance(settings.get(name), Iterator):
            settings[name] = tuple(settings[name])
    shared = {dtype: _converted(nets, dtype, X, y) for dtype in {n.dtype for n in nets}}
    # A network that is in use elsewhere fails alone, when it is to be trained.
    for network in _one_of_each_kind(nets):
        with contextlib.suppress(InUseError):
            prepare(learner_of(network), network, *shared[network.dtype], settings)
    for network in nets:
        with contextlib.suppress(InUseError), learner_of(network).engine.reading():
            if not arrays.all_finite(network.parameters):
                raise ValueError("every network's parameters must be finite")
    return Many(nets, shared, threads, settings)


def _fitted_by_processes(comm: Any, ready: Callable[[], Many]) -> list[Fitted]:
    """Train the networks on several processes, and return all results."""
    from bpcore.distributed.agreement import threads_of_each
    from bpcore.distributed.mpi import team_of  # only here
    from bpcore.distributed.spread import Trained, spread

    with team_of(comm) as team:
        many = team.together(ready)
        threads = threads_of_each(team, many.threads)

        def train(numbers: list[int]) -> dict[int, Trained]:
            fitted = _train(many, numbers, threads)
            return {i: Trained(fit.history, fit.error) for i, fit in fitted.items()}

        learners = [learner_of(network) for network in many.networks]
        trained = spread(team, learners, many.to_compare, train)
    pairs = zip(many.networks, trained, strict=True)
    return [Fitted(network, *each) for network, each in pairs]


def _train(many: Many, numbers: Sequence[int], threads: int) -> dict[int, Fitted]:
    """The results of the networks with these numbers, trained in threads."""
    fitted: dict[int, Fitted] = {}
    remaining = iter(numbers)
    stop = threading.Event()

    def train(network: Network) -> History:
        with learner_of(network).single_thread():
            return network.fit(*many.data[network.dtype], **many.settings)

    def work() -> None:
        """Train remaining networks, one after another."""
        with contextlib.suppress(Stopped), stopped_by(stop):
            for i in remaining:
                network = many.networks[i]
                raise_if_stopped()
                before = learner_of(network).history
                try:
                    fitted[i] = Fitted(network, train(network), None)
                except Stopped:
                    raise
                except DivergenceError as error:
                    fitted[i] = Fitted(network, None, error)
                except BaseException as error:
                    history = learner_of(network).history
                    started = history is not before
                    fitted[i] = Fitted(network, history if started else None, error)

    # Each thread takes the next network, so that none is idle.  Even a single thread is
    # not the caller's: Ctrl-C interrupts the main thread only, so a KeyboardInterrupt
    # in a fit was raised by a callback.
    in_threads(work, min(threads, len(numbers)), stop)
    if len(fitted) < len(numbers):  # threads have ended before their work
        raise MemoryError(
            f"threads had no memory: {len(fitted)} of {len(numbers)} networks are "
            "trained; their networks' histories have the results"
        )
    return fitted


def _results(fitted: list[Fitted]) -> list[Fitted]:
    """Return the results, or raise a group of all errors except divergence."""
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
            f"{which}{more}; `fitted` has the result of each",
            [*errors.values()],
        )
        group.fitted = fitted
        raise group
    return fitted


def _one_of_each_kind(nets: Sequence[Network]) -> list[Network]:
    """One network of each kind, and every network whose kind cannot be hashed."""
    kinds: dict[Any, Network] = {}
    for network in nets:
        kind: Any = _kind(network)
        try:
            kinds[kind] = network
        except TypeError:  # for example because of a custom loss
            kinds[id(network)] = network
    return [*kinds.values()]


def _kind(network: Network) -> tuple[Any, ...]:
    """The properties of a network that settings of a fit are checked against."""
    optimizer, design = network.optimizer, learner_of(network).design
    return (
        dataclasses.replace(design, seed=0),
        network.dtype,
        type(optimizer),
        learner_of(network).reducer,
    )


def _networks(
    networks: Sequence[Network] | Callable[[Any], Network], values: Iterable[Any] | None
) -> list[Network]:
    """The networks as a list, checked to be different objects."""
    if callable(networks) and not isinstance(networks, Network):
        if values is None:
            raise TypeError(
                "values must be given where networks is a function; got None"
            )
        if not np.iterable(values):
            raise TypeError(
                f"values must be iterable, one for each network; got {quoted(values)}"
            )
        made = [networks(value) for value in values]
    elif isinstance(networks, Sequence):
        if values is not None:
            raise TypeError("values goes with a function for networks; got a sequence")
        made = list(networks)
    else:
        raise TypeError(
            "networks must be a sequence of networks, or a function that returns one "
            f"for a value; got {type(networks).__name__}"
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
    """X as an array that networks of this dtype use in place, and y as an array.

    y is not converted to the dtype, since metrics need the targets as given.
    """
    return arrays.as_contiguous("X", X, dtype), arrays.as_array("y", y)
