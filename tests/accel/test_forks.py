"""A child of a fork while another thread installs the drop-ins."""

import os
import threading

import pytest

from bpcore import accel
from bpcore.accel import patch
from trust.children.forked import in_child


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_drop_ins_that_another_thread_installs():
    def work():
        before = accel.installed()
        return f"{before} {accel.install()}".encode()

    begun = threading.Event()

    def hold():
        with patch.lock:
            begun.set()
            threading.Event().wait(0.2)

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    found = in_child(work, 20)
    thread.join()
    assert found == (b"False True", None)
