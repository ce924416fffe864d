"""Settings of training: refused whole, in plain words, before anything has changed.

Every row of the tables is something wrong, the error that it must raise, and the whole
of its message, in which "..." stands for anything.  What is refused must leave all that
training changes as it was, in every network that had a part in it.
"""

import math
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules

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


@pytest.fixture(params=[bp.Network, bp.reference.Network], ids=["compiled", "plain"])
def Network(request):
    return request.param


def made(Network, loss="cross_entropy", n_out=2, sizes=(3, 4), **settings):
    """A network that has learnt a little, so that its state is not the first one."""
    settings = {"optimizer": bp.SGD(0.1, momentum=0.9), "rng": 0, **settings}
    net = Network([*sizes, n_out], loss=loss, **settings)
    if net._design.trains and not isinstance(net.optimizer, bp.LBFGS):
        net.train_step(np.resize(X, (6, sizes[0])), right(net))
    return net


def right(net):
    """Targets that the network takes."""
    y = TARGETS[:, : net.sizes[-1]]
    return 2 * y - 1 if net.loss == "hinge" else y


def everything(net):
    """All that training changes, and the settings, as bytes."""
    state = net.__getstate__()
    # Functions may be among these.
    settings = repr((state.pop("_design"), state.pop("_optimizer")))
    data = X, LABELS, TARGETS, MANY
    return pickle.dumps((state, settings, net._accumulate, net._engine.lr, data))


def says(text):
    """A pattern for the whole of a message, in which "..." stands for anything."""
    return "(?s)^" + re.escape(text).replace(r"\.\.\.", ".*") + r"\Z"


def assert_refused(call, error, text, *nets):
    before = [everything(net) for net in nets]
    with pytest.raises(error, match=says(text)):
        call()
    assert [everything(net) for net in nets] == before


def short(value):
    name = getattr(value, "__qualname__", str(value))
    text = re.sub(r" at 0x[0-9a-f]+|array\(|\s+", " ", name).strip()
    return text if len(text) < 50 else f"{text[:47]}..."


def table(rows, names="bad, error, text"):
    """Parametrize by rows that begin with what is wrong."""
    columns = len(names.split(","))
    ids = [" ".join(map(short, row[: columns - 2])) for row in rows]
    return pytest.mark.parametrize(names, rows, ids=ids)


def named(calls):
    """Parametrize by a dict of calls."""
    return pytest.mark.parametrize("call", calls.values(), ids=list(calls))


# --- optimizers -----------------------------------------------------------------------

AT_LEAST_0, ABOVE_0 = "finite and at least 0", "finite and above 0"
SHARE = "at least 0 and below 1"
OUTSIDE = {
    AT_LEAST_0: (-0.1, NAN, INF, -INF, 10**400),
    ABOVE_0: (0, -0.1, NAN, INF),
    SHARE: (-0.1, 1, 1.5, NAN, INF),
    "above 0 and below 1": (0, -0.1, 1, 1.5, NAN, INF),
    "at least 0 and at most 1": (-0.1, 1.5, NAN, INF),
    "finite and above 1": (1, 0.5, 0, -0.1, NAN, INF),
}
NO_NUMBERS = (True, np.True_, "0.1", 0.1j, [0.1], np.array([0.1]))
OF_ALL = {
    "weight_decay": AT_LEAST_0,
    "l1": AT_LEAST_0,
    "clip_value": ABOVE_0,
    "clip_norm": ABOVE_0,
    "max_norm": ABOVE_0,
}
RATE = {"lr": AT_LEAST_0}
BETAS = {**RATE, "beta1": SHARE, "beta2": SHARE}
ADAM = {**BETAS, "eps": ABOVE_0}
OWN = {
    bp.SGD: {**RATE, "momentum": SHARE, "dampening": "at least 0 and at most 1"},
    bp.Momentum: {**RATE, "alpha": SHARE},
    bp.RMSprop: {**RATE, "alpha": SHARE, "eps": ABOVE_0, "momentum": SHARE},
    bp.Adagrad: {
        **RATE,
        "lr_decay": AT_LEAST_0,
        "initial_accumulator": AT_LEAST_0,
        "eps": ABOVE_0,
    },
    bp.Adam: ADAM,
    bp.AdamW: ADAM,
    bp.AMSGrad: ADAM,
    bp.Nadam: {**ADAM, "momentum_decay": AT_LEAST_0},
    bp.Adamax: ADAM,
    bp.RAdam: ADAM,
    bp.Lion: BETAS,
    bp.Rprop: {
        **RATE,
        "shrink": "above 0 and below 1",
        "grow": "finite and above 1",
        "least": ABOVE_0,
        "most": ABOVE_0,
    },
    bp.LBFGS: {"tolerance": AT_LEAST_0},
}
NUMBERS = [
    (optimizer, name, span)
    for optimizer, own in OWN.items()
    for name, span in {**OF_ALL, **own}.items()
]
FLAGS = {bp.SGD: ["nesterov"], bp.RMSprop: ["centered"]}
NO_FLAGS = (1, 0, 0.5, None, "yes")

number = pytest.mark.parametrize(
    "optimizer, setting, span",
    NUMBERS,
    ids=[f"{optimizer.__name__}-{name}" for optimizer, name, _ in NUMBERS],
)


@pytest.mark.parametrize("optimizer", OWN)
def test_the_tables_have_every_setting(optimizer):
    known = {*OF_ALL, *OWN[optimizer], *FLAGS.get(optimizer, []), "decoupled", "biases"}
    whole = {"history"} if optimizer is bp.LBFGS else set()
    assert known | whole == {f.name for f in fields(optimizer) if f.init}
    assert {getattr(bp, name) for name in bp.__all__ if name in EVERY_OPTIMIZER} == {
        *OWN
    }


EVERY_OPTIMIZER = {
    name
    for name in bp.__all__
    if isinstance(getattr(bp, name), type)
    and issubclass(getattr(bp, name), bp.Optimizer)
    and name != "Optimizer"
}


@number
def test_setting_of_an_optimizer_outside_its_range(optimizer, setting, span):
    for bad in OUTSIDE[span]:
        got = INF if bad == 10**400 else float(bad)
        text = f"{setting} must be {span}; got {got}"
        assert_refused(lambda bad=bad: optimizer(**{setting: bad}), ValueError, text)


@number
def test_setting_of_an_optimizer_that_is_no_number(optimizer, setting, span):
    may_be_none = {f.name: f.default for f in fields(optimizer)}[setting] is None
    for bad in NO_NUMBERS + (() if may_be_none else (None,)):
        text = f"{setting} must be a number...; got {bad!r}"
        assert_refused(lambda bad=bad: optimizer(**{setting: bad}), TypeError, text)


@number
def test_setting_of_the_biases_outside_its_range(optimizer, setting, span):
    if (
        setting == "lr"
        or {f.name: f.default for f in fields(optimizer)}[setting] is None
    ):
        return  # all parameters share these
    for bad in OUTSIDE[span]:
        got = INF if bad == 10**400 else float(bad)
        text = f"biases[{setting!r}] must be {span}; got {got}"
        call = lambda bad=bad: optimizer(biases={setting: bad})  # noqa: E731
        assert_refused(call, ValueError, text)
    for bad in (*NO_NUMBERS, None):
        text = f"biases[{setting!r}] must be a number; got {bad!r}"
        call = lambda bad=bad: optimizer(biases={setting: bad})  # noqa: E731
        assert_refused(call, TypeError, text)


@pytest.mark.parametrize("optimizer", OWN)
def test_flag_of_an_optimizer_that_is_none(optimizer):
    for flag in ("decoupled", *FLAGS.get(optimizer, ())):
        for bad in NO_FLAGS:
            call = lambda flag=flag, bad=bad: optimizer(**{flag: bad})  # noqa: E731
            assert_refused(call, TypeError, f"{flag} must be a bool; got {bad!r}")


