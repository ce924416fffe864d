"""The attributes of a fitted estimator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from bpcore.network import Network
from bpcore.sklearn.targets import Targets
from bpcore.training.history import History


class Past(NamedTuple):
    """The epochs before a call that continues a training; none by default."""

    n_iter: int = 0
    loss: float = math.nan
    losses: Sequence[float] = ()
    validation_losses: Sequence[float] = ()


def fitted_attributes(
    network: Network, history: History, targets: Targets, past: Past
) -> dict[str, Any]:
    """The attributes of an estimator after a call, by name.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.sklearn.columns import Columns
    >>> from bpcore.sklearn.fitted import Past, fitted_attributes
    >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
    >>> history = net.fit([[1.0]], [[2.0]], epochs=2, progress=False)
    >>> fitted = fitted_attributes(net, history, Columns(1), Past())
    >>> fitted["n_iter_"], fitted["loss_curve_"], fitted["loss_"]
    (2, [2.0, 0.0], 0.0)
    """
    losses = history.loss.tolist()
    validation_losses = history.validation_loss.tolist()
    return {
        "network_": network,
        "history_": history,
        "n_iter_": past.n_iter + len(losses),
        "loss_": losses[-1] if losses else past.loss,
        "loss_curve_": [*past.losses, *losses],
        "validation_loss_curve_": [*past.validation_losses, *validation_losses],
        "stopped_": history.stopped,
        "n_outputs_": targets.n_out,
        "targets_": targets,
        **targets.attributes,
    }
