"""Targets of a table's networks: classes as labels, numbers standardised."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore.arrays import Real, as_weights, own_objects
from bpcore.batches.weights import products
from bpcore.cached import cached_property
from bpcore.fields import BOOLEAN, CheckedFields, instance
from bpcore.losses import JointQuantile
from bpcore.quoting import quoted
from bpcore.tabular.class_weights import class_weights
from bpcore.tabular.foundation import conversion_warning
from bpcore.tabular.numeric import NUMBERS, as_numbers
from bpcore.tabular.table import as_any_array, is_missing, is_number
from bpcore.warn import warn

#: Numbers in y that make no warning: of more, most are no classes.
MANY = 50


@dataclass(frozen=True, eq=False)
class Classes(CheckedFields):
    """The classes of a classifier, in order.

    Attributes
    ----------
    names : array (n_classes,)
    weights : array (n_classes,), or None
        Of the classes.

    Examples
    --------
    >>> from bpcore.tabular.targets import Classes
    >>> classes = Classes.of(["no", "yes", "no"])
    >>> classes.encode("y", ["yes", "no"])
    array([1, 0])
    """

    names: NDArray[Any] = field(metadata=instance(np.ndarray))
    weights: NDArray[np.float64] | None = field(default=None, metadata=NUMBERS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.names.ndim != 1 or len(self.names) < 2:
            raise ValueError("names must be an array of at least 2 classes")
        if self.weights is not None and len(self.weights) != len(self.names):
            raise ValueError("weights must have a number for each class")

    @classmethod
    def of(cls, y: Any, class_weight: Any = None) -> Classes:
        """The classes of targets, at least two."""
        values = as_column("y", y)
        if values.dtype.kind == "f" and not np.all(values == np.round(values)):
            raise ValueError(
                "Unknown label type: y must have classes; got numbers such as "
                f"{values[values != np.round(values)][0]}. Regressor predicts numbers"
            )
        try:
            names = np.unique(values)
        except TypeError as error:
            raise TypeError(f"y must have classes in an order: {error}") from None
        if len(names) < 2:
            raise ValueError(
                f"y must have at least 2 classes; got 1 class: {shown(names)}"
            )
        if names.dtype.kind in "iuf" and len(names) > max(MANY, len(values) / 20):
            warn(
                f"y has {len(names)} different numbers, each of which is a class here: "
                "Regressor predicts numbers"
            )
        labels = np.searchsorted(names, values)
        return cls(names, class_weights(class_weight, names, labels))

    @property
    def n_outputs(self) -> int:
        """The number of outputs of a network."""
        return len(self.names)

    def encode(self, name: str, y: Any) -> NDArray[np.int64]:
        """The number of each target's class."""
        values = as_column(name, y)
        places = np.clip(np.searchsorted(self.names, values), 0, len(self.names) - 1)
        unknown = self.names[places] != values
        if unknown.any():
            raise ValueError(
                f"{name} must have classes of the training, {shown(self.names)}; got "
                f"{quoted(values[unknown].tolist()[0])}"
            )
        return places.astype(np.int64)

    def weigh(self, labels: NDArray[np.int64], name: str, weight: Any) -> Any:
        """The weights of rows: those given, times those of their classes."""
        if self.weights is None:
            return weight
        given = as_weights(name, weight, len(labels), some=True)
        return products(name, self.weights[labels], given)


