"""What a child of a fork inherits: locks, caches and threads that are its own."""

import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import bpcore as bp
from bpcore.cached import cached_property
from bpcore.model import threads
from bpcore.workers import start_new_thread
from helpers.pause import Pause
from trust.children.forked import in_child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

X = np.linspace(-1, 1, 60).reshape(20, 3)


def holding(lock):
    """A function that holds a lock while another thread forks."""
    pause = Pause()

    def hold():
        with lock:
            pause.wait()

    return pause, hold


def test_a_bar_of_another_thread_does_not_stop_that_of_the_child(capsys):
    tqdm = pytest.importorskip("tqdm").tqdm
    bp.Network([3, 1], rng=0).fit(X, X[:, 0], epochs=1)
    net = bp.Network([3, 1], rng=0)

    def work():
        net.fit(X, X[:, 0], epochs=2)
        return str(len(net.history)).encode()

    pause, hold = holding(tqdm.get_lock())
    assert pause.during(hold, work) == (b"2", None)


def test_a_value_that_another_thread_computes():
    """Every cached property of the library has a lock of its own, or none."""
    begun, over = threading.Event(), threading.Event()

    class Slow:
        @cached_property
        def value(self):
            if threading.current_thread() is not threading.main_thread():
                begun.set()
                over.wait(60)
            return 1

    thread = threading.Thread(target=lambda: Slow().value)
    thread.start()
    begun.wait()
    found = in_child(lambda: str(Slow().value).encode(), 20)
    over.set()
    thread.join()
    assert found == (b"1", None)


def test_no_module_uses_the_property_with_a_lock():
    for path in Path(bp.__file__).parent.rglob("*.py"):
        if path.name != "cached.py":
            assert not re.search(
                r"from functools import .*cached_property", path.read_text("utf-8")
            ), path


def test_a_child_may_have_another_quota():
    threads.cpu_quota()
    assert threads.cpu_quota.cache_info().currsize
    found = in_child(lambda: str(threads.cpu_quota.cache_info().currsize).encode())
    assert found == (b"0", None)


def test_a_thread_of_fit_many_ends_in_a_child(monkeypatch):
    children = []

    def start(call, arguments):
        def run():
            call(*arguments)
            if 0 in children:
                os._exit(7)  # without the ends of other libraries

        start_new_thread(run, ())

    monkeypatch.setattr("bpcore.workers.start_new_thread", start)

    def callback(net, history):
        if net is nets[0] and not children:
            children.append(os.fork())

    nets = [bp.Network([3, 1], rng=seed) for seed in range(3)]
    bp.fit_many(nets, X, X[:, 0], epochs=2, callbacks=[callback], n_threads=2)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 7
