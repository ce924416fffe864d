"""The programs of docs/distributed.md run as shown, where their packages are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import ROOT
from helpers.processes import EVERYTHING, launcher

PAGE = ROOT / "docs" / "distributed.md"
NEEDS = ("joblib", "dask.distributed", "ray", "sklearn", "optuna")

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="no docs beside the tests")


def programs():
    if not PAGE.is_file():
        return []
    text = PAGE.read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def title(code):
    imports = re.findall(r"^(?:from|import) ([\w.]+)", code, re.MULTILINE)
    names = [name for name in imports if name in NEEDS]
    return " ".join(names) or code.split("\n", 1)[0]


def output_of(command, folder):
    found = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, timeout=120
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize("code", programs(), ids=title)
def test_it_runs(code, tmp_path):
    for name in NEEDS:
        if f" {name} import" in code or f"import {name}\n" in code:
            pytest.importorskip(name)
            if name in ("dask.distributed", "ray") and not EVERYTHING:
                pytest.skip("a cluster takes seconds to start: make test-mpi")
    program = tmp_path / "train.py"
    program.write_text(code)
    alone = output_of([sys.executable, program], tmp_path)
    if "train.py" in code:
        command = [*launcher(2), sys.executable, "-m", "mpi4py", program]
        both = output_of(command, tmp_path).splitlines()
        assert both == [alone.strip()] * 2
        assert Path(tmp_path, "digits.bpc").is_file()
