"""animate and Animation: frames of a network while it trains."""

import copy

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
