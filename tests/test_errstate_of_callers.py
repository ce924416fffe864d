"""Functions of the caller run under the caller's np.errstate."""

import itertools
import pickle
import subprocess
import sys
import textwrap
from functools import partial

import numpy as np
import pytest

import bpcore as bp
from bpcore import reference, schedules
from bpcore.errstate import callers_errstate, own_errstate
from bpcore.optimizers import LBFGS
from helpers import each_library, reporting
from helpers.interrupts import Interrupts

ONES = np.ones((4, 2))


def seen(call):
    """What np.geterr gives in a function of the user's, and around the call."""
    states = []
    with np.errstate(divide="call", over="raise", under="warn", invalid="print"):
        call(lambda *_: states.append(np.geterr()))
        states.append(np.geterr())
    assert len(states) > 1
    return states


def loss_of(look, Network, by_graph, **how):
    def loss(a, y):
        look()
        if by_graph:
            return ((a - y) ** 2).mean()
        return ((a - y) ** 2).sum(1), 2 * (a - y)

    net = Network([2, 1], loss=loss, rng=0, **how)
    net.train_step(ONES, ONES[:, 1])
    net.evaluate(ONES, ONES[:, 1])
    return net


USERS_FUNCTIONS = {
    "loss": lambda look, Network: loss_of(look, Network, False),
    "loss by graph": lambda look, Network: loss_of(look, Network, True),
    "loss with LBFGS": lambda look, Network: Network(
        [2, 1],
        rng=0,
        optimizer=LBFGS(),
        loss=lambda a, y: (look(), ((a - y) ** 2).mean())[1],
    ).fit(ONES, ONES[:, :1], epochs=2, progress=False),
    "metric": lambda look, Network: Network([2, 1], rng=0).evaluate(
        ONES, ONES[:, 1], metrics=lambda y, a: look() or 1.0
    ),
    "Metric": lambda look, Network: Network([2, 1], rng=0).evaluate(
        ONES,
        ONES[:, 1],
        metrics=bp.metrics.Metric("mine", lambda y, a, w: look() or 1.0),
    ),
    "callback": lambda look, Network: Network([2, 1], rng=0).fit(
        ONES, ONES[:, 1], callbacks=[look], progress=False
    ),
    "batch callback": lambda look, Network: Network([2, 1], rng=0).fit(
        ONES, ONES[:, 1], batch_callbacks=[look], progress=False
    ),
    "callback of LBFGS": lambda look, Network: Network(
        [2, 1], rng=0, optimizer=LBFGS()
    ).fit(ONES, ONES[:, 1], epochs=2, callbacks=[look], progress=False),
    "stream": lambda look, Network: Network([2, 1], rng=0).fit(
        ((look(), (ONES, ONES[:, :1]))[1] for _ in range(2)), epochs=1, progress=False
    ),
    "schedule": lambda look, Network: Network(
        [2, 1], optimizer=bp.SGD(lr=schedules.Custom(lambda t: look() or 0.1)), rng=0
    ).fit(ONES, ONES[:, 1], epochs=2, progress=False),
    "schedule of steps": lambda look, Network: scheduled(Network, look, "step").fit(
        ONES, ONES[:, 1], epochs=2, progress=False
    ),
    "schedule, astype": lambda look, Network: scheduled(Network, look).astype(
        "float64"
    ),
    "schedule, check_gradients": lambda look, Network: bp.check_gradients(
        scheduled(Network, look), ONES, ONES[:, 1]
    ),
    "schedule, numerical": lambda look, Network: scheduled(Network, look, "step").fit(
        ONES, ONES[:, 1], epochs=2, gradient="numerical", progress=False
    ),
    "numerical": lambda look, Network: bp.numerical_gradient(
        lambda x: look() or float(x.sum()), [1.0, 2.0]
    ),
    "array": lambda look, Network: Network([2, 1], rng=0).predict(Array(look)),
}


def scheduled(Network, look, per="epoch"):
    lr = schedules.WarmUp(schedules.Custom(lambda t: look() or 0.1, per=per), 2)
    return Network([2, 1], optimizer=bp.SGD(lr=lr), rng=0)


class Array:
    def __init__(self, look):
        self.look = look

    def __array__(self, dtype=None, copy=None):
        self.look()
        return ONES


