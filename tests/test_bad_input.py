"""What comes in: refused whole, in plain words, or taken in whatever form it has.

Every row of the tables is a call that must raise, name the argument, say what was
expected and what came, and leave the network and the caller's arrays as they were.
"""

import math
import pickle
import tempfile
import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import bpcore as bp
import helpers

RNG = np.random.default_rng(0)
#: Zeros and ones, so that every dtype holds the same numbers.
X = RNG.integers(2, size=(6, 3)).astype("float32")
LABELS = np.array([0, 1, 1, 0, 1, 1])
TARGETS = np.eye(2, dtype="float32")[LABELS]
WEIGHTS = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
TWO_EPOCHS = {"epochs": 2, "batch_size": 4, "progress": False}


@pytest.fixture(params=[bp.Network, bp.reference.Network], ids=["compiled", "plain"])
def Network(request):
    return request.param


def small(Network, loss="cross_entropy", **settings):
    """A 3-4-2 network whose optimizer has a state that is not zero."""
    net = Network([3, 4, 2], loss=loss, rng=0, **settings)
    net.optimizer = bp.SGD(0.1, momentum=0.9)
    net.train_step(X, TARGETS)
    return net


def everything(net, *arguments):
    """All that a refused call must leave as it is, as bytes."""
    changes = helpers.everything(net), net.learner.accumulate, net.learner.engine.lr
    return pickle.dumps((changes, X, LABELS, TARGETS, WEIGHTS, arguments))


def message(argument, expected, got):
    got = rf"(got|\[.* give) .*({got})"
    return rf"(?s)^({argument})\b.* (must|needs) .*({expected}).*; {got}"


def assert_refused(net, call, argument, error, expected, got, *arguments):
    before = everything(net, *arguments)
    with pytest.raises(error, match=message(argument, expected, got)):
        call()
    assert everything(net, *arguments) == before


def table(rows):
    """Parametrize by a dict of rows, with its keys for names."""
    names = "bad, error, expected, got"
    return pytest.mark.parametrize(names, rows.values(), ids=list(rows))


class Sparse:
    """What NumPy cannot look into, as the matrices of scipy.sparse."""

    shape = (6, 3)

    def __len__(self):
        raise TypeError("sparse array length is ambiguous")


def spoilt(array, value):
    """A copy of the array with one value in its middle replaced."""
    copy = np.array(array, np.result_type(array, type(value)))
    copy[(3, 1)[: copy.ndim]] = value
    return copy


# --- X, of every call that takes one --------------------------------------------------

TAKES_X = {
    "fit": lambda net, X: net.fit(X, LABELS),
    "partial_fit": lambda net, X: net.partial_fit(X, LABELS),
    "validation": lambda net, X_v: net.fit(X, LABELS, validation=(X_v, LABELS)),
    "train_step": lambda net, X: net.train_step(X, LABELS),
    "gradients": lambda net, X: net.gradients(X, LABELS),
    "evaluate": lambda net, X: net.evaluate(X, LABELS),
    "predict": lambda net, X: net.predict(X),
    "call": lambda net, X: net(X),
    "forward": lambda net, X: net.forward(X),
    "check_gradients": lambda net, X: bp.check_gradients(net, X, LABELS),
}
SHAPE = r"shape \(n, 3\)"
BAD_X = {
    "number": (0.5, ValueError, SHAPE, r"\(\)"),
    "row too wide": (np.zeros(4), ValueError, SHAPE, r"\(4,\)"),
    "cube": (np.zeros((6, 3, 1)), ValueError, SHAPE, r"\(6, 3, 1\)"),
    "too narrow": (np.zeros((6, 2)), ValueError, SHAPE, r"\(6, 2\)"),
    "too wide": (np.zeros((6, 4)), ValueError, SHAPE, r"\(6, 4\)"),
    "transposed": (X.T, ValueError, SHAPE, r"\(3, 6\)"),
    "no rows": (X[:0], ValueError, "n at least 1", r"\(0, 3\)"),
    "no columns": (X[:, :0], ValueError, SHAPE, r"\(6, 0\)"),
    "nothing": ([], ValueError, SHAPE, r"\(0,\)"),
    "nan": (spoilt(X, math.nan), ValueError, "finite", r"nan at \[3, 1\]"),
    "inf": (spoilt(X, math.inf), ValueError, "finite", r"inf at \[3, 1\]"),
    "-inf": (spoilt(X, -math.inf), ValueError, "finite", r"-inf at \[3, 1\]"),
    "overflow": (
        spoilt(X.astype("float64"), 1e39),
        *(ValueError, "finite in float32", r"1e\+39 at \[3, 1\]"),
    ),
    "ragged": ([[1, 2, 3], [1, 2]], ValueError, "regular array", "ragged"),
    "object": (
        spoilt(X.astype(object), None),
        TypeError,
        "real numbers",
        r"None at \[3, 1\]",
    ),
    "text": ([["1", "2", "3"]], TypeError, "real numbers", "dtype <U1"),
    "bytes": (X.astype("S3"), TypeError, "real numbers", r"dtype \|S3"),
    "complex": (X * 1j, TypeError, "real numbers", "dtype complex64"),
    "dates": (X.astype("M8[s]"), TypeError, "real numbers", r"dtype datetime64"),
    "record": (np.zeros(6, "f4,f4,f4"), TypeError, "real numbers", "dtype"),
    "masked": (np.ma.masked_equal(X, 1), TypeError, "real numbers", "MaskedArray"),
    "sparse": (Sparse(), TypeError, "real numbers", "Sparse"),
    "None": (None, TypeError, "real numbers", "None"),
}


