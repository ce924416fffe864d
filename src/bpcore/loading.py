"""load: a network or an estimator from a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bpcore import checks
from bpcore.files.native.model_file import opened_model
from bpcore.files.native.network_file import NETWORK
from bpcore.files.native.networks import HowToRead
from bpcore.files.regular import errors_of, size_of
from bpcore.files.whole import Path
from bpcore.network import network_from, network_of
from bpcore.quoting import quoted

#: Kinds of files that need scikit-learn.
OF_SCIKIT_LEARN = ("sklearn.Classifier", "sklearn.Regressor")


def load(
    path: Path,
    *,
    mmap: bool = False,
    weights_only: bool = False,
    loss: Callable[..., Any] | None = None,
    lr: Callable[..., Any] | None = None,
) -> Any:
    """A network, or an estimator, from a file that its method ``save`` wrote, or ONNX.

    It is the network as it was: predictions, training steps, random numbers and the
    schedule of the learning rate go on with the same bits.  A file can execute nothing:
    it holds numbers and texts, and names from closed lists.

    An ONNX file (``.onnx``), whoever wrote it, is read if its graph is a sequence of
    what this library has: products with constant matrices, sums, activations, batch and
    layer norm.  The network trains anew, with the default optimizer.

    Parameters
    ----------
    path : path
    mmap : bool
        Whether the weights are a map of the file, for predictions: it is loaded in
        about a millisecond whatever its size, and processes that load the same file
        share its memory.  The optimizer is not read, and the numbers are not checked.
        Training changes a copy in memory, not the file.
    weights_only : bool
        Whether the optimizer and its state are not read: the network then has the
        default optimizer, and trains anew.
    loss : callable, optional
        The function of a custom loss, of which the file has the name only.  Predictions
        need none.
    lr : callable, optional
        The function of the schedule of the learning rate, likewise.

    Returns
    -------
    Network, or a ``Classifier`` or ``Regressor`` of ``bpcore.tabular`` or
    ``bpcore.sklearn``

    Raises
    ------
    OSError
        If the file cannot be opened.
    ModelFileError
        If it is not a file of this kind, is damaged, or has what this version lacks.

    Examples
    --------
    >>> import os, tempfile
    >>> import bpcore as bp
    >>> net = bp.Network([2, 8, 1], rng=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "net.bpc")
    ...     net.save(path)
    ...     same = bp.load(path)
    >>> bool(same.predict([1.0, 2.0]) == net.predict([1.0, 2.0]))
    True
    """
    for name, function in (("loss", loss), ("lr", lr)):
        if function is not None and not callable(function):
            raise TypeError(
                f"{name} must be a callable or None; got {quoted(function)}"
            )
    if is_onnx(path):
        if mmap or loss is not None or lr is not None:
            raise ValueError("mmap, loss and lr are for native files, not for ONNX")
        from bpcore.files.onnx.read import read  # needed for such files only

        design, state, _ = read(path)
        return network_of(design, state)
    how = HowToRead(
        checks.boolean("mmap", mmap),
        checks.boolean("weights_only", weights_only),
        loss,
        lr,
    )
    with opened_model(path) as (content, file):
        kind = content.pop("kind")
        if kind == NETWORK:
            return network_from(content, file, how)
        if kind in OF_SCIKIT_LEARN:
            from bpcore import sklearn  # needed for such files only
            from bpcore.sklearn.file import estimator_from

            new = getattr(sklearn, kind.partition(".")[2])
            return estimator_from(new, content, file, how)
        from bpcore.tabular import reading  # only here: it may import scikit-learn

        if kind in reading.KINDS:
            return reading.estimator_from(kind, content, file, how)
        kinds = ", ".join([NETWORK, *OF_SCIKIT_LEARN, *reading.KINDS])
        raise ValueError(f"kind must be one of {kinds}; got {quoted(kind)}")


def is_onnx(path: Path) -> bool:
    """Whether a file is to be read as ONNX: by its content, else by its suffix.

    A native file has a brace after its first eight bytes; an ONNX file begins with the
    field of its version.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import bpcore as bp
    >>> from bpcore.loading import is_onnx
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "net")
    ...     bp.Network([2, 1]).to_onnx(path)
    ...     print(is_onnx(path))
    True
    """
    with errors_of(path):
        size_of(path)  # raises for a pipe, which would block
    with open(path, "rb") as file:
        first = file.read(9)
    if first[8:] == b"{":
        return False
    return first[:1] == b"\x08" or os.fsdecode(path).lower().endswith(".onnx")
