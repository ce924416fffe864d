"""Learning-rate schedules, and the exact functions that they are made of.

golden/schedules.json holds what PyTorch computes (golden/make_schedules.py made it).
"""

import json
import math
import pickle
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
import pytest

from bpcore.schedules import (
    Constant,
    CosineLog,
    CosineRestarts,
    Custom,
    Exponential,
    FlatCosine,
    InverseScaling,
    OneCycle,
    Plateau,
    Polynomial,
    ReduceOnPlateau,
    Schedule,
    StepDecay,
    WarmUp,
    as_schedule,
    exact,
    rates,
)
from helpers import short

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/schedules.json").read_text())


# The exact functions --------------------------------------------------------------

RNG = np.random.default_rng(0)
SPREAD = np.ldexp(RNG.uniform(0.5, 1, 500), RNG.integers(-1073, 1024, 500))
NEAR_1 = 1 + RNG.choice([-1, 1], 500) * 2.0 ** RNG.uniform(-53, -1, 500)
MULTIPLES = np.arange(-20, 21) * math.pi / 2


def relative_error(value, truth):
    return float(abs((value - truth) / truth)) if truth else abs(value)


@pytest.mark.parametrize(
    "name, points",
    [
        ("exp", [*RNG.uniform(-700, 709, 500), *RNG.uniform(-1, 1, 500), 0.0]),
        ("log", [*SPREAD, *NEAR_1, 1.0, 5e-324]),
    ],
)
def test_exp_and_log(name, points):
    with mpmath.workdps(40):
        for x in map(float, points):
            truth = getattr(mpmath, name)(x)
            assert relative_error(getattr(exact, name)(x), truth) < 1e-15


@pytest.mark.parametrize("size, bound", [(40, 5e-16), (92, 1e-15), (700, 5e-15)])
def test_power(size, bound):
    with mpmath.workdps(40):
        for x in map(float, [*SPREAD, *NEAR_1]):
            y = RNG.uniform(-size, size) / math.log(x)
            truth = mpmath.power(mpmath.mpf(x), mpmath.mpf(y))
            assert relative_error(exact.power(x, y), truth) < bound


def test_cos():
    points = [*RNG.uniform(-7, 7, 500), *RNG.uniform(-1e6, 1e6, 500), *MULTIPLES]
    with mpmath.workdps(40):
        for x in map(float, points):
            assert abs(exact.cos(x) - mpmath.cos(x)) < 1e-15


@pytest.mark.parametrize("x", [0.0, -1.0, math.nan])
@pytest.mark.parametrize(
    "f", [exact.log, lambda x: exact.power(x, 2.0)], ids=["log", "power"]
)
def test_no_log_or_power_of_what_is_not_above_0(f, x):
    with pytest.raises(ValueError, match="x must be above 0; got"):
        f(x)


def test_ends_of_the_range():
    assert exact.exp(-1e300) == exact.power(0.5, 1e300) == 0.0
    assert exact.power(0.5, 1074) == 5e-324
    assert exact.power(2.0, 1023) == 2.0**1023
    assert exact.power(1.0, 1e308) == exact.power(7.0, 0.0) == 1.0
    assert exact.exp(709.78) < math.inf
    assert exact.exp(709.79) == exact.exp(math.inf) == math.inf
    assert exact.power(2.0, 1024) == exact.power(2.0, 1e308) == math.inf


def test_bits():
    """Recorded bits, equal on every machine: a change of them changes seeded runs."""
    values = [
        exact.exp(0.1),
        exact.log(0.1),
        exact.power(0.97, 100),
        exact.cos(1.0),
        CosineRestarts(0.1, 7)(3),
        OneCycle(0.1, 100)(50),
        InverseScaling(0.1, 0.7)(12),
        CosineLog(0.1, 100)(47),
        FlatCosine(0.1, 100)(77),
    ]
    assert [value.hex() for value in values] == [
        "0x1.1aec7b35a00d4p+0",
        "-0x1.26bb1bbb55515p+1",
        "0x1.858cd64c3c9abp-5",
        "0x1.14a280fb5068cp-1",
        "0x1.f4be9c700744dp-5",
        "0x1.452dc30ac52a7p-4",
        "0x1.100e8abd9ff26p-6",
        "0x1.4e6268962e19ap-14",
        "0x1.6643753ac8739p-5",
    ]