@pytest.mark.parametrize("name", TAKES_X)
@table(BAD_X)
def test_bad_X(Network, name, bad, error, expected, got):
    net = small(Network)
    argument = "validation X" if name == "validation" else "X"
    call = TAKES_X[name]
    assert_refused(net, lambda: call(net, bad), argument, error, expected, got, bad)


# --- y and sample_weight, of every call that takes them -------------------------------

TAKES_Y = {
    "fit": lambda net, y, w: net.fit(X, y, sample_weight=w),
    "partial_fit": lambda net, y, w: net.partial_fit(X, y, sample_weight=w),
    "validation": lambda net, y, w: net.fit(X, TARGETS, validation=(X, y, w)),
    "train_step": lambda net, y, w: net.train_step(X, y, w),
    "gradients": lambda net, y, w: net.gradients(X, y, w),
    "evaluate": lambda net, y, w: net.evaluate(X, y, w),
    "check_gradients": lambda net, y, w: bp.check_gradients(net, X, y, w),
}
#: What takes the weights as they are: of a mini-batch they may all be 0.
AS_GIVEN = ("partial_fit", "train_step", "gradients", "check_gradients")
BINARY = "binary_cross_entropy"
ENTROPIES = ["cross_entropy", BINARY, "kl_divergence"]
LOSSES = ["squared_error", "mean_squared_error", "huber", "poisson", *ENTROPIES]
LABEL_SHAPE, TARGET_SHAPE = r"\(6,\)", r"shape \(6, 2\)"
NO_LABELS = "integer labels|real numbers"
BAD_LABELS = {
    "negative": (spoilt(LABELS, -1), ValueError, r"labels in 0 \.\. 1", "-1"),
    "too large": (spoilt(LABELS, 2), ValueError, r"labels in 0 \.\. 1", "2"),
    "very large": (
        np.full(6, 2**64 - 1, "u8"),
        *(ValueError, r"labels in 0 \.\. 1", "18446744073709551615"),
    ),
    "float": (LABELS * 1.0, TypeError, "integer labels", "float64"),
    "nan": (np.full(6, np.nan), TypeError, "integer labels", "float64"),
    "text": (["a"] * 6, TypeError, NO_LABELS, "<U1"),
    "object": (
        spoilt(LABELS.astype(object), "a"),
        TypeError,
        NO_LABELS,
        r"'a' at \[3\]",
    ),
    "complex": (LABELS * 1j, TypeError, NO_LABELS, "complex128"),
    "too few": (LABELS[:5], ValueError, LABEL_SHAPE, r"\(5,\)"),
    "too many": (np.zeros(7, int), ValueError, LABEL_SHAPE, r"\(7,\)"),
    "none": ([], ValueError, LABEL_SHAPE, r"\(0,\)"),
    "one": (1, ValueError, LABEL_SHAPE, r"\(\)"),
    "column": (LABELS.reshape(6, 1), ValueError, LABEL_SHAPE, r"\(6, 1\)"),
}
BAD_TARGETS = {
    "too few": (TARGETS[:5], ValueError, TARGET_SHAPE, r"\(5, 2\)"),
    "too wide": (np.zeros((6, 3)), ValueError, TARGET_SHAPE, r"\(6, 3\)"),
    "cube": (np.zeros((6, 2, 1)), ValueError, TARGET_SHAPE, r"\(6, 2, 1\)"),
    "number": (0.5, ValueError, TARGET_SHAPE, r"\(\)"),
    "no rows": (TARGETS[:0], ValueError, TARGET_SHAPE, r"\(0, 2\)"),
    "nan": (spoilt(TARGETS, math.nan), ValueError, "finite", r"nan at \[3, 1\]"),
    "inf": (spoilt(TARGETS, math.inf), ValueError, "finite", r"inf at \[3, 1\]"),
    "overflow": (
        spoilt(TARGETS.astype("float64"), -1e39),
        *(ValueError, "finite in float32", r"-1e\+39 at \[3, 1\]"),
    ),
    "ragged": ([[0, 1], [[1], 0]], ValueError, "regular array", "ragged"),
    "text": ([["a", "b"]] * 6, TypeError, "real numbers", "<U1"),
    "object": (
        spoilt(TARGETS.astype(object), None),
        TypeError,
        "real numbers",
        "object",
    ),
    "complex": (TARGETS * 1j, TypeError, "real numbers", "complex64"),
    "masked": (
        np.ma.masked_equal(TARGETS, 1),
        TypeError,
        "real numbers",
        "MaskedArray",
    ),
    "sparse": (Sparse(), TypeError, "real numbers", "Sparse"),
}
NOT_PROBABILITIES = {
    "above 1": (spoilt(TARGETS, 1.5), ValueError, r"in 0 \.\. 1", "0.0 to 1.5"),
    "below 0": (spoilt(TARGETS, -0.5), ValueError, r"in 0 \.\. 1", "-0.5 to 1.0"),
}
BAD_WEIGHTS = {
    "negative": (spoilt(WEIGHTS, -1.0), ValueError, "not be negative", "-1.0 to 1.0"),
    "all zero": (np.zeros(6), ValueError, "nor all zero", "0.0 to 0.0"),
    "too few": (WEIGHTS[:5], ValueError, r"shape \(6,\)", r"\(5,\)"),
    "column": (WEIGHTS.reshape(6, 1), ValueError, r"shape \(6,\)", r"\(6, 1\)"),
    "number": (1.0, ValueError, r"shape \(6,\)", r"\(\)"),
    "nan": (spoilt(WEIGHTS, math.nan), ValueError, "finite", r"nan at \[3\]"),
    "inf": (spoilt(WEIGHTS, math.inf), ValueError, "finite", r"inf at \[3\]"),
    "too far apart": (spoilt(WEIGHTS, 1e-310), ValueError, "a factor of", "1e-310"),
    "ragged": ([1, [1, 2]], ValueError, "regular array", "ragged"),
    "text": (["a"] * 6, TypeError, "real numbers", "<U1"),
    "name": ("balanced", TypeError, "real numbers", "str"),
    "object": (
        spoilt(WEIGHTS.astype(object), None),
        TypeError,
        "real numbers",
        "object",
    ),
    "complex": (WEIGHTS * 1j, TypeError, "real numbers", "complex128"),
    "masked": (
        np.ma.masked_equal(WEIGHTS, 0),
        TypeError,
        "real numbers",
        "MaskedArray",
    ),
}


