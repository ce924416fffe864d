"""Every public call that takes data.

`groups` and `calls` have one `Call` for each argument of data; `untried` lists the
public functions and methods with such an argument that no `Call` names, from their
signatures.
"""

import inspect

import bpcore as bp
import bpcore.datasets
import bpcore.distributed
import bpcore.sklearn
import bpcore.tabular
from trust.calls import estimators, functions, graph, kernels, metrics, networks


def groups():
    """{kind: every `Call` of it}"""
    return {
        "methods of Network": [*networks.calls("Network", bp.Network)],
        "methods of reference.Network": [
            *networks.calls("reference.Network", bp.reference.Network)
        ],
        "functions on networks": [*functions.calls()],
        "graphs": [*graph.calls()],
        "metrics": [*metrics.calls()],
        "kernels": [*kernels.calls()],
        "estimators": [*estimators.calls()],
    }


def calls():
    """Every `Call`."""
    return [call for several in groups().values() for call in several]


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
