"""`--http` of the commands: the page is there as long as they are, and what they do does not depend on it."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path

from tests.support.lab import Lab, Started
from tests.support.run_files import Gates, small_files
from tests.support.terminal import Terminal
from tests.support.web import Page


def page_of(started: Started) -> Page:
    """The page of which the command has printed the address."""
    started.until_it_says("live page: http")
    return Page(started.stderr.partition("live page: ")[2].splitlines()[0])


def test_a_run_that_is_over_is_served_in_its_last_state_until_ctrl_c(finished: Path, lab: Lab) -> None:
    monitor = lab.start("monitor", finished, "--http", "0", "--json")
    page = page_of(monitor)
    monitor.until_it_says("the run is over; its page is still served")
    assert page.get("/healthz") == (200, "ok finished\n")
    assert json.loads(page.get("/api/report")[1]) == json.loads(monitor.stdout)
    assert next(page.figures())["end"] == "finished"
    assert "virnucpro_run_finished" in page.get("/metrics")[1]
    taken = lab.run("monitor", finished, "--no-dashboard", "--http", str(page.port))
    assert taken.wait() == 2
    assert taken.stderr.splitlines() == [
        f"virnucpro-bus: 127.0.0.1:{page.port}: another process listens there; "
        "choose another port, or 0 for any free one"
    ]
    monitor.signal(signal.SIGINT)
    assert monitor.wait() == 128 + signal.SIGINT


def test_a_run_serves_a_page_as_long_as_it_lasts_and_delivers_its_end(lab: Lab) -> None:
    gates = Gates(lab.folder / "gates")
    gates.close(*small_files(lab.folder / "in", 4))
    job = ("--job", "user_jobs:gated", "--job-option", gates.option, "--devices", "cpu:2", "--interval", "0.2")
    run = lab.start(
        "run",
        "in",
        "--out",
        "out",
        *job,
        "--no-dashboard",
        "--http",
        f"unix:{lab.folder}/s",
        "--listen",
        "tcp://127.0.0.1:*",
    )
    run.until_it_says("live page: http://localhost:8765/?token=")
    run.until(lambda: len(gates.waiting()) == 2, "it works")
    assert (lab.folder / "s").is_socket()
    gates.open()
    assert run.wait() == 0
    assert not (lab.folder / "s").exists()
    secret = run.stderr.partition("?token=")[2].partition(",")[0]
    kept = [path for path in (lab.folder / "out").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if secret.encode() in path.read_bytes()] == [], "the token is in no file"


def test_a_run_whose_port_is_taken_is_drawn_and_logged_without_a_page(lab: Lab) -> None:
    gates = Gates(lab.folder / "gates")
    gates.close(*small_files(lab.folder / "in", 4))
    job = ("--job", "user_jobs:gated", "--job-option", gates.option, "--devices", "cpu:2", "--interval", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        terminal = Terminal(lab, "run", "in", "--out", "out", *job, "--http", str(port))
        terminal.until(
            lambda: terminal.full_screen and "another process listens" in terminal.picture(), "it draws"
        )
        gates.open()
        assert terminal.wait() == 0
    assert (lab.folder / "out" / "gpu_metrics.log").exists()


def test_a_hub_serves_a_page_and_ends_it(lab: Lab) -> None:
    hub = lab.start("hub", "bus", "--http", "0")
    page = page_of(hub)
    assert page.get("/healthz")[0] == 200
    assert "live page" not in hub.stdout, "a shell evaluates what is printed there"
    served = hub.child("--http")
    hub.signal(signal.SIGINT)
    assert hub.wait() == 0
    assert served not in lab.processes()


def test_a_hub_whose_page_cannot_be_served_continues(lab: Lab) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        hub = lab.start("hub", "bus", "--http", str(other.getsockname()[1]))
        hub.until_it_says("another process listens there")
        hub.until_it_says("the live page has ended, but the bus continues")
        hub.signal(signal.SIGINT)
        assert hub.wait() == 0
