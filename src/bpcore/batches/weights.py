"""Weights of samples and classes: factors of the rows' losses in the mean loss.

With E_i the loss of row i and w_i its weight, sample weight times class weight, the
loss of a mini-batch is::

    E = 1/n sum_i w_i E_i

`fit` scales the weights once, to mean 1 over its training rows.  Where the loss is a
sum or mean over outputs, a row may have one weight per output, w (n, n_L).
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
from bpcore.quoting import quoted

Weights = NDArray[np.float64]

#: Class weights given by a caller: by label, in order of labels, or "balanced".
ClassWeight = Mapping[int, float] | ArrayLike | str


@own_errstate
def scaled_to_mean_1(weights: Weights) -> Weights:
    """The weights divided by their mean, of which the sum is rounded once only.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.weights import scaled_to_mean_1
    >>> scaled_to_mean_1(np.array([1.0, 3.0]))
    array([0.5, 1.5])
    """
    weights = scaled_to_1(weights)  # so that their sum is finite
    return weights * (weights.size / math.fsum(weights.ravel().tolist()))


@own_errstate
def scaled_to_1(weights: Weights) -> Weights:
    """The weights scaled by a power of two, the largest to between 1/2 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.weights import scaled_to_1
    >>> scaled_to_1(np.array([1.0, 3.0]))
    array([0.25, 0.75])
    """
    return np.ldexp(weights, -math.frexp(float(weights.max()))[1])


@own_errstate
def scaled_to_normal(weights: Weights) -> Weights:
    """The weights, very large or small ones scaled by a power of two.

    So sum(w E) stays finite; the mean loss sum(w E) / sum(w) does not change.
    """
    exponent = math.frexp(float(weights.max()))[1]
    return np.ldexp(weights, -exponent) if abs(exponent) > 300 else weights


def as_normal_weights(name: str, value: ArrayLike | None, n: int) -> Weights | None:
    """Sample weights as `arrays.as_weights`, and as `scaled_to_normal`."""
    weights = arrays.as_weights(name, value, n)
    return None if weights is None else scaled_to_normal(weights)


# --- class weights --------------------------------------------------------------------


def as_class_weights(
    class_weight: ClassWeight,
    targets: NDArray[Any],
    design: Design,
    *,
    whole: bool = True,
) -> Weights:
    """The weight of each class, or of the positives of each output.

    Parameters
    ----------
    class_weight
        A mapping {label: weight}, or another object with labels, such as a pandas
        Series; a sequence in order of the labels; or "balanced".
    targets : array (n,) of labels, or (n, n_out)
        Targets, counted for "balanced".
    whole : bool
        Whether these are the targets of all data, as "balanced" requires.

    Returns
    -------
    array (max(n_out, 2),), or (n_out,) where each of several outputs is a label
    """
    loss, n_out = design.loss, design.sizes[-1]
    if not loss.classes:
        raise ValueError(
            f"class_weight needs a loss whose targets are classes; got {loss.name}"
        )
    several = design.target_kind.several and n_out > 1
    if several and design.custom_loss:
        raise ValueError(
            "class_weight with several labels per sample needs a loss per output, but "
            f"a loss function returns one value per sample; got {n_out} outputs of "
            f"{design.activations[-1]}"
        )
    count = n_out if several else max(n_out, 2)
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(
                "class_weight must be a mapping, one weight for each class, or "
                f"'balanced'; got {quoted(class_weight)}"
            )
        if not whole:
            raise ValueError(
                "class_weight='balanced' needs the labels of all data, and must be "
                "given to fit; got one mini-batch: give a weight for each class"
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
    """The weights of a mapping in order of the labels, 1 for missing ones."""
    weights, seen = np.ones(count), set()
    for key, weight in class_weight.items():
        label = 0 if signs and key == -1 else key
        if isinstance(label, np.timedelta64) or label not in range(count):
            raise ValueError(
                f"class_weight must have labels in {-1 if signs else 0} .. {count - 1} "
                f"for keys; got {quoted(key)}"
            )
        if label in seen:
            raise ValueError(
                f"class_weight must have each label once; got {quoted(key)} twice"
            )
        seen.add(label)
        weights[range(count).index(label)] = checks.number(
            f"class_weight[{quoted(key)}]", weight, least=0.0
        )
    return weights


@own_errstate
def _balanced(targets: NDArray[Any], kind: TargetKind, n_out: int) -> Weights:
    """n / (number of classes x samples of the class): equal total weights of classes.

    With several labels per sample: negatives / positives of each output, so that their
    total weights are equal.
    """
    members = class_membership(targets, kind, n_out)
    n, counts = len(members), np.array([math.fsum(column) for column in members.T])
    if kind.several and n_out > 1:
        both = (counts > 0) & (counts < n)
        return np.where(both, (n - counts) / np.where(both, counts, 1), 1.0)
    occurs = counts > 0  # classes without samples are not counted
    return n / (np.count_nonzero(occurs) * np.where(occurs, counts, 1))


def class_membership(
    targets: NDArray[Any], kind: TargetKind, n_out: int
) -> NDArray[np.float64]:
    """The probability that each sample is of each class, (n, max(n_out, 2)).

    With several labels per sample: the probability of each label, (n, n_out).  0 or 1
    unless targets are probabilities.
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
    """sum_j c_j y_j of each row, added in order of j (a matrix product may differ)."""
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
    """Targets y' and weights w for which w E(y') is the loss with class weights c.

    These are then multiplied by the weights of the samples, if given::

        cross_entropy          -sum_j c_j y_j log(a_j) = w E(y'),
                               w = sum c y / sum y,  y' = c y / w
        binary_cross_entropy   -(c_1 y log(a) + c_0 (1 - y) log(1 - a)) = w E(y'),
                               w = c_1 y + c_0 (1 - y),  y' = c_1 y / w
        others                 w = c of the sample's class,  y' = y

    as ``torch.nn.CrossEntropyLoss(weight=c)`` with probabilities and, with several
    labels per sample, ``torch.nn.BCEWithLogitsLoss(pos_weight=c)``: w is (n, n_L) then,
    and c_0 is 1.  If the cross-entropy has label smoothing, y is smoothed here; w is
    (n, n_L) with equal columns, so that the kernels do not smooth y' again.
    With `ratios`, only ratios of the weights matter: those of the samples are scaled,
    so that no product overflows.
    """
    targets, w = _weighted_classes(targets, c, design, dtype)
    if weight is None:
        return targets, w
    if ratios:
        weight = scaled_to_1(weight)
    return targets, w * (weight if w.ndim == 1 else weight[:, None])


def products(name: str, of_classes: Weights, weight: Weights | None) -> Weights:
    """The weights of the rows' classes times those of the rows, up to a factor.

    Only ratios are kept, so that no product is infinite or 0 by the range of float64.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.batches.weights import products
    >>> products("sample_weight", np.array([1.0, 3.0]), np.full(2, 2.0**-1060))
    array([0.25, 0.75])
    """
    found = scaled_to_1(of_classes)
    if weight is not None:
        found = scaled_to_1(found * scaled_to_1(weight))
    arrays.check_weights(f"{name} times class_weight", found)
    return found


def _weighted_classes(
    targets: NDArray[Any], c: Weights, design: Design, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], Weights]:
    """`with_class_weights` for samples of weight 1."""
    loss, kind, n_out = design.loss, design.target_kind, design.sizes[-1]
    smoothing = loss.setting if isinstance(loss, CrossEntropy) else 0.0
    if targets.ndim == 1 and not smoothing:
        return targets, c[targets]
    y = class_membership(targets, kind, n_out)
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
