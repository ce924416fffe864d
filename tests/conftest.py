"""Fixtures: both libraries, every dtype, every instruction set of this machine."""

import os
import platform
import re

import numpy as np
import pytest

import bpcore as bp
from bpcore.engine import dispatch
from bpcore.engine.engine import supported

FAMILIES = {"amd64": "x86_64", "aarch64": "arm64"}
MACHINE = platform.machine().lower()
FAMILY = FAMILIES.get(MACHINE, MACHINE)

ISAS = [isa for isa in supported() if isa == "scalar" or isa.startswith(FAMILY)]
#: Where these are missing, tests fail instead of being skipped.
ENSURED = [isa for isa in os.environ.get("BPCORE_ENSURE_ISA", "").split(",") if isa]

# A failed assert in a helper shows its values, as one in a test does.
pytest.register_assert_rewrite("helpers")


def pytest_configure():
    if strangers := sorted(set(ENSURED) - set(ISAS)):
        raise pytest.UsageError(
            f"BPCORE_ENSURE_ISA may name {', '.join(ISAS)} here; got {strangers}"
        )


def pytest_make_parametrize_id(val):
    """Ids of values that pytest only numbers: sequences, arrays, settings, errors."""
    from helpers import short  # imported after it is registered

    named = str | bytes | int | float | complex | re.Pattern | None
    if isinstance(val, named) or hasattr(val, "__name__"):
        return None
    if isinstance(val, np.ndarray) and val.size > 4:
        return f"{val.dtype} {val.shape}"
    return short(str(val) if isinstance(val, np.ndarray) else repr(val))


@pytest.fixture(params=ISAS)
def isa(request):
    """The name of an instruction set that this machine can run."""
    if request.param not in dispatch.available:
        missing = f"{request.param} is not built, or cannot run here"
        if request.param in ENSURED:
            pytest.fail(missing)
        pytest.skip(missing)
    return request.param


@pytest.fixture
def kernels(isa):
    """The kernels, while those built for that instruction set are in use."""
    with dispatch.using(isa):
        yield bp.kernels


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """The name of a dtype that networks may have."""
    return request.param


@pytest.fixture(
    params=[bp.Network, bp.reference.Network], ids=["compiled", "reference"]
)
def Network(request):
    """The class of networks: the compiled one, or its reference in NumPy."""
    return request.param
