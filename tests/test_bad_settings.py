"""Settings of training: refused whole, in plain words, before anything has changed.

Every row of the tables is something wrong, and what it must raise: an error, and the
whole of its message, in which "..." stands for anything.  What is refused must leave
all that training changes as it was, in every network that had a part in it.
"""

import math
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from functools import partial

import numpy as np
import pytest

import bpcore as bp
import helpers
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


def short(value):
    name = getattr(value, "__qualname__", str(value))
    text = re.sub(r" at 0x[0-9a-f]+|array\(|\s+", " ", name).strip()
    return text if len(text) < 50 else f"{text[:47]}..."


def table(rows, names="bad, refusal"):
    """Parametrize by rows that begin with what is wrong, or by a dict of them."""
    if isinstance(rows, dict):
        return pytest.mark.parametrize(names, rows.values(), ids=list(rows))
    ids = [" ".join(map(short, row[:-1])) for row in rows]
    return pytest.mark.parametrize(names, rows, ids=ids)


# --- numbers, and what they may be ----------------------------------------------------

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
    """Rows of what a number cannot be, each as `among` puts it among the settings."""
    outside = [(bad, INF if bad == 10**400 else float(bad)) for bad in OUTSIDE[span]]
    return [
        *((among(bad), VALUE(f"{name} must be {span}; got {x}")) for bad, x in outside),
        *(
            (among(bad), TYPE(f"{name} must be a number...; got {bad!r}"))
            for bad in no_numbers
        ),
    ]


def bad_counts(name):
    """Rows of what a whole number of at least 1 cannot be."""
    text = f"{name} must be a whole number of at least 1; got "
    return [
        *(({name: bad}, VALUE(f"{text}{bad!r}")) for bad in (0, -3, True)),
        *(({name: bad}, TYPE(f"{text}{bad!r}")) for bad in (1.5, NAN, "3", [3], TIME)),
    ]


def bad_flags(name):
    """Rows of what a bool cannot be."""
    text = f"{name} must be a bool; got "
    return [({name: bad}, TYPE(f"{text}{bad!r}")) for bad in (None, 1, 0, "yes", [1])]


# --- optimizers -----------------------------------------------------------------------

RATE = {"lr": AT_LEAST_0}
PENALTIES = {"weight_decay": AT_LEAST_0, "l1": AT_LEAST_0}
LIMITS = {"clip_value": ABOVE_0, "clip_norm": ABOVE_0, "max_norm": ABOVE_0}
OF_ALL = PENALTIES | LIMITS
BETAS = {**RATE, "beta1": SHARE, "beta2": SHARE}
ADAM = {**BETAS, "eps": ABOVE_0}
STEPS = {"shrink": BETWEEN, "grow": ABOVE_1, "least": ABOVE_0, "most": ABOVE_0}
SUMS = {"lr_decay": AT_LEAST_0, "initial_accumulator": AT_LEAST_0, "eps": ABOVE_0}
OWN = {
    bp.SGD: {**RATE, "momentum": SHARE, "dampening": UP_TO_1},
    bp.Momentum: {**RATE, "alpha": SHARE},
    bp.RMSprop: {**RATE, "alpha": SHARE, "eps": ABOVE_0, "momentum": SHARE},
    bp.Adagrad: {**RATE, **SUMS},
    **dict.fromkeys((bp.Adam, bp.AdamW, bp.AMSGrad, bp.Adamax, bp.RAdam), ADAM),
    bp.Nadam: {**ADAM, "momentum_decay": AT_LEAST_0},
    bp.Lion: BETAS,
    bp.Rprop: {**RATE, **STEPS},
    bp.LBFGS: {"tolerance": AT_LEAST_0},
}
FLAGS = {bp.SGD: ["nesterov"], bp.RMSprop: ["centered"]}
EVERY = pytest.mark.parametrize("optimizer", OWN, ids=lambda kind: kind.__name__)


def test_the_tables_have_every_optimizer():
    public = [getattr(bp, name) for name in bp.__all__]
    kinds = {kind for kind in public if isinstance(kind, type)}
    assert {kind for kind in kinds if bp.Optimizer in kind.__mro__[1:]} == {*OWN}


@EVERY
def test_the_tables_have_every_setting(optimizer):
    known = {*OF_ALL, *OWN[optimizer], *FLAGS.get(optimizer, []), "decoupled", "biases"}
    whole = {"history"} if optimizer is bp.LBFGS else set()
    assert known | whole == {field.name for field in fields(optimizer) if field.init}


@EVERY
def test_bad_number_of_an_optimizer(optimizer):
    for name, span in (OF_ALL | OWN[optimizer]).items():
        no_numbers = NO_NUMBERS[:-1] if name in LIMITS else NO_NUMBERS
        for bad, refusal in bad_numbers(name, span, lambda bad: bad, no_numbers):
            refusal.of(lambda name=name, bad=bad: optimizer(**{name: bad}))


@EVERY
def test_bad_number_of_the_biases(optimizer):
    own = {name: span for name, span in OWN[optimizer].items() if name != "lr"}
    for name, span in (PENALTIES | own | {"lr_factor": AT_LEAST_0}).items():
        rows = bad_numbers(
            f"biases[{name!r}]", span, lambda bad, name=name: {name: bad}
        )
        for bad, refusal in rows:
            refusal.of(lambda bad=bad: optimizer(biases=bad))


@EVERY
def test_bad_flag_of_an_optimizer(optimizer):
    for flag in ("decoupled", *FLAGS.get(optimizer, ())):
        for bad, refusal in bad_flags(flag):
            refusal.of(lambda bad=bad: optimizer(**bad))


#: Two settings that do not go together, and those that there are not.
NO_MOMENTUM = "nesterov=True needs momentum above 0; got momentum=0.0"
DAMPENED = "nesterov=True needs dampening=0.0; got dampening=0.5"
ONCE = "lr of Rprop must be a number: it is only the initial step size..."
BAD_TOGETHER = [
    (bp.SGD, {"nesterov": True}, VALUE(NO_MOMENTUM)),
    (bp.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.5}, VALUE(DAMPENED)),
    (bp.Adam, {"beta3": 0.9}, TYPE("...unexpected keyword argument 'beta3'...")),
    (bp.LBFGS, {"lr": 0.1}, TYPE("...unexpected keyword argument 'lr'...")),
    (bp.Rprop, {"least": 1, "most": 0.1}, VALUE("least must be at most ...; got 1.0")),
    (bp.Rprop, {"lr": schedules.Constant(0.1)}, TYPE(ONCE)),
    (bp.Rprop, {"lr": lambda epoch: 0.1}, TYPE(ONCE)),
    (bp.LBFGS, {"decoupled": True}, VALUE("LBFGS has no decoupled; got True")),
    *(
        (bp.LBFGS, {name: 0.5}, VALUE(f"LBFGS has no {name}; got 0.5"))
        for name in ("l1", *LIMITS)
    ),
    *(
        (bp.LBFGS, {"biases": {name: 0.5}}, VALUE(f"...{name}...; got ..."))
        for name in ("l1", "lr_factor", "tolerance")
    ),
    *((bp.LBFGS, *row) for row in bad_counts("history")),
]
OF_BIASES = "a setting in biases must be one of weight_decay, l1, ..., lr_factor; got "
NO_MAPPING = "biases must be a mapping such as {'weight_decay': 0.0}; got "
BAD_BIASES = [
    (None, TYPE(NO_MAPPING + "NoneType")),
    (0.5, TYPE(NO_MAPPING + "float")),
    ("l1", TYPE(NO_MAPPING + "str")),
    (["l1"], TYPE(NO_MAPPING + "list")),
    ({"l1"}, TYPE(NO_MAPPING + "set")),
    (("l1",), TYPE(NO_MAPPING + "tuple")),
    ((("l1", 0, 1),), TYPE(NO_MAPPING + "tuple")),
    ({"momentun": 0.5}, VALUE(OF_BIASES + "'momentun'; did you mean 'momentum'?")),
    ({"weightdecay": 0}, VALUE(OF_BIASES + "'weightdecay'; ... 'weight_decay'?")),
    ({"lrfactor": 0.5}, VALUE(OF_BIASES + "'lrfactor'; did you mean 'lr_factor'?")),
    ({"lr": 0.5}, VALUE(OF_BIASES + "'lr'...")),
    ({"alpha": 0.5}, VALUE(OF_BIASES + "'alpha'")),  # another optimizer's
    ({"clip_norm": 0.5}, VALUE(OF_BIASES + "'clip_norm'")),  # of all parameters
    ({"nesterov": True}, VALUE(OF_BIASES + "'nesterov'")),
    ({None: 0.5}, VALUE(OF_BIASES + "None")),
    ({1: 0.5, "l1": 0.5}, VALUE(OF_BIASES + "1...")),
]


