"""Labels: classes as the targets of a network, and its outputs as classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from bpcore.fields import BOOLEAN, CheckedFields, instance
from bpcore.losses import Loss, LossFunction
from bpcore.model.design import output_and_loss

#: Output activations whose values are probabilities.
PROBABILITIES = ("sigmoid", "softmax", "hard_sigmoid")


@dataclass(frozen=True, eq=False)
class Labels(CheckedFields):
    """The meaning of the outputs of a classifier.

    Attributes
    ----------
    classes : array (n_classes,)
        The classes in order; of multi-label targets the numbers of the labels.
    multilabel : bool
        Whether a sample may have several labels.
    output : str
        Activation of the output.
    loss : Loss
    """

    classes: NDArray[Any] = field(metadata=instance(np.ndarray))
    multilabel: bool = field(metadata=BOOLEAN)
    output: str = field(metadata=instance(str))
    loss: Loss = field(metadata=instance(Loss))

    @classmethod
    def of(
        cls,
        y: NDArray[Any],
        classes: Any,
        output: str | None,
        loss: str | Loss | LossFunction | None,
    ) -> Labels:
        """The labels of the targets y, or the `classes` if they are given.

        By default two classes, and several labels per sample, have the loss
        binary_cross_entropy, and more classes cross_entropy.

        Examples
        --------
        >>> import numpy as np
        >>> from bpcore.sklearn.labels import Labels
        >>> labels = Labels.of(np.array(["no", "yes", "no"]), None, None, None)
        >>> labels.n_out, labels.loss.name
        (1, 'binary_cross_entropy')
        >>> labels.encode("y", np.array(["yes", "no"]))
        array([1., 0.])
        """
        multilabel = _is_multilabel(y)
        if multilabel:
            classes = np.arange(y.shape[1])
        else:
            classes = np.unique(as_classes(y) if classes is None else classes)
        if len(classes) < 2 and not multilabel:
            raise ValueError(
                f"y must have at least 2 classes; got {len(classes)} class"
            )
        if output is None and loss is None:
            binary = multilabel or len(classes) == 2
            loss = "binary_cross_entropy" if binary else "cross_entropy"
        output, known = output_and_loss(output, loss)
        if multilabel and output == "softmax":
            raise ValueError(
                "output must not be softmax for several labels per sample: softmax "
                "chooses one class"
            )
        return cls(classes, multilabel, output, known)

    @property
    def n_out(self) -> int:
        """Outputs of the network: one for two classes, unless it is a softmax."""
        single = len(self.classes) == 2 and self.output != "softmax"
        return 1 if single and not self.multilabel else len(self.classes)

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of a fitted estimator."""
        return {"classes_": self.classes}

    @property
    def threshold(self) -> float:
        """A label is predicted where the output is above this."""
        return self.loss.target_kind(self.output).threshold

    @property
    def one_against_rest(self) -> bool:
        """Whether each of several classes is trained as a label of its own."""
        several = self.loss.target_kind(self.output).several
        return several and self.n_out > 1 and not self.multilabel

    def encode(self, name: str, y: NDArray[Any]) -> NDArray[Any]:
        """The targets of a network, (n,) or (n, n_out).

        Raises
        ------
        ValueError
            If there are classes that are not in ``classes``.
        """
        # Absent labels are -1 where outputs are positive and negative (hinge, tanh).
        absent = 0.0 if self.threshold else -1.0
        if self.multilabel:
            if not _is_multilabel(y) or y.shape[1] != len(self.classes):
                raise ValueError(
                    f"{name} must have shape (n, {len(self.classes)}), with a 0 or 1 "
                    f"for each label; got {y.shape}"
                )
            return np.where(y > 0, 1.0, absent)
        at = self.indices(name, as_classes(y))
        if self.n_out == 1:
            return np.where(at == 1, 1.0, absent)
        if self.loss.labels:
            return at
        return np.where(at[:, None] == np.arange(self.n_out), 1.0, absent)

    def indices(self, name: str, y: NDArray[Any]) -> NDArray[np.int64]:
        """The index of each class in ``classes``."""
        unknown = np.setdiff1d(y, self.classes)
        if len(unknown):
            raise ValueError(
                f"{name} has classes not in classes_, which are "
                f"{self.classes.tolist()}; got {unknown.tolist()}"
            )
        return np.searchsorted(self.classes, y).astype(np.int64)

    def decode(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The classes (n,), or 0 and 1 (n, n_out) for several labels per sample."""
        if self.multilabel:
            return (outputs > self.threshold).astype(np.int64)
        if self.n_out == 1:
            return self.classes[(outputs[:, 0] > self.threshold).astype(np.int64)]
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """The probability of each class or label, (n, n_classes)."""
        if self.multilabel:
            return outputs
        if self.n_out == 1:
            return np.hstack([1 - outputs, outputs])
        if self.output != "softmax":
            total = outputs.sum(axis=1, keepdims=True)
            even = np.full_like(outputs, 1 / self.n_out)
            return np.divide(outputs, total, out=even, where=total > 0)
        return outputs


def as_classes(y: NDArray[Any]) -> NDArray[Any]:
    """The classes (n,) of samples, also of a column (n, 1)."""
    flat: NDArray[Any] = y if y.ndim == 1 else column_or_1d(y, warn=True)
    return flat


def _is_multilabel(y: NDArray[Any]) -> bool:
    """Whether a sample may have several labels; raises if y is no labels."""
    kind = type_of_target(y)
    if kind in ("binary", "multiclass", "multilabel-indicator"):
        return bool(kind == "multilabel-indicator")
    check_classification_targets(y)
    raise ValueError(
        "y must have one class for each sample, or a 0 or 1 for each of several "
        "labels; got several columns of classes"
    )
