"""The page of measurements is written before the pages are read."""


def write(app):
    """Write the page and its picture, where they have changed or are missing."""
    import make_performance

    cpus = make_performance.all_records()
    for path, text in (
        (make_performance.PAGE, make_performance.page(cpus)),
        (make_performance.PICTURE, make_performance.picture(cpus)),
    ):
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app):
    """Register it."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}