@table(BAD_TOGETHER, "optimizer, bad, refusal")
def test_bad_settings_of_an_optimizer(optimizer, bad, refusal):
    refusal.of(lambda: optimizer(**bad))


@table(BAD_BIASES)
def test_bad_biases(bad, refusal):
    refusal.of(lambda: bp.SGD(biases=bad))


class Unknown(bp.Optimizer):
    """Settings without a rule."""


SUCH_AS = "optimizer must be settings such as bpcore.SGD(lr=0.1)...; got "
NO_OPTIMIZERS = [
    ("adam", TYPE(SUCH_AS + "'adam'")),
    (0.1, TYPE(SUCH_AS + "0.1")),
    (bp.Adam, TYPE(SUCH_AS + "<class ...Adam'>")),
    ({"lr": 0.1}, TYPE(SUCH_AS + "{'lr': 0.1}")),
    (schedules.Constant(0.1), TYPE(SUCH_AS + "Constant(lr=0.1)")),
]


@table([*NO_OPTIMIZERS, (None, TYPE(SUCH_AS + "None"))])
def test_no_optimizer(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: setattr(net, "optimizer", bad), net)


@pytest.mark.parametrize("kind", [bp.Optimizer, Unknown])
def test_an_optimizer_without_a_rule(Network, kind):
    net, refusal = made(Network), TYPE(f"...{kind.__name__}...")
    refusal.of(lambda: setattr(net, "optimizer", kind(0.1)), net)
    refusal.of(lambda: Network([3, 2], optimizer=kind(0.1)))


def fails(*_):
    raise LookupError("of the caller's")


OF_CALLER = Refusal(LookupError, "of the caller's")
BAD_RATES = [
    (lambda t: -1.0, ValueError, "must be finite and at least 0; got -1.0"),
    (lambda t: NAN, ValueError, "must be finite and at least 0; got nan"),
    (lambda t: "fast", TypeError, "must be a number; got 'fast'"),
    (lambda t: None, TypeError, "must be a number; got None"),
]
AT = "the learning rate at t={} {}"
FIRST_RATES = [(f, Refusal(error, AT.format(0, text))) for f, error, text in BAD_RATES]
LATER_RATES = [(f, Refusal(error, AT.format(2, text))) for f, error, text in BAD_RATES]


@table([*FIRST_RATES, (fails, OF_CALLER)])
def test_schedule_without_a_first_rate(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: setattr(net, "optimizer", bp.Adam(bad)), net)


@table([*LATER_RATES, (fails, OF_CALLER)])
def test_schedule_that_goes_wrong_later(Network, bad, refusal):
    optimizer = bp.SGD(lambda t: bad(t) if t == 2 else 0.1)
    net, other = (made(Network, optimizer=optimizer) for _ in range(2))
    refusal.of(lambda: net.fit(*DATA, epochs=5, **QUIET))
    other.fit(*DATA, epochs=2, **QUIET)
    assert np.array_equal(net.parameters, other.parameters)
    refusal.of(lambda: net.train_step(*DATA), net)
    net.optimizer = bp.SGD(0.1)
    assert np.isfinite(net.train_step(*DATA))


@table([*LATER_RATES, (fails, OF_CALLER)])
def test_schedule_of_steps_that_goes_wrong_later(Network, bad, refusal):
    # Of three steps an epoch, made beforehand: in the third, or before the first.
    lr = schedules.Custom(lambda t: 0.1 if t < 8 else bad(t), per="step")
    net, other = (made(Network, optimizer=bp.SGD(lr)) for _ in range(2))
    with pytest.raises(refusal.error):
        net.fit(*DATA, batch_size=2, epochs=5, **QUIET)
    if net.learner.state.epochs:
        other.fit(*DATA, batch_size=2, epochs=net.learner.state.epochs, **QUIET)
    for each in (net, other):
        each.optimizer = bp.SGD(0.1)
    assert everything(net) == everything(other)


@pytest.mark.parametrize("monitor", ["acuracy", "validation_loss", "zzz"])
@pytest.mark.parametrize("warm_up", [False, True])
def test_plateau_of_what_is_not_measured(Network, monitor, warm_up):
    lr = schedules.ReduceOnPlateau(0.1, monitor=monitor)
    net = made(Network, optimizer=bp.SGD(schedules.WarmUp(lr, 1) if warm_up else lr))
    refusal = VALUE(f"ReduceOnPlateau's monitor...{monitor!r}...")
    refusal.of(lambda: net.fit(*DATA, metrics="accuracy", **QUIET), net)


def test_plateau_of_a_fit_that_is_refused(Network):
    lr = schedules.ReduceOnPlateau(0.1, monitor="accuracy")
    net = made(Network, optimizer=bp.SGD(lr), norm="batch")
    refusal = VALUE("batch_size must leave at least 2 rows ...")
    refusal.of(lambda: net.fit(*DATA, metrics="accuracy", batch_size=1), net)


# --- losses ---------------------------------------------------------------------------

