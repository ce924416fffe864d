"""Every public call that takes data, with right data for each argument.

`calls` has one `Call` for each argument of data; `untried` lists the public functions
and methods with such an argument that no `Call` names, from their signatures.
"""

import inspect
import operator
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import bpcore as bp
import bpcore.datasets
import bpcore.distributed
import bpcore.sklearn
import bpcore.tabular

N, N_IN, N_OUT = 6, 3, 2
X = (np.arange(N * N_IN).reshape(N, N_IN) * 7 % 5 - 1) / 1.0
Y = (np.arange(N * N_OUT).reshape(N, N_OUT) * 5 % 3) / 2.0
LABELS = np.array([0, 1, 1, 0, 1, 0])
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 1.0, 1.0])
ROW, TARGET = X[0], Y[0]


@dataclass(frozen=True)
class Call:
    """A call with one argument left open.

    Parameters
    ----------
    path : str
        Of the function or method, from ``bpcore``.
    argument : str
        Its parameter.
    plain : array
        Right data, in float64 or int64.
    run : callable
        ``run(subject, value)`` returns the result.
    make : callable
        A new subject: a network or an estimator.
    said : str
        A pattern of the names by which messages call the argument; "" if they need not.
    shaped : bool
        Whether other shapes are wrong.
    in_place : bool
        Whether only arrays of the right memory are taken, as by the kernels.
    theirs : bool
        Whether scikit-learn checks the argument, with its own messages.
    arrays_only : bool
        Whether the argument is documented to be an array, which is not checked but for
        its length and for masks.
    written : bool
        Whether the call writes into the argument.
    """

    path: str
    argument: str
    plain: Any
    run: Callable[[Any, Any], Any]
    make: Callable[[], Any] = lambda: None
    said: str | None = None
    shaped: bool = True
    in_place: bool = False
    theirs: bool = False
    arrays_only: bool = False
    written: bool = False

    @property
    def optional(self):
        """Whether None means that the argument is not given."""
        given = ("weight", "gradient", "_val")
        return (
            any(name in self.argument for name in given)
            or self.plain is WEIGHTS
            or self.path.endswith("to_c")
        )

    def __str__(self):
        return f"{self.path}({self.argument})"


# --- networks -------------------------------------------------------------------------


def network(kind=bp.Network, **settings):
    """A small network of numbers, with momentum, so that a step leaves traces."""
    given = {"optimizer": bp.SGD(0.01, momentum=0.9), "rng": 0, **settings}
    return kind([N_IN, 4, N_OUT], activation="tanh", **given)


QUIET = {"progress": False, "epochs": 2, "batch_size": 4}

#: Methods with X, y and perhaps weights: (name, call, whether it takes weights).
WITH_TARGETS = {
    "fit": lambda net, *data, **more: net.fit(
        *data[:2], **_weights(data), **QUIET, **more
    ),
    "partial_fit": lambda net, *data, **more: net.partial_fit(
        *data[:2], **_weights(data), **more
    ),
    "train_step": lambda net, *data, **more: net.train_step(*data, **more),
    "gradients": lambda net, *data, **more: net.gradients(*data, **more),
    "evaluate": lambda net, *data, **more: net.evaluate(
        *data, **more, metrics=["mae", "r2"] if not more else None
    ),
}
FUNCTIONS = {
    "check_gradients": bp.check_gradients,
    "trace": lambda net, *data, **more: bp.trace(net, *data, **more).loss,
    "loss_surface": lambda net, *data, **more: (
        bp.loss_surface(net, *data, **more, points=3, steps=2, optimizers=bp.SGD(0.1)).E
    ),
}


def _weights(data):
    return {"sample_weight": data[2]} if len(data) > 2 else {}


