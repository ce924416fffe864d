"""Settings that optimizers refuse, and what is refused as an optimizer."""

from dataclasses import fields

import pytest

import bpcore as bp
from bpcore import schedules
from helpers.refusals import (
    ABOVE_0,
    ABOVE_1,
    AT_LEAST_0,
    BETWEEN,
    NO_NUMBERS,
    NO_OPTIMIZERS,
    SHARE,
    SUCH_AS,
    TYPE,
    UP_TO_1,
    VALUE,
    bad_counts,
    bad_flags,
    bad_numbers,
    made,
    table,
)

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
    bp.Momentum: {**RATE, "alpha": UP_TO_1},
    bp.RMSprop: {**RATE, "alpha": SHARE, "eps": ABOVE_0, "momentum": SHARE},
    bp.Adagrad: {**RATE, **SUMS},
    **dict.fromkeys((bp.Adam, bp.AdamW, bp.AMSGrad, bp.Adamax, bp.RAdam), ADAM),
    bp.Nadam: {**ADAM, "momentum_decay": AT_LEAST_0},
    bp.Lion: BETAS,
    bp.Rprop: {**RATE, **STEPS},
    bp.LBFGS: {"tolerance": AT_LEAST_0},
}
FLAGS = {
    bp.SGD: ["nesterov"],
    bp.Momentum: ["nesterov"],
    bp.RMSprop: ["centered"],
    **{kind: ["eps_corrected"] for kind in OWN if issubclass(kind, bp.Adam)},
}
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


def each_number(spans):
    """Parametrize by optimizers and the spans of their numbers, {optimizer: {...}}."""
    rows = [(kind, name, span) for kind in spans for name, span in spans[kind].items()]
    ids = [f"{kind.__name__} {name}" for kind, name, _ in rows]
    return pytest.mark.parametrize("optimizer, name, span", rows, ids=ids)


@each_number({kind: OF_ALL | own for kind, own in OWN.items()})
def test_bad_number_of_an_optimizer(optimizer, name, span):
    no_numbers = NO_NUMBERS[:-1] if name in LIMITS else NO_NUMBERS
    for bad, refusal in bad_numbers(name, span, lambda bad: bad, no_numbers):
        refusal.of(lambda bad=bad: optimizer(**{name: bad}))


OF_BIASES_TOO = {
    kind: {
        **PENALTIES,
        **{name: span for name, span in own.items() if name != "lr"},
        "lr_factor": AT_LEAST_0,
    }
    for kind, own in OWN.items()
}


@each_number(OF_BIASES_TOO)
def test_bad_number_of_the_biases(optimizer, name, span):
    for bad, refusal in bad_numbers(f"biases[{name!r}]", span, lambda bad: {name: bad}):
        refusal.of(lambda bad=bad: optimizer(biases=bad))


@table(
    [
        (kind, bad, refusal)
        for kind in OWN
        for flag in ("decoupled", *FLAGS.get(kind, ()))
        for bad, refusal in bad_flags(flag)
    ],
    "optimizer, bad, refusal",
)
def test_bad_flag_of_an_optimizer(optimizer, bad, refusal):
    refusal.of(lambda: optimizer(**bad))


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


@table([*NO_OPTIMIZERS, (None, TYPE(SUCH_AS + "None"))])
def test_no_optimizer(Network, bad, refusal):
    net = made(Network)
    refusal.of(lambda: setattr(net, "optimizer", bad), net)


@pytest.mark.parametrize("kind", [bp.Optimizer, Unknown])
def test_an_optimizer_without_a_rule(Network, kind):
    net, refusal = made(Network), TYPE(f"...{kind.__name__}...")
    refusal.of(lambda: setattr(net, "optimizer", kind(0.1)), net)
    refusal.of(lambda: Network([3, 2], optimizer=kind(0.1)))
