"""animate and Animation: frames of a network while it trains."""

import copy
import os

import numpy as np
import pytest

import bpcore as bp
from bpcore.motion import animation
from bpcore.motion.scene import LINE, PLANE
from helpers import everything

RNG = np.random.default_rng(0)
PLANES = RNG.normal(size=(30, 2))
LABELS = (PLANES[:, 0] > 0) + 1 * (PLANES[:, 1] > 0)
TWO = np.minimum(LABELS, 1)
LINES = np.linspace(-1, 1, 20)[:, None]
QUIET = {"progress": False}
NETWORKS = {
    "fit": ([1, 8, 1], {}, LINES, LINES**2),
    "sigmoid": ([2, 8, 1], {"loss": "binary_cross_entropy"}, PLANES, TWO),
    "hinge": ([2, 8, 1], {"loss": "hinge", "output": "tanh"}, PLANES, 2.0 * TWO - 1),
    "two": ([2, 8, 2], {"loss": "cross_entropy"}, PLANES, TWO),
    "three": ([2, 8, 3], {"loss": "cross_entropy"}, PLANES, LABELS),
    "one-hot": ([2, 8, 3], {}, PLANES, np.eye(3)[LABELS]),
}
each_network = pytest.mark.parametrize("kind", NETWORKS)


def make(kind="fit", Network=bp.Network):
    sizes, settings, X, y = NETWORKS[kind]
    net = Network(sizes, activation="tanh", optimizer=bp.Adam(0.05), rng=1, **settings)
    return net, X, y


@each_network
def test_the_network_is_trained_as_by_fit(kind, Network):
    net, X, y = make(kind, Network)
    twin, seen = copy.deepcopy(net), []
    film = bp.animate(
        net, X, y, epochs=5, every=2, batch_size=7,
        callbacks=[lambda n, h: seen.append(len(h))], **QUIET,
    )  # fmt: skip
    twin.fit(X, y, epochs=5, batch_size=7, **QUIET)
    assert everything(net) == everything(twin)
    assert seen == [1, 2, 3, 4, 5]
    assert film.epochs.tolist() == [0, 2, 4, 5] and len(film) == 4
    assert film.loss[-1] == pytest.approx(twin.evaluate(X, y))
    assert repr(film) == "<Animation of 4 frames, epochs 0 to 5>"


@each_network
def test_a_frame_has_the_outputs(kind):
    net, X, y = make(kind)
    film = bp.Animation(X, y)
    film.check(net)
    (frame,), scene = film.frames, film.scene
    assert film.loss == pytest.approx([net.evaluate(X, y)])
    if kind == "fit":
        (x,) = scene.axes
        assert x[0] < X.min() and x[-1] > X.max() and len(x) == LINE
        assert frame.values == pytest.approx(net.predict(x[:, None])[:, 0])
        return
    u, v = scene.axes
    a = net.predict([u[5], v[20]])
    assert frame.values.shape == (PLANE, PLANE)
    shown = frame.values[20, 5]
    if kind in ("three", "one-hot"):
        assert (frame.winner[20, 5], shown) == (a.argmax(), pytest.approx(a.max()))
        assert np.array_equal(scene.y, LABELS)
    else:
        threshold = {"sigmoid": 0.5, "hinge": 0.0, "two": a.mean()}[kind]
        assert shown == pytest.approx(a[-1] - threshold, abs=1e-6)
        assert np.array_equal(scene.y, TWO) and frame.winner is None


def test_weights_enter_the_loss():
    net, X, y = make("three")
    weights = np.arange(1.0, 31.0), {0: 3.0}
    film = bp.animate(net, X, y, epochs=1, sample_weight=weights[0],
                      class_weight=weights[1], **QUIET)  # fmt: skip
    assert film.loss[-1] == pytest.approx(net.evaluate(X, y, *weights))


def test_about_60_frames_by_default():
    net, X, y = make()
    film = bp.animate(net, X, y, epochs=250, **QUIET)
    assert film.every == 5 and len(film) == 51


def test_of_too_many_frames_every_second_is_dropped(monkeypatch):
    monkeypatch.setattr(animation, "MOST", 8)
    net, X, y = make()
    film = bp.animate(net, X, y, epochs=21, every=1, **QUIET)
    assert film.epochs.tolist() == [0, 4, 8, 12, 16, 20, 21]
    assert film.every == 4


