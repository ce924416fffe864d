"""Modules and state dicts of PyTorch."""

import numpy as np
import pytest

import bpcore as bp
from helpers import GOLDEN, golden
from helpers.files import raw_container

EXCHANGED = golden("exchanged")
FILE = GOLDEN / "exchanged" / "torch.safetensors"
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(6, 4))


# --- state dicts ----------------------------------------------------------------------


def test_a_file_of_pytorch_predicts_the_same():
    expected = EXCHANGED["torch_safetensors"]
    for keys in (None, ["0", "1", "3"]):
        net = bp.from_torch(FILE, activation="tanh", keys=keys, loss="huber")
        assert (net.norms, net.loss, net.dtype) == (("batch", None), "huber", "float32")
        found = net.predict(EXCHANGED["X"])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    after = bp.from_torch(str(FILE), activation="tanh", norm_first=False)
    assert after.norms == (None, None)
    assert np.abs(after.predict(EXCHANGED["X"]) - expected).max() > 0.01


def state_dict(count):
    """Layers fc1, fc2, ... of 4 units."""
    found = {}
    for i in range(1, count + 1):
        found[f"fc{i}.weight"] = RANDOM.normal(size=(4, 4))
        found[f"fc{i}.bias"] = RANDOM.normal(size=4)
    return found


def test_layers_are_in_the_order_of_their_numbers():
    state = state_dict(11)
    net = bp.from_torch(dict(sorted(state.items())), activation="tanh")
    assert net.dtype == "float64"
    for i, (W, b) in enumerate(zip(net.weights, net.biases, strict=True), 1):
        assert np.array_equal(W.T, state[f"fc{i}.weight"])
        assert np.array_equal(b, state[f"fc{i}.bias"])
    how = {"keys": ["fc3", "fc1"], "output": "sigmoid"}
    with pytest.raises(TypeError, match="activation must be given for 1 hidden layer:"):
        bp.from_torch(state, **how)
    net = bp.from_torch(state, activation="relu", **how)
    assert net.activations == ("relu", "sigmoid")
    assert np.array_equal(net.weights[0].T, state["fc3.weight"])


def test_layer_norms_of_a_state_dict():
    state = state_dict(2)
    del state["fc1.bias"]
    state |= {"fc1_norm.weight": RANDOM.normal(size=4)}
    net = bp.from_torch(state, activation="tanh")
    assert net.norms == ("layer", None)
    assert np.array_equal(net.gains[0], state["fc1_norm.weight"])
    assert not net.biases[0].any()


BAD_STATES = {
    "nothing": ({}, {}, "must be weights"),
    "a norm first": ({"0.weight": np.ones(3)}, {}, "layer '0': a norm must follow"),
    "no weight": ({"0.bias": np.ones(3)}, {}, "layer '0': must have a weight"),
    "an unknown array": ({"0.weights": np.ones((1, 1))}, {}, "the array 'weights'"),
    "a name alone": ({"alpha": np.ones((1, 1))}, {}, "layer 'alpha': has the array"),
    "integers": ({"0.weight": np.ones((1, 1), int)}, {}, "float64; got int64"),
    "no variance": (
        {"0.weight": np.ones((1, 1)), "1.weight": X[0], "1.running_mean": X[0]}, {},
        "layer '1': must have running_var",
    ),
    "unknown keys": (
        {"0.weight": np.ones((1, 1))}, {"keys": ["1"]}, "state dict, 0; got '1'",
    ),
    "wrong activations": (
        {"0.weight": np.ones((1, 1))}, {"activation": ["relu"]}, "each of the 0 hidden",
    ),
    "a wrong output": ({"0.weight": np.ones((1, 1))}, {"output": "sine"}, "output"),
    "layers that do not fit": (
        {"0.weight": np.ones((2, 1)), "1.weight": np.ones((1, 1))},
        {"activation": "relu"}, "'1': W must",
    ),
}  # fmt: skip


@pytest.mark.parametrize("state, how, message", BAD_STATES.values(), ids=BAD_STATES)
def test_bad_state_dicts(state, how, message):
    with pytest.raises(ValueError, match=message):
        bp.from_torch(state, **how)