def with_targets(path, run, make, labelled):
    """Calls of the arguments X, y, sample_weight and class_weight."""
    yield Call(path, "X", X, lambda net, v: run(net, v, Y), make)
    yield Call(path, "y", Y, lambda net, v: run(net, X, v), make)
    yield Call(path, "y", LABELS, lambda net, v: run(net, X, v), labelled)
    yield Call(path, "sample_weight", WEIGHTS, lambda net, v: run(net, X, Y, v), make)
    yield Call(
        path,
        "class_weight",
        np.array([1.0, 2.0]),
        lambda net, v: run(net, X, LABELS, class_weight=v),
        labelled,
    )


def of_networks(prefix, kind):
    """Calls of the methods of a class of networks."""
    make = partial(network, kind)
    labelled = partial(network, kind, loss="cross_entropy")
    wide = partial(network, kind, dtype="float64")

    def call(method, argument, plain, run, make=make, **more):
        return Call(f"{prefix}.{method}", argument, plain, run, make, **more)

    for name, run in WITH_TARGETS.items():
        yield from with_targets(f"{prefix}.{name}", run, make, labelled)
        yield Call(
            f"{prefix}.{name}", "X", X, lambda net, v, run=run: run(net, v, Y), wide
        )
    yield call(
        "fit", "validation", X, lambda net, v: net.fit(X, Y, validation=(v, Y), **QUIET)
    )
    yield call(
        "fit", "validation", Y, lambda net, v: net.fit(X, Y, validation=(X, v), **QUIET)
    )
    yield call(
        "fit",
        "validation",
        WEIGHTS,
        lambda net, v: net.fit(X, Y, validation=(X, Y, v), **QUIET),
    )
    stream = {"progress": False, "epochs": 1}
    yield call("fit", "mini-batch", X, lambda net, v: net.fit([(v, Y)], **stream))
    yield call("fit", "mini-batch", Y, lambda net, v: net.fit([(X, v)], **stream))
    yield call(
        "fit", "mini-batch", WEIGHTS, lambda net, v: net.fit([(X, Y, v)], **stream)
    )
    yield call("predict", "X", X, lambda net, v: net.predict(v), shaped=False)
    yield call("predict", "X", ROW, lambda net, v: net.predict(v), shaped=False)
    yield call("predict", "X", X, lambda net, v: net.predict(v), wide, shaped=False)
    yield call("predict_one", "x", ROW, lambda net, v: net.predict_one(v))
    yield call("forward", "X", X, lambda net, v: net.forward(v).output)
    yield call(
        "backward", "d_output", Y, lambda net, v: net.backward(net.forward(X), v).flat
    )
    yield call("node", "x", X, lambda net, v: net.node(v).value)
    yield call("learn_one", "x", ROW, lambda net, v: net.learn_one(v, TARGET))
    yield call("learn_one", "y", TARGET, lambda net, v: net.learn_one(ROW, v))
    yield call(
        "learn_one", "y", np.array(1), lambda net, v: net.learn_one(ROW, v), labelled
    )
    yield call("apply", "gradients", _flat(make()), _apply, said="gradients.flat")
    yield call("to_c", "X", X, lambda net, v: _to_c(net, X=v))
    yield call("to_c", "y", Y, lambda net, v: _to_c(net, X=X, y=v))


def _flat(net):
    return net.gradients(X, Y).flat.astype(np.float64).round(3)


def _apply(net, flat):
    gradients = net.gradients(X, Y)
    given = {
        f.name: getattr(gradients, f.name)
        for f in gradients.__dataclass_fields__.values()
    }
    net.apply(type(gradients)(**{**given, "flat": flat}))


