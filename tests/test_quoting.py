"""Messages and printed objects have a bounded length, whatever a caller hands in."""

import datetime
import decimal
import enum
import fractions
import pathlib
import tracemalloc
import types
import uuid
from collections import OrderedDict, namedtuple

import numpy as np
import pandas as pd
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.engine import dispatch
from bpcore.engine.blocking import Blocks, overridden
from bpcore.graph import Variable
from bpcore.quoting import MOST, counted, cut, listed, quoted
from bpcore.sklearn import MLPRegressor
from bpcore.tabular import Classifier
from bpcore.training.record import Record

LAYERS = 8000
NAME, NUMBERS, LIST = "x" * 10**6, np.ones(10**6), [1.5] * 10**5
SIZES = Blocks(32768, 524288, 256, 192, 128)
HUGE = 10**5000  # more digits than Python converts to text


def network(sizes=(2, 2, 1), **options):
    return bp.Network(sizes, rng=0, **options)


def assign(name, value):
    setattr(network(), name, value)


def function(name, value=1.0):
    """A function with a name, as metric and as loss."""

    def f(a, y):
        return value

    f.__name__ = name
    return f


def named(count, name="m" * 100):
    return [function(f"{name}{i}") for i in range(count)]


def monitor(metrics, name):
    fit(metrics=metrics, monitor=name, patience=1)


def history(metrics):
    X = [[1.0, 2.0]]
    return network().fit(X, [1.0], epochs=1, metrics=metrics, progress=False)