def test_bad_arguments():
    state = {"0.weight": np.ones((1, 1))}
    for source, how in (
        (3, {}),
        (state, {"keys": "0"}),
        (state, {"keys": [0]}),
        (state, {"norm_first": 1}),
    ):
        with pytest.raises(TypeError):
            bp.from_torch(source, **how)
    with pytest.raises(TypeError, match="keys must be a sequence"):
        bp.from_torch(FILE, keys=3)
    for how in ({"output": 3}, {"activation": 3}, {"activation": ["relu", "sine"]}):
        with pytest.raises(ValueError, match=r"^(output|activation) must be one of"):
            bp.from_torch(FILE, **how)


def test_bad_files(tmp_path):
    path = tmp_path / "a.safetensors"
    entry = {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}
    nan = np.float32(np.nan).tobytes()
    for header, data, message in (
        ({"0.weight": entry}, b"1234567", "has more behind them"),
        ({"0.weight": entry}, nan, "layer '0': W must be finite"),
        ({"0.weight": {**entry, "dtype": "BF16"}}, b"1234", "got 'BF16'"),
        ({"0.weight": {**entry, "shape": [1]}}, b"1234", "a norm must follow weights"),
        ({"a": entry}, b"1234", "layer 'a': has the array 'a'"),
    ):
        raw_container(path, header, data)
        with pytest.raises(bp.ModelFileError, match=message) as caught:
            bp.from_torch(path)
        assert str(caught.value).startswith(f"{path}: ")
    for first in (b"PK\x03\x04", b"\x80\x02"):
        path.write_bytes(first + bytes(100))
        with pytest.raises(bp.ModelFileError, match="can run any code"):
            bp.from_torch(path)
    with pytest.raises(bp.ModelFileError, match="is a folder"):
        bp.from_torch(tmp_path)


# --- modules, without PyTorch ---------------------------------------------------------


def stand_in(kind, module="torch.nn.modules.any", **attributes):
    """An object that looks like a module of PyTorch."""
    made = type(kind, (), {"__module__": module, "named_children": lambda self: ()})()
    vars(made).update(attributes)
    return made


def sequential(*parts):
    whole = stand_in("Sequential")
    once = {id(part): (str(i), part) for i, part in reversed([*enumerate(parts)])}
    type(whole).named_children = lambda self: [*once.values()]
    type(whole).__iter__ = lambda self: iter(parts)
    return whole


def linear(n_in, n_out, bias=True):
    W = RANDOM.normal(size=(n_out, n_in))
    b = RANDOM.normal(size=n_out) if bias else None
    return stand_in("Linear", weight=W, bias=b)


def test_a_module_that_is_there_twice():
    f, inner = stand_in("ReLU"), linear(4, 4)
    net = bp.from_torch(sequential(linear(3, 4), f, inner, f, inner, f, linear(4, 1)))
    assert net.sizes == (3, 4, 4, 4, 1)
    assert net.activations == ("relu", "relu", "relu", "identity")
    assert (net.weights[1] == net.weights[2]).all()
    block = sequential(inner, f)
    assert bp.from_torch(sequential(block, block)).sizes == (4, 4, 4)


def test_hooks():
    part = linear(3, 4)
    vars(part)["_forward_hooks"] = {0: print}
    with pytest.raises(ValueError, match=r"module '0' .* must have no forward hooks"):
        bp.from_torch(sequential(part, linear(4, 1)))
    pruning = type("L1", (), {"__module__": "torch.nn.utils.prune"})()
    vars(part).update(_forward_hooks={}, _forward_pre_hooks={0: pruning})
    assert bp.from_torch(sequential(part, linear(4, 1))).sizes == (3, 4, 1)


def test_a_module_by_its_classes_and_attributes():
    first, last = linear(4, 3), linear(3, 2)
    norm = {"weight": None, "bias": None, "eps": 1e-5}
    moments = {"running_mean": np.zeros(3), "running_var": np.full(3, 4.0)}
    module = sequential(
        stand_in("Flatten", start_dim=1, end_dim=-1),
        sequential(first, stand_in("BatchNorm1d", **norm, **moments)),
        stand_in("GELU", approximate="tanh"),
        stand_in("Dropout", p=0.25),
        last,
        stand_in("Softmax", dim=-1),
    )
    net = bp.from_torch(module, loss="kl_divergence")
    assert net.activations == ("gelu_tanh", "softmax")
    assert (net.norms, net.dropout) == (("batch", None), (0.25, 0.0))
    assert net.loss == "kl_divergence"
    assert np.array_equal(net.running_moments[0], [-first.bias, [4.0] * 3])