def _to_c(net, **data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.h")
        net.to_c(path, **data)
        return path.read_text()


def of_functions():
    """Calls of functions on networks."""
    labelled = partial(network, loss="cross_entropy")
    for name, run in FUNCTIONS.items():
        yield from with_targets(name, run, network, labelled)

    yield from of_animations()

    def many(net, X, y, **more):
        given = {"sample_weight": more["sample_weight"]} if more else {}
        return bp.fit_many([net], X, y, epochs=2, n_threads=1, **given)[0].history

    yield Call("fit_many", "X", X, lambda net, v: many(net, v, Y), network)
    yield Call("fit_many", "y", Y, lambda net, v: many(net, X, v), network)
    yield Call("fit_many", "y", LABELS, lambda net, v: many(net, X, v), labelled)
    yield Call(
        "fit_many",
        "sample_weight",
        WEIGHTS,
        lambda net, v: many(net, X, Y, sample_weight=v),
        network,
    )

    def shared(net, X, y, **more):
        return bp.distributed.fit(net, X, y, shards=2, **QUIET, **more)

    yield Call("distributed.fit", "X", X, lambda net, v: shared(net, v, Y), network)
    yield Call("distributed.fit", "y", Y, lambda net, v: shared(net, X, v), network)
    yield Call(
        "distributed.fit", "y", LABELS, lambda net, v: shared(net, X, v), labelled
    )
    yield Call(
        "distributed.fit",
        "sample_weight",
        WEIGHTS,
        lambda net, v: shared(net, X, Y, sample_weight=v),
        network,
    )

    def watched(net, *data):
        watch = bp.GradientFlow(*data)
        net.fit(X, Y, callbacks=[watch], **QUIET)
        return watch.to_dict()

    yield Call("GradientFlow", "X", X, lambda net, v: watched(net, v, Y), network)
    yield Call("GradientFlow", "y", Y, lambda net, v: watched(net, X, v), network)
    yield Call(
        "GradientFlow",
        "sample_weight",
        WEIGHTS,
        lambda net, v: watched(net, X, Y, v),
        network,
    )
    yield Call(
        "numerical_gradient",
        "x",
        ROW,
        lambda _, v: bp.numerical_gradient(lambda x: (x * x).sum(), v),
        said="x|eps",
        shaped=False,
    )
    yield Call(
        "Trace.check",
        "mine",
        np.zeros((N, 4)),
        lambda net, v: bp.trace(net, X, Y).check("delta[0]", v).ok,
        network,
        shaped=False,  # another shape is not right, but no error
    )


def of_animations():
    """Calls of `animate`, which shows networks of one or two inputs."""
    x, y = X[:, :1].copy(), Y[:, :1].copy()

    def numbers():
        return bp.Network([1, 4, 1], rng=0)

    def classes():
        return bp.Network([2, 4, 2], loss="cross_entropy", rng=0)

    def animate(net, X, y, **more):
        return bp.animate(net, X, y, **QUIET, **more).loss

    for argument, plain, run in (
        ("X", x, lambda net, v: animate(net, v, y)),
        ("y", y[:, 0], lambda net, v: animate(net, x, v)),
        ("sample_weight", WEIGHTS, lambda net, v: animate(net, x, y, sample_weight=v)),
        ("validation", x, lambda net, v: animate(net, x, y, validation=(v, y))),
    ):
        yield Call("animate", argument, plain, run, numbers)
    yield Call(
        "animate", "y", LABELS, lambda net, v: animate(net, X[:, :2], v), classes
    )
    weights = np.array([1.0, 2.0])
    yield Call(
        "animate",
        "class_weight",
        weights,
        lambda net, v: animate(net, X[:, :2], LABELS, class_weight=v),
        classes,
    )


# --- the graph ------------------------------------------------------------------------


OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "**": operator.pow,
    "@": operator.matmul,
}


