"""Many networks: errors of some, interrupts of all."""

import itertools
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import bpcore as bp
from bpcore import many
from helpers import chooses_threads
from trust.running import none_left, running

QUIET = {"progress": False}
rng = np.random.default_rng(0)
X = rng.normal(size=(60, 5)).astype("float32")
LABELS = rng.integers(3, size=60)


def make(seed=0, **settings):
    settings = {"optimizer": bp.Adam(0.01), "rng": seed, **settings}
    return bp.Network([5, 8, 3], loss="cross_entropy", **settings)


each_number_of_threads = pytest.mark.parametrize("n_threads", [1, 2, 3])


# --- errors ---------------------------------------------------------------------------


def failing(nets, errors):
    """A callback that raises for some of them, after their second epoch."""

    def callback(net, history):
        i = next(i for i, each in enumerate(nets) if each is net)
        if i in errors and len(history) == 2:
            raise errors[i]

    return callback


def assert_usable(nets):
    """By any thread, and with their own number of threads."""
    for net in nets:
        assert chooses_threads(net)
        thread = threading.Thread(target=net.train_step, args=(X, LABELS))
        thread.start()
        thread.join()
        net.fit(X, LABELS, epochs=1, **QUIET)


@each_number_of_threads
@pytest.mark.parametrize("failed", [[0], [3], [0, 1], [1, 2, 5], [*range(6)]], ids=str)
def test_an_error_of_some_loses_nothing_of_the_others(n_threads, failed):
    nets, alone = [make(i) for i in range(6)], [make(i) for i in range(6)]
    errors = {i: KeyError(f"of number {i}") for i in failed}
    with pytest.raises(ExceptionGroup, match=f"{len(failed)} of 6 networks") as caught:
        bp.fit_many(
            nets,
            X,
            LABELS,
            epochs=4,
            callbacks=[failing(nets, errors)],
            n_threads=n_threads,
        )
    group = caught.value
    assert [*group.exceptions] == [errors[i] for i in failed]
    for i, (fit, net, own) in enumerate(zip(group.fitted, nets, alone, strict=True)):
        history = own.fit(X, LABELS, epochs=2 if i in failed else 4, **QUIET)
        assert fit.network is net and fit.error is errors.get(i)
        assert fit.history is net.history
        assert np.array_equal(net.history.loss, history.loss)
        assert net.parameters.tobytes() == own.parameters.tobytes()
    assert_usable(nets)


@each_number_of_threads
def test_with_restore_best_the_best_epoch_is_in_place_after_an_error(n_threads):
    nets, alone = [make(i) for i in range(3)], [make(i) for i in range(3)]
    callbacks = [failing(nets, {1: ValueError("mine")})]
    how = {"callbacks": callbacks, "restore_best": True, "validation": (X, LABELS)}
    with pytest.raises(ExceptionGroup):
        bp.fit_many(nets, X, LABELS, epochs=5, n_threads=n_threads, **how)
    best = nets[1].history.best_epoch
    if best:
        alone[1].fit(X, LABELS, epochs=best, **QUIET)
    assert nets[1].parameters.tobytes() == alone[1].parameters.tobytes()


@each_number_of_threads
def test_divergence_beside_an_error(n_threads):
    """A divergence is in the list, not in the group; alone it raises nothing."""
    nets = [make(0), make(1, optimizer=bp.SGD(1e38)), make(2)]
    fitted = bp.fit_many(nets, X, LABELS, epochs=3, n_threads=n_threads)
    assert [type(fit.error) for fit in fitted] == [
        type(None),
        bp.DivergenceError,
        type(None),
    ]
    error = ValueError("mine")
    with pytest.raises(ExceptionGroup, match="1 of 3 networks") as caught:
        bp.fit_many(
            nets,
            X,
            LABELS,
            epochs=3,
            callbacks=[failing(nets, {2: error})],
            n_threads=n_threads,
        )
    assert caught.value.exceptions == (error,)
    _, diverged, failed = caught.value.fitted
    assert diverged.history is None
    assert len(nets[1].history) == diverged.error.epoch - 1
    assert nets[1].history.stopped == "error"
    assert isinstance(diverged.error, bp.DivergenceError) and failed.error is error


