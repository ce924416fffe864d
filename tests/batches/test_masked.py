"""Masked arrays are refused wherever they hide: numbers below a mask are not used."""

import warnings

import numpy as np
import pytest

import bpcore as bp
from bpcore import distributed
from bpcore.metrics import as_metrics

X = np.arange(12.0).reshape(6, 2)
LABELS = np.array([0, 1, 0, 1, 1, 0])


def masked(array):
    """A copy whose first element is masked."""
    found = np.ma.array(array.copy(), mask=np.zeros(array.shape, bool))
    found[(0,) * array.ndim] = np.ma.masked
    return found


class ByArray:
    """An object whose ``__array__`` returns what it holds."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return self.value


HIDDEN = {
    "array": masked,
    "list of rows": lambda a: list(masked(a)),
    "the constant in lists": lambda a: [[np.ma.masked, 1.0], *a[1:].tolist()],
    "tuple of lists": lambda a: (list(masked(a)),),
    "__array__": lambda a: ByArray(masked(a)),
}
hidden = pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@hidden
def test_networks(Network, hide):
    net = Network([2, 2], rng=0)
    with pytest.raises(TypeError, match=r"^X must .*none masked"):
        net.predict(hide(X))
    with pytest.raises(TypeError, match=r"^y must .*none masked"):
        net.train_step(X, hide(X))


@pytest.mark.parametrize("form", ["array", "list of rows", "__array__"])
def test_fits_on_several_processes(form):
    hide = HIDDEN[form]
    with pytest.raises(TypeError, match=r"X must .*none masked"):
        distributed.fit(bp.Network([2, 2], rng=0), hide(X), X, shards=1, progress=False)


@hidden
def test_operands_of_a_graph(hide):
    with pytest.raises(TypeError, match="none masked"):
        bp.graph.Variable(hide(X))


@pytest.mark.parametrize("argument", ["y", "a", "weight"])
def test_metrics(argument):
    given = {"y": X[:, 0], "a": X[:, 1], "weight": X[:, 1] + 1}
    given[argument] = masked(given[argument])
    with pytest.raises(TypeError, match=rf"^{argument} must .*none masked"):
        as_metrics("mae")[0](**given)


def test_a_list_that_contains_itself():
    endless = [1.0]
    endless += [endless, endless]
    with pytest.raises((TypeError, ValueError), match=r"^X must"):
        bp.Network([2, 2]).predict(endless)