OF_BIASES = "a setting in biases must be one of weight_decay, l1, momentum, ...; got "
NO_MAPPING = "biases must be a mapping such as {'weight_decay': 0.0}; got "
BAD_OPTIMIZERS = [
    (
        bp.SGD,
        {"nesterov": True},
        ValueError,
        "nesterov=True needs momentum above 0; ...",
    ),
    (
        bp.SGD,
        {"nesterov": True, "momentum": 0.9, "dampening": 0.5},
        *(ValueError, "nesterov=True needs dampening=0.0; got dampening=0.5"),
    ),
    (bp.Adam, {"beta3": 0.9}, TypeError, "...unexpected keyword argument 'beta3'..."),
    (
        bp.Rprop,
        {"least": 1, "most": 0.1},
        *(ValueError, "least must be at most `most`, 0.1; got 1.0"),
    ),
    (
        bp.Rprop,
        {"lr": schedules.Constant(0.1)},
        *(TypeError, "lr of Rprop must be a number: it is used once, at first..."),
    ),
    (bp.Rprop, {"lr": len}, TypeError, "lr of Rprop must be a number: ..."),
    (bp.LBFGS, {"lr": 0.1}, TypeError, "...unexpected keyword argument 'lr'..."),
    (bp.LBFGS, {"l1": 0.1}, ValueError, "LBFGS has no l1; got 0.1"),
    (bp.LBFGS, {"clip_value": 1}, ValueError, "LBFGS has no clip_value; got 1.0"),
    (bp.LBFGS, {"clip_norm": 1}, ValueError, "LBFGS has no clip_norm; got 1.0"),
    (bp.LBFGS, {"max_norm": 1}, ValueError, "LBFGS has no max_norm; got 1.0"),
    (bp.LBFGS, {"decoupled": True}, ValueError, "LBFGS has no decoupled; got True"),
    (bp.LBFGS, {"biases": {"l1": 1}}, ValueError, "...has no...l1...; got 1..."),
    (
        bp.LBFGS,
        {"biases": {"lr_factor": 0.5}},
        *(ValueError, "...lr_factor...; got ..."),
    ),
    (bp.LBFGS, {"biases": {"tolerance": 1}}, ValueError, "...tolerance...; got ..."),
    *(
        (
            bp.LBFGS,
            {"history": bad},
            error,
            f"history must be a whole number ...; got {bad!r}",
        )
        for bad, error in (
            (0, ValueError),
            (-1, ValueError),
            (True, ValueError),
            (1.5, TypeError),
            ("9", TypeError),
            (None, TypeError),
        )
    ),
    *(
        (bp.SGD, {"biases": bad}, TypeError, NO_MAPPING + got)
        for bad, got in (
            (None, "NoneType"),
            (0.5, "float"),
            ("lr", "str"),
            (["l1"], "list"),
            ({"l1"}, "set"),
            (("l1",), "tuple"),
            ((("l1", 0, 1),), "tuple"),
        )
    ),
    *(
        (bp.SGD, {"biases": {bad: 0.5}}, ValueError, f"{OF_BIASES}{bad!r}{hint}")
        for bad, hint in (
            ("momentun", "; did you mean 'momentum'?"),
            ("weightdecay", "; did you mean 'weight_decay'?"),
            ("lrfactor", "; did you mean 'lr_factor'?"),
            ("alpha", ""),
            ("clip_norm", ""),
            ("lr", "..."),
            ("biases", ""),
            (1, "..."),
            (None, "..."),
        )
    ),
    (bp.SGD, {"biases": {1: 0, "a": 1}}, ValueError, OF_BIASES + "..."),
    (
        bp.Adam,
        {"biases": {"momentum": 0.5}},
        *(ValueError, "a setting in biases must be one of ..., beta1, ...'momentum'"),
    ),
    *(
        (
            bp.Adam,
            {"biases": {"lr_factor": bad}},
            error,
            f"biases['lr_factor'] must be {text}",
        )
        for bad, error, text in (
            (-1, ValueError, "finite and at least 0; got -1.0"),
            (NAN, ValueError, "finite and at least 0; got nan"),
            (True, TypeError, "a number; got True"),
            (None, TypeError, "a number; got None"),
            ("1", TypeError, "a number; got '1'"),
        )
    ),
]


@table(BAD_OPTIMIZERS, "optimizer, bad, error, text")
def test_bad_settings_of_an_optimizer(optimizer, bad, error, text):
    assert_refused(lambda: optimizer(**bad), error, text)


class Unknown(bp.Optimizer):
    """Settings without a rule."""


@pytest.mark.parametrize("kind", [bp.Optimizer, Unknown])
def test_settings_without_a_rule(Network, kind):
    net, text = made(Network), f"...{kind.__name__}..."
    assert_refused(lambda: setattr(net, "optimizer", kind(0.1)), TypeError, text, net)
    assert_refused(lambda: Network([3, 2], optimizer=kind(0.1)), TypeError, text)


SUCH_AS = "optimizer must be settings such as bpcore.SGD(lr=0.1); got "
NO_OPTIMIZERS = [
    ("adam", TypeError, SUCH_AS + "'adam'"),
    (0.1, TypeError, SUCH_AS + "0.1"),
    (bp.Adam, TypeError, SUCH_AS + "<class ...Adam'>"),
    ({"lr": 0.1}, TypeError, SUCH_AS + "{'lr': 0.1}"),
    (schedules.Constant(0.1), TypeError, SUCH_AS + "Constant(lr=0.1)"),
]


@table([*NO_OPTIMIZERS, (None, TypeError, SUCH_AS + "None")])
def test_no_optimizer(Network, bad, error, text):
    net = made(Network)
    assert_refused(lambda: setattr(net, "optimizer", bad), error, text, net)


def fails(_):
    raise LookupError("of the caller's")


RATE_AT_0 = "the learning rate at t=0 must be "
BAD_RATES = [
    (lambda _: -1.0, ValueError, RATE_AT_0 + "finite and at least 0; got -1.0"),
    (lambda _: NAN, ValueError, RATE_AT_0 + "finite and at least 0; got nan"),
    (lambda _: "fast", TypeError, RATE_AT_0 + "a number; got 'fast'"),
    (lambda _: None, TypeError, RATE_AT_0 + "a number; got None"),
    (fails, LookupError, "of the caller's"),
]


@table(BAD_RATES)
def test_schedule_whose_first_rate_is_none(Network, bad, error, text):
    net = made(Network)
    assert_refused(lambda: setattr(net, "optimizer", bp.Adam(bad)), error, text, net)


@table(BAD_RATES)
def test_schedule_that_goes_wrong_later(Network, bad, error, text):
    net, twin = (
        made(Network, optimizer=bp.SGD(lambda t: 0.1 if t < 2 else bad(t)))
        for _ in range(2)
    )
    with pytest.raises(error, match=says(text.replace("t=0", "t=2"))):
        net.fit(*DATA, epochs=5, progress=False)
    twin.fit(*DATA, epochs=2, progress=False)
    assert np.array_equal(net.parameters, twin.parameters)
    assert_refused(
        lambda: net.train_step(*DATA), error, text.replace("t=0", "t=2"), net
    )
    net.optimizer = bp.SGD(0.1)
    assert np.isfinite(net.train_step(*DATA))


@pytest.mark.parametrize("monitor", ["acuracy", "validation_loss", "auc", "seconds "])
@pytest.mark.parametrize("warm_up", [False, True])
def test_plateau_of_something_that_is_not_measured(Network, monitor, warm_up):
    lr = schedules.ReduceOnPlateau(0.1, monitor=monitor)
    net = made(Network, optimizer=bp.SGD(schedules.WarmUp(lr, 1) if warm_up else lr))
    text = f"monitor ...must be one of loss, ...accuracy...; got {monitor!r}..."
    fit = lambda: net.fit(*DATA, metrics="accuracy", progress=False)  # noqa: E731
    assert_refused(fit, ValueError, text, net)


# --- losses ---------------------------------------------------------------------------

OF_LOSSES = {
    bp.Huber: ("delta", ABOVE_0),
    bp.Quantile: ("q", "above 0 and below 1"),
    bp.CrossEntropy: ("label_smoothing", SHARE),
}


@pytest.mark.parametrize("loss", OF_LOSSES)
def test_bad_setting_of_a_loss(loss):
    setting, span = OF_LOSSES[loss]
    for bad in OUTSIDE[span]:
        text = f"{setting} must be {span}; got {float(bad)}"
        assert_refused(lambda bad=bad: loss(bad), ValueError, text)
    for bad in (*NO_NUMBERS, None):
        text = f"{setting} must be a number; got {bad!r}"
        assert_refused(lambda bad=bad: loss(bad), TypeError, text)


BAD_TARGETS = [
    ("hinge", ONE, ValueError, "y must be -1 or 1 for hinge; got 0.0"),
    ("hinge", 2 * ONE - 2, ValueError, "y must be -1 or 1 for hinge; got ..."),
    ("hinge", TARGETS - 0.5, ValueError, "y must be -1 or 1 for hinge; got ..."),
    ("hinge", NAN * ONE, ValueError, "y must be finite in float32; got nan at [0, 0]"),
    (
        *("poisson", -ONE, ValueError),
        "y must be at least 0 for poisson; got values from -1.0 to -0.0",
    ),
    (
        "poisson",
        INF + ONE,
        ValueError,
        "y must be finite in float32; got inf at [0, 0]",
    ),
    (
        *(bp.CrossEntropy(0.1), 2 * TARGETS, ValueError),
        "y must lie in 0 .. 1 for cross_entropy; got values from 0.0 to 2.0",
    ),
    (
        *(bp.CrossEntropy(0.1), LABELS + 1, ValueError),
        "y must hold labels in 0 .. 1; got 2",
    ),
    (
        *("kl_divergence", -TARGETS, ValueError),
        "y must lie in 0 .. 1 for kl_divergence; got values from -1.0 to -0.0",
    ),
    *(
        (
            loss,
            LABELS,
            ValueError,
            "y must have shape (6, 2) (labels need ...; got (6,)",
        )
        for loss in ("huber", "poisson", "hinge", "log_cosh", "kl_divergence")
    ),
]
TAKES_Y = {
    "fit": lambda net, y: net.fit(X, y, **QUIET),
    "validation": lambda net, y: net.fit(X, right(net), validation=(X, y), **QUIET),
    "stream": lambda net, y: net.fit([(X, y)], **QUIET),
    "partial_fit": lambda net, y: net.partial_fit(X, y),
    "train_step": lambda net, y: net.train_step(X, y),
    "gradients": lambda net, y: net.gradients(X, y),
    "evaluate": lambda net, y: net.evaluate(X, y),
    "check_gradients": lambda net, y: bp.check_gradients(net, X, y),
    "fit_many": lambda net, y: bp.fit_many([net], X, y),
}