def assert_y_refused(Network, loss, name, bad, *expected):
    net, call = small(Network, loss), TAKES_Y[name]
    argument = "validation y" if name == "validation" else "y"
    assert_refused(net, lambda: call(net, bad, None), argument, *expected, bad)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", LOSSES)
@table(BAD_TARGETS)
def test_bad_targets(Network, loss, name, bad, error, expected, got):
    assert_y_refused(Network, loss, name, bad, error, expected, got)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", ENTROPIES)
@table(NOT_PROBABILITIES)
def test_targets_of_the_entropies_are_probabilities(
    Network, loss, name, bad, error, expected, got
):
    assert_y_refused(Network, loss, name, bad, error, expected, got)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_y_must_be_given(Network, loss, name):
    assert_y_refused(Network, loss, name, None, TypeError, "be given", "None")


@pytest.mark.parametrize("name", TAKES_Y)
@table(BAD_LABELS)
def test_bad_labels(Network, name, bad, error, expected, got):
    assert_y_refused(Network, "cross_entropy", name, bad, error, expected, got)


@pytest.mark.parametrize("name", TAKES_Y)
@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "cross_entropy"])
def test_labels_are_for_cross_entropy(Network, loss, name):
    expected = (ValueError, TARGET_SHAPE, r"\(6,\)")
    assert_y_refused(Network, loss, name, LABELS, *expected)


@pytest.mark.parametrize("name", TAKES_Y)
@table(BAD_WEIGHTS)
def test_bad_sample_weight(Network, name, bad, error, expected, got):
    if name in AS_GIVEN and got == "0.0 to 0.0":
        pytest.skip("a mini-batch whose weights are all 0 makes no step")
    net = small(Network)
    argument = "(validation )?sample_weight"
    call = TAKES_Y[name]
    row = (argument, error, expected, got, bad)
    assert_refused(net, lambda: call(net, LABELS, bad), *row)


# --- settings: of a network, of an optimizer, of a fit --------------------------------

