"""Batch: one mini-batch or data set, converted for the kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bpcore import arrays
from bpcore.arrays import Real
from bpcore.batches.weights import Weights, with_class_weights
from bpcore.engine.engine import pinned
from bpcore.losses import as_targets
from bpcore.model.design import Design


@dataclass(frozen=True, repr=False, eq=False)
class Batch:
    """Rows, targets and weights of rows, checked once against a `Design`.

    Attributes
    ----------
    X : array (n, n_0)
    y : array (n, n_L), or labels int64 (n,)
    weight : float64 array (n,) or (n, n_L), or None if all are 1
    """

    X: Real
    y: NDArray[Any]
    weight: Weights | None = None

    def __post_init__(self) -> None:
        # Callbacks and losses may not resize the user's arrays, of which there are
        # views, while a Batch of them lives.
        pins = pinned(*self.arrays)
        object.__setattr__(self, "_pins", pins)

    def __len__(self) -> int:
        return len(self.X)

    def __repr__(self) -> str:
        return f"<Batch of {len(self):,} rows>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Batch cannot be pickled: pickle the data, and check it again"
        )

    @property
    def arrays(self) -> tuple[NDArray[Any] | None, ...]:
        """All arrays, of as many rows."""
        return self.X, self.y, self.weight

    @property
    def weighs(self) -> bool:
        """Whether any row has a weight above 0."""
        return self.weight is None or bool(self.weight.any())

    def rows(self, at: Any) -> Batch:
        """Some of the rows: by a slice, an index array or a mask."""
        weight = None if self.weight is None else self.weight[at]
        return Batch(self.X[at], self.y[at], weight)

    def copy(self) -> Batch:
        """A copy with its own arrays."""
        weight = None if self.weight is None else self.weight.copy()
        return Batch(self.X.copy(), self.y.copy(), weight)

    def astype(self, dtype: DTypeLike) -> Batch:
        """A copy for a network of that dtype; labels keep theirs."""
        y = self.y if self.y.ndim == 1 else self.y.astype(dtype)
        return Batch(self.X.astype(dtype), y, self.weight)

    def apart_from(self, *arrays: Real) -> Batch:
        """The same; a copy if it shares memory with one of the `arrays`."""
        for own in self.arrays:
            for array in arrays:
                if own is not None and np.may_share_memory(own, array):
                    return self.copy()
        return self

    def times(
        self,
        class_weights: Weights | None,
        design: Design,
        prefix: str = "",
        *,
        some: bool = True,
    ) -> Batch:
        """The same, with the weights of the rows times those of their classes.

        With `some`, at least one weight must be above 0.
        """
        if class_weights is None:
            return self
        targets, weight = with_class_weights(
            self.y, self.weight, class_weights, design, self.X.dtype, ratios=some
        )
        arrays.check_weights(f"{prefix}class_weight", weight, some=some)
        return Batch(self.X, targets, weight)


def as_batch(
    design: Design,
    dtype: np.dtype[Any],
    X: ArrayLike,
    y: ArrayLike | None,
    sample_weight: ArrayLike | None,
    prefix: str = "",
    *,
    some: bool = True,
) -> Batch:
    """A `Batch` from a caller's arguments, checked and converted.

    With `some`, at least one weight must be above 0.

    Examples
    --------
    >>> import numpy as np, bpcore as bp
    >>> from bpcore.batches.batch import as_batch
    >>> design = bp.Network([2, 3], loss="cross_entropy").learner.design
    >>> as_batch(design, np.dtype("float32"), [[1, 2], [3, 4]], [0, 2], None)
    <Batch of 2 rows>
    """
    sizes = design.sizes
    rows = arrays.as_rows(f"{prefix}X", X, sizes[0], dtype)
    if y is None:
        raise TypeError(f"{prefix}y must be given; got None")
    targets = as_targets(f"{prefix}y", y, len(rows), sizes[-1], design.loss, dtype)
    weight = arrays.as_weights(
        f"{prefix}sample_weight", sample_weight, len(rows), some=some
    )
    return Batch(rows, targets, weight)


def joined(*batches: Batch) -> Batch:
    """The mini-batches, concatenated to one."""
    weights: list[Any] = [batch.weight for batch in batches]
    weight = None
    if any(each is not None for each in weights):
        shape = next(each.shape[1:] for each in weights if each is not None)
        weight = np.concatenate(
            [
                np.ones((len(batch), *shape)) if each is None else each
                for batch, each in zip(batches, weights, strict=True)
            ]
        )
    X = np.concatenate([batch.X for batch in batches])
    return Batch(X, np.concatenate([batch.y for batch in batches]), weight)