@pytest.mark.parametrize("name", TAKES_Y)
@table(BAD_TARGETS, "loss, bad, error, text")
def test_targets_that_a_loss_does_not_take(Network, name, loss, bad, error, text):
    net = made(Network, loss, 2 if bad.ndim == 1 else bad.shape[1])
    of = {"validation": "validation ", "stream": "mini-batch 1: "}.get(name, "")
    assert_refused(lambda: TAKES_Y[name](net, bad), error, of + text, net)


# --- a loss of one's own --------------------------------------------------------------


def square(a, y):
    """The squared error."""
    return ((a - y) ** 2).sum(axis=1) / 2, a - y


class Turning:
    """A loss that is right, until it is told to do something else."""

    def __init__(self):
        self.answer = square

    def __call__(self, a, y):
        return self.answer(a, y)


def turning(Network, answer=None, **settings):
    """A network with such a loss that has learnt, and does something else now."""
    net = made(Network, Turning(), **settings)
    net.loss.answer = answer or square
    return net


MUST = "loss(a, y) must return "
PAIR = MUST + "(values per sample, d value / d a); got "
ARRAYS = MUST + "arrays of shapes (6,) and (6, 2); got "
REAL = MUST + "...real numbers...; got ..."
BAD_ANSWERS = [
    (lambda a, y: None, TypeError, PAIR + "NoneType"),
    (lambda a, y: 0.5, TypeError, PAIR + "float"),
    (lambda a, y: a, TypeError, PAIR + "ndarray"),
    (lambda a, y: [*square(a, y)], TypeError, PAIR + "list"),
    (lambda a, y: (*square(a, y), 0), TypeError, PAIR + "...tuple..."),
    (lambda a, y: (), TypeError, PAIR + "...tuple..."),
    (lambda a, y: (0.5, a), ValueError, ARRAYS + "() and (6, 2)"),
    (lambda a, y: (a, a), ValueError, ARRAYS + "(6, 2) and (6, 2)"),
    (lambda a, y: (a[:, :1], a), ValueError, ARRAYS + "(6, 1) and (6, 2)"),
    (lambda a, y: (a[1:, 0], a), ValueError, ARRAYS + "(5,) and (6, 2)"),
    (lambda a, y: (a[:, 0], a[:, 0]), ValueError, ARRAYS + "(6,) and (6,)"),
    (lambda a, y: (a[:, 0], a.T), ValueError, ARRAYS + "(6,) and (2, 6)"),
    (lambda a, y: (a[:, 0], 1.0), ValueError, ARRAYS + "(6,) and ()"),
    (lambda a, y: ("E", a), (TypeError, ValueError), REAL),
    (lambda a, y: (a[:, 0], "delta"), (TypeError, ValueError), REAL),
    (lambda a, y: (None, None), (TypeError, ValueError), MUST + "...; got ..."),
    (lambda a, y: (a[:, 0] * 1j, a), (TypeError, ValueError), REAL),
    (lambda a, y: (a[:, 0], a * 1j), (TypeError, ValueError), REAL),
    (lambda a, y: ([1, [2, 3]], a), (TypeError, ValueError), MUST + "...; got ..."),
    (lambda a: a, TypeError, "...takes 1 positional argument but 2 were given"),
    (lambda a, y: a @ y, ValueError, "matmul: ..."),
]
ASKS = {
    "fit": lambda net: net.fit(X, TARGETS, **IN_ORDER),
    "accumulate": lambda net: net.fit(X, TARGETS, accumulate=2, **IN_ORDER),
    "stream": lambda net: net.fit([(X, TARGETS)], **QUIET),
    "fit_many": lambda net: bp.fit_many([net], X, TARGETS, **IN_ORDER),
    "train_step": lambda net: net.train_step(X, TARGETS),
    "gradients": lambda net: net.gradients(X, TARGETS),
    "evaluate": lambda net: net.evaluate(X, TARGETS),
    "check_gradients": lambda net: bp.check_gradients(net, X, TARGETS),
}


@named(ASKS)
@table(BAD_ANSWERS)
def test_bad_answer_of_a_loss(Network, call, bad, error, text):
    net, other = turning(Network, bad), turning(Network)
    assert_refused(lambda: call(net), error, text, net)
    assert_goes_on_as(other, net)


def assert_goes_on_as(other, net):
    """The same bits as if nothing had happened."""
    net.loss.answer = square
    for each in (net, other):
        each.fit(X, TARGETS, epochs=2, batch_size=4, **QUIET)
    assert np.array_equal(net.parameters, other.parameters)
    assert net._bits.state == other._bits.state


class Failing:
    """A right answer some times, then an error for good."""

    def __init__(self, error, times=0):
        self.error, self.times, self.calls = error, times, 0

    def __call__(self, a, y):
        self.calls += 1
        if self.calls > self.times:
            raise self.error
        return square(a, y)


ERRORS = [LookupError("of the caller's"), KeyboardInterrupt(), StopIteration()]


@named({**ASKS, "learn_one": lambda net: net.learn_one(X[0], TARGETS[0])})
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_in_a_loss_arrives_as_it_is(Network, call, error):
    net, other = turning(Network, Failing(error)), turning(Network)
    before = everything(net)
    with pytest.raises(type(error)) as caught:
        call(net)
    assert caught.value is error
    assert everything(net) == before
    assert_goes_on_as(other, net)


def test_an_error_in_a_loss_among_several_threads():
    net, other = turning(bp.Network), turning(bp.Network)
    for each in (net, other):
        each._engine.use_threads(3, 1)
    net.loss.answer = Failing(ERRORS[0])
    before = everything(net)
    for _ in range(5):
        for call in (net.train_step, net.gradients, net.evaluate):
            with pytest.raises(LookupError):
                call(*MANY)
    assert everything(net) == before
    assert_goes_on_as(other, net)


@pytest.mark.parametrize("rows", [6, 600])
def test_a_loss_that_fails_is_not_asked_again(Network, rows):
    for times in range(2 if rows == 600 else 1):
        error = LookupError("the first")
        net = turning(Network, Failing(error, times))
        with pytest.raises(LookupError) as caught:
            net.evaluate(*(array[:rows] for array in MANY))
        assert caught.value is error and net.loss.answer.calls == times + 1


def test_an_error_in_a_later_mini_batch_keeps_the_steps_before(Network):
    error = LookupError("of the caller's")
    net, other = turning(Network, Failing(error, times=3)), turning(Network)
    with pytest.raises(LookupError):
        net.fit(*MANY, batch_size=100, **IN_ORDER)
    for first in (0, 100, 200):
        rows = slice(first, first + 100)
        other.train_step(MANY[0][rows], MANY[1][rows])
    net.loss.answer = square
    assert np.array_equal(net.parameters, other.parameters)
    assert np.array_equal(net._state, other._state)
    assert net._engine.steps == other._engine.steps
    assert net._engine.seen == other._engine.seen
    assert_goes_on_as(other, net)


def test_an_error_while_validating_keeps_the_epoch(Network):
    net, other = turning(Network, Failing(ERRORS[0], times=1)), turning(Network)
    with pytest.raises(LookupError):
        net.fit(X, TARGETS, validation=(X, TARGETS), **QUIET)
    other.fit(X, TARGETS, epochs=1, **QUIET)
    assert np.array_equal(net.parameters, other.parameters)
    assert_goes_on_as(other, net)


@pytest.mark.parametrize("times", range(6))
def test_an_error_while_lbfgs_searches_keeps_an_iterate(Network, times):
    pytest.importorskip("scipy")
    iterates = []
    keep = {"callbacks": [lambda net, _: iterates.append(net.parameters.copy())]}
    net = turning(Network, Failing(ERRORS[0], times), optimizer=bp.LBFGS())
    iterates.append(net.parameters.copy())
    with pytest.raises(LookupError):
        net.fit(X, TARGETS, epochs=9, **keep, **QUIET)
    assert np.array_equal(net.parameters, iterates[-1])
    net.loss.answer = square
    assert net.fit(X, TARGETS, epochs=1, **QUIET).loss.size == 1


def test_a_loss_may_do_what_it_likes_with_its_arguments(Network):
    def spoil(a, y):
        E, d = square(a, y)
        a[...], y[...] = NAN, NAN
        return E, d

    net, other, y = turning(Network, spoil), turning(Network), TARGETS.copy()
    assert net.train_step(X, y) == other.train_step(X, TARGETS)
    assert np.array_equal(y, TARGETS)
    assert np.array_equal(net.parameters, other.parameters)


@named(
    {
        "predict": lambda net: net.predict(X),
        "predict_one": lambda net: net.predict_one(X[0]),
        "evaluate": lambda net: net.evaluate(X, TARGETS),
        "gradients": lambda net: net.gradients(X, TARGETS),
        "forward": lambda net: net.forward(X),
        "train_step": lambda net: net.train_step(X, TARGETS),
        "fit": lambda net: net.fit(X, TARGETS, **QUIET),
        "optimizer": lambda net: setattr(net, "optimizer", bp.Adam()),
    }
)
def test_a_loss_cannot_use_the_network_in_the_middle_of_its_step(call):
    # Their numbers would come to lie where those of the step are.
    net, other = turning(bp.Network), turning(bp.Network)

    def use(a, y):
        net.loss.answer = square  # should it be allowed, then once only
        call(net)
        return square(a, y)

    net.loss.answer = use
    before = everything(net)
    with pytest.raises(RuntimeError, match="this network is in use"):
        net.train_step(X, TARGETS)
    assert everything(net) == before
    assert_goes_on_as(other, net)


# --- names, with the closest right one ------------------------------------------------

