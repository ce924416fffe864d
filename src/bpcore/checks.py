"""Argument checks: each returns the value converted, or raises naming the argument.

Messages have the form "epochs must be a whole number of at least 1; got 0".  Arrays are
checked in ``arrays``.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Collection

import numpy as np

from bpcore.quoting import joined, quoted

#: Names in other libraries: {name there: name here}.
ALIASES = {
    "mae": "mean_absolute_error",
    "l1": "mean_absolute_error",
    "l2": "mean_squared_error",
    "pinball": "quantile",
    "kl": "kl_divergence",
    "kldiv": "kl_divergence",
    "logcosh": "log_cosh",
    "smooth_l1": "huber",
    "swish": "silu",
    "exponential": "exp",
    "leakyrelu": "leaky_relu",
    "hardtanh": "hard_tanh",
    "hardsigmoid": "hard_sigmoid",
    "heaviside": "step",
    "batch_norm": "batch",
    "batchnorm": "batch",
    "layer_norm": "layer",
    "layernorm": "layer",
    "bce": "binary_cross_entropy",
    "binary_crossentropy": "binary_cross_entropy",
    "categorical_crossentropy": "cross_entropy",
    "he": "he_uniform",
    "glorot": "glorot_uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "linear": "identity",
    "log_loss": "cross_entropy",
    "logistic": "sigmoid",
    "mse": "mean_squared_error",
    "sparse_categorical_crossentropy": "cross_entropy",
    "xavier": "glorot_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}


#: Types of truth values, which are not numbers here.
BOOLEANS = (bool, np.bool_)

#: Types that Python's ``numbers.Real`` includes, which are not numbers here.
NOT_REAL = (*BOOLEANS, np.timedelta64)


def one_of(name: str, value: object, choices: Collection[str]) -> str:
    """`value` if it is one of the choices; the message suggests the closest one.

    Examples
    --------
    >>> from bpcore import checks
    >>> checks.one_of("mode", "min", ("min", "max"))
    'min'
    >>> checks.one_of("activation", "swish", ("relu", "silu"))
    Traceback (most recent call last):
        ...
    ValueError: activation must be one of relu, silu; got 'swish'; did you mean 'silu'?
    """
    if isinstance(value, str) and value in choices:
        return value
    lower = value[:80].lower() if isinstance(value, str) else ""
    import difflib  # slow to import; needed for the message only

    near = [ALIASES[lower]] if ALIASES.get(lower) in choices else []
    near += difflib.get_close_matches(lower, choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"{name} must be one of {joined(choices)}; got {quoted(value)}{hint}"
    )


def integer(
    name: str, value: object, least: int, others: str = "", below: float = math.inf
) -> int:
    """`value` as an int of at least `least`.

    Parameters
    ----------
    others : str
        Other allowed values, for the message: ', or "auto"'.
    below : int, optional
        Upper bound, exclusive.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import checks
    >>> checks.integer("epochs", np.int64(3), 1)
    3
    """
    error: type[Exception] = ValueError
    bound = ""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
        if least <= number < below and not isinstance(value, BOOLEANS):
            return number
        bound = f" and below {below}" if number >= below else ""
    except TypeError:
        error = TypeError
    raise error(
        f"{name} must be a whole number of at least {least}{bound}{others}; "
        f"got {quoted(value)}"
    )


def index(name: str, value: object, size: int) -> int:
    """`value` as an index in 0 .. size - 1.

    Examples
    --------
    >>> from bpcore import checks
    >>> checks.index("row", 2, 3)
    2
    """
    expected = f"{name} must be a whole number in 0 .. {size - 1}; got {quoted(value)}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(expected) from None
    if isinstance(value, BOOLEANS):
        raise TypeError(expected)
    if not 0 <= number < size:
        raise IndexError(expected)
    return number


def number(
    name: str,
    value: object,
    *,
    least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """`value` as a finite float within bounds.

    Parameters
    ----------
    least, above : float, optional
        Lower bound, inclusive or exclusive.
    below, most : float, optional
        Upper bound, exclusive or inclusive.

    Examples
    --------
    >>> from bpcore import checks
    >>> checks.number("dropout", 0, least=0.0, below=1.0)
    0.0
    >>> checks.number("lr", -1, least=0.0)
    Traceback (most recent call last):
        ...
    ValueError: lr must be finite and at least 0; got -1.0
    """
    if isinstance(value, NOT_REAL) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number; got {quoted(value)}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if (
        math.isfinite(number)
        and (least is None or number >= least)
        and (above is None or number > above)
        and (below is None or number < below)
        and (most is None or number <= most)
    ):
        return number
    bounds = {"at least": least, "above": above, "below": below, "at most": most}
    parts = [f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None]
    if below is None and most is None:
        parts.insert(0, "finite")
    raise ValueError(f"{name} must be {' and '.join(parts)}; got {number}")


def boolean(name: str, value: object) -> bool:
    """`value`, a bool of Python or NumPy, as a bool.

    Examples
    --------
    >>> import numpy as np
    >>> from bpcore import checks
    >>> checks.boolean("shuffle", np.True_)
    True
    """
    if not isinstance(value, BOOLEANS):
        raise TypeError(f"{name} must be a bool; got {quoted(value)}")
    return bool(value)


def instance(name: str, value: object, kind: type | tuple[type, ...]) -> None:
    """Raise TypeError unless `value` is an instance of the class, or of one of several.

    Examples
    --------
    >>> from bpcore import checks
    >>> checks.instance("network", 3, dict)
    Traceback (most recent call last):
        ...
    TypeError: network must be a dict; got int
    """
    if not isinstance(value, kind):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(each.__name__ for each in kinds)
        raise TypeError(f"{name} must be a {expected}; got {type(value).__name__}")
