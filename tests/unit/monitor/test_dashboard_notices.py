"""The notices of a run reach every dashboard over the bus."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from monitor.dashboard import LoadBalancingDashboard
from virnucpro_bus.events.run_events import Notice, RunStarted
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script


def noticed(count: int) -> tuple[Script, FleetState]:
    script = Script()
    for number in range(count):
        script.say("coordinator", Notice(f"worker-{number} was killed"), after_seconds=1.0)
    fleet = FleetState(script.clock)
    fleet.feed(script.frames())
    return script, fleet


def test_the_last_ten_notices_are_kept_in_order() -> None:
    _, fleet = noticed(12)
    assert [text for _, text in fleet.notices()] == [f"worker-{number} was killed" for number in range(2, 12)]


def test_notices_that_arrive_in_any_order_end_in_theirs() -> None:
    script, fleet = noticed(12)
    other = FleetState(script.clock)
    other.feed(script.frames()[::-1])
    assert other.notices() == fleet.notices()


def test_a_resumed_run_does_not_show_the_notices_of_its_earlier_sessions() -> None:
    script = Script()
    script.say("sampler", Notice("no driver"))
    script.say("coordinator", RunStarted("job", "cost", (), 9))
    script.say("coordinator", Notice("the run ends early"))
    script.clock.advance(60)
    later = script.clock.wall_ns()  # as the launcher numbers its sessions
    script.say("coordinator", RunStarted("job", "cost", (), 9), epoch=later, after_seconds=1.0)
    script.say("coordinator", Notice("resuming"), epoch=later)
    script.say("sampler", Notice("no driver yet"), epoch=later, after_seconds=1.0)
    fleet = FleetState(script.clock)
    fleet.feed(script.frames()[::-1])
    assert [text for _, text in fleet.notices()] == ["resuming", "no driver yet"]


def test_undecodable_frames_are_a_stream_warning() -> None:
    script = Script()
    script.say("coordinator", Notice("all is well"))
    fleet = FleetState(script.clock)
    fleet.feed([script.frames()[0].replace(b"run.notice/", b"run.newest/"), b"garbage"])
    assert fleet.stream_warnings() == [
        "events of kinds that this version does not know: 1",
        "frames that are not events (not-messagepack): 1",
    ]


def test_the_dashboard_shows_the_latest_notice_first() -> None:
    script, fleet = noticed(3)
    screen = StringIO()
    console = Console(file=screen, width=100)
    LoadBalancingDashboard(fleet, fleet, log_file=None, console=console, clock=script.clock).show_once()
    shown = [line for line in screen.getvalue().splitlines() if "was killed" in line]
    assert [line.split()[2] for line in shown] == ["worker-2", "worker-1", "worker-0"]


def test_the_dashboard_names_the_sources_whose_events_were_lost() -> None:
    script, _ = noticed(5)
    fleet = FleetState(script.clock)
    fleet.feed([*script.frames()[:1], *script.frames()[3:]])
    screen = StringIO()
    console = Console(file=screen, width=100)
    LoadBalancingDashboard(fleet, fleet, log_file=None, console=console, clock=script.clock).show_once()
    assert "lost events: 2 of 5 (coordinator: 2)" in screen.getvalue()
