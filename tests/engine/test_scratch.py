"""The engine's scratch memory, its handling of signals, and its slices of time."""

import signal

import numpy as np
import pytest

import bpcore as bp
from bpcore import interrupts
from bpcore.engine import engine

QUIET = {"progress": False}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).astype("float32")
Y = RNG.normal(size=(200, 2)).astype("float32")
LIBRARIES = pytest.mark.parametrize(
    "library", [bp, bp.reference], ids=["engine", "reference"]
)


def make(library=bp, **settings):
    return library.Network([3, 8, 2], **{"rng": 0, "n_threads": 1, **settings})


def bits(net):
    return net.parameters.tobytes()


def run(net, progress=None, most=0, first=0, batch_size=8, rates=None):
    sums = first, 0.0, 0.0
    arguments = X, Y, None, None, batch_size, *sums, most, True, rates
    return net.learner.engine.run(*arguments, progress)


USES = {
    "train_step": lambda net, n: net.train_step(X[:n], Y[:n]),
    "fit": lambda net, n: net.fit(X, Y, epochs=1, batch_size=n, **QUIET),
    "predict": lambda net, n: net.predict(X[:n]),
    "gradients": lambda net, n: net.gradients(X[:n], Y[:n]),
    "backward": lambda net, n: net.backward(net.forward(X[:n]), Y[:n]),
    "trace": lambda net, n: bp.trace(net, X[:n], Y[:n]),
    "evaluate": lambda net, n: net.evaluate(X[:n], Y[:n]),
}


@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_without_memory_for_a_workspace_nothing_changes(monkeypatch, use):
    """It is allocated before anything is changed; a later call may succeed."""
    net, twin = make(), make()
    for each in (net, twin):
        USES["train_step"](each, 5)
    before = bits(net)

    def fail(*_):
        raise MemoryError("none is left")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "zeroed", fail)
        for n in (100, 5):  # 5 rows had one, which has gone for that of 100
            with pytest.raises(MemoryError, match="none is left"):
                use(net, n)
        assert net.learner.engine.capacity == 0 and bits(net) == before
    use(net, 100), use(twin, 100)
    USES["train_step"](net, 5), USES["train_step"](twin, 5)
    assert bits(net) == bits(twin)


def test_without_memory_for_gradients_nothing_changes(monkeypatch):
    net, twin = make(), make()
    USES["train_step"](net, 8), USES["train_step"](twin, 8)
    memory, had = engine.zeroed, []

    def fail_later(size):
        if had:
            raise MemoryError("none is left")
        had.append(size)
        return memory(size)

    options = {"epochs": 1, "batch_size": 8, "accumulate": 9, **QUIET}
    with monkeypatch.context() as patch:
        patch.setattr(engine, "zeroed", fail_later)
        with pytest.raises(MemoryError, match="none is left"):
            net.fit(X, Y, shuffle=False, **options)
    assert bits(net) == bits(twin)
    net.fit(X, Y, shuffle=False, **options)
    twin.fit(X, Y, shuffle=False, **options)
    assert bits(net) == bits(twin)


@LIBRARIES
@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_progress_between_slices(monkeypatch, library, seconds):
    monkeypatch.setattr(interrupts, "SLICE", seconds)
    net, twin, rows = make(library), make(library), []
    found = run(net, rows.append)
    assert found == run(twin) and bits(net) == bits(twin)
    assert rows == sorted(rows) and rows[-1] == len(X) == found[0]
    assert len(rows) == 1 if seconds else len(rows) > 1


@LIBRARIES
@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_so_many_mini_batches(monkeypatch, library, seconds):
    """Every mini-batch has its own rate, for any slices of time."""
    monkeypatch.setattr(interrupts, "SLICE", seconds)
    rates, first = np.linspace(0.1, 0.01, 25), 0
    whole, parts = make(library), make(library)
    run(whole, rates=rates)
    for most in (1, 2, 17, 5):
        steps = parts.learner.state.steps
        first, *_ = run(parts, most=most, first=first, rates=rates[steps:])
        assert parts.learner.state.steps == steps + most
    assert first == len(X) and bits(whole) == bits(parts)


@LIBRARIES
def test_progress_that_raises_ends_the_run(monkeypatch, library):
    monkeypatch.setattr(interrupts, "SLICE", 0.0)
    net, twin, rows = make(library), make(library), []

    def stop(done):
        rows.append(done)
        if len(rows) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(net, stop, batch_size=2)
    run(twin, most=rows[-1] // 2, batch_size=2)
    assert bits(net) == bits(twin)
    net.train_step(X, Y)  # it is free again


def meddle(net):
    """Use and change the network, as a signal handler or a progress bar may."""
    net.predict(np.zeros((7, 3), "float32"))
    net.evaluate(np.tile(X, (2, 1)), np.tile(Y, (2, 1)))
    net.n_threads = 3
    net.gradients(X, Y)
    net.n_threads = 1


@LIBRARIES
@pytest.mark.parametrize("accumulate", [1, 3])
def test_what_uses_the_network_between_slices(monkeypatch, library, accumulate):
    """It may have another workspace afterwards."""
    monkeypatch.setattr(interrupts, "SLICE", 0.0)
    net, twin = make(library), make(library)
    for each in (net, twin):
        each.learner.engine.accumulate = accumulate
    found = run(net, lambda _: meddle(net))
    assert found == run(twin) and bits(net) == bits(twin)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX timers only")
@pytest.mark.parametrize("use", ["run", "predict", "evaluate"])
def test_signals_are_handled_between_slices(monkeypatch, use):
    monkeypatch.setattr(interrupts, "SLICE", 0.0)
    net, handled = make(), []

    def handler(*_):
        handled.append(1)
        meddle(net)
        if len(handled) == 3:
            raise KeyboardInterrupt
        signal.setitimer(signal.ITIMER_REAL, 0.002)

    many = np.tile(X, (3000, 1))
    uses = {
        "run": lambda: [run(net) for _ in range(10**4)],
        "predict": lambda: net.predict(many),
        "evaluate": lambda: net.evaluate(many, np.tile(Y, (3000, 1))),
    }
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.002)
    try:
        with pytest.raises(KeyboardInterrupt):
            for _ in range(1000):
                uses[use]()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(handled) == 3
    assert np.isfinite(net.predict(X)).all()
