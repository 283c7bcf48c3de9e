"""A real browser: fixtures, which conftest.py offers to all tests."""

import shutil
import warnings

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def chromium():
    """A running Chromium; where there is none, a warning that cannot be overlooked."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        loud = "NOT TESTED IN A BROWSER: apt-get install chromium, pip install playwright"
        warnings.warn(loud, stacklevel=1)
        pytest.skip(loud)
    unwanted = ("gpu", "background-networking", "component-update", "sync")
    options = ["--no-sandbox", "--no-first-run", *(f"--disable-{x}" for x in unwanted)]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=options)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, tmp_path):
    """Opens HTML as a file; fails at the end if anything was requested or complained of."""
    contexts, requests, complaints = [], [], []

    def opened(html: str, **options):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        context = chromium.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(path.as_uri())
        return tab

    yield opened
    for context in contexts:
        context.close()
    other = [r for r in requests if not r.startswith(("file:", "data:image/svg+xml;base64,"))]
    assert other == complaints == []
    assert len({r for r in requests if r.startswith("file:")}) == 1
