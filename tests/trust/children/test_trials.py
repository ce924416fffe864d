"""Trials in child processes."""

import ctypes

from trust.children.trials import outcomes


def test_crashes_and_hangs_are_seen():
    """And the next trial is made by another child."""

    def trial(case):
        if case == "crash":
            ctypes.string_at(0)
        while case == "hang":
            pass
        if case == "broken":
            raise KeyError(case)
        return "done"

    cases = ["done", "crash", "done", "hang", "broken", "done"]
    found = [outcome.split(" ")[0] for _, outcome in outcomes(trial, cases, 2.0)]
    assert found == cases
