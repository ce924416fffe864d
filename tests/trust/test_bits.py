"""A short form of the campaign of the bits: every way, and ways that differ."""

import pytest

import bpcore as bp
from trust import bits, golden
from trust.fits import ways
from trust.fits.cases import table
from trust.fits.outcome import fitted

CASES = [*table().values()]
#: Some cases, of every optimizer.
FEW = CASES[::17]

with_fma = pytest.mark.skipif(
    bp.kernels.in_use() == "x86_64_v2",
    reason="x86_64_v2 has no fused multiply-add: its bits may differ",
)


@pytest.mark.parametrize("way", bits.WAYS.values(), ids=bits.WAYS)
def test_ways(way):
    count = bits.trials("", way, FEW, 60.0)
    assert count.tried >= len(FEW) // 2 and not count.failed


@with_fma
def test_another_process_with_other_blocks():
    count = bits.elsewhere("", BPCORE_BLOCKS=bits.BLOCKS["small caches"])
    assert count.tried == len(golden.recorded_cases()) and not count.failed


@pytest.mark.parametrize(
    "way",
    [
        ways.by_threads,
        ways.watched,
        ways.in_parts,
        ways.carried,
        ways.resumed,
        ways.among_others,
        ways.other_forms,
    ],
)
def test_a_way_with_other_bits_fails(monkeypatch, capsys, way):
    case = table()["adam_00"]
    wrong = dict.fromkeys(fitted(case), "0")
    monkeypatch.setattr(ways, "expected", lambda name: wrong)
    count = bits.trials("title", way, [case], 60.0)
    assert count.failed
    assert "FAILED title: adam_00: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("way", "method"),
    [
        (ways.stored_gradients, "apply"),
        (ways.on_shards, "fit"),
        (ways.rows_alone, "predict_one"),
    ],
)
def test_a_way_of_two_networks_that_differ_fails(monkeypatch, way, method):
    usual = getattr(bp.Network, method)

    def otherwise(net, *arguments, **options):
        net.parameters[...] *= 1.0001
        return usual(net, *arguments, **options)

    monkeypatch.setattr(bp.Network, method, otherwise)
    case = next(case for case in CASES if any(True for _ in way(case)))
    assert any(way(case))