class Mine(BaseException):
    pass


BASE_ERRORS = [KeyboardInterrupt(), SystemExit(2), GeneratorExit(), Mine("own")]


@each_number_of_threads
@pytest.mark.parametrize("error", BASE_ERRORS, ids=repr)
def test_an_interrupt_that_a_callback_raises(error, n_threads):
    """Only that network is interrupted, for any number of threads."""
    nets = [make(i) for i in range(4)]
    with pytest.raises(BaseExceptionGroup) as caught:
        bp.fit_many(
            nets,
            X,
            LABELS,
            epochs=3,
            callbacks=[failing(nets, {1: error})],
            n_threads=n_threads,
        )
    assert not isinstance(caught.value, ExceptionGroup)
    assert [len(fit.history) for fit in caught.value.fitted] == [3, 2, 3, 3]
    assert [fit.error for fit in caught.value.fitted] == [None, error, None, None]
    assert_usable(nets)


@pytest.mark.parametrize("error", BASE_ERRORS, ids=repr)
def test_a_single_network(error):
    nets = [make()]
    with pytest.raises(BaseExceptionGroup, match="1 of 1 networks") as found:
        bp.fit_many(nets, X, LABELS, epochs=3, callbacks=[failing(nets, {0: error})])
    ((network, history, caught),) = found.value.fitted
    assert (network, len(history), caught) == (nets[0], 2, error)


def group_of(*errors):
    """What fit_many raises where so many networks of 12 end in errors."""
    nets = [make(i) for i in range(len(errors) + 1)]
    callbacks = [failing(nets, dict(enumerate(errors)))]
    with pytest.raises(BaseExceptionGroup) as caught:
        bp.fit_many(nets, X, LABELS, epochs=2, callbacks=callbacks)
    return caught.value


def test_parts_of_the_group_know_what_has_come_of_each():
    group = group_of(KeyError("a"), ValueError("b"), SystemExit(3))
    assert "3 of 4 networks ended in an error, at index 0, 1, 2; " in str(group)
    matched, rest = group.split(KeyError)
    parts = [matched, rest, group.subgroup(ValueError), group.derive([OSError()])]
    parts += [pickle.loads(pickle.dumps(matched))]
    for part in parts:
        assert len(part.fitted) == 4
    assert all(part.fitted is group.fitted for part in parts[:4])
    kinds = [isinstance(part, ExceptionGroup) for part in (group, *parts)]
    assert kinds == [False, True, False, True, True, True]
    seen = []
    with pytest.raises(SystemExit):
        try:
            raise group
        except* KeyError as keys:
            seen.append(keys.fitted)
        except* ValueError as values:
            seen.append(values.fitted)
        except* SystemExit as exits:
            seen.append(exits.fitted)
            raise exits.exceptions[0] from None
    assert all(fitted is group.fitted for fitted in seen) and len(seen) == 3


def test_the_message_names_some_of_many():
    group = group_of(*(KeyError(i) for i in range(12)))
    assert "12 of 13 networks ended in an error, at index 0, 1, 2, 3, 4, 5, 6, 7, " in (
        str(group)
    )
    assert "8, 9, ...; `fitted`" in str(group)


def test_a_network_of_which_the_fit_has_not_begun_has_no_history():
    nets = [make(0), make(1)]
    nets[1].fit(X, LABELS, epochs=1, **QUIET)

    class Refusing(bp.Network):
        def fit(self, *arguments, **settings):
            raise LookupError("mine")

    nets[1].__class__ = Refusing
    with pytest.raises(ExceptionGroup) as caught:
        bp.fit_many(nets, X, LABELS, epochs=2)
    assert [fit.history and len(fit.history) for fit in caught.value.fitted] == [
        2,
        None,
    ]


