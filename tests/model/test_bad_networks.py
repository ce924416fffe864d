"""Settings that a network, an optimizer and fit refuse; dtypes that astype refuses."""

import math

import numpy as np
import pytest

import bpcore as bp
from helpers_bad_input import (
    BINARY,
    LABELS,
    WHOLE_NUMBERS,
    X,
    assert_refused,
    message,
    small,
)

BAD_SETTINGS = [
    ({"sizes": []}, ValueError, "at least 2 entries", r"\[\]"),
    ({"sizes": [3]}, ValueError, "at least 2 entries", r"\[3\]"),
    ({"sizes": [3, 0, 2]}, ValueError, "at least 1", "0"),
    ({"sizes": [3, -4, 2]}, ValueError, "at least 1", "-4"),
    ({"sizes": [3, 4.0, 2]}, TypeError, "whole number", r"4\.0"),
    ({"sizes": [3, True, 2]}, ValueError, "whole number", "True"),
    ({"sizes": [3, np.True_, 2]}, TypeError, "whole number", "True"),
    ({"sizes": [3, "4", 2]}, TypeError, "whole number", "'4'"),
    ({"sizes": [3, None]}, TypeError, "whole number", "None"),
    ({"sizes": [3, [4], 2]}, TypeError, "whole number", r"\[4\]"),
    ({"sizes": 3}, TypeError, "sequence of whole numbers", "3"),
    ({"sizes": None}, TypeError, "sequence of whole numbers", "None"),
    ({"sizes": "342"}, TypeError, "sequence of whole numbers", "'342'"),
    ({"sizes": b"342"}, TypeError, "sequence of whole numbers", "b'342'"),
    ({"sizes": {3, 4}}, TypeError, "sequence of whole numbers", r"\{3, 4\}"),
    ({"sizes": np.array(3)}, TypeError, "sequence of whole numbers", "3"),
    ({"sizes": [2**40, 2**40]}, ValueError, r"than 2\^59", str(2**80 + 2**40)),
    ({"sizes": [2**63, 1]}, ValueError, r"than 2\^59", str(2**63 + 1)),
    ({"sizes": [1, 2**58]}, ValueError, r"than 2\^59", str(2**59)),
    ({"sizes": [3, 1], "loss": "cross_entropy"}, ValueError, "at least 2", "1"),
    ({"activation": "rellu"}, ValueError, "one of", "'rellu'; did you mean 'relu'"),
    ({"activation": ["tahn"]}, ValueError, "one of", "'tahn'; did you mean 'tanh'"),
    ({"activation": "ReLU"}, ValueError, "one of", "did you mean 'relu'"),
    ({"activation": "zzz"}, ValueError, "identity, sigmoid, tanh, relu", "'zzz'$"),
    ({"activation": []}, ValueError, "each of the 1 hidden", "0"),
    ({"activation": ["relu"] * 2}, ValueError, "each of the 1 hidden", "2"),
    ({"activation": [None]}, ValueError, "one of", "None"),
    ({"activation": None}, ValueError, "one of", "None"),
    ({"activation": 5}, ValueError, "one of", "5"),
    ({"output": "sofmax"}, ValueError, "one of", "'sofmax'; did you mean 'softmax'"),
    ({"output": ""}, ValueError, "one of", "''"),
    ({"output": 5}, ValueError, "one of", "5"),
    ({"output": ["relu"]}, ValueError, "one of", r"\['relu'\]"),
    ({"loss": "crossentropy"}, ValueError, "one of", "did you mean 'cross_entropy'"),
    ({"loss": "zzz"}, ValueError, "squared_error, mean_squared_error", "'zzz'$"),
    ({"loss": 5}, ValueError, "one of", "5"),
    ({"output": "tanh", "loss": "cross_entropy"}, ValueError, "softmax", "'tanh'"),
    ({"output": "softmax", "loss": BINARY}, ValueError, "sigmoid", "'softmax'"),
    ({"optimizer": "sgd"}, TypeError, r"SGD\(lr=0.1\)", "'sgd'"),
    ({"optimizer": bp.SGD}, TypeError, r"SGD\(lr=0.1\)", "class .*SGD"),
    ({"optimizer": 0.1}, TypeError, r"SGD\(lr=0.1\)", "0.1"),
    ({"init": "he_unifrom"}, ValueError, "one of auto", "did you mean 'he_uniform'"),
    ({"init": None}, ValueError, "one of auto", "None"),
    ({"init": 0}, ValueError, "one of auto", "0"),
    ({"dtype": "float16"}, ValueError, "float32 or float64", "'float16'"),
    ({"dtype": "flaot32"}, ValueError, "float32 or float64", "'flaot32'"),
    ({"dtype": ">f4" if np.little_endian else "<f4"}, ValueError, "float32", "f4'"),
    ({"dtype": int}, ValueError, "float32 or float64", "class 'int'"),
    ({"dtype": 32}, ValueError, "float32 or float64", "32"),
    ({"dtype": None}, ValueError, "float32 or float64", "None"),
]
BAD_RNG = [
    ({"rng": -1}, ValueError, "at least 0", "-1"),
    ({"rng": 1.5}, TypeError, "whole number", r"1\.5"),
    ({"rng": True}, ValueError, "whole number", "True"),
    ({"rng": "0"}, TypeError, "whole number", "'0'"),
    ({"rng": [0, 1]}, TypeError, "whole number", r"\[0, 1\]"),
    ({"rng": np.random.RandomState(0)}, TypeError, "Generator", "RandomState"),
]
BAD_SGD = [
    *(
        row
        for name in ("lr", "momentum", "weight_decay")
        for row in (
            ({name: -0.1}, ValueError, "at least 0", r"-0\.1"),
            ({name: math.nan}, ValueError, "at least 0", "nan"),
            ({name: math.inf}, ValueError, "at least 0", "inf"),
            ({name: True}, TypeError, "a number", "True"),
            ({name: "0.1"}, TypeError, "a number", "'0.1'"),
            ({name: None}, TypeError, "a number", "None"),
            ({name: 1j}, TypeError, "a number", "1j"),
            ({name: [0.1]}, TypeError, "a number", r"\[0\.1\]"),
            ({name: 10**400}, ValueError, "at least 0", "inf"),
        )
    ),
    ({"momentum": 1}, ValueError, "below 1", r"1\.0"),
    ({"nesterov": True}, ValueError, "momentum above 0", r"momentum=0\.0"),
    ({"nesterov": 1, "momentum": 0.9}, TypeError, "a bool", "1"),
    ({"nesterov": "yes", "momentum": 0.9}, TypeError, "a bool", "'yes'"),
]
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


