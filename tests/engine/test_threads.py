"""The thread team: the same bits for any number of threads, asleep when idle."""

import copy
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import bpcore as bp
from bpcore.files.native.parallel import for_each
from bpcore.model import threads

MOMENTUM = bp.SGD(0.05, momentum=0.9, weight_decay=0.01)
#: Fewer tiles than threads, as many, more; widths at the edges of tiles and vectors.
SIZES = [(2, 16, 2), (5, 33, 8, 5), (70, 64, 31, 10), (300, 47, 3), (400, 400, 10)]


def make(sizes, n_threads, work=1, **settings):
    """A network that uses all its threads in every step, however small."""
    settings = {"optimizer": MOMENTUM, "rng": 0, **settings}
    net = bp.Network(sizes, n_threads=n_threads, **settings)
    net.learner.engine.use_threads(n_threads, work)
    return net


def everything(net, n):
    """The bits of all that a network computes from n rows."""
    rng = np.random.default_rng(n)
    X = (rng.normal(size=(n, net.sizes[0])) / net.sizes[0] ** 0.5).astype(net.dtype)
    y = rng.uniform(size=(n, net.sizes[-1])).astype(net.dtype)
    weight = rng.integers(0, 3, n)
    weight[0] = 1
    history = net.fit(
        X, y, epochs=2, batch_size=23, sample_weight=weight, progress=False
    )
    loss = net.train_step(X, y)
    grads = net.gradients(X, y, weight)
    net.apply(grads)
    tape = net.forward(X)
    back = net.backward(tape, y)
    many = net.predict(np.resize(X, (300, X.shape[1])))
    arrays = [
        net.parameters,
        net.learner.state.optimizer_arrays,
        history.loss,
        grads.flat,
        grads.input,
    ]
    arrays += [*tape.activations, back.flat, back.input, net.predict(X), many]
    numbers = [loss, grads.loss, net.evaluate(X, y, weight)]
    return [array.tobytes() for array in arrays], numbers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(
    "hidden, output",
    [("relu", "identity"), ("tanh", "sigmoid"), ("softmax", "softmax")],
)
@pytest.mark.usefixtures("kernels")
def test_bits_do_not_depend_on_threads(sizes, dtype, hidden, output):
    for n in (1, 57):
        arrays, numbers = everything(
            make(sizes, 1, activation=hidden, output=output, dtype=dtype), n
        )
        for n_threads in (2, 5):
            net = make(sizes, n_threads, activation=hidden, output=output, dtype=dtype)
            assert everything(net, n) == (arrays, numbers), (n, n_threads)


def test_bits_do_not_depend_on_threads_where_panels_are_copied():
    sizes, n = (700, 500, 390), 1100
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 700)).astype("f"), rng.normal(size=(n, 390)).astype("f")
    slow = bp.SGD(1e-4, momentum=0.9)
    nets = [make(sizes, n_threads, optimizer=slow) for n_threads in (1, 2, 3)]
    for net in nets:
        net.train_step(X, y)  # more rows than a sum may have in its tile
        net.fit(X, y, epochs=1, batch_size=200, progress=False)
    assert np.isfinite(nets[0].parameters).all()
    for net in nets[1:]:
        assert net.parameters.tobytes() == nets[0].parameters.tobytes()