BAD_SETTINGS = [
    ({"sizes": []}, ValueError, "at least 2 entries", r"\[\]"),
    ({"sizes": [3]}, ValueError, "at least 2 entries", r"\[3\]"),
    ({"sizes": [3, 0, 2]}, ValueError, "at least 1", "0"),
    ({"sizes": [3, -4, 2]}, ValueError, "at least 1", "-4"),
    ({"sizes": [3, 4.0, 2]}, TypeError, "whole number", r"4\.0"),
    ({"sizes": [3, True, 2]}, ValueError, "whole number", "True"),
    ({"sizes": [3, np.True_, 2]}, TypeError, "whole number", "True"),
    ({"sizes": [3, "4", 2]}, TypeError, "whole number", "'4'"),
    ({"sizes": [3, None]}, TypeError, "whole number", "None"),
    ({"sizes": [3, [4], 2]}, TypeError, "whole number", r"\[4\]"),
    ({"sizes": 3}, TypeError, "sequence of whole numbers", "3"),
    ({"sizes": None}, TypeError, "sequence of whole numbers", "None"),
    ({"sizes": "342"}, TypeError, "sequence of whole numbers", "'342'"),
    ({"sizes": b"342"}, TypeError, "sequence of whole numbers", "b'342'"),
    ({"sizes": {3, 4}}, TypeError, "sequence of whole numbers", r"\{3, 4\}"),
    ({"sizes": np.array(3)}, TypeError, "sequence of whole numbers", "3"),
    ({"sizes": [2**40, 2**40]}, ValueError, r"than 2\^59", str(2**80 + 2**40)),
    ({"sizes": [2**63, 1]}, ValueError, r"than 2\^59", str(2**63 + 1)),
    ({"sizes": [1, 2**58]}, ValueError, r"than 2\^59", str(2**59)),
    ({"sizes": [3, 1], "loss": "cross_entropy"}, ValueError, "at least 2", "1"),
    ({"activation": "rellu"}, ValueError, "one of", "'rellu'; did you mean 'relu'"),
    ({"activation": ["tahn"]}, ValueError, "one of", "'tahn'; did you mean 'tanh'"),
    ({"activation": "ReLU"}, ValueError, "one of", "did you mean 'relu'"),
    ({"activation": "zzz"}, ValueError, "identity, sigmoid, tanh, relu", "'zzz'$"),
    ({"activation": []}, ValueError, "each of the 1 hidden", "0"),
    ({"activation": ["relu"] * 2}, ValueError, "each of the 1 hidden", "2"),
    ({"activation": [None]}, ValueError, "one of", "None"),
    ({"activation": None}, ValueError, "one of", "None"),
    ({"activation": 5}, ValueError, "one of", "5"),
    ({"output": "sofmax"}, ValueError, "one of", "'sofmax'; did you mean 'softmax'"),
    ({"output": ""}, ValueError, "one of", "''"),
    ({"output": 5}, ValueError, "one of", "5"),
    ({"output": ["relu"]}, ValueError, "one of", r"\['relu'\]"),
    ({"loss": "crossentropy"}, ValueError, "one of", "did you mean 'cross_entropy'"),
    ({"loss": "zzz"}, ValueError, "squared_error, mean_squared_error", "'zzz'$"),
    ({"loss": 5}, ValueError, "one of", "5"),
    ({"output": "tanh", "loss": "cross_entropy"}, ValueError, "softmax", "'tanh'"),
    ({"output": "softmax", "loss": BINARY}, ValueError, "sigmoid", "'softmax'"),
    ({"optimizer": "sgd"}, TypeError, r"SGD\(lr=0.1\)", "'sgd'"),
    ({"optimizer": bp.SGD}, TypeError, r"SGD\(lr=0.1\)", "class .*SGD"),
    ({"optimizer": 0.1}, TypeError, r"SGD\(lr=0.1\)", "0.1"),
    ({"init": "he_unifrom"}, ValueError, "one of auto", "did you mean 'he_uniform'"),
    ({"init": None}, ValueError, "one of auto", "None"),
    ({"init": 0}, ValueError, "one of auto", "0"),
    ({"dtype": "float16"}, ValueError, "float32 or float64", "'float16'"),
    ({"dtype": "flaot32"}, ValueError, "float32 or float64", "'flaot32'"),
    ({"dtype": ">f4" if np.little_endian else "<f4"}, ValueError, "float32", "f4'"),
    ({"dtype": int}, ValueError, "float32 or float64", "class 'int'"),
    ({"dtype": 32}, ValueError, "float32 or float64", "32"),
    ({"dtype": None}, ValueError, "float32 or float64", "None"),
]
BAD_RNG = [
    ({"rng": -1}, ValueError, "at least 0", "-1"),
    ({"rng": 1.5}, TypeError, "whole number", r"1\.5"),
    ({"rng": True}, ValueError, "whole number", "True"),
    ({"rng": "0"}, TypeError, "whole number", "'0'"),
    ({"rng": [0, 1]}, TypeError, "whole number", r"\[0, 1\]"),
    ({"rng": np.random.RandomState(0)}, TypeError, "Generator", "RandomState"),
]
BAD_SGD = [
    *(
        row
        for name in ("lr", "momentum", "weight_decay")
        for row in (
            ({name: -0.1}, ValueError, "at least 0", r"-0\.1"),
            ({name: math.nan}, ValueError, "at least 0", "nan"),
            ({name: math.inf}, ValueError, "at least 0", "inf"),
            ({name: True}, TypeError, "a number", "True"),
            ({name: "0.1"}, TypeError, "a number", "'0.1'"),
            ({name: None}, TypeError, "a number", "None"),
            ({name: 1j}, TypeError, "a number", "1j"),
            ({name: [0.1]}, TypeError, "a number", r"\[0\.1\]"),
            ({name: 10**400}, ValueError, "at least 0", "inf"),
        )
    ),
    ({"momentum": 1}, ValueError, "below 1", r"1\.0"),
    ({"nesterov": True}, ValueError, "momentum above 0", r"momentum=0\.0"),
    ({"nesterov": 1, "momentum": 0.9}, TypeError, "a bool", "1"),
    ({"nesterov": "yes", "momentum": 0.9}, TypeError, "a bool", "'yes'"),
]
WHOLE_NUMBERS = ("epochs", "batch_size", "patience", "accumulate")
BAD_FIT = [
    *(
        ({name: value}, error, "whole number of at least 1", got)
        for name in WHOLE_NUMBERS
        for value, error, got in (
            (0, ValueError, "0"),
            (-1, ValueError, "-1"),
            (1.5, TypeError, r"1\.5"),
            (True, ValueError, "True"),
            ("3", TypeError, "'3'"),
            ([3], TypeError, r"\[3\]"),
        )
    ),
    ({"epochs": None}, TypeError, "whole number of at least 1", "None"),
    ({"accumulate": None}, TypeError, "whole number of at least 1", "None"),
    ({"validation": X}, TypeError, r"\(X, y\)", "ndarray"),
    ({"validation": "0.2"}, TypeError, r"\(X, y\)", "str"),
    ({"validation": {"X": X, "y": LABELS}}, TypeError, r"\(X, y\)", "dict"),
    ({"validation": ()}, (TypeError, ValueError), r"\(X, y\)", "0"),
    ({"validation": (X,)}, (TypeError, ValueError), r"\(X, y\)", "1"),
    ({"validation": (X,) * 4}, (TypeError, ValueError), r"\(X, y\)", "4"),
    ({"callbacks": [print, 3]}, TypeError, "callables", "3"),
    ({"callbacks": "ab"}, TypeError, "callables", "'a"),
    ({"callbacks": print}, TypeError, "callables", "built-in function print"),
    ({"callbacks": None}, TypeError, "callables", "None"),
    ({"shuffle": "no"}, TypeError, "bool", "'no'"),
    ({"shuffle": None}, TypeError, "bool", "None"),
    ({"progress": "no"}, TypeError, "bool", "'no'"),
]


