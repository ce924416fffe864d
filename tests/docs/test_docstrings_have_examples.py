"""README promises an example in the docstring of every public function."""

import inspect
import types

import pytest

import bpcore as bp
from bpcore import graph, metrics, reference, schedules
from bpcore.training import history

#: Classes whose public methods have examples of their own.
CLASSES = (
    bp.Network,
    bp.Trace,
    bp.GradientFlow,
    bp.LossSurface,
    bp.Animation,
    graph.Variable,
    history.History,
    *(schedules.Schedule, schedules.ReduceOnPlateau),
)


def functions():
    for module in (bp, graph, reference):
        for name in module.__all__:
            if isinstance(getattr(module, name), types.FunctionType):
                yield f"{module.__name__}.{name}", getattr(module, name)
    yield from (("as_metrics", metrics.as_metrics), ("is_name", metrics.is_name))
    for cls in CLASSES:
        for name, method in vars(cls).items():
            if not name.startswith("_") and isinstance(method, types.FunctionType):
                yield f"{cls.__name__}.{name}", method


FUNCTIONS = dict(functions())


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_it_has_an_example(function):
    assert ">>> " in (inspect.getdoc(function) or "")