@dataclass(frozen=True, eq=False)
class Standardised(CheckedFields):
    """Numbers as (y - mean) / deviation, and back, no further than those of training.

    Attributes
    ----------
    mean, deviation, least, most : float64 arrays (n_targets,)
    single : bool
        Whether y had one dimension.
    quantiles : tuple, or None
        Of one target: a network has an output for each.

    Examples
    --------
    >>> from bpcore.tabular.targets import Standardised
    >>> target = Standardised.of([1.0, 3.0])
    >>> target.encode("y", [1.0, 3.0]).tolist()
    [[-1.0], [1.0]]
    >>> import numpy as np
    >>> target.decode(np.array([[0.5], [9.0]]))
    array([2.5, 3. ])
    """

    mean: NDArray[np.float64] = field(metadata=NUMBERS)
    deviation: NDArray[np.float64] = field(metadata=NUMBERS)
    least: NDArray[np.float64] = field(metadata=NUMBERS)
    most: NDArray[np.float64] = field(metadata=NUMBERS)
    single: bool = field(metadata=BOOLEAN)
    quantiles: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        count = len(self.mean)
        if self.quantiles is not None:
            JointQuantile(self.quantiles)  # raises if they are not valid
        one = self.single or self.quantiles is not None
        lengths = {len(self.deviation), len(self.least), len(self.most)}
        if count == 0 or (one and count > 1) or lengths != {count}:
            raise ValueError("targets must have one mean for each")
        if not (self.deviation > 0).all() or not (self.least <= self.most).all():
            raise ValueError(
                "targets must have deviations above 0, and least below most"
            )

    @classmethod
    def of(cls, y: Any, quantiles: tuple[float, ...] | None = None) -> Standardised:
        """Of the targets (n,) or (n, n_targets); of one target for quantiles."""
        values, single = as_targets("y", y)
        if quantiles is not None and values.shape[1] > 1:
            raise ValueError(
                "y must have one number for each row with quantiles; got "
                f"{values.shape[1]}"
            )
        scale = np.abs(values).max(axis=0)
        scale[scale == 0] = 1
        parts = values / scale  # whose squares do not overflow
        deviation = parts.std(axis=0) * scale
        deviation[~(deviation > 0)] = 1.0
        mean = parts.mean(axis=0) * scale
        least, most = values.min(axis=0), values.max(axis=0)
        return cls(mean, deviation, least, most, single, quantiles)

    def weigh(self, z: Any, name: str, weight: Any) -> Any:
        """The weights of rows, as they are given."""
        return weight

    @cached_property
    def of_one(self) -> tuple[float, float, float, float]:
        """Deviation, mean, least and most of a single target."""
        parts = (self.deviation, self.mean, self.least, self.most)
        return tuple(part.item() for part in parts)  # type: ignore[return-value]

    @property
    def count(self) -> int:
        """The number of targets."""
        return len(self.mean)

    @property
    def n_outputs(self) -> int:
        """The number of outputs of a network."""
        return self.count if self.quantiles is None else len(self.quantiles)

    def encode(self, name: str, y: Any) -> NDArray[np.float64]:
        """The standardised targets of the outputs (n, n_out)."""
        values, _ = as_targets(name, y)
        if values.shape[1] != self.count:
            raise ValueError(
                f"{name} must have {self.count} numbers for each row; got "
                f"{values.shape[1]}"
            )
        z = (values - self.mean) / self.deviation
        return z if self.quantiles is None else np.repeat(z, len(self.quantiles), 1)

    def decode(self, z: Real) -> NDArray[np.float64]:
        """The targets of outputs, within the range of training: (n,) if y was.

        Of quantiles (n, n_quantiles), in their order: they do not cross.
        """
        if z.shape == (1, 1) and self.single and not self.quantiles:  # 5 times as fast
            deviation, mean, least, most = self.of_one
            return np.array([min(max(float(z[0, 0]) * deviation + mean, least), most)])
        y = z * self.deviation + self.mean
        y = np.minimum(np.maximum(y, self.least), self.most)  # sooner than np.clip
        if self.quantiles is not None:
            return in_order(y, self.quantiles)
        found: NDArray[np.float64] = y[:, 0] if self.single else y
        return found


def in_order(y: NDArray[Any], quantiles: tuple[float, ...]) -> NDArray[Any]:
    """The predicted quantiles (n, n_quantiles) of each row, put into their order.

    So they do not cross, and their losses are not larger than before (Chernozhukov,
    Fernandez-Val and Galichon 2010).

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.targets import in_order
    >>> in_order(np.array([[3.0, 2.0, 1.0]]), (0.9, 0.1, 0.5))
    array([[3., 1., 2.]])
    """
    found = np.empty_like(y)
    found[:, np.argsort(quantiles)] = np.sort(y, axis=1)
    return found


