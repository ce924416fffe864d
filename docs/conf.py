"""Settings of Sphinx for the documentation: ``make docs`` builds it.

The Chinese edition, ``docs/zh``, has the same settings and changes a few.
"""

import os
import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))  # the folder `extensions` and the scripts

_PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
_GITHUB = _PROJECT["urls"]["Homepage"]
#: Pages of the Chinese edition, which the same pages here link to.
_CHINESE = [path.stem for path in (DOCS / "zh").glob("*.md")]

project = "bpcore"
author = "bpcore contributors"
project_copyright = author
version = release = _PROJECT["version"]
language = "en"

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.linkcode",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "extensions.formulas",
    "extensions.linked_names",
    "extensions.performance",
    "extensions.plain_text",
    "extensions.step_page",
]
exclude_patterns = ["zh", "**/README.md", "gallery/**/*.ipynb"]
templates_path = [str(DOCS / "_templates")]
nitpicky = True

smartquotes = False  # quotes in text are those of code

# Names in single backquotes are links where there is such a name, and code elsewhere.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", r".*")]

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 4

autodoc_default_options = {"members": True}
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = False  # it fails where options have own signatures
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"

# Kept beside the pages, so that no network is needed: make_inventories.py writes them.
intersphinx_mapping = {
    name: (url, str(DOCS / "inventories" / f"{name}.inv"))
    for name, url in {
        "python": "https://docs.python.org/3",
        "numpy": "https://numpy.org/doc/stable",
        "scipy": "https://docs.scipy.org/doc/scipy",
        "sklearn": "https://scikit-learn.org/stable",
        "pandas": "https://pandas.pydata.org/docs",
        "matplotlib": "https://matplotlib.org/stable",
    }.items()
}

# The repository may not be public yet where the links are checked.
linkcheck_ignore = [rf"{_GITHUB}/.*", r"\.\./.*"]
linkcheck_timeout = 20

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["gallery"],
    # The others need data that are not shipped: they are shown, and not run.
    "filename_pattern": r"(step\d_\w+|digits|breast_cancer)\.py$",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": ["extensions.gallery.picture_of"],
    "reset_argv": "extensions.gallery.arguments_of",
    "reset_modules": (),
    "download_all_examples": False,
    "default_thumb_file": str(DOCS / "_static" / "not_run.svg"),
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "remove_config_comments": True,
    "plot_gallery": True,
    "abort_on_example_error": True,
}
os.environ.setdefault("BPCORE_NUM_THREADS", "1")  # examples print the same everywhere

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = [str(DOCS / "_static")]
html_css_files = ["bpcore.css"]
html_show_sphinx = False
html_copy_source = False
html_domain_indices = False
html_show_search_summary = False  # pages that are opened as files cannot read others
html_context = {
    "default_mode": "auto",
    # The link in the header: name, language, folder as seen from here, and its pages.
    "edition": ("中文", "zh", "zh/", _CHINESE),
}
html_theme_options = {
    "logo": {"text": project},
    "github_url": _GITHUB,
    "navbar_align": "left",
    "navbar_end": ["edition", "theme-switcher", "navbar-icon-links"],
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
#: Pages that are not part of a section.
_ALONE = ("index", "install", "tutorial", "performance", "coming_from", "contributing")
html_sidebars = {page: [] for page in (*_ALONE, "changelog")}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_selector = "div.highlight-python pre, div.highlight-sh pre"


def linkcode_resolve(domain, info):
    """The address of an object's source in the repository."""
    from extensions.source import address

    return address(info["module"], info["fullname"], _GITHUB)