WRONG_NAMES = [
    ("activation", "swish", "silu"),
    ("activation", "leakyrelu", "leaky_relu"),
    ("activation", "LeakyReLU", "leaky_relu"),
    ("activation", "gelu_tahn", "gelu_tanh"),
    ("activation", "hardtanh", "hard_tanh"),
    ("activation", "heaviside", "step"),
    ("activation", "soft_plus", "softplus"),
    ("activation", "Selu", "selu"),
    ("activation", "zzz", None),
    ("output", "exponential", "exp"),
    ("output", "linear", "identity"),
    ("output", "sofplus", "softplus"),
    ("output", "zzz", None),
    ("loss", "mae", "mean_absolute_error"),
    ("loss", "l1", "mean_absolute_error"),
    ("loss", "mse", "mean_squared_error"),
    ("loss", "hubber", "huber"),
    ("loss", "smooth_l1", "huber"),
    ("loss", "pinball", "quantile"),
    ("loss", "kl", "kl_divergence"),
    ("loss", "logcosh", "log_cosh"),
    ("loss", "poison", "poisson"),
    ("loss", "Hinge", "hinge"),
    ("loss", "zzz", None),
    ("norm", "batchnorm", "batch"),
    ("norm", "layer_norm", "layer"),
    ("norm", "Batch", "batch"),
    ("norm", "zzz", None),
    ("init", "lecun_norma", "lecun_normal"),
    ("init", "xavier", "glorot_uniform"),
    ("init", "zzz", None),
]
WRONG_NAMES_OF_FIT = [
    ("metrics", "acuracy", "accuracy"),
    ("metrics", "ROC_AUC", "roc_auc"),
    ("metrics", "top5", "top_5"),
    ("metrics", "top_0", "..."),
    ("metrics", "mean_abs_error", "mean_absolute_error"),
    ("metrics", "zzz", None),
    ("monitor", "validation_los", "validation_loss"),
    ("monitor", "acuracy", "accuracy"),
    ("monitor", "zzz", None),
    ("mode", "maximum", "max"),
    ("mode", "Min", "min"),
    ("mode", "zzz", None),
    ("class_weight", "balancd", "balanced"),
    ("class_weight", "zzz", None),
]


def not_one_of(argument, name, closest):
    hint = "" if closest is None else f"; did you mean '{closest}'?"
    return f"{argument} must be one of ...; got {name!r}{hint}"


@pytest.mark.parametrize("argument, name, closest", WRONG_NAMES)
def test_wrong_name_in_a_network(Network, argument, name, closest):
    text = not_one_of(argument, name, closest)
    sequence = argument in ("activation", "norm")
    for bad in (name, [name, "relu"]) if sequence else (name,):
        settings = {"loss": "squared_error", argument: bad}
        call = lambda settings=settings: Network([3, 4, 4, 2], **settings)  # noqa: E731
        assert_refused(call, ValueError, text)


@pytest.mark.parametrize("argument, name, closest", WRONG_NAMES_OF_FIT)
def test_wrong_name_in_a_fit(Network, argument, name, closest):
    net, text = made(Network), not_one_of(argument, name, closest)
    settings = {"metrics": "accuracy", "validation": DATA, **QUIET, argument: name}
    assert_refused(lambda: net.fit(*DATA, **settings), ValueError, text, net)
    if argument in ("metrics", "class_weight"):
        call = lambda: net.evaluate(*DATA, **{argument: name})  # noqa: E731
        assert_refused(call, ValueError, text, net)


# --- what a network is made of --------------------------------------------------------

OF_HIDDEN = "{} must be one value or one for each of the 1 hidden layers; got {}"
BAD_DESIGNS = [
    *(
        ({"dropout": bad}, ValueError, f"dropout must be {SHARE}; got {float(bad)}")
        for bad in OUTSIDE[SHARE]
    ),
    *(
        ({"dropout": bad}, TypeError, f"dropout must be a number; got {bad!r}")
        for bad in (True, "0.5", None)
    ),
    ({"dropout": [0.1, -0.1]}, ValueError, OF_HIDDEN.format("dropout", 2)),
    ({"dropout": []}, ValueError, OF_HIDDEN.format("dropout", 0)),
    ({"dropout": [1.5]}, ValueError, f"dropout must be {SHARE}; got 1.5"),
    ({"dropout": ["a"]}, TypeError, "dropout must be a number; got 'a'"),
    ({"dropout": {0: 0.1}}, TypeError, "dropout must be a number; got {0: 0.1}"),
    *(
        (
            {"input_noise": bad},
            ValueError,
            f"input_noise must be {AT_LEAST_0}; got {got}",
        )
        for bad, got in ((-1, -1.0), (NAN, NAN), (INF, INF), (10**400, INF))
    ),
    *(
        ({"input_noise": bad}, TypeError, f"input_noise must be a number; got {bad!r}")
        for bad in (True, "0.5", None, [0.1])
    ),
    ({"norm": ["batch"] * 2}, ValueError, OF_HIDDEN.format("norm", 2)),
    ({"norm": []}, ValueError, OF_HIDDEN.format("norm", 0)),
    ({"norm": True}, ValueError, "norm must be one of batch, layer; got True"),
    ({"norm": 5}, ValueError, "norm must be one of batch, layer; got 5"),
    ({"norm": [5]}, ValueError, "norm must be one of batch, layer; got 5"),
    ({"norm": ""}, ValueError, "norm must be one of batch, layer; got ''"),
    ({"loss": 5}, (TypeError, ValueError), "loss must be ...; got 5"),
    ({"loss": [square]}, (TypeError, ValueError), "loss must be ...; got [...]"),
    (
        {"loss": bp.Huber},  # would be called with the outputs for its settings
        *((TypeError, ValueError), "loss must be ...; got <class '...Huber'>"),
    ),
    (
        {"loss": "kl_divergence", "output": "sigmoid"},
        *(
            ValueError,
            "output must be softmax with loss 'kl_divergence'; got 'sigmoid'",
        ),
    ),
    (
        {"loss": bp.CrossEntropy(0.1), "output": "tanh"},
        *(ValueError, "output must be softmax with loss 'cross_entropy'; got 'tanh'"),
    ),
    *(({"optimizer": bad}, *rest) for bad, *rest in NO_OPTIMIZERS),
    *(({"optimizer": bp.Adam(bad)}, *rest) for bad, *rest in BAD_RATES),
]


@table(BAD_DESIGNS)
def test_bad_setting_of_a_network(Network, bad, error, text):
    rng = np.random.default_rng(0)
    assert_refused(lambda: Network([3, 4, 2], rng=rng, **bad), error, text)
    # The caller's generator is where it was.
    assert rng.random() == np.random.default_rng(0).random()


@table(
    [
        ({"activation": 5}, ValueError, "activation must be one of ...; got 5"),
        (
            {"activation": ["relu"]},
            ValueError,
            "activation must ... 0 hidden ...; got 1",
        ),
        ({"norm": "zzz"}, ValueError, "norm must be one of batch, layer; got 'zzz'"),
        ({"norm": ["batch"]}, ValueError, "norm must ... 0 hidden ...; got 1"),
        ({"dropout": 7}, ValueError, f"dropout must be {SHARE}; got 7.0"),
        ({"dropout": "a"}, TypeError, "dropout must be a number; got 'a'"),
        ({"dropout": [0.5]}, ValueError, "dropout must ... 0 hidden ...; got 1"),
    ]
)
def test_settings_of_hidden_layers_are_looked_at_where_there_are_none(
    Network, bad, error, text
):
    assert_refused(lambda: Network([3, 2], **bad), error, text)


FACTORS = "lr_factors must be one number for each..."
BOOLS = "frozen must be one bool for each of the 2 layers of weights; got "
BAD_LAYERS = [
    *(
        ("lr_factors", bad, TypeError, f"{FACTORS}; got {bad!r}")
        for bad in (None, True, 0.5, "ab", {0: 1}, np.array(0.5))
    ),
    ("lr_factors", [], ValueError, FACTORS + "2 layers of weights; got 0"),
    ("lr_factors", [1, 1, 1], ValueError, FACTORS + "2 layers of weights; got 3"),
    ("lr_factors", np.ones(3), ValueError, FACTORS + "2 layers of weights; got 3"),
    *(
        (
            "lr_factors",
            [1, bad],
            ValueError,
            f"lr_factors[1] must be {AT_LEAST_0}; got {got}",
        )
        for bad, got in ((-0.5, -0.5), (NAN, NAN), (INF, INF), (10**400, INF))
    ),
    *(
        (
            "lr_factors",
            [bad, 1],
            TypeError,
            f"lr_factors[0] must be a number; got {bad!r}",
        )
        for bad in (None, True, "1", [1.0])
    ),
    (
        "lr_factors",
        np.ones((2, 1)),
        TypeError,
        "lr_factors[0] must be a number; got ...",
    ),
    *(
        ("frozen", bad, TypeError, f"{BOOLS}{bad!r}")
        for bad in (None, True, 1, np.array(True))
    ),
    ("frozen", [], ValueError, BOOLS + "0"),
    ("frozen", [True] * 3, ValueError, BOOLS + "3"),
    ("frozen", np.ones(3, bool), ValueError, BOOLS + "3"),
    *(
        ("frozen", [True, bad], TypeError, f"frozen[1] must be a bool; got {bad!r}")
        for bad in (None, 1, 0.0, "yes", [True])
    ),
    ("frozen", "ab", TypeError, "frozen... must be ... bool...; got ..."),
]


