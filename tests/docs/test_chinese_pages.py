"""docs/zh: the same program as in English, links, spaces, and the search."""

import re
import shutil
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted((DOCS / "zh").glob("*.md"))
NAMES = ["backpropagation", "index", "install", "tutorial"]

pytestmark = pytest.mark.skipif(not PAGES, reason="no docs beside tests")
each_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


def read(path):
    return path.read_text(encoding="utf-8")


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", read(path), re.DOTALL)


def words_left_out(code):
    """Code without its comments and texts."""
    return re.sub(r'#.*|f?"(?:[^"\n]*)"', "", code).split()


def test_pages():
    assert [path.stem for path in PAGES] == NAMES


@pytest.mark.parametrize("name", ["index", "tutorial"])
def test_outputs_have_the_numbers_of_the_english_page(name):
    """Each block prints the same numbers, though with other words."""
    editions = [DOCS / f"{name}.md", DOCS / "zh" / f"{name}.md"]
    found = [
        [sorted(re.findall(r"-?\d+(?:\.\d+)?", text)) for text in blocks(path, "text")]
        for path in editions
    ]
    assert found[0] == found[1] and found[0]


@pytest.mark.parametrize("name", ["index", "install"])
def test_programs_are_those_of_the_english_page(name):
    english, chinese = (
        [words_left_out(code) for code in blocks(path, "python")]
        for path in (DOCS / f"{name}.md", DOCS / "zh" / f"{name}.md")
    )
    assert english == chinese and english


@each_page
def test_links_lead_to_files(path):
    for link in re.findall(r"\]\(([^)#]+)", read(path)):
        if link.startswith("https://") or "/gallery/" in link:  # made by the build
            continue
        if link == "../performance.md":  # made by the build
            assert (DOCS / "make_performance.py").is_file()
            continue
        assert (path.parent / link).is_file(), link


WIDE = "\u4e00-\u9fff"
MARKS = "，。、；：？！（）“”"


@each_page
def test_spaces_between_chinese_and_latin(path):
    """One between a Chinese character and a Latin one or code, none beside marks."""
    text = re.sub(r"```.*?```", "", read(path), flags=re.DOTALL)
    text = re.sub(r"\]\([^)]*\)|:?::+.*|^    .*$", "", text, flags=re.M)
    text = re.sub(r"[*\[]", "", text.replace("。** ", "。"))  # the head of a paragraph
    for wrong in (
        rf"[{WIDE}][A-Za-z0-9`]|[A-Za-z0-9`][{WIDE}]",
        rf"[{WIDE}{MARKS}] +[{WIDE}{MARKS}]",
        rf" [{MARKS}]",
        rf"[{WIDE}] ?[,;:?!]",
    ):
        found = re.search(rf".{{0,20}}(?:{wrong}).{{0,20}}", text)
        assert not found, found[0]


@each_page
def test_paragraphs_are_single_lines(path):
    """A browser would show a space where the line of a paragraph ends."""
    text = re.sub(r"```.*?```", "", read(path), flags=re.DOTALL)
    assert not re.search(rf"[{WIDE}{MARKS}]\n[{WIDE}{MARKS}`A-Za-z]", text)


@pytest.fixture
def search(monkeypatch):
    """How text is cut into the words of the search."""
    pytest.importorskip("sphinx")
    monkeypatch.setattr(sys, "path", [str(DOCS), *sys.path])
    from extensions.chinese import Pairs

    return Pairs({})


TEXT = "把学习率调小，Adam优化器的 lr_factor 也一样。"
ON_IT = [
    "学习率",
    "把学习率调小",
    "优化器",
    "率",
    "Adam",
    "lr_factor",
    "Adam优化器 调小",
]
NOT_ON_IT = ["学率", "动量", "Ada", "学习率 动量"]


def test_every_phrase_of_a_page_is_in_the_index(search):
    index = set(search.split(TEXT))
    assert all(set(search.split(phrase)) <= index for phrase in ON_IT)
    assert not any(set(search.split(phrase)) <= index for phrase in NOT_ON_IT)


def test_the_browser_cuts_a_query_as_the_index_is_cut(search):
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.add_script_tag(content=search.js_splitter_code)
        index = set(search.split(TEXT))
        for phrase in ON_IT + NOT_ON_IT:
            words = page.evaluate("query => splitQuery(query)", phrase)
            assert (set(words) <= index) == (phrase in ON_IT), phrase
        browser.close()
