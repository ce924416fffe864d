"""Models of Keras: their lists of weights, objects, and files."""

import io
import json
import warnings
import zipfile

import numpy as np
import pytest

import bpcore as bp
from helpers import GOLDEN, golden
from helpers.files import mutations

FOLDER = GOLDEN / "exchanged"
EXCHANGED = golden("exchanged")
X = EXCHANGED["X"]
PLAIN = FOLDER / "keras_plain.weights.h5"


@pytest.fixture(scope="module")
def h5py():
    return pytest.importorskip("h5py")


def weights_of(name):
    """What ``model.get_weights()`` gave."""
    count = sum(key.startswith(f"{name}.") for key in EXCHANGED)
    return [EXCHANGED[f"{name}.{i}"] for i in range(count)]


def assert_predicts(net, name):
    np.testing.assert_allclose(net.predict(X), EXCHANGED[name], rtol=0, atol=1e-6)


# --- lists of weights -----------------------------------------------------------------


def test_lists_of_weights_predict_the_same():
    net = bp.from_keras(weights_of("keras_plain"), activation="tanh", loss="huber")
    assert_predicts(net, "keras_plain")
    assert net.loss == "huber"
    how = {"activation": ["relu", "elu"], "output": "softmax"}
    net = bp.from_keras(weights_of("keras"), **how)
    assert net.norms == ("batch", "layer", None)
    assert_predicts(net, "keras")


def test_norms_after_activations():
    W, b, *norm, V, c = weights_of("keras_functional")
    weights = [0.5 * W, b + 0.1 * W.sum(0), *norm, V, c]  # with Rescaling(0.5, 0.1)
    net = bp.from_keras(weights, activation="gelu", norm_first=False)
    assert_predicts(net, "keras_functional")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_to_keras_and_back(dtype):
    net = bp.Network(
        [4, 5, 6, 3, 2],
        norm=["batch", "layer", None],
        input_scale=1.0,
        dtype=dtype,
        rng=0,
    )
    net.fit(X, X[:, :2], epochs=2, progress=False)
    weights = bp.to_keras(net)
    shapes = [(4, 5), *[(5,)] * 4, (5, 6), (6,), (6,), (6, 3), (3,), (3, 2), (2,)]
    assert [w.shape for w in weights] == shapes
    assert all(w.dtype == dtype for w in weights)
    # As Keras computes it with epsilon 1e-5.
    W0, gain, shift, mean, variance, W1, gain1, shift1, W2, b2, W3, b3 = weights
    a = np.maximum(gain * (X @ W0 - mean) / np.sqrt(variance + 1e-5) + shift, 0)
    u = a @ W1
    u = (u - u.mean(1, keepdims=True)) / np.sqrt(u.var(1, keepdims=True) + 1e-5)
    a = np.maximum(gain1 * u + shift1, 0)
    expected = np.maximum(a @ W2 + b2, 0) @ W3 + b3
    np.testing.assert_allclose(net.predict(X), expected, rtol=0, atol=1e-5)
    weights[0][...] = 0  # a copy
    assert net.weights[0].any()


