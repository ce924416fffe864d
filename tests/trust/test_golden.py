"""The recorded bits, and explanations of differences."""

import json
from functools import partial

import numpy as np
import pytest

import bpcore as bp
from trust import golden
from trust.fits.cases import table
from trust.fits.options import OPTIMIZERS
from trust.fits.outcome import fitted, step_digests, trajectory

#: Some cases, of every optimizer.
FEW = [*table().values()][::17]

with_fma = pytest.mark.skipif(
    bp.kernels.in_use() == "x86_64_v2",
    reason="x86_64_v2 has no fused multiply-add: its bits may differ",
)


@with_fma
@pytest.mark.parametrize("optimizer", [name for name in OPTIMIZERS if name != "lbfgs"])
def test_recorded_bits(optimizer):
    record = golden.read()
    for case in golden.recorded_cases():
        if case.optimizer == optimizer:
            assert record[case.name]["of"] == str(case)
            found = fitted(case)
            assert found.items() <= record[case.name].items(), case.name


@with_fma
def test_recorded_steps_and_no_other_cases():
    record = golden.read()
    assert [*record] == [case.name for case in golden.recorded_cases()]
    for case in FEW:
        if case.recorded:
            assert golden.difference(record[case.name], golden.line_of(case)) is None


# --- explanations ---------------------------------------------------------------------


def test_distance_in_ulp():
    one = np.float32([1, -1, 0, 1, np.inf, 2])
    other = np.float32([1 + 2**-23, -1 - 2**-22, -0.0, 1, 3.4028235e38, 1])
    assert golden.distance(one, other).tolist() == [1, 2, 1, 0, 1, 2**23]
    assert golden.distance(np.array([1.0]), np.array([-1.0])) > 2**62


def test_an_explanation_names_step_layer_and_ulp():
    ours, theirs = (trajectory(table()["sgd_00"]) for _ in range(2))
    assert golden.explanation(ours, theirs) == ["no difference"]
    W = theirs[2][1, "W"]
    before = W[3, 1].copy()
    W[3, 1] = np.nextafter(before, np.float32(np.inf), dtype="f")
    steps = len(ours) - 1
    assert golden.explanation(ours, theirs) == [
        f"first difference after mini-batch 3 of {steps}:",
        f"    layer 1, W: 1 of {W.size}, at most 1 ulp, at [3, 1]: "
        f"{float(before)!r} and {float(W[3, 1])!r}",
    ]
    digests = step_digests(ours), step_digests(theirs)
    assert [a == b for a, b in zip(*digests, strict=True)].index(False) == 2


def test_a_difference_from_the_record_names_step_and_layer():
    line = golden.line_of(table()["sgd_00"])
    other = json.loads(json.dumps(line))
    assert golden.difference(line, other) is None
    other["outputs"] = "0"
    assert golden.difference(line, other) == "differs in outputs, in no recorded step"
    other["steps"][1] = line["steps"][1][:4] + "----"
    assert golden.difference(line, other) == (
        "differs first after mini-batch 2, in layers 1"
    )
    assert golden.difference(None, other) == "is not in the record"
    assert "is another case" in golden.difference({**line, "of": ""}, other)


def test_values_of_another_machine(tmp_path, monkeypatch, capsys):
    path = str(tmp_path / "values.npz")
    run = partial(monkeypatch.setattr, "sys.argv")
    run(["golden", "--values", "adam_01", path])
    golden.main()
    run(["golden", "--explain", "adam_01", "--against", path, "--threads", "3"])
    with pytest.raises(SystemExit) as status:
        golden.main()
    assert not status.value.code
    assert "no difference" in capsys.readouterr().out


@pytest.mark.parametrize(
    "option", [["--explain", "adm_01"], ["--values", "adm_01", "f"]]
)
def test_a_case_that_does_not_exist(option, monkeypatch):
    monkeypatch.setattr("sys.argv", ["golden", *option])
    with pytest.raises(SystemExit, match=r"no case is named 'adm_01'; .* adam_01"):
        golden.main()
