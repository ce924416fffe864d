"""Calls during which memory fails, and the states that they may leave."""

import copy
import itertools
import os
import pickle
import resource
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

import bpcore as bp
from bpcore.graph import Variable
from trust.digest import digest

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = np.ascontiguousarray(X[:, :2])
#: A folder for files, which ends with the process.
FOLDER = tempfile.TemporaryDirectory()
QUIET = {"progress": False}
CALLBACKS = "batch_callbacks", "callbacks"


@dataclass
class Call:
    """A call, its subject, and the state of a subject.

    Parameters
    ----------
    make : callable
        Returns a new subject, always the same.
    function : callable
        The call; its result, if it has one, is stored in the subject.
    state : callable
        The state of a subject, to be compared.
    between : callable, optional
        Returns the states that a subject may have after an error besides.
    """

    make: Any
    function: Any
    state: Any
    between: Any = None

    def expected(self):
        """The states before and after, and those between."""
        subject = self.make()
        before = self.state(subject)
        self.function(subject)
        between = set() if self.between is None else self.between(self.make())
        return before, self.state(subject), between


class Subject:
    """A network, and the result of the call."""

    def __init__(self, **settings):
        settings = {"optimizer": bp.Adam(0.01), "norm": "batch", "rng": 0, **settings}
        self.net = bp.Network([3, 4, 2], n_threads=2, **settings)
        if self.net.learner.makes_steps:
            self.net.train_step(X, Y)
        self.result = None


def state(subject):
    """Everything that training changes and the result; the random bits apart."""
    state = subject.net.learner.state
    changed = state.counters, *state.numbers().values()
    about = repr(state.optimizer), state.epochs, str(state.frozen), state.lr_factors
    return digest(*changed, repr(about), subject.result), digest(state.bits.state)


def of_network(function, keep=None, between=None, **settings):
    """A call of a network; `keep` makes its result comparable."""

    def call(subject):
        found = function(subject.net)
        subject.result = None if keep is None else keep(found)

    return Call(lambda: Subject(**settings), call, state, between)


def path(name):
    return os.path.join(FOLDER.name, name)


def fit(settings=None, **options):
    """Two epochs; a network may be left after each of its mini-batches and epochs."""
    options = {"epochs": 2, "batch_size": 5, "metrics": "mae", **QUIET, **options}

    def between(subject):
        found = [state(subject)]
        seen = {name: [lambda *_: found.append(state(subject))] for name in CALLBACKS}
        if options["batch_size"] is None:
            del seen["batch_callbacks"]
        subject.net.fit(X, Y, **options, **seen)
        # An epoch begins with the bits of its shuffle.
        return set(itertools.product(*map(set, zip(*found, strict=True))))

    return of_network(
        lambda net: net.fit(X, Y, **options), columns, between, **(settings or {})
    )


def through_file(name, write, read):
    """Write a file and read it."""

    def call(net):
        write(net, path(name))
        return read(path(name))

    return call


def whole_file(name, write):
    """Write a file over one that is there; a network as the file says after all."""

    def make():
        subject = Subject()
        write(subject.net, path(name))
        subject.net.train_step(X, Y)
        return subject

    def file(subject):
        with open(path(name), "rb") as opened:
            return opened.read()

    return Call(
        make,
        lambda subject: write(subject.net, path(name)),
        lambda subject: (state(subject), digest(file(subject))),
    )


def parameters(net):
    return np.array(net.parameters)


def columns(history):
    return history.loss, history["mae"]


def expression(net):
    x = Variable(X, "x")
    loss = ((net.node(x) - Y) ** 2).mean() + x[0].sum() * 0.1
    loss.backward()
    return np.array(x.grad)


def classifier(net):
    from bpcore.sklearn import MLPClassifier

    y = (X[:, 0] > 0).astype(int)
    return MLPClassifier((4,), max_iter=2, random_state=0).fit(X, y).predict_proba(X)


def new_network(net):
    return bp.Network([3, 70, 2], norm="layer", dropout=0.1, rng=1)


CALLS = {
    "Network": of_network(new_network, parameters),
    "train_step": of_network(lambda net: net.train_step(X[:7], Y[:7])),
    "train_step of a list": of_network(lambda net: net.train_step(X.tolist(), Y)),
    "learn_one": of_network(lambda net: net.learn_one(X[0], Y[0]), norm=None),
    "predict": of_network(lambda net: net.predict(X.tolist()), np.array),
    "evaluate": of_network(lambda net: net.evaluate(X, Y), repr),
    "gradients": of_network(lambda net: net.gradients(X, Y).flat, np.array),
    "apply": of_network(lambda net: net.apply(net.gradients(X, Y))),
    "fit": fit(),
    "fit, best epoch": fit(validation=(X, Y), restore_best=True, patience=2),
    "fit of LBFGS": fit({"optimizer": bp.LBFGS(), "norm": None}, batch_size=None),
    "fit_many": of_network(
        lambda net: bp.fit_many([copy.deepcopy(net)], X, Y, epochs=1)[0].network,
        parameters,
    ),
    "optimizer": of_network(
        lambda net: setattr(net, "optimizer", bp.AMSGrad(0.1, clip_norm=1.0))
    ),
    "frozen": of_network(lambda net: setattr(net, "frozen", [True, False])),
    "lr_factors": of_network(lambda net: setattr(net, "lr_factors", [2.0, 0.5])),
    "pickle": of_network(lambda net: pickle.loads(pickle.dumps(net)), parameters),
    "deepcopy": of_network(copy.deepcopy, parameters),
    "save": whole_file("replaced.bpc", lambda net, path: net.save(path)),
    "save and load": of_network(
        through_file("a.bpc", lambda net, path: net.save(path), bp.load), parameters
    ),
    "ONNX": of_network(
        through_file("a.onnx", lambda net, path: net.to_onnx(path), bp.load), parameters
    ),
    "C header": whole_file("replaced.h", lambda net, path: net.to_c(path)),
    "expression": of_network(expression, np.array),
    "check_gradients": of_network(
        lambda net: bp.check_gradients(net, X[:3], Y[:3]), lambda found: b"1"
    ),
    "trace": of_network(lambda net: bp.trace(net, X, Y), str),
    "print": of_network(lambda net: repr(net) + net._repr_html_(), str),
    "estimator": of_network(classifier, np.array),
}


# --- little address space -------------------------------------------------------------


def large_work(more):
    """Train a network of some megabytes with `more` bytes of address space left.

    Returns 0 if all went right, or MemoryError was raised and the network is whole.
    """
    rows = np.ones((64, 500), "float32")
    net = bp.Network([500, 500, 4], rng=0, n_threads=2, optimizer=bp.Adam())
    digests = {digest(net.parameters)}
    twin = copy.deepcopy(net)
    kept = [lambda net, *_: digests.add(digest(net.parameters))]
    work = {
        "epochs": 2,
        "restore_best": True,
        "validation": (rows, rows[:, :4]),
        **QUIET,
    }
    twin.fit(rows, rows[:, :4], **work, batch_callbacks=kept)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + more, before[1]))
    try:
        bp.Network([500, 2000, 4])
        net.fit(rows, rows[:, :4], **work)
    except MemoryError:
        pass
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    whole = digest(net.parameters) in digests
    net.predict(rows)
    return 0 if whole else 1