OF_LOSSES = {
    bp.Huber: ("delta", ABOVE_0),
    bp.Quantile: ("q", BETWEEN),
    bp.CrossEntropy: ("label_smoothing", SHARE),
}
#: Spoilt targets, whose refusal begins with what they are of.
MINUS_OR_PLUS = "y must be -1 or 1 for hinge; got "
IN_0_TO_1 = "y must lie in 0 .. 1 for {}; got values from {}"
NO_LABELS = "y must have shape (6, 2) (labels need loss='cross_entropy'); got (6,)"
SMOOTHED = bp.CrossEntropy(0.1)
BAD_TARGETS = [
    ("hinge", ONE, MINUS_OR_PLUS + "0.0"),
    ("hinge", 2 * ONE - 2, MINUS_OR_PLUS + "..."),
    ("hinge", TARGETS - 0.5, MINUS_OR_PLUS + "0.5"),
    ("hinge", NAN * ONE, "y must be finite in float32; got nan at [0, 0]"),
    ("poisson", -ONE, "y must be at least 0 for poisson; got values from -1.0 to -0.0"),
    ("poisson", INF + ONE, "y must be finite in float32; got inf at [0, 0]"),
    (SMOOTHED, 2 * TARGETS, IN_0_TO_1.format("cross_entropy", "0.0 to 2.0")),
    (SMOOTHED, LABELS + 1, "y must hold labels in 0 .. 1; got 2"),
    ("kl_divergence", -TARGETS, IN_0_TO_1.format("kl_divergence", "-1.0 to -0.0")),
    *((loss, LABELS, NO_LABELS) for loss in ("huber", "poisson", "hinge", "log_cosh")),
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


@pytest.mark.parametrize("loss", OF_LOSSES)
def test_bad_setting_of_a_loss(loss):
    for bad, refusal in bad_numbers(*OF_LOSSES[loss], lambda bad: bad):
        refusal.of(lambda bad=bad: loss(bad))


@pytest.mark.parametrize("name", TAKES_Y)
@table(BAD_TARGETS, "loss, bad, text")
def test_targets_that_a_loss_does_not_take(Network, name, loss, bad, text):
    net = made(Network, loss, 2 if bad.ndim == 1 else bad.shape[1])
    of = {"validation": "validation ", "stream": "mini-batch 1: "}.get(name, "")
    VALUE(of + text).of(lambda: TAKES_Y[name](net, bad), net)


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


def turning(Network, answer=square, **settings):
    """A network with such a loss that has learnt, and does something else now."""
    net = made(Network, Turning(), **settings)
    net.loss.answer = answer
    return net


def assert_goes_on_as(other, net):
    """The same bits as if nothing had happened."""
    net.loss.answer = square
    for each in (net, other):
        each.fit(X, TARGETS, epochs=2, batch_size=4, **QUIET)
    assert np.array_equal(net.parameters, other.parameters)
    assert net.learner.state.bits.state == other.learner.state.bits.state


PAIR = "loss(a, y) must return (values per sample, d value / d a); got "
ARRAYS = "loss(a, y) must return arrays of shapes (6,) and (6, 2); got "
REAL = "loss(a, y) must return ...real numbers; got ..."
BAD_ANSWERS = {
    "nothing": (lambda a, y: None, TYPE(PAIR + "NoneType")),
    "a number": (lambda a, y: 0.5, TYPE(PAIR + "float")),
    "an array": (lambda a, y: a, TYPE(PAIR + "ndarray")),
    "a list": (lambda a, y: [*square(a, y)], TYPE(PAIR + "list")),
    "none": (lambda a, y: (), TYPE(PAIR + "...tuple...")),
    "three": (lambda a, y: (*square(a, y), 0), TYPE(PAIR + "...tuple...")),
    "a mean": (lambda a, y: (0.5, a), VALUE(ARRAYS + "() and (6, 2)")),
    "all values": (lambda a, y: (a, a), VALUE(ARRAYS + "(6, 2) and (6, 2)")),
    "a column": (lambda a, y: (a[:, :1], a), VALUE(ARRAYS + "(6, 1) and (6, 2)")),
    "too few": (lambda a, y: (a[1:, 0], a), VALUE(ARRAYS + "(5,) and (6, 2)")),
    "flat": (lambda a, y: (a[:, 0], a[:, 0]), VALUE(ARRAYS + "(6,) and (6,)")),
    "transposed": (lambda a, y: (a[:, 0], a.T), VALUE(ARRAYS + "(6,) and (2, 6)")),
    "a slope": (lambda a, y: (a[:, 0], 1.0), VALUE(ARRAYS + "(6,) and ()")),
    "text": (lambda a, y: ("E", a), EITHER(REAL)),
    "text too": (lambda a, y: (a[:, 0], "d"), EITHER(REAL)),
    "complex": (lambda a, y: (a[:, 0] * 1j, a), EITHER(REAL)),
    "complex too": (lambda a, y: (a[:, 0], a * 1j), EITHER(REAL)),
    "ragged": (lambda a, y: ([1, [2, 3]], a), EITHER(REAL)),
    "Nones": (lambda a, y: (None, None), EITHER("loss(a, y) must return ...; got ...")),
    "one argument": (lambda a: a, TYPE("...takes 1 positional argument...")),
    "bad shapes": (lambda a, y: a @ y, VALUE("matmul: ...")),
}


def the_only_error(call):
    """Raise the error in the group that this raises."""
    try:
        return call()
    except BaseExceptionGroup as group:
        (error,) = group.exceptions
        assert [fit.error for fit in group.fitted] == [error]
        raise error from None


ASKS = {
    "fit": lambda net: net.fit(X, TARGETS, **IN_ORDER),
    "accumulate": lambda net: net.fit(X, TARGETS, accumulate=2, **IN_ORDER),
    "stream": lambda net: net.fit([(X, TARGETS)], **QUIET),
    "fit_many": lambda net: the_only_error(
        lambda: bp.fit_many([net], X, TARGETS, **IN_ORDER)
    ),
    "train_step": lambda net: net.train_step(X, TARGETS),
    "gradients": lambda net: net.gradients(X, TARGETS),
    "evaluate": lambda net: net.evaluate(X, TARGETS),
    "check_gradients": lambda net: bp.check_gradients(net, X, TARGETS),
}
#: What a loss must not ask of the network whose step asks it.
USES = {
    "predict": lambda net: net.predict(X),
    "predict_one": lambda net: net.predict_one(X[0]),
    "evaluate": lambda net: net.evaluate(X, TARGETS),
    "gradients": lambda net: net.gradients(X, TARGETS),
    "forward": lambda net: net.forward(X),
    "train_step": lambda net: net.train_step(X, TARGETS),
    "fit": lambda net: net.fit(X, TARGETS, **QUIET),
    "optimizer": lambda net: setattr(net, "optimizer", bp.Adam()),
}


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


@pytest.mark.parametrize("name", ASKS)
@table(BAD_ANSWERS)
def test_bad_answer_of_a_loss(Network, name, bad, refusal):
    net, other = turning(Network, bad), turning(Network)
    refusal.of(lambda: ASKS[name](net), net)
    assert_goes_on_as(other, net)


@pytest.mark.parametrize("name", [*ASKS, "learn_one"])
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_in_a_loss_arrives_as_it_is(Network, name, error):
    net, other = turning(Network, Failing(error)), turning(Network)
    call = ASKS.get(name, lambda net: net.learn_one(X[0], TARGETS[0]))
    before = everything(net)
    with pytest.raises(type(error)) as caught:
        call(net)
    assert caught.value is error
    assert everything(net) == before
    assert_goes_on_as(other, net)


def test_an_error_in_a_loss_among_several_threads():
    net, other = turning(bp.Network, fails), turning(bp.Network)
    for each in (net, other):
        each.learner.engine.use_threads(3, 1)
    for call in (net.train_step, net.gradients, net.evaluate) * 5:
        OF_CALLER.of(lambda call=call: call(*MANY), net)
    assert_goes_on_as(other, net)


@pytest.mark.parametrize("times", [0, 1])
def test_a_loss_that_fails_is_not_asked_again(Network, times):
    net = turning(Network, Failing(LookupError("of the caller's"), times))
    OF_CALLER.of(lambda: net.evaluate(*MANY), net)
    assert net.loss.answer.calls == times + 1


def test_an_error_in_a_later_mini_batch_keeps_the_steps_before(Network):
    net, other = turning(Network, Failing(ERRORS[0], times=3)), turning(Network)
    OF_CALLER.of(lambda: net.fit(*MANY, batch_size=100, **IN_ORDER))
    for first in (0, 100, 200):
        other.train_step(*(array[first : first + 100] for array in MANY))
    for name in ("parameters", "optimizer_arrays"):
        arrays = [getattr(each.learner.state, name) for each in (net, other)]
        assert np.array_equal(*arrays)
    assert net.learner.state.steps == other.learner.state.steps
    assert net.learner.state.seen == other.learner.state.seen
    assert_goes_on_as(other, net)


def test_an_error_while_validating_keeps_the_epoch(Network):
    net, other = turning(Network, Failing(ERRORS[0], times=1)), turning(Network)
    OF_CALLER.of(lambda: net.fit(X, TARGETS, validation=(X, TARGETS), **QUIET))
    other.fit(X, TARGETS, epochs=1, **QUIET)
    assert np.array_equal(net.parameters, other.parameters)
    assert_goes_on_as(other, net)


@pytest.mark.parametrize("times", range(6))
def test_an_error_while_lbfgs_searches_keeps_an_iterate(Network, times):
    pytest.importorskip("scipy")
    net = turning(Network, Failing(ERRORS[0], times), optimizer=bp.LBFGS())
    iterates = [net.parameters.copy()]
    keep = [lambda net, _: iterates.append(net.parameters.copy())]
    OF_CALLER.of(lambda: net.fit(X, TARGETS, epochs=9, callbacks=keep, **QUIET))
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


@pytest.mark.parametrize("name", USES)
def test_a_loss_cannot_use_the_network_in_the_middle_of_its_step(name):
    # Its numbers would come to lie where those of the step are.
    def use(a, y):
        net.loss.answer = square  # should it be allowed, then once only
        USES[name](net)
        return square(a, y)

    net, other = turning(bp.Network, use), turning(bp.Network)
    refusal = Refusal(RuntimeError, "this network is in use...")
    refusal.of(lambda: net.train_step(X, TARGETS), net)
    assert_goes_on_as(other, net)


# --- names, with the closest right one ------------------------------------------------

#: Each before the right one that it is closest to, if any.
WRONG_NAMES = {
    "activation": (
        "swish>silu leakyrelu>leaky_relu LeakyReLU>leaky_relu gelu_tahn>gelu_tanh "
        "hardtanh>hard_tanh heaviside>step soft_plus>softplus Selu>selu zzz"
    ),
    "output": "exponential>exp linear>identity sofplus>softplus zzz",
    "loss": (
        "mae>mean_absolute_error l1>mean_absolute_error mse>mean_squared_error "
        "hubber>huber smooth_l1>huber pinball>quantile kl>kl_divergence "
        "logcosh>log_cosh poison>poisson Hinge>hinge zzz"
    ),
    "norm": "batchnorm>batch layer_norm>layer Batch>batch zzz",
    "init": "lecun_norma>lecun_normal xavier>glorot_uniform zzz",
}
WRONG_NAMES_OF_FIT = {
    "metrics": (
        "acuracy>accuracy ROC_AUC>roc_auc top5>top_5 "
        "mean_abs_error>mean_absolute_error zzz"
    ),
    "monitor": "validation_los>validation_loss acuracy>accuracy los>loss zzz",
    "mode": "maximum>max Min>min zzz",
}


def wrong_names(names):
    rows = []
    for argument, pairs in names.items():
        for pair in pairs.split():
            name, _, right = pair.partition(">")
            hint = f"; did you mean {right!r}?" if right else ""
            text = f"{argument}...must be one of ...; got {name!r}{hint}"
            rows.append((argument, name, VALUE(text)))
    return table(rows, "argument, name, refusal")


@wrong_names(WRONG_NAMES)
def test_wrong_name_in_a_network(Network, argument, name, refusal):
    settings = {"loss": "squared_error", argument: name}
    refusal.of(lambda: Network([3, 4, 4, 2], **settings))
    if argument in ("activation", "norm"):
        settings[argument] = ["batch" if argument == "norm" else "relu", name]
        refusal.of(lambda: Network([3, 4, 4, 2], **settings))


@wrong_names(WRONG_NAMES_OF_FIT)
def test_wrong_name_in_a_fit(Network, argument, name, refusal):
    net = made(Network)
    settings = {"metrics": "accuracy", "validation": DATA, **QUIET, argument: name}
    refusal.of(lambda: net.fit(*DATA, **settings), net)
    if argument == "metrics":
        refusal.of(lambda: net.evaluate(*DATA, metrics=name), net)


# --- what a network is made of --------------------------------------------------------

OF_HIDDEN = "{} must be one value or one for each of the {} hidden layers; got {}"
NO_NORM = "norm...must be one of batch, layer; got "
BAD_DESIGNS = [
    *bad_numbers("dropout", SHARE, lambda bad: {"dropout": bad}, (True, "0.5", None)),
    *bad_numbers("dropout", SHARE, lambda bad: {"dropout": [bad]}),
    *bad_numbers("input_noise", AT_LEAST_0, lambda bad: {"input_noise": bad}),
    ({"dropout": [0.1, -0.1]}, VALUE(OF_HIDDEN.format("dropout", 1, 2))),
    ({"dropout": []}, VALUE(OF_HIDDEN.format("dropout", 1, 0))),
    ({"dropout": {0: 0.1}}, TYPE("dropout must be a number; got {0: 0.1}")),
    ({"norm": ["batch"] * 2}, VALUE(OF_HIDDEN.format("norm", 1, 2))),
    ({"norm": []}, VALUE(OF_HIDDEN.format("norm", 1, 0))),
    *(({"norm": bad}, VALUE(f"{NO_NORM}{bad!r}")) for bad in (True, 5, "")),
    *(({"norm": [bad]}, VALUE(f"{NO_NORM}{bad!r}")) for bad in (False, 5, "")),
    *(({"loss": bad}, EITHER(f"loss must be ...; got {bad}")) for bad in (5, [], 0.5)),
    # It would be called with the outputs for its setting.
    ({"loss": bp.Huber}, EITHER("loss must be ...; got <class '...Huber'>")),
    (
        {"loss": "kl_divergence", "output": "sigmoid"},
        VALUE("output must be softmax with loss 'kl_divergence'; got 'sigmoid'"),
    ),
    (
        {"loss": bp.CrossEntropy(0.1), "output": "tanh"},
        VALUE("output must be softmax with loss 'cross_entropy'; got 'tanh'"),
    ),
    *(({"optimizer": bad}, refusal) for bad, refusal in NO_OPTIMIZERS),
    *(({"optimizer": bp.Adam(bad)}, refusal) for bad, refusal in FIRST_RATES),
]
WITHOUT_HIDDEN = [
    ({"activation": 5}, VALUE("activation must be one of ...; got 5")),
    ({"activation": ["relu"]}, VALUE(OF_HIDDEN.format("activation", 0, 1))),
    ({"norm": "zzz"}, VALUE(NO_NORM + "'zzz'")),
    ({"norm": ["batch"]}, VALUE(OF_HIDDEN.format("norm", 0, 1))),
    ({"dropout": 7}, VALUE(f"dropout must be {SHARE}; got 7.0")),
    ({"dropout": "a"}, TYPE("dropout must be a number; got 'a'")),
    ({"dropout": [0.5]}, VALUE(OF_HIDDEN.format("dropout", 0, 1))),
]
FACTORS = "lr_factors must be one number for each..."
BOOLS = "frozen must be one bool for each of the 2 layers of weights; got "
BAD_FACTORS = [
    *bad_numbers("lr_factors[1]", AT_LEAST_0, lambda bad: [1, bad], (True, "1", None)),
    *(
        (bad, TYPE(f"{FACTORS}; got {bad!r}"))
        for bad in (None, True, 0.5, "ab", {0: 1})
    ),
    (np.array(0.5), TYPE(FACTORS + "; got array(0.5)")),
    *((bad, VALUE(f"{FACTORS}; got {len(bad)}")) for bad in ([], [1] * 3, np.ones(3))),
    (np.ones((2, 1)), TYPE("lr_factors[0] must be a number; got array([1.])")),
]
BAD_FROZEN = [
    *((bad, TYPE(f"{BOOLS}{bad!r}")) for bad in (None, True, 1, np.array(True))),
    *((bad, VALUE(f"{BOOLS}{len(bad)}")) for bad in ([], [True] * 3, np.ones(3, bool))),
    *(
        ([True, bad], TYPE(f"frozen[1] must be a bool; got {bad!r}"))
        for bad in (None, 1)
    ),
    ("ab", TYPE("frozen...must be ...bool...; got 'a...")),
]


@table(BAD_DESIGNS)
def test_bad_setting_of_a_network(Network, bad, refusal):
    rng = np.random.default_rng(0)
    refusal.of(lambda: Network([3, 4, 2], rng=rng, **bad))
    # The caller's generator is where it was.
    assert rng.random() == np.random.default_rng(0).random()


@table(WITHOUT_HIDDEN)
def test_bad_setting_of_hidden_layers_where_there_are_none(Network, bad, refusal):
    refusal.of(lambda: Network([3, 2], **bad))


@table(
    [("lr_factors", *row) for row in BAD_FACTORS]
    + [("frozen", *row) for row in BAD_FROZEN],
    "setting, bad, refusal",
)
def test_bad_setting_of_the_layers(Network, setting, bad, refusal):
    net = made(Network)
    net.lr_factors, net.frozen = [0.5, 2.0], [False, True]
    refusal.of(lambda: setattr(net, setting, bad), net)


@pytest.mark.parametrize(
    "setting, value",
    [("frozen", [True, False]), ("lr_factors", [0.5, 1.0]), ("optimizer", bp.Adam())],
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
            refusal = Refusal(RuntimeError, "this network is in use by another ...")
            refusal.of(lambda: setattr(net, setting, value))
            assert getattr(net, setting) == kept
        finally:
            done.set()
        fit.result()


# --- fit ------------------------------------------------------------------------------


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
#: Known only when they are asked.
BAD_ANSWERS_OF_METRICS = [
    *(({"metrics": lambda y, a, bad=bad: bad}, NUMBER) for bad in (None, "x", 1j, [1])),
    ({"metrics": lambda y, a: a}, NUMBER),
    ({"metrics": lambda y: 1}, TYPE("...takes 1 positional argument...")),
    ({"metrics": fails}, OF_CALLER),
]
CALLABLES = [
    (None, "None"),
    (5, "5"),
    (print, "<built-in function print>"),
    ("ab", "'a'"),
    ([print, 3], "3"),
    ([[print]], "[...]"),
    ({"print": print}, "'print'"),
]
BAD_FITS = [
    *bad_counts("epochs"),
    *bad_counts("batch_size"),
    *bad_counts("accumulate"),
    *bad_counts("patience"),
    ({"epochs": None}, TYPE("epochs must be a whole number ...; got None")),
    ({"accumulate": None}, TYPE("accumulate must be a whole number ...; got None")),
    *bad_flags("shuffle"),
    *bad_flags("restore_best"),
    *bad_flags("progress"),
    *bad_numbers("min_delta", AT_LEAST_0, lambda bad: {"min_delta": bad}),
    *BAD_METRICS,
    *(
        ({"monitor": bad}, VALUE(f"monitor must be one of loss...; got {bad!r}..."))
        for bad in ("", 5, True, [], {}, "lr", "seconds")
    ),
    *(
        ({"mode": bad}, VALUE(f"mode must be one of auto, min, max; got {bad!r}"))
        for bad in (None, 5, True, "", [])
    ),
    (
        {"metrics": [mine], "monitor": "mine"},
        VALUE("mode must be 'min' or 'max' to monitor 'mine'; got 'auto'"),
    ),
    *(
        ({name: bad}, TYPE(f"{name} must be ...callables; got {got}"))
        for name in ("callbacks", "batch_callbacks")
        for bad, got in CALLABLES
    ),
    ({"steps_per_epoch": 3}, VALUE("steps_per_epoch needs mini-batches ...for X...")),
]
NO_DATA = "validation must be (X, y), (X, y, sample_weight) or a fraction; got "
BAD_VALIDATION = [
    *bad_numbers("validation", BETWEEN, lambda bad: bad, ()),
    (0.01, VALUE("validation=0.01 must leave at least one of 6 rows on each side...")),
    (0.99, VALUE("validation=0.99 must leave at least one of 6 rows on each side...")),
    *((bad, TYPE(f"{NO_DATA}{bad.__class__.__name__}")) for bad in (True, "0.5", 0.5j)),
    (X, TYPE(NO_DATA + "ndarray")),
    ({"X": X, "y": LABELS}, TYPE(NO_DATA + "dict")),
    *((bad, VALUE(f"{NO_DATA}{len(bad)} entries")) for bad in ((), (X,), (X,) * 4)),
    ((X[:, :2], LABELS), VALUE("validation X must have shape (n, 3) ...; got (6, 2)")),
    ((X, LABELS[:5]), VALUE("validation y must have shape (6,) ...; got (5,)")),
    ((X, None), TYPE("validation y must be given; got None")),
    ((*DATA, -np.ones(6)), VALUE("validation sample_weight must not be neg...")),
]


def assert_fit_refuses(net, bad, refusal, capsys):
    refusal.of(lambda: net.fit(*DATA, **bad), net)
    assert capsys.readouterr().err == ""  # no bar was begun


@table(BAD_FITS)
def test_bad_setting_of_a_fit(Network, capsys, bad, refusal):
    assert_fit_refuses(made(Network), bad, refusal, capsys)
    # Nor are rows drawn to be held back before all is known to be right.
    assert_fit_refuses(made(Network), {"validation": 0.5, **bad}, refusal, capsys)


@table(BAD_FITS)
def test_bad_setting_of_a_fit_of_many(Network, bad, refusal):
    nets = pair(Network)
    refusal.of(lambda: bp.fit_many(nets, *DATA, **bad), *nets)


@table(BAD_VALIDATION)
def test_bad_validation(Network, capsys, bad, refusal):
    assert_fit_refuses(made(Network), {"validation": bad}, refusal, capsys)


def test_all_the_weight_on_one_side_of_a_share(Network):
    # Then nothing would be learnt, or the validation loss would be 0 for ever.
    net, weight = made(Network), np.eye(6)[2]
    settings = {"sample_weight": weight, "validation": 0.5, **QUIET}
    VALUE("...sample_weight...all zero...").of(lambda: net.fit(*DATA, **settings), net)


def test_any_real_number_is_a_share_of_the_rows(Network):
    shares = 0.5, np.float32(0.5), np.float64(0.5)
    nets = [made(Network) for _ in shares]
    for net, share in zip(nets, shares, strict=True):
        assert net.fit(*DATA, validation=share, **QUIET).validation_loss.size
    assert everything(nets[0]) == everything(nets[1]) == everything(nets[2])


def test_numbers_larger_than_any_count_are_taken(Network):
    huge, net, other = 2**70, made(Network), made(Network)
    stop = {"batch_callbacks": [lambda net, *_: net.learner.state.steps == 9], **QUIET}
    net.fit(*DATA, epochs=huge, batch_size=huge, patience=huge, **stop)
    net.fit(*DATA, accumulate=huge, epochs=2, **QUIET)
    net.fit(iter([DATA] * 2), steps_per_epoch=huge, epochs=2, **QUIET)
    other.fit(*DATA, epochs=8, **QUIET)
    other.fit(*DATA, accumulate=7, epochs=2, **QUIET)
    other.fit([DATA] * 2, epochs=1, **QUIET)
    assert everything(net) == everything(other)


# --- classes' weights -----------------------------------------------------------------

OF_CLASSES = "class_weight must have labels in {} .. 1 for keys; got {!r}"
IN_SHAPE = "class_weight must have shape (2,); got "
ALL_REAL = "class_weight must hold real numbers; got "
NO_KEYS = (2, -1, 10**30, "0", None, 2.0, 0.5, NAN, (0,))
BAD_CLASS_WEIGHTS = [
    *(({bad: 2.0}, VALUE(OF_CLASSES.format(0, bad))) for bad in NO_KEYS),
    *bad_numbers("class_weight[1]", AT_LEAST_0, lambda bad: {1: bad}),
    ({0: 0, 1: 0}, VALUE("class_weight must not be ...; got values from 0.0 to 0.0")),
    ([0, 0], VALUE("class_weight must not be ...; got values from 0.0 to 0.0")),
    ([1, -1], VALUE("class_weight must not be negative...; got ...-1.0...")),
    ([1, NAN], VALUE("class_weight must be finite in float64; got nan at [1]")),
    *((bad, VALUE(f"{IN_SHAPE}({len(bad)},)")) for bad in ([], [1], [1, 2, 3])),
    (np.ones((2, 1)), VALUE(IN_SHAPE + "(2, 1)")),
    (0.5, VALUE(IN_SHAPE + "()")),
    ([1, None], TYPE(ALL_REAL + "None at [1] (dtype object)")),
    (["a", "b"], TYPE(ALL_REAL + "dtype <U1")),
    ({0, 1}, TYPE(ALL_REAL + "set")),
    (b"balanced", TYPE(ALL_REAL + "bytes")),
    ("balancd", VALUE("class_weight must be ...'balanced'; got 'balancd'...")),
    ("", VALUE("class_weight must be ...'balanced'; got ''...")),
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
CLASSLESS = ["squared_error", "huber", "quantile", "poisson", "kl_divergence"]


@pytest.mark.parametrize("name", WEIGHS)
@table(BAD_CLASS_WEIGHTS)
def test_bad_class_weight(Network, name, bad, refusal):
    for loss, n_out, y in (
        ("cross_entropy", 2, LABELS),
        ("binary_cross_entropy", 1, ONE),
    ):
        net = made(Network, loss, n_out)
        refusal.of(lambda net=net, y=y: WEIGHS[name](net, y, bad), net)


@pytest.mark.parametrize("name", WEIGHS)
@pytest.mark.parametrize("bad", [-2, 2, "1", 0.5], ids=repr)
def test_bad_class_weight_of_a_hinge(Network, name, bad):
    net, refusal = made(Network, "hinge", 1), VALUE(OF_CLASSES.format(-1, bad))
    y = right(net)
    refusal.of(lambda: WEIGHS[name](net, y, {bad: 2.0}), net)


@pytest.mark.parametrize("name", WEIGHS)
@pytest.mark.parametrize("loss", CLASSLESS)
@pytest.mark.parametrize("weight", ["balanced", [1.0, 2.0], {0: 2.0}], ids=str)
def test_class_weight_of_what_are_no_classes(Network, name, loss, weight):
    net = made(Network, loss)
    refusal = VALUE(f"class_weight needs a loss whose targets are classes...{loss}...")
    refusal.of(lambda: WEIGHS[name](net, TARGETS, weight), net)


@pytest.mark.parametrize("label", [1.0, True, np.int8(1), np.float32(1)], ids=repr)
def test_a_class_is_what_equals_its_label(Network, label):
    net = made(Network)
    expected = net.evaluate(*DATA, class_weight=[1.0, 5.0])
    assert net.evaluate(*DATA, class_weight={label: 5.0}) == expected


def test_validation_data_of_weightless_classes_alone(Network):
    net, validation = made(Network), (X[:1], LABELS[:1])
    settings = {"class_weight": {0: 0.0}, "validation": validation, **QUIET}
    refusal = VALUE(
        "validation class_weight must not be negative nor all zero; got ..."
    )
    refusal.of(lambda: net.fit(*DATA, **settings), net)


# --- mini-batches from an iterable ----------------------------------------------------


def generator(*items):
    yield from items


def frame():
    return pytest.importorskip("pandas").DataFrame(X)


ITEM = "mini-batch {}: it must be (X, y) or (X, y, sample_weight); got {}"
ROWS = "X must have shape (n, 3) with n at least 1; got "
NO_BATCH = VALUE("X must yield at least one mini-batch; got none")
Y_GIVEN = TYPE("y must be given...; got None")
BAD_STREAMS = {
    "array": (lambda: X, Y_GIVEN),
    "data frame": (frame, Y_GIVEN),
    "None": (lambda: None, TYPE("X must hold real numbers; got NoneType")),
    "number": (lambda: 5, EITHER("X must ...; got ...")),
    "text": (lambda: "XY", TYPE(ITEM.format(1, "str"))),
    "mapping": (lambda: {"X": X, "y": LABELS}, TYPE(ITEM.format(1, "str"))),
    "lists": (X.tolist, EITHER("mini-batch 1: ...; got ...")),
    "empty list": (list, NO_BATCH),
    "empty generator": (generator, NO_BATCH),
    "arrays": (lambda: [X, X], TYPE(ITEM.format(1, "ndarray"))),
    "pairs in an array": (lambda: [np.ones((2, 3))], TYPE(ITEM.format(1, "ndarray"))),
    "None in it": (lambda: [None], TYPE(ITEM.format(1, "NoneType"))),
    "mappings": (lambda: [{"X": X, "y": LABELS}], TYPE(ITEM.format(1, "dict"))),
    "X alone": (lambda: [(X,)], EITHER(ITEM.format(1, "1 entr..."))),
    "four": (lambda: [(X,) * 4], EITHER(ITEM.format(1, "4 entries"))),
    "no X": (lambda: [(None, LABELS)], TYPE("mini-batch 1: X must hold real ...")),
    "no y": (lambda: [(X, None)], TYPE("mini-batch 1: y must be given; got None")),
    "no rows": (lambda: [(X[:0], LABELS[:0])], VALUE(f"mini-batch 1: {ROWS}(0, 3)")),
    "one row": (lambda: [(X[0], 1)], VALUE(f"mini-batch 1: {ROWS}(3,)")),
}
#: As the second mini-batch, after a right one.
OF_WEIGHT = "mini-batch 2: sample_weight must "
BAD_ITEMS = {
    "narrow": ((X[:, :2], LABELS), VALUE(f"mini-batch 2: {ROWS}(6, 2)")),
    "nan": ((X * NAN, LABELS), VALUE("mini-batch 2: X must be finite ...")),
    "few": ((X, LABELS[:5]), VALUE("mini-batch 2: y must have shape (6,) ...")),
    "label": (
        (X, LABELS + 1),
        VALUE("mini-batch 2: y must hold labels in 0 .. 1; ..."),
    ),
    "weights": ((*DATA, -np.ones(6)), VALUE(OF_WEIGHT + "not be negative ...")),
    "few weights": (
        (*DATA, np.ones(5)),
        VALUE(OF_WEIGHT + "have shape (6,); got (5,)"),
    ),
    "no tuple": (5, TYPE(ITEM.format(2, "int"))),
}
BRINGS = "{} cannot be given with mini-batches from an iterable..."
BAD_WITH_STREAMS = [
    ({"sample_weight": np.ones(6)}, VALUE(BRINGS.format("sample_weight"))),
    ({"class_weight": "balanced"}, VALUE(BRINGS.format("class_weight"))),
    ({"batch_size": 4}, VALUE(BRINGS.format("batch_size"))),
    *(
        ({"validation": bad}, VALUE(f"validation must be (X, y) ...; got {bad!r}"))
        for bad in (0.5, 1, np.float32(0.5))
    ),
    ({"metrics": "accuracy"}, VALUE("metrics ...need validation data...")),
    ({"monitor": "validation_loss"}, VALUE("monitor=... needs validation data...")),
    *bad_counts("steps_per_epoch"),
    *bad_counts("patience"),
]


@table(BAD_STREAMS)
def test_bad_stream(Network, bad, refusal):
    net, stream = made(Network), bad()
    refusal.of(lambda: net.fit(stream, **QUIET), net)


@pytest.mark.parametrize("accumulate", [1, 2])
@table(BAD_ITEMS)
def test_bad_mini_batch_after_a_right_one(Network, accumulate, bad, refusal):
    net, other, stream = made(Network), made(Network), generator(DATA, bad)
    refusal.of(lambda: net.fit(stream, epochs=1, accumulate=accumulate, **QUIET))
    if accumulate == 1:
        other.train_step(*DATA)
    else:
        other.learner.state.counters[1] += 1  # what waits for a step is forgotten
    assert everything(net) == everything(other)
    for each in (net, other):
        each.fit([DATA, DATA], epochs=2, **QUIET)
    assert everything(net) == everything(other)


def test_an_error_of_the_iterable_arrives_as_it_is(Network):
    def broken():
        yield DATA
        raise ERRORS[0]

    net, other = made(Network), made(Network)
    with pytest.raises(LookupError) as caught:
        net.fit(broken(), epochs=1, **QUIET)
    assert caught.value is ERRORS[0]
    other.train_step(*DATA)
    assert everything(net) == everything(other)


@table(BAD_WITH_STREAMS)
def test_bad_setting_with_a_stream(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.fit([DATA], **{**QUIET, **bad}), net)


# --- what some networks and optimizers cannot do --------------------------------------

ROW = X[:1], LABELS[:1]
TWO_ROWS = "X must have at least 2 rows for batch norm; got 1"
BATCHES = (
    "batch_size must leave at least 2 rows in every mini-batch for batch norm; "
    "{} rows in mini-batches of {} leave 1"
)
NEEDS_ROWS = {
    "train_step": (lambda net: net.train_step(*ROW), TWO_ROWS),
    "gradients": (lambda net: net.gradients(*ROW), TWO_ROWS),
    "check_gradients": (lambda net: bp.check_gradients(net, *ROW), TWO_ROWS),
    "forward": (lambda net: net.forward(ROW[0]), TWO_ROWS),
    "stream": (lambda net: net.fit([ROW], **QUIET), "mini-batch 1: " + TWO_ROWS),
    "learn_one": (lambda net: net.learn_one(X[0], 1), "...batch norm...; got 1"),
    "partial_fit": (lambda net: net.partial_fit(*ROW), BATCHES.format(1, 1)),
    "fit_many": (lambda net: bp.fit_many([net], *ROW), BATCHES.format(1, 1)),
    "fit": (lambda net: net.fit(*ROW), BATCHES.format(1, 1)),
    "single rows": (lambda net: net.fit(*DATA, batch_size=1), BATCHES.format(6, 1)),
    "share": (
        lambda net: net.fit(*DATA, batch_size=1, validation=0.5),
        BATCHES.format(3, 1),
    ),
}
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
SINGLE_STEPS = {
    "train_step": lambda net: net.train_step(*DATA),
    "learn_one": lambda net: net.learn_one(X[0], 1),
    "apply": lambda net: net.apply(net.gradients(*DATA)),
}
FULL = [
    ({"batch_size": 1}, "batch_size must be all 6 rows for {}, or None; got 1"),
    ({"batch_size": 5}, "batch_size must be all 6 rows for {}, or None; got 5"),
    ({"batch_size": 2, "validation": 0.5}, "batch_size must be all 3 rows for {}, ..."),
    ({"X": [DATA], "y": None}, "{} needs all of the data at once; got an iterable ..."),
]
FULL_BATCH = [
    (optimizer, bad, VALUE(text.format(type(optimizer).__name__)))
    for optimizer in (bp.Rprop(), bp.LBFGS())
    for bad, text in FULL
]
NO_BATCHES = VALUE("...batch_callbacks...LBFGS...")
FULL_BATCH += [(bp.LBFGS(), {"batch_callbacks": [print]}, NO_BATCHES)]


@table(NEEDS_ROWS, "call, text")
def test_batch_norm_needs_two_rows(Network, call, text):
    net = made(Network, norm="batch")
    VALUE(text).of(lambda: call(net), net)


def test_batch_norm_predicts_and_evaluates_a_row(Network):
    net = made(Network, norm="batch")
    assert net.predict(X[:1]).shape == (1, 2) and net.predict_one(X[0]).shape == (2,)
    assert np.isfinite(net.evaluate(*ROW))


@pytest.mark.parametrize("name", TRAINS)
@pytest.mark.parametrize("where", ["activation", "output"])
def test_step_is_for_predictions_only(Network, where, name):
    net = made(Network, "squared_error", **{where: "step"})
    refusal = VALUE("activation must have a derivative to train by; step has none: ...")
    refusal.of(lambda: TRAINS[name](net), net)
    assert net.predict(X).shape == (6, 2)
    assert np.isfinite(net.evaluate(X, TARGETS))


@table(FULL_BATCH, "optimizer, bad, refusal")
def test_optimizers_that_need_all_of_the_data(Network, optimizer, bad, refusal):
    net = made(Network, optimizer=optimizer)
    settings = {"X": X, "y": LABELS, **QUIET, **bad}
    refusal.of(lambda: net.fit(**settings), net)


@pytest.mark.parametrize("name", SINGLE_STEPS)
def test_lbfgs_makes_no_single_steps(Network, name):
    net = made(Network, optimizer=bp.LBFGS())
    refusal = VALUE("LBFGS trains by fit only, from all of the data...")
    refusal.of(lambda: SINGLE_STEPS[name](net), net)


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
    net.parameters[...] = 1e38
    with np.errstate(all="ignore"):
        refusal = Refusal(bp.DivergenceError, "the loss is not finite ...")
        refusal.of(lambda: net.fit(X, TARGETS, **QUIET), net)


# --- single samples -------------------------------------------------------------------

OF_X = "x must have shape (3,); got "
FINITE = "{} must be finite in float32; got {}"
BAD_SAMPLES = {
    "row": (X[:1], VALUE(OF_X + "(1, 3)")),
    "narrow": (X[0, :2], VALUE(OF_X + "(2,)")),
    "number": (0.5, VALUE(OF_X + "()")),
    "empty": ([], VALUE(OF_X + "(0,)")),
    "text": ("abc", TYPE("x must hold real numbers; got str")),
    "None": (None, TYPE("x must hold real numbers; got NoneType")),
    "complex": (X[0] * 1j, TYPE("x must hold real numbers; got dtype complex64")),
    "ragged": ([1, [2], 3], VALUE("x must be a regular array...; got a ragged...")),
    "nan": (X[0] * NAN, VALUE(FINITE.format("x", "nan at [0]"))),
    "inf": ([0, 0, INF], VALUE(FINITE.format("x", "inf at [2]"))),
    "overflow": ([0, 1e39, 0], VALUE(FINITE.format("x", "1e+39 at [1]"))),
}
BAD_LABELS = {
    "too large": (2, VALUE("y must hold labels in 0 .. 1; got 2")),
    "too small": (-1, VALUE("y must hold labels in 0 .. 1; got -1")),
    "int8": (np.int8(7), VALUE("y must hold labels in 0 .. 1; got 7")),
    **{f"2^{power}": (2**power, EITHER("y must ...")) for power in (31, 63, 64, 70)},
    "-2^70": (-(2**70), EITHER("y must ...; got ...")),
    "uint64": (np.uint64(2**64 - 1), EITHER("y must ...; got ...")),
    "float": (1.0, TYPE("y ...must ...integer label...; got ...")),
    "None": (None, TYPE("y must ...; got None...")),
    "text": ("a", TYPE("y must ...; got str")),
    "wide": (np.zeros(3), VALUE("y must ...shape (2,)...; got (3,)")),
    "rows": (TARGETS, VALUE("y must ...shape (2,)...; got (6, 2)")),
    "row": (TARGETS[:1], VALUE("y must ...shape (2,)...; got (1, 2)")),
    "nan": ([0, NAN], VALUE(FINITE.format("y", "nan at [1]"))),
    "above 1": ([0, 1.5], VALUE(IN_0_TO_1.format("cross_entropy", "0.0 to 1.5"))),
}
BAD_NUMBERS = {
    "10^400": (10**400, EITHER("y must ...; got ...")),
    "nan": (NAN, VALUE(FINITE.format("y", "nan..."))),
    "overflow": (1e39, VALUE(FINITE.format("y", "1e+39..."))),
    "wide": ([0.5, 0.5], VALUE("y must ...shape (1,)...; got (2,)")),
    "text": ("a", TYPE("y must ...; got str")),
}


@table(BAD_SAMPLES)
def test_bad_sample(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.learn_one(bad, 1), net)
    refusal.of(lambda: net.predict_one(bad), net)


@table(BAD_LABELS)
def test_bad_label_of_a_sample(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.learn_one(X[0], bad), net)


@table(BAD_NUMBERS)
def test_bad_number_of_a_sample(Network, bad, refusal):
    net = made(Network, "squared_error", 1)
    refusal.of(lambda: net.learn_one(X[0], bad), net)


@pytest.mark.parametrize("loss, y", [("hinge", 0), ("hinge", 0.5), ("poisson", -1.0)])
def test_number_of_a_sample_that_the_loss_does_not_take(Network, loss, y):
    net = made(Network, loss, 1)
    refusal = VALUE(f"y must be ... for {loss}; got ...{float(y)}...")
    refusal.of(lambda: net.learn_one(X[0], y), net)


@pytest.mark.parametrize("n", [2, 200])
@pytest.mark.parametrize("hidden", [[], [4]], ids=str)
def test_a_prediction_may_be_predicted_from(Network, n, hidden):
    # It lies where the next one will.
    net = Network([n, *hidden, n], rng=0)
    x = RNG.standard_normal(n).astype("float32")
    expected = net.predict(net.predict(x))
    assert np.array_equal(net.predict_one(net.predict_one(x)), expected)


# --- many networks --------------------------------------------------------------------


def pair(Network):
    return [made(Network, rng=seed) for seed in range(2)]


def of_values(make, values=None):
    """What fit_many is given to make networks of values."""
    return {"networks": make, "values": values}


A_SEQUENCE = "networks must be a sequence of networks, or a function ...; got "
EACH = "each of networks must be a Network; got "
THREADS = 'n_threads must be a whole number of at least 1, or "auto"; got '
BAD_NETWORKS = {
    "twice": (lambda a, b: {"networks": [a, b, a]}, VALUE("networks must be diff...")),
    "none": (lambda a, b: {"networks": []}, VALUE("networks must not be empty; ...")),
    "one": (lambda a, b: {"networks": a}, TYPE(A_SEQUENCE + "Network")),
    "None": (lambda a, b: {"networks": None}, TYPE(A_SEQUENCE + "NoneType")),
    "iterator": (lambda a, b: {"networks": iter([a])}, TYPE(A_SEQUENCE + "list_it...")),
    "mapping": (lambda a, b: {"networks": {"a": a}}, TYPE(A_SEQUENCE + "dict")),
    "text": (lambda a, b: {"networks": "ab"}, TYPE(EACH + "str")),
    "None in it": (lambda a, b: {"networks": [a, None]}, TYPE(EACH + "NoneType")),
    "class": (lambda a, b: {"networks": [a, bp.Network]}, TYPE(EACH + "type")),
    "no values": (
        lambda a, b: of_values(lambda value: a),
        TYPE("values must be given where networks is a function; got None"),
    ),
    "a number": (lambda a, b: of_values(fails, 5), TYPE("values must be ...; got 5")),
    "empty": (
        lambda a, b: of_values(fails, []),
        VALUE("networks must not be empty; ..."),
    ),
    "values too": (lambda a, b: of_values([a, b], [1, 2]), TYPE("values ...")),
    "the same": (lambda a, b: of_values([a, b].__getitem__, [0, 0]), VALUE("...twice")),
    "nothing made": (lambda a, b: of_values(print, [""]), TYPE(EACH + "NoneType")),
    "that fails": (lambda a, b: of_values(fails, [1]), OF_CALLER),
    "unknown": (
        lambda a, b: {"epoch": 5},
        TYPE("...unexpected keyword ... 'epoch'..."),
    ),
    "no threads": (lambda a, b: {"n_threads": 0}, VALUE(THREADS + "0")),
    "half a thread": (lambda a, b: {"n_threads": 1.5}, TYPE(THREADS + "1.5")),
    "all threads": (lambda a, b: {"n_threads": "all"}, TYPE(THREADS + "'all'")),
    "threads": (lambda a, b: {"n_threads": None}, TYPE(THREADS + "None")),
}
BAD_DATA = {
    "narrow": ({"X": X[:, :2]}, VALUE(ROWS + "(6, 2)")),
    "nan": ({"X": X * NAN}, VALUE(FINITE.format("X", "nan at [0, 0]"))),
    "no X": ({"X": None}, TYPE("X must hold real numbers; got NoneType")),
    "no y": ({"y": None}, TYPE("y must ...; got None...")),
    "few labels": ({"y": LABELS[:5]}, VALUE("y must have shape (6,) ...; got (5,)")),
    "stream": ({"X": [DATA], "y": None}, EITHER("...must ...; got ...")),
}
#: Settings of a second network that the fit does not suit, and those of the fit.
BALANCED = {"y": TARGETS, "class_weight": "balanced"}
BY_FIVE = {"batch_size": 5}
BAD_SECOND = {
    "sizes": ({"sizes": (5, 4)}, {}, "X must have shape (n, 5) ...; got (6, 3)"),
    "loss": ({"loss": "huber"}, {}, "y must have shape (6, 2) ...; got (6,)"),
    "classes": ({"loss": "huber"}, BALANCED, "class_weight needs a loss whose ..."),
    "step": ({"activation": "step"}, {}, "activation must have a derivative ..."),
    "batch norm": ({"norm": "batch"}, {"batch_size": 1}, BATCHES.format(6, 1)),
    "Rprop": ({"optimizer": bp.Rprop()}, BY_FIVE, "batch_size must be all 6 rows ..."),
}
THREADED = pytest.mark.parametrize("n_threads", [1, 2])


@table(BAD_NETWORKS)
def test_bad_networks(Network, bad, refusal):
    a, b = pair(Network)
    settings = {"networks": [a, b], **bad(a, b)}
    refusal.of(lambda: bp.fit_many(X=X, y=LABELS, **settings), a, b)


@THREADED
@table(BAD_DATA)
def test_bad_data_of_many(Network, n_threads, bad, refusal):
    nets, data = pair(Network), {"X": X, "y": LABELS, **bad}
    refusal.of(lambda: bp.fit_many(nets, n_threads=n_threads, **data), *nets)


@THREADED
@table(BAD_SECOND, "second, settings, text")
def test_what_does_not_suit_one_of_many_changes_none(
    Network, n_threads, second, settings, text
):
    nets = [made(Network), made(Network, **second), made(Network)]
    settings = {"X": X, "y": LABELS, "n_threads": n_threads, **settings}
    VALUE(text).of(lambda: bp.fit_many(nets, **settings), *nets)


@THREADED
def test_parameters_of_one_of_many_that_are_not_finite(Network, n_threads):
    nets = pair(Network)
    nets[1].parameters[0] = NAN
    refusal = VALUE("the network's parameters must be finite before training...")
    refusal.of(lambda: bp.fit_many(nets, *DATA, n_threads=n_threads), *nets)


@THREADED
def test_every_network_gets_what_comes_from_a_generator(Network, n_threads):
    seen = []
    fitted = bp.fit_many(
        pair(Network),
        *DATA,
        epochs=1,
        n_threads=n_threads,
        callbacks=generator(lambda net, _: seen.append(net)),
        batch_callbacks=generator(lambda net, *_: seen.append(net)),
        metrics=generator("accuracy", "auc"),
    )
    assert [list(fit.history.metrics) for fit in fitted] == [["accuracy", "auc"]] * 2
    assert all(seen.count(fit.network) == 2 for fit in fitted)


# --- evaluate, apply ------------------------------------------------------------------

BAD_MOMENTS = [
    np.zeros(3, "f4"),
    np.zeros(9, "f4"),
    np.zeros((2, 4)),
    "mean",
    [[0], []],
]


@table(BAD_METRICS + BAD_ANSWERS_OF_METRICS)
def test_bad_metrics_of_evaluate(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: net.evaluate(*DATA, **bad), net)


@table(BAD_ANSWERS_OF_METRICS)
def test_bad_answer_of_a_metric_keeps_the_epoch(Network, bad, refusal):
    net, other = made(Network), made(Network)
    refusal.of(lambda: net.fit(*DATA, **bad, **QUIET))
    other.fit(*DATA, epochs=1, **QUIET)
    assert everything(net) == everything(other)


def test_a_metric_does_not_change_the_data(Network):
    def spoil(y, a):
        if y.flags.writeable:
            y[...] = 0
        return 1.0

    net, y = made(Network), TARGETS.copy()
    net.evaluate(X, y, metrics=spoil)
    net.fit(X, y, metrics=spoil, **QUIET)
    assert np.array_equal(y, TARGETS)


def test_moments_of_another_dtype(Network):
    # Those of batch norm, which come with the derivatives.
    net = made(Network, norm="batch")
    other = made(Network, norm="batch", dtype="float64")
    gradients = other.gradients(*DATA)
    for each in (net, other):
        each.apply(gradients)
    np.testing.assert_allclose(net.running_moments[0], other.running_moments[0], 1e-3)


@pytest.mark.parametrize("moments", BAD_MOMENTS, ids=short)
def test_bad_moments(Network, moments):
    net = made(Network, norm="batch")
    gradients = replace(net.gradients(*DATA), moments=moments)
    EITHER("gradients.moments must ...; got ...").of(lambda: net.apply(gradients), net)


def test_moments_of_a_network_with_other_norms(Network):
    # As many parameters, but fewer moments.
    net = made(Network, sizes=(3, 4, 8), norm=["layer", "batch"])
    other = made(Network, sizes=(3, 4, 8), norm=["batch", "layer"])
    gradients = other.gradients(*DATA)
    VALUE("gradients.moments must ...; got ...").of(lambda: net.apply(gradients), net)