@each_library
@pytest.mark.parametrize("name", USERS_FUNCTIONS)
def test_functions_of_the_user_see_their_own_errstate(name, Network):
    states = seen(lambda look: USERS_FUNCTIONS[name](look, Network))
    assert states == [states[-1]] * len(states)


@each_library
@pytest.mark.parametrize("name", USERS_FUNCTIONS)
def test_what_functions_of_the_user_set_stays_set(name, Network):
    """As without the library, with the function of np.errstate(call=...) too."""
    states = []

    def look(*_):
        states.append((np.geterr(), np.geterrcall()))
        np.seterr(under="raise" if len(states) % 2 else "ignore", over="call")
        np.seterrcall(reporting)

    with np.errstate(all="ignore"):
        USERS_FUNCTIONS[name](look, Network)
        last = np.geterr(), np.geterrcall()
    assert states
    if name == "array":  # NumPy calls it, under what it will
        return
    for i, (how, call) in enumerate([*states[1:], last], 1):
        assert (how["under"], how["over"]) == ("raise" if i % 2 else "ignore", "call")
        assert call is reporting


def test_calls_within_calls():
    @own_errstate
    def inner(f):
        with callers_errstate():
            return f()

    @own_errstate
    def outer(f):
        return np.geterr()["over"], inner(f), np.geterr()["over"]

    with np.errstate(over="raise"):
        assert outer(lambda: np.geterr()["over"]) == ("ignore", "raise", "ignore")
        nested = outer(lambda: outer(lambda: np.geterr()["over"]))
        assert nested[1] == ("ignore", "raise", "ignore")
        with pytest.raises(ZeroDivisionError):
            outer(lambda: 1 / 0)
        assert np.geterr()["over"] == "raise"
    with callers_errstate():  # outside of all of them
        assert np.geterr()["over"] == "warn"


def test_pickled_functions():
    """Decorated functions are still found by their names."""
    assert pickle.loads(pickle.dumps(reference.activate)) is reference.activate


PROGRAM = """
import sys
import warnings
import numpy as np
np.seterr(all="raise")
warnings.simplefilter("error")
import bpcore as bp

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4)) * 10.0 ** rng.integers(-200, 1, size=(60, 1))
y = (X[:, 0] > 0).astype(int)
for Network in (bp.Network, bp.reference.Network):
    net = Network([4, 8, 2], loss="cross_entropy", rng=0, optimizer=bp.Adam(1e-2))
    net.fit(X, y, epochs=3, validation=0.2, class_weight="balanced",
            metrics=["auc", "f1"], progress=Network is bp.Network)
    net.evaluate(X, y, metrics=["log_loss", "brier"])
    str(bp.trace(net, X, y))
    bp.check_gradients(net, X[:5], y[:5])
bp.fit_many([bp.Network([4, 3, 2], loss="cross_entropy", rng=i) for i in range(4)],
            X, y, epochs=2)
x = bp.graph.Variable([-1e4, 0.0, 1e4])
(bp.graph.exp(x) / x).sum().backward()
print("done")
"""


def test_a_program_that_has_set_all_to_raise():
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == "done\n", found.stderr


REFERENCE = bp.reference.Network([2, 1], rng=0)
CALLS = {
    "predict": lambda net: net.predict([[1.0, 2.0]]),
    "evaluate": lambda net: net.evaluate([[1.0, 2.0]], [[1.0]], metrics="mae"),
    "optimizer": lambda net: setattr(net, "optimizer", bp.SGD(0.1, momentum=0.9)),
    "fit": lambda net: net.fit([[1.0, 2.0]], [[1.0]], epochs=1, progress=False),
    "reference": lambda net: REFERENCE.predict([1.0, 2.0]),
}


@pytest.mark.parametrize("name", CALLS)
def test_an_interrupt_at_any_line_leaves_the_callers_settings(name):
    net = bp.Network([2, 3, 1], optimizer=bp.Adam(), rng=0)
    for number in itertools.count(1):
        interrupts = Interrupts(number, within=("bpcore", "numpy"))
        with np.errstate(over="call", divide="raise"):
            settings = np.geterr()
            goes_on = interrupts.call(partial(CALLS[name], net))
            assert np.geterr() == settings, number
        if not goes_on:
            break
    assert number > 5