def settings(rows):
    """Parametrize by rows that begin with a dict; what it says first is what is bad."""
    names = [str(row[0]).partition(" at 0x")[0][:40] for row in rows]
    return pytest.mark.parametrize("bad, error, expected, got", rows, ids=names)


@settings(BAD_SETTINGS + BAD_RNG)
def test_bad_setting_of_a_network(Network, bad, error, expected, got):
    argument = "|".join(bad)
    with pytest.raises(error, match=message(argument, expected, got)):
        Network(**{"sizes": [3, 4, 2], **bad})


@settings(BAD_SETTINGS)
def test_bad_setting_leaves_the_callers_generator(bad, error, expected, got):
    rng = np.random.default_rng(0)
    with pytest.raises(error):
        bp.Network(**{"sizes": [3, 4, 2], **bad, "rng": rng})
    assert rng.random() == np.random.default_rng(0).random()


@settings(BAD_SGD)
def test_bad_setting_of_sgd(bad, error, expected, got):
    with pytest.raises(error, match=message(next(iter(bad)), expected, got)):
        bp.SGD(**bad)


@settings(BAD_FIT)
def test_bad_setting_of_fit(Network, capsys, bad, error, expected, got):
    net = small(Network)
    (argument,) = bad
    row = (argument, error, expected, got)
    assert_refused(net, lambda: net.fit(X, LABELS, **bad), *row)
    assert capsys.readouterr().err == ""  # no bar was begun


@pytest.mark.parametrize("optimizer", ["sgd", None, 0.1, bp.SGD, {"lr": 0.1}])
def test_bad_optimizer_assigned(Network, optimizer):
    net = small(Network)
    got = str(optimizer)[:9]
    assert_refused(
        net,
        lambda: setattr(net, "optimizer", optimizer),
        *("optimizer", TypeError, r"SGD\(lr=0.1\)", got),
    )


@pytest.mark.parametrize("dtype", ["float16", "flaot64", int, None])
def test_bad_dtype_of_astype(Network, dtype):
    net = small(Network)
    assert_refused(
        net,
        lambda: net.astype(dtype),
        *("dtype", ValueError, "float32 or float64", str(dtype)),
    )


def test_astype_refuses_parameters_that_overflow(Network):
    net = small(Network, dtype="float64")
    net.weights[0][1, 1] = 1e39
    assert_refused(
        net,
        lambda: net.astype("float32"),
        *("parameters", ValueError, "finite in float32", r"1e\+39"),
    )