def test_a_second_fit_goes_on():
    net, X, y = make()
    film = bp.Animation(X, y)
    for _ in range(2):
        net.fit(X, y, epochs=2, callbacks=[film], **QUIET)
    assert film.epochs.tolist() == [0, 1, 2, 3, 4]
    other = make("three")
    with pytest.raises(ValueError, match=r"^Animation: X must have shape"):
        other[0].fit(*other[1:], callbacks=[film], **QUIET)


SOFTMAX = {"loss": "cross_entropy"}
SIGMOID = {"loss": "binary_cross_entropy"}
ONE_HOT = np.eye(2)[TWO]
OTHERS = {  # targets, a network, another one, and whether it may follow
    "softmax": (TWO, ([2, 1], SIGMOID), ([2, 2], SOFTMAX), False),
    "sigmoid": (TWO, ([2, 2], SOFTMAX), ([2, 1], SIGMOID), False),
    "identity": (ONE_HOT, ([2, 2], SOFTMAX), ([2, 2], {}), False),
    "threshold": (TWO, ([2, 1], SIGMOID), ([2, 1], {"output": "tanh"}), False),
    "more classes": (TWO, ([2, 2], SOFTMAX), ([2, 3], SOFTMAX), False),
    "alike": (TWO, ([2, 1], SIGMOID), ([2, 4, 1], {"output": "sigmoid"}), True),
}


@pytest.mark.parametrize("case", OTHERS)
def test_only_outputs_of_the_same_meaning_continue_a_film(case):
    y, (sizes, settings), (more, others), is_alike = OTHERS[case]
    film = bp.Animation(PLANES, y)
    first, second = bp.Network(sizes, rng=0, **settings), bp.Network(more, **others)
    first.fit(PLANES, y, epochs=1, callbacks=[film], **QUIET)
    scene, before = film.scene, everything(second)
    if is_alike:
        second.fit(PLANES, y, epochs=1, callbacks=[film], **QUIET)
        assert film.epochs.tolist() == [0, 1, 2]
        return
    with pytest.raises(ValueError, match=r"^Animation: network must be like the one"):
        second.fit(PLANES, y, epochs=1, callbacks=[film], **QUIET)
    assert film.scene is scene and film.epochs.tolist() == [0, 1]
    assert everything(second) == before


@pytest.mark.parametrize("way", ["animate", "a new film", "the same film"])
@pytest.mark.parametrize("kind", ["fit", "three"])
def test_a_resumed_fit_begins_with_the_network_of_the_file(kind, way, tmp_path):
    path = tmp_path / "net.bpc"
    net, X, y = make(kind)
    film = bp.Animation(X, y, every=2)
    saving = bp.Checkpoint(path, every=5)
    net.fit(X, y, epochs=7, callbacks=[film, saving], **QUIET)
    at_5, other = bp.load(path), make(kind)[0]
    resumed = {"epochs": 9, "resume": path} | QUIET
    if way == "animate":
        film = bp.animate(other, X, y, every=2, **resumed)
    else:
        if way == "a new film":
            film = bp.Animation(X, y, every=2)
        other.fit(X, y, callbacks=[film], **resumed)
        film.end(other)
    assert len(other.history) == 9
    earlier = [0, 2, 4] if way == "the same film" else []
    assert film.epochs.tolist() == [*earlier, 5, 6, 8, 9]
    first = film.frames[len(earlier)]
    assert first.label == "epoch 5"
    assert first.loss == pytest.approx(at_5.evaluate(X, y))
    assert film.loss[-1] == pytest.approx(other.evaluate(X, y))


def test_a_resumed_first_epoch_begins_with_the_network_of_the_file(tmp_path):
    path = tmp_path / "net.bpc"
    net, X, y = make()
    saving = bp.Checkpoint(path, every=2)
    net.fit(X, y, epochs=1, batch_size=7, batch_callbacks=[saving], **QUIET)
    other, film = make()[0], bp.Animation(X, y)
    other.fit(X, y, epochs=1, batch_size=7, resume=path, callbacks=[film], **QUIET)
    assert film.epochs.tolist() == [0, 1]
    assert film.loss[0] == pytest.approx(bp.load(path).evaluate(X, y))


# The epoch with the largest error is an early one.
ENDS = {
    "last": {},
    "best": {"restore_best": True, "metrics": "mae", "mode": "min", "monitor": "mae"},
    "worst": {"restore_best": True, "metrics": "mae", "mode": "max", "monitor": "mae"},
}


