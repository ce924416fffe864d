"""Settings that a network refuses, and dtypes that astype refuses."""

import numpy as np
import pytest

import bpcore as bp
from helpers.bad_input import BINARY, assert_refused, message, settings, small

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
    ({"init": ["auto"]}, ValueError, "each of the 2 layers of weights", "1"),
    ({"init": ("zeros",) * 3}, ValueError, "each of the 2 layers of weights", "3"),
    ({"init": ["zeros", "normal"]}, ValueError, "one of auto", "'normal'"),
    ({"init": ["zeros", None]}, ValueError, "one of auto", "None"),
    ({"bias_init": "zero"}, ValueError, "one of zeros, normal", "'zero'"),
    ({"bias_init": "auto"}, ValueError, "one of zeros, normal", "'auto'"),
    ({"bias_init": 0}, ValueError, "one of zeros, normal", "0"),
    ({"bias_init": []}, ValueError, "each of the 2 layers of weights", "0"),
    ({"bias_init": ["normal", 1]}, ValueError, "one of zeros, normal", "1"),
    ({"parametrization": "NTK"}, ValueError, "one of standard, ntk", "'ntk'"),
    ({"parametrization": None}, ValueError, "one of standard, ntk", "None"),
    ({"dtype": "float16"}, ValueError, "float32 or float64", "'float16'"),
    ({"dtype": "flaot32"}, ValueError, "float32 or float64", "'flaot32'"),
    ({"dtype": ">f4" if np.little_endian else "<f4"}, ValueError, "float32", "f4'"),
    ({"dtype": int}, ValueError, "float32 or float64", "class 'int'"),
    ({"dtype": 32}, ValueError, "float32 or float64", "32"),
    ({"dtype": None}, ValueError, "float32 or float64", "None"),
    ({"dtype": {"a": 1}}, ValueError, "float32 or float64", "'a': 1"),
]
BAD_RNG = [
    ({"rng": -1}, ValueError, "at least 0", "-1"),
    ({"rng": 1.5}, TypeError, "whole number", r"1\.5"),
    ({"rng": True}, ValueError, "whole number", "True"),
    ({"rng": "0"}, TypeError, "whole number", "'0'"),
    ({"rng": [0, 1]}, TypeError, "whole number", r"\[0, 1\]"),
    ({"rng": np.random.RandomState(0)}, TypeError, "Generator", "RandomState"),
]


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
