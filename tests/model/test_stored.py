"""Stored networks (pickles, copies, messages): one strict reader reads them all."""

import copy
import pickle
import pickletools

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.network import OWN
from helpers import each_library, everything

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X[:, :2] * 2
QUIET = {"progress": False}


def make(Network=bp.Network, **settings):
    settings = {"optimizer": bp.Adam(0.01), "norm": "batch", "rng": 0, **settings}
    net = Network([3, 4, 2], **settings)
    net.fit(X, Y, epochs=2, **QUIET)
    return net


def altered(net, part, name, change):
    """A pickle's content with one entry changed; None takes the entry out."""
    state = net.__getstate__()
    entries = state[OWN][part] if part else state[OWN]
    if change is None:
        del entries[name]
    else:
        entries[name] = change(entries[name]) if callable(change) else change
    return state


def filled(value):
    return lambda array: np.full_like(array, value)


ALTERED = {
    # part, entry, change, message
    "no sizes": ("design", "sizes", None, "design must have"),
    "an unknown entry": ("design", "more", 1, "design must have"),
    "a width of 0": ("design", "sizes", (3, 0, 2), r"sizes\[1\]"),
    "a negative width": ("design", "sizes", (3, -4, 2), r"sizes\[1\]"),
    "a width of another type": ("design", "sizes", (3, 4.0, 2), r"sizes\[1\]"),
    "another width": ("design", "sizes", (3, 5, 2), "parameters must have shape"),
    "a huge width": ("design", "sizes", (3, 2**40, 2), "parameters must have shape"),
    "a layer more": ("design", "sizes", (3, 4, 4, 2), "activations must have"),
    "too few activations": ("design", "activations", ("relu",), "activations must"),
    "an unknown activation": ("design", "activations", ("rel", "identity"), "activ"),
    "no name of the output": ("design", "activations", ("relu", None), "activations"),
    "too few norms": ("design", "norms", ("batch",), "norms must have"),
    "another norm": ("design", "norms", ("layer", None), "moments must have shape"),
    "a norm of the outputs": ("design", "norms", ("batch", "batch"), "last layer"),
    "too few shares": ("design", "dropout", (), "dropout must have"),
    "a share above 1": ("design", "dropout", (1.5, 0.0), "dropout"),
    "noise that is NaN": ("design", "input_noise", float("nan"), "input_noise"),
    "a scale that is NaN": ("design", "input_scale", float("nan"), "input_scale"),
    "a scale without numbers": ("design", "input_scale", 1.0, "parameters must have"),
    "a negative seed": ("design", "seed", -1, "seed"),
    "a seed too large": ("design", "seed", 2**64, "seed"),
    "a loss by name": ("design", "loss", "squared_error", "loss"),
    "parameters of another size": ("state", "parameters", lambda a: a[1:], "shape"),
    "parameters of another rank": ("state", "parameters", lambda a: a[None], "shape"),
    "a list of parameters": ("state", "parameters", lambda a: a.tolist(), "array"),
    "whole parameters": ("state", "parameters", lambda a: a.astype(int), "dtype"),
    "no parameters": ("state", "parameters", None, "missing"),
    "no optimizer array": ("state", "optimizer.mean", None, "missing"),
    "an optimizer array of one number": (
        "state", "optimizer.mean", lambda a: a[:1], "shape",
    ),
    "an unknown array": ("state", "more", np.zeros(1), "unknown"),
    "steps beyond any": ("state", "counters", filled(2**62), "counters"),
    "negative steps": ("state", "counters", filled(-1), "counters"),
    "more steps of a layer": (
        "state", "counters", lambda a: a + np.arange(len(a)) * 5, "counters",
    ),
    "too few counters": ("state", "counters", lambda a: a[:-1], "counters"),
    "epochs beyond any": ("state", "epochs", filled(2**62), "epochs"),
    "a schedule begun after the steps": (
        *("state", "schedule"),
        *(lambda array: array + np.array([1000, 0]), "schedule must begin"),
    ),
    "a negative variance": ("state", "moments", filled(-1.0), "negative variance"),
    "a schedule of the future": ("state", "schedule", filled(2**50), "schedule"),
    "factors that are NaN": ("state", "lr_factors", filled(np.nan), "lr_factors"),
    "too few factors": ("state", "lr_factors", lambda a: a[:1], "lr_factors"),
    "factors of W alone": ("state", "lr_factors", lambda a: a[:, 0], "lr_factors"),
    "negative factors": ("state", "lr_factors", filled(-1.0), "lr_factors"),
    "frozen as numbers": ("state", "frozen", lambda a: a.astype(float), "frozen"),
    "random words of no generator": ("state", "bits", filled(2), "bits"),
    "too few random words": ("state", "bits", lambda a: a[:4], "bits"),
    "a plateau without a schedule": ("state", "plateau", np.zeros(4), "plateau"),
    "a quantity of no kind": (
        "state", "quantity", np.frombuffer(b"most 2 x", np.uint8), "quantity",
    ),
    "no state": (None, "state", None, "stored network must have"),
    "a state that is a list": (None, "state", [], "state"),
    "an optimizer by name": (None, "optimizer", "adam", "optimizer"),
    "another optimizer": (None, "optimizer", bp.SGD(0.1), "unknown"),
    "an unknown dtype": (None, "dtype", "float16", "dtype"),
    "no number of threads": (None, "n_threads", 0, "n_threads"),
}  # fmt: skip


