"""Short form of `trust.lost_processes`: one kill, and the fit goes on."""

from helpers.processes import launcher
from trust import lost_processes


def test_a_killed_process_and_the_same_bits_after_it(tmp_path):
    launcher(2)  # skips where there is none
    for folder in ("stopped", "whole"):
        (tmp_path / folder).mkdir()
    _, fault = lost_processes.trial(tmp_path / "stopped", seed=3, unseen=True)
    assert fault is None
    found = [
        lost_processes.digests(lost_processes.started(count, tmp_path / folder))
        for count, folder in ((2, "stopped"), (1, "whole"))
    ]
    assert found[0] == found[1] and len(found[0]) == 1
