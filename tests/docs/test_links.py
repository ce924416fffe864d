"""Links of README, package and metadata: absolute, one address, existing files."""

import fnmatch
import re
import tomllib
from pathlib import Path

import pytest

import bpcore

ROOT = Path(__file__).parents[2]
URL = "https://github.com/bpcore/bpcore"

#: Folders that Python and the build of the documentation write.
WRITTEN = {"__pycache__", "gallery"}

pytestmark = pytest.mark.skipif(
    not (ROOT / "MANIFEST.in").is_file(), reason="no repository around the tests"
)


def urls():
    """Those of the metadata, by name."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]


def own(text):
    """The addresses within the repository that a text names."""
    return re.findall(rf"{URL}[\w./-]*", text)


def assert_is_there(url):
    """blob/main/FILE and tree/main/FOLDER are in the repository."""
    kind, _, path = url.removeprefix(f"{URL}").removeprefix("/").partition("/main/")
    if kind == "blob":
        assert (ROOT / path).is_file(), url
    elif kind == "tree":
        assert (ROOT / path).is_dir(), url
    else:
        assert url in (URL, f"{URL}/issues")


def test_links_of_the_readme_work_outside_of_the_repository():
    readme = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\(([^)]*)\)", readme)
    assert len(links) >= 8
    for link in links:
        assert link.startswith("https://"), f"README's {link} is relative"
    for link in own(readme):
        assert_is_there(link)
    for page in ("docs/backpropagation.md", "examples/steps", "docs/decisions.md"):
        assert any(link.endswith(page) for link in links)


def test_pictures_of_the_readme_are_in_the_repository():
    start = URL.replace("github.com", "raw.githubusercontent.com") + "/main/"
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]*)\)", (ROOT / "README.md").read_text())
    assert pictures
    for picture in pictures:
        assert (ROOT / picture.removeprefix(start)).is_file() and start in picture


def test_urls_of_the_metadata():
    found = urls()
    assert {"Homepage", "Documentation", "Course", "Changelog", "Issues"} <= set(found)
    for url in found.values():
        assert url.startswith(URL)
        assert_is_there(url)


def test_the_package_names_the_pages():
    links = own(bpcore.__doc__)
    for page in ("docs/backpropagation.md", "examples/steps", "examples"):
        assert any(link.endswith(page) for link in links)
    for link in links:
        assert_is_there(link)
    for name in ("Documentation", "Course", "Examples"):
        assert urls()[name] in links


def test_the_source_distribution_has_docs_and_examples():
    rules = [
        line.split()[1:]
        for line in (ROOT / "MANIFEST.in").read_text().splitlines()
        if line.startswith("recursive-include")
    ]
    for folder in ("docs", "examples"):
        patterns = [pattern for at, *all in rules if at == folder for pattern in all]
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        files = [path for path in files if not WRITTEN & set(path.parts)]
        assert len(files) >= 3
        for path in files:
            known = any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
            assert known or path.suffix in (".png", ".pyc"), f"{path} is left out"
