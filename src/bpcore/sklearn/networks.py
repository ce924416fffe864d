"""Networks from the parameters of an estimator: new, or to train further."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from bpcore import checks
from bpcore.model.design import Design, real_dtype
from bpcore.network import Network, learner_of
from bpcore.sklearn.settings import optimizer_of

#: Parameters of estimators that are arguments of `Network` with the same meaning.
DESIGN = ("activation", "norm", "dropout", "input_noise", "input_scale")
SAME = (*DESIGN, "init", "bias_init", "parametrization", "dtype", "n_threads")

#: The largest seed drawn from a RandomState, which all versions of NumPy can draw.
LARGEST_SEED = 2**31 - 1


def new_network(
    parameters: Mapping[str, Any], ends: tuple[int, int], output: Any, loss: Any
) -> Network:
    """A new network.

    Parameters
    ----------
    parameters : mapping
        Those of an estimator, by name.
    ends : (int, int)
        Inputs and outputs of the network.
    output, loss
        Activation of its output, and its loss.
    """
    return Network(
        _sizes(parameters, ends),
        output=output,
        loss=loss,
        optimizer=_optimizer(parameters),
        rng=seed_of(parameters["random_state"]),
        **{name: parameters[name] for name in SAME},
    )


def network_to_continue(
    network: Network,
    parameters: Mapping[str, Any],
    ends: tuple[int, int],
    output: Any,
    loss: Any,
) -> Network:
    """The network, or a copy with another optimizer if that was changed.

    The network itself then stays as it is if there is an error later on.

    Raises
    ------
    ValueError
        If the parameters of the network were changed.
    """
    design = learner_of(network).design
    wanted = Design.checked(
        _sizes(parameters, ends),
        output=output,
        loss=loss,
        **{name: parameters[name] for name in DESIGN},
    )
    dtype = real_dtype(parameters["dtype"])
    if (
        dataclasses.replace(wanted, seed=design.seed) != design
        or network.dtype != dtype
    ):
        raise ValueError(
            "the parameters of the network must be those of the training that is "
            "continued, except the optimizer: fit anew with warm_start=False"
        )
    optimizer = _optimizer(parameters)
    if network.optimizer != optimizer:
        network = copy.copy(network)
        network.optimizer = optimizer
    network.n_threads = parameters["n_threads"]
    return network


def seed_of(random_state: Any) -> int:
    """The network's source of random numbers, from that of an estimator.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.sklearn.networks import seed_of
    >>> seed_of(3), seed_of(np.random.RandomState(3))
    (3, 218175338)
    """
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    # None stands for the global state of NumPy, as in scikit-learn.
    return int(check_random_state(random_state).randint(LARGEST_SEED))


def _sizes(parameters: Mapping[str, Any], ends: tuple[int, int]) -> list[int]:
    """The sizes of the network."""
    hidden = parameters["hidden_layer_sizes"]
    if not isinstance(hidden, Sequence) and np.ndim(hidden) == 0:
        hidden = [hidden]
    units = [checks.integer("hidden_layer_sizes", n, 1) for n in list(hidden)]
    return [ends[0], *units, ends[1]]


def _optimizer(parameters: Mapping[str, Any]) -> Any:
    """The settings of the update."""
    names = ("optimizer", "lr", "schedule", "epochs")
    return optimizer_of(*(parameters[name] for name in names))
