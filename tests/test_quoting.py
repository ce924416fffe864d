"""Messages and printed objects have a bounded length, whatever a caller hands in."""

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.graph import Variable
from bpcore.quoting import MOST, counted, cut, listed, quoted
from bpcore.sklearn import MLPRegressor
from bpcore.training.record import Record

LAYERS = 8000
NAME, NUMBERS, LIST = "x" * 10**6, np.ones(10**6), [1.5] * 10**5
HUGE = 10**5000  # more digits than Python converts to text


def network(sizes=(2, 2, 1), **options):
    return bp.Network(sizes, rng=0, **options)


def assign(name, value):
    setattr(network(), name, value)


def fit(X=((1.0, 2.0),), y=(1.0,), **options):
    network().fit(X, y, progress=False, **options)


REFUSED = {
    "activation": lambda: network(activation=NAME),
    "activations": lambda: network(activation=LIST),
    "output": lambda: network(output=NAME),
    "loss": lambda: network(loss=NAME),
    "loss of numbers": lambda: network(loss=NUMBERS),
    "init": lambda: network(init=NAME),
    "norm": lambda: network(norm=[NAME]),
    "dropout": lambda: network(dropout=NAME),
    "sizes": lambda: network(NAME),
    "a size": lambda: network([2, NAME]),
    "many sizes": lambda: network([10**9] * 10**5),
    "a huge size": lambda: network([2, HUGE]),
    "dtype": lambda: network(dtype=NAME),
    "rng": lambda: network(rng=NAME),
    "negative rng": lambda: network(rng=-HUGE),
    "optimizer": lambda: network(optimizer=NAME),
    "parametrization": lambda: network(parametrization=NAME),
    "input_noise": lambda: network(input_noise=LIST),
    "lr": lambda: bp.SGD(lr=LIST),
    "huge lr": lambda: bp.SGD(lr=-HUGE),
    "huber": lambda: bp.Huber(NAME),
    "frozen": lambda: assign("frozen", [NAME, NAME]),
    "frozen by names": lambda: assign("frozen", dict.fromkeys(LIST)),
    "lr_factors": lambda: assign("lr_factors", [LIST, LIST]),
    "epochs": lambda: fit(epochs=NAME),
    "metrics": lambda: fit(metrics=[NAME] * 10),
    "monitor": lambda: fit(monitor=NAME),
    "callbacks": lambda: fit(callbacks=LIST),
    "class_weight": lambda: fit(class_weight={NAME: 1}),
    "batch_size": lambda: fit(batch_size=LIST),
    "shuffle": lambda: fit(shuffle=NAME),
    "X of a text": lambda: fit(X=NAME),
    "column": lambda: bp.History()[NAME],
    "attribute": lambda: getattr(bp.History(), NAME),
    "attribute of the module": lambda: getattr(bp, NAME),
    "every": lambda: bp.Checkpoint("a.bpc", every=NAME),
    "name": lambda: Variable(1.0, LIST),
    "value": lambda: setattr(Variable([1.0]) + 1, "value", 2.0),
    "to_c": lambda: network().to_c("a.h", name=NAME),
    "row": lambda: bp.trace(network(), [[1, 2]], [1]).path(NAME, 0, 0),
    "from_torch": lambda: bp.from_torch({NAME: NUMBERS}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_messages_quote_in_short(name):
    with pytest.raises(Exception) as caught:
        REFUSED[name]()
    message = str(caught.value)
    assert 0 < len(message) < 600 and len(message.splitlines()) < 5


def epochs(count):
    return bp.History(Record.of({"loss": np.arange(float(count)), "lr": [0] * count}))


def deep(**options):
    return bp.Network([2] * (LAYERS + 1), **options)


PRINTED = {
    "network": deep,
    "network with settings": lambda: deep(
        norm=["batch"] * (LAYERS - 1), dropout=[0.1] * (LAYERS - 1)
    ),
    "wide network": lambda: network([1, 10**6, 1], init="zeros"),
    "reference": lambda: bp.reference.Network([2] * (LAYERS + 1)),
    "learner": lambda: deep().learner,
    "design": lambda: deep().learner.design,
    "layout": lambda: deep().learner.design.layout,
    "state": lambda: deep().learner.state,
    "gradients": lambda: deep().gradients([[1, 2]], [[1, 2]]),
    "tape": lambda: deep().forward([[1, 2]]),
    "node of a network": lambda: deep().node([[1, 2]]),
    "history": lambda: epochs(10**6),
    "estimator": lambda: MLPRegressor(hidden_layer_sizes=(4,) * LAYERS),
    "variable": lambda: Variable(NUMBERS),
    "schedule": lambda: schedules.OneCycle(0.1, 10**18),
    "check": lambda: bp.check_gradients(network(), [[1, 2]], [1]),
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_objects_fit_a_screen(name):
    shown = PRINTED[name]()
    for text in (repr(shown), str(shown)):
        assert len(text) < 60 * 200 and len(text.splitlines()) <= 60


@pytest.mark.parametrize("form", [repr, str, lambda path: path._repr_html_()])
def test_a_path_of_more_terms_than_python_converts_to_text(form):
    net = bp.Network([16] * 3600, init="zeros")
    path = bp.trace(net, np.ones((1, 16)), np.ones((1, 16))).path(0, 0, 0)
    assert "10^100 or more terms" in form(path)


def test_short_objects_are_quoted_whole():
    for value in ("relu", 1.5, [1, "a"], {"b": 1, "a": 2}, None, b"x", np.ones(3)):
        assert quoted(value) == repr(value)
    for value in (NAME, LIST, NUMBERS, [NAME], {NAME}, NAME.encode(), HUGE, [HUGE]):
        assert len(quoted(value)) <= MOST
    assert quoted(NAME).startswith("'xxx")


def test_lists_counts_and_cuts():
    assert listed((4, 3)) == "[4, 3]" and listed(["a"] * 100) == repr(["a"] * 100)
    assert listed(range(101)).startswith("[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 91,")
    assert listed(range(101)).endswith("99, 100] (101)")
    assert counted(10**99) == f"{10**99:,}" and counted(HUGE) == "10^100 or more"
    assert cut("abcdefgh", 7) == "ab...gh" and cut("abc", 3) == "abc"
