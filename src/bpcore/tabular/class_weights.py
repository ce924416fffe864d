"""Weights of classes, of the parameter `class_weight`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpcore import checks
from bpcore.quoting import quoted


def class_weights(
    given: Any, names: NDArray[Any], labels: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """The weight of each class; None for none.

    "balanced" gives all classes the same total weight.  A mapping has the weights of
    classes; others have 1.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore.tabular.class_weights import class_weights
    >>> names, labels = np.array(["no", "yes"]), np.array([0, 0, 0, 1])
    >>> class_weights("balanced", names, labels)
    array([0.66666667, 2.        ])
    >>> class_weights({"no": 3}, names, labels)
    array([3., 1.])
    """
    if given is None:
        return None
    if isinstance(given, str) and given == "balanced":
        return len(labels) / (len(names) * np.bincount(labels, minlength=len(names)))
    if not isinstance(given, Mapping):
        raise ValueError(
            "class_weight must be None, 'balanced' or a mapping from classes to "
            f"weights; got {quoted(given)}"
        )
    weights, known = np.ones(len(names)), names.tolist()
    for name, weight in given.items():
        if name not in known:
            raise ValueError(
                f"class_weight must have classes of y for keys, {known}; "
                f"got {quoted(name)}"
            )
        weights[known.index(name)] = checks.number(
            f"class_weight[{quoted(name)}]", weight, least=0.0
        )
    return weights