def of_graph():
    """Calls of functions of the graph: operands may be arrays of any shape."""
    graph = bp.graph
    yield Call(
        "graph.Variable", "value", X, lambda _, v: graph.Variable(v).value, shaped=False
    )
    yield Call("graph.Variable.value", "value", X, _assign, shaped=True)
    ones = (
        "exp",
        "log",
        "tanh",
        "sigmoid",
        "relu",
        "sqrt",
        "abs",
        "sum",
        "mean",
        "max",
        "min",
    )
    for name in ones:
        function = getattr(graph, name)
        yield Call(
            f"graph.{name}",
            "x",
            X,
            lambda _, v, f=function: f(v).value,
            said="operand",
            shaped=False,
        )
    yield Call(
        "graph.reshape",
        "x",
        X,
        lambda _, v: graph.reshape(v, (-1,)).value,
        said="operand",
        shaped=False,
    )
    for name in ("maximum", "minimum"):
        function, method = getattr(graph, name), getattr(graph.Variable, name)
        for argument, run in {
            "x": lambda _, v, f=function: f(v, graph.Variable(X)).value,
            "y": lambda _, v, f=function: f(graph.Variable(X), v).value,
        }.items():
            yield Call(f"graph.{name}", argument, X, run, said="operand", shaped=False)
        yield Call(
            f"graph.Variable.{name}",
            "other",
            X,
            lambda _, v, f=method: f(graph.Variable(X), v).value,
            said="operand",
            shaped=False,
        )
    for symbol, function in OPERATORS.items():
        plain = X.T.copy() if symbol == "@" else X
        for order in (0, 1):

            def operate(_, v, function=function, order=order, plain=plain):
                x = graph.Variable(X if order else plain)
                return (function(x, v) if order else function(v, x)).value

            given = plain if order else X
            yield Call(
                f"graph.Variable {symbol}",
                "operand" if order else "left operand",
                given,
                operate,
                said="operand" if order else "",
                shaped=False,
            )
    yield Call("graph.Variable.backward", "gradient", X, _backward)


def _assign(_, value):
    x = bp.graph.Variable(X)
    x.value = value
    return x.value


def _backward(_, gradient):
    x = bp.graph.Variable(X)
    (x * 2).backward(gradient)
    return x.grad


# --- metrics --------------------------------------------------------------------------


def of_metrics():
    """Calls of the metrics, which take arrays only: masked ones are refused."""
    metric = bp.metrics.as_metrics("mae")[0]
    for argument, plain, run in (
        ("y", Y, lambda _, v: metric(v, Y)),
        ("a", Y, lambda _, v: metric(Y, v)),
        ("weight", WEIGHTS, lambda _, v: metric(Y, Y + 1, v)),
    ):
        yield Call("metrics.Metric", argument, plain, run, arrays_only=True)


# --- kernels --------------------------------------------------------------------------

A, W, B, DELTA = X, np.arange(N_IN * N_OUT).reshape(N_IN, N_OUT) / 4.0, TARGET, Y


def of_kernels():
    """Calls of the kernels: memory that does not fit is refused, not converted."""
    k = bp.kernels
    moments = np.array([[0.5, 1.0, 1.5], [1.0, 2.0, 0.5]])
    given = {
        "activate": {"z": X, "activation": "tanh"},
        "add": {"total": ROW, "g": ROW + 1},
        "add_noise": {"x": X, "out": 0 * X, "key": 3, "size": 0.5},
        "all_between": {"x": ROW, "low": -2.0, "high": 9.0},
        "clip_norm": {"g": ROW, "most": 0.5},
        "descend": {"w": ROW, "g": ROW, "optimizer": bp.SGD(0.1)},
        "drop": {"x": X, "out": 0 * X, "key": 3, "p": 0.5},
        "elementary": {"name": "exp", "x": ROW, "out": 0 * ROW},
        "fold": {
            "W_folded": 0 * W,
            "b_folded": 0 * B,
            "W": W,
            "shift": B,
            "gain": B + 1,
            "running": np.stack([B, B + 1]),
        },
        "follow": {"running": moments, "moments": moments + 1, "n": 4},
        "forward": {"a": A, "W": W, "b": B, "out": 0 * Y},
        "gradient": {"a": A, "delta": DELTA, "dW": 0 * W, "db": 0 * B},
        "limit_norms": {"W": W, "most": 0.5},
        "loss": {
            "z": Y + 1,
            "delta": 0 * Y,
            "name": "squared_error",
            "y": Y,
            "weight": WEIGHTS,
        },
        "normalise": {
            "y": 0 * X,
            "hat": X,
            "inverse": 0 * WEIGHTS,
            "moments": 0 * moments,
            "gain": ROW + 1,
            "shift": ROW,
            "kind": "batch",
        },
        "normalise_back": {
            "delta": X,
            "dgain": 0 * ROW,
            "dshift": 0 * ROW,
            "hat": X,
            "inverse": WEIGHTS + 2,
            "gain": ROW + 1,
            "kind": "batch",
        },
        "propagate": {"delta": DELTA, "W": W, "a": A, "out": 0 * X},
        "robust_scale": {
            "x": X,
            "centre": ROW,
            "factor": ROW + 2,
            "out": np.zeros(X.shape, "f4"),
        },
        "scale_rows": {"x": X, "scale": ROW, "out": 0 * X},
        "scale_rows_back": {"delta": X, "dscale": 0 * ROW, "x": X, "scale": ROW},
        "times_derivative": {"delta": X, "a": X / 4, "activation": "tanh"},
        "update": {
            "W": W,
            "b": B,
            "a": A,
            "delta": DELTA,
            "optimizer": bp.SGD(0.1, momentum=0.5),
            "state_W": W[None],
            "state_b": B[None],
        },
    }
    labels = {"z": Y, "delta": 0 * Y, "name": "cross_entropy", "labels": LABELS}
    several = [*given.items(), ("loss", labels)]
    for name, arguments in several:
        for argument, plain in arguments.items():
            if isinstance(plain, np.ndarray):
                run = partial(_kernel, getattr(k, name), arguments, argument)
                value = plain.copy()
                run(None, value)  # to find out whether it writes into it
                written = value.tobytes() != plain.tobytes()
                yield Call(
                    f"kernels.{name}",
                    argument,
                    plain,
                    run,
                    said="",
                    in_place=True,
                    written=written,
                )