@pytest.mark.parametrize("fits", [1, 2, 3])
@pytest.mark.parametrize("end", ENDS)
def test_the_end_is_added_once_with_an_epoch_of_the_film(fits, end):
    net, X, y = make()
    film = bp.Animation(X, y, every=3)
    for _ in range(fits):
        net.fit(X, y, epochs=20, callbacks=[film], **ENDS[end], **QUIET)
    film.end(net)
    count, restored = len(film), net.history.restored
    label = f"epoch {20 * fits}"
    if restored not in (None, 20):
        label = f"restored to epoch {20 * (fits - 1) + restored}"
    assert label.startswith("restored") or end != "worst"
    assert film.frames[-1].label == label
    assert film.frames[-1].epoch == 20 * fits
    film.end(net)
    assert len(film) == count


def test_the_end_of_an_empty_film_adds_nothing():
    net, X, y = make()
    net.fit(X, y, epochs=3, restore_best=True, **QUIET)
    film = bp.Animation(X, y)
    film.end(net)
    assert len(film) == 0


def test_the_last_frame_is_the_network_after_the_fit():
    net, X, y = make()
    net.optimizer = bp.SGD(0.9)
    film = bp.animate(
        net, X, y, epochs=200, every=50, patience=3, restore_best=True, **QUIET
    )
    history = net.history
    assert history.restored != len(history)
    assert film.frames[-1].label == f"restored to epoch {history.restored}"
    assert film.loss[-1] == pytest.approx(net.evaluate(X, y))


def test_an_animation_of_ones_own_keeps_its_frames_if_training_diverges():
    net, X, y = make()
    net.optimizer = bp.SGD(1e9)
    film = bp.Animation(X, y)
    with pytest.raises(bp.DivergenceError):
        net.fit(X, y, epochs=50, callbacks=[film], **QUIET)
    assert len(film) >= 1


REFUSED = {
    "suffix": (ValueError, "the suffix of path must be one of .gif, .html",
               {"path": "a.png"}),
    "no path": (TypeError, "path must be a path", {"path": 3}),
    "folder": (OSError, "No such file", {"path": "no/such/folder/a.gif"}),
    "every": (ValueError, "every must be", {"every": 0}),
    "fps": (ValueError, "fps must be above 0 and at most 50", {"fps": 0}),
    "callbacks": (TypeError, "callbacks must be", {"callbacks": 3}),
    "one callback": (TypeError, "callbacks must be", {"callbacks": [3]}),
    "epochs": (ValueError, "epochs must be", {"epochs": 0}),
    "half": (TypeError, "epochs must be", {"epochs": 1.5}),
    "option": (TypeError, "did you mean 'epochs'", {"epoch": 3}),
    "weights": (ValueError, "sample_weight must", {"sample_weight": [1.0]}),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_raise_before_training(case):
    pytest.importorskip("matplotlib")
    error, message, settings = REFUSED[case]
    net, X, y = make()
    before = everything(net)
    with pytest.raises(error, match=message):
        bp.animate(net, X, y, **QUIET | settings)
    assert everything(net) == before


def test_a_folder_that_cannot_be_written_raises_before_training(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    net, X, y = make()
    before = everything(net)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError) as caught:
        bp.animate(net, X, y, tmp_path / "a.gif", **QUIET)
    assert caught.value.filename == os.path.realpath(tmp_path)
    assert everything(net) == before


@pytest.mark.parametrize(
    "sizes, loss",
    [((3, 1), "squared_error"), ((1, 2), "squared_error"),
     ((2, 2), "binary_cross_entropy")],
)  # fmt: skip
def test_networks_that_cannot_be_drawn(sizes, loss):
    net = bp.Network(sizes, loss=loss, rng=0)
    X, y = np.zeros((4, sizes[0])), np.zeros((4, sizes[1]))
    before = everything(net)
    with pytest.raises(
        ValueError, match=r"^network must have 1 input and 1 output, or"
    ):
        bp.animate(net, X, y, **QUIET)
    with pytest.raises(ValueError, match=r"^Animation: network must have 1 input"):
        net.fit(X, y, callbacks=[bp.Animation(X, y)], **QUIET)
    assert everything(net) == before
    with pytest.raises(TypeError, match=r"^network must be a Network"):
        bp.animate(None, X, y)
