"""joblib's processes: its limit of threads is obeyed, and the bits are the same."""

import pytest

import bpcore as bp
from helpers.sharded import X, Y, make


def train(seed):
    net = make(bp.SGD(0.1), rng=seed, n_threads="auto")
    net.fit(X, Y, epochs=2, progress=False)
    return net, net.learner.engine.n_threads


def test_processes_of_joblib():
    joblib = pytest.importorskip("joblib")
    with joblib.parallel_config("loky", n_jobs=2, inner_max_num_threads=1):
        found = joblib.Parallel()(joblib.delayed(train)(seed) for seed in range(3))
    for seed, (net, threads) in enumerate(found):
        alone, _ = train(seed)
        assert threads == 1
        assert net.parameters.tobytes() == alone.parameters.tobytes()
        net.fit(X, Y, epochs=1, progress=False)  # it goes on as the one here
        alone.fit(X, Y, epochs=1, progress=False)
        assert net.parameters.tobytes() == alone.parameters.tobytes()
