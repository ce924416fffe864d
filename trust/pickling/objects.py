"""Objects of the classes that are pickled, each with everything that it may hold."""

import contextlib
import copy
import pickle

import numpy as np

import bpcore as bp
from bpcore import schedules, tabular
from bpcore.batches.batch import as_batch
from bpcore.distributed.states import packed
from bpcore.graph import Variable, exp
from bpcore.losses import JointQuantile
from bpcore.model.backup import Backup
from bpcore.model.initial import Initial
from bpcore.training.options import Options

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(12, 3)).astype(np.float32)
Y = np.tanh(X[:, :2])
KINDS = ["a", "b", None] * 4
TABLE = [[x, kind] for x, kind in zip(X[:, 0].tolist(), KINDS, strict=True)]
LABELS = (X[:, 0] > 0).astype(np.int64)


def squared(a, y):
    """A loss function of ours."""
    return 0.5 * ((a - y) ** 2).sum(axis=1), a - y


def rate(epoch):
    """A schedule of ours."""
    return 0.01 / (1 + epoch)


def network(sizes=(3, 4, 2), *, library=bp.Network, epochs=1, **settings):
    """A network that has been trained."""
    net = library(list(sizes), **{"optimizer": bp.SGD(0.01), "rng": 0, **settings})
    if epochs:
        targets = LABELS if settings.get("loss") == "cross_entropy" else Y
        if sizes[-1] == 1:
            targets = LABELS[:, None]
        net.fit(X, targets, epochs=epochs, progress=False)
    return net


def full_network():
    """A network with a setting of every kind."""
    groups = {"biases": {"lr_factor": 2.0, "weight_decay": 0.0}, "weight_decay": 1e-3}
    full = network(
        optimizer=bp.Adam(0.01, clip_norm=1.0, max_norm=2.0, clip_value=3.0, **groups),
        norm="batch", dropout=0.2, input_noise=0.1, input_scale=0.5,
    )  # fmt: skip
    full.frozen, full.lr_factors = [False, True], [(1.0, 0.5), 2.0]
    return full


def networks():
    """Networks that have every kind of part, by name."""
    plateau = bp.SGD(schedules.ReduceOnPlateau(0.1, patience=1), momentum=0.9)
    warm = bp.AMSGrad(schedules.WarmUp(schedules.CosineRestarts(0.1, 4, growth=2), 3))
    deep = {"norm": ["layer", "batch"], "activation": ["gelu", "relu"]}
    return {
        "plain": network(),
        "with everything": full_network(),
        "float64, plateau": network(
            loss="cross_entropy", optimizer=plateau, dtype="float64", epochs=3
        ),
        "deep, warm-up": network((3, 5, 4, 2), optimizer=warm, **deep),
        "loss and schedule of ours": network(loss=squared, optimizer=bp.Lion(rate)),
        "Huber, LBFGS": network(loss=bp.Huber(0.5), optimizer=bp.LBFGS(), epochs=0),
        "one output": network(
            (3, 1), loss="binary_cross_entropy", optimizer=bp.Rprop()
        ),
        "reference": network(library=bp.reference.Network, optimizer=bp.Adam(0.01)),
    }


