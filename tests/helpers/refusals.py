"""Expected errors with their whole messages; calls that must change nothing.

In a message "..." stands for any text.
"""

import math
import pickle
import re
from functools import partial

import numpy as np
import pytest

import bpcore as bp
import helpers
from bpcore import schedules
from helpers import short

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 3)).astype("float32")
LABELS = np.array([0, 1, 1, 0, 1, 1])
TARGETS = np.eye(2, dtype="float32")[LABELS]
ONE = TARGETS[:, :1]
DATA = X, LABELS
#: More rows than are worked on at a time.
MANY = np.resize(X, (600, 3)), np.resize(TARGETS, (600, 2))
QUIET = {"progress": False}
IN_ORDER = {"shuffle": False, **QUIET}
NAN, INF = math.nan, math.inf


def made(Network, loss="cross_entropy", n_out=2, sizes=(3, 4), **settings):
    """A network that has learnt a little, so that its state is not the first one."""
    settings = {"optimizer": bp.SGD(0.1, momentum=0.9), "rng": 0, **settings}
    net = Network([*sizes, n_out], loss=loss, **settings)
    if net.learner.design.trains and not isinstance(net.optimizer, bp.LBFGS):
        net.train_step(np.resize(X, (6, sizes[0])), right(net))
    return net


def right(net):
    """Targets that the network takes."""
    y = TARGETS[:, : net.sizes[-1]]
    return 2 * y - 1 if net.loss == "hinge" else y


def everything(net):
    """All that training changes, and the settings, as bytes."""
    settings = net.learner.accumulate, net.learner.engine.lr
    data = X, LABELS, TARGETS, MANY
    return pickle.dumps((helpers.everything(net), settings, data))


class Refusal:
    """An error, and the whole of its message."""

    def __init__(self, error, text):
        self.error = error
        self.pattern = "(?s)^" + re.escape(text).replace(r"\.\.\.", ".*") + r"\Z"

    def of(self, call, *nets):
        before = [everything(net) for net in nets]
        with pytest.raises(self.error, match=self.pattern):
            call()
        assert [everything(net) for net in nets] == before


VALUE, TYPE = partial(Refusal, ValueError), partial(Refusal, TypeError)
EITHER = partial(Refusal, (TypeError, ValueError))


def table(rows, names="bad, refusal"):
    """Parametrize by rows that begin with what is wrong, or by a dict of them."""
    if isinstance(rows, dict):
        return pytest.mark.parametrize(names, rows.values(), ids=list(rows))
    ids = [" ".join(map(short, row[:-1])) for row in rows]
    return pytest.mark.parametrize(names, rows, ids=ids)


AT_LEAST_0, ABOVE_0 = "finite and at least 0", "finite and above 0"
SHARE, BETWEEN = "at least 0 and below 1", "above 0 and below 1"
UP_TO_1, ABOVE_1 = "at least 0 and at most 1", "finite and above 1"
OUTSIDE = {
    AT_LEAST_0: (-0.1, NAN, INF, -INF, 10**400),
    ABOVE_0: (0, -0.1, NAN, INF),
    SHARE: (-0.1, 1, 1.5, NAN, INF),
    BETWEEN: (0, -0.1, 1, 1.5, NAN, INF),
    UP_TO_1: (-0.1, 1.5, NAN, INF),
    ABOVE_1: (1, 0.5, 0, -0.1, NAN, INF),
}
TIME = np.timedelta64(1, "D")
NO_NUMBERS = (True, np.True_, "0.1", 0.1j, [0.1], np.array([0.1]), TIME, None)


def bad_numbers(name, span, among, no_numbers=NO_NUMBERS):
    """Rows (settings, refusal) of bad numbers; `among` makes settings of a number."""
    outside = [(bad, INF if bad == 10**400 else float(bad)) for bad in OUTSIDE[span]]
    return [
        *((among(bad), VALUE(f"{name} must be {span}; got {x}")) for bad, x in outside),
        *(
            (among(bad), TYPE(f"{name} must be a number...; got {bad!r}"))
            for bad in no_numbers
        ),
    ]


def bad_counts(name):
    """Rows (settings, refusal) of values that are not whole numbers of at least 1."""
    text = f"{name} must be a whole number of at least 1; got "
    return [
        *(({name: bad}, VALUE(f"{text}{bad!r}")) for bad in (0, -3, True)),
        *(({name: bad}, TYPE(f"{text}{bad!r}")) for bad in (1.5, NAN, "3", [3], TIME)),
    ]