def settings(rows):
    """Parametrize by rows that begin with a dict; what it says first is what is bad."""
    names = [str(row[0]).partition(" at 0x")[0][:40] for row in rows]
    return pytest.mark.parametrize("bad, error, expected, got", rows, ids=names)


@settings(BAD_SETTINGS + BAD_RNG)
def test_bad_setting_of_a_network(Network, bad, error, expected, got):
    argument = "|".join(bad)
    with pytest.raises(error, match=message(argument, expected, got)):
        Network(**{"sizes": [3, 4, 2], **bad})


@settings(BAD_SETTINGS)
def test_bad_setting_leaves_the_callers_generator(bad, error, expected, got):
    rng = np.random.default_rng(0)
    with pytest.raises(error):
        bp.Network(**{"sizes": [3, 4, 2], **bad, "rng": rng})
    assert rng.random() == np.random.default_rng(0).random()


@settings(BAD_SGD)
def test_bad_setting_of_sgd(bad, error, expected, got):
    with pytest.raises(error, match=message(next(iter(bad)), expected, got)):
        bp.SGD(**bad)


@settings(BAD_FIT)
def test_bad_setting_of_fit(Network, capsys, bad, error, expected, got):
    net = small(Network)
    (argument,) = bad
    row = (argument, error, expected, got)
    assert_refused(net, lambda: net.fit(X, LABELS, **bad), *row)
    assert capsys.readouterr().err == ""  # no bar was begun


@pytest.mark.parametrize("optimizer", ["sgd", None, 0.1, bp.SGD, {"lr": 0.1}])
def test_bad_optimizer_assigned(Network, optimizer):
    net = small(Network)
    got = str(optimizer)[:9]
    assert_refused(
        net,
        lambda: setattr(net, "optimizer", optimizer),
        *("optimizer", TypeError, r"SGD\(lr=0.1\)", got),
    )


@pytest.mark.parametrize("dtype", ["float16", "flaot64", int, None])
def test_bad_dtype_of_astype(Network, dtype):
    net = small(Network)
    assert_refused(
        net,
        lambda: net.astype(dtype),
        *("dtype", ValueError, "float32 or float64", str(dtype)),
    )


def test_astype_refuses_parameters_that_overflow(Network):
    net = small(Network, dtype="float64")
    net.weights[0][1, 1] = 1e39
    assert_refused(
        net,
        lambda: net.astype("float32"),
        *("parameters", ValueError, "finite in float32", r"1e\+39"),
    )


# --- out= of predict ------------------------------------------------------------------


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array):
    """The array's numbers, one byte beside where the processor would have them."""
    room = np.zeros(array.nbytes + 1, "u1")[1:].view(array.dtype).reshape(array.shape)
    room[...] = array
    return room