BAD_MODULES = {
    "another class": (stand_in("Conv1d"), r"module '1' \(Conv1d\): there is no layer"),
    "a class of the user's": (stand_in("ReLU", "mine"), "must be a module of torch.nn"),
    "a slope": (
        stand_in("LeakyReLU", negative_slope=0.2), "negative_slope must be 0.01; got",
    ),
    "gelu": (stand_in("GELU", approximate="x"), "'none' or 'tanh'; got 'x'"),
    "softmax of rows": (stand_in("Softmax", dim=0), "dim must be 1 or -1; got 0"),
    "no statistics": (
        stand_in("BatchNorm1d", running_mean=None), "must have running statistics",
    ),
    "two axes": (
        stand_in("LayerNorm", normalized_shape=(2, 2)), "normalized_shape must be one",
    ),
    "a layer norm after biases": (
        stand_in("LayerNorm", normalized_shape=(3,), weight=None, bias=None, eps=1e-5),
        r"'1' \(LayerNorm\): the layer before a layer norm must have no bias",
    ),
}  # fmt: skip


@pytest.mark.parametrize("part, message", BAD_MODULES.values(), ids=BAD_MODULES)
def test_modules_that_cannot_be_read(part, message):
    with pytest.raises((ValueError, TypeError), match=message):
        bp.from_torch(sequential(linear(4, 3), part, linear(3, 2)))


def test_the_output_of_a_module_that_ends_in_logits():
    module = sequential(linear(4, 3), stand_in("ReLU"), linear(3, 3))
    net = bp.from_torch(module, output="softmax", loss="cross_entropy")
    assert net.activations == ("relu", "softmax") and net.loss == "cross_entropy"
    with pytest.raises(ValueError, match="a model that ends in relu; got 'softmax'"):
        bp.from_torch(sequential(linear(4, 3), stand_in("ReLU")), output="softmax")


@pytest.mark.parametrize(
    "function", [bp.to_torch, bp.to_keras, lambda model: bp.to_fann(model, "a.net")]
)
def test_only_networks_are_written(function):
    with pytest.raises(TypeError, match="network must be"):
        function(object())


def test_settings_of_a_module_are_its_own():
    with pytest.raises(TypeError, match="left to the module"):
        bp.from_torch(sequential(linear(4, 3)), activation="relu")


def test_activations_that_pytorch_lacks():
    for name in ("exp", "step"):
        net = bp.Network([2, 3, 1], activation=name)
        with pytest.raises(ValueError, match=f"must not have {name}"):
            bp.to_torch(net)


# --- modules --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-6), ("float64", 1e-13)])
def test_modules_predict_the_same(torch, dtype, tolerance):
    nn, real = torch.nn, getattr(torch, dtype)
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.BatchNorm1d(4),
        nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.3)),
        nn.Linear(5, 6, bias=False),
        nn.LayerNorm(6, eps=1e-6),
        nn.GELU(),
        nn.BatchNorm1d(6, eps=1e-3, affine=False),
        nn.Linear(6, 3),
        nn.Softmax(1),
    ).to(real)
    for _ in range(20):
        module(torch.randn(8, 4, dtype=real) * 2 + 1)
    module.eval()
    net = bp.from_torch(module)
    rows = torch.from_numpy(X.astype(dtype))
    expected = module(rows).detach().numpy()
    np.testing.assert_allclose(net.predict(X), expected, rtol=0, atol=tolerance)
    again = bp.to_torch(net)
    assert not again.training
    found = again(rows).detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    assert bp.from_torch(again).dropout == net.dropout == (0.3, 0.0, 0.0)


def test_every_activation_of_pytorch(torch):
    names = [n for n in bp.ACTIVATIONS if n not in ("exp", "step")]
    net = bp.Network(
        [4, *[5] * len(names), 2],
        activation=names,
        norm=["batch", "layer", *[None] * (len(names) - 2)],
        dropout=[0.5, *[0.0] * (len(names) - 1)],
        input_scale=1.0,
        dtype="float64",
        rng=0,
    )
    net.fit(X, X[:, :2], epochs=2, progress=False)
    module = bp.to_torch(net)
    found = module(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(found, net.predict(X), rtol=0, atol=1e-13)
    same = bp.from_torch(module)
    assert same.activations == net.activations
    assert (same.norms, same.dropout) == (net.norms, net.dropout)


def test_other_types_of_numbers(torch):
    module = torch.nn.Sequential(torch.nn.Linear(2, 1).bfloat16())
    with pytest.raises(ValueError, match=r"got torch.bfloat16: convert it by \.float"):
        bp.from_torch(module)
