"""Optimizers of users with attributes and methods that are not as described: refused.

By the name of the attribute, with what was expected and what came, with no change.
"""

import dataclasses
import math

import numpy as np
import pytest

import bpcore as bp
from bpcore.groups import FLAGS, NUMBERS
from bpcore.schedules import Constant
from helpers import everything

X, Y = np.ones((4, 3), "f4"), np.ones((4, 2), "f4")
GOOD = bp.SGD(0.1, momentum=0.9)


def of(**attributes):
    """An optimizer of a subclass with other attributes, past the checks of fields."""
    members = {
        name: value if callable(value) else property(lambda self, value=value: value)
        for name, value in attributes.items()
        if name not in FIELDS
    }
    mine = type("Mine", (bp.SGD,), members)(0.1, momentum=0.9)
    for name in FIELDS & attributes.keys():
        object.__setattr__(mine, name, attributes[name])
    return mine


FIELDS = {field.name for field in dataclasses.fields(bp.SGD)}


def group(place=0, **settings):
    """groups() with other settings; those that are `None` are left out."""
    groups = [dict(one) for one in GOOD.groups()]
    for name, value in settings.items():
        groups[place][name] = value
        if value is None:
            del groups[place][name]
    return lambda self: tuple(groups)


BAD_NUMBERS = [("1", TypeError), (math.nan, ValueError), (10**400, ValueError)]
NAMES = "must be a tuple of different names; got"
TWO = "must return two"
WRONG = {
    "states None": ({"states": None}, TypeError, f"states of Mine {NAMES} None"),
    "states text": ({"states": "velocity"}, TypeError, f"states of Mine {NAMES} 'vel"),
    "states numbers": ({"states": (1,)}, TypeError, f"states of Mine {NAMES} .1,."),
    "states twice": ({"states": ("a", "a")}, ValueError, f"states of Mine {NAMES} ..a"),
    "states short": ({"states": ()}, ValueError, "states of Mine must name at least 1"),
    "kept None": ({"kept": None, "states": ("a",)}, TypeError, f"kept of Mine {NAMES}"),
    "kept number": (
        {"kept": 3, "states": ("a",)},
        TypeError,
        f"kept of Mine {NAMES}",
    ),
    "rule None": ({"rule": None}, TypeError, "rule of Mine must be a name; got None"),
    "rule list": ({"rule": []}, TypeError, r"rule of Mine must be a name; got \[\]"),
    "rule unknown": ({"rule": "best"}, TypeError, "optimizer must be one of this lib"),
    "lr text": ({"lr": "0.1"}, TypeError, "lr of Mine must be a float or a Schedule"),
    "lr bool": ({"lr": True}, TypeError, "lr of Mine must be a float or a Schedule"),
    "lr nan": ({"lr": math.nan}, ValueError, "lr of Mine must be finite; got nan"),
    "lr huge": ({"lr": 10**400}, ValueError, "lr of Mine must be finite; got inf"),
    "schedule": (
        {"schedule": 3},
        TypeError,
        "schedule of Mine must be a Schedule",
    ),
    "no schedule": (
        {"lr": Constant(0.1), "schedule": None},
        TypeError,
        "schedule of Mine must be a Schedule, as lr is; got None",
    ),
    "both None": ({"both": lambda self: None}, TypeError, rf"both\(\) of Mine {TWO}"),
    "both one": ({"both": lambda self: (self,)}, TypeError, rf"both\(\) of Mine {TWO}"),
    "both texts": ({"both": lambda self: "ab"}, TypeError, rf"both\(\) of Mine {TWO}"),
    "start": (
        {"start": lambda self, state: "0"},
        TypeError,
        r"start\('velocity'\) of Mine must be a number; got '0'",
    ),
    "start infinite": (
        {"start": lambda self, state: math.inf},
        ValueError,
        r"start\('velocity'\) of Mine must be finite; got inf",
    ),
    "groups None": (
        {"groups": lambda self: None},
        TypeError,
        rf"groups\(\) of Mine {TWO} dicts",
    ),
    "groups one": (
        {"groups": lambda self: GOOD.groups()[:1]},
        TypeError,
        rf"groups\(\) of Mine {TWO}",
    ),
    "groups texts": (
        {"groups": lambda self: "ab"},
        TypeError,
        rf"groups\(\) of Mine {TWO} dicts",
    ),
    "a rule": (
        {"groups": group(1, rule="best")},
        ValueError,
        r"groups\(\)\[1\] of Mine: 'rule' must be one of plain, .*; got 'best'",
    ),
    "a rule of a list": (
        {"groups": group(rule=[])},
        ValueError,
        r"groups\(\)\[0\] of Mine: 'rule' must be one of",
    ),
    **{
        f"{name} of {place}": (
            {"groups": group(place, **{name: bad})},
            error,
            rf"groups\(\)\[{place}\] of Mine: '{name}' must be .*; got .",
        )
        for place in (0, 1)
        for name in (*NUMBERS, "lr_factor", "clip_value")
        for bad, error in BAD_NUMBERS
    },
    **{
        f"{name} {bad} of {place}": (
            {"groups": group(place, **{name: bad})},
            ValueError,
            rf"groups\(\)\[{place}\] of Mine: '{name}' must be {bound}; got {bad}",
        )
        for place in (0, 1)
        for name, bad, bound in [
            ("clip_value", 0.0, "above 0"),
            ("clip_value", -1.0, "above 0"),
            ("lr_factor", -0.5, "at least 0"),
        ]
    },
    **{
        f"{name} is missing": (
            {"groups": group(1, **{name: None})},
            ValueError,
            rf"groups\(\)\[1\] of Mine must have '{name}'; got \['",
        )
        for name in (*NUMBERS, *FLAGS, "rule", "lr_factor", "clip_value")
    },
    **{
        name: (
            {"groups": group(0, **{name: 1})},
            TypeError,
            rf"groups\(\)\[0\] of Mine: '{name}' must be a bool; got 1",
        )
        for name in FLAGS
    },
    **{
        f"{name} {bad} of a rule in registers": (
            {"groups": group(place, rule=rule, **{name: bad})},
            ValueError,
            rf"groups\(\)\[{place}\] of Mine: '{name}' must be .* for the rule "
            f"'{rule}'; got {bad}",
        )
        for place in (0, 1)
        for rule, name, bad in [
            ("plain", "momentum", 0.9),
            ("plain_momentum", "nesterov", True),
            ("plain_nesterov", "nesterov", False),
            ("plain_momentum", "l1", 0.1),
            ("plain_momentum", "clip_value", 2.0),
            ("plain_momentum", "decoupled", True),
        ]
    },
    **{
        f"{name} {bad}": ({name: bad}, error, f"{name} of Mine must be .*; got")
        for name in ("clip_value", "clip_norm", "max_norm")
        for bad, error in [("1", TypeError), (-1.0, ValueError)]
    },
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_subclass(name):
    attributes, error, message = WRONG[name]
    net = bp.Network([3, 4, 2], rng=0, optimizer=GOOD)
    before, wrong = everything(net), of(**attributes)
    with pytest.raises(error, match=f"^{message}"):
        net.optimizer = wrong
    assert everything(net) == before
    with pytest.raises(error, match=f"^{message}"):
        bp.Network([3, 4, 2], optimizer=wrong)
    if {*attributes} & {"states", "groups"} and "kept" not in attributes:
        w, state = np.ones(5), np.ones((1, 5))
        with pytest.raises(error, match=f"^{message}"):
            bp.kernels.descend(w, w.copy(), wrong, state)
        assert (w == 1).all() and (state == 1).all()


def test_right_subclasses():
    for right in (
        of(states=("velocity",)),
        of(states=["velocity", "spare"]),
        of(lr=Constant(0.1)),
        of(lr=1),
        of(groups=group(lr_factor=0)),
        of(groups=group(rule="sgd", clip_value=2, beta1=np.float64(0.5))),
        of(groups=lambda self: [*GOOD.groups()]),
    ):
        net = bp.Network([3, 4, 2], rng=0, optimizer=right)
        assert np.isfinite(net.train_step(X, Y))
        assert "velocity" in str(bp.trace(net, X, Y))


def test_a_whole_number_as_lr_is_the_float():
    found = []
    for right in (of(lr=1), of(lr=1.0)):
        net = bp.Network([3, 4, 2], rng=0, optimizer=right)
        net.fit(X, Y, epochs=2, progress=False)
        w, state = np.ones(2), np.ones((1, 2))
        bp.kernels.descend(w, np.ones(2), right, state)
        found.append((net.parameters.tobytes(), w.tobytes()))
    assert found[0] == found[1]


def test_a_long_name_of_a_state_is_quoted_in_short():
    name = "x" * 10**6
    wrong = of(states=(name,), start=lambda self, state: "0")
    with pytest.raises(TypeError, match=r"^start\('x") as caught:
        bp.Network([3, 4, 2], optimizer=wrong)
    assert len(str(caught.value)) < 600
