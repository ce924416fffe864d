"""A fit that was stopped and resumed ends with the bits of one that was not."""

import os

import numpy as np
import pytest

import bpcore as bp
from bpcore import schedules
from helpers import fourth_powers, trained
from helpers.files import parts_of, rewrite

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 4)).astype("float32")
NUMBERS = (X[:, :2] @ [[1.0, 0.5], [0.2, -1.0]]).astype("float32")
LABELS = (X[:, 0] > 0).astype(int)
PLATEAU = schedules.ReduceOnPlateau(0.05, patience=0)
MINI_BATCHES = [(X[i : i + 7], NUMBERS[i : i + 7]) for i in range(0, 50, 7)]


def inverse(t):
    """A schedule of the caller's."""
    return 0.05 / (1 + t)


FITS = {
    # settings of the network, data, arguments of fit
    "default": ({}, (X, NUMBERS), {}),
    "classes": ({"loss": "cross_entropy"}, (X, LABELS), {"class_weight": "balanced"}),
    "not shuffled": ({}, (X, NUMBERS), {"shuffle": False}),
    "dropout, noise and norms": (
        {"norm": ["batch", "layer"], "dropout": 0.3, "input_noise": 0.1}, (X, NUMBERS),
        {"batch_size": 7},
    ),
    "a scale, adam": ({"input_scale": 6.0, "optimizer": bp.Adam(0.01)}, (X, NUMBERS),
                      {}),
    "float64, weights": ({"dtype": "float64"}, (X, NUMBERS),
                         {"sample_weight": np.arange(50) % 5}),
    "a schedule of steps": (
        {"optimizer": bp.Nadam(schedules.OneCycle(0.05, 40, per="step"))},
        (X, NUMBERS), {},
    ),
    "a plateau": ({"optimizer": bp.SGD(PLATEAU, momentum=0.9)}, (X, NUMBERS),
                  {"validation": 0.2}),
    "a function as schedule": ({"optimizer": bp.SGD(inverse)}, (X, NUMBERS), {}),
    "a function as loss": ({"loss": fourth_powers, "optimizer": bp.SGD(1e-3)},
                           (X, NUMBERS), {}),
    "the best epoch": (
        {"optimizer": bp.SGD(0.5)}, (X, NUMBERS),
        {"validation": 0.2, "restore_best": True, "patience": 4, "metrics": "mae"},
    ),
    "the best epoch of training": ({"optimizer": bp.SGD(0.5)}, (X, NUMBERS),
                                   {"restore_best": True}),
    "accumulated": ({"optimizer": bp.Adam(0.01)}, (X, NUMBERS), {"accumulate": 3}),
    "clipped": ({"optimizer": bp.SGD(0.1, clip_norm=0.5)}, (X, NUMBERS), {}),
    "rprop": ({"optimizer": bp.Rprop()}, (X, NUMBERS),
              {"batch_size": None, "epochs": 16}),
    "numerical": ({}, (X, NUMBERS), {"gradient": "numerical"}),
    "mini-batches": ({"optimizer": bp.Adam(0.01)}, (MINI_BATCHES,), {}),
    "mini-batches, batch norm": ({"norm": "batch"}, (
        [*MINI_BATCHES, (X[:1], NUMBERS[:1])],), {}),
    "mini-batches that begin again": ({}, (MINI_BATCHES,), {"steps_per_epoch": 5}),
    "mini-batches joined, beginning again": ({"norm": "batch"}, (
        [(X[i : i + 1 + i % 3], NUMBERS[i : i + 1 + i % 3]) for i in range(7)],),
        {"steps_per_epoch": 5}),
    "mini-batches, accumulated": ({}, (MINI_BATCHES,), {"accumulate": 2}),
}  # fmt: skip


class Stop(Exception):
    """In the place of a crash."""


