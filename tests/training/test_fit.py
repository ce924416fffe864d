"""Training: the numbers of a fit, when it stops, and what it leaves whole."""

import copy
import os
import pickle
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from bpcore.batches.weights import scaled_to_mean_1

RNG = np.random.default_rng(0)
N = 45
X = RNG.standard_normal((N, 3))
LABELS = RNG.integers(2, size=N)
TARGETS = RNG.random((N, 2))
WEIGHTS = RNG.random(N) * (RNG.random(N) > 0.2)  # some of them 0
QUIET = {"progress": False}
MOMENTUM = bp.SGD(0.1, momentum=0.9)


def small(Network=bp.Network, **settings):
    settings = {"loss": "cross_entropy", "optimizer": MOMENTUM, "rng": 0, **settings}
    return Network([3, 8, 5, 2], activation="tanh", **settings)


def bits(net):
    """All that training changes, as bytes: equal where every bit is."""
    return pickle.dumps(
        (
            net.parameters,
            net.learner.state.optimizer_arrays,
            net.learner.state.bits.state,
        )
    )


def python(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options)


def in_a_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


# --- the numbers ----------------------------------------------------------------------

OPTIMIZERS = [
    bp.SGD(0.1),
    bp.SGD(0.1, weight_decay=0.01),
    MOMENTUM,
    bp.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
]
FITS = {
    "shuffled": {},
    "in order": {"shuffle": False},
    "complete batches": {"batch_size": 15},
    "incomplete last": {"batch_size": 16},
    "last of one row": {"batch_size": 11},
    "single rows": {"batch_size": 1, "epochs": 2},
    "all rows": {"batch_size": N},
    "more than all rows": {"batch_size": 1000},
    "weighted": {"sample_weight": WEIGHTS},
    "weighted in order": {"sample_weight": WEIGHTS, "shuffle": False},
    # Many a mini-batch of these has no weight at all.
    "weighted few": {"sample_weight": np.arange(N) % 9 == 0, "batch_size": 4},
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
@pytest.mark.parametrize(
    "loss, y", [("cross_entropy", LABELS), ("squared_error", TARGETS)]
)
@pytest.mark.parametrize("options", FITS.values(), ids=list(FITS))
def test_fit_is_that_of_the_reference(options, loss, y, optimizer):
    options = {"epochs": 5, "batch_size": 8, **QUIET, **options}
    validation = (X[::2] + 1, y[::2], np.arange(23.0))
    nets, histories = [], []
    for Network in (bp.Network, bp.reference.Network):
        net = small(Network, loss=loss, optimizer=optimizer, dtype="float64")
        begin = net.parameters.copy()
        histories.append(net.fit(X, y, validation=validation, **options))
        nets.append(net)
    for name in ("loss", "validation_loss"):
        of_both = [getattr(history, name) for history in histories]
        np.testing.assert_allclose(*of_both, rtol=1e-9)
        assert len(of_both[0]) == options["epochs"] and np.ptp(of_both[0]) > 1e-4
    np.testing.assert_allclose(*[net.parameters for net in nets], rtol=1e-9, atol=1e-9)
    assert np.abs(nets[0].parameters - begin).max() > 0.01
    assert nets[0].learner.state.bits.state == nets[1].learner.state.bits.state


def order_of_next_epoch(net, shuffle):
    """The order in which the network's stream has the rows next."""
    order = np.arange(N)
    if shuffle:
        net.learner.engine.shuffle(
            order, copy.deepcopy(net.learner.state.bits).random_raw(N)
        )
        assert sorted(order) != order.tolist()
    return order


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["equal", "weighted"])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_fit_is_its_steps(shuffle, weights, dtype):
    net, stepped = small(dtype=dtype), small(dtype=dtype)
    shares = np.ones(N) if weights is None else scaled_to_mean_1(weights)
    for _ in range(3):
        order = order_of_next_epoch(net, shuffle)
        options = {"shuffle": shuffle, "sample_weight": weights, **QUIET}
        history = net.fit(X, LABELS, epochs=1, batch_size=16, **options)
        total = 0.0
        for first in range(0, N, 16):
            rows = order[first : first + 16]
            loss = stepped.train_step(X[rows], LABELS[rows], shares[rows])
            total += loss * len(rows)
        # The mean counts every row once, also those of a short last mini-batch.
        assert history.loss[0] == pytest.approx(total / N, rel=1e-12)
        assert np.array_equal(net.parameters, stepped.parameters)
        assert np.array_equal(
            net.learner.state.optimizer_arrays, stepped.learner.state.optimizer_arrays
        )