OUT = np.zeros((6, 2), "float32")
SHAPE_AND_DTYPE = r"shape \(6, 2\) and dtype float32"
BAD_OUT = {
    "list": (OUT.tolist(), TypeError, "NumPy array", "list"),
    "narrow": (OUT[:, :1].copy(), ValueError, SHAPE_AND_DTYPE, r"\(6, 1\)"),
    "short": (OUT[:5].copy(), ValueError, SHAPE_AND_DTYPE, r"\(5, 2\)"),
    "flat": (OUT.ravel(), ValueError, SHAPE_AND_DTYPE, r"\(12,\)"),
    "float64": (OUT.astype("f8"), ValueError, SHAPE_AND_DTYPE, "float64"),
    "int": (OUT.astype("i4"), ValueError, SHAPE_AND_DTYPE, "int32"),
    "byte order": (OUT.astype(">f4"), ValueError, SHAPE_AND_DTYPE, ">f4"),
    "read-only": (read_only(OUT), ValueError, "writable", "read-only"),
    "Fortran": (np.asfortranarray(OUT), ValueError, "C-contiguous", "strided"),
    "strided": (np.zeros((6, 4), "f4")[:, ::2], ValueError, "C-contig", "strided"),
    "misaligned": (misaligned(OUT), ValueError, "aligned", "misaligned"),
    "the input": (X.reshape(-1)[:12].reshape(6, 2), ValueError, "share memory", "one"),
}


@table(BAD_OUT)
def test_bad_out(Network, bad, error, expected, got):
    net = small(Network)
    row = ("out", error, expected, got, bad)
    assert_refused(net, lambda: net.predict(X, out=bad), *row)
    assert_refused(net, lambda: net(X, out=bad), *row)


def test_out_refuses_the_parameters(Network):
    net = small(Network)
    bad = net.parameters[:12].reshape(6, 2)
    got = ("out", ValueError, "not share memory", "")
    assert_refused(net, lambda: net.predict(X, out=bad), *got)


def test_out_of_one_row_is_one_row(Network):
    net, out = small(Network), np.zeros((1, 2), "float32")
    got = ("out", ValueError, r"shape \(2,\)", r"\(1, 2\)")
    assert_refused(net, lambda: net.predict(X[0], out=out), *got, out)


# --- forward, backward, gradients, apply, check_gradients -----------------------------


def with_flat(flat):
    return replace(bp.Network([3, 4, 2], rng=0).gradients(X, TARGETS), flat=flat)


def tape_of(Network, *shapes):
    """Arrays of these shapes in place of what a forward pass computed."""
    tape = Network([3, 4, 2], rng=0).forward(X)
    return replace(tape, activations=tuple(np.zeros(n, "float32") for n in shapes))


def with_memory_of(Network, X_of_memory, dtype):
    """The tape of X, with the memory of that of other rows."""
    net = Network([3, 4, 2], rng=0)
    memory = net.forward(X_of_memory).memory.view(dtype)
    return replace(net.forward(X), memory=memory)


LIKE_THIS = (ValueError, "of a network like this one")
BAD_TAPES = {
    "text": (lambda _: "tape", TypeError, "a Tape", "str"),
    "None": (lambda _: None, TypeError, "a Tape", "NoneType"),
    "bare output": (lambda _: TARGETS, TypeError, "a Tape", "ndarray"),
    "wider": (lambda N: N([3, 5, 2]).forward(X), *LIKE_THIS, r"\(6, 5\)"),
    "narrower": (lambda N: N([3, 2, 2]).forward(X), *LIKE_THIS, r"\(6, 2\), \(6, 2"),
    "deeper": (lambda N: N([3, 4, 4, 2]).forward(X), *LIKE_THIS, r"4\), \(6, 4"),
    "other dtype": (
        lambda N: N([3, 4, 2], dtype="float64").forward(X),
        *(ValueError, "dtype float32", "float64"),
    ),
    "too short": (lambda N: tape_of(N, (6, 3)), *LIKE_THIS, r"\(6, 3\)"),
    # The kernels would read past the end of an activation of fewer rows.
    "rows that differ": (
        lambda N: tape_of(N, (6, 3), (2, 4), (6, 2)),
        *(*LIKE_THIS, r"\(2, 4\)"),
    ),
    "single rows": (lambda N: tape_of(N, (3,), (4,), (2,)), *LIKE_THIS, r"\(3,\)"),
    "fewer rows": (lambda N: with_memory_of(N, X[:2], "u1"), *LIKE_THIS, ""),
    "more rows": (lambda N: with_memory_of(N, np.ones((99, 3)), "u1"), *LIKE_THIS, ""),
    "memory of floats": (lambda N: with_memory_of(N, X, "f4"), *LIKE_THIS, ""),
}
BAD_D_OUTPUT = {
    "too short": (TARGETS[:5], ValueError, TARGET_SHAPE, r"\(5, 2\)"),
    "too wide": (X, ValueError, r"shape \(n, 2\)", r"\(6, 3\)"),
    "flat": (np.zeros(12), ValueError, r"shape \(n, 2\)", r"\(12,\)"),
    "number": (1.0, ValueError, r"shape \(n, 2\)", r"\(\)"),
    "nan": (spoilt(TARGETS, math.nan), ValueError, "finite", r"nan at \[3, 1\]"),
    "text": ([["a", "b"]], TypeError, "real numbers", "<U1"),
    "object": (
        spoilt(TARGETS.astype(object), None),
        TypeError,
        "real numbers",
        "object",
    ),
}
N_PARAMETERS = 3 * 4 + 4 + 4 * 2 + 2
BAD_GRADIENTS = {
    "None": (None, TypeError, "Gradients", "NoneType"),
    "array": (np.zeros(N_PARAMETERS), TypeError, "Gradients", "ndarray"),
    "too few": (with_flat(np.zeros(25)), ValueError, r"shape \(26,\)", r"\(25,\)"),
    "nan": (
        with_flat(np.full(N_PARAMETERS, np.nan)),
        *(ValueError, "finite", r"nan at \[0\]"),
    ),
    "text": (with_flat("flat"), TypeError, "real numbers", "<U4|str"),
    "complex": (with_flat(np.zeros(26, complex)), TypeError, "real", "complex128"),
}
BAD_STEPS = [
    (0, ValueError, "above 0", "0"),
    (-1e-6, ValueError, "above 0", "-1e-06"),
    (math.nan, ValueError, "above 0", "nan"),
    (math.inf, ValueError, "finite", "inf"),
    ("1e-6", TypeError, "number", "'1e-6'"),
    (None, TypeError, "number", "None"),
]