def settings():
    """Optimizers, schedules and losses."""
    two = {"biases": {"weight_decay": 0.1, "lr_factor": 2.0}, "clip_norm": 1.0}
    found = [
        getattr(bp, name)(0.1, **two)
        for name in ("SGD", "Momentum", "Adam", "AdamW", "Adamax", "Nadam", "RAdam")
    ]
    found += [kind() for kind in (bp.AMSGrad, bp.Lion, bp.RMSprop, bp.Adagrad)]
    found += [bp.Rprop(), bp.LBFGS(), bp.SGD(rate)]
    s = schedules
    found += [s.Constant(0.1), s.Custom(rate), s.StepDecay(0.1, 2), s.OneCycle(1.0, 9)]
    found += [s.Exponential(0.1, 0.9), s.InverseScaling(0.1), s.Polynomial(0.1, 4)]
    found += [s.CosineRestarts(0.1, 2, growth=2), s.FlatCosine(0.1, 9)]
    found += [s.CosineLog(0.1, 9), s.ReduceOnPlateau(0.1), s.WarmUp(s.Constant(1.0), 3)]
    found += [bp.Huber(0.5), bp.Quantile(0.3), bp.CrossEntropy(0.1)]
    found += [bp.CustomLoss(JointQuantile((0.1, 0.9))), bp.CustomLoss(squared)]
    found += [bp.LOSSES["poisson"], bp.LOSSES["hinge"]]
    return {f"{type(each).__name__} {i}": each for i, each in enumerate(found)}


def parts(nets):
    """What networks are made of, give back, or are recorded by."""
    net = nets["with everything"]
    learner = net.learner
    design = learner.design
    backup = Backup()
    backup.take(learner.state)
    fit = network(epochs=0).fit(
        X, Y, epochs=3, validation=(X, Y), metrics="r2", progress=False
    )
    return {
        "design": design,
        "layout": design.layout,
        "initial": Initial.checked(design, bp.Adam(), "auto", "zeros", "ntk"),
        "state": learner.state,
        "backup": backup,
        "batch": as_batch(design, learner.dtype, X, Y, np.ones(len(X))),
        "options": Options(),
        "tape": net.forward(X),
        "gradients": net.gradients(X, Y),
        "history": fit,
        "plateau": schedules.ReduceOnPlateau(0.1).initial(),
    }


def views(nets):
    """Results of looking into a network, which hold numbers only, or networks."""
    net = nets["plain"]
    flow = bp.GradientFlow(X, Y)
    small = network((3, 4, 2), epochs=0)
    small.fit(X, Y, epochs=2, callbacks=[flow], progress=False)
    return {
        "trace": bp.trace(net, X, Y),
        "flow": flow,
        "check": bp.check_gradients(net, X, Y),
        "surface": bp.loss_surface(net, X, Y, points=3),
        "fitted": bp.fit_many([copy.copy(net)], X, Y, epochs=1)[0],
        "callback": bp.Checkpoint("net.bpc"),
    }


def graphs():
    """Expressions, with a network in one."""
    a, b = Variable([1.0, 2.0], "a"), Variable([[3.0], [4.0]], "b")
    J = (exp(a * b) + a[0]).sum() / 3
    J.backward()
    with_network = (network().node(X) ** 2).mean()
    return {"expression": J, "expression of a network": with_network}


def estimators():
    """Fitted estimators of both packages; those of bpcore.sklearn if it is there."""
    small = {"hidden_layer_sizes": [4], "epochs": 2, "random_state": 0}
    found = {
        "tabular Classifier": tabular.Classifier(**small).fit(TABLE, ["p", "q"] * 6),
        "tabular Regressor": tabular.Regressor(**small).fit(TABLE, X[:, 1]),
    }
    with contextlib.suppress(ImportError):
        from bpcore import sklearn

        found["Classifier"] = sklearn.Classifier(**small).fit(X, LABELS)
        found["Regressor"] = sklearn.Regressor(**small).fit(X, Y)
        small = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
        found["MLPClassifier"] = sklearn.MLPClassifier(**small).fit(X, LABELS)
        found["MLPRegressor"] = sklearn.MLPRegressor(**small, warm_start=True).fit(X, Y)
    return found


class Message(tuple):
    """What a process sends to others of a state: an optimizer or None, and arrays."""


def objects():
    """Every object by its name."""
    nets = networks()
    state = nets["with everything"].learner.state
    return {
        **{f"network {name}": net for name, net in nets.items()},
        **settings(),
        **parts(nets),
        **graphs(),
        "message": Message(pickle.loads(packed(state, state.optimizer))),
        **views(nets),
        **estimators(),
    }
