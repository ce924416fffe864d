"""Native files: a network that is saved and loaded is the same to the last bit."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.engine import dispatch
from bpcore.losses import JointQuantile
from helpers import everything, fourth_powers, golden, trained
from helpers.files import parts_of, rewrite
from trust.running import none_left, running

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(30, 4)).astype("float32")
LABELS = RANDOM.integers(0, 3, 30)
NUMBERS = X[:, :3] * 2
QUIET = {"progress": False}


def halved(t):
    """A schedule of the caller's."""
    return 1e-4 / 2**t


NETWORKS = {
    # settings of the network, targets
    "default": ({}, NUMBERS),
    "classes": ({"loss": bp.CrossEntropy(label_smoothing=0.1)}, LABELS),
    "float64": ({"dtype": "float64", "output": "sigmoid"}, NUMBERS > 0),
    "norms": ({"norm": ["batch", "layer"], "dropout": [0.2, 0.0]}, NUMBERS),
    "scale and noise": ({"input_scale": 6.0, "input_noise": 0.1}, NUMBERS),
    "ntk": ({"parametrization": "ntk", "bias_init": "normal"}, NUMBERS),
    "huber": ({"loss": bp.Huber(delta=0.3), "optimizer": bp.RMSprop()}, NUMBERS),
    "activations": ({"activation": ["mish", "gelu_tanh"], "n_threads": 1}, NUMBERS),
    "quantiles": ({"loss": JointQuantile((0.1, 0.5, 0.9))}, NUMBERS),
    "adam, biases": ({"optimizer": bp.Adam(biases={"lr_factor": 0.5})}, NUMBERS),
    "amsgrad": ({"optimizer": bp.AMSGrad(0.01, clip_norm=1.0)}, NUMBERS),
    "rprop": ({"optimizer": bp.Rprop()}, NUMBERS),
    "lbfgs": ({"optimizer": bp.LBFGS()}, NUMBERS),
    "warm-up of a plateau": (
        {"optimizer": bp.SGD(schedules.WarmUp(schedules.ReduceOnPlateau(0.1), 2))},
        NUMBERS,
    ),
    "schedule of steps": (
        {"optimizer": bp.Nadam(schedules.OneCycle(0.1, 40, per="step"))},
        NUMBERS,
    ),
    "one output": ({}, NUMBERS[:, :1]),
}


def make(settings, y, epochs=3):
    n_out = 3 if np.ndim(y) == 1 else y.shape[1]
    net = bp.Network([4, 6, 5, n_out], **{"rng": 1, **settings})
    net.frozen = [False, True, False]
    net.fit(X, y, epochs=epochs, **QUIET)
    return net


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.bpc"


@pytest.mark.parametrize("case", NETWORKS)
def test_a_loaded_network_is_the_same_and_trains_on_with_the_same_bits(case, path):
    settings, y = NETWORKS[case]
    net = make(settings, y)
    before = everything(net)
    net.save(path)
    assert everything(net) == before  # saving changes nothing
    same = bp.load(path)
    assert everything(same) == before
    assert same.predict(X).tobytes() == net.predict(X).tobytes()
    assert str(same.history) == str(net.history)
    for each in (net, same):
        each.fit(X, y, epochs=2, **QUIET)
    assert trained(same) == trained(net)


@pytest.mark.parametrize("case", NETWORKS)
@pytest.mark.parametrize("mmap", [False, True])
def test_weights_only(case, mmap, path):
    settings, y = NETWORKS[case]
    net = make(settings, y)
    net.save(path, weights_only=not mmap)
    same = bp.load(path, mmap=mmap)
    assert same.predict(X).tobytes() == net.predict(X).tobytes()
    assert same.optimizer == bp.SGD() and same.frozen == net.frozen
    bytes_before = path.read_bytes()
    same.fit(X, y, epochs=1, **QUIET)
    assert path.read_bytes() == bytes_before


