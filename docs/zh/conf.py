"""Settings of the Chinese edition: those of the English one, and what differs.

It links to the reference of the English edition, which is built first.
"""

import runpy
from pathlib import Path

HERE = Path(__file__).parent
DOCS = HERE.parent

globals().update(runpy.run_path(str(DOCS / "conf.py")))

language = "zh_CN"
html_search_language = "zh"
extensions = [
    "sphinx.ext.intersphinx",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "extensions.linked_names",
    "extensions.performance",
    "extensions.chinese",
]
exclude_patterns = []
myst_url_schemes = {"https": None, "en": "../{{path}}.html"}

_ENGLISH = DOCS.parent / "build" / "docs" / "objects.inv"
if _ENGLISH.is_file():
    intersphinx_mapping["bpcore"] = ("..", str(_ENGLISH))  # noqa: F821

html_css_files = ["bpcore.css", "chinese.css"]
html_context["edition"] = (  # noqa: F821
    *("English", "en", "../"),
    [path.stem for path in HERE.glob("*.md")],
)
html_sidebars = {"**": []}