@table(BAD_LAYERS, "setting, bad, error, text")
def test_bad_setting_of_the_layers(Network, setting, bad, error, text):
    net = made(Network)
    net.lr_factors, net.frozen = [0.5, 2.0], [False, True]
    assert_refused(lambda: setattr(net, setting, bad), error, text, net)


@pytest.mark.parametrize(
    "setting, value",
    [
        ("frozen", [True, False]),
        ("lr_factors", [0.5, 1.0]),
        ("optimizer", bp.Adam()),
        ("n_threads", 1),
    ],
)
def test_settings_are_not_changed_while_another_thread_trains(setting, value):
    net = made(bp.Network)
    kept = getattr(net, setting)
    inside, done = threading.Event(), threading.Event()

    def wait(*_):
        inside.set()
        assert done.wait(20)

    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(net.fit, *DATA, epochs=1, callbacks=[wait], **QUIET)
        try:
            assert inside.wait(20)
            with pytest.raises(RuntimeError, match="in use by another thread"):
                setattr(net, setting, value)
            assert getattr(net, setting) == kept
        finally:
            done.set()
        fit.result()


# --- fit ------------------------------------------------------------------------------


def mine(y, a):
    return 1.0


WHOLE = "{} must be a whole number of at least 1; got {!r}"
NOT_DATA = "validation must be (X, y), (X, y, sample_weight) or a fraction; got "
CALLABLES = "{} must be callables; got {}"
BAD_FITS = [
    *(
        ({name: bad}, error, WHOLE.format(name, bad))
        for name in ("epochs", "batch_size", "accumulate", "patience")
        for bad, error in (
            *((0, ValueError), (-3, ValueError), (True, ValueError)),
            *((1.5, TypeError), ("3", TypeError), ([3], TypeError)),
        )
    ),
    ({"epochs": None}, TypeError, WHOLE.format("epochs", None)),
    ({"accumulate": None}, TypeError, WHOLE.format("accumulate", None)),
    *(
        ({name: bad}, TypeError, f"{name} must be a bool; got {bad!r}")
        for name in ("shuffle", "restore_best", "progress")
        for bad in (None, 1, 0, "yes", [True])
    ),
    *(
        ({"min_delta": bad}, ValueError, f"min_delta must be {AT_LEAST_0}; got {got}")
        for bad, got in ((-0.1, -0.1), (NAN, NAN), (INF, INF), (10**400, INF))
    ),
    *(
        ({"min_delta": bad}, TypeError, f"min_delta must be a number; got {bad!r}")
        for bad in (True, "0.1", None, [0.1])
    ),
    *(
        (
            {"monitor": bad},
            ValueError,
            f"monitor must be one of loss...; got {bad!r}...",
        )
        for bad in ("accuracy", "", 5, True, [], {}, "lr", "seconds")
    ),
    (
        {"metrics": [mine], "monitor": "mine"},
        *(ValueError, "mode must be 'min' or 'max' to monitor 'mine'; got 'auto'"),
    ),
    *(
        ({"mode": bad}, ValueError, f"mode must be one of auto, min, max; got {bad!r}")
        for bad in (None, 5, True, "", [])
    ),
    *(
        (
            {"metrics": bad},
            TypeError,
            f"metrics must be names or functions (y, a); got {got!r}",
        )
        for bad, got in ((5, 5), (True, True), (["accuracy", 5], 5), ([None], None))
    ),
    ({"metrics": ""}, ValueError, "metrics must be one of accuracy, ...; got ''"),
    ({"metrics": {"mine": mine}}, ValueError, "metrics must be one of ...; got 'mine'"),
    (
        {"metrics": ["accuracy", "acc"]},
        *(ValueError, "metrics must have different names; got 'accuracy' twice"),
    ),
    (
        {"metrics": [lambda y, a: 1, lambda y, a: 2]},
        *(
            ValueError,
            "metrics must have different names; got 'metric' twice; name ...",
        ),
    ),
    *(
        ({name: bad}, TypeError, f"{name} must be ...callables; got {got}")
        for name in ("callbacks", "batch_callbacks")
        for bad, got in (
            (None, "None"),
            (5, "5"),
            (print, "<built-in function print>"),
            ("ab", "'a'"),
            ([print, 3], "3"),
            ([[print]], "[...]"),
            ({"print": print}, "'print'"),
        )
    ),
    (
        {"steps_per_epoch": 3},
        ValueError,
        "steps_per_epoch needs mini-batches ...for X...",
    ),
]
BAD_VALIDATION = [
    *(
        (bad, ValueError, f"validation must be above 0 and below 1; got {float(bad)}")
        for bad in (0, 0.0, -0.5, 1, 1.0, 2, NAN, INF)
    ),
    *(
        (bad, ValueError, f"validation={bad} must leave at least one of 6 rows on ...")
        for bad in (0.01, 0.99)
    ),
    *(
        (bad, TypeError, NOT_DATA + type(bad).__name__)
        for bad in (True, False, "0.5", X, {"X": X, "y": LABELS}, 0.5j, np.array(0.5))
    ),
    *(
        (bad, ValueError, f"{NOT_DATA}{len(bad)} entries")
        for bad in ((), (X,), (X,) * 4)
    ),
    (
        (X[:, :2], LABELS),
        ValueError,
        "validation X must have shape (n, 3) ...; got (6, 2)",
    ),
    ((X, LABELS[:5]), ValueError, "validation y must have shape (6,) ...; got (5,)"),
    ((X, None), TypeError, "validation y must be given; got None"),
    (
        (X, LABELS, -np.ones(6)),
        ValueError,
        "validation sample_weight must not be neg...",
    ),
]


def refuses_fit(net, bad, error, text, capsys):
    assert_refused(lambda: net.fit(*DATA, **bad), error, text, net)
    assert capsys.readouterr().err == ""  # no bar was begun


@table(BAD_FITS)
def test_bad_setting_of_a_fit(Network, capsys, bad, error, text):
    refuses_fit(made(Network), bad, error, text, capsys)
    # Nor is a share of the rows drawn before all is known to be right.
    refuses_fit(made(Network), {"validation": 0.5, **bad}, error, text, capsys)


@table(BAD_FITS)
def test_bad_setting_of_a_fit_of_many(Network, bad, error, text):
    nets = [made(Network, rng=seed) for seed in range(2)]
    assert_refused(lambda: bp.fit_many(nets, *DATA, **bad), error, text, *nets)


@table(BAD_VALIDATION)
def test_bad_validation(Network, capsys, bad, error, text):
    refuses_fit(made(Network), {"validation": bad}, error, text, capsys)


def test_any_real_number_is_a_share_of_the_rows(Network):
    fits = [
        made(Network).fit(*DATA, validation=share, epochs=2, **QUIET).validation_loss
        for share in (0.5, np.float32(0.5), np.float64(0.5))
    ]
    assert len(fits[0]) == 2
    assert all(np.array_equal(fit, fits[0]) for fit in fits)


def test_numbers_larger_than_any_count_are_taken(Network):
    huge, net, other = 2**70, made(Network), made(Network)
    stop = {"batch_callbacks": [lambda net, *_: net._engine.steps == 9], **QUIET}
    settings = dict.fromkeys(("epochs", "batch_size", "patience"), huge)
    net.fit(*DATA, **settings, **stop)
    net.fit(*DATA, accumulate=huge, epochs=2, **QUIET)
    net.fit(iter([DATA] * 2), steps_per_epoch=huge, epochs=2, **QUIET)
    other.fit(*DATA, epochs=8, **QUIET)
    other.fit(*DATA, accumulate=7, epochs=2, **QUIET)
    other.fit([DATA] * 2, epochs=1, **QUIET)
    assert everything(net) == everything(other)


# --- classes' weights -----------------------------------------------------------------

KEYS = "class_weight must have labels in 0 .. 1 for keys; got "
NOR_ZERO = "class_weight must not be negative...; got "
BAD_CLASS_WEIGHTS = [
    *(
        ({bad: 2.0}, ValueError, f"{KEYS}{bad!r}")
        for bad in (2, -1, 10**30, "0", None, True, np.True_, 0.0, 1.0, 0.5, NAN, (0,))
    ),
    *(
        (
            {1: bad},
            ValueError,
            f"class_weight[1] must be {AT_LEAST_0}; got {float(bad)}",
        )
        for bad in (-1, NAN, INF)
    ),
    *(
        ({0: bad}, TypeError, f"class_weight[0] must be a number; got {bad!r}")
        for bad in (None, "1", True, [1.0])
    ),
    ({0: 0, 1: 0}, ValueError, NOR_ZERO + "values from 0.0 to 0.0"),
    ([0, 0], ValueError, NOR_ZERO + "values from 0.0 to 0.0"),
    ([1, -1], ValueError, NOR_ZERO + "-1.0"),
    ([1, NAN], ValueError, "class_weight must be finite in float64; got nan at [1]"),
    ([1], ValueError, "class_weight must have shape (2,); got (1,)"),
    ([1, 2, 3], ValueError, "class_weight must have shape (2,); got (3,)"),
    (np.ones((2, 1)), ValueError, "class_weight must have shape (2,); got (2, 1)"),
    ([], ValueError, "class_weight must have shape (2,); got (0,)"),
    (0.5, ValueError, "class_weight must have shape (2,); got ()"),
    ([1, None], TypeError, "class_weight must hold real numbers; got dtype object"),
    (["a", "b"], TypeError, "class_weight must hold real numbers; got dtype <U1"),
    ({0, 1}, TypeError, "class_weight must hold real numbers; got set"),
    (b"balanced", TypeError, "class_weight must hold real numbers; got bytes"),
]
WEIGHS = {
    "fit": lambda net, y, w: net.fit(X, y, class_weight=w, **QUIET),
    "share": lambda net, y, w: net.fit(X, y, class_weight=w, validation=0.5, **QUIET),
    "partial_fit": lambda net, y, w: net.partial_fit(X, y, class_weight=w),
    "train_step": lambda net, y, w: net.train_step(X, y, class_weight=w),
    "gradients": lambda net, y, w: net.gradients(X, y, class_weight=w),
    "evaluate": lambda net, y, w: net.evaluate(X, y, class_weight=w),
    "fit_many": lambda net, y, w: bp.fit_many([net], X, y, class_weight=w),
}


