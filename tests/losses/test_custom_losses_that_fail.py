"""Custom losses that return something wrong, raise, or use their network."""

import numpy as np
import pytest

import bpcore as bp
from helpers.refusals import (
    EITHER,
    ERRORS,
    IN_ORDER,
    MANY,
    NAN,
    OF_CALLER,
    QUIET,
    TARGETS,
    TYPE,
    VALUE,
    Refusal,
    X,
    everything,
    fails,
    made,
    table,
)


def square(a, y):
    """The squared error."""
    return ((a - y) ** 2).sum(axis=1) / 2, a - y


class Turning:
    """A custom loss whose function may be replaced."""

    def __init__(self):
        self.answer = square

    def __call__(self, a, y):
        return self.answer(a, y)


def turning(Network, answer=square, **settings):
    """A trained network whose custom loss is replaced by `answer`."""
    net = made(Network, Turning(), **settings)
    net.loss.answer = answer
    return net


def assert_goes_on_as(other, net):
    """Training goes on with the bits of a network that had no error."""
    net.loss.answer = square
    for each in (net, other):
        each.fit(X, TARGETS, epochs=2, batch_size=4, **QUIET)
    assert np.array_equal(net.parameters, other.parameters)
    assert net.learner.state.bits.state == other.learner.state.bits.state


PAIR = "loss(a, y) must return (values per sample, d value / d a); got "
ARRAYS = "loss(a, y) must return arrays of shapes (6,) and (6, 2); got "
REAL = "loss(a, y) must return ...real numbers; got ..."
MASKED = "values and derivatives of the loss must hold real numbers, none masked; ..."
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
    "masked": (lambda a, y: (np.ma.array(a[:, 0]), a), TYPE(MASKED)),
    "masked too": (lambda a, y: (a[:, 0], np.ma.array(a, mask=True)), TYPE(MASKED)),
    "ragged": (lambda a, y: ([1, [2, 3]], a), EITHER(REAL)),
    "Nones": (lambda a, y: (None, None), EITHER("loss(a, y) must return ...; got ...")),
    "one argument": (lambda a: a, TYPE("...takes 1 positional argument...")),
    "bad shapes": (lambda a, y: a @ y, VALUE("matmul: ...")),
}


def the_only_error(call):
    """Raise the only error of the group that the call raises."""
    try:
        return call()
    except BaseExceptionGroup as group:
        (error,) = group.exceptions
        assert [fit.error for fit in group.fitted] == [error]
        raise error from None


CALLS = {
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
#: Calls that a loss must not make on the network whose step is calling it.
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
    """A loss that is right some times, and then raises every time."""

    def __init__(self, error, times=0):
        self.error, self.times, self.calls = error, times, 0

    def __call__(self, a, y):
        self.calls += 1
        if self.calls > self.times:
            raise self.error
        return square(a, y)


@pytest.mark.parametrize("name", CALLS)
@table(BAD_ANSWERS)
def test_bad_answer_of_a_loss(Network, name, bad, refusal):
    net, other = turning(Network, bad), turning(Network)
    refusal.of(lambda: CALLS[name](net), net)
    assert_goes_on_as(other, net)


@pytest.mark.parametrize("name", [*CALLS, "learn_one"])
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_an_error_in_a_loss_arrives_as_it_is(Network, name, error):
    net, other = turning(Network, Failing(error)), turning(Network)
    call = CALLS.get(name, lambda net: net.learn_one(X[0], TARGETS[0]))
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
def test_a_loss_that_fails_is_not_called_again(Network, times):
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
