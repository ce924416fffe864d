"""Checks of what the library reads of an optimizer, which may be of a user's class."""

from __future__ import annotations

from collections.abc import Collection

from bpcore import checks
from bpcore.groups import groups_of, names_of
from bpcore.optimizers.base import Optimizer
from bpcore.quoting import quoted
from bpcore.schedules import Schedule


def require_readable(optimizer: Optimizer, rules: Collection[str]) -> None:
    """Raise for the first attribute or method that is not as `Optimizer` describes it.

    Examples
    --------
    >>> import bpcore as bp
    >>> from bpcore.optimizers.readable import require_readable
    >>> class Wrong(bp.SGD):
    ...     states = "mean"
    >>> require_readable(Wrong(), bp.kernels.RULES)
    Traceback (most recent call last):
        ...
    TypeError: states of Wrong must be a tuple of different names; got 'mean'
    """
    cls = type(optimizer).__name__
    if not isinstance(optimizer.rule, str):
        raise TypeError(f"rule of {cls} must be a name; got {quoted(optimizer.rule)}")
    lr = optimizer.lr
    if isinstance(lr, bool) or not isinstance(lr, float | int | Schedule):
        raise TypeError(f"lr of {cls} must be a float or a Schedule; got {quoted(lr)}")
    scheduled = isinstance(lr, Schedule)
    if not scheduled:
        checks.number(f"lr of {cls}", lr)
    if not isinstance(optimizer.schedule, Schedule if scheduled else Schedule | None):
        or_none = ", as lr is" if scheduled else " or None"
        raise TypeError(
            f"schedule of {cls} must be a Schedule{or_none}; "
            f"got {quoted(optimizer.schedule)}"
        )
    for name in ("clip_value", "clip_norm", "max_norm"):
        if (limit := getattr(optimizer, name)) is not None:
            checks.number(f"{name} of {cls}", limit, above=0.0)
    both = optimizer.both()
    two = isinstance(both, tuple | list) and len(both) == 2
    if not two or not all(isinstance(each, Optimizer) for each in both):
        raise TypeError(
            f"both() of {cls} must return two Optimizers, of the weights and of the "
            f"biases; got {quoted(both)}"
        )
    states = names_of(optimizer, "states")
    for each in both:
        names_of(each, "kept")
        for state in states:
            checks.number(f"start({quoted(state)}) of {cls}", each.start(state))
    if optimizer.rule in rules:
        groups_of(optimizer, rules)
