"""Weights of samples and classes: how much each row has of the mean loss.

With E_i the loss of row i and w_i its weight, sample weight times class weight, the
loss of a mini-batch is::

    E = 1/n sum_i w_i E_i

`fit` scales the weights once, to mean 1 over its training rows.  A row may also have a
weight for each output's part of the loss, w (n, n_L).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bpcore import arrays, checks
from bpcore.errstate import own_errstate
from bpcore.losses import BinaryCrossEntropy, CrossEntropy, TargetKind
from bpcore.model.design import Design

Weights = NDArray[np.float64]

#: Weights of classes as a caller gives them: by label, in order, or "balanced".
ClassWeight = Mapping[int, float] | ArrayLike | str


@own_errstate
def scaled_to_mean_1(weights: Weights) -> Weights:
    """The weights over their mean, whose sum is exact but for its last rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.weights import scaled_to_mean_1
    >>> scaled_to_mean_1(np.array([1.0, 3.0]))
    array([0.5, 1.5])
    """
    exponent = math.frexp(float(weights.max()))[1]
    weights = np.ldexp(weights, -exponent)  # sums of them are finite
    return weights * (weights.size / math.fsum(weights.ravel().tolist()))


@own_errstate
def scaled_to_normal(weights: Weights) -> Weights:
    """The weights times a power of two where sums of w E might not be finite.

    The mean loss sum(w E) / sum(w) does not depend on it.
    """
    exponent = math.frexp(float(weights.max()))[1]
    return np.ldexp(weights, -exponent) if abs(exponent) > 300 else weights


# --- class weights --------------------------------------------------------------------


def as_class_weights(
    class_weight: ClassWeight,
    targets: NDArray[Any],
    design: Design,
    *,
    whole: bool = True,
) -> Weights:
    """The weight of each class, or of each output's positives.

    Parameters
    ----------
    class_weight
        A mapping or anything else with labels, such as a Series of pandas: by its
        labels; a sequence: in order; or "balanced".
    targets : array (n,) of labels, or (n, n_out)
        What "balanced" counts.
    whole : bool
        Whether these are the targets of all data, which "balanced" needs.

    Returns
    -------
    array (max(n_out, 2),), or (n_out,) where each of several outputs is a label
    """
    loss, n_out = design.loss, design.sizes[-1]
    if not loss.classes:
        raise ValueError(
            f"class_weight needs targets that are classes; not so for {loss.name}"
        )
    several = design.target_kind.several and n_out > 1
    if several and design.custom_loss:
        raise ValueError(
            "class_weight weighs each output of several labels by itself, which a "
            f"loss function cannot, as it gives one value per sample; got "
            f"{n_out} outputs of {design.activations[-1]}"
        )
    count = n_out if several else max(n_out, 2)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                "class_weight must be a mapping, one weight for each class, or "
                f"'balanced'; got {class_weight!r}"
            )
        if not whole:
            raise ValueError(
                "class_weight='balanced' needs the labels of all data, and must be "
                "given to fit; got a part of them: give the weights of the classes"
            )
        return _balanced(targets, design.target_kind, n_out)
    in_order: Any = class_weight
    if arrays.has_keys(class_weight):
        in_order = _by_label(class_weight, count, loss.signs and n_out == 1)
    weights = arrays.as_finite("class_weight", in_order, np.dtype(np.float64))
    if weights.shape != (count,):
        raise ValueError(
            f"class_weight must have shape ({count},); got {weights.shape}"
        )
    if weights.min() < 0 or weights.max() == 0:
        raise ValueError(
            "class_weight must not be negative nor all zero; got values from "
            f"{weights.min()} to {weights.max()}"
        )
    return weights


def _by_label(class_weight: Any, count: int, signs: bool) -> Weights:
    """The weights of a mapping's labels, 1 for those it leaves out."""
    weights, seen = np.ones(count), set()
    for key, weight in class_weight.items():
        label = 0 if signs and key == -1 else key
        if label not in range(count):
            raise ValueError(
                f"class_weight must have labels in {-1 if signs else 0} .. {count - 1} "
                f"for keys; got {key!r}"
            )
        if label in seen:
            raise ValueError(
                f"class_weight must have each label once; got {key!r} twice"
            )
        seen.add(label)
        weights[int(label)] = checks.number(f"class_weight[{key!r}]", weight, least=0.0)
    return weights


