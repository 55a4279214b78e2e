"""The live page over real sockets: what it serves, to how many, and for how long."""

from __future__ import annotations

import json
import re
import socket
import stat
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from monitor.web import handler, server
from tests.support.fleets import GPU, fed, sampled, worked
from tests.support.lab import wait_until
from tests.support.web import Page, served
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script


def announced(fleet: FleetState, exit_code: int | None = None) -> None:
    """The events of a launcher, also of its end where there is an exit code."""
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "cost", (GPU,), 3))
    if exit_code is not None:
        script.say("coordinator", ev.RunFinished(exit_code, 1, 0))
    fleet.feed(script.frames())


@pytest.fixture
def fleet() -> FleetState:
    return worked_fleet()


def worked_fleet() -> FleetState:
    return fed(ManualClock(), worked("node"), sampled("node"))


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A page of a fleet that nothing happens to."""
    with served(worked_fleet()) as page:
        yield page


@pytest.fixture
def changing(fleet: FleetState) -> Iterator[Page]:
    """A page of `fleet`."""
    with served(fleet) as page:
        yield page


def test_the_address_that_is_printed_opens_the_page_and_then_needs_no_token(page: Page) -> None:
    first = page.ask(page.address.removeprefix(f"http://127.0.0.1:{page.port}"), with_token=False)
    assert (first.status, first.headers["Location"]) == (303, "./")
    cookie = first.headers["Set-Cookie"].partition(";")[0]
    assert page.status("/", Cookie=cookie) == 200


def test_the_report_is_that_of_json(changing: Page, fleet: FleetState) -> None:
    status, text = changing.get("/api/report")
    assert (status, json.loads(text)) == (200, json.loads(json.dumps(fleet.report())))


def test_only_the_script_and_the_style_of_this_page_run_and_its_number_is_another_each_time(page: Page) -> None:
    answers = [page.ask("/") for _ in range(2)]
    nonces = []
    for answer in answers:
        policy, html = answer.headers["Content-Security-Policy"], answer.read().decode()
        nonces += re.findall(r"script-src 'nonce-([^']{20,})';", policy)
        assert re.findall(r'<(?:script|style) nonce="([^"]+)">', html) == [nonces[-1]] * 2
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert len(set(nonces)) == 2


@pytest.mark.parametrize("path", ["/", "/events", "/api/report", "/healthz", "/nothing"])
def test_no_answer_is_kept_framed_sniffed_or_shared_with_other_sites(page: Page, path: str) -> None:
    headers = page.ask(path, method="HEAD").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert [name for name in headers if name.lower().startswith("access-control")] == []
    assert headers["Server"] == "virnucpro-bus"


def test_metrics_are_served_in_the_format_that_is_asked_for(page: Page) -> None:
    plain, openmetrics = (
        page.ask("/metrics", {"Accept": kind}) for kind in ("*/*", "application/openmetrics-text")
    )
    assert plain.headers["Content-Type"].startswith("text/plain; version=")
    assert "virnucpro_files_completed_total{" in plain.read().decode()
    assert openmetrics.headers["Content-Type"].startswith("application/openmetrics-text")
    assert openmetrics.read().endswith(b"# EOF\n")


def test_head_has_the_length_of_the_content_without_it(page: Page) -> None:
    answer = page.ask("/healthz", method="HEAD")
    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "11", b"")


def test_health_is_the_state_of_the_run(changing: Page, fleet: FleetState) -> None:
    next(changing.figures())
    assert changing.get("/healthz") == (200, "ok running\n")
    announced(fleet, exit_code=0)
    next(figures for figures in changing.figures() if figures["end"])
    assert changing.get("/healthz") == (200, "ok ended early\n")


def test_a_viewer_is_sent_the_figures_and_again_when_they_change(changing: Page, fleet: FleetState) -> None:
    figures = changing.figures()
    assert next(figures)["total"] is None
    announced(fleet)
    assert next(each for each in figures if each["total"] is not None)["total"] == 3


def test_a_connection_in_which_nothing_happens_is_kept_alive_by_comments(
    fleet: FleetState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "SILENCE_SECONDS", 0.01)
    with served(fleet, interval_seconds=3600) as page:
        answer = page.ask("/events")
        lines = [answer.readline() for _ in range(6)]
    assert lines[0] == b"retry: 2000\n"
    assert lines[2].startswith(b"data: {")
    assert lines[4] == b": still here\n"


def test_a_viewer_is_sent_the_end_before_the_listener_closes(fleet: FleetState) -> None:
    with served(fleet, interval_seconds=3600) as page:
        figures = page.figures()
        next(figures)
        announced(fleet, exit_code=0)
    assert [each["end"] for each in figures] == ["ended early"]


def test_figures_that_cannot_be_made_are_reported_and_not_served_as_current(
    changing: Page, fleet: FleetState, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = changing.figures()
    next(figures)
    monkeypatch.setattr(fleet, "runs", lambda: 1 / 0)
    monkeypatch.setattr(fleet, "run_reports", lambda effects: 1 / 0)
    assert len(list(figures)) < 1000, "the stream ends"
    assert changing.get("/healthz") == (500, "the figures cannot be computed: ZeroDivisionError\n")
    assert changing.get("/api/report")[0] == 500
    monkeypatch.undo()
    wait_until(lambda: changing.status("/healthz") == 200, "figures can be made again")
    assert next(changing.figures())["title"] == "made-up"


def test_beyond_the_most_connections_others_are_turned_away_until_one_has_gone(
    fleet: FleetState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 2)
    with served(fleet) as page:
        held = [page.connect() for _ in range(2)]
        assert page.status("/healthz") == 503
        for connection in held:
            connection.close()
        wait_until(lambda: page.status("/healthz") == 200, "a place is free again")


def test_a_request_that_does_not_come_to_its_end_is_given_up(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "HEAD_SECONDS", 0.05)
    with page.connect() as half_open:
        half_open.sendall(b"GET / HTTP/1.1\r\nHost: local")
        assert half_open.recv(100) == b""


def test_too_many_viewers_leave_room_for_what_reads_once(
    fleet: FleetState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_VIEWERS", 1)
    with served(fleet) as page:
        figures = page.figures()
        next(figures)
        assert page.get("/events")[0] == 503
        assert page.status("/healthz") == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * (16 << 10), 431),
        (b"<script>alert(1)</script> / HTTP/9.9\r\n\r\n", 505),
        (b"<script>\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: localhost\n\n", 421),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nabc", 405),
    ],
)
def test_what_is_no_request_is_refused_without_repeating_it(page: Page, sent: bytes, status: int) -> None:
    with page.connect() as connection:
        connection.sendall(sent)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"script" not in answer


def test_a_port_that_is_taken_is_one_line(fleet: FleetState, page: Page) -> None:
    with (
        pytest.raises(UserError, match="another process listens there; choose another port"),
        served(fleet, str(page.port)),
    ):
        pass


def test_an_address_of_another_machine_is_one_line(fleet: FleetState, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    token.chmod(0o600)
    with (
        pytest.raises(UserError, match=r"192\.0\.2\.1:9101: is not an address of this machine"),
        served(fleet, "192.0.2.1:9101", token),
    ):
        pass


def test_beyond_the_machine_metrics_need_the_token_of_the_file_which_is_not_printed(
    fleet: FleetState, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    with served(fleet, "*:0", token) as page:
        assert "0123456789abcdef" not in page.address
        assert str(token) in page.address
        assert page.status("/healthz") == 401
        assert page.status("/healthz", Authorization="Bearer 0123456789abcdef") == 200


class _LocalConnection(HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def test_a_local_socket_is_for_its_owner_alone_and_removed_at_the_end(fleet: FleetState, tmp_path: Path) -> None:
    path = tmp_path / "page.sock"
    with served(fleet, f"unix:{path}") as page:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert f"ssh -N -L 8765:{path}" in page.address
        connection = _LocalConnection(path)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
    assert not path.exists()


def test_a_socket_of_a_killed_process_is_replaced_and_one_that_is_in_use_is_not(
    fleet: FleetState, tmp_path: Path
) -> None:
    path = tmp_path / "page.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with served(fleet, f"unix:{path}"):
        with pytest.raises(UserError, match="another process listens there"), served(fleet, f"unix:{path}"):
            pass
        assert path.exists()


def test_a_file_in_the_place_of_the_socket_stays(fleet: FleetState, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("precious")
    with pytest.raises(UserError, match="exists and is not a socket"), served(fleet, f"unix:{path}"):
        pass
    assert path.read_text() == "precious"
