"""Recipe: the settings of networks for tables, and the network of a recipe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from bpcore import checks
from bpcore.activations import ACTIVATIONS
from bpcore.losses import Loss
from bpcore.network import Network
from bpcore.optimizers import Adam
from bpcore.quoting import quoted
from bpcore.schedules import CosineLog


@dataclass(frozen=True)
class Recipe:
    """Settings found by measuring on many tables.

    Attributes
    ----------
    hidden_layer_sizes : tuple of int
    activation : str
        Of the hidden layers.
    lr : float
        The largest rate of the schedule, ``bpcore.schedules.CosineLog`` over all steps.
    epochs : int
    batch_size : int
    least_steps : int
        Fewest steps of all epochs; for fewer there are more epochs.
    label_smoothing : float
        Of classifiers.
    input_scale, bias_factor : float
        Factors of the rate of the input's scale and of the biases.
    beta2 : float
        Of Adam.

    Notes
    -----
    RealMLP-TD-S of Holzmueller, Grinsztajn and Steinwart (2024), "Better by default".

    Examples
    --------
    >>> from bpcore.tabular.recipe import CLASSIFICATION
    >>> CLASSIFICATION.activation, CLASSIFICATION.lr
    ('selu', 0.04)
    """

    activation: str
    lr: float
    hidden_layer_sizes: tuple[int, ...] = (256, 256, 256)
    epochs: int = 256
    batch_size: int = 256
    least_steps: int = 1
    label_smoothing: float = 0.1
    input_scale: float = 6.0
    bias_factor: float = 0.1
    beta2: float = 0.95

    def replace(self, **settings: Any) -> Recipe:
        """The recipe with the settings that are not None in place of its own."""
        given = {name: value for name, value in settings.items() if value is not None}
        return dataclasses.replace(self, **given)

    def for_rows(self, rows: int) -> Recipe:
        """The recipe with more epochs where so many rows would give too few steps."""
        least = -(-self.least_steps // -(-rows // self.batch_size))
        return dataclasses.replace(self, epochs=max(self.epochs, least), least_steps=1)

    def steps(self, rows: int) -> int:
        """Steps of all epochs with so many training rows."""
        return self.epochs * -(-rows // self.batch_size)

    def network(
        self, n_in: int, n_out: int, loss: str | Loss, rows: int, seed: int
    ) -> Network:
        """A new network, trained on so many rows.

        Its weights have the NTK parametrisation, its last layer begins at 0.
        """
        hidden = len(self.hidden_layer_sizes)
        return Network(
            [n_in, *self.hidden_layer_sizes, n_out],
            activation=self.activation,
            loss=loss,
            optimizer=Adam(
                CosineLog(self.lr, self.steps(rows)),
                beta2=self.beta2,
                biases={"lr_factor": self.bias_factor},
            ),
            parametrization="ntk",
            init=["lecun_normal"] * hidden + ["zeros"],
            bias_init=["normal"] * hidden + ["zeros"],
            input_scale=self.input_scale,
            rng=seed,
        )


def adapted(
    recipe: Recipe,
    quick: Any,
    hidden_layer_sizes: Any,
    activation: Any,
    lr: Any,
    epochs: Any,
    batch_size: Any,
) -> Recipe:
    """The recipe, with these parameters of an estimator where they are not None.

    Examples
    --------
    >>> from bpcore.tabular.recipe import REGRESSION, adapted
    >>> adapted(REGRESSION, True, (8,), None, None, 5, None).hidden_layer_sizes
    (8,)
    """
    sizes = hidden_layer_sizes
    if sizes is not None:
        if isinstance(sizes, str | bytes) or not np.iterable(sizes):
            raise TypeError(
                f"hidden_layer_sizes must be a sequence of int; got {quoted(sizes)}"
            )
        sizes = tuple(
            checks.integer(f"hidden_layer_sizes[{i}]", size, 1)
            for i, size in enumerate(sizes)
        )
    if activation is not None:
        checks.one_of("activation", activation, ACTIVATIONS)
    if lr is not None:
        lr = checks.number("lr", lr, above=0.0)
    if epochs is not None:
        epochs = checks.integer("epochs", epochs, 1)
    if batch_size is not None:
        batch_size = checks.integer("batch_size", batch_size, 1)
    if checks.boolean("quick", quick):
        recipe = recipe.replace(**QUICK)
    return recipe.replace(
        hidden_layer_sizes=sizes,
        activation=activation,
        lr=lr,
        epochs=epochs,
        batch_size=batch_size,
    )


#: For classes.
CLASSIFICATION = Recipe("selu", 0.04)
#: For numbers, which are standardised.
REGRESSION = Recipe("mish", 0.07)
#: What ``quick=True`` changes.
QUICK: dict[str, Any] = {
    "epochs": 40,
    "least_steps": 300,
    "hidden_layer_sizes": (128, 128),
}
