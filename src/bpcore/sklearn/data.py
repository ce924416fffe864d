"""Data: the arguments of a call of `fit` or `partial_fit`."""

from __future__ import annotations

from typing import Any, NamedTuple


class Data(NamedTuple):
    """The data of a call of `fit` or `partial_fit`, as given."""

    X: Any
    y: Any
    sample_weight: Any
    X_val: Any
    y_val: Any
    sample_weight_val: Any
