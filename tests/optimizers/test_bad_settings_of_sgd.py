"""Settings that SGD refuses, and what is refused as an optimizer."""

import math

import pytest

import bpcore as bp
from helpers.bad_input import assert_refused, message, settings, small

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


@settings(BAD_SGD)
def test_bad_setting_of_sgd(bad, error, expected, got):
    with pytest.raises(error, match=message(next(iter(bad)), expected, got)):
        bp.SGD(**bad)


@pytest.mark.parametrize("optimizer", ["sgd", None, 0.1, bp.SGD, {"lr": 0.1}])
def test_bad_optimizer_assigned(Network, optimizer):
    net = small(Network)
    got = str(optimizer)[:9]
    assert_refused(
        net,
        lambda: setattr(net, "optimizer", optimizer),
        *("optimizer", TypeError, r"SGD\(lr=0.1\)", got),
    )
