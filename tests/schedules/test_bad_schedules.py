"""Schedules without a rate, with a bad rate, or with nothing to monitor."""

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers.refusals import (
    AT,
    BAD_RATES,
    DATA,
    FIRST_RATES,
    OF_CALLER,
    QUIET,
    VALUE,
    Refusal,
    everything,
    fails,
    made,
    table,
)

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