@table(BAD_TAPES)
def test_bad_tape(Network, bad, error, expected, got):
    net, bad = small(Network), bad(Network)
    call = net.backward
    assert_refused(net, lambda: call(bad, TARGETS), "tape", error, expected, got, bad)


@pytest.mark.parametrize(
    "settings", [{"activation": "gelu"}, {"norm": "batch"}, {"dropout": 0.5}], ids=str
)
def test_a_tape_that_holds_something_else(settings):
    # The kernels would read at places where its memory has other things.
    net = small(bp.Network, activation="tanh")
    tape = bp.Network([3, 4, 2], **{"activation": "tanh", **settings}).forward(X)
    row = ("tape", *LIKE_THIS, "")
    assert_refused(net, lambda: net.backward(tape, TARGETS), *row, tape)


@table(BAD_D_OUTPUT)
def test_bad_d_output(Network, bad, error, expected, got):
    net = small(Network)
    tape = net.forward(X)
    row = ("d_output", error, expected, got)
    assert_refused(net, lambda: net.backward(tape, bad), *row, tape, bad)


@table(BAD_GRADIENTS)
def test_bad_gradients(Network, bad, error, expected, got):
    net = small(Network)
    call = net.apply
    assert_refused(net, lambda: call(bad), "gradients", error, expected, got, bad)


@pytest.mark.parametrize("step, error, expected, got", BAD_STEPS)
def test_bad_step_of_check_gradients(Network, step, error, expected, got):
    net = small(Network)
    assert_refused(
        net,
        lambda: bp.check_gradients(net, X, LABELS, step=step),
        *("step", error, expected, got),
    )


def test_check_gradients_wants_a_network():
    with pytest.raises(TypeError, match=message("network", "Network", "NoneType")):
        bp.check_gradients(None, X, LABELS)


# --- what is taken, with the bits of the plain array ----------------------------------


