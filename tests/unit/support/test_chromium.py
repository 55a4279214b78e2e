"""The browser of the tests sees what the tests rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chromium import Chromium

PAGE = """<!doctype html><title>t</title><meta http-equiv="Content-Security-Policy" content="img-src 'none'">
<style>@media (prefers-color-scheme: dark) { #colour::after { content: "dark" } }</style>
<p id="colour">It is shown.</p><p hidden>It is not.</p>
<script>console.log("printed", 1); setTimeout(() => { throw new Error("thrown") });</script>
<img src="http://127.0.0.1:9/refused.png">"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


def test_a_page_is_reported_with_its_text_console_and_requests(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "a page.html"
    path.write_text(PAGE)

    page = browser.open(path)

    page.wait_until("document.readyState === 'complete'")
    assert page.text() == "It is shown."
    assert page.requests == [path.as_uri(), "http://127.0.0.1:9/refused.png"]
    printed = "\n".join(page.console)
    assert "printed 1" in printed
    assert "thrown" in printed
    assert "img-src 'none'" in printed


def test_a_picture_is_taken_in_the_size_and_colours_asked_for(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(PAGE)

    page = browser.open(path, size=(400, 300), dark=True, script=False)
    page.screenshot(tmp_path / "picture.png", whole=False)

    content = (tmp_path / "picture.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(content[16:20]), int.from_bytes(content[20:24])) == (400, 300)
    assert "dark" in page.evaluate("getComputedStyle(document.getElementById('colour'), '::after').content")
    assert page.console == [text for text in page.console if "img-src" in text], "scripts are off"