@named(WEIGHS)
@table(BAD_CLASS_WEIGHTS)
def test_bad_class_weight(Network, call, bad, error, text):
    for net, y in ((made(Network), LABELS), (made(Network, n_out=1, loss=BCE), ONE)):
        assert_refused(lambda net=net, y=y: call(net, y, bad), error, text, net)


BCE = "binary_cross_entropy"
SIGNS = "class_weight must have labels in -1 .. 1 for keys; got "


@named(WEIGHS)
@pytest.mark.parametrize("bad", [-2, 2, "1", 1.0, -1.0], ids=repr)
def test_bad_class_weight_of_a_hinge(Network, call, bad):
    net = made(Network, "hinge", 1)
    y, weight = right(net), {bad: 2.0}
    assert_refused(lambda: call(net, y, weight), ValueError, SIGNS + repr(bad), net)


@named(WEIGHS)
@pytest.mark.parametrize(
    "loss", ["squared_error", "huber", "quantile", "poisson", "kl_divergence"]
)
@pytest.mark.parametrize("weight", ["balanced", [1.0, 2.0], {0: 2.0}], ids=str)
def test_class_weight_of_what_are_no_classes(Network, call, loss, weight):
    net = made(Network, loss)
    text = f"class_weight needs targets that are classes, not {loss}'s..."
    assert_refused(lambda: call(net, TARGETS, weight), ValueError, text, net)


def test_validation_data_of_weightless_classes_alone(Network):
    net = made(Network)
    validation = X[:1], LABELS[:1]
    settings = {"class_weight": {0: 0.0}, "validation": validation, **QUIET}
    text = "validation class_weight must not be negative nor all zero; got ..."
    assert_refused(lambda: net.fit(*DATA, **settings), ValueError, text, net)


# --- mini-batches from an iterable ----------------------------------------------------


def generator(*items):
    yield from items


def frame():
    return pytest.importorskip("pandas").DataFrame(X)


ITEM = "mini-batch {}: it must be (X, y) or (X, y, sample_weight); got "
FIRST = ITEM.format(1)
GIVEN = "y must be given...; got None"
ROWS = "X must have shape (n, 3) with n at least 1; got "
BAD_STREAMS = {
    "array": (lambda: X, TypeError, GIVEN),
    "data frame": (frame, TypeError, GIVEN),
    "None": (lambda: None, TypeError, "X must hold real numbers; got NoneType"),
    "number": (lambda: 5, (TypeError, ValueError), "X must ...; got ..."),
    "text": (lambda: "XY", TypeError, FIRST + "str"),
    "mapping": (lambda: {"X": X, "y": LABELS}, TypeError, FIRST + "str"),
    "rows": (X.tolist, (TypeError, ValueError), "mini-batch 1: ...; got ..."),
    "empty list": (list, ValueError, "X must yield at least one mini-batch; got none"),
    "empty generator": (
        generator,
        *(ValueError, "X must yield at least one mini-batch; got none"),
    ),
    "arrays": (lambda: [X, X], TypeError, FIRST + "ndarray"),
    "pair in an array": (lambda: [np.zeros((2, 3))], TypeError, FIRST + "ndarray"),
    "None in it": (lambda: [None], TypeError, FIRST + "NoneType"),
    "mappings": (lambda: [{"X": X, "y": LABELS}], TypeError, FIRST + "dict"),
    "X alone": (lambda: [(X,)], (TypeError, ValueError), FIRST + "1 entr..."),
    "four": (lambda: [(X,) * 4], (TypeError, ValueError), FIRST + "4 entries"),
    "no X": (lambda: [(None, LABELS)], TypeError, "mini-batch 1: X must hold real ..."),
    "no y": (lambda: [(X, None)], TypeError, "mini-batch 1: y must be given; got None"),
    "no rows": (
        lambda: [(X[:0], LABELS[:0])],
        ValueError,
        f"mini-batch 1: {ROWS}(0, 3)",
    ),
    "one row": (lambda: [(X[0], 1)], ValueError, f"mini-batch 1: {ROWS}(3,)"),
}
#: As the second mini-batch, after a right one.
BAD_ITEMS = {
    "narrow": ((X[:, :2], LABELS), ValueError, f"mini-batch 2: {ROWS}(6, 2)"),
    "nan": ((X * NAN, LABELS), ValueError, "mini-batch 2: X must be finite ..."),
    "few labels": (
        (X, LABELS[:5]),
        ValueError,
        "mini-batch 2: y must have shape (6,) ...",
    ),
    "label": (
        (X, LABELS + 1),
        ValueError,
        "mini-batch 2: y must hold labels in 0 .. 1; ...",
    ),
    "weights": (
        (X, LABELS, -np.ones(6)),
        *(ValueError, "mini-batch 2: sample_weight must not be negative ..."),
    ),
    "few weights": (
        (X, LABELS, np.ones(5)),
        *(ValueError, "mini-batch 2: sample_weight must have shape (6,); got (5,)"),
    ),
    "no tuple": (5, TypeError, ITEM.format(2) + "int"),
}
OWN_WEIGHTS = "{} cannot be given with mini-batches from an iterable, ..."
BAD_WITH_STREAMS = [
    ({"sample_weight": np.ones(6)}, ValueError, OWN_WEIGHTS.format("sample_weight")),
    ({"class_weight": "balanced"}, ValueError, OWN_WEIGHTS.format("class_weight")),
    ({"batch_size": 4}, ValueError, OWN_WEIGHTS.format("batch_size")),
    *(
        ({"validation": bad}, ValueError, f"validation must be (X, y) ...; got {bad!r}")
        for bad in (0.5, 1, np.float32(0.5))
    ),
    ({"metrics": "accuracy"}, ValueError, "metrics ...need validation data..."),
    *(
        ({"steps_per_epoch": bad}, error, WHOLE.format("steps_per_epoch", bad))
        for bad, error in (
            *((0, ValueError), (-1, ValueError), (True, ValueError)),
            *((1.5, TypeError), ("3", TypeError)),
        )
    ),
    ({"patience": 0}, ValueError, WHOLE.format("patience", 0)),
    ({"monitor": "validation_loss"}, ValueError, "monitor must be one of loss; ..."),
]


@pytest.mark.parametrize("bad", BAD_STREAMS)
def test_bad_stream(Network, bad):
    make, error, text = BAD_STREAMS[bad]
    net, stream = made(Network), make()
    assert_refused(lambda: net.fit(stream, **QUIET), error, text, net)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("bad", BAD_ITEMS)
def test_bad_mini_batch_after_a_right_one(Network, bad, accumulate):
    item, error, text = BAD_ITEMS[bad]
    net, other = made(Network), made(Network)
    with pytest.raises(error, match=says(text)):
        net.fit(generator(DATA, item), epochs=1, accumulate=accumulate, **QUIET)
    if accumulate == 1:  # else what waits is forgotten
        other.train_step(*DATA)
    else:
        other._engine.seen += 1
    assert everything(net) == everything(other)
    for each in (net, other):
        each.fit([DATA, DATA], epochs=2, **QUIET)
    assert everything(net) == everything(other)


def test_an_error_of_the_iterable_arrives_as_it_is(Network):
    error = LookupError("of the caller's")

    def broken():
        yield DATA
        raise error

    net, other = made(Network), made(Network)
    with pytest.raises(LookupError) as caught:
        net.fit(broken(), epochs=1, **QUIET)
    assert caught.value is error
    other.train_step(*DATA)
    assert everything(net) == everything(other)


@table(BAD_WITH_STREAMS)
def test_bad_setting_with_a_stream(Network, bad, error, text):
    net = made(Network)
    call = lambda: net.fit([DATA], **{**QUIET, **bad})  # noqa: E731
    assert_refused(call, error, text, net)


# --- what some networks and optimizers cannot do --------------------------------------