def test_bad_lists():
    W = np.ones((2, 2))
    for source, message in (
        ([], "begin with a matrix"),
        ([np.ones(2), W], "begin with a matrix"),
        ([W, *[np.ones(2)] * 6], "layer 0: 6 vectors"),
        ([W, np.ones(2), W, np.ones(3)], r"layer 1: b must be \(2,\)"),
        ([W.astype(int)], "array 0 must be of float32 or float64; got int64"),
        ([W, np.full(2, np.nan)], "layer 0: b must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            bp.from_keras(source, activation=None if len(source) < 3 else "relu")
    for source in (3, [np.ones((2, 2, 2))], b"a"):
        with pytest.raises(TypeError, match="source must be a model of Keras"):
            bp.from_keras(source)


# --- models ---------------------------------------------------------------------------


class Layer:
    """What looks like a layer of Keras."""

    def __init__(self, name, config, weights):
        self.name, self.config, self.weights = name, config, weights

    def get_config(self):
        return {"name": self.name, **self.config}

    def get_weights(self):
        return self.weights


def layer(kind, name, weights=(), **config):
    return type(kind, (Layer,), {})(name, config, list(weights))


class Model:
    """What looks like a Sequential of Keras."""

    def __init__(self, *layers):
        self.layers = list(layers)

    def get_config(self):
        entries = [
            {"class_name": type(layer).__name__, "config": layer.get_config()}
            for layer in self.layers
        ]
        return {"name": "model", "layers": entries}

    def get_weights(self):
        return [w for layer in self.layers for w in layer.weights]


NORM = {"axis": -1, "epsilon": 1e-3, "center": True, "scale": True}
DENSE = {"use_bias": True, "activation": "linear"}


def dense(name, n_in, n_out, **config):
    weights = [np.ones((n_in, n_out), np.float32), np.zeros(n_out, np.float32)]
    config = {**DENSE, **config}
    return layer("Dense", name, weights[: 1 + config["use_bias"]], **config)


def test_a_model_by_its_classes_and_settings():
    W, gain, shift, mean, variance = weights_of("keras")[0:1] + weights_of("keras")[2:6]
    model = Model(
        layer("InputLayer", "in"),
        layer("Rescaling", "scale", scale=2.0, offset=0.0),
        layer("Dense", "one", [W], **DENSE | {"use_bias": False}),
        layer("BatchNormalization", "n", [gain, shift, mean, variance], **NORM),
        layer("LeakyReLU", "f", negative_slope=0.01),
        layer("Dropout", "drop", rate=0.5),
        dense("two", 5, 2, activation="exponential"),
    )
    net = bp.from_keras(model)
    assert net.activations == ("leaky_relu", "exp")
    assert net.norms == ("batch", None)
    assert net.dropout == (0.5, 0.0)
    assert np.allclose(net.weights[0], 2 * W)
    with pytest.raises(TypeError, match="left to the model"):
        bp.from_keras(model, activation="relu")
    with pytest.raises(ValueError, match="a model that ends in exp; got 'softmax'"):
        bp.from_keras(model, output="softmax")


def test_norms_without_gain_or_shift():
    for config, weights in (({"scale": False}, 1), ({"center": False}, 1)):
        given = [np.full(3, 2.0, np.float32)] * weights
        model = Model(
            dense("one", 4, 3, use_bias=False),
            layer("LayerNormalization", "n", given, **NORM | config),
            dense("two", 3, 1),
        )
        net = bp.from_keras(model)
        assert net.gains[0][0] == (1 if "scale" in config else 2)
        assert net.biases[0][0] == (2 if "scale" in config else 0)


BAD_LAYERS = {
    "another class": (layer("Conv1D", "c"), r"layer 'c' \(Conv1D\): there is no layer"),
    "a slope": (
        layer("LeakyReLU", "f", negative_slope=0.3), "negative_slope must be 0.01; got",
    ),
    "an unknown activation": (
        layer("Activation", "f", activation="sine"), "no activation here for 'sine'",
    ),
    "an activation that is an object": (
        layer("Activation", "f", activation={"class_name": "os.system"}), "no acti",
    ),
    "a rate that is a text": (layer("Dropout", "d", rate="1"), "rate must be a number"),
    "an infinite scale": (
        layer("Rescaling", "s", scale=np.inf, offset=0.0), "scale must be finite",
    ),
    "arrays that are missing": (
        layer("BatchNormalization", "n", **NORM), "must have 4 arrays; got 0",
    ),
    "another axis": (
        layer("BatchNormalization", "n", **NORM | {"axis": 0}), "axis must be -1; got",
    ),
    "no bias said": (layer("Dense", "d"), "use_bias must be true or false"),
    "quantised": (
        layer("Dense", "d", **DENSE, quantization_config={"a": 1}), "plain weights",
    ),
    "a layer norm after biases": (
        layer("LayerNormalization", "n", [np.ones(3)] * 2, **NORM), None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("part, message", BAD_LAYERS.values(), ids=BAD_LAYERS)
def test_layers_that_cannot_be_read(part, message):
    first = dense("one", 4, 3)
    first.weights[1][0] = 1
    with pytest.raises(ValueError, match=message or "use_bias=False"):
        bp.from_keras(Model(first, part, dense("two", 3, 1)))


# --- files ----------------------------------------------------------------------------


def test_files_predict_the_same(h5py):
    net = bp.from_keras(FOLDER / "keras.keras")
    assert net.activations == ("relu", "elu", "softmax")
    assert (net.norms, net.dropout) == (("batch", "layer", None), (0.2, 0.0, 0.0))
    assert_predicts(net, "keras")
    assert_predicts(
        bp.from_keras(FOLDER / "keras_functional.keras"), "keras_functional"
    )
    assert_predicts(bp.from_keras(str(PLAIN), activation="tanh"), "keras_plain")
    swapped = ["dense_1", "dense"]
    with pytest.raises(bp.ModelFileError, match="layer 1: W must have 2 rows"):
        bp.from_keras(PLAIN, keys=swapped, activation="relu")
    with pytest.raises(bp.ModelFileError, match=r"groups of the file, .*; got 'conv'"):
        bp.from_keras(PLAIN, keys=["conv"])
    with pytest.raises(TypeError, match="left to the model"):
        bp.from_keras(FOLDER / "keras.keras", keys=["dense"])


def written(h5py, tmp_path, change):
    """The plain file with a change."""
    path = tmp_path / "a.weights.h5"
    path.write_bytes(PLAIN.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(name, **how):
    def change(file):
        del file[name]
        file.create_dataset(name, **how)

    return change


KERNEL = "layers/dense/vars/0"


def test_arrays_that_are_not_stored_in_the_file(h5py, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["a"] = np.ones((4, 5), np.float32)

    def link(file):
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(str(other), "/a")

    def soft(file):
        del file[KERNEL]
        file[KERNEL] = h5py.SoftLink("/layers/dense_1/vars/0")

    def group(file):
        del file[KERNEL]
        file.create_group(KERNEL)

    shape, f4 = (4, 5), "f4"
    raw = [(str(tmp_path / "raw"), 0, 80)]
    for change, message in (
        (link, "must have '0' in the file"),
        (soft, "must have '0' in the file"),
        (group, "'0' must be a Dataset"),
        (replaced(KERNEL, shape=shape, dtype=f4, external=raw), "stored as it is"),
        (replaced(KERNEL, shape=shape, dtype=f4), "is not in the file"),
        (replaced(KERNEL, shape=(1 << 30, 1 << 10), dtype=f4), "stored as it is"),
        (replaced(KERNEL, data=np.ones(shape), compression="gzip"), "stored as it is"),
        (replaced(KERNEL, data=np.ones(shape, int)), "got int64"),
        (replaced(KERNEL, data=h5py.Empty(f4)), "stored as it is"),
        (replaced(KERNEL, data=np.full(shape, np.nan)), "layer 0: W must be finite"),
        (lambda file: file.move("layers", "other"), "must have 'layers'"),
        (lambda file: file.create_group("model_weights"), "older format"),
    ):
        path = written(h5py, tmp_path, change)
        with pytest.raises(bp.ModelFileError, match=message):
            bp.from_keras(path, activation="tanh")


def archive(**changes):
    """The bytes of an archive with other members; None leaves one out."""
    with zipfile.ZipFile(FOLDER / "keras.keras") as file:
        members = {name: file.read(name) for name in file.namelist()}
    names = {"config": "config.json", "weights": "model.weights.h5"}
    how = changes.pop("how", zipfile.ZIP_STORED)
    for key, value in changes.items():
        members[names[key]] = value
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as file:
        for name, content in members.items():
            if content is not None:
                file.writestr(name, content)
    return out.getvalue()


def configuration(change):
    with zipfile.ZipFile(FOLDER / "keras.keras") as file:
        config = json.loads(file.read("config.json"))
    change(config["config"]["layers"])
    return archive(config=json.dumps(config).encode())


def branch(layers):
    history = {"keras_history": ["input_layer", 0, 0]}
    layers[3]["inbound_nodes"] = [{"args": [history], "kwargs": {}}]


ARCHIVES = {
    "no archive": (lambda: b"PK\x03\x04", "is a damaged archive"),
    "another file": (lambda: b"\x89PNG", "must be a .keras archive or an HDF5 file"),
    "no configuration": (lambda: archive(config=None), "must have config.json once"),
    "no weights": (lambda: archive(weights=None), "must have model.weights.h5 once"),
    "compressed": (lambda: archive(how=zipfile.ZIP_DEFLATED), "without compression"),
    "a huge configuration": (lambda: archive(config=b" " * (5 << 20)), "at most 4,194"),
    "no JSON": (lambda: archive(config=b"{"), "keras: "),
    "deep JSON": (lambda: archive(config=b"[" * 100_000), "64 brackets within each"),
    "a list": (lambda: archive(config=b"[]"), "must have a list of layers"),
    "no layers": (lambda: archive(config=b'{"config": {"layers": 3}}'), "list of"),
    "a layer that is none": (
        lambda: archive(config=b'{"config": {"layers": [3]}}'), "must have a class and",
    ),
    "weights of another kind": (lambda: archive(weights=b"abc"), "damaged HDF5 file"),
    "a class of code": (
        lambda: configuration(lambda layers: layers[2].update(class_name="Lambda")),
        r"\(Lambda\): there is no layer",
    ),
    "another name": (
        lambda: configuration(lambda layers: layers[1]["config"].update(name="else")),
        "'else' .Dense.: must have 1 arrays; got 0|must have 2 arrays; got 0",
    ),
    "a branch": (lambda: configuration(branch), "models with branches"),
    "many members": (lambda: archive() + b"PK\x01\x02" * 2000, "at most 1,000 members"),
}  # fmt: skip


@pytest.mark.parametrize("made, message", ARCHIVES.values(), ids=ARCHIVES)
def test_bad_archives(h5py, made, message, tmp_path):
    path = tmp_path / "a.keras"
    path.write_bytes(made())
    with pytest.raises(bp.ModelFileError, match=message) as caught:
        bp.from_keras(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_without_h5py(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match="or give model"):
        bp.from_keras(FOLDER / "keras.keras")


@pytest.mark.parametrize("name", ["keras_functional.keras", "keras_plain.weights.h5"])
def test_changed_files_raise_or_are_networks(h5py, name, tmp_path):
    path, refused = tmp_path / name, 0
    for changed in mutations((FOLDER / name).read_bytes(), 60, seed=3):
        path.write_bytes(changed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                net = bp.from_keras(path)
            assert np.isfinite(net.parameters).all()
        except bp.ModelFileError as error:
            refused += 1
            assert len(str(error)) < len(str(path)) + 600
    assert refused > 15
