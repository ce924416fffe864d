"""Network: checks what it is given, owns the buffers, does no arithmetic.

The arithmetic is the engine's (``_engine.pyx``, or ``reference.Engine`` in NumPy); the
loop over epochs is in ``training``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bpcore import _dispatch, _engine, training
from bpcore import _settings as settings
from bpcore import _validation as door
from bpcore._validation import Real
from bpcore.activations import ACTIVATIONS
from bpcore.errors import DivergenceError
from bpcore.initializers import INITIALIZERS, initialize
from bpcore.losses import LOSSES
from bpcore.optimizers import SGD
from bpcore.threads import n_threads as thread_count

if TYPE_CHECKING:
    from typing import Self

#: Bytes from which on it matters where an array begins.
LARGE = 1 << 18

#: Rows that predict and evaluate work on at a time.
ROWS_AT_A_TIME = 256


def aligned_zeros(size: int, dtype: DTypeLike, at: int = 0) -> NDArray[Any]:
    """`size` zeros that begin on a cache line (64 bytes).

    Large arrays begin `at` bytes past a multiple of 4096: the update walks through
    weights and state at the same pace, which must not meet in the same cache sets.
    """
    dtype = np.dtype(dtype)
    n_bytes = size * dtype.itemsize
    unit, at = (4096, at) if n_bytes >= LARGE else (64, 0)
    raw = np.zeros(n_bytes + at + unit, np.uint8)
    start = -raw.ctypes.data % unit + at
    return raw[start : start + n_bytes].view(dtype)


def optimizer_state(n_states: int, size: int, dtype: DTypeLike) -> Real | None:
    """Zeros for an optimizer's arrays, one after the other; None if it keeps none."""
    return aligned_zeros(n_states * size, dtype, at=2112) if n_states else None


def views(
    flat: NDArray[Any], sizes: Sequence[int]
) -> tuple[tuple[NDArray[Any], ...], tuple[NDArray[Any], ...]]:
    """The W[l] (n_in, n_out) and b[l] (n_out,) inside W[0] b[0] W[1] b[1] ..."""
    weights, biases, at = [], [], 0
    for n_in, n_out in itertools.pairwise(sizes):
        weights.append(flat[at : at + n_in * n_out].reshape(n_in, n_out))
        at += n_in * n_out
        biases.append(flat[at : at + n_out])
        at += n_out
    return tuple(weights), tuple(biases)


@dataclass(frozen=True)
class Gradients:
    """Derivatives of a scalar E by everything it depends on.

    Attributes
    ----------
    loss : float or None
        E itself, where the network computed it.
    flat : array (n_parameters,)
        dE by all parameters, in the order of ``Network.parameters``.
    weights, biases : tuple of arrays
        Views of `flat`, shaped like ``Network.weights`` and ``Network.biases``.
    input : array (n, n_in)
        dE/dX.
    """

    loss: float | None
    flat: Real
    weights: tuple[Real, ...]
    biases: tuple[Real, ...]
    input: Real


@dataclass(frozen=True)
class Tape:
    """What one forward pass computed.

    Attributes
    ----------
    activations : tuple of arrays
        a[0] = X, (n, n_0), to a[L], (n, n_L).
    """

    activations: tuple[Real, ...]

    @property
    def output(self) -> Real:
        """a[L], the network's prediction."""
        return self.activations[-1]