ROW = X[:1], LABELS[:1]
TWO_ROWS = "X must have at least 2 rows for batch norm; got 1"
BATCHES = "batch_size must leave at least 2 rows in every mini-batch for batch norm; {}"
NEEDS_ROWS = [
    ("train_step", lambda net: net.train_step(*ROW), TWO_ROWS),
    ("gradients", lambda net: net.gradients(*ROW), TWO_ROWS),
    ("check_gradients", lambda net: bp.check_gradients(net, *ROW), TWO_ROWS),
    ("forward", lambda net: net.forward(ROW[0]), TWO_ROWS),
    (
        "learn_one",
        lambda net: net.learn_one(X[0], 1),
        "...2 rows...batch norm...; got 1",
    ),
    (
        *("fit", lambda net: net.fit(*ROW)),
        BATCHES.format("1 rows in mini-batches of 1 leave 1"),
    ),
    (
        *("single rows", lambda net: net.fit(*DATA, batch_size=1)),
        BATCHES.format("6 rows in mini-batches of 1 leave 1"),
    ),
    (
        *("incomplete last", lambda net: net.fit(*DATA, batch_size=5)),
        BATCHES.format("6 rows in mini-batches of 5 leave 1"),
    ),
    (
        *("share", lambda net: net.fit(*DATA, batch_size=2, validation=0.5)),
        BATCHES.format("3 rows in mini-batches of 2 leave 1"),
    ),
    ("partial_fit", lambda net: net.partial_fit(*ROW), BATCHES.format("...")),
    ("stream", lambda net: net.fit([ROW], **QUIET), "mini-batch 1: " + TWO_ROWS),
    ("fit_many", lambda net: bp.fit_many([net], *ROW), BATCHES.format("...")),
]


@pytest.mark.parametrize(
    "call, text", [row[1:] for row in NEEDS_ROWS], ids=[row[0] for row in NEEDS_ROWS]
)
def test_batch_norm_needs_two_rows(Network, call, text):
    net = made(Network, norm="batch")
    assert_refused(lambda: call(net), ValueError, text, net)


def test_batch_norm_predicts_and_evaluates_a_row(Network):
    net = made(Network, norm="batch")
    assert net.predict(X[:1]).shape == (1, 2) and net.predict_one(X[0]).shape == (2,)
    assert np.isfinite(net.evaluate(*ROW))


TRAINS = {
    "fit": lambda net: net.fit(X, right(net)),
    "stream": lambda net: net.fit([(X, right(net))]),
    "partial_fit": lambda net: net.partial_fit(X, right(net)),
    "fit_many": lambda net: bp.fit_many([net], X, right(net)),
    "train_step": lambda net: net.train_step(X, right(net)),
    "learn_one": lambda net: net.learn_one(X[0], right(net)[0]),
    "gradients": lambda net: net.gradients(X, right(net)),
    "backward": lambda net: net.backward(net.forward(X), right(net)),
    "check_gradients": lambda net: bp.check_gradients(net, X, right(net)),
}


@named(TRAINS)
@pytest.mark.parametrize("where", [{"activation": "step"}, {"output": "step"}], ids=str)
def test_step_is_for_predictions_only(Network, where, call):
    net = made(Network, "squared_error", **where)
    text = "activation must have a derivative to train by; step has none: ..."
    assert_refused(lambda: call(net), ValueError, text, net)
    assert net.predict(X).shape == (6, 2)
    assert np.isfinite(net.evaluate(X, TARGETS))


ALL_ROWS = "batch_size must be all {} rows for {}, or None; got {}"
BY_FIT = "LBFGS trains by fit only, from all of the data..."
BY_STEPS = "...{}...LBFGS..."
FULL_BATCH = [
    *(
        row
        for optimizer in (bp.Rprop(), bp.LBFGS())
        for name in [type(optimizer).__name__]
        for row in (
            (optimizer, {"batch_size": 1}, ValueError, ALL_ROWS.format(6, name, 1)),
            (optimizer, {"batch_size": 5}, ValueError, ALL_ROWS.format(6, name, 5)),
            (
                *(optimizer, {"batch_size": 2, "validation": 0.5}, ValueError),
                ALL_ROWS.format(3, name, 2),
            ),
            (
                *(optimizer, {"X": [DATA], "y": None}, ValueError),
                f"{name} needs all of the data at once; got an iterable ...",
            ),
        )
    ),
    (
        *(bp.LBFGS(), {"batch_callbacks": [print]}, ValueError),
        BY_STEPS.format("batch_callbacks"),
    ),
]


@table(FULL_BATCH, "optimizer, bad, error, text")
def test_optimizers_that_need_all_of_the_data(Network, optimizer, bad, error, text):
    net = made(Network, optimizer=optimizer)
    settings = {"X": X, "y": LABELS, **QUIET, **bad}
    assert_refused(lambda: net.fit(**settings), error, text, net)


@named(
    {
        "train_step": lambda net: net.train_step(*DATA),
        "learn_one": lambda net: net.learn_one(X[0], 1),
        "apply": lambda net: net.apply(net.gradients(*DATA)),
    }
)
def test_lbfgs_makes_no_single_steps(Network, call):
    net = made(Network, optimizer=bp.LBFGS())
    assert_refused(lambda: call(net), ValueError, BY_FIT, net)


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_in_a_callback_of_lbfgs_arrives_as_it_is(Network, error):
    pytest.importorskip("scipy")

    def fail(*_):
        raise error

    net = made(Network, optimizer=bp.LBFGS())
    with pytest.raises(type(error)) as caught:
        net.fit(*DATA, callbacks=[fail], **QUIET)
    assert caught.value is error


def test_lbfgs_tells_of_a_loss_that_is_not_finite_at_first(Network):
    pytest.importorskip("scipy")
    net = made(Network, "squared_error", optimizer=bp.LBFGS())
    net.biases[-1][:] = 1e30
    before = everything(net)
    with np.errstate(all="ignore"), pytest.raises(bp.DivergenceError):
        net.fit(X, TARGETS, **QUIET)
    assert everything(net) == before


# --- single samples -------------------------------------------------------------------

OF_ONE = "y must ...; got "
BAD_SAMPLES = {
    "row": (X[:1], 1, ValueError, "x must have shape (3,); got (1, 3)"),
    "narrow": (X[0, :2], 1, ValueError, "x must have shape (3,); got (2,)"),
    "number": (0.5, 1, ValueError, "x must have shape (3,); got ()"),
    "empty": ([], 1, ValueError, "x must have shape (3,); got (0,)"),
    "text": ("abc", 1, TypeError, "x must hold real numbers; got str"),
    "None": (None, 1, TypeError, "x must hold real numbers; got NoneType"),
    "complex": (
        X[0] * 1j,
        1,
        TypeError,
        "x must hold real numbers; got dtype complex64",
    ),
    "ragged": (
        [1, [2], 3],
        1,
        ValueError,
        "x must be a regular array...; got a ragged...",
    ),
    "nan": (X[0] * NAN, 1, ValueError, "x must be finite in float32; got nan at [0]"),
    "inf": ([0, 0, INF], 1, ValueError, "x must be finite in float32; got inf at [2]"),
    "overflow": (
        [0, 1e39, 0],
        1,
        ValueError,
        "x must be finite in ...; got 1e+39 at [1]",
    ),
}
HUGE = (2**63, 2**64, 2**70, -(2**70), 10**400, np.uint64(2**64 - 1))
BAD_ANSWERS_OF_ONE = {
    "label too large": (2, ValueError, "y must hold labels in 0 .. 1; got 2"),
    "label too small": (-1, ValueError, "y must hold labels in 0 .. 1; got -1"),
    "int8": (np.int8(7), ValueError, "y must hold labels in 0 .. 1; got 7"),
    **{repr(y): (y, (TypeError, ValueError), OF_ONE + "...") for y in HUGE},
    "float": (1.0, TypeError, "y ...must ...integer label...; got ..."),
    "None": (None, TypeError, "y must ...; got None..."),
    "text": ("a", TypeError, OF_ONE + "str"),
    "wide": (np.zeros(3), ValueError, "y must ...shape (2,)...; got (3,)"),
    "rows": (TARGETS, ValueError, "y must ...shape (2,)...; got (6, 2)"),
    "row": (TARGETS[:1], ValueError, "y must ...shape (2,)...; got (1, 2)"),
    "nan": ([0, NAN], ValueError, "y must be finite in float32; got nan at [1]"),
    "above 1": (
        [0, 1.5],
        *(
            ValueError,
            "y must lie in 0 .. 1 for cross_entropy; got values from 0.0 to 1.5",
        ),
    ),
}
BAD_NUMBERS_OF_ONE = {
    **{repr(y)[:20]: (y, (TypeError, ValueError), OF_ONE + "...") for y in HUGE[4:5]},
    "nan": (NAN, ValueError, "y must be finite in float32; got nan..."),
    "overflow": (1e39, ValueError, "y must be finite in float32; got 1e+39..."),
    "wide": ([0.5, 0.5], ValueError, OF_ONE + "(2,)"),
    "text": ("a", TypeError, OF_ONE + "str"),
}


@pytest.mark.parametrize("bad", BAD_SAMPLES)
def test_bad_sample(Network, bad):
    x, y, error, text = BAD_SAMPLES[bad]
    net = made(Network)
    assert_refused(lambda: net.learn_one(x, y), error, text, net)
    assert_refused(lambda: net.predict_one(x), error, text, net)


@pytest.mark.parametrize("bad", BAD_ANSWERS_OF_ONE)
def test_bad_answer_of_a_sample(Network, bad):
    y, error, text = BAD_ANSWERS_OF_ONE[bad]
    net = made(Network)
    assert_refused(lambda: net.learn_one(X[0], y), error, text, net)


@pytest.mark.parametrize("bad", BAD_NUMBERS_OF_ONE)
def test_bad_number_of_a_sample(Network, bad):
    y, error, text = BAD_NUMBERS_OF_ONE[bad]
    net = made(Network, "squared_error", 1)
    assert_refused(lambda: net.learn_one(X[0], y), error, text, net)


@pytest.mark.parametrize("loss, y", [("hinge", 0), ("hinge", 0.5), ("poisson", -1.0)])
def test_number_of_a_sample_that_the_loss_does_not_take(Network, loss, y):
    net = made(Network, loss, 1)
    text = f"y must be ... for {loss}; got ...{float(y)}..."
    assert_refused(lambda: net.learn_one(X[0], y), ValueError, text, net)


