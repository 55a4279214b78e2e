"""Hosts whose clocks are off: nothing that is shown may depend on it, but it is said."""

from __future__ import annotations

from operator import attrgetter

import pytest

from tests.support.fleets import GPU, fed, worked
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

HOUR_NS = 3600 * NANOSECONDS


@pytest.mark.parametrize("off_ns", [-HOUR_NS // 4, 0, HOUR_NS, 40_000 * HOUR_NS])
def test_a_clock_that_is_far_off_changes_no_rate_and_no_state(off_ns: int) -> None:
    script = worked("there", clock_off_ns=off_ns)
    clock = ManualClock()
    fleet = fed(clock, script)
    clock.advance(1)
    (row,) = fleet.get_gpu_metrics()
    assert (row["throughput"], row["state"]) == (20.0, "idle")
    clock.advance(5)
    (row,) = fleet.get_gpu_metrics()
    assert (row["throughput"], row["state"]) == (10.0, "silent")


def test_a_late_batch_does_not_set_the_clock_of_its_host_back() -> None:
    script, clock = worked("there", clock_off_ns=HOUR_NS), ManualClock()
    fleet = fed(clock, script)
    clock.advance(6)
    script.say("w0", ev.FileStarted(GPU.key, "b.fa"), after_seconds=1)
    fleet.feed(script.frames(), clock.mono_ns())
    assert fleet.get_gpu_metrics()[0]["throughput"] == 10.0


def test_the_clock_of_this_host_needs_no_comparison() -> None:
    script = worked("here")
    fleet = FleetState(script.clock, "here")
    fleet.feed(script.frames(), None)
    script.clock.advance(6)
    assert fleet.get_gpu_metrics()[0]["throughput"] == 10.0


def test_history_alone_is_seen_as_of_its_last_event() -> None:
    clock = ManualClock()
    fleet = FleetState(clock, "here")
    fleet.feed(worked("there").frames(), None)
    clock.advance(1_000)
    assert fleet.get_gpu_metrics()[0]["throughput"] == 25.0


def test_every_host_of_a_mixed_batch_has_its_clock_compared() -> None:
    clock = ManualClock()
    first, second = worked("alpha", clock_off_ns=HOUR_NS), worked("beta", clock_off_ns=-HOUR_NS // 4)
    fleet = FleetState(clock, "here")
    fleet.feed(first.frames() + second.frames(), clock.mono_ns())
    clock.advance(6)
    assert [row["throughput"] for row in fleet.get_gpu_metrics()] == [10.0, 10.0]


def test_in_a_replay_the_recordings_clock_rules() -> None:
    script, recording = worked("there"), ManualClock(mono=1_700_000_000 * NANOSECONDS)
    fleet = fed(recording, script, local_host=None)
    recording.advance(6)
    assert fleet.get_gpu_metrics()[0]["throughput"] == 10.0


def test_one_event_at_a_time_gives_what_frames_give() -> None:
    clock, script = ManualClock(), worked("there", clock_off_ns=HOUR_NS)
    fleet = FleetState(clock, "here")
    took = [fleet.apply(envelope, clock.mono_ns()) for envelope in script.envelopes * 2]
    assert took == [True] * 3 + [False] * 3
    assert fleet.report()["totals"] == fed(clock, script).report()["totals"]


# Wall clocks.


def told(host: str, *, wall_off_seconds: int = 0, after_seconds: float = 0.0) -> Script:
    """A host that has worked, and told of a steal and a notice, when `after_seconds` had passed."""
    script = Script(host=host)
    script.clock.wall += wall_off_seconds * NANOSECONDS
    script.clock.advance(after_seconds)
    script.say("w0", ev.FileCompleted(GPU.key, "a.fa", 1, 100, 4.0))
    script.say("w0", ev.WorkStolen(GPU.key, "GPU-b", f"{host}.fa", 1, script.clock.wall_ns()))
    script.say("w0", ev.Heartbeat(GPU.key, "idle", 1, 0, 100, 1, 0))
    script.say("coordinator", ev.Notice(f"said on {host}"))
    return script


def seen(*scripts: Script, local_host: str | None = "here") -> FleetState:
    """What a viewer knows who has received each word when it was said."""
    clock = ManualClock()
    fleet = FleetState(clock, local_host)
    for envelope in sorted((said for each in scripts for said in each.envelopes), key=attrgetter("mono_ns")):
        clock.advance((envelope.mono_ns - clock.mono_ns()) / NANOSECONDS)
        fleet.apply(envelope, clock.mono_ns())
    return fleet


@pytest.mark.parametrize("off_seconds", [-3600, 3600, 86_400])
def test_a_wall_clock_that_is_far_off_changes_no_order_and_no_time(off_seconds: int) -> None:
    def fleet(off_seconds: int) -> FleetState:
        return seen(told("here"), told("there", wall_off_seconds=off_seconds, after_seconds=3), told("third"))

    wrong, right = fleet(off_seconds), fleet(0)
    assert {**wrong.report(), "problems": []} == right.report()
    assert wrong.notices() == right.notices()
    assert [steal["host"] for steal in wrong.get_recent_steal_events()] == ["here", "third", "there"]
    assert right.stream_warnings() == []


@pytest.mark.parametrize(
    ("off_seconds", "words"), [(3600, "1h00m ahead of"), (-90, "1m30s behind"), (2, "2.0 s ahead of")]
)
def test_a_wall_clock_that_is_off_is_remarked_on(off_seconds: int, words: str) -> None:
    fleet = seen(told("here"), told("there", wall_off_seconds=off_seconds))
    warning = f"the clock of there is {words} this machine's; times are shown by this machine's clock"
    assert fleet.stream_warnings() == [warning]


def test_a_wall_clock_that_is_off_by_a_second_is_let_be() -> None:
    fleet = seen(told("there", wall_off_seconds=1))
    assert fleet.stream_warnings() == []
    assert fleet.notices()[0][0] == ManualClock().wall_ns() + NANOSECONDS


def test_the_wall_clock_of_this_host_is_ours_by_definition() -> None:
    assert seen(told("here", wall_off_seconds=3600)).stream_warnings() == []


def test_of_a_host_known_from_history_alone_the_wall_clock_is_not_judged() -> None:
    clock = ManualClock()
    fleet = FleetState(clock, "here")
    fleet.feed(told("gone", wall_off_seconds=-3600).frames(), None)
    fleet.feed(told("here").frames(), clock.mono_ns())
    assert fleet.stream_warnings() == []


def test_each_host_of_a_batch_is_compared_at_the_times_of_its_own_events() -> None:
    """So a late viewer reads at once what was recorded within an hour."""
    clock = ManualClock()
    fleet = FleetState(clock)
    began_ns = clock.mono_ns()
    clock.advance(3600)
    gone, other = told("gone").frames(), told("other", after_seconds=3600).frames()
    refused = [b"no event"]
    times = [began_ns] * (len(refused) + len(gone)) + [clock.mono_ns()] * len(other)
    fleet.feed(refused + gone + other, times)
    assert fleet.stream_warnings() == ["frames that are not events (not-messagepack): 1"]
    assert [row["state"] for row in fleet.get_gpu_metrics()] == ["silent", "unused", "idle", "unused"]
    rates = [row["throughput"] for row in fleet.get_gpu_metrics() if row["throughput"]]
    assert rates == [100 / 3604, 25.0]


def test_times_are_ours_also_of_a_host_of_which_nothing_but_a_notice_is_known() -> None:
    script, clock = Script(host="there"), ManualClock()
    script.clock.wall += HOUR_NS
    script.say("coordinator", ev.Notice("hello"))
    fleet = fed(clock, script)
    assert fleet.stream_warnings() == []
    assert fleet.notices() == [(clock.wall_ns(), "hello")]


@pytest.mark.parametrize("step_seconds", [-600, 600])
def test_when_a_wall_clock_is_set_times_before_and_after_are_ours(step_seconds: int) -> None:
    script, right = told("there"), told("there")
    script.clock.wall += step_seconds * NANOSECONDS
    for each in (script, right):
        each.say("w0", ev.WorkStolen(GPU.key, "GPU-b", "b.fa", 1, each.clock.wall_ns()), after_seconds=5)
        each.say("w0", ev.FileCompleted(GPU.key, "b.fa", 1, 100, 4.0))
    assert {**seen(script).report(), "problems": []} == seen(right).report()
