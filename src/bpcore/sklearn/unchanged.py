"""An estimator keeps its attributes where a call ends in an error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unchanged_after_error(estimator: object) -> Iterator[None]:
    """Within a ``with`` block: at an exception, the attributes become those before it.

    The attributes themselves are not copied: an object that is changed in place stays
    changed.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from bpcore.sklearn.unchanged import unchanged_after_error
    >>> estimator = SimpleNamespace(a=1)
    >>> try:
    ...     with unchanged_after_error(estimator):
    ...         estimator.a = 2
    ...         raise ValueError
    ... except ValueError:
    ...     print(estimator.a)
    1
    """
    attributes = vars(estimator)
    before = dict(attributes)
    try:
        yield
    except BaseException:
        attributes.clear()
        attributes.update(before)
        raise
