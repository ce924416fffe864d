"""Copies of networks have the attributes that a subclass or a user has added."""

import copy
import functools
import io
import pickle
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore.network import ANEW
from helpers import each_library

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 3)).astype("float32")
Y = X[:, :1] + 1
LABELS = (X[:, 0] > 0).astype(int)


class Named(bp.Network):
    """Another signature, and attributes of several kinds."""

    def __init__(self, name, hidden=4, **settings):
        self.name = name  # before there is a network
        super().__init__([3, hidden, 1], norm="batch", **settings)
        self.notes = {"made": [1, 2]}
        self.__secret = "mine"
        self._engines = "not the engine"

    @property
    def secret(self):
        return self.__secret

    @property
    def title(self):
        return vars(self).get("title", self.name.title())

    @title.setter
    def title(self, title):
        raise AttributeError("set it in __dict__")

    @functools.cached_property
    def doubled(self):
        return 2 * len(self.notes)

    def __setattr__(self, name, value):
        if name == "locked":
            raise AttributeError("it is locked")
        super().__setattr__(name, value)


class Slotted(Named):
    __slots__ = ("__hidden", "first", "never_set")

    def __init__(self, name, **settings):
        super().__init__(name, **settings)
        self.first, self.__hidden = [1], "here"

    @property
    def hidden(self):
        return self.__hidden


class OfReference(bp.reference.Network):
    __slots__ = "alone"

    def __init__(self, *, name):
        super().__init__([3, 4, 1], norm="batch", rng=0)
        self.name, self.notes, self.alone = name, {"made": [1, 2]}, [3]


class WithNew(bp.Network):
    def __new__(cls, name):
        made = super().__new__(cls)
        made.made_by_new = name
        return made

    def __init__(self, name):
        super().__init__([3, 4, 1], norm="batch", rng=0)
        self.name, self.notes = name, {"made": [1, 2]}

    def __getnewargs__(self):
        return (self.name,)


class WithState(bp.Network):
    """Its state has another form."""

    def __init__(self):
        super().__init__([3, 4, 1], norm="batch", rng=0)
        self.name, self.notes = "x", {"made": [1, 2]}

    def __getstate__(self):
        return super().__getstate__(), "more"

    def __setstate__(self, state):
        super().__setstate__(state[0])
        self.more = state[1]


class Keeper(bp.Network):
    """A subclass with a history and a state of its own."""

    def __init__(self):
        super().__init__([3, 4, 1], norm="batch", rng=0)
        self.name, self.notes, self.history = "x", {"made": [1, 2]}, ["begun"]

    def __getstate__(self):
        return {**super().__getstate__(), "extra": 7}


def plain():
    net = bp.Network([3, 4, 1], norm="batch", rng=0)
    net.name, net.notes = "x", {"made": [1, 2]}
    return net


def joblib_copy(net):
    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(net, file)
    file.seek(0)
    return joblib.load(file)


MAKE = {
    "a subclass": lambda: Named("x", rng=0),
    "slots": lambda: Slotted("x", rng=0),
    "of the reference": lambda: OfReference(name="x"),
    "__new__": lambda: WithNew("x"),
    "__getstate__": WithState,
    "one more": Keeper,
    "attributes of a user's": plain,
}
COPY = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda net, protocol=protocol: pickle.loads(
            pickle.dumps(net, protocol)
        )
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
    "joblib": joblib_copy,
    "astype": lambda net: net.astype("float64"),
    "folded": lambda net: net.folded(),
}
#: Those that share what they refer to.
SHALLOW = "copy", "astype", "folded"


@pytest.mark.parametrize("how", COPY)
@pytest.mark.parametrize("kind", MAKE)
def test_attributes_are_copied(kind, how):
    net = MAKE[kind]()
    net.fit(X, Y, epochs=2, **QUIET)
    other = COPY[how](net)
    assert type(other) is type(net) and other is not net
    assert other.name == "x"
    assert other.notes == {"made": [1, 2]}
    assert (other.notes is net.notes) == (how in SHALLOW)
    assert not np.may_share_memory(other.parameters, net.parameters)
    np.testing.assert_allclose(other.predict(X), net.predict(X), rtol=1e-5)
    before = net.parameters.copy()
    other.fit(X, Y, epochs=1, **QUIET)
    assert np.array_equal(net.parameters, before)
    assert not np.array_equal(other.predict(X), net.predict(X))


