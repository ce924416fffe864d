"""Pages in headless Chromium, where it and Playwright are installed."""

import os
import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
#: In `make test-pages` a missing browser is an error.
ENSURED = os.environ.get("BPCORE_ENSURE_BROWSER") == "1"


@pytest.fixture(scope="session")
def browser():
    path = next(filter(None, map(shutil.which, NAMES)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        if ENSURED:
            raise
        pytest.skip("needs Playwright: make test-pages")
    if not path and not ENSURED:
        pytest.skip("needs Chromium: make test-pages")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def shown(browser, tmp_path):
    """Opens the page of a trace; no error and no request may come of all its use."""
    contexts, faults = [], []

    def show(t, width=1280, **settings):
        path = tmp_path / "step.html"
        t.save_html(path)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, **settings
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url))
        page.goto(path.as_uri())
        assert faults.pop(0) == path.as_uri()
        return page

    yield show
    for context in contexts:
        context.close()
    assert faults == []
