"""scikit-learn's own callbacks are called for each epoch."""

import numpy as np
import pytest

pytest.importorskip("sklearn.callback", exc_type=ImportError)

from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from bpcore.sklearn import Classifier, Regressor

X, Y = load_iris(return_X_y=True)


class Recorder:
    """Records the calls; it stops at an epoch."""

    def __init__(self, stops_at=None):
        self.calls, self.scores, self.stops_at = [], [], stops_at

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, metadata=None):
        assert len(X) == 150
        self.calls.append(("begin", context.task_name, context.task_id))
        self.metadata = metadata

    def on_fit_task_end(self, estimator, context, *, X=None, y=None,
                        fitted_estimator=None):  # fmt: skip
        self.calls.append(("end", context.task_name, context.task_id))
        self.scores.append(fitted_estimator.score(X, y))
        self.epochs = fitted_estimator.n_iter_
        return context.task_name == "epoch" and context.task_id == self.stops_at


def epochs(n):
    return [(what, "epoch", i) for i in range(n) for what in ("begin", "end")]


@pytest.mark.parametrize("ends_by", ["epochs", "callback", "own callback", "patience"])
@pytest.mark.parametrize("kind", [Classifier, Regressor])
def test_every_epoch_is_a_task(kind, ends_by):
    recorder = Recorder(stops_at=1 if ends_by == "callback" else None)
    model = kind(epochs=5, random_state=0)
    n = 5 if ends_by == "epochs" else 2
    if ends_by == "own callback":
        model.set_params(callbacks=[lambda network, history: len(history) == 2])
    if ends_by == "patience":
        model.set_params(patience=1, min_delta=1e9)
    model.set_callbacks(recorder).fit(X, Y, np.ones(150))
    assert recorder.calls == [
        "setup", ("begin", "fit", 0), *epochs(n), ("end", "fit", 0), "teardown"
    ]  # fmt: skip
    assert len(recorder.scores) == n + 1 and recorder.scores[-1] == model.score(X, Y)
    assert recorder.epochs == model.n_iter_ == n
    assert model.stopped_ == ends_by.removeprefix("own ")
    assert recorder.metadata["sample_weight"].sum() == 150
    plain = kind(epochs=n, random_state=0).fit(X, Y)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)


def test_errors():
    recorder = Recorder()
    model = Classifier(epochs=2).set_callbacks(recorder)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X * np.nan, Y)
    assert recorder.calls == ["setup", "teardown"]
    with pytest.raises(TypeError, match="callbacks must be callables; got 3"):
        model.set_params(callbacks=[3]).fit(X, Y)
    checked = []

    class Checks:
        def check(self, network):
            checked.append(network.sizes)

        def __call__(self, network, history):
            pass

    model.set_params(callbacks=[Checks()]).fit(X, Y)
    assert checked == [(4, 100, 3)]


def test_in_a_pipeline():
    monitor = ScoringMonitor(scoring="accuracy")
    model = Classifier(epochs=4, random_state=0).set_callbacks(monitor)
    make_pipeline(StandardScaler(), model).fit(X, Y)
    assert model.n_iter_ == 4
