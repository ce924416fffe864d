"""The library's own exceptions."""


class InUseError(RuntimeError):
    """A network is in use by another thread.

    Examples
    --------
    >>> from bpcore.errors import InUseError
    >>> issubclass(InUseError, RuntimeError)
    True
    """


class ModelFileError(ValueError):
    """A file is not one of a model, is damaged, or has what this library lacks.

    The message names the file, the place in it and what is wrong there.

    Examples
    --------
    >>> from bpcore.errors import ModelFileError
    >>> issubclass(ModelFileError, ValueError)
    True
    """


class ProcessError(RuntimeError):
    """Another process of a fit on several processes has failed or was lost.

    The message names it and its error.  The processes cannot exchange anything any
    more, and all of them are ended when this program ends.

    Attributes
    ----------
    rank : int or None
        The process that failed, None if it is not known.

    Examples
    --------
    >>> from bpcore.errors import ProcessError
    >>> ProcessError("process 2 was lost", 2).rank
    2
    """

    def __init__(self, message: str, rank: int | None = None) -> None:
        super().__init__(message)
        self.rank = rank


class DivergenceError(ArithmeticError):
    """Training produced a loss or a parameter that is not finite.

    ``train_step`` raises it before it changes anything.  ``fit`` raises it after it has
    restored the parameters and optimizer state of the last finite epoch; or, with
    ``restore_best``, all state of the best epoch, or the state before the fit if no
    epoch was better.  The message names that epoch; ``network.history`` has the epochs
    before.

    Attributes
    ----------
    epoch, batch : int or None
        Epoch and mini-batch where it happened, from 1.  `batch` is None if it was found
        in the parameters at the end of the epoch; both are None outside ``fit``.

    Examples
    --------
    >>> import bpcore as bp
    >>> net = bp.Network([1, 1], optimizer=bp.SGD(lr=1e300), dtype="float64", rng=0)
    >>> net.fit([[1e10]], [[1.0]], epochs=9, progress=False)
    Traceback (most recent call last):
        ...
    bpcore.errors.DivergenceError: the parameters are not finite after epoch 1; ...
    """

    def __init__(
        self, message: str, epoch: int | None = None, batch: int | None = None
    ) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.batch = batch
