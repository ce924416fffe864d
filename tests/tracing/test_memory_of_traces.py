"""Memory that a trace takes, and the warning before it."""

import warnings

import pytest

import bpcore as bp
from bpcore.tracing import memory, record
from helpers import everything
from helpers.trace import held, now, problem, traced_memory

# --- memory ---------------------------------------------------------------------------


def wide(n=400, **settings):
    """Parameters and activations of some MB, and a mini-batch that needs no copies."""
    return problem(
        "identity", "squared_error", (300, 400, 350, 20), n, dtype="float32",
        **settings,
    )  # fmt: skip


def test_much_memory_is_warned_of_before_it_is_used(monkeypatch):
    net, X, y = wide()
    y = y.astype("float32")
    before = everything(net)
    monkeypatch.setattr(memory, "MUCH", 10**6)

    def refused():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning, match=r"takes 0\.0 GB of memory"):
                bp.trace(net, X, y, apply=True)

    refused()  # what Python keeps of a first warning
    most, _ = traced_memory(refused)
    assert most < 10**5
    assert everything(net) == before and net.learner.engine.capacity == 0
    with pytest.warns(UserWarning, match="this trace takes") as caught:
        t = bp.trace(net, X, y)
    assert caught[0].filename == __file__
    assert held(t.before) == now(net)
    monkeypatch.setattr(memory, "MUCH", 10**9)
    bp.trace(net, X, y)  # warnings are errors: there is none


@pytest.mark.parametrize("apply", [False, True])
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("n", [20, 600])
@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": bp.SGD(0.01)},
        {"optimizer": bp.SGD(0.01, clip_norm=1.0), "norm": "batch"},
        {"optimizer": bp.Adam(0.01)},
        {"optimizer": bp.AMSGrad(0.01, clip_norm=1.0)},
        {"optimizer": bp.SGD(0.01), "norm": "batch"},
        {"optimizer": bp.Adam(0.01), "dropout": 0.3, "norm": "layer"},
        {"optimizer": bp.Adam(0.01), "activation": "gelu", "input_noise": 0.1},
        {"optimizer": bp.Adam(0.01), "input_scale": 2.0},
    ],
    ids=str,
)
def test_the_memory_in_the_warning_is_that_used(monkeypatch, settings, n, fresh, apply):
    net, X, y = wide(n, **settings)
    y = y.astype("float32")
    if not fresh:
        net.train_step(X, y)  # it has its workspace
    warned = []
    monkeypatch.setattr(record, "warn_of_memory", lambda _, size: warned.append(size))
    most, t = traced_memory(lambda: bp.trace(net, X, y, apply=apply))
    assert t.n_layers == 3
    assert most > 2 * 10**6
    assert warned[0] == pytest.approx(most, rel=0.15)


# --- derivatives of wide softmax layers -----------------------------------------------


def test_derivatives_of_wide_softmax_warn_at_the_callers_line(monkeypatch):
    t = bp.trace(*problem("softmax"))
    monkeypatch.setattr(memory, "MUCH", 10)
    with pytest.warns(UserWarning, match="these derivatives take") as caught:
        assert t.derivatives
    assert caught[0].filename == __file__