@own_errstate
def _balanced(targets: NDArray[Any], kind: TargetKind, n_out: int) -> Weights:
    """n / (number of classes x samples of the class): all classes weigh alike.

    Of several labels: negatives / positives of each output, so that both weigh alike.
    """
    shares = class_shares(targets, kind, n_out)
    n, counts = len(shares), np.array([math.fsum(column) for column in shares.T])
    if kind.several and n_out > 1:
        both = (counts > 0) & (counts < n)
        return np.where(both, (n - counts) / np.where(both, counts, 1), 1.0)
    occurs = counts > 0  # a class without samples has no say
    return n / (np.count_nonzero(occurs) * np.where(occurs, counts, 1))


def class_shares(
    targets: NDArray[Any], kind: TargetKind, n_out: int
) -> NDArray[np.float64]:
    """How much each sample is of each class, (n, max(n_out, 2)).

    Of several labels: how much it has each, (n, n_out).
    """
    if targets.ndim == 1:
        return np.eye(n_out)[targets]
    y = targets.astype(np.float64)
    if n_out > 1 and not kind.several:
        return y if kind.soft else np.eye(n_out)[kind.classes(y)]
    if not kind.soft:
        y = (y > kind.threshold).astype(np.float64)
    return y if n_out > 1 else np.hstack([1 - y, y])


def _sum_over(y: NDArray[np.float64], c: Weights) -> Weights:
    """sum_j c_j y_j of each row, in one order whatever NumPy does with a product."""
    total = np.zeros(len(y))
    for j, factor in enumerate(c):
        total += factor * y[:, j]
    return total


@own_errstate
def with_class_weights(
    targets: NDArray[Any],
    weight: Weights | None,
    c: Weights,
    design: Design,
    dtype: np.dtype[Any],
    *,
    ratios: bool,
) -> tuple[NDArray[Any], Weights]:
    """Targets y' and weights w with which the loss is that of weighted classes.

    The weights are times those of the samples, where these are given::

        cross_entropy          -sum_j c_j y_j log(a_j) = w E(y'),
                               w = sum c y / sum y,  y' = c y / w
        binary_cross_entropy   -(c_1 y log(a) + c_0 (1 - y) log(1 - a)) = w E(y'),
                               w = c_1 y + c_0 (1 - y),  y' = c_1 y / w
        others                 w = c of the sample's class,  y' = y

    as ``torch.nn.CrossEntropyLoss(weight=c)`` of probabilities and, of several labels
    (then w is (n, n_L) and c_0 is 1), ``torch.nn.BCEWithLogitsLoss(pos_weight=c)``.
    Where the cross-entropy smooths its targets y is smoothed, and w (n, n_L), equal
    for all outputs: so the kernels do not smooth y' again.  Where only the `ratios` of
    the weights count those of the samples are scaled, so that no product overflows.
    """
    targets, w = _weighted_classes(targets, c, design, dtype)
    if weight is None:
        return targets, w
    if ratios:
        weight = np.ldexp(weight, -math.frexp(float(weight.max()))[1])
    return targets, w * (weight if w.ndim == 1 else weight[:, None])


def _weighted_classes(
    targets: NDArray[Any], c: Weights, design: Design, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], Weights]:
    """`with_class_weights`, of samples that all weigh 1."""
    loss, kind, n_out = design.loss, design.target_kind, design.sizes[-1]
    smoothing = loss.setting if isinstance(loss, CrossEntropy) else 0.0
    if targets.ndim == 1 and not smoothing:
        return targets, c[targets]
    y = class_shares(targets, kind, n_out)
    if isinstance(loss, CrossEntropy):
        y = (1 - smoothing) * y + smoothing / n_out
        total = _sum_over(y, np.ones(n_out))
        w = np.where(total > 0, _sum_over(y, c) / np.where(total > 0, total, 1), 1.0)
        weighted = (c * y / np.where(w > 0, w, 1)[:, None]).astype(dtype)
        return weighted, np.repeat(w[:, None], n_out, axis=1) if smoothing else w
    if n_out > 1 and not kind.several:
        return targets, _sum_over(y, c) / _sum_over(y, np.ones(n_out))
    positive, negative = (y, 1 - y) if n_out > 1 else (y[:, 1:], y[:, :1])
    c_1, c_0 = (c, 1.0) if n_out > 1 else (c[1], c[0])
    w = c_1 * positive + c_0 * negative
    if isinstance(loss, BinaryCrossEntropy):
        weighted = c_1 * positive / np.where(w > 0, w, 1)
        targets = np.where(w > 0, weighted, positive).astype(targets.dtype)
    return targets, np.ascontiguousarray(w if n_out > 1 else w[:, 0])
