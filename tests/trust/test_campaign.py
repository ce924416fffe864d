"""The command line of campaigns and the page of their figures."""

import json

import pytest

from trust import campaign, summary
from trust.children.programs import python

CAMPAIGN = """
from trust import campaign

def run(seconds):
    count = campaign.Count("sums", note="of two numbers")
    for i in range(3):
        count.add(f"seed {i}" if i == FAULTY else None)
    yield count

campaign.main("Sums are right.", run, 5.0)
"""


@pytest.mark.parametrize(("faulty", "status"), [(1, 1), (None, 0)])
def test_a_campaign_prints_and_writes_its_counts(tmp_path, faulty, status):
    path = tmp_path / "sums.json"
    code = CAMPAIGN.replace("FAULTY", str(faulty))
    ended = python("-c", code, "--json", str(path))
    assert ended.returncode == status, ended.stderr
    assert ("FAILED sums: seed 1" in ended.stdout) == (faulty is not None)
    assert f"3 tried, {status} failed" in ended.stdout
    record = json.loads(path.read_text())
    assert record["results"] == [
        {"name": "sums", "tried": 3, "failed": status, "note": "of two numbers"}
    ]
    assert record["bpcore"]["isa"]


def test_counts_before_an_error_of_the_campaign_are_kept(tmp_path):
    path = tmp_path / "sums.json"
    code = CAMPAIGN.replace("FAULTY", "None").replace(
        "    yield count\n", "    yield count\n    raise KeyError('of the campaign')\n"
    )
    ended = python("-c", code, "--json", str(path))
    assert ended.returncode == 1
    assert "KeyError: 'of the campaign'" in ended.stderr
    kept, error = json.loads(path.read_text())["results"]
    assert (kept["name"], kept["tried"], kept["failed"]) == ("sums", 3, 0)
    assert (error["tried"], error["failed"]) == (1, 1)


def test_the_page_has_the_figures_of_each_campaign():
    record = {
        "processor": "A CPU",
        "microarchitecture": "Kind",
        "python": "3.11.7",
        "date": "2026-01-02T03:04:05Z",
        "bpcore": {"isa": "x86_64_v3"},
        "settings": {"seconds": 600.0},
        "results": [{"name": "sums", "tried": 12345, "failed": 0, "note": ""}],
    }
    begin, end = "<!-- written by python -m trust.summary: a -->", "<!-- end of a -->"
    text = f"Before.\n\n{begin}\nold\n{end}\n\nAfter.\n"
    page = summary.page(text, {"a": record})
    assert page == summary.page(page, {"a": record})
    assert page.startswith("Before.") and page.endswith("After.\n")
    assert "A CPU (Kind), x86_64_v3, Python 3.11.7, 2026-01-02, 10 min:" in page
    assert "| sums | 12,345 | 0 |  |" in page
    assert "old" not in page
    with pytest.raises(SystemExit, match="no place for b"):
        summary.page(text, {"b": record})


def test_the_page_shows_the_newest_results():
    assert summary.page(summary.PAGE.read_text(), summary.newest()) == (
        summary.PAGE.read_text()
    )


def test_a_count_is_one_line():
    count = campaign.Count("sums", 1000, 1, "two numbers")
    assert str(count) == "       1,000 tried      1 failed  sums  (two numbers)"
