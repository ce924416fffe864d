"""The probe of the front end: what its times say, and its line in the output."""

import numpy as np
import pytest
from bench import front_end, report
from bench.front_end import FrontEnd
from bench.timing import Spread


@pytest.fixture
def no_compiler(monkeypatch):
    def run(command, **options):
        raise FileNotFoundError(command[0])

    front_end.nop_library.cache_clear()
    monkeypatch.setattr(front_end.subprocess, "run", run)
    yield
    front_end.nop_library.cache_clear()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_hot_tile_is_a_share_of_the_peak_without_its_call(
    no_compiler, capsys, dtype
):
    probe = FrontEnd(dtype)
    assert "no C compiler" in capsys.readouterr().out
    assert set(probe.actions) == {"hot tile", "a call"}
    call, tile = np.full(9, 1e-6), np.full(9, 3e-6)
    samples = {"hot tile": tile, "a call": call}
    found = probe.describe(samples, np.full(9, 1e10))
    twice = probe.describe(samples, np.full(9, 5e9))
    assert found["nops_per_tick"] is found["nops_per_nanosecond"] is None
    assert twice["hot_tile"].median == pytest.approx(2 * found["hot_tile"].median)
    free = probe.describe(samples | {"a call": call * 0}, np.full(9, 1e10))
    assert found["hot_tile"].median == pytest.approx(1.5 * free["hot_tile"].median)


def test_a_tile_that_seems_to_take_less_than_a_call_is_not_a_figure():
    probe = FrontEnd("float32")
    times = np.full(9, 1e-6)
    samples = dict.fromkeys(("hot tile", "a call", "nops"), times)
    assert probe.describe(samples, np.ones(9))["hot_tile"] is None


def test_nops_are_counted_per_second():
    probe = FrontEnd("float32")
    if "nops" not in probe.actions:
        pytest.skip("no C compiler")
    nops = probe.actions["nops"]()
    times = np.array([1e-6, 2e-6, 4e-6])
    samples = {"hot tile": times, "a call": times / 2, "nops": times}
    found = probe.describe(samples, np.ones(3))
    assert found["nops_per_nanosecond"].median == pytest.approx(nops / 2e-6 / 1e9)


def test_its_line():
    def probe(value, tick=True):
        spread = Spread(value, value - 1, value + 2, value, 9)
        return {
            "nops_per_tick": spread if tick else None,
            "nops_per_nanosecond": None,
            "hot_tile": spread,
        }

    results = [{"robbed": 0.1, "front_end": probe(value)} for value in (5, 6, 7)]
    waited, line = report.disturbance(results).splitlines()
    assert waited.endswith("at most 10.0%.")
    assert line == (
        "Front end: 6.00 nops per tick (5.00 .. 8.00), "
        "6.00 of the peak in a hot tile (5.00 .. 8.00)."
    )
    (line,) = report.front_end([{"front_end": probe(3, tick=False)}])
    assert line == "Front end: 3.00 of the peak in a hot tile (2.00 .. 5.00)."
    assert report.front_end([{"robbed": 0}]) == []
