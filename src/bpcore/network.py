"""Network: checks its arguments, and calls its `Learner`."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from bpcore import checks
from bpcore.arrays import Real
from bpcore.batches.weights import ClassWeight
from bpcore.engine import engine
from bpcore.errors import DivergenceError
from bpcore.interrupts import complete
from bpcore.losses import Loss, LossFunction
from bpcore.metrics import MetricLike
from bpcore.model import design as settings
from bpcore.model.design import Design
from bpcore.model.gradients import Gradients, Tape
from bpcore.model.initial import Initial
from bpcore.model.reader import Reader
from bpcore.model.state import State, initial_state
from bpcore.model.stored import (
    other_attributes,
    parted,
    read_network,
    stored_network,
)
from bpcore.model.threads import n_threads as thread_count
from bpcore.optimizers import SGD, Optimizer
from bpcore.quoting import quoted
from bpcore.training import inputs, outputs
from bpcore.training.fit import prepare
from bpcore.training.history import History
from bpcore.training.learner import Learner
from bpcore.training.options import Options, with_options

if TYPE_CHECKING:
    from typing import Self

    from bpcore import graph
    from bpcore.files.c.report import CReport
    from bpcore.files.native.container import Container
    from bpcore.files.native.networks import HowToRead
    from bpcore.files.whole import Path

#: The key of the network itself in the state of a pickle or a copy.
OWN = "_bpcore_network"

#: Attributes that a copy creates anew; all others belong to a subclass or a user.
ANEW = frozenset(("_learner", "_engine", "_n_threads", "_one"))


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
        f of the hidden layers: one name, or one for each, of ``bpcore.ACTIVATIONS``:
        identity, sigmoid, tanh, relu, softmax, leaky_relu, elu, selu, gelu, gelu_tanh,
        silu, mish, softplus, softsign, hard_sigmoid, hard_tanh, exp, step (forward
        only).
    output : str, optional
        f of the last layer.  The default depends on the loss: softmax with
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
        number, ``lambda a, y: ((a - y) ** 2).mean()``.  The default depends on the
        output; squared_error if neither is given.
    optimizer : Optimizer, optional
        Settings of the update, ``bpcore.Adam(1e-3)``; ``SGD()`` by default.
    norm : "batch", "layer" or None, or a sequence of them
        Normalisation of a @ W in the hidden layers, before the activation, for all or
        for each.  Then b is the shift after it, and ``gains`` its factor::

            z = gain (u - mean) / sqrt(variance + 1e-5) + b,     u = a @ W

        batch: over the mini-batch (Ioffe and Szegedy 2015); predictions use running
        moments (momentum 0.1).  layer: over the units (Ba, Kiros and Hinton 2016).  As
        ``torch.nn.BatchNorm1d`` and ``LayerNorm``.
    dropout : float or sequence of float
        Probability that a unit is dropped in a training mini-batch (Srivastava et al.
        2014), for all hidden layers or for each; kept units are divided by
        1 - dropout.  At least 0 and below 1.
    input_noise : float
        Standard deviation of gaussian noise that is added to X while training.
    input_scale : float, optional
        Learn a factor of each input, at first 1; the number, above 0, is the factor of
        its learning rate::

            a[0] = X * scale                                scale: (n_0,)

        6.0 stands for six times the rate of the weights.  Other settings (penalties,
        clip_value, ...) are those of the optimizer for biases; ``lr_factors`` and
        ``frozen`` are of layers, and do not apply.  Noise is added to X before it.
        None or 0: no scale.  (The scaling layer of RealMLP, Holzmueller, Grinsztajn
        and Steinwart 2024.)
    init : str or sequence of str
        Initialiser of the weights, one name, or one for each layer of weights: glorot_,
        he_ or lecun_ with uniform or normal, zeros, or "auto": by the activation of
        their layer (he_uniform for relu and similar ones, lecun_normal for selu, else
        glorot_uniform).
    bias_init : str or sequence of str
        Initialiser of the biases, one name, or one for each layer of weights: zeros, or
        normal, of variance 1.
    parametrization : "standard" or "ntk"
        ntk, the neural tangent parametrisation (Jacot, Gabriel and Hongler 2018),
        trains V in place of W = V / sqrt(n_in), with V of variance 1 at first::

            z[l] = a[l] @ V[l] / sqrt(n_in) + b[l]

        Here it is a matter of initial values: "auto" is lecun_normal in every layer,
        and `lr_factors` are (1 / sqrt(n_in), 1), or (1 / n_in, 1) for `SGD` and
        `Momentum`, whose steps are proportional to the gradient.  So W moves as V would
        at the rate lr; but penalties, clipping, max_norm and eps are those of W.  An
        optimizer that is assigned later does not change the factors.
    dtype : float32 or float64
    rng : int, numpy Generator or BitGenerator, optional
        Source of weights, shuffles, dropout and noise; an int gives the same network
        on every machine.
    n_threads : int or "auto"
        The most threads that a step or a prediction uses; small steps use fewer, as do
        several networks that are busy at once.  "auto" is the number of cores that the
        process may use (CPU affinity, control group), or BPCORE_NUM_THREADS, else
        OMP_NUM_THREADS, if that is smaller.  More threads than cores are slower; if
        several processes are busy, give each only some of the cores.  No bit depends on
        it.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range; the message names it.

    Notes
    -----
    For subclasses: ``net(X)`` calls ``predict``, ``bpcore.fit_many`` calls ``fit``, and
    a `node` calls ``forward`` and ``backward``.  No other public method calls one that
    may be overridden: ``partial_fit`` does not call ``fit``, nor ``learn_one``
    ``train_step``, nor ``predict_one`` and ``evaluate`` ``predict``.  Override each of
    them that is to behave differently.

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

    #: Class of the engine.
    _engine_class: ClassVar[Any] = engine.Engine

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
        input_scale: float | None = None,
        init: str | Sequence[str] = "auto",
        bias_init: str | Sequence[str] = "zeros",
        parametrization: str = "standard",
        dtype: DTypeLike = "float32",
        rng: int | np.random.Generator | np.random.BitGenerator | None = None,
        n_threads: int | str = "auto",
    ) -> None:
        threads = thread_count(n_threads)
        dtype = settings.real_dtype(dtype)
        design = Design.checked(
            sizes, activation, output, loss, norm, dropout, input_noise, input_scale
        )
        optimizer = settings.known_optimizer(SGD() if optimizer is None else optimizer)
        initial = Initial.checked(design, optimizer, init, bias_init, parametrization)
        bits = settings.bit_generator(rng)
        design = dataclasses.replace(design, seed=settings.training_seed(bits))
        state = initial_state(design, dtype, optimizer, initial, bits)
        self._use(Learner(design, state, self._engine_class, threads), n_threads)

    def _use(
        self,
        learner: Learner,
        n_threads: int | str,
        others: Mapping[str, Any] | None = None,
    ) -> None:
        """Hold a learner, in place of the one before, and take over attributes."""
        try:  # not `vars`, after which all attributes are slower to find
            before = object.__getattribute__(self, "_engine")
        except AttributeError:
            before = contextlib.nullcontext()
        with before:  # not during a call of another thread
            self._hold(learner, n_threads, others)

    def _hold(
        self,
        learner: Learner,
        n_threads: int | str,
        others: Mapping[str, Any] | None = None,
    ) -> None:
        """Hold a learner and take over attributes: all of them, or none.

        What can fail comes first, and no interrupt can halve it.  Attributes in slots
        and others are set past the ``__setattr__`` of a subclass.
        """
        one = np.empty(learner.design.sizes[-1], learner.dtype)
        held = learner, learner.engine, one, n_threads
        slots, attributes = parted(self, others or {})
        if attributes:
            names = "_learner", "_engine", "_one", "_n_threads"
            attributes |= zip(names, held, strict=True)

        def take_over() -> None:
            if attributes:
                vars(self).update(attributes)
            else:  # one line without any call
                self._learner, self._engine, self._one, self._n_threads = held
            for name, value in slots.items():
                object.__setattr__(self, name, value)

        if slots:
            complete(take_over)
        else:
            take_over()

    def __repr__(self) -> str:
        state, design = self._learner.state, self._learner.design
        shown = ", ".join(design.written(state.optimizer, self.dtype))
        return f"{type(self).__name__}({shown})"

    def _repr_html_(self) -> str:
        from bpcore.show.summary import network_table  # for notebooks only

        return network_table(self)

    # --- architecture and arrays ------------------------------------------------------

    @property
    def learner(self) -> Learner:
        """The object that the network is built on: its design, state and engine.

        For tools that need more than the network's methods; its interface may change.

        Examples
        --------
        >>> import bpcore as bp
        >>> bp.Network([2, 1]).learner.state
        <State after 0 steps, 0 epochs>
        """
        self._engine.share()
        return self._learner

    @property
    def sizes(self) -> tuple[int, ...]:
        """n_0, ..., n_L."""
        return self._learner.design.sizes

    @property
    def activations(self) -> tuple[str, ...]:
        """The names of f[0], ..., f[L-1]; the last is that of the output."""
        return self._learner.design.activations

    @property
    def loss(self) -> str | Loss | LossFunction:
        """The name of the loss, or a Loss if its settings are not the default ones."""
        return self._learner.design.loss_argument

    @property
    def norms(self) -> tuple[str | None, ...]:
        """The normalisation of each layer."""
        return self._learner.design.norms

    @property
    def dropout(self) -> tuple[float, ...]:
        """The dropout probability of each layer."""
        return self._learner.design.dropout

    @property
    def input_noise(self) -> float:
        """Standard deviation of the noise added to X in training."""
        return self._learner.design.input_noise

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._learner.dtype

    @property
    def n_threads(self) -> int:
        """The most threads that a step or a prediction uses; assign any, or "auto"."""
        threads: int = self._engine.n_threads
        return threads

    @n_threads.setter
    def n_threads(self, n_threads: int | str) -> None:
        threads = thread_count(n_threads)

        def use() -> None:
            self._engine.use_threads(threads)
            self._n_threads = n_threads

        with self._engine:
            complete(use)

    @property
    def parameters(self) -> Real:
        """All parameters, flat and writable: W[0], b[0], (gain[0],) W[1], b[1], ...

        The scale of the inputs, if there is one, comes last.
        """
        return self._engine.lend()

    @property
    def weights(self) -> tuple[Real, ...]:
        """W[l], (n_in, n_out) each: writable views of the parameters."""
        return self._learner.lend().weights

    @property
    def biases(self) -> tuple[Real, ...]:
        """b[l], (n_out,) each: writable views of the parameters."""
        return self._learner.lend().biases

    @property
    def gains(self) -> tuple[Any, ...]:
        """The factors (n_out,) after normalisation, None for layers without it."""
        return self._learner.lend().gains

    @property
    def input_scale(self) -> Any:
        """The learned factors (n_0,) of the inputs, writable; None without them.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 1], input_scale=6.0, init="zeros")
        >>> net.weights[0][...] = 1
        >>> net.input_scale[...] = [0.5, 3.0]
        >>> net.predict([1.0, 1.0])
        array([3.5], dtype=float32)
        """
        return self._learner.lend().scale

    @property
    def running_moments(self) -> tuple[Any, ...]:
        """Running mean and variance (2, n_out) of each layer with batch norm, or None.

        Writable, like the parameters.
        """
        return self._learner.moments

    @property
    def history(self) -> Any:
        """The History of the last `fit`, after an error too; None before any.

        It is also there after a DivergenceError, an interrupt (Ctrl-C) or an error in a
        callback, with the epochs finished before (one whose validation was interrupted
        counts for a schedule, but is not in it).  It is not copied or pickled.  A
        value that is assigned, as by a subclass with a history of its own, replaces it
        permanently.

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
        return vars(self).get("history", self._learner.history)

    @history.setter
    def history(self, value: Any) -> None:
        vars(self)["history"] = value

    # --- its optimizer ----------------------------------------------------------------

    @property
    def optimizer(self) -> Optimizer:
        """The settings of the update; assign others at any time.

        Its arrays are kept if the new optimizer is of the same class with the same
        arrays, else they begin anew.  The schedule of the learning rate begins anew if
        it is another object.  Within a fit, `LBFGS` ends it with a ValueError, since it
        makes no steps from mini-batches.
        """
        return self._learner.state.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: Optimizer) -> None:
        self._learner.use_optimizer(settings.known_optimizer(optimizer))

    @property
    def lr_factors(self) -> tuple[tuple[float, float], ...]:
        """The factors of the learning rate of each layer: of W, and of b and gain.

        Assign a number for each layer, or a pair.  A layer whose factors are both 0 is
        as a frozen one.  If only one of them is 0, its parameters have the learning
        rate 0: the optimizer's arrays follow their gradient, and max_norm limits them.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([4, 8, 3])
        >>> net.lr_factors = [0.1, (1.0, 0.5)]
        >>> net.lr_factors
        ((0.1, 0.1), (1.0, 0.5))
        """
        return self._learner.state.lr_factors

    @lr_factors.setter
    def lr_factors(self, factors: Sequence[float | Sequence[float]]) -> None:
        self._learner.use_lr_factors(settings.layer_factors(factors, len(self.norms)))

    @property
    def frozen(self) -> tuple[bool, ...]:
        """Whether training leaves each layer unchanged; assign a bool for each.

        Weights, biases, gains and running moments of a frozen layer do not change.
        The scale of the inputs (`input_scale`) is part of no layer: it is trained.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([4, 8, 3])
        >>> net.frozen = [True, False]
        """
        return self._learner.state.frozen

    @frozen.setter
    def frozen(self, frozen: Sequence[bool]) -> None:
        self._learner.use_frozen(settings.frozen_layers(frozen, len(self.norms)))

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self._learner.lr

    # --- training ---------------------------------------------------------------------

    @with_options
    def fit(
        self,
        X: ArrayLike | Iterable[Any],
        y: ArrayLike | None = None,
        **options: Unpack[Options],
    ) -> History:
        """Train for a number of epochs of mini-batches.

        Another call continues: parameters, optimizer, schedule and random streams are
        kept, so that 5 epochs and 5 more give the bits of 10.

        Parameters
        ----------
        X : array-like (n, n_0), or an iterable of mini-batches
            Without y, X yields ``(X, y)`` or ``(X, y, sample_weight)``, for data larger
            than memory.  A list, or another iterable that can be iterated over again,
            is used in every epoch; a generator only once: give ``epochs=1`` with it, or
            ``steps_per_epoch``.
        y : array-like
            Labels (n,) for cross_entropy, or targets (n, n_L); (n,) if n_L is 1.
        epochs : int
            Passes over the data, at least 1; iterations for LBFGS.
        batch_size : int, optional
            Rows of a mini-batch, 32 by default, or all for optimizers that need all.  A
            smaller last mini-batch makes a full step, from the mean of its own rows.
            With batch norm, which needs two rows, a single last row joins the
            mini-batch before it; a mini-batch of one row from an iterable joins the
            next one, or the one before if it is the last.
        shuffle : bool
            Whether the order of the rows is random, anew in every epoch.
        validation : (X, y), (X, y, sample_weight) or float, optional
            Data whose loss is computed after every epoch, or the fraction of the rows
            that is held back for it.  They are drawn at random, with classes (or
            combinations of several labels) in proportion; another fit to the same
            number of rows holds back the same ones.
        sample_weight : array-like (n,), optional
            The weight of each sample in the mean loss, not negative.  Weights of
            samples times classes are scaled once to mean 1 over the training rows, and
            the loss of a mini-batch is 1/rows sum w E, so that the minimum does not
            depend on the size of the mini-batches.  A mini-batch whose weights are all
            0 makes no step.  Weights of mini-batches from an iterable are not scaled.
        class_weight : mapping, sequence or "balanced", optional
            Weights of classes, or of outputs.  For cross_entropy, and for one output,
            they belong to the classes: the weight of a sample is multiplied by that of
            its class, or, if its target is probabilities of classes, by their mean.
            For binary_cross_entropy and hinge with two or more outputs each output is a
            label of its own, and they belong to the outputs: the weight multiplies that
            output's term of the loss in the samples that have the label.

            A sequence has them in order: of the classes 0, 1, ... (two for one output),
            or of the outputs.  A mapping has them by class or output; missing ones are
            1.  For hinge with one output the classes are -1 (or 0) and 1.  "balanced"
            gives all classes the same total weight: n / (number of classes that occur x
            samples of the class), where a class without samples counts as one with a
            single sample, which matters for validation only.  For several labels it is
            each output's negatives over its positives, or 1 for an output without
            positives or without negatives.

            They are used in every loss, that of validation too, and not in metrics.
        metrics : str, callable or sequence of them, optional
            Metrics after every epoch, of the validation data if there are some, else of
            the training data: names of ``bpcore.metrics``, such as "accuracy", "top_5",
            "r2", "mae", "auc", or callables ``f(y, a)``.  A callable gets the targets
            as given to fit, integer labels or else float64, in the same shape, (n, n_L)
            or (n,), and the outputs (n, n_L), but (n,) if n_L is 1 and the targets are
            (n,).  Recall and similar metrics are those of class 1 of two, and means
            over the outputs if each is a label of its own (binary_cross_entropy and
            hinge).  Metrics of outputs with a NaN are NaN.
        monitor : str, optional
            The quantity for patience and restore_best: "loss", "validation_loss" (with
            validation data) or a metric, which is then computed; by default the
            validation loss if there is one, else the training loss.
        mode : "auto", "min" or "max"
            Whether smaller ("min") or larger ("max") values of it are better.  "auto"
            is right for losses and built-in metrics; for functions of your own give
            "min" or "max".
        patience : int, optional
            Stop after this number of epochs without a better value.  Epochs whose value
            is NaN do not count.
        min_delta : float
            A value is better than the best one so far if the difference is above this,
            an absolute number.  (That of ``schedules.ReduceOnPlateau`` is relative to
            the best value.)
        restore_best : bool
            At the end, also after an error or an interrupt, restore the best epoch: the
            network then has the bits of a fit of that number of epochs (an iterator is
            not rewound).  The network before the fit is epoch 0 and is restored if no
            epoch is better; ``history.restored`` is the restored epoch.  It costs a
            second copy of all state and one evaluation before epoch 1; if "loss" is
            monitored also one of the training data after each better epoch, which must
            be below that before the fit.  With "loss" of mini-batches from other
            iterables than sequences, or with steps_per_epoch, there is no epoch 0.
        accumulate : int
            Number of mini-batches whose gradients make one step together, like one
            mini-batch with the rows of all.  The gradients are summed as a binary tree
            over the numbers of the mini-batches, 0 + 1, 2 + 3, ..., then (0 + 1) +
            (2 + 3), ...; those whose weights are all 0 add nothing.  It takes the
            memory of floor(log2(accumulate)) + 1 gradients.
        callbacks : iterable of callables
            Each is called as ``callback(network, history)`` after every epoch; training
            stops if one returns True.  Its method ``check(network)``, if it has one, is
            called before anything changes, and may raise.  With the argument `resume`
            its method ``resume(network, history)``, if it has one, is called before the
            first step, with what the file has.
        batch_callbacks : iterable of callables
            Each is called as ``callback(network, epoch, batch, loss)`` after every
            mini-batch, with epoch and batch counted from 1; training stops if one
            returns True.
        steps_per_epoch : int, optional
            Number of mini-batches of an epoch, if they come from an iterable.
        progress : bool
            Show a bar (lines if tqdm is not installed) on standard error.
        gradient : "backpropagation" or "numerical"
            How the derivatives of the loss are computed.  "numerical" uses central
            differences (``bpcore.numerical_gradient``, in float64) in place of
            backpropagation, to compare results and costs: it computes two losses for
            each parameter that is not frozen and each mini-batch, while backpropagation
            takes the time of about three losses in all.  Not with LBFGS or
            `accumulate`.
        resume : path, optional
            A file of `bpcore.Checkpoint`, written by a fit with the same arguments that
            was stopped.  This fit goes on from there, also in the middle of an epoch,
            and ends with the same bits as one that was never stopped; the network, of
            the same design and `rng`, takes over all that the file has, the optimizer
            too.  `epochs` counts those of the stopped fit.  Not with LBFGS.

        Returns
        -------
        History
            Loss, validation loss, metrics, learning rate and seconds of every epoch.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described; nothing has changed.
        DivergenceError
            If a loss or a parameter becomes infinite or NaN; the network is then set
            back to the last finite epoch, or with `restore_best` to the best one.  The
            state is copied before every epoch, above 1 MiB into a temporary file.

        Warns
        -----
        UserWarning
            If the monitored quantity is NaN, as the area under a curve is without
            samples of both classes: once in a fit, naming the quantity and the epoch.

        Notes
        -----
        An interrupt (Ctrl-C) is raised between two mini-batches: after the one being
        computed, or after a twentieth of a second, whichever is later; with numerical
        gradients at once, without a step from that mini-batch.  Finished steps are
        kept, or with `restore_best` the best epoch is restored; `history` has the
        finished epochs.

        An error in showing the progress does not end training; no more is shown then.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], optimizer=bp.SGD(lr=0.1, momentum=0.9), rng=0)
        >>> history = net.fit([[0.0], [1.0]], [1.0, 3.0], epochs=500, progress=False)
        >>> net.weights[0].round(1), net.biases[0].round(1)
        (array([[2.]], dtype=float32), array([1.], dtype=float32))
        """
        resumed = None
        if (path := options.pop("resume", None)) is not None:
            from bpcore.files.native.fit_file import (
                read_resumed,  # most fits resume none
            )

            resumed = read_resumed(path, self._learner)
        return prepare(self._learner, self, X, y, options, resumed=resumed).run()

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        batch_size: int | None = None,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
    ) -> Self:
        """One pass over the data, shuffled, without progress; returns the network.

        The data are a part of all data, so weights are not scaled to mean 1 as in
        `fit`: the loss of a mini-batch is 1/rows sum w E.

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
        options: Options = {
            "epochs": 1,
            "batch_size": batch_size,
            "sample_weight": sample_weight,
            "class_weight": class_weight,
            "progress": False,
        }
        prepare(self._learner, self, X, y, options, whole=False).run()
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
            As for `fit`, one mini-batch.  Its loss is 1/n sum w E with the weights as
            given; with weights of mean 1 over all data the steps are as large as
            without weights.  If all weights are 0 there is no step.

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
            changed.  A step from a finite loss may lead to parameters that are not
            finite (lr too large): then the next step raises.  Only `fit` checks whether
            the optimizer's arrays are finite.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> net.train_step([[1.0]], [[2.0]]), net.train_step([[1.0]], [[2.0]])
        (2.0, 0.0)
        """
        loss: float | None = None
        if sample_weight is None and class_weight is None:
            loss = self._engine.step_at_once(X, y)
        if loss is None:
            loss = self._learner.step(
                inputs.step_batch(self._learner, X, y, sample_weight, class_weight)
            )
        if loss != loss:  # NaN
            self._learner.raise_divergence()
        return loss

    def learn_one(self, x: ArrayLike, y: ArrayLike) -> float:
        """One step on one sample, as `train_step` makes it on a mini-batch of one row.

        An array x of the network's dtype is not copied, and nothing is allocated: for
        learning sample by sample in your own loop.

        Where most of x is 0, rows of W whose input is 0 are skipped, with the same
        bits, unless an array of the parameters is held (`weights`, `parameters`, ...).

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
        loss: float | None = self._engine.learn_one_at_once(x, y)
        if loss is None:
            return Network.train_step(self, *inputs.one_row_batch(self._learner, x, y))
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

        They are those of the next training step, with its dropout and noise.

        Parameters
        ----------
        X, y, sample_weight, class_weight
            As for `train_step`.

        Returns
        -------
        Gradients
            ``.loss``, ``.weights``, ``.biases``, ``.gains``, ``.input_scale``,
            ``.flat`` and ``.input``.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 1], init="zeros")
        >>> grads = net.gradients([[1.0, 2.0]], [[3.0]])
        >>> grads.loss, grads.weights[0].ravel().tolist(), grads.biases[0].tolist()
        (4.5, [-3.0, -6.0], [-3.0])
        """
        learner, weights = self._learner, (sample_weight, class_weight)
        return learner.gradients(inputs.differentiable_batch(learner, X, y, *weights))

    def apply(self, gradients: Gradients | None = None) -> None:
        """One optimizer step from gradients, given or stored.

        ``net.apply(net.gradients(X, y))`` gives the same bits as
        ``net.train_step(X, y)``, and like it makes no step if all weights are 0.

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
            If the stored ones were computed before the last step.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros", optimizer=bp.SGD(lr=0.5))
        >>> net.apply(net.gradients([[1.0]], [[2.0]]))
        >>> net.parameters
        array([1., 1.], dtype=float32)
        """
        self._learner.apply(inputs.checked_gradients(self._learner, gradients))

    # --- use --------------------------------------------------------------------------

    def predict(self, X: ArrayLike, out: Real | None = None) -> Real:
        """The output activations a[L].

        Parameters
        ----------
        X : array-like (n, n_0), or (n_0,) for a single row
        out : array (n, n_L), or (n_L,), optional
            The array to write into, of the network's dtype, C-contiguous.

        Returns
        -------
        array (n, n_L), or (n_L,) for a single row
            A row has the same bits alone and among any others.  For one output the
            shape is (n, 1): compare ``net.predict(X)[:, 0]`` with targets (n,).

        Raises
        ------
        ValueError, TypeError
            If X has another shape or is not finite, or `out` does not fit.

        Notes
        -----
        Copies of large W, in the order in which the kernels read them, are made in the
        second mini-batch after W changed, and kept: predictions of 12 or more rows are
        then up to 1.3 times as fast, with the same bits.  The copies need about as much
        memory as the weights.  There are none while an array of the parameters is held
        (`weights`, `parameters`, ...), with batch norm, or with a loss in Python.

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
        return outputs.predict(self._learner, X, out)

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """Same as `predict`, also if a subclass overrides it."""
        return self.predict(*arguments, **settings)

    def predict_one(self, x: ArrayLike) -> Real:
        """The output activations of a single row, without allocating anything.

        Where most of x is 0, rows of W whose input is 0 are skipped, with the same
        bits, unless an array of the parameters is held (`weights`, `parameters`, ...).

        Parameters
        ----------
        x : array-like (n_0,)
            Not copied if it is an array of the network's dtype.

        Returns
        -------
        array (n_L,)
            The same array in every call: the next call overwrites it.

        Examples
        --------
        >>> import numpy as np, bpcore as bp
        >>> net = bp.Network([2, 3], output="softmax", init="zeros")
        >>> net.predict_one(np.array([1.0, -1.0], dtype=np.float32))
        array([0.33333334, 0.33333334, 0.33333334], dtype=float32)
        """
        out: Real | None = self._engine.predict_one_at_once(x, self._one)
        if out is None:
            row = inputs.checked_row(self._learner, x, apart=self._one)
            return Network.predict(self, row, self._one)
        return out

    def evaluate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        class_weight: ClassWeight | None = None,
        *,
        metrics: MetricLike | Sequence[MetricLike] | None = None,
    ) -> Any:
        """The mean loss, and metrics if given.

        Parameters
        ----------
        X, y, sample_weight, class_weight, metrics
            As for `fit`.

        Returns
        -------
        float, or dict of str to float if there are metrics
            sum(w E) / sum(w), with E the loss of a row and w its weight, 1 by default;
            in the dict it is "loss".  A custom loss that returns one number is computed
            from all rows at once.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], init="zeros")
        >>> net.evaluate([[0.0], [0.0]], [[2.0], [4.0]])
        5.0
        >>> net.evaluate([[0.0], [0.0]], [[2.0], [4.0]], metrics="mae")
        {'loss': 5.0, 'mae': 3.0}
        """
        weights = sample_weight, class_weight
        return outputs.evaluate(self._learner, X, y, *weights, metrics)

    def folded(self) -> Self:
        """A network without batch norm and `input_scale` that predicts the same.

        With running mean m and variance v of a layer, and s = gain / sqrt(v + 1e-5)::

            W = W s,     b = b - m s

        The network itself predicts so too; this copy does not fold its weights anew in
        every call.  Its optimizer begins anew.

        The scale of the inputs is multiplied into the rows of W[0], so that predictions
        are then the same up to rounding.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 4, 1], norm="batch", rng=0)
        >>> bool((net.folded().predict([1.0, 2.0]) == net.predict([1.0, 2.0])).all())
        True
        """
        with self._engine.reading():  # not during a step of another thread
            return self._copy_with(*self._learner.folded(), self._learner.dtype)

    def forward(self, X: ArrayLike) -> Tape:
        """The output and all intermediate values, for `backward`.

        It is the forward pass of training, with the dropout and noise of the next step,
        and batch norm by the moments of X.

        Parameters
        ----------
        X : array-like (n, n_0)

        Returns
        -------
        Tape
            ``.activations``, X and a[1] to a[L], and ``.output``, the last.

        Examples
        --------
        >>> import bpcore as bp
        >>> net = bp.Network([2, 4, 3], rng=0)
        >>> [a.shape for a in net.forward([[1.0, 2.0]]).activations]
        [(1, 2), (1, 4), (1, 3)]
        """
        return self._learner.forward(inputs.rows_to_pass(self._learner, X))

    def backward(self, tape: Tape, d_output: ArrayLike) -> Gradients:
        """Backpropagate any derivative by the output, to chain the network with others.

        Parameters
        ----------
        tape : Tape
            Returned by `forward`; the parameters must not have changed since.
        d_output : array-like (n, n_L)
            dE/da[L] of some scalar E; nothing is divided by n.

        Returns
        -------
        Gradients
            Derivatives by the parameters and by the input; ``.loss`` is None.

        Examples
        --------
        The derivative of the output itself by the input is the weight:

        >>> import bpcore as bp
        >>> net = bp.Network([1, 1], rng=0)
        >>> grads = net.backward(net.forward([[2.0]]), [[1.0]])
        >>> bool(grads.input == net.weights[0]), grads.weights[0].item()
        (True, 2.0)
        """
        d_output = inputs.checked_derivative(self._learner, tape, d_output)
        return self._learner.backward(tape, d_output)

    def node(self, x: graph.Variable | ArrayLike) -> graph.Variable:
        """The output as a variable of ``bpcore.graph``, computed by the kernels.

        It calls `forward`; ``backward()`` of an expression calls `backward`, which sets
        the gradient of x, and ``stored_gradients`` to those by the parameters.  So a
        step can be made from any loss written as an expression.

        Parameters
        ----------
        x : Variable or array-like (n, n_0)
            Converted to the network's dtype.

        Returns
        -------
        Variable (n, n_L)
            For one output the shape is (n, 1); targets must have it too, since (n,)
            would broadcast to (n, n), for which there is a UserWarning.

        Raises
        ------
        ValueError, TypeError
            As `forward`.  ``backward()`` of an expression with the node raises
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
        from bpcore.graph.network import network_output

        return network_output(self, x)

    @property
    def stored_gradients(self) -> Gradients | None:
        """Gradients of the last ``backward()`` through a node of this network, or None.

        They are the sum over its nodes in that graph.  ``.loss`` is the value at which
        ``backward()`` began, if that is one number, and ``.input`` has the rows of all
        nodes in order of evaluation.
        """
        return self._learner.stored_gradients

    # --- files ------------------------------------------------------------------------

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        weights_only: bool = False,
        sync: bool = True,
    ) -> None:
        """Save the network to a file, for `bpcore.load`.

        It holds everything: architecture, parameters, optimizer and its state,
        counters, random streams and the history of the last fit, so that a network that
        is loaded trains on with the same bits; and one input with its output, which
        `bpcore.load` compares.  The layout is that of safetensors, whose readers find
        the arrays ``weights.0``, ``biases.0``, ...

        The file is written beside `path` and then renamed: a crash leaves the old file
        or the new one, and perhaps a part of one, ``.bpcore-*.part``, to be deleted.

        Parameters
        ----------
        path : path
            Any name; ``.bpc`` is usual.
        weights_only : bool
            Whether the optimizer's state and all else that only training needs is left
            out: the file is smaller.
        sync : bool
            Whether to wait until the disk has the file; without it, a crash of the
            machine soon after may lose it.

        Raises
        ------
        ValueError
            If a number is not finite; the file stays as it was.
        OSError
            If it cannot be written.

        Examples
        --------
        >>> import os, tempfile
        >>> import bpcore as bp
        >>> net = bp.Network([2, 8, 1], rng=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(os.path.join(folder, "net.bpc"))
        ...     os.listdir(folder)
        ['net.bpc']
        """
        how = {
            "weights_only": checks.boolean("weights_only", weights_only),
            "sync": checks.boolean("sync", sync),
        }
        write(self, path, **how)

    def to_onnx(
        self,
        path: Path,
        *,
        name: str = "network",
        input_name: str = "input",
        output_names: Sequence[str] | None = None,
        classes: Sequence[int] | Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write the network's predictions as an ONNX file.

        Opset 17, IR version 8: runtimes since 2022 read it.  Batch norm and the scale
        of the inputs are folded into the weights, and dropout and noise are left out,
        as in `predict`.  There is one input (n, n_0) of the network's dtype, and one
        output (n, n_L); n may be any number.  With cross_entropy or
        binary_cross_entropy there are two outputs::

            label           (n,), int64 or texts: the class, or (n, n_L), 0 or 1, if
                            there are several labels with binary_cross_entropy
            probabilities   (n, n_L): what `predict` returns

        Parameters
        ----------
        path : path
            Replaced as a whole, or left as it was.
        name : str
            Of the graph in the file.
        input_name : str
        output_names : sequence of str, optional
            ("output",), or ("label", "probabilities").
        classes : sequence of int or of str, optional
            The label of each class in place of 0, 1, ...
        metadata : mapping of str to str, optional
            Further properties of the model, beside bpcore_version, dtype, sizes,
            activations and loss.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described, or the file would have 2 GB or more;
            nothing has been written.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import pathlib, tempfile, bpcore as bp
        >>> net = bp.Network([4, 16, 3], loss="cross_entropy", rng=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "net.onnx")
        ...     net.to_onnx(path, classes=["red", "green", "blue"])
        ...     path.stat().st_size < 2000
        True
        """
        from bpcore.files.onnx.export import Names, network_model
        from bpcore.files.whole import write_whole

        names = Names(name, input_name, output_names)
        with self._engine.reading():  # not during a step of another thread
            design, state = self._learner.folded()
        write_whole(path, network_model(design, state, names, classes, metadata))

    def to_c(
        self,
        path: Path,
        *,
        name: str = "model",
        weights: str | None = None,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        metrics: MetricLike | Sequence[MetricLike] | None = None,
    ) -> CReport:
        """Write the network's predictions as one C99 header, for microcontrollers too.

        It has constant arrays and functions, and needs no library and no heap::

            void model_predict(const float x[n_0], float out[n_L]);
            int model_label(const float out[n_L]);     classifiers: the class, from 0
            int model_self_test(void);                 wrong test vectors: 0

        Where the processor has fused multiply-adds, the outputs have the bits of
        `predict`.  Batch norm is folded.  Its first lines say how much memory it needs.

        Parameters
        ----------
        path : path
            Replaced as a whole, or left as it was.
        name : str
            The prefix of all names in C.
        weights : "int8", or the network's dtype, optional
            int8: weights as whole numbers of 8 bits and a factor for each unit, in a
            quarter of the memory, and not quite the same outputs.
        X : array-like (n, n_0), optional
            Rows on which the outputs are compared with those of `predict`; the first
            ones are the test vectors in the header.
        y : array-like, optional
            Their targets as for `evaluate`, to compare the loss.
        metrics : optional
            As for `fit`, to be compared too.

        Returns
        -------
        CReport
            ``flash_bytes``, ``ram_bytes``, ``largest_difference``,
            ``mean_difference``, ``before``, ``after``; ``print`` shows it.

        Raises
        ------
        ValueError, TypeError
            If an argument is not as described; nothing has been written.
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import pathlib, tempfile, bpcore as bp
        >>> net = bp.Network([4, 16, 3], loss="cross_entropy", rng=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(net.to_c(pathlib.Path(folder, "model.h")))
        model: float32 weights, 544 bytes of constants, 64 bytes of RAM
        """
        from bpcore.files.c.export import network_header
        from bpcore.files.whole import write_whole

        with self._engine.reading():  # not during a step of another thread
            learner = self._learner.copy()
        text, report = network_header(learner, name, weights, X, y, metrics)
        write_whole(path, [text.encode()])
        return report

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
        learner = self._learner
        with self._engine.reading():  # not during a step of another thread
            inputs.require_numbers_in(learner, dtype)
            return self._copy_with(learner.design, learner.state, dtype)

    def _copy_with(self, design: Design, state: State, dtype: np.dtype[Any]) -> Self:
        """A copy as by ``copy.copy``, with another design, state or dtype.

        The caller holds the engine's lock.
        """
        other = copy.copy(self)
        own = stored_network(design, state, dtype, self._n_threads)
        Network.__setstate__(other, {OWN: own})
        return other

    def __getstate__(self) -> dict[str, Any]:
        """Everything that is copied, with attributes of a subclass or a user."""
        learner = self._learner
        with self._engine.reading():  # not during a step of another thread
            own = stored_network(
                learner.design, learner.state, learner.dtype, self._n_threads
            )
        return {**other_attributes(self, ANEW), OWN: own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        read = Reader(state, "stored Network")
        design, own, n_threads = read_network(read.item(OWN))
        for name in read.left:
            checks.instance("the name of an attribute", name, str)
            if name in ANEW:
                raise ValueError(f"stored Network must not have {quoted(name)}")
        threads = thread_count(n_threads)
        learner = Learner(design, own, self._engine_class, threads)
        self._use(learner, n_threads, read.left)


def network_of(design: Design, state: State, n_threads: int | str = "auto") -> Network:
    """A network of a design and a state, which it holds.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.model.assembly import assemble
    >>> from bpcore.model.elements import Linear
    >>> from bpcore.network import network_of
    >>> layer = Linear(np.array([[2.0], [3.0]]), np.array([1.0]))
    >>> network_of(*assemble([layer], np.dtype("float64"))).predict([1.0, 1.0])
    array([6.])
    """
    engine = Network._engine_class  # noqa: SLF001 (of this file)
    threads = thread_count(n_threads)
    return _network_with(Learner(design, state, engine, threads), n_threads)


def write(network: Network, path: Any, fit: Any = None, **how: bool) -> None:
    """Write a network to a file, with the fit that is running if it is given."""
    from bpcore.files.native.network_file import (
        write_network,  # most programs save none
    )

    learner, n_threads = network._learner, network._n_threads  # noqa: SLF001 (of this file)
    with learner.engine.reading():
        write_network(path, learner, n_threads, fit=fit, **how)


def network_from(
    content: Any, file: Container, how: HowToRead, prefix: str = ""
) -> Network:
    """The network of a file: values of its JSON text, and arrays with a prefix."""
    from bpcore.files.native.network_file import read_with_test

    engine = Network._engine_class  # noqa: SLF001 (of this file)
    learner, n_threads = read_with_test(content, file, how, engine, prefix)
    return _network_with(learner, n_threads)


def _network_with(learner: Learner, n_threads: int | str) -> Network:
    """A network that holds a learner."""
    network = Network.__new__(Network)
    network._use(learner, n_threads)  # noqa: SLF001 (of this file)
    return network


def learner_of(network: Network) -> Learner:
    """The learner, for modules of this package that write into no parameters.

    `Network.learner` is for others: after it no zero inputs are skipped any more, since
    weights may be written at any time.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.network import learner_of
    >>> learner_of(bp.Network([2, 1])).state
    <State after 0 steps, 0 epochs>
    """
    return network._learner  # noqa: SLF001 (of this file)