@each_library
@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_pickle_is_refused(name, Network):
    part, entry, change, message = ALTERED[name]
    net = make(Network)
    before = everything(net)
    state = altered(net, part, entry, change)
    with pytest.raises((ValueError, TypeError), match=message):
        object.__new__(Network).__setstate__(state)
    with pytest.raises((ValueError, TypeError), match=message):
        net.__setstate__(state)  # of a living network: nothing has changed
    assert everything(net) == before
    net.train_step(X, Y)


@each_library
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: {**state, "_learner": 1}, "must not have '_learner'"),
        (lambda state: {**state, "_one": np.zeros(1)}, "must not have '_one'"),
        (lambda state: {**state, 3: 1}, "name of an attribute"),
        (lambda state: {"mine": 1}, "it is missing"),
        (lambda state: None, "must be a Mapping"),
        (lambda state: {**state, OWN: [1]}, "must be a Mapping"),
    ],
)
def test_what_is_no_state_of_a_network_is_refused(change, message, Network):
    net = make(Network)
    before = everything(net)
    state = change(net.__getstate__())
    for target in (object.__new__(Network), net):
        with pytest.raises((ValueError, TypeError), match=message):
            target.__setstate__(state)
    assert everything(net) == before


def test_arrays_of_another_byte_order_are_converted():
    net = make()
    state = altered(net, "state", "parameters", lambda a: a.astype(">f4"))
    other = object.__new__(bp.Network)
    other.__setstate__(state)
    assert everything(other) == everything(net)


@pytest.mark.parametrize(
    "change",
    (None, filled(np.nan), filled(-1.0), lambda a: a[:2]),
    ids=["None", "nan", "negative", "short"],
)
def test_a_schedule_that_follows_a_plateau_needs_one(change):
    lr = schedules.ReduceOnPlateau(0.1)
    net = make(optimizer=bp.SGD(lr))
    assert everything(copy.copy(net)) == everything(net)
    with pytest.raises((ValueError, TypeError), match="plateau"):
        object.__new__(bp.Network).__setstate__(
            altered(net, "state", "plateau", change)
        )


@pytest.mark.parametrize("settings", [bp.SGD(0.1, momentum=0.5), bp.Huber(2.0)])
def test_settings_are_checked_again(settings):
    """Numbers computed from them are not stored."""
    if isinstance(settings, bp.Optimizer):
        settings.groups()
    stored = settings.__getstate__()
    assert copy.deepcopy(settings) == settings == pickle.loads(pickle.dumps(settings))
    for name in stored:
        if isinstance(stored[name], float):
            with pytest.raises(ValueError, match=name):
                object.__new__(type(settings)).__setstate__({**stored, name: -1.0})
        rest = {key: value for key, value in stored.items() if key != name}
        with pytest.raises(ValueError, match="missing"):
            object.__new__(type(settings)).__setstate__(rest)


def fills_memory(data):
    """Whether CPython's unpickler would fill gigabytes: a large number of an object."""
    try:
        return any(
            opcode.name in ("PUT", "LONG_BINPUT") and number > 1 << 20
            for opcode, number, _ in pickletools.genops(bytes(data))
        )
    except Exception:  # the end of what can be read
        return False


# CPython's own unpickler complains of some of them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pickles_with_flipped_bytes_are_refused_or_work():
    """The result may be anything but a crash or an endless loop."""
    net = make()
    whole, loaded = pickle.dumps(net), 0
    choose = np.random.default_rng(0)
    for _ in range(400):
        flipped = bytearray(whole)
        flipped[choose.integers(len(whole))] ^= 1 << int(choose.integers(8))
        if fills_memory(flipped):
            continue
        try:
            other = pickle.loads(bytes(flipped))
        except Exception:
            continue
        loaded += 1
        if isinstance(other, bp.Network):
            with np.errstate(all="ignore"):
                try:
                    other.train_step(X, Y)
                    other.predict(X)
                except (ValueError, ArithmeticError):
                    pass
    assert loaded > 50  # most bytes are those of numbers


def test_arrays_mapped_from_a_file_are_read(tmp_path):
    """As by joblib.load(mmap_mode="r"); the network has memory of its own."""
    net = make()
    state = net.__getstate__()
    arrays = state[OWN]["state"]
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        arrays[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    other = bp.Network.__new__(bp.Network)
    other.__setstate__(state)
    assert type(arrays["parameters"]) is np.memmap
    assert type(other.parameters) is np.ndarray and other.parameters.flags.writeable
    assert np.array_equal(other.predict(X), net.predict(X))
    other.fit(X, Y, **QUIET)
