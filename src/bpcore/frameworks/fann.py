"""Networks of FANN, the Fast Artificial Neural Network Library, as its text files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.files.fann.forms import WRITTEN
from bpcore.files.fann.read import read
from bpcore.files.fann.write import write
from bpcore.files.regular import errors_of
from bpcore.losses import Loss, LossFunction
from bpcore.model.assembly import assemble
from bpcore.model.design import real_dtype
from bpcore.network import Network, learner_of, network_of
from bpcore.quoting import quoted


def from_fann(
    path: str | os.PathLike[str],
    *,
    dtype: Any = "float32",
    loss: str | Loss | LossFunction | None = None,
) -> Network:
    """A network from a text file of FANN, ``.net``, of kind FANN_FLO_2.1.

    A unit of FANN computes f(s x), x the sum of its inputs; its steepness s is
    multiplied into W and b, exactly::

        FANN_LINEAR               s x                           identity
        FANN_SIGMOID              1 / (1 + exp(-2 s x))         sigmoid
        FANN_SIGMOID_SYMMETRIC    tanh(s x)                     tanh
        FANN_ELLIOT               s x / 2 / (1 + |s x|) + 1/2   softsign, then a factor
        FANN_ELLIOT_SYMMETRIC     s x / (1 + |s x|)             softsign
        FANN_LINEAR_PIECE         min(max(s x, 0), 1)           hard_sigmoid
        FANN_LINEAR_PIECE_SYMMETRIC  min(max(s x, -1), 1)       hard_tanh

    FANN itself limits s x to 150 in magnitude.

    Parameters
    ----------
    path : path
    dtype : float32 or float64
    loss : str, Loss or callable, optional
        As for `Network`.

    Returns
    -------
    Network

    Raises
    ------
    ModelFileError
        If the file is damaged or of another kind (fixed point, another version), or has
        shortcuts, missing connections, or an activation that this library lacks.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> import bpcore as bp
    >>> net = bp.Network([2, 3, 1], activation="tanh", rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "xor.net")
    ...     bp.to_fann(net, path)
    ...     same = bp.from_fann(path)
    >>> bool(abs(same.predict([1.0, 2.0]) - net.predict([1.0, 2.0])) < 1e-6)
    True
    """
    checked = real_dtype(dtype)
    elements = read(path)
    with errors_of(path):
        return network_of(*assemble(elements, checked, loss))


def to_fann(network: Network, path: str | os.PathLike[str]) -> None:
    """Write a network as a text file of FANN, or leave the file as it was.

    Batch norm and `input_scale` are multiplied into the weights.

    Parameters
    ----------
    network : Network
        With the activations identity, sigmoid, tanh, softsign, hard_sigmoid and
        hard_tanh, and without layer norm.
    path : path

    Raises
    ------
    ValueError
        If FANN lacks an activation or a norm of the network.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import os, tempfile
    >>> import bpcore as bp
    >>> net = bp.Network([2, 3, 1], activation="sigmoid", rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bp.to_fann(net, os.path.join(folder, "a.net"))
    ...     os.listdir(folder)
    ['a.net']
    """
    checks.instance("network", network, Network)
    for name in network.activations:
        if name not in WRITTEN:
            raise ValueError(
                f"network must have activations of {', '.join(WRITTEN)}; "
                f"got {quoted(name)}"
            )
    if "layer" in network.norms:
        raise ValueError("network must not have layer norm: FANN has none")
    design, state = learner_of(network).folded()
    if not np.isfinite(state.parameters).all():
        raise ValueError("the parameters must be finite")
    parts = design.layout.views(state.parameters)
    write(path, design.activations, parts.weights, parts.biases)
