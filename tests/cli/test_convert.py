"""`bpcore convert` and `bpcore export-c`: files of other kinds."""

import numpy as np
import pytest

import bpcore as bp
from bpcore.cli import main
from bpcore.files.native.container import write_container


@pytest.fixture
def net(here):
    net = bp.Network([2, 3, 1], activation="tanh", rng=0)
    net.save("a.bpc")
    return net


X = np.random.default_rng(0).normal(size=(10, 2))


def test_native(net, here, capsys):
    assert main(["convert", "a.bpc", "b.bpc"]) == 0
    assert (bp.load("b.bpc").predict(X) == net.predict(X)).all()
    size = (here / "a.bpc").stat().st_size
    shown = f"{size / 1000:.1f} kB"
    assert capsys.readouterr().out == f"a.bpc ({shown}) -> b.bpc ({shown})\n"


def test_onnx_and_back(net, capsys):
    assert main(["convert", "a.bpc", "b.ONNX"]) == 0
    assert main(["convert", "b.ONNX", "c.bpc"]) == 0
    np.testing.assert_allclose(
        bp.load("c.bpc").predict(X), net.predict(X), rtol=1e-5, atol=1e-6
    )


def test_fann_and_back(net, capsys):
    assert main(["convert", "a.bpc", "b.net"]) == 0
    assert main(["convert", "b.net", "c.bpc"]) == 0
    np.testing.assert_allclose(
        bp.load("c.bpc").predict(X), net.predict(X), rtol=1e-5, atol=1e-6
    )
    assert main(["inspect", "b.net"]) == 0
    assert "self-test: none in this kind of file" in capsys.readouterr().out


def test_weights_alone(here, capsys):
    weights = {
        "0.weight": np.array([[2.0, 3.0], [1.0, -1.0]]),
        "0.bias": np.array([1.0, 0.0]),
        "1.weight": np.array([[1.0, 1.0]]),
        "1.bias": np.array([0.5]),
    }
    write_container("w.safetensors", {}, weights)
    assert main(["convert", "w.safetensors", "a.bpc"]) == 0
    assert capsys.readouterr().err == (
        "bpcore: w.safetensors has weights alone; assumed: relu, and identity for the "
        "output\n"
    )
    assert bp.load("a.bpc").activations == ("relu", "identity")
    arguments = ["--activation", "tanh", "--output", "sigmoid"]
    assert main(["convert", "w.safetensors", "a.bpc", *arguments]) == 0
    assert capsys.readouterr().err == ""
    assert bp.load("a.bpc").activations == ("tanh", "sigmoid")
    assert main(["convert", "w.safetensors", "a.bpc", "--activation", "no"]) == 1
    assert "'no'" in capsys.readouterr().err
    assert main(["convert", "a.bpc", "b.bpc", *arguments]) == 2
    assert "a file .bpc has activations of its own" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--int8"]])
def test_c(more, net, frame, here, capsys):
    assert main(["export-c", "a.bpc", "b.h", "--name", "house", *more]) == 0
    assert "house_predict" in (here / "b.h").read_text()
    assert ("int8" in capsys.readouterr().out) == bool(more)
    frame[["size", "price", "flag"]].assign(flag=1.0).to_csv("d.csv", index=False)
    data = ["--data", "d.csv", "--target", "flag"]
    assert main(["export-c", "a.bpc", "c.h", *more, *data]) == 0
    assert "loss" in capsys.readouterr().out


def test_c_of_8_bits_without_data(net, capsys):
    assert main(["export-c", "a.bpc", "b.h", "--int8"]) == 0
    expected = "not measured: give --data, or also --target\n"
    assert expected in capsys.readouterr().out


def test_accuracy_of_8_bits(here, frame, capsys):
    net = bp.Network([2, 3, 2], loss="cross_entropy", rng=0)
    net.save("a.bpc")
    frame["flag"] = frame["flag"].astype(int)
    frame[["size", "price", "flag"]].to_csv("d.csv", index=False)
    data = ["--data", "d.csv", "--target", "flag"]
    assert main(["export-c", "a.bpc", "b.h", "--int8", *data]) == 0
    X, y = frame[["size", "price"]].to_numpy(), frame["flag"].to_numpy()
    accuracy = (net.predict(X).argmax(axis=1) == y).mean()
    assert f"\naccuracy                {accuracy:.6g} before" in capsys.readouterr().out


def test_c_of_a_table(models, here, capsys):
    assert main(["export-c", models["price"], "b.h"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "a C header needs columns of numbers only" in err
    assert "bpcore convert can write them, to a file .onnx" in err


def test_what_fann_has_not(here, capsys):
    bp.Network([2, 3, 1], activation="gelu", rng=0).save("a.bpc")
    assert main(["convert", "a.bpc", "a.net"]) == 1
    assert "FANN, the format .net, cannot hold it: " in capsys.readouterr().err


def test_layers_of_weights_by_keys(here, capsys):
    W = np.array([[1.0, 2.0], [3.0, 4.0]])
    weights = {"b.weight": 2 * W, "b.bias": W[0], "a.weight": W, "a.bias": W[1]}
    write_container("w.safetensors", {}, weights)
    assert main(["convert", "w.safetensors", "a.bpc", "--keys", "b,a"]) == 0
    assert "assumed: relu" in capsys.readouterr().err
    assert (bp.load("a.bpc").weights[0] == 2 * W.T).all()
    assert main(["convert", "w.safetensors", "a.bpc", "--keys", "b,c"]) == 1
    assert "--keys must be layers of the state dict" in capsys.readouterr().err
    assert main(["convert", "a.bpc", "b.bpc", "--keys", "b,a"]) == 2
    assert "a file .bpc has layers of its own" in capsys.readouterr().err


def test_what_a_model_cannot_be(models, here, capsys):
    assert main(["convert", models["price"], "b.net"]) == 1
    assert "only a network can be written as .net" in capsys.readouterr().err


def test_what_a_model_has_no_method_for(here, frame, capsys):
    pytest.importorskip("sklearn")
    from bpcore.sklearn import Regressor

    model = Regressor(hidden_layer_sizes=(4,), random_state=0, epochs=2)
    model.fit(frame[["size"]], frame["price"]).save("m.bpc")
    assert main(["convert", "m.bpc", "m.h"]) == 1
    expected = "a bpcore.sklearn.Regressor cannot be written as .h"
    assert capsys.readouterr().err == f"bpcore: error: {expected}\n"