@pytest.mark.parametrize(
    "sizes, n, last", [((256, 512, 1), 820, 820), ((128, 1024, 1), 820, 819)]
)
def test_bits_do_not_depend_on_threads_around_a_block(sizes, n, last):
    """Mini-batches for which a worker needs exactly its scratch memory."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n + last, sizes[0])).astype("f")
    y = rng.normal(size=(n + last, 1)).astype("f")
    found = set()
    for n_threads in (1, 2, 3):
        net = make(sizes, n_threads, optimizer=bp.SGD(1e-5, momentum=0.9))
        net.fit(X, y, epochs=2, batch_size=n, shuffle=False, progress=False)
        grads = net.gradients(X[:last], y[:last])
        found.add(net.parameters.tobytes() + grads.flat.tobytes())
    assert np.isfinite(net.parameters).all() and len(found) == 1


@pytest.mark.parametrize("at", (0, 100, 255, 256, 400, 599))
def test_every_worker_checks_its_rows(at):
    net = make((3, 5, 2), 3)
    X = np.ones((600, 3), "float32")
    bad = X.copy()
    bad[at, 2] = np.nan
    with pytest.raises(ValueError, match=f"X must be finite .* at \\[{at}, 2\\]"):
        net.predict(bad)
    assert np.isfinite(net.predict(X)).all()


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts by /proc")
def test_several_threads_do_the_work():
    # That they are called is all there is to see: on busy cores they may then rest.
    code = (
        "import os, numpy as np, bpcore as bp\n"
        "def threads(): return len(os.listdir('/proc/self/task'))\n"
        "alone = threads()\n"
        "net = bp.Network([300, 300, 10], n_threads=3)\n"
        "net.train_step(np.ones((1, 300), 'f'), np.ones((1, 10), 'f'))\n"
        "small = threads()\n"
        "net.train_step(np.ones((256, 300), 'f'), np.ones((256, 10), 'f'))\n"
        "print(small - alone, threads() - alone)\n"
    )
    assert python(code).stdout == "0 2\n"


def test_the_team_sleeps_when_idle():
    net = make((300, 300, 10), 3)
    net.train_step(np.ones((256, 300), "float32"), np.ones((256, 10), "float32"))
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.03


def train(seed, n_threads):
    net = make((20, 64, 5), n_threads, rng=seed)
    X = np.linspace(-1, 1, 400, dtype="float32").reshape(20, 20)
    net.fit(np.resize(X, (3000, 20)), np.resize(X, (3000, 5)), epochs=3, progress=False)
    return net.parameters.tobytes()


def test_networks_that_share_the_team_give_the_same_bits():
    expected = [train(seed, 1) for seed in range(6)]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(train, range(6), [3] * 6)) == expected


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


FORKED = """
import os
import numpy as np
import bpcore as bp

X = np.linspace(-1, 1, 3000, dtype="float32").reshape(100, 30)
net = bp.Network([30, 64, 2], optimizer=bp.SGD(0.1, momentum=0.9), rng=0, n_threads=3)
net.learner.engine.use_threads(3, 1)
net.fit(X, X[:, :2], progress=False)
read, write = os.pipe()
child = os.fork()
net.fit(X, X[:, :2], progress=False)
if child == 0:
    os.write(write, net.parameters.tobytes())
    os.write(write, len(os.listdir("/proc/self/task")).to_bytes(1, "little"))
    os._exit(0)
os.close(write)
with os.fdopen(read, "rb") as pipe:
    sent = pipe.read()
print(os.waitpid(child, 0)[1], sent[:-1] == net.parameters.tobytes(), sent[-1] >= 3)
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts by /proc")
def test_a_forked_child_has_a_team_of_its_own():
    assert python(FORKED).stdout == "0 True True\n"


def test_signals_go_to_the_threads_of_the_program():
    # An interrupt is taken by Python's main thread while the team is at work.
    code = (
        "import os, signal, threading, numpy as np, bpcore as bp\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "net = bp.Network([300, 300, 10], n_threads=2)\n"
        "X, y = np.ones((6400, 300), 'f'), np.ones((6400, 10), 'f')\n"
        "threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
        "try:\n"
        "    net.fit(X, y, epochs=10**6, batch_size=256, progress=False)\n"
        "except KeyboardInterrupt:\n"
        "    print(np.isfinite(net.train_step(X[:256], y[:256])))\n"
    )
    assert python(code).stdout == "True\n"


# --- how many ------------------------------------------------------------------------


@pytest.fixture
def cores(monkeypatch):
    """A process that may use 8 cores, with nothing set in its environment."""
    monkeypatch.delenv("BPCORE_NUM_THREADS", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: UNLIMITED)
    return monkeypatch