def test_batches_without_weight_ask_for_nothing():
    share = (N - 20) / N  # of the rows: their weights have mean 1 in all
    net = small(optimizer=bp.SGD(0.1 * share), dtype="float64")
    other = small(optimizer=bp.SGD(0.1), dtype="float64")
    options = {"shuffle": False, "batch_size": 5, **QUIET}
    history = net.fit(X, LABELS, sample_weight=np.arange(N) >= 20, **options)
    expected = other.fit(X[20:], LABELS[20:], **options)
    np.testing.assert_allclose(history.loss, expected.loss, rtol=1e-12)
    np.testing.assert_allclose(net.parameters, other.parameters, rtol=1e-10)


@pytest.mark.parametrize("share", [(), (np.arange(20.0),)], ids=["equal", "weighted"])
def test_validation_loss_is_that_of_evaluate(share):
    validation = (X[:20], LABELS[:20], *share)
    evaluated = []
    net = small()
    history = net.fit(
        X[20:],
        LABELS[20:],
        validation=validation,
        callbacks=[lambda net, _: evaluated.append(net.evaluate(*validation))],
        **QUIET,
    )
    assert history.validation_loss.tolist() == evaluated
    assert len(set(evaluated)) == len(history) == 10


def test_validation_changes_nothing():
    net, other = small(), small()
    net.fit(X, LABELS, validation=(X[:5], LABELS[:5]), **QUIET)
    other.fit(X, LABELS, **QUIET)
    assert bits(net) == bits(other)


def test_history():
    net = small()
    began = time.perf_counter()
    history = net.fit(X, LABELS, epochs=4, validation=(X, LABELS), **QUIET)
    assert len(history) == 4 and history.stopped == "epochs"
    assert history.seconds.shape == (4,) and (history.seconds > 0).all()
    assert history.seconds.sum() < time.perf_counter() - began
    assert "4 epochs" in repr(history) and "stopped" not in repr(history)
    assert f"{history.validation_loss[-1]:.6g}" in repr(history)
    assert net.fit(X, LABELS, **QUIET).validation_loss.shape == (0,)


# --- the same bits --------------------------------------------------------------------


@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_pauses_for_signals_change_nothing(shuffle, monkeypatch):
    net, paused = small(), small()
    options = {"sample_weight": WEIGHTS, "batch_size": 4, "shuffle": shuffle, **QUIET}
    losses = net.fit(X, LABELS, **options).loss
    monkeypatch.setattr("bpcore.interrupts.SLICE", 0.0)  # after every mini-batch
    assert np.array_equal(paused.fit(X, LABELS, **options).loss, losses)
    assert bits(paused) == bits(net)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_seed_gives_the_same_bits(dtype):
    nets = [small(dtype=dtype, rng=seed) for seed in (1, 1, 2)]
    histories = [net.fit(X, LABELS, **QUIET) for net in nets]
    assert bits(nets[0]) == bits(nets[1]) != bits(nets[2])
    assert np.array_equal(histories[0].loss, histories[1].loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: o.rule)
def test_ten_epochs_are_twice_five(optimizer, dtype):
    once, twice = (small(optimizer=optimizer, dtype=dtype) for _ in range(2))
    losses = once.fit(X, LABELS, epochs=10, **QUIET).loss
    halves = [twice.fit(X, LABELS, epochs=5, **QUIET).loss for _ in range(2)]
    assert bits(once) == bits(twice)
    assert np.array_equal(losses, np.concatenate(halves))


