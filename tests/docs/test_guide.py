"""The tutorial and the guide: each page runs as a program and prints what it shows.

All Python blocks of a page run in order in one namespace.  A block that prints is
followed by a text block with its output, in which ``...`` stands for what changes from
run to run, such as times.  After a change of a page,
``PYTHONPATH=src python tests/docs/test_guide.py`` writes the outputs.
"""

import contextlib
import doctest
import io
import os
import re
import tempfile
from pathlib import Path

import pytest

import bpcore as bp

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = ["tutorial.md", "kernels.md", "bits.md", "coming_from.md", "guide/index.md"]
PAGES += [
    f"guide/{name}.md"
    for name in (
        *("training", "losses", "optimizers", "regularisation", "online", "many"),
        *("reproducibility", "threads", "memory", "errors", "inspecting"),
    )
]
PAGES += ["zh/index.md", "zh/tutorial.md"]
#: A Python block, and the text block right after it, if there is one.
BLOCKS = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
CHECKER = doctest.OutputChecker()
#: The width of a column may depend on what ``...`` stands for.
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="no docs beside tests")


def outputs(text, name):
    """(code, the output shown or None, the output printed) of each block of a page."""
    names = {}
    for code, shown in BLOCKS.findall(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, name, "exec"), names)
        yield code, shown, printed.getvalue()


def agree(shown, printed):
    return CHECKER.check_output(shown, printed, FLAGS)


@pytest.mark.parametrize("page", PAGES)
def test_the_page_prints_what_it_shows(page, tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    blocks = [*outputs((DOCS / page).read_text(encoding="utf-8"), page)]
    assert blocks
    if bp.kernels.in_use() == "x86_64_v2":
        return  # no fused multiply-add: the last bits differ, and so may digits shown
    for code, shown, printed in blocks:
        if printed:
            assert agree(shown, printed), f"{code}\nprints\n{printed}\nnot\n{shown}"


def with_outputs(text, name):
    """The page with the output of each block that prints; one that agrees is kept."""
    results = outputs(text, name)

    def block(match):
        code, shown, printed = next(results)
        if not printed or (shown and agree(shown, printed)):
            return match[0]
        return f"```python\n{code}```\n\n```text\n{printed}```\n"

    return BLOCKS.sub(block, text)


if __name__ == "__main__":
    for page in PAGES:
        path = DOCS / page
        text = path.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            written = with_outputs(text, page)
            os.chdir(ROOT)
        path.write_text(written, encoding="utf-8")