def _kernel(function, arguments, argument, _, value):
    """The arrays after a kernel, which gets copies of all but the tried argument."""
    given = {
        name: each.copy() if isinstance(each, np.ndarray) else each
        for name, each in arguments.items()
    }
    given[argument] = value
    result = function(**given)
    return [result, *(each for name, each in given.items() if name != argument)]


# --- estimators -----------------------------------------------------------------------


def of_estimators():
    """Calls of the estimators' methods."""
    small = {
        "hidden_layer_sizes": (4,),
        "epochs": 2,
        "batch_size": 4,
        "random_state": 0,
    }
    estimators = {
        "sklearn.Classifier": (small, LABELS),
        "sklearn.Regressor": (small, Y),
    }
    for path, (settings, y) in estimators.items():
        package, name = path.split(".")
        new = partial(getattr(getattr(bp, package), name), **settings)

        def fitted(new=new, y=y):
            return new().fit(X, y)

        def call(method, argument, plain, run, path=path, fitted=fitted):
            more = {"said": "", "shaped": False, "theirs": True}
            return Call(f"{path}.{method}", argument, plain, run, fitted, **more)

        yield call("predict", "X", X, lambda m, v: m.predict(v))
        if "Classifier" in path:
            yield call("predict_proba", "X", X, lambda m, v: m.predict_proba(v))
            yield call("predict_log_proba", "X", X, lambda m, v: m.predict_log_proba(v))
        yield call("gradient", "X", X, lambda m, v: m.gradient(v))
        yield call("score", "X", X, lambda m, v, y=y: m.score(v, y))
        yield call("score", "y", y, lambda m, v: m.score(X, v))
        yield call(
            "score", "sample_weight", WEIGHTS, lambda m, v, y=y: m.score(X, y, v)
        )
        for argument, plain in {
            "X": X,
            "y": y,
            "sample_weight": WEIGHTS,
            "X_val": X,
            "y_val": y,
            "sample_weight_val": WEIGHTS,
        }.items():
            run = partial(_fit, y, argument)
            yield call("fit", argument, plain, run)
            yield call("partial_fit", argument, plain, partial(_fit_part, y, argument))


def _fit(y, argument, model, value):
    data = {"X": X, "y": y, "X_val": X, "y_val": y, argument: value}
    return vars(model.fit(**data))["n_features_in_"]