class Network:
    r"""A multilayer perceptron, trained by backpropagation.

    With L weight layers, a[0] the input (n, n_0) and f[l] the activation of layer l::

        z[l]   = a[l] @ W[l] + b[l]
        a[l+1] = f[l](z[l])

    Parameters
    ----------
    sizes : sequence of int
        n_0, ..., n_L: inputs, hidden units of each layer, outputs.
    activation : str or sequence of str
        f of the hidden layers: one name, or one for each.  Names: identity, sigmoid,
        tanh, relu, softmax.
    output : str, optional
        f of the last layer.  By default the one that goes with the loss: softmax with
        cross_entropy, sigmoid with binary_cross_entropy, identity with the others.
    loss : str, optional
        squared_error, mean_squared_error, cross_entropy (softmax output only) or
        binary_cross_entropy (sigmoid output only).  By default the one that goes with
        the output; squared_error where neither is given.
    optimizer : SGD, optional
        Settings of the update; ``SGD()`` by default.
    init : str
        Initialiser of the weights: glorot_, he_ or lecun_ with uniform or normal,
        zeros, or "auto": he_uniform into relu, glorot_uniform into the others.  Biases
        begin at zero.
    dtype : float32 or float64
    rng : int, numpy Generator or BitGenerator, optional
        Where weights and shuffles come from; an int gives the same network everywhere.
    n_threads : int or "auto"
        The most threads that a step or a prediction uses; how many of them it does use
        depends on its work, and on how many networks are busy.  "auto" takes the cores
        that the process may use (CPU affinity, control group), or fewer if
        BPCORE_NUM_THREADS or else OMP_NUM_THREADS says so.  More than there are cores
        make it slower; programs of several busy processes had better give each its
        share.  No bit depends on it.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range; the message names it.

    Examples
    --------
    XOR, the textbook's first problem for a hidden layer:

    >>> import bpcore as bp
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> net = bp.Network([2, 4, 1], activation="tanh", output="sigmoid", rng=1,
    ...                  optimizer=bp.SGD(lr=1.0, momentum=0.9))
    >>> history = net.fit(X, y, epochs=300, batch_size=4, progress=False)
    >>> net.predict(X).round().ravel().tolist()
    [0.0, 1.0, 1.0, 0.0]
    """

    _engine_class: ClassVar[Any] = _engine.Engine
    _shuffle: ClassVar[Any] = staticmethod(_engine.shuffle)

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        output: str | None = None,
        loss: str | None = None,
        optimizer: SGD | None = None,
        init: str = "auto",
        dtype: DTypeLike = "float32",
        rng: int | np.random.Generator | np.random.BitGenerator | None = None,
        n_threads: int | str = "auto",
    ) -> None:
        self._n_threads, threads = n_threads, thread_count(n_threads)
        self._sizes = settings.layer_sizes(sizes)
        self._dtype = settings.real_dtype(dtype)
        output, self._loss = settings.output_and_loss(output, loss)
        hidden = settings.hidden_activations(activation, len(self._sizes) - 2)
        self._activations = (*hidden, output)
        if self._loss == "cross_entropy" and self._sizes[-1] == 1:
            raise ValueError(
                "sizes must end in at least 2 outputs for cross_entropy; got 1 "
                "(binary_cross_entropy takes one)"
            )
        door.one_of("init", init, ["auto", *INITIALIZERS])
        optimizer = settings.known_optimizer(SGD() if optimizer is None else optimizer)
        self._bits = settings.bit_generator(rng)
        count = settings.parameter_count(self._sizes)
        try:
            self._parameters = aligned_zeros(count, self._dtype)
        except MemoryError:
            raise MemoryError(
                f"sizes {list(self._sizes)} give {count} parameters, more than there "
                "is memory for"
            ) from None
        self._connect(threads)
        for W, f in zip(self.weights, self._activations, strict=True):
            name = ACTIVATIONS[f].init if init == "auto" else init
            initialize(name, W, self._bits.random_raw)
        self.optimizer = optimizer

    def _connect(self, n_threads: int) -> None:
        """Views of the parameters, and an engine on them without a workspace yet."""
        self._weights, self._biases = views(self._parameters, self._sizes)
        self._engine = self._engine_class(
            _dispatch.kernels,
            self._dtype.name,
            self._sizes,
            self._activations,
            self._loss,
            self._parameters,
        )
        loss = LOSSES[self._loss]
        self._engine.accept(loss.labels, loss.unit_targets)
        self._engine.use_threads(n_threads)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({list(self.sizes)}, "
            f"activation={list(self._activations[:-1])}, "
            f"output={self._activations[-1]!r}, loss={self._loss!r}, "
            f"optimizer={self._optimizer}, dtype={self._dtype.name!r})"
        )

    # --- what it is made of -----------------------------------------------------------

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_0, ..., n_L."""
        return self._sizes

    @property
    def activations(self) -> tuple[str, ...]:
        """The name of f[0], ..., f[L-1]; the last is the output's."""
        return self._activations

    @property
    def loss(self) -> str:
        """The name of the loss."""
        return self._loss

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._dtype

    @property
    def n_threads(self) -> int:
        """The most threads that a step or a prediction uses; assign any, or "auto"."""
        threads: int = self._engine.n_threads
        return threads

    @n_threads.setter
    def n_threads(self, n_threads: int | str) -> None:
        threads = thread_count(n_threads)
        with self._engine:
            self._engine.use_threads(threads)
            self._n_threads = n_threads

    @property
    def parameters(self) -> Real:
        """All parameters, flat and writable: W[0], b[0], W[1], b[1], ..."""
        return self._parameters

    @property
    def weights(self) -> tuple[Real, ...]:
        """W[l], (n_in, n_out) each: writable views of the parameters."""
        return self._weights

    @property
    def biases(self) -> tuple[Real, ...]:
        """b[l], (n_out,) each: writable views of the parameters."""
        return self._biases

    @property
    def optimizer(self) -> SGD:
        """The settings of the update; assign others at any time.

        The state (the velocity) is kept where the new settings use one too, and begins
        at zero otherwise.
        """
        return self._optimizer

    @optimizer.setter
    def optimizer(self, optimizer: SGD) -> None:
        settings.known_optimizer(optimizer)
        state = getattr(self, "_state", None)
        size = self._parameters.size
        if (0 if state is None else state.size) != optimizer.n_states * size:
            state = optimizer_state(optimizer.n_states, size, self._dtype)
        self._use_optimizer(optimizer, state)

    def _use_optimizer(self, optimizer: SGD, state: Real | None) -> None:
        with self._engine:
            self._engine.use_optimizer(optimizer, state)
            self._optimizer, self._state = optimizer, state

    # --- training ---------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        shuffle: bool = True,
        validation: tuple[ArrayLike, ...] | None = None,
        patience: int | None = None,
        sample_weight: ArrayLike | None = None,
        callbacks: Iterable[training.Callback] = (),
        progress: bool = True,
    ) -> training.History:
        """Train for a number of epochs of mini-batches.

        Parameters
        ----------
        X : array-like (n, n_0)
        y : array-like
            Labels (n,) for cross_entropy, or targets (n, n_L); (n,) where n_L is 1.
        epochs : int
            Passes over the data, at least 1.
        batch_size : int
            Rows of a mini-batch; a last incomplete one is used.
        shuffle : bool
            A new order in every epoch, from the network's own random stream.
        validation : (X, y) or (X, y, sample_weight), optional
            Data whose loss is computed after every epoch.
        patience : int, optional
            Stop after so many epochs without a new lowest loss: of the validation data
            where there are some, else of the training data.
            The network keeps its last parameters, not the best; a callback can keep a
            copy of those.
        sample_weight : array-like (n,), optional
            The share of each sample in the mean loss, not negative.
        callbacks : iterable of callables
            Each called as ``callback(network, history)`` after every epoch; training
            stops if one returns True.
        progress : bool
            Show a bar (where tqdm is installed, else lines) on standard error.

        Returns
        -------
        History
            The loss of every epoch, its validation loss and its seconds.

        Raises
        ------
        ValueError, TypeError
            Before anything has changed, if an argument is not as described.
        DivergenceError
            If a loss or a parameter becomes infinite or NaN; the network then has the
            parameters, and the optimizer the state, of the last finite epoch.  They are
            copied before every epoch, above 1 MiB into a temporary file.

        Notes
        -----
        An interrupt (Ctrl-C) is raised between two mini-batches: after the one being
        computed, or after a twentieth of a second, whichever is longer.  The network
        keeps what it has learnt.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], optimizer=bp.SGD(lr=0.1, momentum=0.9), rng=0)
        >>> history = net.fit([[0.0], [1.0]], [1.0, 3.0], epochs=500, progress=False)
        >>> net.weights[0].round(1), net.biases[0].round(1)
        (array([[2.]], dtype=float32), array([1.], dtype=float32))
        """
        return training.fit(
            self,
            X,
            y,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            validation=validation,
            patience=patience,
            sample_weight=sample_weight,
            callbacks=callbacks,
            show=progress,
        )

    def train_step(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """One step on one mini-batch, the update fused into backpropagation.

        For l = L-1, ..., 0, with delta[L-1] the derivative of the mean loss by z[L-1]::

            delta[l-1] = (delta[l] @ W[l].T) * f'[l-1](z[l-1])    from the old W[l]
            W[l], b[l] updated by a[l].T @ delta[l], delta[l].sum(0)

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`, one mini-batch.

        Returns
        -------
        float
            The mean loss before the step.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described; nothing has changed.
        DivergenceError
            If the loss is infinite or NaN; nothing has changed.  A step from a finite
            loss may still lead to parameters that are not (lr too large): the next
            step tells.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> net.train_step([[1.0]], [[2.0]]), net.train_step([[1.0]], [[2.0]])
        (2.0, 0.0)
        """
        loss: float | None = None
        if sample_weight is None:
            loss = self._engine.step_at_once(X, y)
        if loss is None:
            rows, targets, weight = self._batch(X, y, sample_weight)
            with self._engine:
                self._reserve(len(rows))
                loss = self._engine.train_step(rows, targets, weight)
        if loss != loss:  # NaN
            raise DivergenceError(
                "the loss of this mini-batch is not finite; nothing has changed"
            )
        return loss

    def gradients(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Gradients:
        """The mean loss of a mini-batch and its derivatives; nothing is updated.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`, one mini-batch.

        Returns
        -------
        Gradients
            ``.loss``, ``.weights``, ``.biases``, ``.flat`` and ``.input``.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 1], init="zeros")
        >>> grads = net.gradients([[1.0, 2.0]], [[3.0]])
        >>> grads.loss, grads.weights[0].ravel().tolist(), grads.biases[0].tolist()
        (4.5, [-3.0, -6.0], [-3.0])
        """
        rows, targets, weight = self._batch(X, y, sample_weight)
        flat, dX = np.empty_like(self._parameters), np.empty_like(rows)
        with self._engine:
            self._reserve(len(rows))
            loss = self._engine.gradients(rows, targets, weight, flat, dX)
        return Gradients(loss, flat, *views(flat, self.sizes), dX)

    def apply(self, gradients: Gradients) -> None:
        """One optimizer step from stored gradients.

        ``net.apply(net.gradients(X, y))`` gives the same bits as
        ``net.train_step(X, y)``.

        Parameters
        ----------
        gradients : Gradients
            Of this network, or of one with the same sizes and dtype.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> net.apply(net.gradients([[1.0]], [[2.0]]))
        >>> net.parameters
        array([1., 1.], dtype=float32)
        """
        door.instance("gradients", gradients, Gradients)
        flat = door.as_numbers("gradients.flat", gradients.flat, self._dtype)
        if flat.shape != self._parameters.shape:
            raise ValueError(
                f"gradients.flat must have shape {self._parameters.shape}; "
                f"got {flat.shape}"
            )
        self._engine.apply(flat)

    # --- use --------------------------------------------------------------------------

    def predict(self, X: ArrayLike, out: Real | None = None) -> Real:
        """The output activations a[L].

        Parameters
        ----------
        X : array-like (n, n_0), or (n_0,) for a single row
        out : array (n, n_L), or (n_L,), optional
            Where to write them: of the network's dtype, C-contiguous.

        Returns
        -------
        array (n, n_L), or (n_L,) for a single row
            A row has the same bits alone and in any batch.
            With one output that is (n, 1): compare ``net.predict(X)[:, 0]`` with
            targets (n,).

        Raises
        ------
        ValueError, TypeError
            If X has another shape or is not finite, or `out` does not fit.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 3], output="softmax", init="zeros")
        >>> net.predict([1.0, -1.0])
        array([0.33333334, 0.33333334, 0.33333334], dtype=float32)
        """
        if out is None:
            at_once: Real | None = self._engine.predict_at_once(X)
            if at_once is not None:
                return at_once
        n_0, n_L = self._sizes[0], self._sizes[-1]
        rows = door.as_dtype("X", X, self._dtype)
        single = rows.ndim == 1
        if single:
            rows = rows.reshape(1, -1)
        if rows.ndim != 2 or rows.shape[1] != n_0 or len(rows) == 0:
            raise ValueError(
                f"X must have shape (n, {n_0}) with n at least 1, or ({n_0},) for a "
                f"single row; got {rows.shape[1:] if single else rows.shape}"
            )
        shape = (n_L,) if single else (len(rows), n_L)
        looks = out is None  # else X is looked at before anything is written
        if out is None:
            out = np.empty(shape, self._dtype)
        else:
            out = door.as_out(out, shape, self._dtype, rows, self._parameters)
        first, finite = 0, looks or door.all_finite(rows)
        with self._engine:
            self._reserve(min(len(rows), ROWS_AT_A_TIME))
            while finite and first < len(rows):
                first, finite = self._engine.predict(
                    rows, out, first, ROWS_AT_A_TIME, training.SLICE, looks
                )
        if not finite:
            door.reject_infinite("X", X, rows[0] if single else rows)
        return out

    __call__ = predict

    def evaluate(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """The mean loss.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        float
            sum(w E) / sum(w), with E the loss of a row and w its weight, 1 by default.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros")
        >>> net.evaluate([[0.0], [0.0]], [[2.0], [4.0]])
        5.0
        """
        rows, targets, weight = self._batch(X, y, sample_weight)
        first, total, weights = 0, 0.0, 0.0
        with self._engine:
            self._reserve(min(len(rows), ROWS_AT_A_TIME))
            while first < len(rows):
                first, total, weights = self._engine.evaluate(
                    rows,
                    targets,
                    weight,
                    first,
                    total,
                    weights,
                    ROWS_AT_A_TIME,
                    training.SLICE,
                )
        return total / weights

    def forward(self, X: ArrayLike) -> Tape:
        """The output and everything on the way to it, for `backward`.

        Parameters
        ----------
        X : array-like (n, n_0)

        Returns
        -------
        Tape
            ``.activations``, a[0] to a[L], and ``.output``, the last.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 4, 3], rng=0)
        >>> [a.shape for a in net.forward([[1.0, 2.0]]).activations]
        [(1, 2), (1, 4), (1, 3)]
        """
        rows = door.as_rows("X", X, self._sizes[0], self._dtype)
        activations = [rows.copy()]
        activations += [np.empty((len(rows), n), self._dtype) for n in self._sizes[1:]]
        with self._engine:
            self._reserve(len(rows))
            self._engine.forward(activations)
        return Tape(tuple(activations))

    def backward(self, tape: Tape, d_output: ArrayLike) -> Gradients:
        """Backpropagate any derivative by the output, to chain the network with others.

        Parameters
        ----------
        tape : Tape
            What `forward` returned, with the parameters still the same.
        d_output : array-like (n, n_L)
            dE/da[L] of some scalar E; nothing is divided by n.

        Returns
        -------
        Gradients
            dE by the parameters and by the input; ``.loss`` is None.

        Examples
        --------
        The derivative of the output itself by the input is the weight:

        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], rng=0)
        >>> grads = net.backward(net.forward([[2.0]]), [[1.0]])
        >>> bool(grads.input == net.weights[0]), grads.weights[0].item()
        (True, 2.0)
        """
        door.instance("tape", tape, Tape)
        door.instance("tape.activations", tape.activations, tuple)
        shapes = [door.as_array("tape", a).shape for a in tape.activations]
        n = shapes[0][0] if shapes and shapes[0] else 1
        if shapes != [(n, size) for size in self._sizes]:
            raise ValueError(
                f"tape must have activations of shapes (n, size) for the sizes "
                f"{list(self._sizes)}; got {shapes}"
            )
        activations = [
            door.as_rows("tape", a, size, self._dtype)
            for a, size in zip(tape.activations, self._sizes, strict=True)
        ]
        d_output = door.as_rows("d_output", d_output, self._sizes[-1], self._dtype)
        if len(d_output) != n:
            raise ValueError(
                f"d_output must have shape ({n}, {self._sizes[-1]}); "
                f"got {d_output.shape}"
            )
        flat, dX = np.empty_like(self._parameters), np.empty_like(activations[0])
        with self._engine:
            self._reserve(n)
            self._engine.backward(activations, d_output, flat, dX)
        return Gradients(None, flat, *views(flat, self.sizes), dX)

    # --- copies -----------------------------------------------------------------------

    def astype(self, dtype: DTypeLike) -> Self:
        """A copy of the network in another dtype, with its optimizer's state.

        Examples
        --------
        >>> import bpcore as bp
        >>> bp.Network([2, 1]).astype("float64").dtype
        dtype('float64')
        """
        dtype = settings.real_dtype(dtype)
        door.as_numbers("parameters", self._parameters, dtype)
        if self._state is not None:
            door.as_numbers("optimizer state", self._state, dtype)
        other = type(self).__new__(type(self))
        other.__setstate__({**self.__getstate__(), "_dtype": dtype})
        return other

    def __getstate__(self) -> dict[str, Any]:
        state = {
            name: getattr(self, name)
            for name in (
                "_sizes",
                "_dtype",
                "_activations",
                "_loss",
                "_optimizer",
                "_n_threads",
            )
        }
        with self._engine:  # not in the middle of another thread's step
            state["_parameters"] = self._parameters.copy()
            state["_state"] = None if self._state is None else self._state.copy()
            state["_bits"] = self._bits.state
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._sizes, self._dtype = state["_sizes"], state["_dtype"]
        self._activations, self._loss = state["_activations"], state["_loss"]
        self._n_threads = state["_n_threads"]
        self._bits = np.random.PCG64()
        self._bits.state = state["_bits"]
        self._parameters = aligned_zeros(state["_parameters"].size, self._dtype)
        self._parameters[...] = state["_parameters"]
        self._connect(thread_count(self._n_threads))
        optimizer, size = state["_optimizer"], self._parameters.size
        own = optimizer_state(optimizer.n_states, size, self._dtype)
        if own is not None:
            own[...] = state["_state"]
        self._use_optimizer(optimizer, own)

    # --- for training -----------------------------------------------------------------

    def _batch(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, of: str = ""
    ) -> tuple[Any, Any, Any]:
        """X, y and sample_weight as the engine takes them."""
        rows = door.as_rows(f"{of}X", X, self._sizes[0], self._dtype)
        targets = door.as_targets(
            f"{of}y", y, len(rows), self._sizes[-1], LOSSES[self._loss], self._dtype
        )
        weight = door.as_weights(f"{of}sample_weight", sample_weight, len(rows))
        # An update must not change the data it is computed from.
        if np.may_share_memory(rows, self._parameters):
            rows = rows.copy()
        if np.may_share_memory(targets, self._parameters):
            targets = targets.copy()
        if weight is not None and np.may_share_memory(weight, self._parameters):
            weight = weight.copy()
        return rows, targets, weight

    def _reserve(self, n: int, gathers: bool = False) -> None:
        """A workspace for n rows, kept until a larger one is asked for.

        `gathers` asks for room to copy rows of X together.  The caller holds the engine
        until it has used it.
        """
        engine = self._engine
        if n > engine.capacity or (gathers and not engine.gathers):
            n, gathers = max(n, engine.capacity), gathers or engine.gathers
            size = engine.drop_workspace(n, gathers)
            engine.use_workspace(aligned_zeros(size, np.uint8), n, gathers)