# Rates ----------------------------------------------------------------------------

SCHEDULES = {
    "step decay": StepDecay(0.5, 3, factor=0.5),
    "exponential": Exponential(0.5, 0.9),
    "exponential, growing": Exponential(0.5, 1.3),
    "polynomial": Polynomial(0.5, 15),
    "polynomial, squared": Polynomial(0.5, 15, power=2.0),
    "cosine": CosineRestarts(0.5, 5),
    "cosine, growing": CosineRestarts(0.5, 3, growth=2, end=0.01),
    "one cycle": OneCycle(0.5, 24),
    "one cycle, short": OneCycle(0.5, 24, 0.1, start_factor=10.0, end_factor=5.0),
    "one cycle, no rise": OneCycle(0.5, 24, 0.0),
    "warm-up": WarmUp(StepDecay(0.5, 3, factor=0.5), 4, start=0.1),
}
PLATEAUS = {
    "plateau, default": ReduceOnPlateau(0.5, patience=3),
    "plateau, impatient": ReduceOnPlateau(0.5, patience=0, factor=0.5, min_delta=0.1),
    "plateau, cooldown": ReduceOnPlateau(0.5, patience=1, factor=0.5, cooldown=3),
    "plateau, least": ReduceOnPlateau(0.5, patience=1, factor=0.3, least=0.05),
    "plateau, max": ReduceOnPlateau(0.5, patience=2, factor=0.5, mode="max"),
}


def a_tenth(t):
    return 0.1


EVERY = [
    *SCHEDULES.values(),
    *PLATEAUS.values(),
    Constant(0.1, per="step"),
    InverseScaling(0.1),
    Custom(a_tenth),
    CosineLog(0.1, 9, cycles=2),
    FlatCosine(0.1, 9, 0.25, per="epoch"),
    WarmUp(OneCycle(0.1, 9), 3),
    WarmUp(ReduceOnPlateau(0.1, monitor="accuracy", mode="max"), 3),
]


def test_golden_file_is_used_whole():
    assert GOLDEN.keys() == {"values", *SCHEDULES, *PLATEAUS}


@pytest.mark.parametrize("name", SCHEDULES)
def test_as_pytorch(name):
    golden = GOLDEN[name]
    given = rates(SCHEDULES[name], 0, len(golden))
    np.testing.assert_allclose(given, golden, rtol=1e-13, atol=1e-17)


def test_constant():
    assert rates(Constant(0.3), 7, 4).tolist() == [0.3] * 4


@pytest.mark.parametrize("power", [0.0, 0.25, 0.5, 1.0])
def test_inverse_scaling(power):
    expected = [0.1 / (t + 1) ** power for t in range(50)]
    np.testing.assert_allclose(
        rates(InverseScaling(0.1, power), 0, 50), expected, rtol=1e-15
    )


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("lr, end", [(0.5, 0.1), (0.1, 0.5)])
def test_polynomial(lr, end, power):
    schedule = Polynomial(lr, 8, end=end, power=power)
    expected = [end + (lr - end) * (1 - t / 8) ** power for t in range(8)]
    np.testing.assert_allclose(rates(schedule, 0, 8), expected, rtol=1e-15)
    assert rates(schedule, 8, 3).tolist() == [end] * 3


@pytest.mark.parametrize(
    "schedule, start, length",
    [
        (CosineRestarts(0.5, 6, end=0.1), 6, 6),
        (CosineRestarts(0.5, 4, growth=3), 4, 12),
        (CosineRestarts(0.1, 5, growth=2, end=0.5), 15, 20),
    ],
)
def test_cosine_restarts(schedule, start, length):
    lr, end = schedule.lr, schedule.end
    shares = [(1 + math.cos(math.pi * s / length)) / 2 for s in range(length)]
    expected = [end + (lr - end) * share for share in shares]
    given = rates(schedule, start, length + 1)
    np.testing.assert_allclose(given[:-1], expected, rtol=1e-14)
    assert given[0] == given[-1] == lr


