"""Pictures and arguments of the examples in the gallery.

An example that has a function ``picture()`` shows the figure that it returns.  So the
example itself needs matplotlib only where it draws.
"""

from pathlib import Path

from sphinx_gallery.scrapers import figure_rst

#: Arguments of the examples, where those by default do not suit a page.
ARGUMENTS = {"step6_boundary": ["../../build/frames", "--every", "20"]}


def picture_of(block, variables, settings):
    """The picture of an example, after its last block."""
    names = variables["example_globals"]
    if "picture" not in names or names.get("pictured"):
        return ""
    names["pictured"] = True
    path = Path(next(variables["image_path_iterator"]))
    names["picture"]().savefig(path, dpi=110)
    return figure_rst([str(path)], settings["src_dir"])


class Arguments:
    """``sys.argv`` of an example; the class has a constant text for the cache."""

    def __call__(self, settings, variables):
        """The arguments of one."""
        return ARGUMENTS.get(Path(variables["src_file"]).stem, [])

    def __repr__(self):
        return f"Arguments({ARGUMENTS})"


arguments_of = Arguments()
