"""Weights of rows in shards, scaled to mean 1 over the rows of all processes."""

from __future__ import annotations

import math

import numpy as np

from bpcore import arrays
from bpcore.batches.batch import Batch
from bpcore.batches.weights import Weights
from bpcore.distributed.team import Team
from bpcore.errstate import own_errstate
from bpcore.model.design import Design


def exact_sum(numbers: Weights) -> list[float]:
    """A few numbers whose sum is exactly that of many, finite ones.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.distributed.weights import exact_sum
    >>> exact_sum(np.array([1.0, 2.0**-60, 2.0]))
    [3.0, 8.673617379884035e-19]
    """
    rest = numbers.ravel().tolist()
    terms: list[float] = []
    while term := math.fsum(rest):
        terms.append(term)
        rest.append(-term)
    return terms


@own_errstate
def weighted(
    team: Team, own: dict[int, Batch], design: Design, class_weights: Weights | None
) -> dict[int, Batch]:
    """The shards of this process with the final weights of their rows.

    As in ``Network.fit``: sample weight times class weight, divided by the mean over
    all rows, whose sum is rounded once only.
    """
    most = _largest(team, own, "sample_weight")

    def with_classes() -> dict[int, Batch]:
        found = {}
        for k, batch in own.items():
            weight = batch.weight
            if weight is not None and class_weights is not None:
                weight = np.ldexp(weight, -math.frexp(most)[1])
            batch = Batch(batch.X, batch.y, weight)
            found[k] = batch.times(class_weights, design, some=False)
        return found

    found = team.together(with_classes)
    if not most and class_weights is None:
        return found
    most = _largest(team, found, "class_weight" if class_weights is not None else "")
    exponent = math.frexp(most)[1]
    scaled = {
        k: np.ldexp(batch.weight, -exponent)
        for k, batch in found.items()
        if batch.weight is not None
    }
    parts = team.all_gather(
        [(weights.size, exact_sum(weights)) for weights in scaled.values()]
    )
    flat = [part for of_process in parts for part in of_process]
    size = sum(count for count, _ in flat)
    factor = size / math.fsum(term for _, terms in flat for term in terms)
    return {
        k: Batch(batch.X, batch.y, scaled[k] * factor) for k, batch in found.items()
    }


def _largest(team: Team, own: dict[int, Batch], name: str) -> float:
    """The largest weight of all rows; 0 if no shard has weights.

    Raises in all processes if some shards have weights and others none, or if all
    weights are 0 or some too far apart.
    """
    weights = {k: batch.weight for k, batch in own.items()}
    found = team.all_gather(
        {k: None if w is None else _span(w) for k, w in weights.items()}
    )
    spans = {k: span for of_process in found for k, span in of_process.items()}
    without = [k for k, span in spans.items() if span is None]
    if len(without) == len(spans):
        return 0.0
    if without:
        raise ValueError(
            f"{name} must be given for all shards or for none; there is none for "
            f"shard {without[0]}"
        )
    present = [span for span in spans.values() if span is not None]
    least = min(span[0] for span in present)
    largest = max(span[1] for span in present)
    arrays.check_weights(name, np.array([least, largest]))
    return largest


def _span(weights: Weights) -> tuple[float, float]:
    """The smallest weight above 0 (or 0), and the largest."""
    above = weights[weights > 0]
    return (float(above.min()) if above.size else 0.0), float(weights.max())