def test_cosine_restarts_late():
    assert CosineRestarts(0.5, 7)(7 * 10**18) == 0.5
    assert CosineRestarts(0.5, 7, growth=2)(7 * (2**60 - 1)) == 0.5


@pytest.mark.parametrize("total", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("rise", [0.0, 0.1, 0.3, 0.5, 0.9])
def test_one_cycle(total, rise):
    schedule = OneCycle(0.5, total, rise, start_factor=8.0, end_factor=16.0)
    top = rise * total - 1
    given = rates(schedule, 0, total)
    assert given.max() <= 0.5
    assert (np.diff(given[np.arange(total) <= top]) > 0).all()
    assert (np.diff(given[np.arange(total) >= top]) < 0).all()
    if top > 0:
        assert given[0] == 0.5 / 8
    if top in range(total):
        assert given[int(top)] == 0.5
    assert given[-1] == schedule(total) == schedule(10 * total) == 0.5 / 8 / 16


@pytest.mark.parametrize("kind", [OneCycle, CosineLog, FlatCosine])
def test_schedules_with_a_total_are_per_step(kind):
    assert kind(0.1, 10).per == "step"
    assert kind(0.1, 10, per="epoch").per == "epoch"


@pytest.mark.parametrize("cycles", [1, 2, 4, 7])
@pytest.mark.parametrize("total", [1, 15, 77, 1000])
def test_cosine_log(total, cycles):
    schedule = CosineLog(0.4, total, cycles)
    with mpmath.workdps(30):
        waves = [
            mpmath.log(1 + (2**cycles - 1) * mpmath.mpf(t) / total, 2)
            for t in range(total)
        ]
        expected = [float(0.2 * (1 - mpmath.cospi(2 * wave))) for wave in waves]
    given = rates(schedule, 0, total + 3)
    np.testing.assert_allclose(given[:-3], expected, rtol=1e-14, atol=2e-15)
    assert given[0] == 0 and given[-3:].tolist() == [0] * 3
    assert given.max() <= 0.4


def test_waves_of_cosine_log_end_at_zero():
    """The first takes 1/15 of the steps; the last begins after 7/15 of them."""
    given = rates(CosineLog(1.0, 1500), 0, 1501)
    assert np.flatnonzero(given == 0).tolist() == [0, 100, 300, 700, 1500]
    assert all((given[a + 1 : b] > 0).all() for a, b in pairwise((0, 100, 300, 700)))
    assert CosineLog(1.0, 3, cycles=1000)(2) <= 1


@pytest.mark.parametrize("total", [1, 2, 9, 1000])
@pytest.mark.parametrize("flat", [0.0, 0.25, 0.5, 0.9])
def test_flat_cosine(total, flat):
    start = flat * total
    shares = [max(t - start, 0) / (total - start) for t in range(total)]
    expected = [0.5 * (1 + math.cos(math.pi * share)) / 2 for share in shares]
    given = rates(FlatCosine(0.5, total, flat), 0, total + 2)
    np.testing.assert_allclose(given[:-2], expected, rtol=1e-13)
    assert (given[: math.ceil(start)] == 0.5).all() and given[0] == 0.5
    assert (np.diff(given[math.ceil(start) : -1]) < 0).all()
    assert given[-2:].tolist() == [0, 0]


@pytest.mark.parametrize(
    "schedule", (Exponential(0.1, 1e-300), StepDecay(0.1, 1, 0.1)), ids=repr
)
def test_steep_decay_of_every_epoch_ends_at_zero(schedule):
    assert schedule(2000) == 0.0


def test_steep_decay_ends_at_zero():
    assert InverseScaling(0.1, 1e300)(1) == Polynomial(0.1, 9, power=1e300)(1) == 0.0


@pytest.mark.parametrize(
    "schedule, size",
    [
        (Exponential(0.5, 0.999), 0.001),
        (InverseScaling(0.5, 0.01), 0.01),
        (Polynomial(0.5, 900), 1 / 900),
        (CosineRestarts(0.5, 1001), math.pi / 2 / 1001),
        (OneCycle(0.5, 1000), math.pi / 2 / 299),
        (FlatCosine(0.5, 900, 0.3), math.pi / 2 / 630),
        (CosineLog(0.5, 900), 15 / math.log(2) * math.pi / 900),
        (WarmUp(Polynomial(0.5, 900), 300), 1 / 300),
    ],
)
def test_small_steps(schedule, size):
    """No jumps, also not from one phase to the next."""
    assert abs(np.diff(rates(schedule, 0, 1000))).max() <= 0.5 * size * (1 + 1e-9)


# Warm-up --------------------------------------------------------------------------


@pytest.mark.parametrize("after", [Exponential(0.5, 0.9), OneCycle(0.5, 10)])
@pytest.mark.parametrize("start", [0.0, 0.3])
def test_warm_up(after, start):
    schedule = WarmUp(after, 4, start)
    shares = [Fraction(start) + (1 - Fraction(start)) * t / 4 for t in range(4)]
    expected = [float(share) * after(0) for share in shares]
    np.testing.assert_allclose(rates(schedule, 0, 4), expected, rtol=1e-15)
    np.testing.assert_array_equal(rates(schedule, 4, 9), rates(after, 0, 9))
    assert schedule.per == after.per
    assert schedule.plateau is None


def test_warm_up_of_plateau():
    inner = ReduceOnPlateau(0.5)
    schedule = WarmUp(inner, 4, 0.2)
    assert schedule.plateau is inner.plateau is inner
    scales = [schedule.scale(t) for t in range(6)]
    np.testing.assert_allclose(scales, [0.2, 0.4, 0.6, 0.8, 1, 1], rtol=1e-15)
    assert inner.scale(0) == 1.0
    assert schedule.per == "epoch"


# Plateaus -------------------------------------------------------------------------


def histories(schedule, values):
    plateau = schedule.initial()
    for value in values:
        plateau = schedule.after(plateau, value)
        yield plateau


@pytest.mark.parametrize("name", PLATEAUS)
def test_plateau_as_pytorch(name):
    schedule = PLATEAUS[name]
    assert schedule.initial().lr == 0.5
    given = [plateau.lr for plateau in histories(schedule, GOLDEN["values"])]
    np.testing.assert_allclose(given, GOLDEN[name], rtol=1e-14)
    assert len(set(given)) > 2


def test_plateau_goes_on_from_where_it_was():
    schedule = PLATEAUS["plateau, cooldown"]
    plateau = schedule.after(schedule.initial(), 3.0)
    assert plateau == Plateau(lr=0.5, best=3.0, wait=0, cooldown=0)
    before = pickle.dumps(plateau)
    assert schedule.after(plateau, 3.0) == schedule.after(plateau, 3.0)
    assert pickle.dumps(plateau) == before
    assert schedule.after(pickle.loads(before), 3.0).wait == 1


@pytest.mark.parametrize("mode", ["min", "max"])
def test_nan_is_never_better(mode):
    schedule = ReduceOnPlateau(0.5, patience=1, mode=mode)
    assert schedule.after(schedule.initial(), math.nan) == schedule.initial()
    *_, last = histories(schedule, [1.0, math.nan, math.nan, math.nan])
    assert last == Plateau(0.5, 1.0, 0, 0)  # nor does it count for patience


BETTER = {
    "min": [
        (1.0, 0.85),
        (-1.0, -1.15),
        (0.0, -1e-9),
        (math.inf, 5.0),
        (math.inf, -5.0),
    ],
    "max": [
        (1.0, 1.15),
        (-1.0, -0.85),
        (0.0, 1e-9),
        (-math.inf, 5.0),
        (-math.inf, -5.0),
    ],
}
NOT_BETTER = {
    "min": [(1.0, 0.95), (-1.0, -0.95), (-1.0, -1.05), (0.0, 0.0), (-math.inf, -9.0)],
    "max": [(1.0, 1.05), (-1.0, -1.05), (-1.0, -0.95), (0.0, 0.0), (math.inf, 9.0)],
}


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_margin_is_a_share_of_the_size_of_the_best(mode):
    schedule = ReduceOnPlateau(0.5, min_delta=0.1, mode=mode)
    for best, value in BETTER[mode]:
        after = schedule.after(Plateau(0.5, best, 1, 0), value)
        assert after == Plateau(0.5, value, 0, 0), (best, value)
    for best, value in NOT_BETTER[mode]:
        after = schedule.after(Plateau(0.5, best, 1, 0), value)
        assert after == Plateau(0.5, best, 2, 0), (best, value)


def test_losses_below_zero_that_become_slowly_worse_reduce_the_rate():
    schedule = ReduceOnPlateau(1.0, factor=0.5, patience=1, min_delta=0.1)
    given = [p.lr for p in histories(schedule, [-1.0, -0.95, -0.9, -0.85, -0.8])]
    assert given == [1.0, 1.0, 0.5, 0.5, 0.25]


# What comes in --------------------------------------------------------------------


VALUE_ERRORS = {
    "Constant(-1)": "lr must be finite and at least 0; got -1.0",
    "Constant(math.nan)": "lr must be finite and at least 0; got nan",
    "Constant(1, per='batch')": "per must be one of epoch, step; got 'batch'",
    "Constant(1)(-1)": "t must be a whole number of at least 0; got -1",
    "Custom(lambda t: -t)(3)": "at t=3 must be finite and at least 0; got -3.0",
    "Custom(lambda t: math.nan)(4)": "at t=4 must be finite and at least 0; got nan",
    "StepDecay(1, 0)": "every must be a whole number of at least 1; got 0",
    "StepDecay(1, 2, 0)": "factor must be finite and above 0; got 0.0",
    "Exponential(math.inf, 1)": "lr must be finite and at least 0; got inf",
    "Exponential(1, -1)": "factor must be finite and above 0; got -1.0",
    "Exponential(1e308, 2)(1)": "at t=1 must be finite and at least 0; got inf",
    "Exponential(1, 1.1)(8000)": "at t=8000 must be finite and at least 0; got inf",
    "InverseScaling(1, -1)": "power must be finite and at least 0; got -1.0",
    "Polynomial(1, 0)": "total must be a whole number of at least 1; got 0",
    "Polynomial(1, 9, -1)": "end must be finite and at least 0; got -1.0",
    "Polynomial(1, 9, power=-1)": "power must be finite and at least 0; got -1.0",
    "CosineRestarts(1, 0)": "period must be a whole number of at least 1; got 0",
    "CosineRestarts(1, 9, 0)": "growth must be a whole number of at least 1; got 0",
    "CosineRestarts(1, 9, end=-1)": "end must be finite and at least 0; got -1.0",
    "OneCycle(-1, 9)": "peak must be finite and at least 0; got -1.0",
    "OneCycle(1, 0)": "total must be a whole number of at least 1; got 0",
    "OneCycle(1, 9, 1)": "rise must be at least 0 and below 1; got 1.0",
    "OneCycle(1, 9, start_factor=0)": "start_factor must be finite and above 0; got 0",
    "OneCycle(1, 9, end_factor=0)": "end_factor must be finite and above 0; got 0",
    "CosineLog(-1, 9)": "lr must be finite and at least 0; got -1.0",
    "CosineLog(1, 0)": "total must be a whole number of at least 1; got 0",
    "CosineLog(1, 9, 0)": "cycles must be a whole number of at least 1; got 0",
    "CosineLog(1, 9, 1001)": "cycles must be at most 1000; got 1001",
    "FlatCosine(-1, 9)": "lr must be finite and at least 0; got -1.0",
    "FlatCosine(1, 0)": "total must be a whole number of at least 1; got 0",
    "FlatCosine(1, 9, 1)": "flat must be at least 0 and below 1; got 1.0",
    "FlatCosine(1, 9, per='day')": "per must be one of epoch, step; got 'day'",
    "WarmUp(Constant(1), 0)": "length must be a whole number of at least 1; got 0",
    "WarmUp(Constant(1), 3, 1)": "start must be at least 0 and below 1; got 1.0",
    "ReduceOnPlateau(1, 0)": "factor must be above 0 and below 1; got 0.0",
    "ReduceOnPlateau(1, 1)": "factor must be .* below 1; got 1.0",
    "ReduceOnPlateau(1, patience=-1)": "patience must be a whole .* at least 0; got -1",
    "ReduceOnPlateau(1, min_delta=1)": "min_delta must be .* below 1; got 1.0",
    "ReduceOnPlateau(1, cooldown=-1)": "cooldown must be a whole .* at least 0; got -1",
    "ReduceOnPlateau(1, least=2)": "least must be at most lr, 1.0; got 2.0",
    "ReduceOnPlateau(1, mode='mean')": "mode must be one of auto, min, max; got 'mean'",
    "ReduceOnPlateau(1, per='step')": "per must be one of epoch; got 'step'",
    "as_schedule(-1)": "lr must be finite and at least 0; got -1.0",
}
TYPE_ERRORS = {
    "Constant('1')": "lr must be a number; got '1'",
    "Constant(1)(0.5)": "t must be a whole number of at least 0; got 0.5",
    "Custom(0.1)": r"f must be a callable f\(t\); got 0.1",
    "Custom(lambda t: None)(5)": "at t=5 must be a number; got None",
    "StepDecay(1, 2.0)": "every must be a whole number of at least 1; got 2.0",
    "CosineRestarts(1, 9, 1.5)": "growth must be a whole number of at least 1; got 1.5",
    "WarmUp('0.1', 3)": "after must be a number of at least 0, a Schedule or a",
    "WarmUp(WarmUp(Constant(1), 3), 3)": "after must be .* another kind; got a WarmUp",
    "ReduceOnPlateau(1)(3)": "must come from a Plateau.*; got only t",
    "WarmUp(ReduceOnPlateau(1), 2)(3)": "must come from a Plateau.*; got only t",
    "ReduceOnPlateau(1, monitor=3)": "monitor must be a name or None; got 3",
    "as_schedule(True)": "lr must be a number; got True",
    "as_schedule('fast')": "lr must be a number .*, a Schedule or .*; got 'fast'",
    "as_schedule(None)": "lr must be a number .*, a Schedule or .*; got None",
    "as_schedule(StepDecay)": "lr must be a number .*, a Schedule or .*; got <class",
}


@pytest.mark.parametrize("call", [*VALUE_ERRORS, *TYPE_ERRORS])
def test_refused(call):
    error = ValueError if call in VALUE_ERRORS else TypeError
    with pytest.raises(error, match=(VALUE_ERRORS | TYPE_ERRORS)[call]):
        eval(call)


def test_as_schedule():
    assert as_schedule(np.float32(0.5)) == 0.5
    assert type(as_schedule(Fraction(1, 4))) is float
    schedule = StepDecay(0.1, 3)
    assert as_schedule(schedule) is schedule
    assert as_schedule(a_tenth) == Custom(a_tenth)
    assert as_schedule(a_tenth).per == "epoch"


def test_numbers_are_made_plain():
    schedule = StepDecay(np.float32(0.5), np.int8(3), Fraction(1, 4))
    assert [type(value) for value in vars(schedule).values()] == [
        str,
        float,
        int,
        float,
    ]
    assert type(Custom(lambda t: np.float32(0.5))(0)) is float
    assert Constant(0.5)(np.int64(3)) == 0.5


@pytest.mark.parametrize("schedule", EVERY, ids=short)
def test_schedules_are_values(schedule):
    with pytest.raises(FrozenInstanceError):
        schedule.lr = 0.2
    copies = [pickle.loads(pickle.dumps(schedule)), replace(schedule)]
    if not isinstance(schedule, Custom):
        copies.append(eval(repr(schedule)))
    for copy in copies:
        assert copy == schedule
        assert hash(copy) == hash(schedule)
        assert copy.per == schedule.per
    assert isinstance(schedule, Schedule)


def test_repr_shows_what_is_not_the_default():
    assert (
        repr(StepDecay(0.1, 3, per="step")) == "StepDecay(lr=0.1, every=3, per='step')"
    )


def test_rates():
    schedule = Exponential(0.5, 0.9)
    given = rates(schedule, 3, 5)
    assert given.dtype == np.float64
    assert given.tolist() == [schedule(t) for t in range(3, 8)]
    assert rates(schedule, 3, 0).shape == (0,)