COPIES = {
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "old pickle": lambda net: pickle.loads(pickle.dumps(net, protocol=2)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "astype": lambda net: net.astype(net.dtype),
}


@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
@pytest.mark.parametrize("optimizer", [bp.SGD(0.1), MOMENTUM], ids=lambda o: o.rule)
@pytest.mark.parametrize("form", COPIES)
def test_a_copy_goes_on_with_the_same_bits(form, optimizer, Network):
    net = small(Network, optimizer=optimizer)
    net.fit(X, LABELS, epochs=2, **QUIET)
    left = bits(net)
    twin = COPIES[form](net)
    assert type(twin) is Network and repr(twin) == repr(net)
    twin.fit(X, LABELS, epochs=2, **QUIET)
    assert bits(net) == left  # the copy is another network
    net.fit(X, LABELS, epochs=2, **QUIET)
    assert bits(twin) == bits(net) != left


def test_astype_keeps_all_but_the_precision():
    net = small(dtype="float64")
    net.fit(X, LABELS, **QUIET)
    single = net.astype("float32")
    assert (
        single.dtype == np.float32
        and single.learner.state.bits.state == net.learner.state.bits.state
    )
    assert np.array_equal(single.parameters, net.parameters.astype("float32"))
    assert np.array_equal(
        single.learner.state.optimizer_arrays,
        net.learner.state.optimizer_arrays.astype("float32"),
    )
    assert np.array_equal(single.astype("float64").parameters, single.parameters)
    np.testing.assert_allclose(single.predict(X), net.predict(X), rtol=1e-5)


# --- settings and parameters, changed from outside ------------------------------------


@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
@pytest.mark.parametrize("change", ["weights", "biases", "parameters"])
def test_writing_into_the_parameters_changes_predictions(change, Network):
    net = small(Network)
    before = net.predict(X)
    arrays = getattr(net, change)
    (arrays if change == "parameters" else arrays[-1])[0] += 1
    assert (net.predict(X) != before).any()
    for array in (*net.weights, *net.biases):
        assert np.shares_memory(array, net.parameters)


@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
def test_another_optimizer_keeps_the_velocity_where_it_has_one(Network):
    net = small(Network)
    net.fit(X, LABELS, **QUIET)
    velocity = net.learner.state.optimizer_arrays.copy()
    assert velocity.any()
    net.optimizer = bp.SGD(0.01, momentum=0.5, nesterov=True)
    assert np.array_equal(net.learner.state.optimizer_arrays, velocity)
    gradient = net.gradients(X, LABELS).flat
    net.train_step(X, LABELS)
    own, before = (
        net.learner.state.optimizer_arrays[0, : gradient.size],
        velocity[0, : gradient.size],
    )
    np.testing.assert_allclose(own, 0.5 * before + gradient, atol=1e-6)
    net.optimizer = bp.SGD(0.01)
    assert net.learner.state.optimizer_arrays is None
    net.optimizer = MOMENTUM
    assert not net.learner.state.optimizer_arrays.any()


# --- when it stops --------------------------------------------------------------------

#: The loss of each epoch that `scripted` makes happen.
LOSSES = [5.0, 4.0, 4.0, 3.0, 6.0, 7.0, 8.0, 2.0]


def scripted(**options):
    """A fit whose losses, of training and of validation, are those above.

    The network gives its bias for any input, and half its square is the loss; nothing
    is learnt, but a callback writes another bias after each epoch.
    """
    net = bp.Network([1, 1], optimizer=bp.SGD(0.0), init="zeros", dtype="float64")
    biases = iter(np.sqrt(2 * np.array([*LOSSES, 0.0])))

    def next_bias(net, _):
        net.biases[0][:] = next(biases)

    next_bias(net, None)
    options = {"epochs": len(LOSSES), "callbacks": [next_bias], **options, **QUIET}
    return net.fit([[0.0]], [[0.0]], **options)


@pytest.mark.parametrize("validated", [False, True], ids=["training", "validation"])
@pytest.mark.parametrize(
    "patience, epochs, stopped",
    [
        (None, 8, "epochs"),
        (1, 3, "patience"),  # an equal loss is not a lower one
        (2, 6, "patience"),
        (3, 7, "patience"),
        (4, 8, "epochs"),
        (100, 8, "epochs"),
    ],
)
def test_patience(validated, patience, epochs, stopped):
    validation = ([[0.0]], [[0.0]]) if validated else None
    history = scripted(patience=patience, validation=validation)
    losses = history.validation_loss if validated else history.loss
    np.testing.assert_allclose(losses, LOSSES[:epochs])
    assert history.stopped == stopped


def test_patience_looks_at_the_validation_loss_alone():
    # The labels of the validation data are wrong: what is learnt makes them worse.
    y = (X[:, 0] > 0).astype(int)
    options = {"epochs": 50, "validation": (X, 1 - y), "patience": 3, **QUIET}
    history = small(optimizer=bp.SGD(0.1)).fit(X, y, **options)
    assert history.stopped == "patience" and len(history) == 4
    assert (np.diff(history.loss) < 0).all()


def test_callbacks_see_every_epoch():
    seen = []

    def see(net, history):
        seen.append((net, history, len(history), history.loss[-1]))

    net = small()
    history = net.fit(X, LABELS, epochs=3, callbacks=[see, see], **QUIET)
    expected = [(net, history, i + 1, history.loss[i]) for i in (0, 0, 1, 1, 2, 2)]
    assert seen == expected


@pytest.mark.parametrize(
    "answer, stops",
    [
        (True, True),
        (np.True_, True),  # what a comparison of losses gives
        (False, False),
        (np.False_, False),
        (None, False),
        (1, False),
        ("no", False),
    ],
)
def test_a_callback_that_returns_true_stops(answer, stops):
    seen = []
    callbacks = [
        lambda net, history: answer if len(history) == 2 else None,
        lambda net, history: seen.append(len(history)),
    ]
    history = small().fit(X, LABELS, epochs=4, callbacks=callbacks, **QUIET)
    assert seen == [1, 2, 3, 4][: len(history)]  # the others are called all the same
    expected = (2, "callback") if stops else (4, "epochs")
    assert (len(history), history.stopped) == expected


def test_callbacks_may_use_the_network():
    rows = np.resize(X, (1000, 3))  # more than the fit has room for
    reads = [
        lambda net, _: net.predict(rows),
        lambda net, _: net.evaluate(rows, np.resize(LABELS, 1000)),
        lambda net, _: net.gradients(rows, np.resize(LABELS, 1000)),
        lambda net, _: net.backward(net.forward(rows), np.ones((1000, 2))),
    ]
    net, other = small(), small()
    net.fit(X, LABELS, callbacks=reads, batch_size=4, **QUIET)
    other.fit(X, LABELS, batch_size=4, **QUIET)
    assert bits(net) == bits(other)


def test_callbacks_may_train_the_network():
    net, other = small(), small()
    trains = [
        lambda net, _: net.train_step(X, LABELS),
        lambda net, _: net.fit(X, LABELS, epochs=1, **QUIET),
    ]
    net.fit(X, LABELS, epochs=3, callbacks=trains, batch_size=4, **QUIET)
    for _ in range(3):
        other.fit(X, LABELS, epochs=1, batch_size=4, **QUIET)
        for train in trains:
            train(other, None)
    assert bits(net) == bits(other)


def test_an_error_in_a_callback_leaves_the_network_whole():
    net, other = small(), small()

    def fail(*_):
        raise LookupError("of the caller's")

    with pytest.raises(LookupError, match="of the caller's"):
        net.fit(X, LABELS, callbacks=[fail], **QUIET)
    other.fit(X, LABELS, epochs=1, **QUIET)
    # It is free again, for any thread.
    in_a_thread(lambda: net.fit(X, LABELS, epochs=1, **QUIET))
    other.fit(X, LABELS, epochs=1, **QUIET)
    assert bits(net) == bits(other)


# --- how it shows itself --------------------------------------------------------------


@pytest.mark.parametrize("validation", [None, (X, LABELS)], ids=["plain", "validated"])
@pytest.mark.parametrize("tqdm", ["tqdm", None], ids=["bar", "lines"])
def test_progress_is_shown_on_stderr(tqdm, validation, monkeypatch, capsys):
    if tqdm is None:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    else:
        pytest.importorskip("tqdm")
    history = small().fit(X, LABELS, epochs=3, validation=validation)
    out, err = capsys.readouterr()
    last = err.replace("\r", "\n").strip().splitlines()[-1]
    assert out == ""
    assert "epoch 3/3" in last and f"loss {history.loss[-1]:.4g}" in last
    assert ("validation" in last) == (validation is not None)
    assert ("135/135" in last) == (tqdm is not None)  # rows
    assert err.endswith("\n")


def test_silence(capfd):
    small().fit(X, LABELS, validation=(X, LABELS), progress=False)
    assert capfd.readouterr() == ("", "")


def test_lines_tell_of_the_last_epoch_however_it_ends(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    stop = [lambda net, history: len(history) == 3]
    small().fit(X, LABELS, epochs=100, callbacks=stop)
    assert "epoch 3/100" in capsys.readouterr().err.splitlines()[-1]


def test_an_error_closes_the_bar(capsys):
    tqdm = pytest.importorskip("tqdm").tqdm
    with pytest.raises(bp.DivergenceError) as caught:
        diverging().fit(X, TARGETS, epochs=1000)
    # Closed, and not only collected: the traceback still holds it.
    assert caught.tb and not tqdm._instances
    assert capsys.readouterr().err.endswith("\n")


def test_no_thread_outlives_the_fit():
    pytest.importorskip("tqdm")
    # In a process of its own, where nobody else has shown a bar before.
    code = (
        "import threading, bpcore as bp; "
        "bp.Network([1, 1]).fit([[1.0]], [[1.0]]); "
        "print(threading.active_count())"
    )
    with python(code, stderr=subprocess.DEVNULL) as process:
        assert process.stdout.read() == "1\n"


# --- divergence -----------------------------------------------------------------------


def diverging(lr=3.0, dtype="float32"):
    """A network that learns for some epochs, and then does not."""
    optimizer = bp.SGD(lr, momentum=0.9)
    return bp.Network([3, 2], optimizer=optimizer, dtype=dtype, rng=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_divergence_gives_back_the_last_finite_epoch(shuffle, dtype):
    net = diverging(dtype=dtype)
    kept = []
    keep = [
        lambda net, _: kept.append(
            (net.parameters.copy(), net.learner.state.optimizer_arrays.copy())
        )
    ]
    options = {"epochs": 1000, "batch_size": 4, "shuffle": shuffle, **QUIET}
    with pytest.raises(bp.DivergenceError, match="not finite in epoch") as caught:
        net.fit(X, TARGETS, callbacks=keep, **options)
    epoch, batch = caught.value.epoch, caught.value.batch
    assert f"epoch {epoch}, mini-batch {batch};" in str(caught.value)
    assert "lr below 3.0" in str(caught.value)
    assert epoch - 1 == len(kept) > 1
    assert np.array_equal(net.parameters, kept[-1][0]) and kept[-1][0].any()
    assert (
        np.array_equal(net.learner.state.optimizer_arrays, kept[-1][1])
        and kept[-1][1].any()
    )

    # Step by step it happens at the same place.
    twin = diverging(dtype=dtype)
    for _ in range(epoch - 1):
        twin.fit(X, TARGETS, **{**options, "epochs": 1})
    order = order_of_next_epoch(twin, shuffle)
    for _ in range(batch - 1):
        rows, order = order[:4], order[4:]
        twin.train_step(X[rows], TARGETS[rows])
    with pytest.raises(bp.DivergenceError):
        twin.train_step(X[order[:4]], TARGETS[order[:4]])


def test_divergence_in_the_first_epoch_gives_back_the_beginning():
    net = diverging(lr=1e30)
    before = net.parameters.copy()
    with pytest.raises(bp.DivergenceError) as caught:
        net.fit(X, TARGETS, batch_size=4, **QUIET)
    assert caught.value.epoch == 1 and caught.value.batch > 1
    assert (
        np.array_equal(net.parameters, before)
        and not net.learner.state.optimizer_arrays.any()
    )
    # And one may go on, in any thread.
    net.optimizer = bp.SGD(0.01)
    assert np.ptp(in_a_thread(lambda: net.fit(X, TARGETS, **QUIET)).loss) > 0.01


def test_divergence_in_the_very_last_step_is_found():
    # No further loss tells of it: the parameters do.
    net = diverging(lr=1e38)
    before = net.parameters.copy()
    with pytest.raises(bp.DivergenceError, match="parameters are not finite") as caught:
        net.fit(1e3 * X, TARGETS, epochs=1, batch_size=N, **QUIET)
    assert (caught.value.epoch, caught.value.batch) == (1, None)
    assert (
        np.array_equal(net.parameters, before)
        and not net.learner.state.optimizer_arrays.any()
    )


def test_divergence_with_an_optimizer_of_a_callbacks():
    net = diverging()
    net.optimizer = bp.SGD(0.01)
    kept = []

    def change(net, _):
        net.optimizer = bp.SGD(1e10, momentum=0.9)
        kept.append((net.parameters.copy(), net.learner.state.optimizer_arrays.copy()))

    with pytest.raises(bp.DivergenceError):
        net.fit(X, TARGETS, batch_size=4, callbacks=[change], **QUIET)
    assert np.array_equal(net.parameters, kept[-1][0])
    assert np.array_equal(net.learner.state.optimizer_arrays, kept[-1][1])


@pytest.mark.parametrize("Network", [bp.Network, bp.reference.Network])
def test_a_step_that_diverges_changes_nothing(Network):
    net = small(Network, loss="squared_error")
    net.fit(X, TARGETS, **QUIET)
    before = bits(net)
    net.weights[-1][0, 0], kept = np.inf, net.weights[-1][0, 0]
    with np.errstate(all="ignore"), pytest.raises(bp.DivergenceError) as caught:
        net.train_step(X, TARGETS)
    net.weights[-1][0, 0] = kept
    assert bits(net) == before
    assert caught.value.epoch is caught.value.batch is None


# --- interrupts, threads, processes ---------------------------------------------------

INTERRUPTED = """
import os, signal, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import bpcore as bp

def interrupt():
    global sent
    while np.array_equal(net.parameters, before):
        time.sleep(0.001)
    sent = time.process_time()
    os.kill(os.getpid(), signal.SIGINT)

# Also where it is ignored, as it is in the background jobs of a shell.
signal.signal(signal.SIGINT, signal.default_int_handler)
n, epochs = map(int, sys.argv[1:])
X = np.linspace(-1, 1, n, dtype="f4").reshape(-1, 1)
net = bp.Network([1, 256, 256, 1], optimizer=bp.SGD(1e-3), rng=0)
before = net.parameters.copy()
threading.Thread(target=interrupt).start()
try:
    net.fit(X, X, epochs=epochs, progress=False)
except KeyboardInterrupt:
    at_once = time.process_time() - sent < 1
    with ThreadPoolExecutor(1) as pool:
        loss = pool.submit(net.evaluate, X[:99], X[:99]).result()
    print("interrupted", at_once, np.isfinite(loss))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
@pytest.mark.parametrize(
    "n, epochs", [(64, 10**9), (2 * 10**6, 1)], ids=["short epochs", "one long epoch"]
)
def test_an_interrupt_ends_a_fit_at_once(n, epochs):
    with python(INTERRUPTED, n, epochs) as process:
        try:
            out = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    assert (out, process.returncode) == ("interrupted True True\n", 0)


def train(seed):
    net = small(rng=seed)
    net.fit(np.resize(X, (5000, 3)), np.resize(LABELS, 5000), **QUIET)
    return bits(net)


def test_threads_give_the_same_bits():
    expected = [train(seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(train, range(4))) == expected
    assert len(set(expected)) == 4


USES = {
    "fit": lambda net: net.fit(X, LABELS, **QUIET),
    "train_step": lambda net: net.train_step(X, LABELS),
    "gradients": lambda net: net.gradients(X, LABELS),
    "apply": lambda net: net.apply(small().gradients(X, LABELS)),
    "predict": lambda net: net.predict(X),
    "predict much": lambda net: net.predict(np.resize(X, (1000, 3))),
    "evaluate": lambda net: net.evaluate(X, LABELS),
    "forward": lambda net: net.forward(X),
    "backward": lambda net: net.backward(small().forward(X), TARGETS),
    "optimizer": lambda net: setattr(net, "optimizer", bp.SGD(0.5)),
    "pickle": pickle.dumps,
    "astype": lambda net: net.astype("float64"),
}


class Lingering:
    """A slice of time in which the thread that wants it waits before its next slice."""

    def __init__(self):
        self.owner = threading.current_thread()
        self.inside, self.go_on = threading.Event(), threading.Event()

    def __float__(self):
        if threading.current_thread() is not self.owner:
            self.inside.set()
            self.go_on.wait(30)
        return 0.0


@pytest.mark.parametrize("holder", ["fit", "predict much", "evaluate"])
@pytest.mark.parametrize("use", USES.values(), ids=list(USES))
def test_one_network_in_two_threads_is_refused(holder, use, monkeypatch):
    net, other = small(), small()
    slices = Lingering()
    monkeypatch.setattr("bpcore.interrupts.SLICE", slices)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(USES[holder], net)
        try:
            assert slices.inside.wait(10)
            with pytest.raises(RuntimeError, match="in use by another thread"):
                use(net)
        finally:
            slices.go_on.set()
        held.result()
    USES[holder](other)
    assert bits(net) == bits(other) and net.optimizer == other.optimizer
    use(net)  # it is free again


def seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


LONG_RUNS = {
    "fit": lambda net, X: net.fit(X, X, epochs=1, **QUIET),
    "train_step": lambda net, X: net.train_step(X, X),
    "gradients": lambda net, X: net.gradients(X, X),
    "predict": lambda net, X: net.predict(X),
}


@pytest.mark.parametrize("run", LONG_RUNS.values(), ids=list(LONG_RUNS))
def test_other_threads_run_meanwhile(run, monkeypatch):
    # In one go: between slices of time others would run in any case.
    monkeypatch.setattr("bpcore.interrupts.SLICE", 60.0)
    net = bp.Network([256, 1024, 256], optimizer=bp.SGD(1e-6), rng=0)
    few = np.zeros((64, 256), "float32")
    # As many rows as take about a fifth of a second, whatever the processor.
    n = int(64 * 0.2 / min(seconds(lambda: run(net, few)) for _ in range(5)))
    X = np.resize(few, (n, 256))
    over = threading.Event()
    ticks = 0

    def tick_every_millisecond():
        nonlocal ticks
        while not over.wait(0.001):
            ticks += 1

    thread = threading.Thread(target=tick_every_millisecond)
    thread.start()
    try:
        run(net, X)
    finally:
        over.set()
        thread.join()
    assert ticks > 10  # and not the one or two around a call that keeps the lock


FORKED = """
import os, sys
import numpy as np
import bpcore as bp

X = np.linspace(-1, 1, 300).reshape(100, 3)
net = bp.Network([3, 64, 2], optimizer=bp.SGD(0.1, momentum=0.9), rng=0)
net.fit(X, X[:, :2], progress=False)
read, write = os.pipe()
child = os.fork()
net.fit(X, X[:, :2], progress=False)
if child == 0:
    os.write(write, net.parameters.tobytes())
    os._exit(0)
os.close(write)
with os.fdopen(read, "rb") as pipe:
    same = pipe.read() == net.parameters.tobytes()
print(os.waitpid(child, 0)[1], same)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_trains_on():
    with python(FORKED) as process:
        try:
            assert process.communicate(timeout=30)[0] == "0 True\n"
        finally:
            process.kill()


# --- memory ---------------------------------------------------------------------------


def allocated(call):
    """Bytes that a call leaves allocated, and the most it had on the way."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()


def test_a_second_step_allocates_nothing():
    net = bp.Network([64, 256, 4], optimizer=MOMENTUM, rng=0)
    X, y = np.ones((256, 64), "float32"), np.ones((256, 4), "float32")
    stays, _ = allocated(lambda: net.train_step(X, y))
    assert stays > 256 * 256 * 4  # the workspace, seen by this measure
    for n in (256, 256, 100):
        stays, most = allocated(lambda n=n: net.train_step(X[:n], y[:n]))
        assert stays < 500 and most < 10_000


def test_training_needs_no_more_memory_than_it_is_said_to():
    sizes, batch_size, n = (784, 1024, 1024, 10), 128, 1000
    X, y = np.ones((n, 784), "float32"), np.zeros(n, int)
    parameters = 4 * bp.Network(sizes, init="zeros").parameters.size
    activations = 4 * batch_size * sum(sizes)
    deltas = 2 * 4 * batch_size * max(sizes[1:])
    bound = 2 * parameters + activations + deltas + 4e6
    settings = {"optimizer": bp.SGD(1e-3, momentum=0.9), "loss": "cross_entropy"}

    def fit():
        net = bp.Network(sizes, rng=0, n_threads=2, **settings)
        net.fit(X, y, epochs=1, batch_size=batch_size, **QUIET)

    assert 2 * parameters < allocated(fit)[1] < bound

    def stored():
        net = bp.Network(sizes, rng=0, n_threads=2, **settings)
        net.apply(net.gradients(X[:batch_size], y[:batch_size]))

    assert 3 * parameters < allocated(stored)[1] < bound + parameters


def test_a_second_fit_allocates_no_more_than_its_order_and_what_it_falls_back_on():
    net = bp.Network([64, 256, 4], optimizer=MOMENTUM, rng=0)
    n = 2048
    X, y = np.ones((n, 64), "float32"), np.ones((n, 4), "float32")

    def fit():
        net.fit(X, y, epochs=3, batch_size=256, sample_weight=np.ones(n), **QUIET)

    order_and_words = 4 * 8 * n
    snapshot = net.parameters.nbytes + net.learner.state.optimizer_arrays.nbytes
    bound = order_and_words + snapshot + 30_000
    assert allocated(fit)[1] > 2 * bound  # the workspace, seen by this measure
    assert allocated(fit)[1] < bound
    assert allocated(fit)[0] < 5_000
