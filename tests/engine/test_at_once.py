"""Calls that take arrays as they are: the same bits as with checks and conversion.

The engine takes arrays of its dtype at once; all others are converted or refused.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from bpcore.training import inputs, outputs

SETTINGS = {"optimizer": bp.SGD(0.1, momentum=0.9), "rng": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 3)).astype("float32")
LABELS = np.array([0, 3, 1, 2, 3, 0])
TARGETS = RNG.uniform(size=(6, 4)).astype("float32")


def classifier(**settings):
    return bp.Network([3, 5, 4], loss="cross_entropy", **SETTINGS, **settings)


def long_way(net, method, *arguments):
    """The same call with the arrays converted and checked in Python."""
    if method == "train_step":
        return net.learner.step(inputs.step_batch(net.learner, *arguments, None, None))
    return outputs.predict(net.learner, *arguments, None)


def ways(array, *dtypes):
    """An array in every form it may come in, each with the name of the form."""
    for dtype in (array.dtype, *dtypes):
        plain = array.astype(dtype)
        yield f"{dtype}", plain
        yield f"{dtype} strided", np.repeat(plain, 2, axis=0)[::2]
        yield f"{dtype} Fortran", np.asfortranarray(plain)
        yield f"{dtype} swapped", plain.astype(plain.dtype.newbyteorder())
        read_only = plain.copy()
        read_only.flags.writeable = False
        yield f"{dtype} read-only", read_only
        room = np.zeros(plain.nbytes + 1, "u1")
        misaligned = room[1:].view(plain.dtype).reshape(plain.shape)
        misaligned[...] = plain
        yield f"{dtype} misaligned", misaligned
        yield f"{dtype} list", plain.tolist()


INTEGERS = ["int8", "int16", "int32", "uint8", "uint16", "uint32", "uint64"]
INTEGERS += ["longlong", "intc", "long"]


@pytest.mark.parametrize("rows", [1, 6])
def test_every_form_of_the_data_gives_the_same_bits(rows):
    expected = classifier()
    loss = long_way(expected, "train_step", X[:rows], LABELS[:rows])
    for x_form, x in ways(X[:rows], "float64"):
        for y_form, y in ways(LABELS[:rows], *INTEGERS):
            net = classifier()
            assert net.train_step(x, y) == loss, (x_form, y_form)
            assert net.parameters.tobytes() == expected.parameters.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "loss, output",
    [
        ("squared_error", "identity"),
        ("cross_entropy", "softmax"),
        ("binary_cross_entropy", "sigmoid"),
    ],
)
def test_targets(loss, output, dtype):
    nets = [
        bp.Network([3, 5, 4], loss=loss, output=output, dtype=dtype, **SETTINGS)
        for _ in range(2)
    ]
    x, y = X.astype(dtype), TARGETS.astype(dtype)
    assert nets[0].learner.engine.step_at_once(x, y) is not None
    long_way(nets[1], "train_step", x, y)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_one_output_takes_a_vector():
    nets = [bp.Network([3, 1], **SETTINGS) for _ in range(2)]
    assert nets[0].learner.engine.step_at_once(X, TARGETS[:, 0].copy()) is not None
    long_way(nets[1], "train_step", X, TARGETS[:, :1])
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def spoilt(array, at, value):
    array = array.copy()
    array[at] = value
    return array


@pytest.mark.parametrize(
    "x, y",
    [
        (X[:, :2], LABELS),
        (X[:, :2].copy(), LABELS),
        (X[:0], LABELS[:0]),
        (X[0], LABELS[0]),
        (X, LABELS[:5]),
        (X, np.where(LABELS == 3, 4, LABELS)),
        (X, LABELS - 1),
        (X, LABELS.astype("float32")),
        (X, TARGETS + 1),
        (X, TARGETS[:, :3].copy()),
        (spoilt(X, (2, 1), np.nan), LABELS),
        (spoilt(X, (5, 2), np.inf), LABELS),
        (np.ma.masked_array(X, X > 0), LABELS),
        (X, np.ma.masked_array(LABELS, LABELS > 0)),
        (X, spoilt(TARGETS, (3, 1), np.nan)),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(x, y):
    net = classifier()
    before = net.parameters.copy()
    assert net.learner.engine.step_at_once(x, y) is None
    with pytest.raises((ValueError, TypeError)):
        net.train_step(x, y)
    np.testing.assert_array_equal(net.parameters, before)


def test_data_that_are_the_parameters_go_the_long_way():
    net = bp.Network([4, 4], **SETTINGS)
    assert net.learner.engine.step_at_once(net.weights[0], TARGETS[:4]) is None
    assert net.learner.engine.step_at_once(TARGETS[:4], net.weights[0]) is None
    assert net.learner.engine.step_at_once(TARGETS[:4].copy(), TARGETS[:4]) is not None


def test_the_long_way_copies_data_that_are_the_parameters():
    nets = [bp.Network([4, 4], **SETTINGS) for _ in range(3)]
    own = nets[0].weights[0].copy()
    long_way(nets[0], "train_step", TARGETS[:4], own)
    long_way(nets[1], "train_step", TARGETS[:4], nets[1].weights[0])
    nets[2].train_step(TARGETS[:4], nets[2].weights[0])
    assert len({net.parameters.tobytes() for net in nets}) == 1


@pytest.mark.parametrize(
    "x",
    [X, X[:1], X[2], X[:6].copy()],
    ids=["rows", "one row", "a row alone", "a copy"],
)
def test_predictions(x):
    net = classifier()
    at_once = net.learner.engine.predict_at_once(x)
    slow = long_way(net, "predict", x)
    assert at_once.shape == slow.shape and at_once.tobytes() == slow.tobytes()


FORMS = dict(ways(X, "float64", "int64"))


@pytest.mark.parametrize("form", FORMS)
def test_predictions_of_every_form(form):
    net, x = classifier(), FORMS[form]
    right = long_way(net, "predict", np.asarray(x, "float32"))
    assert net.predict(x).tobytes() == right.tobytes()


BAD = spoilt(X, (1, 1), np.nan)


@pytest.mark.parametrize(
    "x",
    [BAD, BAD[1], X[:, :2], X[:0], np.zeros((1, 6, 3), "f"), np.float32(1)],
    ids=["nan", "a row with nan", "narrow", "no rows", "a cube", "a number"],
)
def test_bad_rows_to_predict(x):
    net = classifier()
    assert net.learner.engine.predict_at_once(x) is None
    with pytest.raises(ValueError, match="X must"):
        net.predict(x)


@pytest.mark.parametrize(
    "out", (None, np.full((1000, 4), 5, "float32")), ids=["new", "given"]
)
def test_a_long_prediction_checks_every_row(out):
    net = classifier()
    many = np.resize(X, (1000, 3))
    many[777, 2] = np.inf
    with pytest.raises(ValueError, match=r"X must be finite .* at \[777, 2\]"):
        net.predict(many, out=out)
    assert out is None or (out == 5).all()


@pytest.mark.parametrize(
    "call",
    [lambda net: net.train_step(X, LABELS), lambda net: net.predict(X)],
    ids=["train_step", "predict"],
)
def test_a_network_in_use_is_refused(call):
    net = classifier()
    net.train_step(X, LABELS)
    busy = pytest.raises(RuntimeError, match="in use by another thread")
    with net.learner.engine, ThreadPoolExecutor(1) as pool, busy:
        pool.submit(call, net).result()
