"""Pickles of designs, settings, gradients, tapes and histories are read strictly."""

import copy
import pickle

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from bpcore.losses import JointQuantile

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X[:, :2] * 2


def make():
    net = bp.Network([3, 4, 2], norm="batch", input_scale=0.5, rng=0)
    history = net.fit(X, Y, epochs=2, validation=(X, Y), metrics="r2", progress=False)
    tape, gradients = net.forward(X), net.gradients(X, Y)
    return net, {
        "design": net.learner.design,
        "gradients": gradients,
        "tape": tape,
        "history": history,
        "sgd": bp.SGD(0.1, momentum=0.9, biases={"weight_decay": 0.1}),
        "warm": schedules.WarmUp(schedules.CosineRestarts(0.1, 4, growth=2), 3),
        "huber": bp.Huber(0.5),
        "quantiles": JointQuantile((0.1, 0.9)),
        "ours": bp.CustomLoss(pow),
    }


NET, PARTS = make()


def with_column(name, column):
    return lambda columns: {**columns, name: column}


ALTERED = [
    # object, entry, its new value or a function of the old one, message
    ("design", "sizes", (3, 0, 2), r"sizes\[1\]"),
    ("design", "sizes", (3, 4, 5, 2), "activations"),
    ("design", "activations", ("rel", "identity"), "activations"),
    ("design", "seed", 2**64, "seed"),
    ("design", "loss", "huber", "loss"),
    ("design", "layout", 3, "design must have"),
    ("gradients", "flat", lambda a: a[:-1], "flat must have shape"),
    ("gradients", "flat", lambda a: a[:1], "flat must have shape"),
    ("gradients", "flat", lambda a: a.astype("f2"), "flat must be of dtype"),
    ("gradients", "flat", list, "flat must be an array"),
    ("gradients", "input", lambda a: a[:, :2], "input must have shape"),
    ("gradients", "input", lambda a: a.astype("f8"), "input must be of dtype"),
    ("gradients", "moments", lambda a: a[None], "moments must have shape"),
    ("gradients", "sizes", (3, 0, 2), r"sizes\[1\]"),
    ("gradients", "sizes", (3,), "sizes must be a tuple"),
    ("gradients", "gains", (True,), "gains must have 2"),
    ("gradients", "gains", (1, 0), "gains must be a bool"),
    ("gradients", "loss", "1", "loss must be"),
    ("gradients", "weighs", None, "weighs must be"),
    ("gradients", "weights", (), "unknown"),
    ("tape", "activations", lambda a: a[:1], "activations must be a tuple"),
    ("tape", "activations", lambda a: [*a], "activations must be a tuple"),
    ("tape", "activations", lambda a: (a[0].astype("u1"), *a[1:]), r"ons\[0\] must be"),
    ("tape", "activations", lambda a: (a[0], a[1][:1], a[2]), r"ions\[1\] must have"),
    (
        "tape",
        "activations",
        lambda a: (a[0].astype("f8"), *a[1:]),
        r"ions\[1\] must be",
    ),
    ("tape", "memory", lambda a: a.view("f4"), "memory must"),
    ("tape", "memory", lambda a: a[None], "memory must be uint8"),
    ("tape", "seen", -1, "seen"),
    ("tape", "seen", 2**62, "seen"),
    ("history", "columns", {}, "'loss'; it is missing"),
    ("history", "columns", [], "columns must be a Mapping"),
    ("history", "columns", with_column("lr", np.zeros(1)), "lr must have shape"),
    ("history", "columns", with_column("lr", [0.1, 0.1]), "lr must be an array"),
    ("history", "columns", with_column("lr", np.zeros(2, int)), "lr must be of dtype"),
    ("history", "columns", with_column(3, np.zeros(2)), "name of a column"),
    ("history", "stopped", "tired", "stopped"),
    ("history", "best_epoch", 3, "best_epoch must be at most 2"),
    ("history", "best_epoch", 2**62, "best_epoch"),
    ("history", "restored", -1, "restored"),
    ("sgd", "momentum", 1.5, "momentum"),
    ("sgd", "lr", np.nan, "lr"),
    ("sgd", "biases", (("weight_decay", -1.0),), "weight_decay"),
    ("sgd", "biases", ((["weight_decay"], 1.0),), "biases must be a mapping"),
    ("sgd", "_groups", (), "must not have '_groups'"),
    ("warm", "length", 2**63, "length must be .* below"),
    ("warm", "length", 10**400, "length must be .* below"),
    ("warm", "after", "x", "after must be"),
    ("huber", "delta", 0.0, "delta"),
    ("quantiles", "quantiles", [0.1], "quantiles must be a tuple"),
    ("quantiles", "quantiles", (0.1, 2.0), r"quantiles\[1\]"),
    ("ours", "function", 3, "function must be a callable"),
    ("ours", "is_graph", "no", "is_graph must be a bool"),
]