@pytest.mark.parametrize(
    "own, openmp, expected",
    [
        (None, None, 8),
        ("3", None, 3),
        ("3", "5", 3),
        (" 12 ", None, 8),
        ("", "5", 5),
        (None, "5", 5),
        (None, "4,2", 4),
        (None, "many", 8),
        (None, "0", 8),
    ],
)
def test_auto_obeys_the_environment(cores, own, openmp, expected):
    if own is not None:
        cores.setenv("BPCORE_NUM_THREADS", own)
    if openmp is not None:
        cores.setenv("OMP_NUM_THREADS", openmp)
    assert bp.Network([2, 1]).n_threads == expected
    assert bp.Network([2, 1], n_threads=2).n_threads == 2


WRONG = ["0", "-1", "two", "1.5", "2,1", "\N{ARABIC-INDIC DIGIT ZERO}"]


@pytest.mark.parametrize("name", ["BPCORE_NUM_THREADS", "OMP_NUM_THREADS"])
def test_a_number_of_more_digits_than_python_converts(cores, name):
    cores.setenv(name, "9" * 5000)
    assert bp.Network([2, 1]).n_threads == 8
    cores.setenv(name, "0" * 5000 + "3")
    assert bp.Network([2, 1]).n_threads == 3


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_number_in_the_environment_stops_no_library(cores, tmp_path, value):
    """That shows and limits threads of all libraries; nor the reading of a file."""
    threadpoolctl = pytest.importorskip("threadpoolctl", minversion="3.3")
    net = bp.Network([2, 1])
    net.save(tmp_path / "net.bpc")
    cores.setenv("BPCORE_NUM_THREADS", value)
    cores.setenv("OMP_NUM_THREADS", "5")

    def count():
        found = threadpoolctl.threadpool_info()
        return [it["num_threads"] for it in found if it["user_api"] == "bpcore"]

    assert count() == [5]
    with threadpoolctl.threadpool_limits(2):
        assert count() == [2]
    with threadpoolctl.threadpool_limits({"bpcore": 10**30}, "bpcore"):
        assert count() == [5]
    assert count() == [5]
    done = []
    for_each(done.append, [1, 2, 3], most=3)
    assert sorted(done) == [1, 2, 3]
    with pytest.raises(ValueError, match="BPCORE_NUM_THREADS"):
        net.n_threads = "auto"
    cores.delenv("BPCORE_NUM_THREADS")
    assert bp.load(tmp_path / "net.bpc").n_threads == 5


@pytest.mark.parametrize("value", WRONG)
def test_a_wrong_number_in_the_environment_is_named(cores, value):
    cores.setenv("BPCORE_NUM_THREADS", value)
    with pytest.raises(ValueError, match=f"BPCORE_NUM_THREADS .* got {value!r}"):
        bp.Network([2, 1])


UNLIMITED = float("inf")


@pytest.mark.parametrize(
    "files, expected",
    [
        ({}, UNLIMITED),
        ({"cpu.max": "max 100000"}, UNLIMITED),
        ({"cpu.max": "250000 100000"}, 3),
        ({"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 2),
        ({"a/b/cpu.max": "50000 100000", "a/cpu.max": "400000 100000"}, 1),
        ({"a/b/cpu.max": "nonsense"}, UNLIMITED),
        ({"cpu/v1/cpu.cfs_quota_us": "3000", "cpu/v1/cpu.cfs_period_us": "1000"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "1000"}, UNLIMITED),
    ],
)
def test_auto_obeys_the_control_group(tmp_path, files, expected):
    (tmp_path / "cgroup").write_text("4:cpu:/v1\n3:memory:/v1\n0::/a/b\n")
    for name, text in files.items():
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text(text + "\n")
    assert threads.cpu_quota(tmp_path / "root", str(tmp_path)) == expected


def test_the_number_is_kept_as_it_was_given(cores):
    net, fixed = bp.Network([2, 1]), bp.Network([2, 1], n_threads=2)
    cores.setenv("BPCORE_NUM_THREADS", "5")
    assert copy.deepcopy(net).n_threads == 5
    assert copy.deepcopy(fixed).n_threads == fixed.astype("float64").n_threads == 2