def test_weights_only_files_are_smaller_and_the_whole_can_be_read_so_too(path):
    net = bp.Network([4, 60, 3], optimizer=bp.Adam(), rng=0)
    net.save(path)
    whole = path.stat().st_size
    assert bp.load(path, weights_only=True).optimizer == bp.SGD()
    net.save(path, weights_only=True)
    assert path.stat().st_size < whole / 2
    assert bp.load(path).predict(X).tobytes() == net.predict(X).tobytes()


def test_functions_are_stored_by_name(path):
    settings = {"loss": fourth_powers, "optimizer": bp.SGD(halved)}
    net = make(settings, NUMBERS)
    net.save(path)
    with pytest.raises(bp.ModelFileError, match=r"function 'halved'.*lr="):
        bp.load(path)
    half = bp.load(path, lr=halved)
    assert half.predict(X).tobytes() == net.predict(X).tobytes()
    with pytest.raises(ValueError, match=r"function 'fourth_powers'.*loss="):
        half.train_step(X, NUMBERS)
    whole = bp.load(path, loss=fourth_powers, lr=halved)
    assert everything(whole) == everything(net)
    half.save(path)  # the name stays
    assert everything(bp.load(path, loss=fourth_powers, lr=halved)) == everything(net)
    assert bp.load(path, weights_only=True).predict(X).tobytes() == (
        net.predict(X).tobytes()
    )


@pytest.mark.parametrize("name", ["loss", "lr"])
def test_functions_must_be_callable(name, path):
    bp.Network([2, 1]).save(path)
    with pytest.raises(TypeError, match=f"{name} must be a callable"):
        bp.load(path, **{name: 3})


def test_a_map_shares_the_file_and_is_aligned(path):
    net = bp.Network([4, 300, 3], norm="batch", rng=0)
    net.save(path)
    same = bp.load(path, mmap=True)
    assert same.parameters.ctypes.data % 64 == 0
    assert same.predict(X).tobytes() == net.predict(X).tobytes()
    same.weights[0][...] = 0  # a copy of the pages, not the file
    assert bp.load(path, mmap=True).predict(X).tobytes() == net.predict(X).tobytes()


def test_readers_of_safetensors_open_it(path):
    safetensors = pytest.importorskip("safetensors.numpy")
    net = make(*NETWORKS["norms"])
    net.save(path)
    found = safetensors.load_file(path)
    for l in range(3):
        assert (found[f"weights.{l}"] == net.weights[l]).all()
        assert (found[f"biases.{l}"] == net.biases[l]).all()
    assert (found["gains.0"] == net.gains[0]).all()


def test_history_is_kept(path):
    net = make({}, NUMBERS, epochs=1)
    net.fit(X, NUMBERS, epochs=4, validation=0.2, metrics="mae", patience=1, **QUIET)
    net.save(path)
    history = bp.load(path).history
    assert str(history) == str(net.history) and len(history) == len(net.history)
    assert (history["mae"] == net.history["mae"]).all()
    fresh = bp.Network([2, 1])
    fresh.save(path)
    assert bp.load(path).history is None


def test_numbers_that_are_not_finite_are_not_saved(path):
    net = bp.Network([4, 3], rng=0)
    net.save(path)
    before = path.read_bytes()
    net.weights[0][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"weights\.0 must be finite"):
        net.save(path)
    assert path.read_bytes() == before


def test_a_negative_variance_is_not_saved(path):
    net = bp.Network([4, 3, 2], norm="batch", rng=0)
    net.save(path)
    before = path.read_bytes()
    net.running_moments[0][1, 2] = -1e-30
    for write in (net.save, lambda to: net.save(to, weights_only=True)):
        with pytest.raises(ValueError, match="moments must have no negative variance"):
            write(path)
    assert path.read_bytes() == before


