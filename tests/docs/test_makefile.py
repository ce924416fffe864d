"""Each command of make that the README names is a target, and a dry run only prints."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = ROOT / "Makefile"

pytestmark = pytest.mark.skipif(not MAKEFILE.is_file(), reason="needs the source tree")


def targets():
    """Those in the comment at the Makefile's begin."""
    text = MAKEFILE.read_text() if MAKEFILE.is_file() else ""
    return re.findall(r"^# make ([a-z-]+)", text, re.MULTILINE)


def named():
    """Those in code, in a line of the text or of a block."""
    code = r"`(?:\w+=\w+ )?make ([a-z-]+)|^make ([a-z-]+) +#"
    found = re.findall(code, (ROOT / "README.md").read_text(), re.MULTILINE)
    return sorted({inline or block for inline, block in found})


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("target", targets())
def test_a_dry_run_prints_commands_and_runs_none(tmp_path, target):
    shutil.copy(MAKEFILE, tmp_path)
    (tmp_path / "src").mkdir()
    for name in ("pyproject.toml", "setup.py"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        ["make", "--dry-run", target],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout and sorted(tmp_path.iterdir()) == before


def test_the_readme_names_targets():
    assert {"demo", "test"} <= {*named()} <= {*targets()}
