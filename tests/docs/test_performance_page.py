"""The page of measurements has the numbers of the JSON files, and no others."""

import importlib.util
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "make_performance.py"

pytestmark = pytest.mark.skipif(
    not (SCRIPT.is_file() and (ROOT / "bench" / "results").is_dir()),
    reason="no pages or results beside tests",
)


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("make_performance", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def cpus(module):
    return module.all_records()


def test_it_is_the_same_each_time(module, cpus):
    assert len(cpus) >= 3
    assert module.page(cpus) == module.page(module.all_records())
    assert module.picture(cpus) == module.picture(module.all_records())


def test_every_cpu_has_its_steps(module, cpus):
    page = module.page(cpus)
    for folder, files in cpus.items():
        title = module.title_of(folder, files)
        part = page.partition(f"\n## {title}\n")[2]
        part = part.partition("### Training step, float32")[2].partition("\n### ")[0]
        for result in files["step"]["results"]:
            row_of = rf"^\| {module.case(result)} \| .*$"
            (row,) = re.findall(row_of, part, re.MULTILINE)
            cells = [float(cell.strip(" *")) for cell in row.split("|")[2:-1]]
            own = result["peers"]["bpcore"]
            assert cells[0] == pytest.approx(own["seconds"].median * 1e6, rel=0.01)
            others = [p for name, p in result["peers"].items() if name != "bpcore"]
            ratios = [peer["over_bpcore"].median for peer in others]
            assert sorted(cells[2:]) == pytest.approx(sorted(ratios), rel=0.01)


def test_every_case_in_which_another_library_is_faster_is_listed_first(module, cpus):
    page = module.page(cpus)
    part = page.partition("## Where another library is faster")[2].partition("\n## ")[0]
    count = 0
    for files in cpus.values():
        for name in module.TASKS:
            for result in files[name]["results"] if name in files else ():
                for peer in result["peers"].values():
                    count += peer["over_bpcore"].median < 1
    rows = [line for line in part.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == count > 0
    ratios = [float(row.split("|")[3]) for row in rows]
    assert max(ratios) <= 1


def fastest(module, cpus, name):
    return sys.modules[module.picture.__module__].fastest(cpus, name)


def test_picture_has_a_mark_for_every_case(module, cpus):
    root = ET.fromstring(module.picture(cpus))
    marks = [g for g in root if g.tag.endswith("}g")]
    cases = sum(
        len(files[name]["results"])
        for files in cpus.values()
        for name in ("step", "predict")
    )
    assert len(marks) == len(cpus) + cases
    hollow = sum(mark.get("fill") == "none" for mark in marks)
    faster = [
        ratio < 1
        for name in ("step", "predict")
        for found in fastest(module, cpus, name).values()
        for ratio, _ in found.values()
    ]
    assert hollow == sum(faster) > 0


def test_a_faster_library_is_bold(module, cpus):
    folder = next(iter(cpus))
    record = {"results": cpus[folder]["step"]["results"][:1]}
    peer = record["results"][0]["peers"]["torch"]
    row = module.comparison(record).splitlines()[4]
    assert "**" not in row
    slow = {**peer, "over_bpcore": type(peer["over_bpcore"])(0.5, 0.4, 0.6, 0.3, 9)}
    result = record["results"][0]
    changed = {**result, "peers": {**result["peers"], "torch": slow}}
    row = module.comparison({"results": [changed]}).splitlines()[4]
    assert "**0.500**" in row
