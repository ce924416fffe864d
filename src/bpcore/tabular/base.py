"""TabularEstimator: what `Classifier` and `Regressor` for tables have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.arrays import Real, as_weights
from bpcore.errstate import own_errstate
from bpcore.losses import Loss
from bpcore.network import Network
from bpcore.quoting import quoted
from bpcore.tabular.categories import MOST
from bpcore.tabular.encoder import Encoder
from bpcore.tabular.ensemble import seeds, train
from bpcore.tabular.explanation import Explanation, importances, mean_derivatives
from bpcore.tabular.foundation import BaseEstimator, not_fitted_error
from bpcore.tabular.recipe import Recipe, adapted
from bpcore.tabular.targets import require_length
from bpcore.tabular.validation import chosen_by, rows_held_back
from bpcore.training.history import History

if TYPE_CHECKING:
    from bpcore.files.c.report import CReport
    from bpcore.files.whole import Path
    from bpcore.show.figure import Picture

#: Fewest rows of which a fraction is held back for validation.
LEAST_ROWS = 10


class TabularEstimator(BaseEstimator, ABC):
    """A network, or several, for tables as they come.

    Parameters
    ----------
    quick : bool, default=False
        Whether to train a smaller network for fewer epochs: much sooner, nearly as
        good.
    n_models : int, default=1
        Networks that are trained, at the same time, from different initial weights and
        with different rows held back; the prediction is their mean.
    hidden_layer_sizes : sequence of int, optional
        Units of the hidden layers; by default ``(256, 256, 256)``.
    activation : str, optional
        Of the hidden layers, a name of ``bpcore.ACTIVATIONS``.
    lr : float, optional
        The largest learning rate.
    epochs, batch_size : int, optional
        Passes over the data, and rows of a mini-batch; by default 256 and 256.
    validation_fraction : float or None, default=0.2
        Fraction of the rows held back, on which the best epoch is chosen; None for the
        last epoch.  Not used if `fit` gets ``X_val``, or with fewer than ten rows.
    categorical : "auto" or collection, default="auto"
        Names, or numbers, of the columns whose values are categories; by default those
        of texts, bools or a dtype of categories.
    max_categories : int, default=50
        Most categories of a column that get an input of their own.
    n_threads : int or "auto", default="auto"
        The most threads used; no bit of the result depends on it.
    random_state : int, Generator, RandomState or None, default=None
        Source of the initial weights, shuffles and the rows held back.
    verbose : bool, default=False
        Whether to show a progress bar on standard error, of a single network.

    Attributes
    ----------
    encoder_ : Encoder
        What was learned about the columns: categories, centres, scales.
    networks_ : list of Network
    histories_ : list of History
        The losses of each network.
    recipe_ : Recipe
        The settings that were used.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array
        Their names, if they are all texts.
    target_name_ : str or None
        The name of y, of a series of pandas or polars.
    """

    encoder_: Encoder
    networks_: list[Network]
    histories_: list[History]
    recipe_: Recipe
    targets_: Any
    target_name_: str | None
    #: Kind of its files.
    kind: ClassVar[str]

    def __init__(
        self,
        *,
        quick: bool = False,
        n_models: int = 1,
        hidden_layer_sizes: Sequence[int] | None = None,
        activation: str | None = None,
        lr: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_fraction: float | None = 0.2,
        categorical: Collection[Any] | str = "auto",
        max_categories: int = MOST,
        n_threads: int | str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.quick = quick
        self.n_models = n_models
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.lr = lr
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.categorical = categorical
        self.max_categories = max_categories
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    # --- for subclasses ---------------------------------------------------------------

    @abstractmethod
    def _recipe(self) -> Recipe:
        """The recipe without changes."""

    @abstractmethod
    def _targets(self, y: Any) -> Any:
        """What is learned from the targets y."""

    @abstractmethod
    def _outputs(self, targets: Any, recipe: Recipe) -> tuple[int, str | Loss]:
        """The number of outputs of a network, and its loss."""

    @abstractmethod
    def _options(self) -> dict[str, Any]:
        """Arguments of ``Network.fit`` besides those of the base class."""

    def _finish(self, network: Network, *data: Any) -> None:
        """Change a trained network by the rows of `data` that chose its best epoch."""

    # --- training ---------------------------------------------------------------------

    @own_errstate
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train anew.

        Parameters
        ----------
        X : frame, array or list of rows (n, n_columns)
            Numbers, texts and bools, any of them missing.  Dates are refused.
        y : array-like (n,)
        sample_weight : array-like (n,), optional
            Weights of the rows in the loss, and in the choice of the best epoch.
        X_val, y_val, sample_weight_val : optional
            Data on which the best epoch is chosen, in place of rows held back.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If an argument or a parameter is not as described; nothing has changed.
        DivergenceError
            If a loss becomes infinite or NaN: lower `lr`.
        """
        recipe = self._checked_parameters()
        if y is None:
            raise ValueError(
                "y must be given: requires y to be passed, but the target y is None"
            )
        owner = type(self).__name__
        encoder = Encoder.of(X, self.categorical, self.max_categories, owner)
        Z = encoder("X", X)
        if len(Z) < 2:
            raise ValueError("X must have at least 2 rows; got 1 sample")
        targets = self._targets(y)
        encoded = targets.encode("y", y)
        require_length("y", len(encoded), "X", len(Z))
        weight = targets.weigh(encoded, "sample_weight", sample_weight)
        validation = self._validation(encoder, targets, len(Z), X_val, y_val,
                                      sample_weight_val)  # fmt: skip
        rows = len(Z)
        if isinstance(validation, float):
            rows -= rows_held_back(rows, validation)
        if self.epochs is None:
            recipe = recipe.for_rows(rows)
        n_out, loss = self._outputs(targets, recipe)
        networks = [
            recipe.network(encoder.width, n_out, loss, rows, seed)
            for seed in seeds(self.random_state, self.n_models)
        ]
        options = self._options() | {
            "epochs": recipe.epochs,
            "batch_size": recipe.batch_size,
            "sample_weight": weight,
            "validation": validation,
            "restore_best": validation is not None,
        }
        if validation is None:
            options |= {"metrics": None, "monitor": None}
        histories = train(
            networks, Z, encoded, options, self.n_threads, bool(self.verbose)
        )
        for network in networks:
            self._finish(network, Z, encoded, weight, validation)
        self.use(networks, histories, encoder, targets, recipe, name_of(y))
        return self

    def use(
        self,
        networks: list[Network],
        histories: list[History],
        encoder: Encoder,
        targets: Any,
        recipe: Recipe,
        target_name: str | None,
    ) -> None:
        """Hold what was learned by `fit`, or read from a file."""
        attributes: dict[str, Any] = {
            "networks_": networks,
            "histories_": histories,
            "encoder_": encoder,
            "targets_": targets,
            "recipe_": recipe,
            "target_name_": target_name,
            "n_features_in_": encoder.n_columns,
        }
        names = encoder.names or ()
        if names and all(isinstance(name, str) for name in names):
            attributes["feature_names_in_"] = np.array(names, dtype=object)
        kept = vars(self).copy()
        kept.pop("feature_names_in_", None)
        # At once, whatever interrupts.
        self.__dict__ = kept | attributes

    # --- files ------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        """Save the fitted estimator to a file, for `bpcore.load`.

        It holds all that was learned: categories, centres and scales of the columns,
        the targets, the networks and their histories, and the parameters.  A parameter
        that a file cannot hold, such as a Generator, becomes None.

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
            If a category or a class is no text, number or bool.
        OSError
            If it cannot be written; the file stays as it was.

        Examples
        --------
        >>> import os, tempfile
        >>> import bpcore as bp
        >>> from bpcore.tabular import Regressor
        >>> rows = [["red", 0.0], ["blue", 1.0]] * 20
        >>> model = Regressor(quick=True, random_state=0).fit(rows, [0.0, 1.0] * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.bpc")
        ...     model.save(path)
        ...     same = bp.load(path)
        >>> bool((same.predict(rows) == model.predict(rows)).all())
        True
        """
        from bpcore.tabular.writing import write_estimator

        if not hasattr(self, "networks_"):
            raise not_fitted(self)
        write_estimator(path, self, sync=checks.boolean("sync", sync))

    # --- for fit ----------------------------------------------------------------------

    def _checked_parameters(self) -> Recipe:
        """The recipe with the parameters of the estimator, all of them checked."""
        if self.verbose not in (0, 1):
            raise ValueError(
                f"verbose must be True or False; got {quoted(self.verbose)}"
            )
        checks.integer("n_models", self.n_models, 1)
        checks.integer("max_categories", self.max_categories, 1)
        if self.validation_fraction is not None:
            checks.number(
                "validation_fraction", self.validation_fraction, above=0.0, below=1.0
            )
        return adapted(
            self._recipe(),
            self.quick,
            self.hidden_layer_sizes,
            self.activation,
            self.lr,
            self.epochs,
            self.batch_size,
        )

    def _validation(
        self, encoder: Encoder, targets: Any, rows: int, X: Any, y: Any, weight: Any
    ) -> Any:
        """The validation data for ``Network.fit``, a fraction, or None."""
        if (X is None) != (y is None) or (X is None and weight is not None):
            raise ValueError(
                "X_val and y_val must be given together, sample_weight_val with them"
            )
        if X is not None:
            rows_val, encoded = encoder("X_val", X), targets.encode("y_val", y)
            require_length("y_val", len(encoded), "X_val", len(rows_val))
            weight = targets.weigh(encoded, "sample_weight_val", weight)
            given = rows_val, encoded
            weight = as_weights("sample_weight_val", weight, len(encoded), some=True)
            return given if weight is None else (*given, weight)
        fraction = self.validation_fraction
        return None if rows < LEAST_ROWS or fraction is None else float(fraction)

    # --- predictions ------------------------------------------------------------------

    def _encoded(self, X: Any) -> Real:
        """The networks' input for rows."""
        if not hasattr(self, "networks_"):
            raise not_fitted(self)
        return self.encoder_("X", X)

    def _members(self, Z: Real) -> list[Real]:
        """The outputs (n, n_out) of each network."""
        return [network.predict(Z) for network in self.networks_]

    # --- explanations -----------------------------------------------------------------

    @abstractmethod
    def _output_scale(self) -> Any:
        """Factors from a network's outputs to predictions."""

    @abstractmethod
    def _predicted(self, Z: Real) -> NDArray[Any]:
        """The mean prediction of rows that are encoded: numbers or probabilities."""

    @abstractmethod
    def _score(self, predicted: NDArray[Any], y: Any, weight: Any) -> float:
        """The score of predictions."""

    @abstractmethod
    def _draw(self, axes: Any, predicted: NDArray[Any], y: Any) -> None:
        """Draw predictions against targets."""

    @own_errstate
    def explain(
        self, X: Any, y: Any = None, *, n_repeats: int = 5, random_state: int = 0
    ) -> Explanation:
        """Which columns matter, by permutations and by derivatives.

        Parameters
        ----------
        X : frame, array or list of rows (n, n_columns)
        y : array-like (n,), optional
            The targets: a permutation's effect is then what the score loses by it,
            else the mean absolute change of the predictions.
        n_repeats : int
            Permutations of each column.
        random_state : int
            Source of the permutations.

        Returns
        -------
        Explanation
            ``print`` shows it as a table, ``plot()`` as bars.

        Examples
        --------
        >>> import numpy as np
        >>> from bpcore.tabular import Regressor
        >>> X = np.random.default_rng(0).normal(size=(200, 3))
        >>> model = Regressor(quick=True, random_state=0).fit(X, 3 * X[:, 1])
        >>> model.explain(X).names[model.explain(X).order[0]]
        'x1'
        """
        checks.integer("n_repeats", n_repeats, 1)
        seed = checks.integer("random_state", random_state, 0)
        Z, encoder = self._encoded(X), self.encoder_
        mean, std, measure = importances(
            self._predicted, self._score, Z, y, encoder.sources, n_repeats, seed
        )
        n_columns = encoder.n_columns
        by_input = mean_derivatives(self.networks_, Z, self._output_scale())
        derivative = encoder.by_number_column(by_input)
        names = tuple(map(str, encoder.names or map("x{}".format, range(n_columns))))
        return Explanation(names, mean, std, derivative, measure)

    def plot(self, X: Any = None, y: Any = None) -> Picture:
        """The losses by epoch, and how good predictions of rows X with targets y are.

        For classes it shows the confusion matrix of at most 12 classes and 499 rows,
        and else calibration: in bins of rows with a similar probability of the
        predicted class, how often that class is right.  For numbers it shows
        predictions against targets.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        from bpcore.tabular import plots

        if not hasattr(self, "networks_"):
            raise not_fitted(self)
        if (X is None) != (y is None):
            raise ValueError("X and y must be given together")
        figure, axes = plots.new_picture(1 if X is None else 2)
        plots.losses(axes[0], self.histories_, chosen_by(self.histories_[0]))
        if X is not None:
            self._draw(axes[1], self._predicted(self._encoded(X)), y)
        return figure

    # --- files ------------------------------------------------------------------------

    def to_onnx(
        self,
        path: Path,
        *,
        name: str = "estimator",
        numbers_name: str = "numbers",
        output_names: Sequence[str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write the estimator, with its encoder, as an ONNX file.

        Opset 17, IR version 8, and the operators of ai.onnx.ml where there are
        categories of texts.  The inputs are tables of n rows::

            numbers         float64 (n, k): the columns of numbers in their order, NaN
                            where a value is missing; not there if there are none
            <a column>      (n, 1), for each column of categories, by its name ("x0",
                            "x1", ... of an array): texts, the empty text where one is
                            missing; bool; int64; or float64, NaN where one is missing

        and the outputs those of `Classifier`, with `predict` and `predict_proba`::

            label           (n,): the class
            probabilities   float32 (n, n_classes)

        or of `Regressor`::

            output          float64 (n,) or (n, n_targets): what `predict` returns

        Infinite numbers, which the estimator refuses, are as very large ones.

        Parameters
        ----------
        path : path
            Replaced as a whole, or left as it was.
        name : str
            Of the graph in the file.
        numbers_name : str
        output_names : sequence of str, optional
            ("label", "probabilities") or ("output",).
        metadata : mapping of str to str, optional
            Further properties of the model.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            If an argument is not as described, or a category or a class is of a kind
            that ONNX does not have; nothing has been written.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from bpcore.tabular import Classifier
        >>> rows = [["red", 1.0], ["blue", 2.0]] * 20
        >>> model = Classifier(quick=True, random_state=0).fit(rows, ["a", "b"] * 20)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "model.onnx")
        ...     model.to_onnx(path)
        ...     path.stat().st_size > 10_000
        True
        """
        from bpcore.files.whole import write_whole
        from bpcore.tabular.onnx import Names, estimator_model

        if not hasattr(self, "networks_"):
            raise not_fitted(self)
        parts = estimator_model(
            self.encoder_,
            self.networks_,
            self.targets_,
            Names(name, numbers_name, output_names),
            metadata,
        )
        write_whole(path, parts)

    def to_c(
        self,
        path: Path,
        *,
        name: str = "model",
        weights: str | None = None,
        X: Any = None,
        y: Any = None,
    ) -> CReport:
        """Write the estimator, with its encoder, as one C99 header.

        For columns of numbers only; see ``bpcore.Network.to_c``::

            void model_predict(const double x[n_columns], ... out[n_out]);

        x has NaN where a value is missing.  `out` has the probabilities of a
        `Classifier` in float, and then ``model_label`` the class; the numbers of a
        `Regressor` in double.  The bits are those of `predict_proba` and `predict`
        where the processor has fused multiply-adds.

        Parameters
        ----------
        path : path
            Replaced as a whole, or left as it was.
        name : str
            The prefix of all names in C.
        weights : "int8" or "float32", optional
            int8: weights of 8 bits, see ``bpcore.Network.to_c``.
        X, y : optional
            Rows, whose first ones are the test vectors in the header, and their
            targets, to measure what weights of 8 bits cost.

        Returns
        -------
        CReport
            Sizes and differences; ``print`` shows it.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If a column has categories, or an argument is not as described; nothing has
            been written.

        Examples
        --------
        >>> import pathlib, tempfile
        >>> from bpcore.tabular import Regressor
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]] * 10, [0.0, 1.0, 2.0, 3.0] * 10
        >>> model = Regressor(hidden_layer_sizes=[8], epochs=2, random_state=0)
        >>> model = model.fit(X, y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     print(model.to_c(pathlib.Path(folder, "model.h")))
        model: float32 weights, 172 bytes of constants, 44 bytes of RAM
        """
        from bpcore.files.whole import write_whole
        from bpcore.tabular.c_header import estimator_header

        if not hasattr(self, "networks_"):
            raise not_fitted(self)
        text, report = estimator_header(self, name, weights, X, y)
        write_whole(path, [text.encode()])
        return report

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "networks_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        inputs = tags.input_tags
        inputs.allow_nan = inputs.string = inputs.categorical = True
        return tags


def name_of(y: Any) -> str | None:
    """The name of a series, if it is a text.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from bpcore.tabular.base import name_of
    >>> name_of(SimpleNamespace(name="price")), name_of([1.0, 2.0])
    ('price', None)
    """
    name = getattr(y, "name", None)
    return str(name) if isinstance(name, str) else None


def not_fitted(estimator: object) -> Exception:
    """The error of a call before `fit`: scikit-learn's, where that is imported."""
    return not_fitted_error(
        f"This {type(estimator).__name__} instance is not fitted yet: call fit first"
    )