def strided(array):
    """Every other element, in all directions, of a larger array."""
    room = np.full([2 * n for n in array.shape], 7).astype(array.dtype)
    view = room[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


class ArrayLike:
    """Anything that can make an array of itself."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)


def nested(array):
    return tuple(map(nested, array)) if array.ndim else array.item()


def mapped(array):
    with tempfile.TemporaryFile() as file:
        array.tofile(file)
        return np.memmap(file, array.dtype, "r", shape=array.shape)


def of_pandas(array):
    pandas = pytest.importorskip("pandas")
    return (pandas.Series if array.ndim == 1 else pandas.DataFrame)(array)


def of_mixed_columns(array):
    """A table whose columns have several dtypes, as those of data frames do."""
    frame = of_pandas(array)
    return frame if array.ndim == 1 else frame.astype({0: "int8", 1: "float64"})


FORMS = {
    "list": lambda array: array.tolist(),
    "tuple": nested,
    "list of arrays": list,
    "Fortran": np.asfortranarray,
    "strided": strided,
    "backwards": lambda array: array[::-1].copy()[::-1],
    "read-only": read_only,
    "misaligned": misaligned,
    "byte order": lambda array: array.astype(array.dtype.newbyteorder("S")),
    "memmap": mapped,
    "memoryview": memoryview,
    "array-like": ArrayLike,
    "pandas": of_pandas,
    "pandas, mixed": of_mixed_columns,
    **{
        f"dtype {dtype}": lambda array, dtype=dtype: array.astype(dtype)
        for dtype in ("?", "i1", "u1", ">i4", "i8", "u8", "f2", "f4", "f8", "g")
    },
}


def results(net, X, y, weight):
    """Every number that comes out of a network for these data, as bytes."""
    gradients = net.gradients(X, y, weight)
    arrays = [net.predict(X), net.evaluate(X, y, weight), gradients.flat]
    arrays += [gradients.input, *net.forward(X).activations]
    arrays += [net.train_step(X, y, weight)]
    validation = (X, y, weight)
    history = net.fit(X, y, sample_weight=weight, validation=validation, **TWO_EPOCHS)
    arrays += [
        history.loss,
        history.validation_loss,
        net.parameters,
        net.learner.state.optimizer_arrays,
    ]
    return [np.asarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("y", [LABELS, TARGETS], ids=["labels", "targets"])
@pytest.mark.parametrize("form", FORMS)
def test_any_form_gives_the_same_bits(Network, form, y, dtype):
    net, twin = small(Network, dtype=dtype), small(Network, dtype=dtype)
    X_in, y_in, weights_in = map(FORMS[form], (X, y, WEIGHTS))
    if y is LABELS and np.asarray(y_in).dtype.kind == "f":
        y_in = y  # labels are whole numbers
    assert results(net, X_in, y_in, weights_in) == results(twin, X, y, WEIGHTS)


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_a_derivative_gives_the_same_bits(Network, form):
    net = small(Network)
    tape, d_output = net.forward(X), FORMS[form](TARGETS)
    expected = net.backward(tape, TARGETS)
    assert np.array_equal(net.backward(tape, d_output).flat, expected.flat)
    gradients = replace(expected, flat=expected.flat.astype("float64"))
    net.apply(gradients)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_output_takes_flat_targets(Network, dtype):
    column, flat = (Network([3, 1], rng=0, dtype=dtype) for _ in range(2))
    y = X.sum(axis=1)
    column.fit(X, y.reshape(-1, 1), **TWO_EPOCHS)
    flat.fit(X, y, **TWO_EPOCHS)
    assert np.array_equal(column.parameters, flat.parameters)


@pytest.mark.parametrize("power", [-1000, -300, 300, 1000])
def test_only_the_ratios_of_sample_weights_count(Network, power):
    """In fit and evaluate, which see all rows; scaled here without a rounding."""
    found = []
    for weight in (WEIGHTS, np.ldexp(WEIGHTS, power)):
        net, validation = small(Network), (X, LABELS, weight)
        history = net.fit(
            X, LABELS, sample_weight=weight, validation=validation, **TWO_EPOCHS
        )
        found.append([*history.loss, *history.validation_loss, *net.parameters])
        found[-1].append(net.evaluate(X, LABELS, weight))
    assert found[0] == found[1]


def test_one_row_is_a_row_of_the_batch(Network):
    net, out = small(Network), np.zeros(2, "float32")
    assert net.predict(X[0], out=out) is out
    assert np.array_equal(out, net.predict(X[:1])[0])
    assert np.array_equal(out, net(X[0].tolist()))


@pytest.mark.parametrize("rng", [7, np.int64(7), np.uint8(7)], ids=repr)
def test_any_whole_number_is_a_seed(Network, rng):
    same = Network([3, 4, 2], rng=7).parameters
    assert np.array_equal(Network([3, 4, 2], rng=rng).parameters, same)
    assert not np.array_equal(Network([3, 4, 2], rng=8).parameters, same)


@pytest.mark.parametrize("bits", ["PCG64", "MT19937", "Philox", "SFC64"])
def test_any_generator_is_a_source(Network, bits):
    make = getattr(np.random, bits)
    one = Network([3, 4, 2], rng=make(7)).parameters
    other = Network([3, 4, 2], rng=np.random.Generator(make(7))).parameters
    assert np.array_equal(one, other)
    assert not np.array_equal(Network([3, 4, 2], rng=make(8)).parameters, one)


@pytest.mark.parametrize(
    "number", [1, np.int64(1), np.float32(1), np.float64(1), Fraction(1)], ids=repr
)
def test_any_real_number_is_a_learning_rate(number):
    assert bp.SGD(number) == bp.SGD(1.0)


def test_whole_numbers_of_numpy_are_whole_numbers(Network):
    net = Network(np.array([3, 4, 2]), rng=0)
    options = dict.fromkeys(WHOLE_NUMBERS, np.int32(2))
    assert len(net.fit(X, TARGETS, progress=False, **options)) <= 2
    assert net.sizes == (3, 4, 2)


def test_callbacks_may_come_from_a_generator(Network):
    seen = []
    callbacks = (callback for callback in [lambda *given: seen.append(given)])
    small(Network).fit(X, LABELS, callbacks=callbacks, **TWO_EPOCHS)
    assert len(seen) == 2


# --- what fits is used in place -------------------------------------------------------


def peak(call):
    """Bytes that a call allocates beyond what was there before, at the most."""
    call()  # the workspace is made once
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fitting_arrays_are_not_copied(dtype):
    net = bp.Network([8, 2], loss="cross_entropy", dtype=dtype, rng=0)
    X, y, weight = np.ones((50_000, 8), dtype), np.ones(50_000, "i8"), np.ones(50_000)
    out, unfit = np.empty((50_000, 2), dtype), np.asfortranarray(X)
    calls = {
        "predict": lambda X: net.predict(X, out=out),
        "evaluate": lambda X: net.evaluate(X, y, weight),
        "train_step": lambda X: net.train_step(X, y, weight),
    }
    for name, call in calls.items():
        assert peak(lambda call=call: call(X)) < 10_000, name
        # The measure sees the copy of an array that does not fit.
        assert peak(lambda call=call: call(unfit)) >= X.nbytes, name
