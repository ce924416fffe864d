"""A fit that is interrupted; fits in threads and in forked processes."""

import os
import pickle
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from helpers.fit import LABELS, QUIET, TARGETS, X, bits, python, small, train

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
    """A slice of time: a thread that did not make it waits when it reads it."""

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
