"""Memory maps many times as large as the memory that a fit may take."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="RLIMIT_DATA is Linux's"
)

#: 192 MB of rows on disk; 4 MB of private memory more than the process has.
PROGRAM = """
import resource, sys
import numpy as np
import bpcore as bp
n, width = 65536, 768
with open("X", "wb") as file:
    file.truncate(4 * n * width)
X = np.memmap("X", "float32", "r", shape=(n, width))
y = np.arange(n, dtype="float32")[:, None] / n
given = {
    "arrays": (X, y),
    "function": (lambda k: (X[k * n // 4 :][: n // 4], y[k * n // 4 :][: n // 4]),),
    "iterable": (zip(np.split(X, 4), np.split(y, 4)),),
    "other dtype": (X.view("int32"), y),
}[sys.argv[1]]
def fit(*data, shards):
    net = bp.Network([width, 2, 1], rng=0, n_threads=1)
    options = {"epochs": 1, "batch_size": 256, "progress": False}
    bp.distributed.fit(net, *data, shards=shards, **options)
fit(X[:256], y[:256], shards=1)
with open("/proc/self/status") as status:
    (data,) = (int(line.split()[1]) for line in status if line[:7] == "VmData:")
resource.setrlimit(resource.RLIMIT_DATA, 2 * (1024 * data + 4 * 2**20,))
fit(*given, shards=4)
"""


def run(given, folder):
    command = [sys.executable, "-c", PROGRAM, given]
    environment = {"PYTHONPATH": ":".join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )


@pytest.mark.parametrize("given", ["arrays", "function", "iterable"])
def test_they_are_used_in_place(given, tmp_path):
    found = run(given, tmp_path)
    assert found.returncode == 0, found.stderr


def test_data_that_must_be_converted_need_memory(tmp_path):
    found = run("other dtype", tmp_path)
    assert "MemoryError" in found.stderr
