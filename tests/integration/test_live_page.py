"""The live page of a real monitor in a real browser: what it shows, and what attacks on it come to.

One hub, one monitor and one browser serve all tests here; a test adds files to the hub, and removes nothing.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.chromium import Chromium
from tests.support.lab import Lab, Started, wait_until
from tests.support.live_bus import Bus
from tests.support.web import Page
from virnucpro_bus.publish.publisher import Publisher

HOSTILE = "<img src=x onerror=window.harmed=1>\"'<script>window.harmed=1<!--&lt;\x1b[2J\u202e.fa"
FOREIGN = "rebound.example"
IS_SHOWN = "document.getElementById('now').textContent !== ''"


@dataclass
class Served:
    """A monitor that serves a page of a hub, and the hub's one worker."""

    page: Page
    worker: Publisher
    lab: Lab


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    bus = Bus(lab)
    with bus.publisher() as worker:
        monitor = lab.start("monitor", "bus", "--no-dashboard", "--interval", "0.1", "--http", "0")
        yield Served(Page(address_of(monitor)), worker, lab)
        monitor.signal(signal.SIGINT)
        assert monitor.wait() == 128 + signal.SIGINT
    bus.stop()
    assert lab.left_behind() == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("browser"), hosts=[FOREIGN]) as browser:
        yield browser


def address_of(started: Started) -> str:
    """The address of the page that it has printed."""
    started.until_it_says("live page: http")
    return started.stderr.partition("live page: ")[2].splitlines()[0]


def other_site(folder: Path, served: Served) -> str:
    """A page of elsewhere, with a link to ours."""
    path = folder / "other.html"
    path.write_text(f'<a href="{served.page.address}">the run</a>')
    return path.as_uri()


def test_the_page_shows_the_run_live_without_a_request_to_elsewhere(served: Served, browser: Chromium) -> None:
    shown = browser.open(served.page.address)
    shown.wait_until(IS_SHOWN)
    served.worker.file_started("first.fa")
    shown.wait_until("document.body.innerText.includes('first.fa')")
    served.worker.file_completed("first.fa", sequences=3, duration_seconds=0.1)
    shown.wait_until("document.getElementById('progress').textContent === '1 files done'")
    here = f"http://127.0.0.1:{served.page.port}/"
    assert shown.evaluate("location.href") == here, "the token is in no address that stays"
    assert all(address.startswith((here, "data:")) for address in shown.requests)
    assert shown.console == []
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_hostile_name_is_shown_as_text_and_runs_nothing(served: Served, browser: Chromium) -> None:
    shown = browser.open(served.page.address)
    served.worker.file_started(HOSTILE)
    shown.wait_until("document.body.innerText.includes('<img src=x onerror=window.harmed=1>')")
    assert "\"'<script>window.harmed=1<!--&lt;\\x1b[2J\\u202e.fa" in shown.text()
    assert shown.evaluate("typeof window.harmed") == "undefined"
    assert shown.evaluate("document.querySelectorAll('img, td script').length") == 0
    assert shown.console == []


def test_a_script_that_got_into_the_page_would_not_run(served: Served, browser: Chromium) -> None:
    shown = browser.open(served.page.address)
    shown.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.harmed=1'}))"
    )
    shown.evaluate("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"window.harmed=1\">b</b>')")
    shown.evaluate("document.querySelector('b').click()")
    assert shown.evaluate("typeof window.harmed") == "undefined"
    refusal = shown.evaluate("fetch('http://127.0.0.1:1/').catch(error => String(error))")
    assert "Failed to fetch" in refusal
    assert sum("Content Security Policy" in line for line in shown.console) >= 3


def test_a_page_of_another_site_reads_nothing_not_even_with_the_cookie(
    served: Served, browser: Chromium, tmp_path: Path
) -> None:
    shown = browser.open(served.page.address)
    shown.wait_until(IS_SHOWN)
    shown.go(other_site(tmp_path, served))
    read = f"fetch('http://127.0.0.1:{served.page.port}/api/report', {{credentials: 'include'}})"
    assert "Failed to fetch" in shown.evaluate(f"{read}.then(answer => answer.text(), error => String(error))")


def test_a_link_to_the_page_on_another_site_opens_it(served: Served, browser: Chromium, tmp_path: Path) -> None:
    shown = browser.open(other_site(tmp_path, served))
    shown.evaluate("document.querySelector('a').click()")
    shown.wait_until(f"document.getElementById('now') && {IS_SHOWN}")
    assert shown.evaluate("location.pathname + location.search") == "/"


def test_a_name_that_was_made_to_lead_here_gets_nothing(served: Served, browser: Chromium) -> None:
    address = served.page.address.replace("127.0.0.1", FOREIGN)
    shown = browser.open(address)
    assert shown.statuses == {address: 421}
    assert "first.fa" not in shown.text()


def test_who_lacks_the_token_sees_how_to_come_in_and_nothing_else(served: Served, browser: Chromium) -> None:
    shown = browser.open(f"http://127.0.0.1:{served.page.port}/")
    assert shown.text().startswith("open the address that was printed at the start")
    assert [served.page.status(path) for path in ("/", "/events", "/api/report", "/?token=x")] == [401] * 4
    assert served.page.ask("/", method="POST").status == 405
    assert served.page.get("/../../etc/passwd")[0] == 404


def test_connections_that_send_nothing_keep_nobody_out_for_long(served: Served) -> None:
    half_open = [socket.create_connection(("127.0.0.1", served.page.port)) for _ in range(300)]
    for connection in half_open:
        try:
            connection.send(b"GET / HT")
        except OSError:
            pass  # it is one of those that were turned away

    def is_served() -> bool:
        try:
            return served.page.status("/healthz") == 200
        except OSError:
            return False

    wait_until(is_served, "the half-open connections are given up")
    for connection in half_open:
        connection.close()


def test_the_page_says_when_its_figures_are_old(lab: Lab, browser: Chromium) -> None:
    bus = Bus(lab)
    monitor = lab.start("monitor", "bus", "--no-dashboard", "--interval", "0.1", "--http", "0")
    shown = browser.open(address_of(monitor))
    shown.wait_until(IS_SHOWN)
    assert shown.evaluate("document.getElementById('contact').innerText").startswith("live,")
    monitor.signal(signal.SIGKILL)
    shown.wait_until(
        "document.getElementById('contact').innerText.startsWith('No contact; the figures are old, of ')"
    )
    bus.stop()
