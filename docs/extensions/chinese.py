"""The Chinese edition: search without a list of words, and links to English pages.

Chinese has no spaces between words.  Page and query are cut in the same way, into all
pairs of neighbouring characters, so that every phrase is found that is on a page.
"""

import re

from docutils import nodes
from sphinx.search import languages
from sphinx.search.en import SearchEnglish

#: A link to a page of the English edition: its path without the ending.
ENGLISH_PAGE = re.compile(r"\]\(\.\./([\w/]+)\.(?:md|rst)\)")
#: A run of Chinese characters, or a word of letters and digits.
RUNS = re.compile(r"([\u3400-\u9fff]+)|([^\W\u3400-\u9fff]+)")
#: The words in the picture of speed.
WORDS = {
    "Time of the fastest other library over the time of bpcore, case by case": (
        "各种情形下，最快的其他库与 bpcore 用时之比"
    ),
    "time of the fastest other library / time of bpcore": (
        "最快的其他库用时 / bpcore 用时"
    ),
    "Training step, float32": "训练一步，float32",
    "Prediction, float32": "预测，float32",
}


class Pairs(SearchEnglish):
    """The words of the index are pairs of characters; Latin words as in English.

    (Of Sphinx 9.0's own class for Chinese the script stops with an error, and the query
    is not cut into words.)
    """

    js_splitter_code = r"""
const RUNS = /([\u3400-\u9fff]+)|([a-z0-9_\u00c0-\u33ff]+)/giu;
function splitQuery(query) {
  const parts = [];
  for (const [, run, word] of query.matchAll(RUNS)) {
    if (word || run.length === 1) parts.push(word || run);
    else for (let i = 0; i + 1 < run.length; i++) parts.push(run.slice(i, i + 2));
  }
  return parts;
}
"""

    def split(self, input):
        """Single characters and pairs of each run, and words."""
        parts = []
        for run, word in RUNS.findall(input):
            pairs = [run[i : i + 2] for i in range(len(run) - 1)]
            parts += [*run, *pairs] if run else [word]
        return parts


def english_links(app, name, content):
    """Sources link to the files of English pages, this edition to the pages built."""
    content[0] = ENGLISH_PAGE.sub(r"](en:\1)", content[0])


def chinese_picture(app, tree):
    """Put Chinese words into the picture of speed."""
    for node in tree.findall(nodes.raw):
        text = node.astext()
        for english, chinese in WORDS.items():
            text = text.replace(english, chinese)
        node.children = [nodes.Text(text)]


def setup(app):
    """Register them."""
    languages["zh"] = Pairs
    app.connect("source-read", english_links)
    app.connect("doctree-read", chinese_picture)
    return {"parallel_read_safe": True}
