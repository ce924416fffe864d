"""Columns of dates and of identifiers."""

import datetime

import pandas as pd
import pytest

from bpcore.cli.columns import date_columns, identifier_columns

DATES = {
    "iso": ["2024-01-31", "2024-02-01"],
    "iso and an hour": ["2024-01-31 10:00:00", "2024-02-01 11:30:00"],
    "iso in UTC": ["2024-01-31T10:00:00Z", "2024-02-01T11:30:00Z"],
    "american": ["1/31/2024", "2/1/2024"],
    "german": ["31.01.2024", "01.02.2024"],
    "day first, ambiguous at first": ["01/02/2024", "31/01/2024", "05/04/2024"],
    "months": ["Jan 3, 2021", "Feb 14, 2021"],
    "times": ["10:30", "09:15:20"],
    "with a few others": [*(f"2024-01-{day:02}" for day in range(1, 29)), "unknown"],
    "of Python": [datetime.date(2024, 1, 31), datetime.date(2024, 2, 1)],
    "of pandas": pd.to_datetime(["2024-01-31", "2024-02-01"]),
    "durations": pd.to_timedelta(["1h", "2h"]),
}


@pytest.mark.parametrize("case", DATES)
def test_dates(case):
    values = [*DATES[case], None]
    assert date_columns(pd.DataFrame({"a": values})) == ["a"]


OTHERS = {
    "names": ["May", "June", "Jan"],
    "sizes": ["1/2", "3/4"],
    "ranges": ["10-20", "20-30"],
    "versions": ["1.5.2", "2.0.1"],
    "numbers as texts": ["2020", "2021"],
    "long numbers as texts": ["20240131", "20240201"],
    "numbers": [2020, 2021],
    "mostly others": ["2024-01-31", "red", "blue", "2024-02-01"],
    "nothing": [None, None],
    "bools": [True, None],
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_no_date(case):
    assert date_columns(pd.DataFrame({"a": OTHERS[case]})) == []


def test_identifiers():
    frame = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "twice": ["a", "b", "a"],
            "number": [1, 2, 3],
            "nothing": [None] * 3,
        }
    )
    assert identifier_columns(frame) == ["id"]
    assert identifier_columns(frame[:2]) == []
