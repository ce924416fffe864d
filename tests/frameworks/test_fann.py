"""Text files of FANN, read and written."""

import re
import warnings

import numpy as np
import pytest

import bpcore as bp
from helpers import GOLDEN, golden
from helpers.files import mutations

FOLDER = GOLDEN / "exchanged"
EXCHANGED = golden("exchanged")
GOOD = (FOLDER / "fann_double.net").read_bytes()
X = np.random.default_rng(0).normal(size=(6, 3))


@pytest.mark.parametrize(
    "kind, dtype, tolerance", [("float", "float32", 1e-6), ("double", "float64", 1e-12)]
)
def test_files_of_fann_predict_the_same(kind, dtype, tolerance):
    net = bp.from_fann(FOLDER / f"fann_{kind}.net", dtype=dtype)
    expected = EXCHANGED[f"fann_{kind}"]
    np.testing.assert_allclose(
        net.predict(EXCHANGED["X"]), expected, rtol=0, atol=tolerance
    )
    assert net.activations == (
        *("sigmoid", "tanh", "softsign", "softsign", "hard_sigmoid", "hard_tanh"),
        "identity",
    )
    assert net.dtype == dtype


def test_other_kinds_are_refused():
    for name, message in {
        "fixed": "of kind FANN_FIX_2.0; FANN_FLO_2.1 can be read",
        "shortcut": "network_type must be 0, a layered network",
        "sparse": "layer 1: each unit must have all 3 inputs; one has 2",
    }.items():
        with pytest.raises(bp.ModelFileError, match=message):
            bp.from_fann(FOLDER / f"fann_{name}.net")


WRITTEN = ("identity", "sigmoid", "tanh", "softsign", "hard_sigmoid", "hard_tanh")


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("float64", 1e-14)])
def test_what_is_written_is_read_again(tmp_path, dtype, tolerance):
    net = bp.Network(
        [3, 5, 4, 5, 4, 5, 2],
        activation=WRITTEN[1:],
        norm=["batch", *[None] * 4],
        input_scale=1.0,
        rng=0,
        dtype=dtype,
    )
    net.fit(X, X[:, :2], epochs=3, progress=False)
    bp.to_fann(net, tmp_path / "a.net")
    same = bp.from_fann(tmp_path / "a.net", dtype=dtype, loss="huber")
    assert same.loss == "huber"
    assert same.activations == net.activations
    np.testing.assert_allclose(same.predict(X), net.predict(X), rtol=0, atol=tolerance)


def test_the_file_is_laid_out_as_by_fann(tmp_path):
    """The same lines, and the same numbers of digits.

    The activation of a bias, which is not used, is 0; elliot is written symmetric.
    """
    net = bp.from_fann(FOLDER / "fann_double.net", dtype="float64")
    bp.to_fann(net, tmp_path / "a.net")

    def shape(text):
        digits = re.sub(r"-?\d\.\d{20}e[-+]\d\d", "#", text.split("layer_sizes=")[1])
        return re.sub(r"\(0, \d+, #\)", "(0, 0, #)", digits)

    found = shape((tmp_path / "a.net").read_text())
    assert found == shape(GOOD.decode()).replace(" 10, #", " 11, #")


def test_what_fann_lacks_is_not_written(tmp_path):
    path = tmp_path / "a.net"
    for net, message in (
        (bp.Network([2, 3, 1], rng=0), "activations of .*; got 'relu'"),
        (bp.Network([2, 3, 1], activation="tanh", norm="layer"), "FANN has none"),
    ):
        with pytest.raises(ValueError, match=message):
            bp.to_fann(net, path)
    assert not path.exists()


def edited(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


CONNECTIONS = GOOD.index(b"connections (")
BAD = {
    "nothing": (b"", "no file of FANN: it begins with ''"),
    "another kind": (b"PK\x03\x04", "no file of FANN"),
    "an old version": (b"FANN_FLO_1.1\n", "of kind FANN_FLO_1.1"),
    "no lines": (b"FANN_FLO_2.1\n", "must be a line name=value"),
    "no end of a line": (b"FANN_FLO_2.1\na=1", "must be a line name=value"),
    "a line twice": (edited(b"num_layers", b"rprop_delta_min=0\nnum_layers"), "twice"),
    "no network_type": (edited(b"network_type=0\n", b""), "no line network_type="),
    "no sizes": (edited(b"layer_sizes=5", b"layer_sizes=x"), "must be 2 to 1000"),
    "a negative size": (edited(b"layer_sizes=5", b"layer_sizes=-5"), "must be 2 to"),
    "a huge size": (edited(b"layer_sizes=5", b"layer_sizes=999999999"), "cannot be in"),
    "many digits": (edited(b"layer_sizes=5", b"layer_sizes=" + b"9" * 5000), "2 to 10"),
    "another number of layers": (edited(b"num_layers=8", b"num_layers=9"), "layer_siz"),
    "a layer of the bias": (edited(b"layer_sizes=5", b"layer_sizes=1"), "at least 2"),
    "more neurons": (edited(b"layer_sizes=5 6", b"layer_sizes=5 7"), "layer 1: its"),
    "an input with inputs": (edited(b"=(0, 0, 0", b"=(9, 0, 0"), "must have no connec"),
    "an unknown activation": (edited(b"(5, 3, ", b"(5, 7, "), "all units must"),
    "a cut neuron": (edited(b"(5, 3, ", b"(5, 3; "), "must be neuron 0 of layer 1"),
    "a steepness that is none": (edited(b"(5, 3, ", b"(5, 3, e"), "no finite number"),
    "an infinite weight": (edited(b"(0, ", b"(0, 1e999) (0, "), "neuron|finite"),
    "no connections": (GOOD[:CONNECTIONS], "must be a line connections="),
    "few connections": (GOOD[: CONNECTIONS + 400], "cannot be in the rest"),
    "the last cut off": (GOOD[:-30], "must be a connection"),
    "more at the end": (GOOD + b"(0, 1) ", "more after the last"),
}  # fmt: skip


@pytest.mark.parametrize("data, message", BAD.values(), ids=BAD)
def test_bad_files(data, message, tmp_path):
    path = tmp_path / "a.net"
    path.write_bytes(data)
    with pytest.raises(bp.ModelFileError, match=message) as caught:
        bp.from_fann(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_connection_twice(tmp_path):
    at = CONNECTIONS + GOOD[CONNECTIONS:].index(b"(1, ")
    path = tmp_path / "a.net"
    path.write_bytes(GOOD[:at] + b"(0, " + GOOD[at + 4 :])
    with pytest.raises(bp.ModelFileError, match=r"one connection .* 0 to 4; got one f"):
        bp.from_fann(path)


def test_activations_that_this_library_lacks(tmp_path):
    path = tmp_path / "a.net"
    for number, name in ((7, "GAUSSIAN"), (4, "SIGMOID_STEPWISE"), (99, "99")):
        path.write_bytes(GOOD.replace(b"(5, 3, ", b"(5, %d, " % number))
        with pytest.raises(bp.ModelFileError, match=f"no activation .* FANN_{name};"):
            bp.from_fann(path)


def test_changed_files_raise_or_are_networks(tmp_path):
    path, refused = tmp_path / "a.net", 0
    for changed in mutations(GOOD, 200, seed=2):
        path.write_bytes(changed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                net = bp.from_fann(path)
            assert np.isfinite(net.parameters).all()
        except bp.ModelFileError as error:
            refused += 1
            assert len(str(error)) < len(str(path)) + 600
    assert refused > 100
