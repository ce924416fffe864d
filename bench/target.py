"""A performance target: one figure of a record, and its limit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One figure and its limit.

    Parameters
    ----------
    record : str
        Name of the command, and of the file in the CPU's results, with the figure.
    title : str
        Name of the measurement.
    at : dict
        Items that identify the result in the record.
    figure : str
        Path of the figure in the result, keys joined by dots.
    least, most : float, optional
        Lower or upper limit, one of them; seconds, bytes or a ratio.
    tie : bool
        Whether it suffices that the limit is within the quartiles, and the median at
        most three per cent below it.
    """

    record: str
    title: str
    at: dict
    figure: str
    least: float | None = None
    most: float | None = None
    tie: bool = False
