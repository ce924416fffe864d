"""Columns of a table before training: dates, identifiers, and the target."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.api import guess_datetime_format

from bpcore.quoting import quoted
from bpcore.tabular.table import is_time

CLASSIFICATION, REGRESSION = "classification", "regression"

#: Different texts of a column that are looked at for dates.
SAMPLE = 500
#: The fraction of them that must be dates of one format.
MOST = 0.95
TIME = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?")

#: Whole numbers are classes if there are at most so many, each in at least so many
#: rows on average.
FEW, ROWS_EACH = 10, 5


def date_columns(frame: Any) -> list[str]:
    """The columns that hold dates or times, as such or as texts.

    Examples
    --------
    >>> import pandas as pd
    >>> from bpcore.cli.columns import date_columns
    >>> date_columns(pd.DataFrame({"sold": ["2024-01-31", None], "kind": ["a", "b"]}))
    ['sold']
    """
    return [name for name in frame.columns if _has_dates(frame[name])]


def identifier_columns(frame: Any) -> list[str]:
    """The columns of texts that differ in every row.

    Examples
    --------
    >>> import pandas as pd
    >>> from bpcore.cli.columns import identifier_columns
    >>> identifier_columns(pd.DataFrame({"id": ["a", "b", "c"], "n": [1, 2, 3]}))
    ['id']
    """
    return [
        name
        for name in frame.columns
        if len(frame) > 2 and _has_texts(frame[name]) and frame[name].is_unique
    ]


#: Forms of numbers that are read as texts, and what to do about them.
FORMS = {
    r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?": (
        "--thousands , or, if they have decimal commas, --decimal ,"
    ),
    r"[+-]?\d*,\d+(e[+-]?\d+)?": "--decimal , as they have decimal commas",
    r"[+-]?\d+(\.\d+)?\s*%": "write percentages without the sign %",
}


def number_like(frame: Any) -> dict[str, str]:
    """Advice for each column of texts, most of which look like numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from bpcore.cli.columns import number_like
    >>> number_like(pd.DataFrame({"size": ["40,5", "39,25"], "kind": ["a", "b"]}))
    {'size': '--decimal , as they have decimal commas'}
    """
    texts = {name: frame[name].dropna() for name in frame if _has_texts(frame[name])}
    found = {name: _advice(values.astype(str)) for name, values in texts.items()}
    return {name: advice for name, advice in found.items() if advice}


def _advice(texts: Any) -> str:
    """What to do about texts most of which look like numbers; "" if they do not."""
    numbers = texts.map(_is_number)
    if numbers.mean() > 0.5:
        others = [repr(text) for text in texts[~numbers].drop_duplicates()[:3]]
        if not others:
            return ""  # they were declared to be names
        options = " ".join(f"--missing {text}" for text in others)
        return f"if others are missing values, {options}"
    for form, advice in FORMS.items():
        if (numbers | texts.str.fullmatch(form)).mean() > 0.5:
            return advice
    return ""


@dataclass(frozen=True)
class Target:
    """What is to be learned.

    Attributes
    ----------
    task : str
        "classification" or "regression".
    reason : str
        Why, in words.
    y : Series
        Without missing values.
    """

    task: str
    reason: str
    y: Any


def target_of(column: Any, task: str | None) -> Target:
    """The target in a column without missing values; the task is guessed if None.

    Raises
    ------
    ValueError
        If the values do not suit the task, or are all the same class.

    Examples
    --------
    >>> import pandas as pd
    >>> from bpcore.cli.columns import target_of
    >>> target_of(pd.Series([1.5, 2.5], name="price"), None).reason
    'price has 2 different numbers'
    """
    y, kind = _plain(column)
    name, count = column.name, y.nunique()
    if _has_dates(y):
        raise ValueError(f"the target {name!r} has dates or times, not numbers")
    if task is None:
        few = count <= FEW and (count == 2 or count * ROWS_EACH <= len(y))
        classes = kind in ("text", "bool") or (kind == "whole number" and few)
        task = CLASSIFICATION if classes else REGRESSION
    if task == REGRESSION:
        if kind == "text":
            wrong = next(value for value in y if not _is_number(value))
            raise ValueError(
                f"the target {name!r} must have numbers; got {quoted(wrong)}"
            )
        y = y.astype(np.float64)
        if not np.isfinite(y).all():
            raise ValueError(f"the target {name!r} must have finite numbers")
    elif kind == "number":
        raise ValueError(
            f"the target {name!r} must have classes; got numbers such as {y.iloc[0]}"
        )
    elif count == 1:
        raise ValueError(
            f"the target {name!r} must have at least two classes; got one: "
            f"{y.iloc[0]!s}"
        )
    elif count == len(y) > 2:
        raise ValueError(f"the target {name!r} has another class in every row")
    what = (
        f"{count:,} different {kind}s" if count > 1 else f"the same {kind} everywhere"
    )
    return Target(task, f"{name} has {what}", y)


def _plain(column: Any) -> tuple[Any, str]:
    """The values, and what they are: "text", "bool", "whole number" or "number"."""
    values = column.astype(object) if _has_texts(column) else column.infer_objects()
    if pd.api.types.is_bool_dtype(values):
        return values.astype(bool), "bool"
    if pd.api.types.is_integer_dtype(values):
        return values, "whole number"
    if pd.api.types.is_datetime64_any_dtype(values) or _has_texts(values):
        return values, "text"
    if values.map(type).nunique() == 1 and not _is_number(values.iloc[0]):
        return values.astype(str).astype(object), "text"
    numbers = values.astype(np.float64)
    if (numbers == numbers.round()).all() and (numbers.abs() < 2**53).all():
        return numbers.astype(np.int64), "whole number"
    return numbers, "number"


def _has_texts(column: Any) -> bool:
    """Whether there are values, and all that are not missing are texts."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    known = column.dropna()
    return len(known) > 0 and all(isinstance(value, str) for value in known)


def _has_dates(column: Any) -> bool:
    """Whether the values are dates or times, or nearly all are texts of one format."""
    if pd.api.types.is_numeric_dtype(column):
        return False
    if is_time(np.asarray(column)):
        return True
    if not _has_texts(column):
        return False
    sample = column.dropna().drop_duplicates()[:SAMPLE].astype(object)
    if sum(map(_is_number, sample)) > len(sample) / 2:
        return False
    if sum(TIME.fullmatch(text) is not None for text in sample) >= MOST * len(sample):
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the order of days and months
        formats = {
            guess_datetime_format(text.strip(), dayfirst=day_first)
            for text in sample[:3]
            for day_first in (False, True)
        }
        return any(
            pd.to_datetime(sample, format=known, errors="coerce").notna().mean() >= MOST
            for known in formats
            if known is not None
        )


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