@pytest.mark.parametrize(
    "name, hint",
    [("epoch", "'epochs'"), ("batchsize", "'batch_size'"), ("callback", "'callbacks'"),
     ("n_thread", "'n_threads'"), ("whole", None), ("network", None)],
)  # fmt: skip
def test_an_option_that_fit_does_not_take(name, hint):
    net = make()
    before = net.parameters.copy()
    with pytest.raises(TypeError) as caught:
        bp.fit_many([net], X, LABELS, **{name: 1})
    hint = f"; did you mean {hint}?" if hint else ""
    assert str(caught.value) == (
        f"fit_many() got an unexpected keyword argument {name!r}{hint}"
    )
    assert np.array_equal(net.parameters, before) and net.history is None


def test_a_loss_that_cannot_be_hashed():
    class Loss:
        __hash__ = None

        def __call__(self, a, y):
            return ((a - y) ** 2).sum(axis=1), 2 * (a - y)

    nets = [bp.Network([5, 1], loss=Loss(), rng=i) for i in range(3)]
    fitted = bp.fit_many(nets, X, X[:, 0], epochs=2)
    assert [len(fit.history) for fit in fitted] == [2, 2, 2]


def test_scipy_is_imported_before_threads_begin():
    """Its import may take a second, in which threads could not be stopped."""
    pytest.importorskip("scipy")
    code = (
        "import sys, bpcore as bp\n"
        "class Network(bp.Network):\n"
        "    def fit(self, *arguments, **settings):\n"
        "        print('scipy.optimize' in sys.modules)\n"
        "nets = [Network([1, 1], optimizer=bp.LBFGS())]\n"
        "bp.fit_many(nets, [[1.0]], [[2.0]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


@each_number_of_threads
def test_a_network_that_is_in_use_elsewhere(n_threads):
    nets, inside, done = (
        [make(i) for i in range(3)],
        threading.Event(),
        threading.Event(),
    )

    def wait(net, history):
        inside.set()
        done.wait(60)

    busy = threading.Thread(
        target=lambda: nets[1].fit(X, LABELS, epochs=1, callbacks=[wait], **QUIET)
    )
    busy.start()
    try:
        assert inside.wait(60)
        with pytest.raises(ExceptionGroup, match="1 of 3") as caught:
            bp.fit_many(nets, X, LABELS, epochs=1, n_threads=n_threads)
    finally:
        done.set()
        busy.join()
    (error,) = caught.value.exceptions
    assert isinstance(error, RuntimeError) and "in use by another thread" in str(error)
    assert [fit.error for fit in caught.value.fitted] == [None, error, None]


@each_number_of_threads
def test_an_error_between_two_networks_is_raised(n_threads, monkeypatch):
    calls, count = many.raise_if_stopped, itertools.count()

    def fail():
        own = threading.current_thread() is not threading.main_thread()
        if own and next(count) == 1:
            raise MemoryError("no memory")
        calls()

    monkeypatch.setattr(many, "raise_if_stopped", fail)
    with pytest.raises(MemoryError, match="no memory"):
        bp.fit_many(
            [make(i) for i in range(4)], X, LABELS, epochs=1, n_threads=n_threads
        )


def test_no_thread_is_left():
    before = running()
    bp.fit_many([make(i) for i in range(8)], X, LABELS, epochs=2, n_threads=4)
    assert none_left(before)


# --- interrupts -----------------------------------------------------------------------

INTERRUPTED = """
import _thread, os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import bpcore as bp
from bpcore import many

def interrupt_fit_many(number, frame):
    # Not after fit_many: a signal may come late.
    while frame is not None:
        if frame.f_code is bp.fit_many.__code__:
            raise KeyboardInterrupt
        frame = frame.f_back

signal.signal(signal.SIGINT, interrupt_fit_many)
how, n_threads, signals = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if how == "lbfgs":
    import scipy.optimize  # which takes a second
n, width, settings, optimizer = {
    "short epochs": (64, 16, {}, bp.SGD(1e-3)),
    # Of seconds, also on a fast CPU: no second network may begin before the signal.
    "a long epoch": (2 * 10**6, 1024, {"epochs": 1}, bp.SGD(1e-3)),
    "callbacks": (64, 16, {"callbacks": [lambda net, history: None]}, bp.SGD(1e-3)),
    "batch callbacks": (4 * 10**6, 16, {"epochs": 1, "batch_size": 8,
                        "batch_callbacks": [lambda *_: None]}, bp.SGD(1e-3)),
    "validation": (64, 64, {"validation": (np.zeros((10**6, 1), "f4"),) * 2},
                   bp.SGD(1e-3)),
    "metrics": (64, 64, {"validation": (np.zeros((10**6, 1), "f4"),) * 2,
                "metrics": "mae", "restore_best": True}, bp.SGD(1e-3)),
    "restore_best": (64, 16, {"restore_best": True}, bp.SGD(1e-3)),
    "numerical": (4000, 64, {"gradient": "numerical", "batch_size": 4000},
                  bp.SGD(1e-3)),
    "lbfgs": (10**6, 64, {}, bp.LBFGS()),
    "plateau": (64, 16, {}, bp.SGD(bp.schedules.ReduceOnPlateau(1e-3))),
}[how]
settings = {"epochs": 10**9, **settings}
X = np.linspace(-1, 1, n, dtype="f4").reshape(-1, 1)
nets = [bp.Network([1, width, 1], optimizer=optimizer, rng=i) for i in range(20)]

def interrupt():
    while sum(net.history is not None for net in nets) < n_threads:
        time.sleep(0.001)
    time.sleep(0.2)
    for _ in range(signals):
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.002)

sent = []
thread = threading.Thread(target=interrupt)
thread.start()
try:
    bp.fit_many(nets, X, X, n_threads=n_threads, **settings)
except KeyboardInterrupt:
    seconds = time.monotonic() - sent[0]
    thread.join()
    time.sleep(0.01)
    alive = _thread._count()
    begun = [net for net in nets if net.history is not None]
    kept = [net.parameters.tobytes() for net in nets]
    time.sleep(0.1)
    same = kept == [net.parameters.tobytes() for net in nets]
    with ThreadPoolExecutor(1) as pool:
        for net in nets:
            pool.submit(net.predict, X[:9]).result()
    finite = all(np.isfinite(net.parameters).all() for net in nets)
    print(seconds < 2 or seconds, alive, len(begun), same, finite,
          {net._n_threads for net in nets})
"""


def interrupted(how, n_threads, signals=1):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, how, str(n_threads), str(signals)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.stdout, done.stderr, done.returncode


posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no SIGINT to send"
)