class Loss:
    """A loss whose text is long."""

    def __call__(self, a, y):
        return (a - y) ** 2

    def __repr__(self):
        return NAME


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
    "monitor of many metrics": lambda: monitor(named(1000), "r"),
    "monitor of metrics with names": lambda: monitor(named(2, NAME), "r"),
    "column of many metrics": lambda: history(named(1000))["r"],
    "value of a metric": lambda: fit(metrics=[function(NAME, "none")]),
    "best of a metric": lambda: monitor([function(NAME)], NAME),
    "top_k": lambda: fit(metrics="top_" + "9" * 5000),
    "metadata": lambda: network().to_onnx("a.onnx", metadata={NAME: 1}),
    "output_names": lambda: network().to_onnx("a.onnx", output_names=[NAME, NAME]),
    "build": lambda: dispatch.use(NAME),
    "blocks": lambda: overridden(SIZES, "kc=" + "9" * 5000, 6, 16),
    "a column": lambda: Classifier().fit(pd.DataFrame({NAME: [1j, 2j]}), [0, 1]),
    "time": lambda: schedules.Exponential(0.1, 0.9)(HUGE),
    "sizes together": lambda: network([HUGE, HUGE]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_messages_quote_in_short(name):
    with pytest.raises(Exception) as caught:
        REFUSED[name]()
    message = str(caught.value)
    assert 0 < len(message) < 600 and len(message.splitlines()) < 5
    assert "Exceeds the limit" not in message  # of Python, which names no argument


def epochs(count):
    return bp.History(Record.of({"loss": np.arange(float(count)), "lr": [0] * count}))


def deep(**options):
    return bp.Network([2] * (LAYERS + 1), **options)


PRINTED = {
    "metrics with names": lambda: history([function(NAME), function(NAME + "x")]),
    "many metrics": lambda: history(named(1000)),
    "loss with a name": lambda: network(loss=function(NAME, 0.5)),
    "loss that is an object": lambda: network(loss=Loss()),
    "variable with a name": lambda: Variable(1.0, NAME),
    "paths with names": lambda: (2 * (x := Variable(1.0, NAME))).paths(x),
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
    "schedule": lambda: schedules.OneCycle(0.1, 2**63 - 1),
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


class Unwritten:
    def __repr__(self):
        raise RuntimeError


def test_objects_that_python_cannot_write():
    deep = []
    for _ in range(10**4):
        deep = [deep]
    for value in (deep, Unwritten(), HUGE):
        assert len(quoted(value)) <= MOST
        with pytest.raises(TypeError, match="optimizer must be settings"):
            network(optimizer=value)


def spoken(*_):
    raise AssertionError("a method of a user's class was called")


METHODS = ("repr", "str", "iter", "len", "getitem", "bool", "format")
LOUD = {f"__{name}__": spoken for name in METHODS} | {"items": spoken}
BASES = [object, str, bytes, int, float, complex, type]
BASES += [list, tuple, dict, set, frozenset]
LONG = [[1.5] * 100] * 100


def loud(base):
    """An object of a class with methods that must not be called, as a message may."""
    kind = type(f"Loud_{base.__name__}", (base,), dict(LOUD))
    return kind("Kind", (), {}) if base is type else kind()


@pytest.mark.parametrize("base", BASES)
def test_no_method_of_a_user_is_called(base):
    value = loud(base)
    for each in (value, [value], (value,), {"a": value}, np.array([value, 1], object)):
        assert 0 < len(quoted(each)) <= MOST
    with pytest.raises((TypeError, ValueError), match="optimizer must be"):
        network(optimizer=value)


@pytest.mark.parametrize(
    "value",
    [
        [LONG] * 100,
        tuple([LONG] * 100),
        {"a": [LONG] * 100},
        dict.fromkeys(range(100), LONG),
        [np.ones(10**6)] * 100,
        [["x" * 10**6] * 100] * 100,
        [[HUGE] * 100] * 100,
        {(HUGE, i) for i in range(100)},
        ValueError(LONG * 100),
        1 << 10**6,
        slice(LONG * 100),
        decimal.Decimal("1" * 10**5),
        fractions.Fraction(HUGE, 3),
        bytearray(10**6),
        types.ModuleType(NAME),
        datetime.timezone(datetime.timedelta(0), NAME),
        np.dtype([(f"f{i}", float) for i in range(1000)]),
    ],
    ids=range(17),
)
def test_no_more_is_read_than_is_shown(value):
    quoted(1.5)
    tracemalloc.start()
    try:
        text = quoted(value)
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()
    assert 0 < len(text) <= MOST


def test_collections_and_numbers_as_python_writes_them():
    Colour = enum.IntEnum("Colour", ["red"])
    Pair = namedtuple("Pair", ["a", "b"])
    values = [[], (), {}, set(), {1}, (1,), [[1, "a"], (2.5, None)], {"a": {1: b"x"}}]
    values += [True, np.True_, np.float32(2.5), 1j, range(3), len, int, ..., {(): []}]
    values += [bp.Adam(0.1), np.arange(3), np.ones((2, 2), "f4")]
    for value in values:
        assert quoted(value) == repr(value)
    assert quoted(frozenset({1})) == "frozenset({1})"
    assert quoted(Colour.red) == "1" and quoted(Pair(1, 2)) == "(1, 2)"
    assert quoted(OrderedDict(a=1)) == "{'a': 1}"
    endless = []
    endless.append(endless)
    assert "..." in quoted(endless)
    assert quoted(1 << 10**5) == "<an int of 100001 bits>"
    assert quoted(np.zeros((9, 99))) == "array of shape (9, 99), dtype float64"


def test_small_objects_of_python_and_numpy_as_they_write_them():
    Colour = enum.Enum("Colour", {"RED": 1, "LONG": LONG})
    utc = datetime.UTC
    values = [np.dtype(int), np.dtype(">f4"), np.dtype("U3"), np.dtype("M8[s]")]
    values += [decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=7)]
    values += [slice(1, None, 2), bytearray(b"x"), frozenset(), Colour.RED, utc]
    values += [datetime.datetime(2020, 1, 1, tzinfo=utc), datetime.date(2020, 1, 1)]
    values += [pathlib.Path("a"), NotImplemented]
    for value in values:
        assert quoted(value) == repr(value)
    assert quoted(types) == "<module 'types'>"
    assert quoted(Colour.LONG).startswith("<Colour.LONG: [[1.5, ")
    assert quoted(np.dtype([("a", float)])) == "dtype('void64')"


CALLED = []  # `quoted` survives errors, so that `spoken` would not show


def heard(*_):
    CALLED.append(1)
    return "heard"


class Descriptor:
    __get__ = __eq__ = __getattr__ = __call__ = heard


class Zone(datetime.tzinfo):
    utcoffset = __repr__ = heard


def test_no_code_of_a_user_runs():
    Meta = type("Meta", (type,), {"__hash__": heard, "__eq__": heard})
    Meta.__getattribute__ = Meta.__repr__ = heard
    kinds = [
        type("Kind", (base,), {"__repr__": Descriptor()}) for base in (object, int)
    ]
    values = [kind() for kind in kinds] + [Meta("Kind", (), {})()]
    Path = type("Path", (type(pathlib.PurePath("a")),), {"__str__": heard})
    values += [
        Path("a"),
        datetime.datetime(2020, 1, 1, tzinfo=Zone()),
        datetime.time(tzinfo=Zone()),
    ]
    values += [np.dtype("f4", metadata={"a": values[0]})]
    values += [enum.Enum("Colour", {"RED": values[0]}).RED]
    for value in values:
        CALLED.clear()
        assert 0 < len(quoted(value)) <= MOST
        assert not CALLED


def test_functions_of_a_user_that_write_numbers_are_not_called():
    with np.printoptions(formatter={"all": spoken}):
        assert quoted(np.ones(2)) == "array([1., 1.])"
        assert np.get_printoptions()["formatter"]
