"""Which class the workers of joblib train; its lines are read by test_workers.py."""

import os
import pickle
import warnings

import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn import neural_network
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(60, 3)), RNG.integers(0, 2, 60)
BACKENDS = ("loky", "multiprocessing", "threading")


def in_worker():
    """Whether this is another process than the one that was started first."""
    return os.environ["PARENT"] != str(os.getpid())


def ours(net):
    """Whether an estimator has been trained by bpcore."""
    return "_trained_by_bpcore" in vars(net)


def score(net, X, y):
    """1 if a drop-in was trained in a process of its own, else 0."""
    return float(ours(net) and in_worker())


def fitted_here(_):
    """By the name in its module, without any estimator being sent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = neural_network.MLPRegressor(max_iter=2).fit(X, Y)
    return in_worker(), ours(net), net


def searched(backend):
    """The scores of a search, and whether its best estimator is trained by bpcore."""
    grid = {"alpha": [1e-3, 1e-2]}
    search = GridSearchCV(
        MLPClassifier(max_iter=2), grid, scoring=score, cv=2, n_jobs=2
    )
    with parallel_config(backend), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(X, Y)
    return search.cv_results_["mean_test_score"].tolist(), ours(search.best_estimator_)


def main():
    for backend in BACKENDS:
        print("search", backend, *searched(backend))
        calls = (delayed(fitted_here)(i) for i in range(2))
        found = Parallel(n_jobs=2, backend=backend)(calls)
        for elsewhere, own, net in found:
            back = type(net) is neural_network.MLPRegressor
            print("call", backend, elsewhere, own, back)
    import bpcore.accel

    bpcore.accel.uninstall()  # loky's processes are still there
    for backend in BACKENDS:
        for _, own, net in Parallel(n_jobs=2, backend=backend)(
            delayed(fitted_here)(i) for i in range(2)
        ):
            print("after", backend, own, b"bpcore" in pickle.dumps(net))


if __name__ == "__main__":
    os.environ["PARENT"] = str(os.getpid())
    main()