class StopAfter:
    """Raises after so many calls."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, *arguments):
        self.calls -= 1
        if self.calls == 0:
            raise Stop


def new(settings):
    return bp.Network([4, 6, 5, 2], **{"rng": 3, **settings})


def fit(net, data, options, epochs=8, **more):
    options = {"epochs": epochs, "progress": False, **options, **more}
    if len(data) == 2:
        options = {"batch_size": 8, **options}
    return net.fit(*data, **options)


def columns(history):
    found = {name: col for name, col in history.to_dict().items() if name != "seconds"}
    return found, history.stopped, history.best_epoch, history.restored


def assert_same(net, history, other, other_history):
    assert trained(net) == trained(other)
    one, two = columns(history), columns(other_history)
    assert one[1:] == two[1:] and one[0].keys() == two[0].keys()
    for name, column in one[0].items():
        np.testing.assert_array_equal(column, two[0][name], err_msg=name)


@pytest.mark.parametrize("when", ["epoch 3", "mini-batch 10", "mini-batch 14"])
@pytest.mark.parametrize("case", FITS)
def test_resumed_fits(case, when, tmp_path):
    settings, data, options = FITS[case]
    whole = new(settings)
    expected = fit(whole, data, options)
    path, stopped = tmp_path / "net.bpc", new(settings)
    kind, calls = when.split()
    name = "callbacks" if kind == "epoch" else "batch_callbacks"
    callbacks = {name: [bp.Checkpoint(path, sync=False), StopAfter(int(calls))]}
    with pytest.raises(Stop):
        fit(stopped, data, options, **callbacks)
    resumed = new(settings)
    history = fit(resumed, data, options, resume=path)
    assert_same(resumed, history, whole, expected)


@pytest.mark.parametrize("case", ["default", "the best epoch", "mini-batches"])
def test_several_stops(case, tmp_path):
    settings, data, options = FITS[case]
    whole = new(settings)
    expected = fit(whole, data, options)
    path, resume = tmp_path / "net.bpc", {}
    for calls in (3, 9, 1, 12):
        net = new(settings)
        saving = [bp.Checkpoint(path, sync=False), StopAfter(calls)]
        with pytest.raises(Stop):
            fit(net, data, options, batch_callbacks=saving, **resume)
        resume = {"resume": path}
    net = bp.load(path)  # a loaded network goes on too
    history = fit(net, data, options, callbacks=[bp.Checkpoint(path)], **resume)
    assert_same(net, history, whole, expected)
    again = bp.load(path)
    assert_same(again, fit(again, data, options, resume=path), whole, expected)


def test_divergence_after_a_stop_falls_back_as_without_one(tmp_path):
    path, settings = tmp_path / "net.bpc", {"optimizer": bp.SGD(30.0)}
    whole, stopped, resumed = new(settings), new(settings), new(settings)
    scale = {"sample_weight": np.where(np.arange(50) == 40, 1e3, 1.0)}
    with pytest.raises(bp.DivergenceError) as expected:
        fit(whole, (X, NUMBERS), scale)
    saving = {"batch_callbacks": [bp.Checkpoint(path, sync=False), StopAfter(2)]}
    with pytest.raises(Stop):
        fit(stopped, (X, NUMBERS), scale, **saving)
    with pytest.raises(bp.DivergenceError) as caught:
        fit(resumed, (X, NUMBERS), scale, resume=path)
    assert str(caught.value) == str(expected.value)
    assert trained(resumed) == trained(whole)


def meddle(net, history):
    """A callback that changes the network after epoch 3, and its optimizer."""
    if len(history) == 3:
        net.biases[-1][...] += 0.25
        net.optimizer = net.optimizer.replace(lr=1e-6)


def nest(net, history):
    """A callback that trains the network by a fit of its own."""
    if len(history) == 2:
        net.fit(X[:9], NUMBERS[:9], epochs=1, progress=False)


def follow(net, history):
    """A callback that begins to follow a plateau."""
    if len(history) == 2:
        plateau = schedules.ReduceOnPlateau(0.05, patience=0, min_delta=0.5)
        net.optimizer = bp.SGD(plateau)


@pytest.mark.parametrize("callback", [meddle, nest, follow])
@pytest.mark.parametrize("best", [False, True])
@pytest.mark.parametrize("when", [2, 3, 4])
def test_callbacks_that_change_the_network(callback, best, when, tmp_path):
    options = {"validation": (X, NUMBERS), "restore_best": best, "epochs": 9}
    path, settings = tmp_path / "net.bpc", {"optimizer": bp.SGD(0.05)}
    whole, stopped, resumed = new(settings), new(settings), new(settings)
    expected = fit(whole, (X, NUMBERS), options, callbacks=[callback])
    callbacks = [callback, bp.Checkpoint(path, sync=False), StopAfter(when)]
    with pytest.raises(Stop):
        fit(stopped, (X, NUMBERS), options, callbacks=callbacks)
    history = fit(resumed, (X, NUMBERS), options, callbacks=[callback], resume=path)
    assert_same(resumed, history, whole, expected)
    assert resumed.optimizer == whole.optimizer


def test_the_history_of_a_file_is_that_of_the_fit_that_runs(tmp_path):
    path = tmp_path / "net.bpc"
    callbacks = [nest, bp.Checkpoint(path, sync=False)]
    fit(new({}), (X, NUMBERS), {}, epochs=3, callbacks=callbacks)
    assert len(bp.load(path).history) == 3


def test_a_fit_that_was_finished_stays_as_it_is(tmp_path):
    path, net = tmp_path / "net.bpc", new({})
    history = fit(net, (X, NUMBERS), {}, callbacks=[bp.Checkpoint(path)])
    same = new({})
    assert_same(same, fit(same, (X, NUMBERS), {}, resume=path), net, history)
    more = fit(same, (X, NUMBERS), {}, epochs=10, resume=path)
    assert len(more) == 10


WRONG = {
    # settings of the network, data, arguments, message
    "another width": ({"activation": "tanh"}, (X, NUMBERS), {}, "same activations"),
    "another rng": ({"rng": 4}, (X, NUMBERS), {}, "same seed .* give the same rng"),
    "another dtype": ({"dtype": "float64"}, (X, NUMBERS), {}, "same dtype"),
    "another loss": ({"loss": bp.Huber(0.1)}, (X, NUMBERS), {}, "same loss"),
    "other mini-batches": ({}, (X, NUMBERS), {"batch_size": 9}, "same batch_size .* 8"),
    "another order": ({}, (X, NUMBERS), {"shuffle": False}, "same shuffle"),
    "other rows": ({}, (X + 1, NUMBERS), {}, "same data .* differ"),
    "fewer rows": ({}, (X[:49], NUMBERS[:49]), {}, "same rows .* 50; got 49"),
    "fewer epochs": ({}, (X, NUMBERS), {"epochs": 1}, "epochs must be at least 2"),
    "other weights": ({}, (X, NUMBERS), {"sample_weight": np.arange(50)}, "same data"),
    "a validation": ({}, (X, NUMBERS), {"validation": 0.2}, "same rows"),
    "a metric": ({}, (X, NUMBERS), {"metrics": "mae"}, "same metrics"),
    "the best epoch": ({}, (X, NUMBERS), {"restore_best": True}, "same restore_best"),
    "accumulated": ({}, (X, NUMBERS), {"accumulate": 2}, "same accumulate"),
    "lbfgs": (
        {"optimizer": bp.LBFGS()},
        (X, NUMBERS),
        {"batch_size": 50},
        "same optimizer",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_another_fit_cannot_go_on(case, tmp_path):
    settings, data, options, match = WRONG[case]
    path = tmp_path / "net.bpc"
    fit(new({}), (X, NUMBERS), {}, epochs=2, callbacks=[bp.Checkpoint(path)])
    net = new(settings)
    before = trained(net)
    with pytest.raises(ValueError, match=match):
        fit(net, data, options, resume=path)
    assert trained(net) == before


def test_files_without_a_fit(tmp_path):
    path, net = tmp_path / "net.bpc", new({})
    net.save(path)
    with pytest.raises(bp.ModelFileError, match="holds no fit to go on with"):
        fit(net, (X, NUMBERS), {}, resume=path)
    lbfgs = new({"optimizer": bp.LBFGS()})
    lbfgs.fit(X, NUMBERS, epochs=3, callbacks=[bp.Checkpoint(path)], progress=False)
    assert trained(bp.load(path)) == trained(lbfgs)
    with pytest.raises(FileNotFoundError):
        fit(net, (X, NUMBERS), {}, resume=tmp_path / "missing.bpc")
    with pytest.raises(bp.ModelFileError, match="is a folder"):
        fit(net, (X, NUMBERS), {}, resume=tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(bp.ModelFileError, match="a pipe"):
            fit(net, (X, NUMBERS), {}, resume=tmp_path / "pipe")


def test_resume_is_of_one_network(tmp_path):
    with pytest.raises(ValueError, match=r"resume can be given to Network\.fit only"):
        bp.fit_many([new({})], X, NUMBERS, resume=tmp_path / "net.bpc")


def test_an_iterator_within_an_epoch(tmp_path):
    path = tmp_path / "net.bpc"
    saving = {"batch_callbacks": [bp.Checkpoint(path), StopAfter(2)]}
    with pytest.raises(Stop):
        fit(new({}), (iter(MINI_BATCHES),), {"steps_per_epoch": 4}, **saving)
    with pytest.raises(ValueError, match="got an iterator"):
        fit(new({}), (iter(MINI_BATCHES),), {"steps_per_epoch": 4}, resume=path)


def test_every_and_keep(tmp_path):
    path, seen = tmp_path / "net.bpc", []

    def note(net, history):
        seen.append({p.name: bp.load(p).learner.state.epochs
                     for p in tmp_path.iterdir()})  # fmt: skip

    saving = bp.Checkpoint(path, every=2, keep=3, sync=False)
    fit(new({}), (X, NUMBERS), {}, epochs=9, callbacks=[saving, note])
    assert seen[0] == {} and seen[1] == {"net.bpc": 2}
    assert seen[-1] == {"net.bpc": 8, "net.1.bpc": 6, "net.2.bpc": 4}


def test_links(tmp_path):
    link = tmp_path / "net.bpc"
    link.symlink_to(tmp_path / "real.bpc")
    saving = bp.Checkpoint(link, keep=3, sync=False)
    fit(new({}), (X, NUMBERS), {}, epochs=5, callbacks=[saving])
    kept = [tmp_path / name for name in ("net.bpc", "net.1.bpc", "net.2.bpc")]
    assert [bp.load(path).learner.state.epochs for path in kept] == [5, 4, 3]
    assert link.is_symlink()


def test_every_fit_counts_anew(tmp_path):
    path = tmp_path / "net.bpc"
    saving = bp.Checkpoint(path, every=3, sync=False)
    for epochs in (2, 2):
        fit(new({}), (X, NUMBERS), {}, epochs=epochs, callbacks=[saving])
    assert not path.exists()


DAMAGED = {
    # keys, value, message
    "no settings": (("settings",), {}, "settings of a fit must be an object"),
    "epochs waited": (("waited",), 10**9, "not count more epochs than its history"),
    "epochs compared": (("compared",), 3, "not count more epochs than its history"),
    "mini-batches": (("taken",), 10**30, "taken must be at most"),
    "the best epoch": (("best_epoch",), 3, "states of a fit|an epoch of the history"),
    "rows": (("within",), {"rows": -1, "batches": 0}, "must be"),
    "an optimizer": (("optimizer_before",), {"type": []}, "optimizer must have a type"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_fits(case, tmp_path):
    (key,), value, match = DAMAGED[case]
    path = tmp_path / "net.bpc"
    fit(new({}), (X, NUMBERS), {}, epochs=2, callbacks=[bp.Checkpoint(path)])
    content, arrays = parts_of(path)
    content["fit"][key] = value
    rewrite(path, content, arrays)
    net = new({})
    before = trained(net)
    with pytest.raises(bp.ModelFileError, match=match):
        fit(net, (X, NUMBERS), {}, resume=path)
    assert trained(net) == before
    assert trained(bp.load(path)) != before  # the network itself is whole


def test_best(tmp_path):
    path, net = tmp_path / "net.bpc", new({"optimizer": bp.SGD(0.5)})
    options = {"validation": 0.2, "restore_best": True}
    saving = [bp.Checkpoint(path, best=True, sync=False)]
    history = fit(net, (X, NUMBERS), options, epochs=12, callbacks=saving)
    assert 0 < history.best_epoch < 12
    best = bp.load(tmp_path / "net.best.bpc")
    assert best.parameters.tobytes() == net.parameters.tobytes()
    assert bp.load(path).parameters.tobytes() != net.parameters.tobytes()


@pytest.mark.parametrize(
    ("settings", "error", "match"),
    [
        ({"every": 0}, ValueError, "every must be"),
        ({"keep": 0}, ValueError, "keep must be"),
        ({"best": 1}, TypeError, "best must be"),
        ({"path": 3}, TypeError, "path"),
    ],
)
def test_bad_settings(settings, error, match):
    with pytest.raises(error, match=match):
        bp.Checkpoint(**{"path": "net.bpc", **settings})


def test_only_networks_are_saved(tmp_path):
    with pytest.raises(TypeError, match="network of a Checkpoint"):
        bp.Checkpoint(tmp_path / "net.bpc").check(object())
