"""Network: checks what it is given, owns the buffers, does no arithmetic.

The arithmetic is the engine's (``engine``, or ``reference.Engine`` in NumPy); the
loop over epochs is in ``training``.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterable, Sequence
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bpcore import _dispatch, _html, fitting, training
from bpcore import _validation as door
from bpcore._errstate import own_errstate
from bpcore._validation import Real
from bpcore.activations import ACTIVATIONS
from bpcore.engine.engine import Engine, shuffle
from bpcore.errors import DivergenceError
from bpcore.history import History
from bpcore.initializers import INITIALIZERS, initialize
from bpcore.learner import Learner
from bpcore.losses import CustomLoss, Loss, LossFunction
from bpcore.metrics import Metric, MetricLike, as_metrics
from bpcore.model import design as settings
from bpcore.model.gradients import Gradients, Tape
from bpcore.model.memory import aligned_zeros, part
from bpcore.model.threads import n_threads as thread_count
from bpcore.optimizers import SGD, Optimizer
from bpcore.weights import (
    ClassWeight,
    Weights,
    as_class_weights,
    scaled_to_normal,
    with_class_weights,
)

if TYPE_CHECKING:
    from typing import Self

    from bpcore import graph

#: Rows that a loss function is tried with before it gets all of them.
FEW_ROWS = 256

#: Attributes that are copied as they are.
COPIED = (
    "_design",
    "_dtype",
    "_optimizer",
    "_n_threads",
    *training.CHANGING,
)

#: Attributes of which a copy gets its own, with the same content.
REBUILT = ("_parameters", "_running", "_state", "_bits", "_counts")

#: Attributes that a copy makes anew, or does not have.
ANEW = (
    "_views",
    "_running_views",
    "_engine",
    "_at_once",
    "_one",
    "_scheduled",
    "_accumulate",
    "_stored_gradients",
    "_stored_at",
    "_history",
)

#: All of them: any other attribute is a subclass's, or one that a user has set.
OWN = frozenset((*COPIED, *REBUILT, *ANEW))


class Network(Learner):
    r"""A multilayer perceptron, trained by backpropagation.

    With L weight layers, a[0] the input (n, n_0) and f[l] the activation of layer l::

        z[l]   = a[l] @ W[l] + b[l]
        a[l+1] = f[l](z[l])

    Parameters
    ----------
    sizes : sequence of int
        n_0, ..., n_L: inputs, hidden units of each layer, outputs.
    activation : str or sequence of str
        f of the hidden layers: one name, or one for each, of ``bpcore.ACTIVATIONS``:
        identity, sigmoid, tanh, relu, softmax, leaky_relu, elu, selu, gelu, gelu_tanh,
        silu, softplus, softsign, hard_sigmoid, hard_tanh, exp, step (forward only).
    output : str, optional
        f of the last layer.  By default the one that goes with the loss: softmax with
        cross_entropy, sigmoid with binary_cross_entropy, exp with poisson, identity
        with most others.
    loss : str, Loss or callable, optional
        squared_error, mean_squared_error, cross_entropy (softmax output only),
        binary_cross_entropy (sigmoid output only), mean_absolute_error, huber,
        quantile, log_cosh, hinge, poisson or kl_divergence (softmax output only); or an
        object with another setting, ``bpcore.Huber(delta=0.5)``; or any callable
        ``loss(a, y)`` that returns the value of every sample, (n,), and their
        derivatives by a, (n, n_L), or the value alone as an expression of
        ``bpcore.graph``: of every sample, (n,), or the mean of the mini-batch as one
        number, ``lambda a, y: ((a - y) ** 2).mean()``.  By default the one that goes
        with the output; squared_error where neither is given.
    optimizer : Optimizer, optional
        Settings of the update, ``bpcore.Adam(1e-3)``; ``SGD()`` by default.
    norm : "batch", "layer" or None, or a sequence of them
        Normalisation of a @ W in the hidden layers, before the activation, for all or
        for each.  Then b is the shift after it, and ``gains`` its factor::

            z = gain (u - mean) / sqrt(variance + 1e-5) + b,     u = a @ W

        batch: over the mini-batch (Ioffe and Szegedy 2015), with running moments
        (momentum 0.1) in their place where nothing is trained.  layer: over the units
        (Ba, Kiros and Hinton 2016).  As ``torch.nn.BatchNorm1d`` and ``LayerNorm``.
    dropout : float or sequence of float
        The share of the units of the hidden layers, of all or of each, that drop out
        in every training mini-batch (Srivastava et al. 2014); those that are kept are
        divided by 1 - dropout.  At least 0 and below 1.
    input_noise : float
        Standard deviation of gaussian noise that is added to X while training.
    init : str
        Initialiser of the weights: glorot_, he_ or lecun_ with uniform or normal,
        zeros, or "auto": by the activation that they lead into (he_uniform into relu
        and its kind, lecun_normal into selu, else glorot_uniform).  Biases begin at
        zero.
    dtype : float32 or float64
    rng : int, numpy Generator or BitGenerator, optional
        Where weights, shuffles, dropout and noise come from; an int gives the same
        network everywhere.
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

    Notes
    -----
    Which public methods call others that a subclass may override: ``net(X)`` calls
    ``predict``, ``bpcore.fit_many`` calls ``fit``, and a `node` calls ``forward`` and
    ``backward``.  No other method does: ``partial_fit`` does not call ``fit``, nor
    ``learn_one`` ``train_step``, nor ``predict_one`` and ``evaluate`` ``predict``.
    They all use the engine, so override each of them that is to behave differently.

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

    _engine_class: ClassVar[Any] = Engine
    #: Whether the engine can go through several epochs at a time.
    _runs_epochs: ClassVar[bool] = True
    _shuffle: ClassVar[Any] = staticmethod(shuffle)
    #: Not among what is copied or pickled.
    _stored_gradients: Gradients | None = None
    _stored_at = 0
    _history: History | None = None

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str | Sequence[str] = "relu",
        output: str | None = None,
        loss: str | Loss | LossFunction | None = None,
        optimizer: Optimizer | None = None,
        norm: str | Sequence[str | None] | None = None,
        dropout: float | Sequence[float] = 0.0,
        input_noise: float = 0.0,
        init: str = "auto",
        dtype: DTypeLike = "float32",
        rng: int | np.random.Generator | np.random.BitGenerator | None = None,
        n_threads: int | str = "auto",
    ) -> None:
        self._n_threads, threads = n_threads, thread_count(n_threads)
        sizes = settings.layer_sizes(sizes)
        hidden = len(sizes) - 2
        self._dtype = settings.real_dtype(dtype)
        output, loss = settings.output_and_loss(output, loss)
        activations = settings.hidden_activations(activation, hidden)
        if loss.name == "cross_entropy" and sizes[-1] == 1:
            raise ValueError(
                "sizes must end in at least 2 outputs for cross_entropy; got 1 "
                "(binary_cross_entropy takes one)"
            )
        norms = (*settings.hidden_norms(norm, hidden), None)
        shares = (*settings.hidden_dropout(dropout, hidden), 0.0)
        noise = door.real_number("input_noise", input_noise)
        door.one_of("init", init, ["auto", *INITIALIZERS])
        optimizer = settings.known_optimizer(SGD() if optimizer is None else optimizer)
        self._bits = settings.bit_generator(rng)
        self._design = settings.Design(
            sizes,
            (*activations, output),
            loss,
            norms,
            shares,
            noise,
            settings.training_seed(self._bits),
        )
        count = self._design.layout.size
        try:
            self._parameters = aligned_zeros(count, self._dtype)
        except MemoryError:
            raise MemoryError(
                f"sizes {list(sizes)} give {count} parameters, more than there "
                "is memory for"
            ) from None
        self._running = np.zeros(self._design.layout.moments_size, self._dtype)
        self._lr_factors, self._frozen = (1.0,) * (hidden + 1), (False,) * (hidden + 1)
        self._connect(threads)
        for gain, moments in zip(self.gains, self._running_views, strict=True):
            if gain is not None:
                gain[...] = 1
            if moments is not None:
                moments[1] = 1
        for W, f in zip(self.weights, self.activations, strict=True):
            name = ACTIVATIONS[f].init if init == "auto" else init
            initialize(name, W, self._bits.random_raw)
        self._epochs = 0
        self.optimizer = optimizer

    def _connect(self, n_threads: int) -> None:
        """Views of the parameters, and an engine on them without a workspace yet."""
        design = self._design
        self._views = design.layout.views(self._parameters)
        self._running_views = design.layout.moments(self._running)
        folds = design.layout.moments_size > 0
        self._engine = self._engine_class(
            _dispatch.kernels,
            self._dtype.name,
            design,
            self._parameters,
            self._running if folds else None,
            np.zeros_like(self._parameters) if folds else None,
        )
        # Whether a mini-batch may take the short way past the door.
        self._at_once = design.trains and not (
            folds or design.asks or design.loss.signs
        )
        self._engine.use_threads(n_threads)
        self._one = np.empty(design.sizes[-1], self._dtype)

    def __repr__(self) -> str:
        design = self._design
        loss = getattr(self.loss, "__name__", repr(self.loss))
        shown = [
            f"{list(self.sizes)}",
            f"activation={list(self.activations[:-1])}",
            f"output={self.activations[-1]!r}",
            f"loss={loss}",
            f"optimizer={self._optimizer}",
        ]
        if any(design.norms):
            shown.append(f"norm={list(design.norms[:-1])}")
        if any(design.dropout):
            shown.append(f"dropout={list(design.dropout[:-1])}")
        if design.input_noise:
            shown.append(f"input_noise={design.input_noise}")
        shown.append(f"dtype={self._dtype.name!r}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _repr_html_(self) -> str:
        return _html.of_network(self)

    # --- what it is made of -----------------------------------------------------------

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_0, ..., n_L."""
        return self._design.sizes

    @property
    def activations(self) -> tuple[str, ...]:
        """The name of f[0], ..., f[L-1]; the last is the output's."""
        return self._design.activations

    @property
    def loss(self) -> str | Loss | LossFunction:
        """The name of the loss, or its settings where they are not the default ones."""
        loss = self._design.loss
        if isinstance(loss, CustomLoss):
            return loss.function
        return loss.name if loss == type(loss)() else loss

    @property
    def norms(self) -> tuple[str | None, ...]:
        """The normalisation of each layer."""
        return self._design.norms

    @property
    def dropout(self) -> tuple[float, ...]:
        """The share of each layer's units that drop out while training."""
        return self._design.dropout

    @property
    def input_noise(self) -> float:
        """Standard deviation of the noise added to X while training."""
        return self._design.input_noise

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
        """All parameters, flat and writable: W[0], b[0], (gain[0],) W[1], b[1], ..."""
        return self._parameters

    @property
    def weights(self) -> tuple[Real, ...]:
        """W[l], (n_in, n_out) each: writable views of the parameters."""
        return self._views.weights

    @property
    def biases(self) -> tuple[Real, ...]:
        """b[l], (n_out,) each: writable views of the parameters."""
        return self._views.biases

    @property
    def gains(self) -> tuple[Any, ...]:
        """The factors (n_out,) after normalisation, None for layers without it."""
        return self._views.gains

    @property
    def running_moments(self) -> tuple[Any, ...]:
        """Running mean and variance (2, n_out) of each layer with batch norm, or None.

        Writable, like the parameters.
        """
        return self._running_views

    @property
    def history(self) -> Any:
        """The History of the last `fit`, after an error too; None before any.

        It is what `fit` returns, or would have: of the epochs that were finished before
        a DivergenceError, an interrupt (Ctrl-C) or an error in a callback.  It is not
        among what is copied or pickled.  A value that is assigned, as by a subclass
        with a history of its own, takes its place for good.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], optimizer=bp.SGD(lr=9.0), rng=0)
        >>> try:
        ...     net.fit([[1.0]], [[2.0]], epochs=1000, progress=False)
        ... except bp.DivergenceError as error:
        ...     print(len(net.history) == error.epoch - 1, net.history.stopped)
        True error
        """
        return vars(self).get("history", self._history)

    @history.setter
    def history(self, value: Any) -> None:
        vars(self)["history"] = value

    # --- training ---------------------------------------------------------------------

    def fit(
        self,
        X: ArrayLike | Iterable[Any],
        y: ArrayLike | None = None,
        *,
        epochs: int = 10,
        batch_size: int | None = None,
        shuffle: bool = True,
        validation: tuple[ArrayLike, ...] | float | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        metrics: MetricLike | Sequence[MetricLike] | None = None,
        monitor: str | None = None,
        mode: str = "auto",
        patience: int | None = None,
        min_delta: float = 0.0,
        restore_best: bool = False,
        accumulate: int = 1,
        callbacks: Iterable[training.Callback] = (),
        batch_callbacks: Iterable[training.BatchCallback] = (),
        steps_per_epoch: int | None = None,
        progress: bool = True,
        gradient: str = "backpropagation",
    ) -> History:
        """Train for a number of epochs of mini-batches.

        Another call goes on where this one ended: parameters, optimizer, schedule and
        random streams are kept, so that 5 epochs and 5 more are 10, bit for bit.

        Parameters
        ----------
        X : array-like (n, n_0), or an iterable of mini-batches
            With y left away, X yields ``(X, y)`` or ``(X, y, sample_weight)``, for data
            larger than memory.  A list (or anything that can be iterated over again) is
            gone through in every epoch; a generator once: give it ``epochs=1``, or
            ``steps_per_epoch``.
        y : array-like
            Labels (n,) for cross_entropy, or targets (n, n_L); (n,) where n_L is 1.
        epochs : int
            Passes over the data, at least 1; iterations for LBFGS.
        batch_size : int, optional
            Rows of a mini-batch, 32 by default, or all for optimizers that need all.  A
            last incomplete one makes a step of its own mean, as large as the others'.
            With batch norm, which needs two rows, a last row alone joins the mini-batch
            before it; of an iterable, one of a single row joins the next, or the one
            before where it is the last.
        shuffle : bool
            A new order in every epoch, from the network's own random stream.
        validation : (X, y), (X, y, sample_weight) or float, optional
            Data whose loss is computed after every epoch, or the share of the rows that
            is held back for it: at random, classes in proportion (of several labels,
            each combination of them), the same rows again in another fit to as many.
        sample_weight : array-like (n,), optional
            The weight of each sample in the mean loss, not negative.  Weights of
            samples times classes are scaled once to mean 1 over the training rows, and
            the loss of a mini-batch is 1/rows sum w E, so that the minimum does not
            depend on the size of the mini-batches.  A mini-batch whose weights are all
            0 makes no step.  The weights of an iterable's mini-batches are used as they
            are given.
        class_weight : mapping, sequence or "balanced", optional
            Weights of classes, or of outputs.  For cross_entropy, and for one output,
            they are those of the classes: the weight of a sample is multiplied by that
            of its class, or, where its target is shares of classes, by their mean.  For
            binary_cross_entropy and hinge with two or more outputs each output is a
            label of its own, and they are those of the outputs: the weight multiplies
            that output's part of the loss in the samples that have the label.

            A sequence gives them in order: of the classes 0, 1, ... (one output has
            two), or of the outputs.  A mapping gives them by class or output; what it
            leaves out weighs 1.  For hinge with one output the classes are -1 (or 0)
            and 1.  "balanced" weighs all classes alike: n / (number of classes that
            occur x samples of the class), where a class without samples counts as one
            with a single sample, which matters for validation alone.  Of several labels
            it is each output's negatives over its positives, or 1 for an output without
            positives or without negatives.

            They count in every loss, that of validation too, and not in metrics.
        metrics : str, callable or sequence of them, optional
            What to compute after every epoch, of the validation data where there are
            some, else of the training data: names of ``bpcore.metrics``, such as
            "accuracy", "top_5", "r2", "mae", "auc", or callables ``f(y, a)``.  Those
            get the targets as they were given to fit, integer labels or else float64,
            in the same shape: (n, n_L) or (n,).  Their outputs are (n, n_L), but (n,)
            where n_L is 1 and the targets are (n,).  Recall and its like are those of
            class 1 where there are two, and means over the outputs where each is a
            label of its own (binary_cross_entropy and hinge).  Metrics of outputs that
            hold a NaN are NaN.
        monitor : str, optional
            The quantity that patience and restore_best follow: "loss",
            "validation_loss" (with validation data) or a metric, which is then
            computed; by default the validation loss where there is one, else the
            training loss.
        mode : "auto", "min" or "max"
            Whether smaller ("min") or larger ("max") values of it are better.  "auto"
            takes "min" for losses and the right one for built-in metrics; for functions
            of your own give "min" or "max".
        patience : int, optional
            Stop after so many epochs without a better value.  Epochs whose value is
            NaN do not count.
        min_delta : float
            A value is better than the best one so far if the difference is above this,
            an absolute number.  (That of ``schedules.ReduceOnPlateau`` is relative: a
            share of the best value.)
        restore_best : bool
            At the end, also after an error or an interrupt, set the network back to the
            best epoch, in every bit as if trained for that many epochs (an iterator's
            mini-batches are not put back).  The network before the fit is epoch 0 and
            stays if no epoch is better; ``history.restored`` is the epoch in place.
            It costs a second copy of all state and one evaluation before epoch 1; where
            "loss" is monitored also one of the training data after each better epoch,
            which must be below that before the fit.  "loss" of mini-batches from other
            iterables than sequences, or with steps_per_epoch, has no epoch 0.
        accumulate : int
            Mini-batches whose gradients make one step together: as of one mini-batch
            with the rows of all.  They are summed as a binary tree over the numbers of
            the mini-batches, 0 + 1, 2 + 3, ..., then (0 + 1) + (2 + 3), ...; those
            whose weights are all 0 add nothing.  It takes the memory of
            floor(log2(accumulate)) + 1 gradients.
        callbacks : iterable of callables
            Each called as ``callback(network, history)`` after every epoch; training
            stops if one returns True.  One with a method ``check(network)`` is asked by
            it before anything has changed, and may raise.
        batch_callbacks : iterable of callables
            Each called as ``callback(network, epoch, batch, loss)`` after every
            mini-batch, epoch and batch counted from 1; likewise.
        steps_per_epoch : int, optional
            Mini-batches of an epoch, where they come from an iterable.
        progress : bool
            Show a bar (where tqdm is installed, else lines) on standard error.
        gradient : "backpropagation" or "numerical"
            How the derivatives of a mini-batch's loss are found.  "numerical" takes
            central differences of it (``bpcore.numerical_gradient``, in float64) and
            nothing of backpropagation, to see both reach the same weights and what that
            costs: for every mini-batch two losses for each parameter that is not
            frozen, where backpropagation takes the time of about three in all.  Not
            with LBFGS or `accumulate`.

        Returns
        -------
        History
            Loss, validation loss, metrics, learning rate and seconds of every epoch.

        Raises
        ------
        ValueError, TypeError
            Before anything has changed, if an argument is not as described.
        DivergenceError
            If a loss or a parameter becomes infinite or NaN; the network then has the
            parameters, and the optimizer the state, of the last finite epoch, or with
            `restore_best` of the best one.  They are copied before every epoch, above
            1 MiB into a temporary file.

        Warns
        -----
        UserWarning
            If what is monitored is NaN, as the area under a curve is without samples of
            both classes: once in a fit, naming the quantity and the epoch.

        Notes
        -----
        An interrupt (Ctrl-C) is raised between two mini-batches: after the one being
        computed, or after a twentieth of a second, whichever is longer; by numerical
        gradients at once, and that one is dropped.  The network keeps what it has
        learnt, or with `restore_best` is as of the best epoch; `history` has the epochs
        that were finished.

        Progress that cannot be shown ends no training: it falls silent.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], optimizer=bp.SGD(lr=0.1, momentum=0.9), rng=0)
        >>> history = net.fit([[0.0], [1.0]], [1.0, 3.0], epochs=500, progress=False)
        >>> net.weights[0].round(1), net.biases[0].round(1)
        (array([[2.]], dtype=float32), array([1.], dtype=float32))
        """
        return fitting.prepare(
            self,
            X,
            y,
            epochs=epochs,
            batch_size=batch_size,
            shuffle=shuffle,
            validation=validation,
            sample_weight=sample_weight,
            class_weight=class_weight,
            metrics=metrics,
            monitor=monitor,
            mode=mode,
            patience=patience,
            min_delta=min_delta,
            restore_best=restore_best,
            accumulate=accumulate,
            callbacks=callbacks,
            batch_callbacks=batch_callbacks,
            steps_per_epoch=steps_per_epoch,
            progress=progress,
            gradient=gradient,
        ).run()

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        batch_size: int | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> Self:
        """One pass over the data, shuffled, without a word; returns the network.

        These are a part of all data, so the weights are used as they are given, not
        scaled to mean 1 as by `fit`: the loss of a mini-batch is 1/rows sum w E.

        Parameters
        ----------
        X, y, batch_size, sample_weight, class_weight
            As for `fit`; "balanced" class weights, which need all labels, raise.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> net.partial_fit([[1.0]], [[2.0]]).predict([1.0])
        array([2.], dtype=float32)
        """
        settings = {
            **(Network.fit.__kwdefaults__ or {}),
            "epochs": 1,
            "batch_size": batch_size,
            "sample_weight": sample_weight,
            "class_weight": class_weight,
            "progress": False,
        }
        fitting.prepare(self, X, y, **settings, whole=False).run()
        return self

    def train_step(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> float:
        """One step on one mini-batch, the update fused into backpropagation.

        For l = L-1, ..., 0, with delta[L-1] the derivative of the mean loss by z[L-1]::

            delta[l-1] = (delta[l] @ W[l].T) * f'[l-1](z[l-1])    from the old W[l]
            W[l], b[l] updated by a[l].T @ delta[l], delta[l].sum(0)

        Parameters
        ----------
        X, y, sample_weight, class_weight
            As for `fit`, one mini-batch, whose loss is 1/n sum w E with the weights as
            they are given: weights of mean 1 over all data keep the learning rate what
            it is.  Weights that are all 0 make no step.

        Returns
        -------
        float
            The mean loss before the step.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described; nothing has changed.
        DivergenceError
            If the loss, or a moment of batch norm, is infinite or NaN; nothing has
            changed.  A step from a finite loss may still lead to parameters that are
            not (lr too large): the next step tells.  Squares of gradients that are too
            large for an optimizer's state are found by `fit` only.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> net.train_step([[1.0]], [[2.0]]), net.train_step([[1.0]], [[2.0]])
        (2.0, 0.0)
        """
        loss: float | None = None
        if self._scheduled:
            self._set_lr()
        if sample_weight is None and class_weight is None:
            loss = self._engine.step_at_once(X, y)
        if loss is None:
            self._require_derivatives()
            self._require_steps()
            rows, targets, weight = self._weighted_batch(
                X, y, sample_weight, class_weight
            )
            self._require_rows(len(rows))
            loss = self._engine.train_step(rows, targets, weight)
        if loss != loss:  # NaN
            raise DivergenceError(
                f"{self._design.diverging} of this mini-batch is not finite; nothing "
                "has changed"
            )
        return loss

    def learn_one(self, x: ArrayLike, y: ArrayLike) -> float:
        """One step on one sample, as `train_step` makes it on a mini-batch of one row.

        An array x of the network's dtype is used where it lies, and nothing is
        allocated: for learning sample by sample, in loops of one's own.

        Parameters
        ----------
        x : array-like (n_0,)
        y : int, float or array-like (n_L,)
            A label for cross_entropy, a number where n_L is 1, or all targets.

        Returns
        -------
        float
            The loss before the step.

        Raises
        ------
        ValueError, TypeError, DivergenceError
            As `train_step`.

        Examples
        --------
        >>> import numpy as np, bpcore as bp
        >>> net = bp.Network([2, 8, 2], loss="cross_entropy", rng=0)
        >>> x = np.array([0.5, -1.0], dtype=np.float32)
        >>> first = net.learn_one(x, 1)
        >>> net.learn_one(x, 1) < first
        True
        """
        if self._scheduled:
            self._set_lr()
        loss: float | None = self._engine.learn_one_at_once(x, y)
        if loss is None:
            rows = self._sample(x)
            target = door.as_array("y", y)
            n_out = self.sizes[-1]
            labels = self._design.loss.labels and n_out > 1
            expected = f"{'be an integer label, or ' if labels else ''}have shape"
            single = target.ndim == 0 and (labels or n_out == 1)
            if target.shape != (n_out,) and not single:
                raise ValueError(f"y must {expected} ({n_out},); got {target.shape}")
            if labels and target.ndim == 0 and target.dtype.kind not in "iub":
                raise TypeError(f"y must {expected} ({n_out},); got {y!r}")
            if target.dtype.kind == "f":
                target = door.as_numbers("y", target, self._dtype)
            return Network.train_step(self, rows[None, :], target[None, ...])
        if loss != loss:  # NaN
            raise DivergenceError("the loss of x is not finite; nothing has changed")
        return loss

    def gradients(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> Gradients:
        """The mean loss of a mini-batch and its derivatives; nothing is updated.

        They are those of the next training step: what drops out in it is dropped here.

        Parameters
        ----------
        X, y, sample_weight, class_weight
            As for `train_step`.

        Returns
        -------
        Gradients
            ``.loss``, ``.weights``, ``.biases``, ``.gains``, ``.flat`` and ``.input``.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 1], init="zeros")
        >>> grads = net.gradients([[1.0, 2.0]], [[3.0]])
        >>> grads.loss, grads.weights[0].ravel().tolist(), grads.biases[0].tolist()
        (4.5, [-3.0, -6.0], [-3.0])
        """
        self._require_derivatives()
        rows, targets, weight = self._weighted_batch(X, y, sample_weight, class_weight)
        weighs = weight is None or bool(weight.any())
        self._require_rows(len(rows))
        flat, dX = np.empty_like(self._parameters), np.empty_like(rows)
        moments = self._new_moments()
        loss = self._engine.gradients(rows, targets, weight, flat, dX, moments)
        return self._as_gradients(loss, flat, dX, moments, weighs)

    def _training_loss(
        self, rows: Any, targets: Any, weight: Any, moments: Real | None = None
    ) -> float:
        """The loss that `gradients` has of a mini-batch, without the way back.

        The moments that batch norm finds go into `moments`.
        """
        loss: float = self._engine.training_loss(rows, targets, weight, moments)
        return loss

    def _new_moments(self) -> Real | None:
        """Room for what batch norm finds in a mini-batch, None without it."""
        return np.empty_like(self._running) if self._running.size else None

    def _as_gradients(
        self,
        loss: float | None,
        flat: Real,
        dX: Real,
        moments: Real | None,
        weighs: bool = True,
    ) -> Gradients:
        parts = self._design.layout.views(flat)
        return Gradients(
            loss, flat, parts.weights, parts.biases, parts.gains, dX, moments, weighs
        )

    def apply(self, gradients: Gradients | None = None) -> None:
        """One optimizer step from stored gradients.

        ``net.apply(net.gradients(X, y))`` gives the same bits as
        ``net.train_step(X, y)``, and like it makes no step of weights that are all 0.

        Parameters
        ----------
        gradients : Gradients, optional
            Of this network, or of one with the same sizes and dtype; by default its
            own ``stored_gradients``.

        Raises
        ------
        TypeError, ValueError
            If there are none, or they do not fit; nothing has changed.
        RuntimeError
            If the stored ones are of before the last step.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> net.apply(net.gradients([[1.0]], [[2.0]]))
        >>> net.parameters
        array([1., 1.], dtype=float32)
        """
        if gradients is None:
            gradients = self._stored_gradients
            if gradients is None:
                raise TypeError(
                    "gradients must be a Gradients, or stored by backward() of an "
                    "expression with a node of this network, to be called first; got "
                    "NoneType, and none are stored"
                )
            if self._stored_at != self._engine.seen:
                raise RuntimeError(
                    "the stored gradients are of before the last step: call backward() "
                    "of an expression with a new node"
                )
        door.instance("gradients", gradients, Gradients)
        self._require_steps()
        flat = door.as_numbers("gradients.flat", gradients.flat, self._dtype)
        if flat.shape != self._parameters.shape:
            raise ValueError(
                f"gradients.flat must have shape {self._parameters.shape}; "
                f"got {flat.shape}"
            )
        moments = gradients.moments if self._running.size else None
        if moments is not None:
            moments = door.as_numbers("gradients.moments", moments, self._dtype)
            if moments.shape != self._running.shape:
                raise ValueError(
                    f"gradients.moments must have shape {self._running.shape}; "
                    f"got {moments.shape}"
                )
        self._apply(flat, moments, len(gradients.input), gradients.weighs)

    def _apply(
        self, flat: Real, moments: Real | None, n: int, weighs: bool = True
    ) -> None:
        """`apply`, of a gradient from n rows that has been checked."""
        if not weighs:
            self._engine.seen += 1
            return
        if self._optimizer.clip_norm:
            flat = flat.copy()  # it is scaled in place
            parts = self._design.layout.views(flat)
            for l, factor in enumerate(self._factors):
                if factor == 0:  # frozen: it has no part in the norm
                    parts.weights[l][...] = parts.biases[l][...] = 0
                    if (gain := parts.gains[l]) is not None:
                        gain[...] = 0
        self._set_lr()
        self._engine.apply(flat, moments, n)

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
        n_0, n_L = self.sizes[0], self.sizes[-1]
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
        finite = looks or door.all_finite(rows)
        if not (finite and self._write_outputs(rows, out, looks)):
            door.reject_infinite("X", X, rows[0] if single else rows)
        return out

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """`predict`, a subclass's too."""
        return self.predict(*arguments, **settings)

    def _outputs(self, rows: Real) -> Real:
        """The outputs (n, n_L) of rows that have been checked."""
        out = np.empty((len(rows), self.sizes[-1]), self._dtype)
        self._write_outputs(rows, out, False)
        return out

    def _write_outputs(self, rows: Real, out: Real, checks_X: bool) -> bool:
        """Write the outputs; False, with `out` half written, if X is not finite."""
        finite: bool = self._engine.predict(rows, out, checks_X)
        return finite

    def predict_one(self, x: ArrayLike) -> Real:
        """The output activations of a single row, without allocating anything.

        Parameters
        ----------
        x : array-like (n_0,)
            Used where it lies if it is an array of the network's dtype.

        Returns
        -------
        array (n_L,)
            The same array every time: the next call overwrites it.

        Examples
        --------
        >>> import numpy as np, bpcore as bp
        >>> net = bp.Network([2, 3], output="softmax", init="zeros")
        >>> net.predict_one(np.array([1.0, -1.0], dtype=np.float32))
        array([0.33333334, 0.33333334, 0.33333334], dtype=float32)
        """
        out: Real | None = self._engine.predict_one_at_once(x, self._one)
        if out is None:
            rows = self._sample(x)
            if np.may_share_memory(rows, self._one):  # it predicted x itself
                rows = rows.copy()
            return Network.predict(self, rows, self._one)
        return out

    def _sample(self, x: ArrayLike) -> Real:
        """A single row, all finite."""
        row = door.as_numbers("x", x, self._dtype)
        if row.shape != (self.sizes[0],):
            raise ValueError(f"x must have shape ({self.sizes[0]},); got {row.shape}")
        return row

    def evaluate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        *,
        metrics: MetricLike | Sequence[MetricLike] | None = None,
    ) -> Any:
        """The mean loss, and metrics where asked for.

        Parameters
        ----------
        X, y, sample_weight, class_weight, metrics
            As for `fit`.

        Returns
        -------
        float, or dict of str to float where there are metrics
            sum(w E) / sum(w), with E the loss of a row and w its weight, 1 by default;
            in the dict it is "loss".  A custom loss that returns one number is computed
            of all rows at once.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros")
        >>> net.evaluate([[0.0], [0.0]], [[2.0], [4.0]])
        5.0
        >>> net.evaluate([[0.0], [0.0]], [[2.0], [4.0]], metrics="mae")
        {'loss': 5.0, 'mae': 3.0}
        """
        wanted = as_metrics(metrics)
        data = self._batch(X, y, sample_weight)
        weights = self._class_weights(class_weight, data[1])
        loss = self._mean_loss(*self._with_class_weights(data, weights))
        if not wanted:
            return loss
        rows, targets, weight = data
        exact = self._exact_targets(y, targets)
        return {"loss": loss, **self._measure((rows, exact, weight), wanted)}

    def _exact_targets(
        self, y: ArrayLike, targets: Any, mask: NDArray[np.bool_] | None = None
    ) -> NDArray[Any]:
        """The caller's targets for metrics, those of the rows of a mask if any.

        Integer labels, as `targets` are then, else float64 in the shape of y.
        """
        if targets.ndim == 1:
            return np.asarray(targets)
        exact = door.as_array("y", y)
        if mask is not None:
            exact = exact[mask]
        exact = self._apart(exact.astype(np.float64, copy=False))
        return np.asarray(exact)

    def _measure(
        self, data: tuple[Any, Any, Any], metrics: Sequence[Metric]
    ) -> dict[str, float]:
        """The metrics, with the weights of samples but not of classes."""
        if not metrics:
            return {}
        rows, targets, weight = data
        a, kind = self._outputs(rows), self._design.target_kind
        return {metric.name: metric(targets, a, weight, kind) for metric in metrics}

    def _mean_loss(self, rows: Any, targets: Any, weight: Any) -> float:
        """sum(w E) / sum(w) of data of any size."""
        if weight is not None:
            weight = scaled_to_normal(weight)
        if isinstance(self._design.loss, CustomLoss):
            with self._engine:
                return self._mean_of_function(rows, targets, weight)
        total, divisor = self._engine.evaluate(rows, targets, weight)
        return total / divisor if divisor else 0.0

    def _mean_of_function(self, rows: Any, targets: Any, weight: Any) -> float:
        """`_mean_loss` of a loss function, of all rows at once: it may couple them.

        It is called with a few rows first: an error in it shows before the outputs of
        all are computed.
        """
        weight = np.ones(len(rows)) if weight is None else weight
        for n in sorted({min(FEW_ROWS, len(rows)), len(rows)}):
            a, y = self._outputs(rows[:n]), targets[:n].copy()
            E = self._engine.losses(a, y, weight[:n])
        return math.fsum(E) / math.fsum(weight)

    def folded(self) -> Self:
        """A network without batch norm that predicts the same.

        With running mean m and variance v of a layer, and s = gain / sqrt(v + 1e-5)::

            W = W s,     b = b - m s

        That is how the network itself predicts; this copy does so without folding its
        weights anew at every call.  Its optimizer begins anew.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 4, 1], norm="batch", rng=0)
        >>> bool((net.folded().predict([1.0, 2.0]) == net.predict([1.0, 2.0])).all())
        True
        """
        norms = tuple(None if norm == "batch" else norm for norm in self.norms)
        design = dataclasses.replace(self._design, norms=norms)
        flat = np.zeros(design.layout.size, self._dtype)
        parts = design.layout.views(flat)
        for l, running in enumerate(self.running_moments):
            W, b, gain = self.weights[l], self.biases[l], self.gains[l]
            if running is None:
                parts.weights[l][...], parts.biases[l][...] = W, b
                if (own := parts.gains[l]) is not None:
                    own[...] = gain
            else:
                assert gain is not None
                _dispatch.kernels.fold(
                    parts.weights[l], parts.biases[l], W, b, gain, running
                )
        other = self._copy_with(
            _design=design,
            _parameters=flat,
            _running=np.zeros(0, self._dtype),
            _state=None,
        )
        other._engine.steps = 0
        other._engine.layer_steps = (0,) * len(other.weights)
        other._begin_schedule()
        return other

    def forward(self, X: ArrayLike) -> Tape:
        """The output and everything on the way to it, for `backward`.

        It is the forward pass of training: what drops out in the next step drops out,
        and batch norm takes the moments of X.

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
        rows = door.as_rows("X", X, self.sizes[0], self._dtype).copy()
        n = len(rows)
        self._require_rows(n)
        with self._engine:
            size, places = self._engine.tape_size(n)
            memory = aligned_zeros(size, np.uint8)
            seen = self._engine.seen
            self._engine.forward(rows, memory)
        activations = [rows]
        for layer, n_out in zip(places, self.sizes[1:], strict=True):
            activations.append(part(memory, layer["a"], (n, n_out), self._dtype))
        return Tape(tuple(activations), memory, seen)

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
        self._require_derivatives()
        door.instance("tape", tape, Tape)
        dtype = np.asarray(tape.output).dtype
        if dtype != self._dtype:
            raise ValueError(f"tape must be of dtype {self._dtype.name}; got {dtype}")
        shapes = [np.shape(a) for a in tape.activations]
        n = shapes[0][0] if shapes and shapes[0] else 1
        size, _ = self._engine.tape_size(n)
        fits = tape.memory.nbytes == size and tape.memory.dtype == np.uint8
        if shapes != [(n, width) for width in self.sizes] or not fits:
            raise ValueError(
                f"tape must be of a network like this one, with activations of shapes "
                f"(n, size) for the sizes {list(self.sizes)}; got {shapes}"
            )
        X = tape.activations[0]
        d_output = door.as_rows("d_output", d_output, self.sizes[-1], self._dtype)
        if len(d_output) != n:
            raise ValueError(
                f"d_output must have shape ({n}, {self.sizes[-1]}); "
                f"got {d_output.shape}"
            )
        flat, dX = np.empty_like(self._parameters), np.empty_like(X)
        moments = self._new_moments()
        self._engine.backward(X, tape.memory, tape.seen, d_output, flat, dX, moments)
        return self._as_gradients(None, flat, dX, moments)

    def node(self, x: graph.Variable | ArrayLike) -> graph.Variable:
        """The output as a variable of ``bpcore.graph``, computed by the kernels.

        It is `forward`, and `backward` once ``backward()`` of an expression reaches it:
        that gives the gradient by x to x, and those by the parameters to
        ``stored_gradients``.  So any loss that can be written makes a step.

        Parameters
        ----------
        x : Variable or array-like (n, n_0)
            Converted to the network's dtype.

        Returns
        -------
        Variable (n, n_L)
            With one output that is (n, 1), to be compared with targets (n, 1): with
            (n,) it would broadcast to (n, n), of which there is a UserWarning.

        Raises
        ------
        ValueError, TypeError
            As `forward`.  ``backward()`` of what is computed from the node raises
            RuntimeError if the network was trained in between.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 4, 1], optimizer=bp.SGD(lr=0.1), rng=0)
        >>> X, t = [[0.0, 1.0], [1.0, 1.0]], [[1.0], [0.0]]
        >>> for step in range(200):
        ...     loss = ((net.node(X) - t) ** 2).mean()
        ...     loss.backward()
        ...     net.apply()
        >>> net.evaluate(X, t) < 0.01
        True
        """
        from bpcore.graph.functions import node

        return node(self, x)

    @property
    def stored_gradients(self) -> Gradients | None:
        """Of the last ``backward()`` through a node of this network; else None.

        The sum over its nodes in that graph.  ``.loss`` is the value that it began at,
        if that is one number, and ``.input`` has the rows of all nodes, in order of
        evaluation.
        """
        return self._stored_gradients

    # --- copies -----------------------------------------------------------------------

    @own_errstate
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
        return self._copy_with(_dtype=dtype)

    def _copy_with(self, **changes: Any) -> Self:
        """A copy, made as ``copy.copy`` makes it, with parts of its state changed."""
        other = copy.copy(self)
        Network.__setstate__(other, {**Network.__getstate__(other), **changes})
        return other

    def __getstate__(self) -> dict[str, Any]:
        """All that a copy has, attributes of a subclass and of a user's too."""
        given = object.__getstate__(self)  # (attributes, slots) where there are slots
        parts = given if isinstance(given, tuple) else (given,)
        state = {
            name: value
            for part in parts
            for name, value in (part or {}).items()
            if name not in OWN
        }
        state |= {name: getattr(self, name) for name in COPIED}
        with self._engine:  # not in the middle of another thread's step
            state["_parameters"] = self._parameters.copy()
            state["_running"] = self._running.copy()
            state["_state"] = None if self._state is None else self._state.copy()
            state["_bits"] = self._bits.state
            state["_counts"] = self._counts
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if name not in REBUILT:
                self._put(name, value)
        self._bits = np.random.PCG64()
        self._bits.state = state["_bits"]
        self._parameters = aligned_zeros(state["_parameters"].size, self._dtype)
        self._parameters[...] = state["_parameters"]
        self._running = state["_running"].astype(self._dtype)
        self._connect(thread_count(self._n_threads))
        own = self._new_state(self._optimizer)
        if own is not None and state["_state"] is not None:
            own[...] = state["_state"]
        self._use_optimizer(self._optimizer, own)
        self._counts = state["_counts"]
        self._set_lr()

    def _put(self, name: str, value: Any) -> None:
        """Set an attribute past a subclass's ``__setattr__`` and properties."""
        there = getattr(type(self), name, None)
        if hasattr(there, "__set__") and not isinstance(there, MemberDescriptorType):
            vars(self)[name] = value
        else:
            object.__setattr__(self, name, value)

    # --- for training -----------------------------------------------------------------

    def _require_derivatives(self) -> None:
        """Raise if there is no way to train this network."""
        if not self._design.trains:
            raise ValueError(
                "activation must have a derivative to train by; step has none: it is "
                "for predictions only"
            )

    @property
    def _makes_steps(self) -> bool:
        """Whether the optimizer makes steps of single mini-batches."""
        return self._optimizer.rule in _dispatch.kernels.RULES

    def _require_steps(self) -> None:
        """Raise if the optimizer makes no steps of single mini-batches."""
        if not self._makes_steps:
            raise ValueError(
                f"{type(self._optimizer).__name__} trains by fit only, from all of the "
                "data"
            )

    def _require_rows(self, n: int, of: str = "") -> None:
        """Raise if there are too few rows for batch norm."""
        if n == 1 and self._running.size:
            raise ValueError(f"{of}X must have at least 2 rows for batch norm; got 1")

    def _batch(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        of: str = "",
        *,
        some: bool = True,
    ) -> tuple[Any, Any, Any]:
        """X, y and sample_weight as the engine takes them, `some` weights above 0."""
        loss = self._design.loss
        rows = door.as_rows(f"{of}X", X, self.sizes[0], self._dtype)
        if y is None:
            raise TypeError(f"{of}y must be given; got None")
        targets = door.as_targets(
            f"{of}y", y, len(rows), self.sizes[-1], loss, self._dtype
        )
        weight = door.as_weights(
            f"{of}sample_weight", sample_weight, len(rows), some=some
        )
        return self._apart(rows), self._apart(targets), self._apart(weight)

    def _apart(self, array: Any) -> Any:
        """The array, a copy if training would change it while it is used."""
        if array is not None and any(
            np.may_share_memory(array, own) for own in (self._parameters, self._running)
        ):
            return array.copy()
        return array

    def _class_weights(
        self, class_weight: ClassWeight | None, targets: Any, *, whole: bool = True
    ) -> Weights | None:
        """The weight of each class; "balanced" counts these, the `whole`, targets."""
        if class_weight is None:
            return None
        return as_class_weights(class_weight, targets, self._design, whole=whole)

    def _with_class_weights(
        self,
        batch: tuple[Any, Any, Any],
        class_weights: Weights | None,
        of: str = "",
        *,
        some: bool = True,
    ) -> tuple[Any, Any, Any]:
        """The batch with the weights of the classes times those of the samples."""
        if class_weights is None:
            return batch
        rows, targets, weight = batch
        targets, product = with_class_weights(
            targets, weight, class_weights, self._design, self._dtype, ratios=some
        )
        door.require_weights(f"{of}class_weight", product, some=some)
        return rows, targets, product

    def _weighted_batch(
        self,
        X: ArrayLike,
        y: ArrayLike | None,
        sample_weight: ArrayLike | None,
        class_weight: ClassWeight | None,
    ) -> tuple[Any, Any, Any]:
        """A mini-batch with both kinds of weights as they are given, perhaps all 0."""
        batch = self._batch(X, y, sample_weight, some=False)
        class_weights = self._class_weights(class_weight, batch[1], whole=False)
        return self._with_class_weights(batch, class_weights, some=False)

    def _stream_batch(
        self, item: Any, number: int, class_weights: Weights | None
    ) -> tuple[Any, Any, Any]:
        """A mini-batch as an iterable yields it, its weights as they are given."""
        of = f"mini-batch {number}: "
        expected = f"{of}it must be (X, y) or (X, y, sample_weight)"
        if not isinstance(item, tuple | list):
            raise TypeError(f"{expected}; got {type(item).__name__}")
        if len(item) not in (2, 3):
            raise ValueError(f"{expected}; got {len(item)} entries")
        X, y, *weight = item
        batch = self._batch(X, y, weight[0] if weight else None, of, some=False)
        return self._with_class_weights(batch, class_weights, of, some=False)