@pytest.mark.parametrize("how", COPY)
def test_all_kinds_of_attributes(how):
    net = Slotted("x", rng=0)
    vars(net).update(title="Y", locked=1)  # past property and __setattr__
    assert net.doubled == 2
    other = COPY[how](net)
    assert (other.secret, other.title, other.locked) == ("mine", "Y", 1)
    assert (other.hidden, other.first) == ("here", [1])
    assert (other.first is net.first) == (how in SHALLOW)
    assert not hasattr(other, "never_set") and not hasattr(net, "never_set")
    assert vars(other)["doubled"] == 2 and vars(other)["_engines"] == "not the engine"
    assert COPY[how](OfReference(name="x")).alone == [3]


@pytest.mark.parametrize("how", COPY)
def test_a_subclass_may_have_a_history(how):
    net = Keeper()
    net.fit(X, Y, epochs=1, **QUIET)
    assert net.history == ["begun"] == COPY[how](net).history
    assert vars(COPY[how](net))["extra"] == 7
    assert COPY[how](plain()).history is None


@pytest.mark.parametrize("how", ["deepcopy", "pickle 5", "joblib"])
def test_an_attribute_that_refers_back_to_the_network(how):
    net = plain()
    net.myself, net.friends = net, [net, {"of": net}]
    other = COPY[how](net)
    assert other.myself is other
    assert other.friends[0] is other is other.friends[1]["of"]


def test_deepcopy_of_several_networks_keeps_what_they_share():
    a, b = plain(), plain()
    a.other, b.other, a.shared, b.shared = b, a, [], []
    b.shared = a.shared
    c, d = copy.deepcopy([a, b])
    assert c.other is d and d.other is c and c.shared is d.shared is not a.shared


@pytest.mark.parametrize("how", ["pickle 5", "deepcopy"])
def test_what_cannot_be_copied_raises_as_usual(how):
    net = plain()
    net.lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot pickle"):
        COPY[how](net)
    for shallow in SHALLOW:
        assert COPY[shallow](net).lock is net.lock
    net.train_step(X, Y)  # it is not locked


@each_library
def test_which_attributes_are_a_networks_own(Network):
    """All of them: any other one would be copied as an attribute of the user."""
    net = Network([3, 4, 1], norm="batch", rng=0, optimizer=bp.Adam(clip_norm=1.0))
    net.fit(X, Y, epochs=2, accumulate=2, restore_best=True, **QUIET)
    net.node(X).sum().backward()
    net.apply()
    net.predict_one(X[0])
    assert set(vars(net)) == ANEW


@pytest.mark.parametrize(
    "change", (copy.copy, lambda net: net.astype("float32")), ids=["copy", "astype"]
)
def test_copies_learn_with_stored_gradients(change):
    """They belong to the engine; a copy has a new one, without gradients."""
    net = bp.Network([3, 4, 1], optimizer=bp.SGD(0.1, clip_norm=0.5), rng=0)
    net.fit(X, Y, epochs=1, **QUIET)
    other = change(net)
    for each in (net, other):
        each.fit(X, Y, epochs=1, **QUIET)
    assert net.parameters.tobytes() == other.parameters.tobytes()


def test_a_folded_network_begins_its_schedule_anew():
    lr = bp.schedules.ReduceOnPlateau(0.1, patience=0, min_delta=0.99)
    net = bp.Network([3, 4, 1], norm="batch", optimizer=bp.Adam(lr), rng=0)
    net.fit(X, Y, epochs=4, **QUIET)
    assert net.lr < 0.1 == net.folded().lr
    assert (
        net.folded().learner.state.schedule.plateau == lr.initial()
        and net.folded().learner.state.steps == 0
    )


# --- predict --------------------------------------------------------------------------


class Doubled(bp.Network):
    def predict(self, X):
        return 2 * super().predict(X)


class Thresholded(bp.reference.Network):
    def predict(self, X, out=None, *, threshold=0.5):
        return super().predict(X) > threshold