def test_an_error_leaves_the_old_file(path, monkeypatch):
    net = bp.Network([4, 3], rng=0)
    net.save(path)
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("no room")

    for function in ("replace", "fsync"):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="no room"):
            patch.setattr(os, function, fail)
            bp.Network([4, 300, 3]).save(path)
        assert path.read_bytes() == before
        assert [*path.parent.iterdir()] == [path]


def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_file(path):
    script = """
import sys, bpcore as bp
small, large = bp.Network([4, 3], rng=0), bp.Network([4, 30_000, 3], rng=0)
small.save(sys.argv[1])
print("ready", flush=True)
while True:
    large.save(sys.argv[1], sync=False)
    small.save(sys.argv[1], sync=False)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script, path], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        for _ in range(5):
            bp.load(path)  # whole at any time, while it is replaced
    finally:
        process.kill()
        process.communicate()
    assert bp.load(path).sizes[0] == 4


def test_large_networks_where_no_thread_can_start(path, monkeypatch):
    def fail(call, arguments):
        raise RuntimeError("can't start new thread")

    net = bp.Network([1000, 2200, 3], rng=0)
    monkeypatch.setattr("bpcore.workers.start_new_thread", fail)
    net.save(path)
    assert everything(bp.load(path)) == everything(net)


def test_no_thread_stays_where_nothing_can_be_written(path, tmp_path):
    net, threads = bp.Network([1000, 2200, 3], rng=0), running()
    for wrong in (path.with_suffix(".npz"), tmp_path, tmp_path / "none" / "a.bpc", 3):
        with pytest.raises((ValueError, OSError, TypeError)):
            net.save(wrong)
        assert none_left(threads)


def test_large_networks_with_numbers_that_are_not_finite(path):
    net, threads = bp.Network([1000, 2200, 3], rng=0), running()
    net.save(path)
    before = path.read_bytes()
    for place in (0, 1_500_000, -1):
        good = net.parameters[place]
        net.parameters[place] = np.nan
        with pytest.raises(ValueError, match="must be finite"):
            net.save(path)
        net.parameters[place] = good
        assert path.read_bytes() == before and [*path.parent.iterdir()] == [path]
    content, arrays = parts_of(path)
    arrays["weights.0"][999, 2199] = np.inf
    rewrite(path, content, arrays)
    with pytest.raises(bp.ModelFileError, match=r"weights\.0 must be finite"):
        bp.load(path)
    assert none_left(threads)


def test_what_could_not_be_loaded_is_not_saved(path, monkeypatch):
    monkeypatch.setattr("bpcore.files.native.header.MOST_VALUES", 1000)
    with pytest.raises(ValueError, match="too many layers, columns or names"):
        bp.Network([1] * 50).save(path)
    assert not path.exists()


def test_permissions_and_links_stay(tmp_path):
    target, link = tmp_path / "real.bpc", tmp_path / "link.bpc"
    net = bp.Network([2, 1])
    net.save(target)
    target.chmod(0o640)
    link.symlink_to(target)
    net.save(link)
    assert link.is_symlink() and stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("missing/net.bpc", FileNotFoundError),
        (".", IsADirectoryError),
        (os.devnull, OSError),
    ],
)
def test_paths_that_cannot_be_written(path, error, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error):
        bp.Network([2, 1]).save(path)


@pytest.mark.parametrize("suffix", [".onnx", ".h", ".net", ".pt", ".h5", ".npz", ".H"])
def test_suffixes_of_other_forms(suffix, tmp_path):
    path, net = tmp_path / f"net{suffix}", bp.Network([2, 1])
    for save in (net.save, bp.Checkpoint):
        with pytest.raises(ValueError, match=f"path must not end in {suffix.lower()}"):
            save(path)
    assert not path.exists()


def test_files_are_known_by_their_content(tmp_path):
    net = bp.Network([4, 6, 3], rng=0)
    net.to_onnx(tmp_path / "net.bpc")
    assert bp.load(tmp_path / "net.bpc").predict(X).tobytes() == (
        net.predict(X).tobytes()
    )
    net.save(tmp_path / "native")
    (tmp_path / "native").rename(tmp_path / "net.onnx")
    assert everything(bp.load(tmp_path / "net.onnx")) == everything(net)


def test_a_circle_of_links(tmp_path):
    one, two = tmp_path / "one.bpc", tmp_path / "two.bpc"
    one.symlink_to(two)
    two.symlink_to(one)
    with pytest.raises(OSError, match=r"lead to each other|symbolic links"):
        bp.Network([2, 1]).save(one)
    assert one.is_symlink() and two.is_symlink()


def test_forms_of_paths(path):
    net = bp.Network([2, 1], rng=0)
    for form in (path, str(path), os.fsencode(path)):
        net.save(form)
        assert everything(bp.load(form)) == everything(net)


def test_the_reference_saves_too(path):
    net = bp.reference.Network([4, 6, 3], rng=1)
    net.fit(X, NUMBERS, epochs=2, **QUIET)
    net.save(path)
    same = bp.load(path)
    assert trained(same) == trained(net) and type(same) is bp.Network


@pytest.mark.skipif(
    "x86_64_v2" not in dispatch.available, reason="a CPU of the family x86_64"
)
def test_self_test_without_fused_multiply_add(path):
    net = make(*NETWORKS["norms"])
    net.save(path)
    with dispatch.using("x86_64_v2"):
        with pytest.warns(UserWarning, match="without fused multiply-add"):
            bp.load(path)
        other = make(*NETWORKS["norms"])
        other.save(path)
        bp.load(path)
    with pytest.warns(UserWarning, match="without fused multiply-add"):
        bp.load(path)


FORMATS = Path(__file__).parents[1] / "golden"


def test_files_of_all_formats_load_for_ever():
    expected = golden("format_1")
    for name in ("network", "weights"):
        net = bp.load(FORMATS / f"format_1_{name}.bpc")
        assert net.predict(expected["X"]).tobytes() == expected["output"].tobytes()
    net = bp.load(FORMATS / "format_1_network.bpc")
    net.fit(expected["X"], expected["y"], epochs=2, batch_size=8, **QUIET)
    assert net.parameters.tobytes() == expected["trained"].tobytes()


def test_fits_of_all_formats_go_on_for_ever():
    expected, path = golden("format_1"), FORMATS / "format_1_checkpoint.bpc"
    net = bp.load(path)
    options = {"epochs": 4, "batch_size": 8, "restore_best": True, "resume": path}
    net.fit(expected["X"], expected["y"], **options, **QUIET)
    assert net.parameters.tobytes() == expected["resumed"].tobytes()


@pytest.mark.parametrize("package", ["tabular", "sklearn"])
@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_estimators_of_all_formats_load_for_ever(package, kind):
    if package == "sklearn":
        pytest.importorskip("sklearn")
    pandas = pytest.importorskip("pandas")
    expected, name = golden("format_1"), f"{package}_{kind}"
    X = data = expected["X"]
    if package == "tabular":
        columns = {"a": X[:, 0], "b": expected["b"], "colour": expected["colours"]}
        data = pandas.DataFrame({**columns, "flag": expected["y"] > 0})
    model = bp.load(FORMATS / f"format_1_{name}.bpc")
    predict = getattr(model, "predict_proba", model.predict)
    assert predict(data).tobytes() == expected[name].tobytes()


def test_what_is_in_a_file(path):
    bp.Network([2, 3, 1], activation="tanh", rng=0).save(path)
    content, arrays = parts_of(path)
    assert content["format"] == 1 and content["kind"] == "network"
    assert content["writer"] == bp.__version__
    assert content["network"]["sizes"] == [2, 3, 1]
    assert [*arrays][:4] == ["weights.0", "biases.0", "weights.1", "biases.1"]
