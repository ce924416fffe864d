"""Settings that fit refuses before anything changes."""

from helpers.bad_input import LABELS, WHOLE_NUMBERS, X, assert_refused, settings, small

BAD_FIT = [
    *(
        ({name: value}, error, "whole number of at least 1", got)
        for name in WHOLE_NUMBERS
        for value, error, got in (
            (0, ValueError, "0"),
            (-1, ValueError, "-1"),
            (1.5, TypeError, r"1\.5"),
            (True, ValueError, "True"),
            ("3", TypeError, "'3'"),
            ([3], TypeError, r"\[3\]"),
        )
    ),
    ({"epochs": None}, TypeError, "whole number of at least 1", "None"),
    ({"accumulate": None}, TypeError, "whole number of at least 1", "None"),
    ({"validation": X}, TypeError, r"\(X, y\)", "ndarray"),
    ({"validation": "0.2"}, TypeError, r"\(X, y\)", "str"),
    ({"validation": {"X": X, "y": LABELS}}, TypeError, r"\(X, y\)", "dict"),
    ({"validation": ()}, (TypeError, ValueError), r"\(X, y\)", "0"),
    ({"validation": (X,)}, (TypeError, ValueError), r"\(X, y\)", "1"),
    ({"validation": (X,) * 4}, (TypeError, ValueError), r"\(X, y\)", "4"),
    ({"callbacks": [print, 3]}, TypeError, "callables", "3"),
    ({"callbacks": "ab"}, TypeError, "callables", "'a"),
    ({"callbacks": print}, TypeError, "callables", "built-in function print"),
    ({"callbacks": None}, TypeError, "callables", "None"),
    ({"shuffle": "no"}, TypeError, "bool", "'no'"),
    ({"shuffle": None}, TypeError, "bool", "None"),
    ({"progress": "no"}, TypeError, "bool", "'no'"),
]


@settings(BAD_FIT)
def test_bad_setting_of_fit(Network, capsys, bad, error, expected, got):
    net = small(Network)
    (argument,) = bad
    row = (argument, error, expected, got)
    assert_refused(net, lambda: net.fit(X, LABELS, **bad), *row)
    assert capsys.readouterr().err == ""  # no bar was begun