def _fit_part(y, argument, model, value):
    data = {"X": X, "y": y, "X_val": X, "y_val": y, argument: value}
    return vars(model.partial_fit(**data))["n_iter_"]


# --- all ------------------------------------------------------------------------------


def calls():
    """Every `Call`."""
    return [
        *of_networks("Network", bp.Network),
        *of_networks("reference.Network", bp.reference.Network),
        *of_functions(),
        *of_graph(),
        *of_metrics(),
        *of_kernels(),
        *of_estimators(),
    ]


#: Names of parameters that are data.
DATA = {
    *("X", "y", "x", "sample_weight", "class_weight", "validation", "value", "mine"),
    *("X_val", "y_val", "sample_weight_val", "d_output", "gradient", "gradients"),
    *("a", "b", "W", "z", "g", "w", "delta", "dW", "db", "dgain", "dshift", "dscale"),
    *("gain", "shift", "hat", "inverse", "moments", "running", "W_folded", "b_folded"),
    *("centre", "factor", "scale", "total", "labels", "weight", "state", "other"),
    *("state_W", "state_b"),
}
#: Public names with such parameters that are not tried, and why.
ELSEWHERE = {
    "reference.": "formulas in NumPy on arrays; its Network is tried",
    "tabular.": "tables of anything, with their own tests",
    "sklearn.Classifier.decision_function": "as predict, with the loss hinge",
    "sklearn.MLP": "scikit-learn's own checks: that is their promise",
    "sklearn.from_sklearn": "an estimator",
    "schedules.": "numbers of settings, not arrays",
    "metrics.BuiltIn": "a metrics.Metric",
    "metrics.Metric.check": "what an estimator calls on checked targets",
    "Gradients": "made by a network",
    "Trace": "made by trace",
    "Tape": "made by forward",
    "LossSurface": "made by loss_surface",
    "Animation": "used by animate",
    "GradientFlow.": "called by fit",
    "Fitted.": "of tuples",
    "graph.Edge": "made by a graph",
    "graph.Path": "made by a graph",
    "graph.Variable.paths": "variables",
    "CrossEntropy.": "called by the library on checked arrays",
    "Huber.": "called by the library on checked arrays",
    "Quantile.": "called by the library on checked arrays",
    "sklearn.Classifier.set_": "scikit-learn's routing of metadata",
    "sklearn.Regressor.set_": "scikit-learn's routing of metadata",
}
#: Parameters with these names that are settings there.
SETTINGS = {
    *("Network.fit(gradient)", "reference.Network.fit(gradient)", "animate(gradient)"),
    *("Huber(delta)", "sklearn.Classifier(class_weight)", "kernels.descend(state)"),
}
MODULES = ("", "datasets", "distributed", "graph", "kernels", "metrics", "reference")
ESTIMATORS = ("schedules", "sklearn", "tabular")


def public():
    """(path, function) of every public function, class and method."""
    for module in (*MODULES, *ESTIMATORS):
        home = getattr(bp, module) if module else bp
        for name in getattr(home, "__all__", None) or dir(home):
            value = getattr(home, name)
            if name[0] == "_" or inspect.ismodule(value) or not callable(value):
                continue
            path = f"{module}.{name}" if module else name
            yield path, value
            for method, member in inspect.getmembers(value) * inspect.isclass(value):
                if method[0] != "_" and callable(member):
                    yield f"{path}.{method}", member


def untried():
    """The public parameters of data that no `Call` names."""
    tried = {(call.path, call.argument) for call in calls()}
    found = []
    for path, function in public():
        owner = getattr(bp, path.split(".")[0], None)
        if inspect.isclass(owner) and issubclass(owner, bp.Optimizer):
            continue
        if any(path.startswith(name) for name in ELSEWHERE) and (
            not path.startswith("reference.Network.")
        ):
            continue
        try:
            names = inspect.signature(function).parameters
        except (TypeError, ValueError):
            continue
        for name in DATA & set(names):
            if (path, name) not in tried and f"{path}({name})" not in SETTINGS:
                found.append(f"{path}({name})")
    return sorted(found)
