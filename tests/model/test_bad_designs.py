"""Settings that a new network refuses, and settings of its layers."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from helpers.refusals import (
    AT_LEAST_0,
    DATA,
    EITHER,
    FIRST_RATES,
    NO_NUMBERS,
    NO_OPTIMIZERS,
    QUIET,
    SHARE,
    TYPE,
    VALUE,
    Refusal,
    bad_numbers,
    made,
    table,
    wrong_names,
)

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


@wrong_names(WRONG_NAMES)
def test_wrong_name_in_a_network(Network, argument, name, refusal):
    settings = {"loss": "squared_error", argument: name}
    refusal.of(lambda: Network([3, 4, 4, 2], **settings))
    if argument in ("activation", "norm"):
        settings[argument] = ["batch" if argument == "norm" else "relu", name]
        refusal.of(lambda: Network([3, 4, 4, 2], **settings))


# --- what a network is made of --------------------------------------------------------

OF_HIDDEN = "{} must be one value or one for each of the {} hidden layers; got {}"
NO_NORM = "norm...must be one of batch, layer; got "
BAD_DESIGNS = [
    *bad_numbers("dropout", SHARE, lambda bad: {"dropout": bad}, (True, "0.5", None)),
    *bad_numbers("dropout", SHARE, lambda bad: {"dropout": [bad]}),
    *bad_numbers("input_noise", AT_LEAST_0, lambda bad: {"input_noise": bad}),
    *bad_numbers(
        *("input_scale, if not None,", AT_LEAST_0, lambda bad: {"input_scale": bad}),
        NO_NUMBERS[:-1],
    ),
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
FACTORS = "lr_factors must be one number or pair for each..."
PAIR = "lr_factors[0] must be a number, or a pair, for W and for b; got "
BOOLS = "frozen must be one bool for each of the 2 layers of weights; got "
BAD_FACTORS = [
    *bad_numbers("lr_factors[1]", AT_LEAST_0, lambda bad: [1, bad], (True, "1", None)),
    *(
        (bad, TYPE(f"{FACTORS}; got {bad!r}"))
        for bad in (None, True, 0.5, "ab", {0: 1})
    ),
    (np.array(0.5), TYPE(FACTORS + "; got array(0.5)")),
    *((bad, VALUE(f"{FACTORS}; got {len(bad)}")) for bad in ([], [1] * 3, np.ones(3))),
    *bad_numbers(
        "lr_factors[0][1]", AT_LEAST_0, lambda bad: [(1, bad), 1], (True, "1")
    ),
    *bad_numbers("lr_factors[1][0]", AT_LEAST_0, lambda bad: [1, [bad, 1]], (None,)),
    *(([bad, 1], VALUE(f"{PAIR}{bad!r}")) for bad in ((), [1], (1, 1, 1))),
    (np.ones((2, 1)), VALUE(PAIR + "array([1.])")),
    (np.ones((2, 2, 2)), TYPE("lr_factors[0] must be a number; got array(...)")),
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
    [
        ("frozen", [True, False]),
        ("lr_factors", [0.5, (1, 2)]),
        ("optimizer", bp.Adam()),
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
            refusal = Refusal(RuntimeError, "this network is in use by another ...")
            refusal.of(lambda: setattr(net, setting, value))
            assert getattr(net, setting) == kept
        finally:
            done.set()
        fit.result()