@posix
@pytest.mark.parametrize(
    "how, n_threads",
    [
        *itertools.product(["short epochs", "a long epoch"], [1, 2, 4]),
        *((how, 2) for how in ("callbacks", "batch callbacks", "validation")),
        *((how, 2) for how in ("metrics", "restore_best", "numerical", "plateau")),
        ("lbfgs", 2),
    ],
)
def test_an_interrupt_stops_all(how, n_threads):
    if how == "lbfgs":
        pytest.importorskip("scipy")
    out, err, code = interrupted(how, n_threads)
    assert (out, err, code) == (f"True 0 {n_threads} True True {{'auto'}}\n", "", 0)


@posix
def test_impatient_interrupts():
    out, err, code = interrupted("short epochs", 2, signals=3)
    assert out.startswith("True 0 2") and code == 0, (out, err)


def test_a_fit_many_within_a_callback_stops_too():
    """The event of the outer threads reaches the inner ones."""
    stop, nets, inner = threading.Event(), [make(0)], [make(i) for i in range(1, 5)]

    def nested(net, history):
        bp.fit_many(inner, X, LABELS, epochs=10**9, n_threads=2, callbacks=[stopper])

    def stopper(net, history):
        stop.set()

    def run():
        with bp.interrupts.stopped_by(stop):
            try:
                nets[0].fit(X, LABELS, callbacks=[nested], **QUIET)
            except bp.interrupts.Stopped:
                ended.append(True)

    ended = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert ended == [True] and not thread.is_alive()
    assert_usable([*nets, *inner])
