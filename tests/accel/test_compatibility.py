"""Releases of scikit-learn that the drop-ins do not fit: a warning, nothing changed."""

import functools
import logging
import sys

import pytest

pytest.importorskip("sklearn", minversion="1.7")

import sklearn
from sklearn import neural_network

from bpcore import accel


@pytest.fixture
def warning(caplog, plain):
    """The only line that install logs, where it changes nothing."""

    def found():
        assert accel.install() is False
        assert (neural_network.MLPClassifier, neural_network.MLPRegressor) == plain
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("bpcore.accel", logging.WARNING)
        start = "scikit-learn's own MLPClassifier and MLPRegressor stay: "
        assert record.getMessage().startswith(start)
        return record.getMessage().removeprefix(start)

    return found


def test_not_installed(warning, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert warning().startswith("scikit-learn cannot be imported (import of sklearn")


def test_too_old(warning, monkeypatch):
    monkeypatch.setattr(sklearn, "__version__", "1.6.1")
    assert warning() == "scikit-learn 1.6.1 is older than 1.7"


@pytest.mark.parametrize("version", ["1.7.dev0", "1.10.0", "2.0rc1"])
def test_new_releases_are_tried(version, monkeypatch):
    monkeypatch.setattr(sklearn, "__version__", version)
    assert accel.install()


def test_without_a_method(warning, monkeypatch):
    owner = next(
        kind
        for kind in neural_network.MLPClassifier.__mro__
        if "_fit_lbfgs" in vars(kind)
    )
    monkeypatch.delattr(owner, "_fit_lbfgs")
    assert warning() == (
        f"scikit-learn {sklearn.__version__} is not what bpcore knows "
        "(MLPClassifier has no _fit_lbfgs)"
    )


def test_with_another_parameter(warning, monkeypatch):
    def predicted(self, X, check_input=True, batch_size=None):
        raise AssertionError

    monkeypatch.setattr(neural_network.MLPRegressor, "_forward_pass_fast", predicted)
    assert warning().endswith(
        "(MLPRegressor._forward_pass_fast takes X, check_input, batch_size; "
        "expected X, check_input)"
    )


def test_with_other_rules(warning, monkeypatch, plain):
    theirs = plain[0]._fit_stochastic  # noqa: SLF001

    @functools.wraps(theirs)  # and with its signature
    def doubled(self, *arguments):
        theirs(self, *arguments)
        self.coefs_[0] *= 2

    monkeypatch.setattr(plain[0], "_fit_stochastic", doubled)
    assert warning().endswith("('sgd' gives other weights)")


def test_that_raise_something_unknown(warning, monkeypatch, plain):
    def refused(self, *arguments, **named):
        raise RuntimeError("private")

    monkeypatch.setattr(plain[1], "fit", refused)
    assert warning().endswith("is not what bpcore knows (private)")


def test_joblib_without_batches(caplog, monkeypatch):
    monkeypatch.delattr("joblib.parallel.BatchedCalls")
    assert accel.install()
    # install may log another warning: modules of other tests have the classes by name.
    start = "joblib's processes use scikit-learn's own classes: cannot import name"
    said = [r for r in caplog.records if r.getMessage().startswith(start)]
    assert [record.levelno for record in said] == [logging.WARNING]