@pytest.mark.parametrize("n", [2, 200])
@pytest.mark.parametrize("hidden", [[], [4]], ids=str)
def test_a_prediction_may_be_predicted_from(Network, n, hidden):
    # It lies where the next one will.
    net = Network([n, *hidden, n], rng=0)
    x = RNG.standard_normal(n).astype("float32")
    expected = net.predict(net.predict(x))
    assert np.array_equal(net.predict_one(net.predict_one(x)), expected)


# --- many networks --------------------------------------------------------------------


def pair(Network, **settings):
    return [made(Network, rng=seed, **settings) for seed in range(2)]


SEQUENCE = "networks must be a sequence of networks, or a function ...; got "
EACH = "each of networks must be a Network; got "
BAD_NETWORKS = [
    (
        "duplicates",
        lambda a, b: [a, b, a],
        {},
        ValueError,
        "networks must be different...",
    ),
    ("none", lambda a, b: [], {}, ValueError, "networks must not be empty; got none"),
    ("a network", lambda a, b: a, {}, TypeError, SEQUENCE + "Network"),
    ("None", lambda a, b: None, {}, TypeError, SEQUENCE + "NoneType"),
    ("generator", lambda a, b: iter([a, b]), {}, TypeError, SEQUENCE + "list_iterator"),
    ("mapping", lambda a, b: {"a": a}, {}, TypeError, SEQUENCE + "dict"),
    ("text", lambda a, b: "ab", {}, TypeError, EACH + "str"),
    ("None in it", lambda a, b: [a, None], {}, TypeError, EACH + "NoneType"),
    ("class", lambda a, b: [a, bp.Network], {}, TypeError, EACH + "type"),
    (
        *("no values", lambda a, b: lambda value: a, {}, TypeError),
        "values must be given where networks is a function; got None",
    ),
    (
        *("a number of values", lambda a, b: lambda value: a, {"values": 5}, TypeError),
        "values must be ...; got 5",
    ),
    (
        *("empty values", lambda a, b: lambda value: a, {"values": []}, ValueError),
        "networks must not be empty; got none",
    ),
    (
        *("values too", lambda a, b: [a, b], {"values": [1, 2]}, TypeError),
        "values goes with a function for networks; got a sequence",
    ),
    (
        *("one made twice", lambda a, b: lambda value: a, {"values": "ab"}, ValueError),
        "networks must be different ones; got one of them twice",
    ),
    (
        *("nothing made", lambda a, b: lambda value: None, {"values": "ab"}, TypeError),
        EACH + "NoneType",
    ),
    ("function that fails", lambda a, b: fails, {"values": "ab"}, LookupError, "..."),
    (
        *("unknown setting", lambda a, b: [a, b], {"epoch": 5}, TypeError),
        "...unexpected keyword argument 'epoch'...",
    ),
    *(
        (f"n_threads={bad!r}", lambda a, b: [a, b], {"n_threads": bad}, error, text)
        for bad, error, text in (
            (0, ValueError, "n_threads must be a whole number ...; got 0"),
            (1.5, TypeError, "n_threads must be a whole number ...; got 1.5"),
            ("all", TypeError, "n_threads must be a whole number ...; got 'all'"),
            (None, TypeError, "n_threads must be a whole number ...; got None"),
        )
    ),
]
BAD_DATA = {
    "narrow": (X[:, :2], LABELS, ValueError, ROWS + "(6, 2)"),
    "nan": (
        X * NAN,
        LABELS,
        ValueError,
        "X must be finite in float32; got nan at [0, 0]",
    ),
    "no X": (None, LABELS, TypeError, "X must hold real numbers; got NoneType"),
    "no y": (X, None, TypeError, "y must ...; got None..."),
    "few labels": (X, LABELS[:5], ValueError, "y must have shape (6,) ...; got (5,)"),
    "stream": ([DATA], None, (TypeError, ValueError), "... must ...; got ..."),
}
#: What suits the first network, but not the second.
BAD_SECOND = {
    "sizes": (
        lambda b: {"sizes": (5, 4)},
        {},
        "X must have shape (n, 5) ...; got (6, 3)",
    ),
    "loss": (lambda b: {"loss": "huber"}, {}, "y must have shape (6, 2) (labels ...)"),
    "classes": (
        lambda b: {"loss": "squared_error"},
        {"y": TARGETS, "class_weight": "balanced"},
        "class_weight needs targets that are classes, not squared_error's...",
    ),
    "step": (
        lambda b: {"activation": "step"},
        {},
        "activation must have a derivative ...",
    ),
    "batch norm": (
        lambda b: {"norm": "batch"},
        {"batch_size": 5},
        BATCHES.format("..."),
    ),
    "Rprop": (
        *(lambda b: {"optimizer": bp.Rprop()}, {"batch_size": 5}),
        ALL_ROWS.format(6, "Rprop", 5),
    ),
    "not finite": (
        *(lambda b: b.parameters.fill(NAN) or {}, {}),
        "the network's parameters must be finite before training",
    ),
}


@pytest.mark.parametrize(
    "networks, settings, error, text",
    [row[1:] for row in BAD_NETWORKS],
    ids=[row[0] for row in BAD_NETWORKS],
)
def test_bad_networks(Network, networks, settings, error, text):
    a, b = pair(Network)
    call = lambda: bp.fit_many(networks(a, b), *DATA, **settings)  # noqa: E731
    assert_refused(call, error, text, a, b)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("bad", BAD_DATA)
def test_bad_data_of_many(Network, bad, n_threads):
    X_in, y, error, text = BAD_DATA[bad]
    nets = pair(Network)
    call = lambda: bp.fit_many(nets, X_in, y, n_threads=n_threads)  # noqa: E731
    assert_refused(call, error, text, *nets)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("bad", BAD_SECOND)
def test_what_does_not_suit_one_of_many_changes_none(Network, bad, n_threads):
    make, settings, text = BAD_SECOND[bad]
    a, b = pair(Network)
    b = made(Network, **settings_of) if (settings_of := make(b)) else b
    settings = {"X": X, "y": LABELS, "n_threads": n_threads, **settings}
    call = lambda: bp.fit_many([a, b, made(Network)], **settings)  # noqa: E731
    assert_refused(call, ValueError, text, a, b)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_every_network_gets_what_comes_from_a_generator(Network, n_threads):
    seen = []
    fitted = bp.fit_many(
        pair(Network),
        *DATA,
        epochs=1,
        n_threads=n_threads,
        callbacks=(see for see in [lambda net, _: seen.append(net)]),
        batch_callbacks=(see for see in [lambda net, *_: seen.append(net)]),
        metrics=(name for name in ["accuracy", "auc"]),
    )
    assert [list(fit.history.metrics) for fit in fitted] == [["accuracy", "auc"]] * 2
    assert all(seen.count(fit.network) == 2 for fit in fitted)


# --- evaluate, apply ------------------------------------------------------------------

BAD_METRICS = [row for row in BAD_FITS if [*row[0]] == ["metrics"]]
BAD_METRICS += [
    (
        {"metrics": lambda y, a: None},
        TypeError,
        "metric 'metric' must return a number; ...",
    ),
    (
        {"metrics": lambda y, a: "x"},
        TypeError,
        "metric 'metric' must return a number; ...",
    ),
    (
        {"metrics": lambda y, a: a},
        TypeError,
        "metric 'metric' must return a number; ...",
    ),
    (
        {"metrics": lambda y, a: 1j},
        TypeError,
        "metric 'metric' must return a number; ...",
    ),
    ({"metrics": lambda y: 1}, TypeError, "...takes 1 positional argument..."),
    ({"metrics": lambda y, a: fails(a)}, LookupError, "of the caller's"),
]


@table(BAD_METRICS)
def test_bad_metrics_of_evaluate(Network, bad, error, text):
    net = made(Network)
    assert_refused(lambda: net.evaluate(*DATA, **bad), error, text, net)


def test_moments_of_other_gradients(Network):
    # They tell the moments of batch norm, beside the derivatives.
    net = made(Network, norm="batch")
    other = made(Network, norm="batch", dtype="float64")
    double = other.gradients(*DATA)
    net.apply(double)
    other.apply(double)
    for moments, exact in zip(net.running_moments, other.running_moments, strict=True):
        assert moments is exact is None or np.allclose(moments, exact, atol=1e-3)


@pytest.mark.parametrize(
    "moments",
    [
        np.zeros(3, "f4"),
        np.zeros(9, "f4"),
        np.zeros((2, 4), "f4"),
        "mean",
        [[0], [1, 2]],
    ],
    ids=short,
)
def test_bad_moments(Network, moments):
    net = made(Network, norm="batch")
    gradients = replace(net.gradients(*DATA), moments=moments)
    text = "gradients.moments must ...; got ..."
    assert_refused(lambda: net.apply(gradients), (TypeError, ValueError), text, net)


def test_moments_of_a_network_with_other_norms(Network):
    # As many parameters, but fewer moments.
    net = made(Network, sizes=(3, 4, 8), norm=["layer", "batch"])
    other = made(Network, sizes=(3, 4, 8), norm=["batch", "layer"])
    gradients = other.gradients(*DATA)
    text = "gradients.moments must ...; got ..."
    assert_refused(lambda: net.apply(gradients), ValueError, text, net)
