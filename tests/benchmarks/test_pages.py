"""The pages of results, and README's tables, are what bench.summary writes."""

import pytest
from bench import cpu, overview, summary

pytestmark = pytest.mark.skipif(
    not summary.README.is_file(), reason="no README beside bench"
)
RECORDS = summary.all_records()
AGAIN = "run python -m bench.summary bench/results/*/"


@pytest.mark.parametrize("name", RECORDS)
def test_the_page_of_a_cpu(name):
    page = (cpu.RESULTS / name / "README.md").read_text()
    assert summary.document(RECORDS[name]) == page, AGAIN


def test_the_index():
    assert overview.index(RECORDS) == (cpu.RESULTS / "README.md").read_text(), AGAIN


def test_the_tables_of_the_readme():
    text = summary.README.read_text()
    assert overview.readme(text, RECORDS) == text, AGAIN


def test_every_folder_of_results_has_a_page_and_a_picture():
    for folder in cpu.RESULTS.iterdir():
        if folder.is_dir():
            assert {"README.md", "speed.png", "step.json"} <= {
                path.name for path in folder.iterdir()
            }


def test_the_readme_has_the_newest_machine_of_each_instruction_set():
    (name,) = (name for name in RECORDS if "zen5" in name)
    old = RECORDS[name]
    new = {**old, "step": {**old["step"], "date": "2030-01-01T00:00:00Z"}}
    other = "intel-xeon-sapphire-rapids-x86_64_v4"
    avx2 = "amd-epyc-zen3-x86_64_v3"
    text = overview.tables_of({name: old, other: new, avx2: old})
    assert "Zen 3, AVX2" in text
    assert "Sapphire Rapids, AVX-512" in text
    assert "Zen 5" not in text
    assert "has been measured yet" not in text


def test_a_readme_without_the_marks_is_refused():
    with pytest.raises(SystemExit, match="README has no"):
        overview.readme("# bpcore\n", RECORDS)
