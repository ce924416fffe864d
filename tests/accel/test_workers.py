"""Searches and calls in joblib's workers train the drop-ins while installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn", minversion="1.7")

PROGRAM = Path(__file__).with_name("in_workers.py")


@pytest.fixture(scope="module")
def lines():
    """What the program prints, whose processes inherit nothing by fork."""
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "bpcore.accel", PROGRAM],
        env={**os.environ, "JOBLIB_START_METHOD": "spawn"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_a_search_in_processes(backend, lines):
    assert f"search {backend} [1.0, 1.0] True" in lines


def test_a_search_in_threads(lines):
    assert "search threading [0.0, 0.0] True" in lines  # in the same process


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_estimators_made_in_workers(backend, lines):
    found = [line for line in lines if line.startswith(f"call {backend} ")]
    assert found == 2 * [f"call {backend} {backend != 'threading'} True True"]


@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
def test_after_uninstall_workers_use_scikit_learns(backend, lines):
    found = [line for line in lines if line.startswith(f"after {backend} ")]
    assert found == 2 * [f"after {backend} False False"]
