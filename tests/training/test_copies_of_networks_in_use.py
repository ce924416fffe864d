"""Copies and files of a network that another thread trains: refused, never torn."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore.errors import InUseError
from bpcore.many import FitErrors
from bpcore.network import learner_of
from bpcore.sklearn import Regressor
from bpcore.tabular import Regressor as TableRegressor
from helpers import everything

SETTINGS = {TableRegressor: {"validation_fraction": None}}
X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = X[:, :2].copy()


def file_of(net, path):
    bp.Checkpoint(path, keep=2)(net)


def trained_alone(net, path):
    try:
        bp.fit_many([net], X, Y)
    except FitErrors as group:
        (error,) = group.exceptions
        raise error from None


OF_NETWORKS = {
    "save": lambda net, path: net.save(path),
    "weights": lambda net, path: net.save(path, weights_only=True),
    "checkpoint": file_of,
    "copy": lambda net, path: copy.copy(net),
    "deepcopy": lambda net, path: copy.deepcopy(net),
    "pickle": lambda net, path: pickle.dumps(net),
    "astype": lambda net, path: net.astype("float64"),
    "folded": lambda net, path: net.folded(),
    "folded learner": lambda net, path: learner_of(net).folded(),
    "to_onnx": lambda net, path: net.to_onnx(path.with_suffix(".onnx")),
    "to_c": lambda net, path: net.to_c(path.with_suffix(".h")),
    "to_keras": lambda net, path: bp.to_keras(net),
    "to_fann": lambda net, path: bp.to_fann(net, path.with_suffix(".net")),
    "trace": lambda net, path: bp.trace(net, X, Y),
    "fit_many": trained_alone,
}
OF_ESTIMATORS = {
    "save": lambda model, path: model.save(path),
    "copy": lambda model, path: copy.deepcopy(model),
    "pickle": lambda model, path: pickle.dumps(model),
    "to_onnx": lambda model, path: model.to_onnx(path.with_suffix(".onnx")),
    "to_c": lambda model, path: model.to_c(path.with_suffix(".h")),
}


def network():
    return bp.Network([3, 4, 2], activation="tanh", norm="batch", rng=0)


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_a_network_that_another_thread_uses_is_not_copied(tmp_path, name):
    net, path = network(), tmp_path / "net.bpc"
    net.save(path)
    before = everything(net), path.read_bytes(), {*Path(tmp_path).iterdir()}
    with learner_of(net).engine, ThreadPoolExecutor(1) as pool:
        found = pool.submit(OF_NETWORKS[name], net, path)
        assert isinstance(found.exception(), InUseError)
    assert before == (everything(net), path.read_bytes(), {*Path(tmp_path).iterdir()})
    OF_NETWORKS[name](net, path)


@pytest.mark.parametrize("name", OF_NETWORKS)
def test_a_callback_may_copy_its_network(tmp_path, name):
    if name in ("trace", "fit_many"):
        pytest.skip("no copies")
    done = []

    def call(net, history):
        done.append(OF_NETWORKS[name](net, tmp_path / "net.bpc"))

    network().fit(X, Y, epochs=2, callbacks=[call], progress=False)
    assert len(done) == 2


@pytest.mark.parametrize(
    ("new", "name"),
    [
        (new, name)
        for new in (Regressor, TableRegressor)
        for name in OF_ESTIMATORS
        if hasattr(new, name) or name in ("copy", "pickle")
    ],
)
def test_an_estimator_whose_network_is_in_use_is_not_copied(tmp_path, new, name):
    model = new(hidden_layer_sizes=(4,), epochs=1, **SETTINGS.get(new, {}))
    model.fit(X, Y[:, 0])
    net = model.network_ if new is Regressor else model.networks_[-1]
    with learner_of(net).engine, ThreadPoolExecutor(1) as pool:
        found = pool.submit(OF_ESTIMATORS[name], model, tmp_path / "model.bpc")
        assert isinstance(found.exception(), InUseError)
    assert not any(tmp_path.iterdir())
    OF_ESTIMATORS[name](model, tmp_path / "model.bpc")