def require_length(name: str, length: int, other: str, rows: int) -> None:
    """Raise unless there is a target for each row."""
    if length != rows:
        raise ValueError(
            f"{name} must have as many entries as {other} has rows ({rows}): "
            f"inconsistent numbers of samples; got {length}"
        )


def shown(names: NDArray[Any]) -> str:
    """The first names of classes, for messages."""
    first = ", ".join(quoted(name) for name in names[:5].tolist())
    return first if len(names) <= 5 else f"{first}, ..."


def as_column(name: str, y: Any) -> NDArray[Any]:
    """Targets with one value for each row, none of them missing."""
    values = _unmasked(name, y)
    if values.ndim == 2 and values.shape[1] == 1:
        warn(
            "A column-vector y was passed when a 1d array was expected: its column "
            "is used",
            conversion_warning,
        )
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(
            f"{name} must have shape (n,), one class for each row; got {values.shape}"
        )
    if values.dtype.kind in "cV":
        raise TypeError(
            f"{name} must have texts, whole numbers or bools; got {values.dtype}"
        )
    if values.dtype.kind in "mM" and np.isnat(values).any():
        raise ValueError(f"{name} must have no missing values; got one (NaT)")
    if values.dtype.kind == "O":
        values = _of_one_type(name, values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite; got Input contains NaN or infinity")
    return values


def _of_one_type(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Python objects that can be classes: numbers as an array of numbers."""
    if any(map(is_missing, values)):
        raise ValueError(f"{name} must have no missing values; got one (NaN)")
    if all(map(is_number, values)):
        return _exact(name, values)
    kinds = {str if isinstance(value, str) else type(value) for value in values}
    names = sorted({kind.__name__ for kind in kinds})
    if len(names) > 1:
        raise TypeError(f"{name} must have classes of one type; got {', '.join(names)}")
    return values


def _exact(name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Numbers as int64 or uint64, else as float64; none of them is rounded."""
    whole = [isinstance(value, Integral) for value in values]
    for dtype in (np.int64, np.uint64) if all(whole) else (np.float64,):
        with suppress(OverflowError):
            found = values.astype(dtype)
            if all(whole) or (found[whole].astype(object) == values[whole]).all():
                return found
    raise ValueError(
        f"{name} must have whole numbers of at most 64 bits, with fractions beside "
        f"them 53; got {quoted(max(values[whole], key=abs))}"
    )


def _unmasked(name: str, y: Any) -> NDArray[Any]:
    """The targets as an array with at least one entry, none of them masked."""
    found = as_any_array(name, y)
    if np.ma.isMaskedArray(found) and np.ma.getmaskarray(found).any():
        raise ValueError(f"{name} must have no missing values; got a mask")
    values = np.asarray(own_objects(found))
    if values.size == 0:
        raise ValueError(f"{name} must have at least one entry; got none")
    if isinstance(y, list | tuple) and values.dtype.kind in "US":
        objects = np.asarray(y, object)  # NumPy makes texts of numbers beside texts
        kind = str if values.dtype.kind == "U" else bytes
        if not all(isinstance(value, kind) for value in objects.flat):
            return objects
    return values


def as_targets(name: str, y: Any) -> tuple[NDArray[np.float64], bool]:
    """Numbers (n, n_targets), and whether they had one dimension."""
    values = _unmasked(name, y)
    if values.ndim not in (1, 2) or values.shape[-1:] == (0,):
        raise ValueError(
            f"{name} must have shape (n,) or (n, n_targets); got {values.shape}"
        )
    if values.dtype.kind in "mMc":
        raise TypeError(f"{name} must have real numbers; got {values.dtype}")
    columns = values.reshape(len(values), -1)
    found = np.stack([as_numbers(name, column) for column in columns.T], axis=1)
    if np.isnan(found).any():
        raise ValueError(f"{name} must have no missing values; got NaN")
    return found, values.ndim == 1