def test_a_call_is_predict():
    net = Doubled([3, 1], rng=0)
    assert np.array_equal(net(X), net.predict(X))
    assert np.array_equal(net(X=X), 2 * bp.Network.predict(net, X))
    net = Thresholded([3, 1], output="sigmoid", rng=0)
    assert np.array_equal(net(X, threshold=0.1), net.predict(X, threshold=0.1))
    net, out = bp.Network([3, 1], rng=0), np.empty((20, 1), "float32")
    assert net(X, out) is out and np.array_equal(net(X), out)


@pytest.mark.parametrize("x", (X[0], X[0].tolist()), ids=["array", "list"])
def test_predict_one_is_of_the_network_whatever_its_argument(x):
    """Arrays and lists of the same numbers give the same."""
    net, twin = Doubled([3, 1], rng=0), bp.Network([3, 1], rng=0)
    assert net.predict_one(x).tobytes() == twin.predict_one(x).tobytes()


def test_a_trace_of_a_subclass():
    net, twin = WithState(), plain()
    assert np.array_equal(
        bp.trace(net, X, Y).after.weights[0], bp.trace(twin, X, Y).after.weights[0]
    )


# --- which methods call others --------------------------------------------------------


def in_a_folder(write):
    """Call a method with the path of a new file."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "net"))


CALLS = {
    "fit": lambda net: net.fit(X, Y, epochs=1, **QUIET),
    "partial_fit": lambda net: net.partial_fit(X, Y),
    "train_step": lambda net: net.train_step(X, Y),
    "learn_one": lambda net: net.learn_one(X[0], Y[0]),
    "learn_one of a list": lambda net: net.learn_one(X[0].tolist(), Y[0]),
    "gradients": lambda net: net.gradients(X, Y),
    "apply": lambda net: net.apply(bp.Network.gradients(net, X, Y)),
    "predict": lambda net: net.predict(X),
    "predict_one": lambda net: net.predict_one(X[0]),
    "predict_one of a list": lambda net: net.predict_one(X[0].tolist()),
    "evaluate": lambda net: net.evaluate(X, Y, metrics="mae"),
    "folded": lambda net: net.folded(),
    "save": lambda net: in_a_folder(lambda path: net.save(path, sync=False)),
    "to_onnx": lambda net: in_a_folder(net.to_onnx),
    "to_c": lambda net: in_a_folder(lambda path: net.to_c(path, X=X, y=Y)),
    "forward": lambda net: net.forward(X),
    "backward": lambda net: net.backward(bp.Network.forward(net, X), Y),
    "astype": lambda net: net.astype("float64"),
    "node": lambda net: net.node(X).sum().backward(),
    "__call__": lambda net: net(X),
}
OVERRIDABLE = {name for name in CALLS if " " not in name}


@each_library
@pytest.mark.parametrize("name", CALLS)
def test_a_method_calls_no_other_that_may_be_overridden(Network, name):
    """Except those that the docstring of Network names."""
    called = []

    def recording(method):
        original = getattr(Network, method)

        def record(self, *arguments, **settings):
            called.append(method)
            return original(self, *arguments, **settings)

        return record

    Recorder = type("Recorder", (Network,), {m: recording(m) for m in OVERRIDABLE})
    CALLS[name](Recorder([3, 2, 1], rng=0))
    others = {"__call__": ["predict"], "node": ["forward", "backward"]}
    name = name.split()[0]
    assert called == [name, *others.get(name, [])]


def test_all_public_methods_are_tried():
    methods = {
        name
        for name, value in vars(bp.Network).items()
        if name[0] != "_" and callable(value)
    }
    assert methods | {"__call__"} == OVERRIDABLE


class Comparable(bp.Network):
    """Equality without a hash."""

    def __eq__(self, other):
        return isinstance(other, Comparable) and bool(
            (self.parameters == other.parameters).all()
        )

    __hash__ = None


def test_a_network_that_cannot_be_hashed():
    first, second = (Comparable([3, 2, 1], rng=0) for _ in range(2))
    assert first == second  # and yet each has gradients of its own
    (first.node(X).sum() + 2 * second.node(X).sum()).backward()
    assert np.array_equal(2 * first.stored_gradients.flat, second.stored_gradients.flat)
    first.apply()
    assert len(bp.fit_many([second, first], X, Y, epochs=2)) == 2
    copy.deepcopy(first)
    bp.trace(first, X, Y)
    bp.check_gradients(first.astype("float64"), X, Y)
    first.fit(X, Y, restore_best=True, validation=0.2, metrics="mae", **QUIET)