@pytest.mark.parametrize(
    ("name", "entry", "change", "message"),
    ALTERED,
    ids=[f"{name} {entry} {i}" for i, (name, entry, *_) in enumerate(ALTERED)],
)
def test_an_altered_pickle_is_refused(name, entry, change, message):
    original = PARTS[name]
    stored = original.__getstate__()
    stored[entry] = change(stored[entry]) if callable(change) else change
    living = copy.deepcopy(original)
    before = pickle.dumps(living)
    for target in (object.__new__(type(original)), living):
        with pytest.raises((ValueError, TypeError), match=message):
            target.__setstate__(stored)
    assert pickle.dumps(living) == before


#: Fields that are computed from others or by the first call.
COMPUTED = [("ours", "is_graph"), ("warm", "per")]


@pytest.mark.parametrize("name", PARTS)
def test_entries_must_be_there_and_known(name):
    original = PARTS[name]
    stored = original.__getstate__()
    for entry in stored:
        rest = {key: value for key, value in stored.items() if key != entry}
        if (name, entry) not in COMPUTED:
            with pytest.raises(ValueError, match=r"must have"):
                object.__new__(type(original)).__setstate__(rest)
    for other in (None, 3, [], "x"):
        with pytest.raises(TypeError, match="must be a Mapping"):
            object.__new__(type(original)).__setstate__(other)
    if name != "history":  # which may have attributes of a user
        with pytest.raises(ValueError, match=r"must (not )?have"):
            object.__new__(type(original)).__setstate__({**stored, "more": 1})


def test_gradients_are_views_of_one_array_again():
    gradients = PARTS["gradients"]
    other = pickle.loads(pickle.dumps(gradients))
    other.flat[...] = np.arange(other.flat.size)
    layout = NET.learner.design.layout
    parts = layout.views(other.flat)
    for mine, theirs in zip(other.weights, parts.weights, strict=True):
        assert np.array_equal(mine, theirs)
    assert np.array_equal(other.gains[0], parts.gains[0]) and other.gains[1] is None
    assert np.array_equal(other.input_scale, parts.scale)
    assert other.loss == gradients.loss and other.weighs


def test_a_tape_has_memory_of_its_own():
    """Read-only buffers beside the pickle are copied, onto a cache line."""
    buffers = []
    data = pickle.dumps(PARTS["tape"], 5, buffer_callback=buffers.append)
    read_only = [bytes(buffer.raw()) for buffer in buffers]
    tape = pickle.loads(data, buffers=read_only)
    assert tape.memory.flags.writeable and tape.memory.ctypes.data % 64 == 0
    expected = NET.backward(PARTS["tape"], Y).flat
    assert np.array_equal(NET.backward(tape, Y).flat, expected)


def test_numbers_computed_from_settings_are_computed_anew():
    """A pickle onto a living object leaves none of those of its old settings."""
    sgd = bp.SGD(0.1, momentum=0.9)
    sgd.groups()
    sgd.__setstate__(bp.SGD(0.2, momentum=0.5).__getstate__())
    assert sgd.groups() == bp.SGD(0.2, momentum=0.5).groups()


def test_a_history_keeps_the_attributes_of_a_user():
    history = copy.copy(PARTS["history"])
    history.note = "mine"
    other = pickle.loads(pickle.dumps(history))
    assert other.note == "mine" and str(other) == str(history)


@pytest.mark.parametrize("name", ["state", "batch"])
def test_what_only_a_design_can_check_is_not_pickled(name):
    from bpcore.batches.batch import as_batch

    learner = NET.learner
    batch = as_batch(learner.design, learner.dtype, X, Y, None)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps({"state": learner.state, "batch": batch}[name])


# --- messages between processes -------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "change", "message"),
    [
        ("parameters", lambda a: a[:-1], "parameters must have shape"),
        ("parameters", lambda a: a[:1], "parameters must have shape"),
        ("counters", lambda a: a + 2**62, "counters"),
        ("moments", lambda a: -a, "negative variance"),
        ("bits", lambda a: a * 0, "bits"),
        ("more", lambda a: np.zeros(1), "unknown"),
    ],
)
def test_an_altered_message_is_refused(entry, change, message):
    from bpcore.distributed.states import packed, unpacked

    learner = NET.learner
    optimizer, arrays = pickle.loads(packed(learner.state, learner.state.optimizer))
    assert optimizer is None
    arrays[entry] = change(arrays.get(entry))
    with pytest.raises((ValueError, TypeError), match=message):
        unpacked(pickle.dumps((None, arrays)), learner)


def test_parts_of_other_processes_have_their_shape():
    from bpcore.distributed.parts import divided, united

    learner = bp.Network([3, 4, 2], optimizer=bp.Adam(), rng=0).learner
    layout = learner.design.layout
    part = (0, layout.size)
    own = divided(learner.state, layout, part)
    arrays = own.optimizer_arrays
    assert united(own, layout, [(part, arrays)]).part is None
    for wrong in (arrays[:, :1], arrays.astype("f8"), arrays[0], [0.0]):
        with pytest.raises(ValueError, match="arrays of a process"):
            united(own, layout, [(part, wrong)])
