"""NetworkEstimator: what the estimators of this package have in common."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.base import BaseEstimator, is_regressor
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from bpcore import arrays, checks
from bpcore.arrays import Real
from bpcore.batches.weights import ClassWeight
from bpcore.derivatives import output_derivatives
from bpcore.errors import InUseError
from bpcore.errstate import own_errstate
from bpcore.losses import Loss, LossFunction
from bpcore.metrics import MetricLike
from bpcore.model.design import real_dtype
from bpcore.network import Network, learner_of
from bpcore.optimizers import Optimizer
from bpcore.schedules import Schedule
from bpcore.sklearn.callbacks import CallbackSupportMixin, EpochTasks, with_callbacks
from bpcore.sklearn.data import Data
from bpcore.sklearn.file import write_estimator
from bpcore.sklearn.fitted import Past, fitted_attributes
from bpcore.sklearn.networks import network_to_continue, new_network
from bpcore.sklearn.settings import optimizer_of
from bpcore.sklearn.stopping import Stopping
from bpcore.sklearn.targets import Targets
from bpcore.training.fit import prepare
from bpcore.training.history import History
from bpcore.training.options import BatchCallback, Callback, defaults

#: Defaults of the parameters that are arguments of ``Network.fit``, and of ``Network``.
FIT = defaults()
NETWORK: dict[str, Any] = Network.__init__.__kwdefaults__ or {}

#: Default of `epochs`: ten, as for ``Network.fit``, leave a small table untrained.
EPOCHS = 100

#: Parameters passed to ``Network.fit`` under the same name.
PASSED = (
    "epochs",
    "batch_size",
    "shuffle",
    "metrics",
    "monitor",
    "mode",
    "patience",
    "min_delta",
    "restore_best",
    "accumulate",
    "callbacks",
    "batch_callbacks",
)


class NetworkEstimator(CallbackSupportMixin, BaseEstimator, ABC):
    """An estimator of scikit-learn's kind on a `bpcore.Network`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer; ``()`` for none.
    activation : str or sequence of str
        Activation of the hidden layers: one name of ``bpcore.ACTIVATIONS``, or one for
        each.
    output : str, optional
        Activation of the output; the default depends on the loss.
    loss : str, Loss or callable, optional
        A name of ``bpcore.LOSSES``, an object such as ``bpcore.Huber(0.5)``, or a
        function ``loss(a, y)`` as for `bpcore.Network`.
    optimizer : str or Optimizer, default="adam"
        The name of an optimizer in lower case, or its settings, ``bpcore.SGD(0.1)``.
    lr : float, Schedule or callable, optional
        The learning rate in place of the optimizer's own.
    schedule : str or Schedule, optional
        How the rate changes: "constant", "inverse_scaling", "plateau"; "linear",
        "cosine" or "one_cycle", over all `epochs`; or a schedule, which has its own
        rate (``bpcore.schedules``).
    norm : "batch", "layer" or None, or a sequence of them
        Normalisation of the hidden layers.
    dropout : float or sequence of float
        Probability that a hidden unit is dropped in a mini-batch.
    input_noise : float
        Standard deviation of gaussian noise added to X while training.
    input_scale : float, optional
        With a number above 0 each input has a learned factor; the number is the ratio
        of its learning rate to that of the weights.  See `bpcore.Network`.
    init, bias_init : str or sequence of str
        Initialisers of the weights and of the biases: one name, or one for each layer
        of weights.
    parametrization : "standard" or "ntk"
        ntk: learning rates and initial weights of the neural tangent parametrisation.
    dtype : float32 or float64
        Of the network, its outputs and probabilities; X is converted to it.  (Numbers
        that `Regressor` predicts are float64.)
    n_threads : int or "auto"
        The most threads used; no bit of the result depends on it.
    epochs : int, default=100
        Passes over the data, of each call of `fit`; for "lbfgs" its iterations.
    batch_size : int, optional
        Rows of a mini-batch, 32 by default.
    shuffle : bool
        Whether the order of the rows is random in every epoch.
    validation_fraction : float, optional
        Fraction of the rows held back for the validation loss, with classes in
        proportion.  Not used if `fit` gets ``X_val``.
    metrics : str, callable or sequence of them, optional
        Metrics after every epoch, in ``history_``, as for ``Network.fit``.
    monitor, mode, patience, min_delta, restore_best
        Early stopping, as for ``Network.fit``: stop after `patience` epochs in which
        `monitor` (by default the validation loss, else the training loss) was not
        better by more than `min_delta`; with `restore_best` the best epoch is restored.
    accumulate : int
        Mini-batches whose gradients make one step together.
    callbacks : iterable of callables
        Each is called as ``callback(network, history)`` after every epoch; training
        stops if one returns True.  (``set_callbacks`` takes scikit-learn's own.)
    batch_callbacks : iterable of callables
        Each is called as ``callback(network, epoch, batch, loss)`` after every
        mini-batch.
    warm_start : bool, default=False
        Whether `fit` continues the training before: weights, optimizer, schedule,
        random streams and the count of `patience` go on, so that ten fits of one epoch
        have the bits of one fit of ten (not with "lbfgs", whose estimate of the
        curvature begins anew).  If training had ended by `patience`, or with
        `restore_best`, it continues from there and counts anew.
    random_state : int, RandomState instance or None, default=None
        Source of weights, shuffles, dropout and noise; an int gives the network of
        ``bpcore.Network(rng=random_state)``.
    verbose : bool, default=False
        Whether to show a progress bar on standard error.

    Attributes
    ----------
    network_ : Network
        The trained network.
    history_ : History
        Losses and metrics of the last call of `fit` or `partial_fit`.
    n_iter_ : int
        Epochs so far, of all calls that continued one training.
    loss_ : float
        Training loss of the last epoch, the mean of those before each step.
    loss_curve_ : list of float (n_iter_,)
        Training loss of each epoch.
    validation_loss_curve_ : list of float
        Mean validation loss after each epoch that had validation data.
    stopped_ : str
        Why the last call ended: "epochs", "patience", "callback" or "converged".
    targets_ : Columns or Labels
        The meaning of the network's outputs.
    n_outputs_ : int
        Outputs of the network.
    n_features_in_ : int
        Features seen by `fit`.
    feature_names_in_ : array (n_features_in_,)
        Their names, where X had names that are all strings.
    """

    network_: Network
    n_iter_: int
    loss_: float
    targets_: Any
    loss_curve_: list[float]
    validation_loss_curve_: list[float]
    _stopping: Stopping
    #: Kind of its files.
    kind: ClassVar[str]

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str | Sequence[str] = NETWORK["activation"],
        output: str | None = NETWORK["output"],
        loss: str | Loss | LossFunction | None = NETWORK["loss"],
        optimizer: str | Optimizer = "adam",
        lr: float | Schedule | Callable[[int], float] | None = None,
        schedule: str | Schedule | None = None,
        norm: str | Sequence[str | None] | None = NETWORK["norm"],
        dropout: float | Sequence[float] = NETWORK["dropout"],
        input_noise: float = NETWORK["input_noise"],
        input_scale: float | None = NETWORK["input_scale"],
        init: str | Sequence[str] = NETWORK["init"],
        bias_init: str | Sequence[str] = NETWORK["bias_init"],
        parametrization: str = NETWORK["parametrization"],
        dtype: DTypeLike = NETWORK["dtype"],
        n_threads: int | str = NETWORK["n_threads"],
        epochs: int = EPOCHS,
        batch_size: int | None = FIT["batch_size"],
        shuffle: bool = FIT["shuffle"],
        validation_fraction: float | None = FIT["validation"],
        metrics: MetricLike | Sequence[MetricLike] | None = FIT["metrics"],
        monitor: str | None = FIT["monitor"],
        mode: str = FIT["mode"],
        patience: int | None = FIT["patience"],
        min_delta: float = FIT["min_delta"],
        restore_best: bool = FIT["restore_best"],
        accumulate: int = FIT["accumulate"],
        callbacks: Iterable[Callback] = FIT["callbacks"],
        batch_callbacks: Iterable[BatchCallback] = FIT["batch_callbacks"],
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output = output
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.schedule = schedule
        self.norm = norm
        self.dropout = dropout
        self.input_noise = input_noise
        self.input_scale = input_scale
        self.init = init
        self.bias_init = bias_init
        self.parametrization = parametrization
        self.dtype = dtype
        self.n_threads = n_threads
        self.epochs = epochs
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.validation_fraction = validation_fraction
        self.metrics = metrics
        self.monitor = monitor
        self.mode = mode
        self.patience = patience
        self.min_delta = min_delta
        self.restore_best = restore_best
        self.accumulate = accumulate
        self.callbacks = callbacks
        self.batch_callbacks = batch_callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    # --- for subclasses ---------------------------------------------------------------

    @abstractmethod
    def _new_targets(self, y: NDArray[Any], classes: Any) -> Targets:
        """The meaning of the targets y at the start of a training."""

    @abstractmethod
    def _network_loss(self, targets: Targets) -> tuple[str | None, Any]:
        """Output activation and loss of the network."""

    def _network_class_weight(self, targets: Targets) -> ClassWeight | None:
        """Class weights as for ``Network.fit``."""
        return None

    def _weigh(
        self, targets: Targets, y: NDArray[Any], part: bool
    ) -> Callable[[NDArray[Any], Any], Any]:
        """A function of y and the samples' weights: the weights to train with.

        `y` are the training targets, of a `part` of the data only or of all.
        """
        return lambda y, weight: weight

    # --- training ---------------------------------------------------------------------

    @with_callbacks
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train for `epochs` epochs; anew, or further with `warm_start`.

        Parameters
        ----------
        X : array-like (n, n_features)
        y : array-like (n,) or (n, n_outputs)
        sample_weight : array-like (n,), optional
            Weights of the samples in the mean loss, and in the validation loss and
            metrics of rows held back by `validation_fraction`; scaled to mean 1.
        X_val, y_val : array-like, optional
            Validation data, whose loss is computed after every epoch.
        sample_weight_val : array-like, optional
            Their weights.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described; nothing has changed.
        DivergenceError
            If a loss or a parameter becomes infinite or NaN (`bpcore.Network.fit`).

        Notes
        -----
        After an error or an interrupt during training, an estimator that was trained
        anew is as before.  One that was trained further has the finished epochs in
        ``network_``, and in no other attribute.
        """
        data = Data(X, y, sample_weight, X_val, y_val, sample_weight_val)
        return self._train(data, part=False)

    def _train(self, data: Data, *, part: bool, classes: Any = None) -> Self:
        """Train for one call of `fit`, or of `partial_fit` (`part`)."""
        tasks = None
        if not part and getattr(self, "_skl_callbacks", None):
            context = self._init_callback_context(max_subtasks=self.epochs)
            tasks = EpochTasks(self, context, self.epochs, data)
        warm_start = checks.boolean("warm_start", self.warm_start)
        continues = hasattr(self, "network_") and (part or warm_start)
        untrained = vars(self).copy()
        try:
            X, y = self._checked_data(data.X, data.y, "y", reset=not continues)
            targets: Targets = (
                self.targets_ if continues else self._new_targets(y, classes)
            )
            network = self._network(X.shape[1], targets, continues)
            past = self._past() if continues else Past()
            options = self._options(data, targets, y, part)
            if tasks is not None:
                tasks.surround(options, partial(_fitted_until, targets, past))
            learner, encoded = learner_of(network), targets.encode("y", y)
            fit = prepare(learner, network, X, encoded, options, whole=not part)
            copied = part and self.restore_best and self.patience is not None
            before: Stopping = self._stopping if continues else Stopping()
            if copied and before.network is None:
                before = Stopping()  # the best network so far is not known
            before.go_on(fit.watch, anew=not part)
            if part and fit.watch.is_over:
                return self
            if tasks is not None:
                tasks.begin_fit(fit.watch)
            history = fit.run()
            better = history.best_epoch == 1
            after = before.after(fit.watch, network if copied else None, better)
            if after.network is not None and fit.watch.is_over:
                network = copy.copy(after.network)
            attributes = fitted_attributes(network, history, targets, past)
            # One store: other threads, which may predict, see all of them or none.
            self.__dict__ = {**vars(self), **attributes, "_stopping": after}
            if tasks is not None:
                tasks.end_fit(attributes)
        except BaseException:
            self.__dict__ = untrained  # one store: no interrupt can halve it
            raise
        return self

    @own_errstate  # scikit-learn casts before it checks
    def _checked_data(
        self, X: Any, y: Any, name: str, *, reset: bool
    ) -> tuple[Real, NDArray[Any]]:
        """X in the network's dtype, and y, as scikit-learn checks them."""
        dtype = real_dtype(self.dtype)
        arrays.reject_masked("X" if name == "y" else "X_val", X)
        arrays.reject_times("X" if name == "y" else "X_val", X)
        arrays.reject_masked(name, y)
        X, y = arrays.own_objects(X), arrays.own_objects(y)
        if name == "y":
            # Batch norm needs two rows.
            least = 2 if "batch" in np.atleast_1d(np.array(self.norm, object)) else 1
            X, y = validate_data(
                self,
                X,
                y,
                multi_output=True,
                y_numeric=is_regressor(self),
                reset=reset,
                dtype=dtype,
                order="C",
                ensure_min_samples=least,
            )
        else:
            try:
                X = validate_data(self, X, reset=reset, dtype=dtype, order="C")
            except ValueError as error:  # scikit-learn's messages say X
                raise ValueError(f"X_val is not as X: {error}") from error
            y = check_array(
                y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name=name
            )
        return X, y.toarray() if hasattr(y, "toarray") else y

    def _network(self, n_features: int, targets: Targets, continues: bool) -> Network:
        """A new network, or the one to train further."""
        ends, ends_by = (n_features, targets.n_out), self._network_loss(targets)
        parameters = self.get_params(deep=False)
        if not continues:
            return new_network(parameters, ends, *ends_by)
        return network_to_continue(self.network_, parameters, ends, *ends_by)

    def _options(
        self, data: Data, targets: Targets, y: NDArray[Any], part: bool
    ) -> dict[str, Any]:
        """The arguments of ``Network.fit``."""
        weigh = self._weigh(targets, y, part)
        options = {name: getattr(self, name) for name in PASSED}
        options["sample_weight"] = weigh(y, data.sample_weight)
        fraction = self.validation_fraction
        if fraction is not None:
            checks.number("validation_fraction", fraction, above=0.0, below=1.0)
        options["validation"] = fraction
        if data.X_val is not None and data.y_val is not None:
            X_val, y_val = self._checked_data(
                data.X_val, data.y_val, "y_val", reset=False
            )
            encoded = targets.encode("y_val", y_val)
            weight = weigh(y_val, data.sample_weight_val)
            options["validation"] = X_val, encoded, weight
        elif data.X_val is not None or data.y_val is not None:
            raise ValueError("X_val and y_val must be given together")
        options["class_weight"] = self._network_class_weight(targets)
        options["progress"] = bool(self.verbose)
        if part:
            options |= {"epochs": 1, "progress": False, "restore_best": False}
        return options

    def _past(self) -> Past:
        """The epochs before."""
        losses, validation_losses = self.loss_curve_, self.validation_loss_curve_
        return Past(self.n_iter_, self.loss_, losses, validation_losses)

    # --- files ------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        """Save the fitted estimator to a file, for `bpcore.load`.

        It holds the network with its optimizer, so that `warm_start` and `partial_fit`
        go on, the classes, the names of the features, the curves and the parameters.  A
        parameter that a file cannot hold, such as a function, becomes None; patience
        counts anew.

        Parameters
        ----------
        path : path
        sync : bool
            Whether to wait until the disk has the file.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError, ValueError
            If a class is no text, number or bool.
        OSError
            If it cannot be written; the file stays as it was.

        Examples
        --------
        >>> import os, tempfile
        >>> import bpcore as bp
        >>> from bpcore.sklearn import Classifier
        >>> model = Classifier(random_state=0).fit([[0.0], [1.0]], ["a", "b"])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.bpc")
        ...     model.save(path)
        ...     same = bp.load(path)
        >>> same.predict([[0.0], [1.0]]).tolist()
        ['a', 'b']
        """
        check_is_fitted(self, "network_")
        sync = checks.boolean("sync", sync)
        write_estimator(path, self.kind, self, sync=sync)

    # --- predictions ------------------------------------------------------------------

    @own_errstate
    def _checked_X(self, X: ArrayLike) -> Real:
        """X in the network's dtype, checked as scikit-learn does."""
        check_is_fitted(self, "network_")
        dtype = self.network_.dtype
        arrays.reject_masked("X", X)
        arrays.reject_times("X", X)
        X = arrays.own_objects(X)
        rows: Real = validate_data(self, X, reset=False, dtype=dtype, order="C")
        return rows

    def _outputs(self, X: ArrayLike) -> tuple[Real, Any]:
        """The outputs (n, n_out) of the network, and the meaning of them.

        An array of numbers without names needs no other checks than the network's, if
        they pass; if not, scikit-learn's raise its own errors.
        """
        check_is_fitted(self, "network_")
        fitted = vars(self)  # another thread that fits puts another dict in its place
        network: Network = fitted["network_"]
        plain = type(X) is np.ndarray and X.ndim == 2 and X.dtype.kind == "f"
        try:
            if plain and "feature_names_in_" not in fitted:
                with suppress(ValueError):
                    return network.predict(X), fitted["targets_"]
            return network.predict(self._checked_X(X)), fitted["targets_"]
        except InUseError:  # by another thread: a copy, unless that trains
            copied = learner_of(network).copy()
        return copied.outputs(self._checked_X(X)), fitted["targets_"]

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The predictions for X.

        Parameters
        ----------
        X : array-like (n, n_features)

        Returns
        -------
        array (n,) or (n, n_outputs)
            A row has the same bits alone and among any others.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X has other features than that of `fit`, or is not finite.
        InUseError
            If another thread trains the network, by `partial_fit` or `warm_start`.
            (Another call of `fit` trains a new network; several threads may predict.)
        """
        outputs, targets = self._outputs(X)
        found: NDArray[Any] = targets.decode(outputs)
        return found

    def gradient(self, X: ArrayLike) -> Real:
        """The derivatives of the network's outputs by the input, at each row of X.

        They are those of prediction, without dropout and noise, by one forward pass and
        one backward pass for each output.  For a `Classifier` the outputs are
        probabilities by default, of the second class if there are two.

        Parameters
        ----------
        X : array-like (n, n_features)

        Returns
        -------
        array (n, n_features), or (n, n_outputs_, n_features) for several outputs
            In the network's dtype.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not as described, or an activation has no derivative ("step").

        Examples
        --------
        >>> import numpy as np
        >>> from bpcore.sklearn import Regressor
        >>> X = np.linspace(-1, 1, 50).reshape(-1, 1)
        >>> model = Regressor(hidden_layer_sizes=(), optimizer="lbfgs", dtype="float64",
        ...                   epochs=100, random_state=0).fit(X, 3 * X[:, 0] + 1)
        >>> model.gradient([[0.5]]).round(3)
        array([[3.]])
        """
        rows = self._checked_X(X)
        found = output_derivatives(self.network_, rows)
        return found[:, 0] if found.shape[1] == 1 else found


def makes_mini_batches(estimator: NetworkEstimator) -> bool:
    """Whether its optimizer makes steps from mini-batches, as `partial_fit` needs."""
    chosen = optimizer_of(estimator.optimizer, None, None, None)
    return not chosen.full_batch


def _fitted_until(
    targets: Targets, past: Past, network: Network, history: History
) -> dict[str, Any]:
    """The attributes of an estimator as if the fit ended after an epoch."""
    return fitted_attributes(copy.copy(network), history, targets, past)
