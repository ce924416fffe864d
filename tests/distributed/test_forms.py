"""Data of a fit on several processes may come in all forms of `Network.fit`."""

import numpy as np
import pytest

import bpcore as bp
from bpcore import distributed
from helpers.arrays import ByArray, ByDLPack, ByInterface, Lazy, Sparse

X = np.arange(12.0).reshape(6, 2)


def fit(X, y, **options):
    net = bp.Network([2, 2], optimizer=bp.SGD(0.001), rng=0)
    distributed.fit(net, X, y, shards=2, epochs=1, progress=False, **options)
    return net.parameters.tobytes()


@pytest.mark.parametrize("form", [ByArray, ByDLPack, ByInterface])
def test_arrays_without_a_length(form):
    weight = np.arange(1.0, 7.0)
    right = fit(X, X, sample_weight=weight, validation=0.5)
    found = fit(form(X), form(X), sample_weight=form(weight), validation=0.5)
    assert found == right


@pytest.mark.parametrize(
    "bad",
    [None, 3.0, {1.0}, Lazy(), Sparse(), iter([1.0]), np.ndarray],
    ids=["None", "number", "set", "lazy", "sparse", "iterator", "class"],
)
@pytest.mark.parametrize("argument", ["X", "sample_weight"])
def test_messages_name_the_argument(argument, bad):
    if argument == "sample_weight" and bad is None:
        pytest.skip("None is no weights")
    data = {"X": X, "y": X, "sample_weight": np.ones(6), argument: bad}
    with pytest.raises((TypeError, ValueError), match=f"^{argument} must"):
        fit(**data)