def bad_flags(name):
    """Rows (settings, refusal) of values that are not bools."""
    text = f"{name} must be a bool; got "
    return [({name: bad}, TYPE(f"{text}{bad!r}")) for bad in (None, 1, 0, "yes", [1])]


SUCH_AS = "optimizer must be settings such as bpcore.SGD(lr=0.1)...; got "
NO_OPTIMIZERS = [
    ("adam", TYPE(SUCH_AS + "'adam'")),
    (0.1, TYPE(SUCH_AS + "0.1")),
    (bp.Adam, TYPE(SUCH_AS + "<class ...Adam'>")),
    ({"lr": 0.1}, TYPE(SUCH_AS + "{'lr': 0.1}")),
    (schedules.Constant(0.1), TYPE(SUCH_AS + "Constant(lr=0.1)")),
]


def fails(*_):
    raise LookupError("of the caller's")


OF_CALLER = Refusal(LookupError, "of the caller's")


def constantly(rate):
    """A schedule that returns it always, with a name for the ids of tests."""

    def schedule(t):
        return rate

    schedule.__qualname__ = f"t -> {rate}"
    return schedule


BAD_RATES = [
    (constantly(-1.0), ValueError, "must be finite and at least 0; got -1.0"),
    (constantly(NAN), ValueError, "must be finite and at least 0; got nan"),
    (constantly("fast"), TypeError, "must be a number; got 'fast'"),
    (constantly(None), TypeError, "must be a number; got None"),
]
AT = "the learning rate at t={} {}"
FIRST_RATES = [(f, Refusal(error, AT.format(0, text))) for f, error, text in BAD_RATES]
IN_0_TO_1 = "y must lie in 0 .. 1 for {}; got values from {}"

ERRORS = [LookupError("of the caller's"), KeyboardInterrupt(), StopIteration()]


def wrong_names(names):
    rows = []
    for argument, pairs in names.items():
        for pair in pairs.split():
            name, _, right = pair.partition(">")
            hint = f"; did you mean {right!r}?" if right else ""
            text = f"{argument}...must be one of ...; got {name!r}{hint}"
            rows.append((argument, name, VALUE(text)))
    return table(rows, "argument, name, refusal")


def mine(y, a):
    return 1.0


FUNCTIONS = "metrics must be names or functions (y, a); got {!r}"
DIFFERENT = "metrics must have different names; got {!r} twice..."
NUMBER = TYPE("metric 'metric' must return a number; got ...")
BAD_METRICS = [
    *(({"metrics": bad}, TYPE(FUNCTIONS.format(bad))) for bad in (5, True)),
    *(({"metrics": ["auc", bad]}, TYPE(FUNCTIONS.format(bad))) for bad in (5, None)),
    ({"metrics": "top_0"}, VALUE("metrics must be one of ...; got 'top_0'...")),
    ({"metrics": ""}, VALUE("metrics must be one of accuracy, ...; got ''")),
    ({"metrics": {"mine": mine}}, VALUE("metrics must be one of ...; got 'mine'")),
    ({"metrics": ["accuracy", "acc"]}, VALUE(DIFFERENT.format("accuracy"))),
    ({"metrics": [lambda y, a: 1, lambda y, a: 2]}, VALUE(DIFFERENT.format("metric"))),
]
#: Refused only when they are called.
BAD_ANSWERS_OF_METRICS = [
    *(({"metrics": lambda y, a, bad=bad: bad}, NUMBER) for bad in (None, "x", 1j, [1])),
    ({"metrics": lambda y, a: 10**400}, NUMBER),
    ({"metrics": lambda y, a: a}, NUMBER),
    ({"metrics": lambda y: 1}, TYPE("...takes 1 positional argument...")),
    ({"metrics": fails}, OF_CALLER),
]


def generator(*items):
    yield from items


ROWS = "X must have shape (n, 3) with n at least 1; got "
BATCHES = (
    "batch_size must leave at least 2 rows in every mini-batch for batch norm; "
    "{} rows in mini-batches of {} leave 1"
)
FINITE = "{} must be finite in float32; got {}"


def pair(Network):
    return [made(Network, rng=seed) for seed in range(2)]
