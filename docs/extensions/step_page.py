"""The page of a step, which the guide shows, is written before the pages are read."""

from pathlib import Path

PAGE = Path(__file__).parents[1] / "_static" / "step.html"


def write(app):
    """Write the page of the step that the guide draws."""
    import make_pictures

    make_pictures.step().save_html(PAGE)


def setup(app):
    """Register it."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
