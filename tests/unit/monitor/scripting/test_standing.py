"""How a followed run stands: its state, its end line, its exit status."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.attach import FollowedBus
from monitor.scripting.standing import Standing, standing_of
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

CPU = Device("cpu:0")
STANDING = Standing("run1", Path("run1"), "finished", 0, "run-1", 9, 9, 0, 12.0)


def bus_with(*events: ev.Fact, failure: Exception | None = None, broken_off: bool = False) -> FollowedBus:
    script = Script(host="here")
    for event in events:
        script.say("coordinator", event)
    bus = FollowedBus("run1", ManualClock())
    bus.fleet = FleetState(script.clock)
    bus.fleet.feed(script.frames())
    if broken_off:
        bus.fleet.break_off()
    bus.failure = failure
    return bus


STARTED = ev.RunStarted("job", "cost", (CPU,), 9)
GONE = AddressError("gone")


@pytest.mark.parametrize(
    ("bus", "state", "status"),
    [
        (bus_with(STARTED), "loading", 1),
        (bus_with(STARTED, ev.RunFinished(0, 9, 0)), "finished", 0),
        (bus_with(STARTED, ev.RunFinished(3, 8, 1)), "finished", 3),
        (bus_with(STARTED, ev.RunFinished(143, 2, 0)), "interrupted", 143),
        (bus_with(STARTED, failure=GONE, broken_off=True), "broken off", 1),
        (bus_with(STARTED, failure=GONE), "unreachable", 1),
        (bus_with(ev.RunFinished(0, 0, 0)), "ended", 0),
        (bus_with(), "running", 1),
    ],
    ids=["loading", "done", "failed", "interrupted", "killed", "unreachable", "hub", "empty"],
)
def test_a_run_has_a_state_and_an_exit_status(bus: FollowedBus, state: str, status: int) -> None:
    standing = standing_of(bus)
    assert (standing.state, standing.status) == (state, status)
    assert standing.is_over == (state not in ("loading", "running"))


def test_a_run_that_ended_early_says_why() -> None:
    draining = ev.RunDraining("3 of 9 files have failed")
    assert standing_of(bus_with(STARTED, draining)).early is None
    assert standing_of(bus_with(STARTED, draining, ev.RunFinished(3, 2, 3))).early == draining.reason


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "run1: finished: 9 of 9 files done, 0 failed, in 12.0 s"),
        (
            {"exit_code": 3, "files_completed": 8, "files_failed": 1},
            "run1: finished with exit status 3: 8 of 9 files done, 1 failed, in 12.0 s",
        ),
        ({"state": "interrupted", "exit_code": 143}, "run1: interrupted by SIGTERM: 9 of 9 files done, 0 failed"),
        ({"state": "broken off", "exit_code": None}, "run1: broken off: 9 of 9 files done, 0 failed"),
        ({"files_total": None, "elapsed_seconds": None}, "run1: finished: 9 files done, 0 failed"),
        (
            {"exit_code": 3, "early": "3 files have failed"},
            "run1: finished with exit status 3: 9 of 9 files done, 0 failed, in 12.0 s; it ended early: 3 files",
        ),
        ({"target": "a\x1b[2J"}, r"a\x1b[2J: finished"),
    ],
)
def test_the_end_line_says_how_the_run_has_ended(changes: dict[str, object], line: str) -> None:
    assert replace(STANDING, **changes).line.startswith(line)  # type: ignore[arg-type]


def test_a_run_that_a_signal_has_ended_names_it_once() -> None:
    ended = replace(STANDING, state="interrupted", exit_code=138, early="SIGUSR1")
    assert ended.line.count("SIGUSR1") == 1


def test_the_launchers_status_counts_where_the_run_has_reported_none() -> None:
    unknown = replace(STANDING, state="unreachable", exit_code=None)
    assert (unknown.ended_with(2).state, unknown.ended_with(2).status) == ("finished", 2)
    assert unknown.ended_with(130).state == "interrupted"
    assert STANDING.ended_with(2) == STANDING


def test_a_run_whose_launcher_has_died_is_broken_off_even_if_it_could_not_be_joined() -> None:
    unknown = replace(STANDING, state="unreachable", exit_code=None)
    assert (unknown.ended_with(None).state, unknown.ended_with(None).status) == ("broken off", 1)
    assert STANDING.ended_with(None) == STANDING
