"""Attributes are taken over in one switch with the network or the estimator."""

import tempfile
from functools import partial

import numpy as np
import pytest

import bpcore as bp
import bpcore.network
from trust.changes.change import Change, X, network, state_of
from trust.changes.interrupting import Points
from trust.interrupts import Trials

LABELS = (X[:, 0] > 0).astype(int)


class Slotted(bp.Network):
    __slots__ = ("name",)


def named(kind, name, notes, seed):
    """A network of a class, with attributes; without notes, none but that name."""
    net = kind.__new__(kind)
    net.__setstate__(network(rng=seed).__getstate__())
    net.name = name
    if notes is not None:
        net.notes = notes
    return net


@pytest.mark.parametrize("notes", [None, [1]], ids=["name only", "notes"])
@pytest.mark.parametrize("kind", [bp.Network, Slotted])
def test_unpickling_takes_over_a_network_with_its_attributes(kind, notes):
    def state(net):
        return state_of(net), net.name, getattr(net, "notes", None)

    def make():
        return named(kind, "own", notes and [], 0)

    other = named(kind, "other", notes, 7)
    stored = other.__getstate__()
    whole = [state(make()), state(other)]
    within = "bpcore.network", "bpcore.model.stored"
    counter = Points(within=within, deep=False)
    counter.call(partial(make().__setstate__, stored))
    for point in range(1, counter.count + 1):
        net = make()
        Points(point, within=within, deep=False).call(partial(net.__setstate__, stored))
        assert state(net) in whole


@pytest.mark.parametrize("kind", [bp.Network, Slotted])
def test_a_network_without_memory_for_another_stays_as_it_is(kind, monkeypatch):
    class Full:
        def __getattr__(self, name):
            return getattr(np, name)

        def empty(self, *shape_and_dtype):
            raise MemoryError

    net, stored = named(kind, "own", [], 0), named(kind, "other", [1], 7).__getstate__()
    before = state_of(net), net.name, net.notes
    monkeypatch.setattr(bpcore.network, "np", Full())
    with pytest.raises(MemoryError):
        net.__setstate__(stored)
    monkeypatch.undo()
    assert (state_of(net), net.name, net.notes) == before


def test_an_estimator_keeps_its_attributes_after_an_error_and_an_interrupt():
    pytest.importorskip("sklearn")
    from bpcore.sklearn import Classifier

    def bad_fit(estimator):
        with pytest.raises(ValueError, match="epochs"):
            estimator.set_params(epochs=-1).fit(X, LABELS)

    made = Classifier(hidden_layer_sizes=(3,), epochs=1).fit(X, LABELS)
    names = set(vars(made))
    within = "bpcore.sklearn.base", "bpcore.sklearn.unchanged"
    counter = Points(within=within, deep=False)
    counter.call(partial(bad_fit, made))
    for point in range(1, counter.count + 1):
        Points(point, within=within, deep=False).call(partial(bad_fit, made))
        assert set(vars(made)) == names


def test_a_tabular_estimator_has_names_of_columns_only_with_their_networks():
    pandas = pytest.importorskip("pandas")
    from bpcore.tabular import Classifier

    named = pandas.DataFrame(X, columns=["a", "b", "c"])
    how = {"quick": True, "n_models": 1, "epochs": 1, "random_state": 0}
    first, second = (
        Classifier(**how).fit(named, LABELS),
        Classifier(**how).fit(X, LABELS),
    )
    parts = "networks_", "histories_", "encoder_", "targets_", "recipe_", "target_name_"
    held = [getattr(second, name) for name in parts]
    counter = Points(within=("bpcore.tabular",), deep=False)
    counter.call(partial(Classifier(**how).use, *held))
    assert counter.count > 1
    for point in range(1, counter.count + 1):
        model = Classifier(**how)
        vars(model).update(vars(first))
        interrupted = Points(point, within=("bpcore.tabular",), deep=False)
        interrupted.call(partial(model.use, *held))
        assert hasattr(model, "feature_names_in_") == (model.encoder_ is first.encoder_)


def test_a_backup_that_cannot_be_read_leaves_the_network_as_it_is(monkeypatch):
    from bpcore.model import snapshot
    from bpcore.model.backup import Backup

    files, make = [], tempfile.TemporaryFile
    monkeypatch.setattr(
        tempfile, "TemporaryFile", lambda **how: files.append(make(**how)) or files[-1]
    )
    monkeypatch.setattr(snapshot, "IN_MEMORY", 0)
    net = network()
    with Backup() as backup:
        backup.take(net.learner.state)
        net.fit(X, np.zeros((len(X), 2)), epochs=1, progress=False)
        before = state_of(net)
        # All but the last bytes of the file can be read.
        arrays = net.learner.state.numbers().values()
        files[0].truncate(sum(array.nbytes for array in arrays) - 4)
        with pytest.raises(OSError, match="cut short"):
            backup.restore(net.learner.use)
    assert state_of(net) == before


def test_another_state_is_taken_over_whole():
    other = network(rng=3, optimizer=bp.RMSprop(0.1))

    def become(net):
        net.learner.become(other.learner.state.copy(net.dtype))

    net, counter = network(), Points()
    become(net)
    assert net.parameters.tobytes() == other.parameters.tobytes()
    trials = Trials(Change("become", network, become))
    counter.call(partial(become, network()))
    for point in range(1, counter.count + 1):
        assert trials.fault(Points(point).call, point=point) is None
