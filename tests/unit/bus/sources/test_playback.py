"""The fold of a replay is exact at every position, however it was moved there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import read_all, write_capture
from tests.support.runs import MadeRun, made_runs
from virnucpro_bus import events as ev
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.report import FleetReport
from virnucpro_bus.run_folder import RunFolder
from virnucpro_bus.sources.playback import Playback, fold_capture
from virnucpro_bus.sources.replay import Replay
from virnucpro_bus.testing import Script


def write_run(path: Path, run: MadeRun) -> None:
    """A capture of the run in which every event was received when it was published."""
    clock = ManualClock(run.script.envelopes[0].wall_ns, run.script.envelopes[0].mono_ns)
    with CaptureWriter(path, clock) as writer:
        for envelope in run.script.envelopes:
            clock.wall, clock.mono = envelope.wall_ns, envelope.mono_ns
            writer.append([encode(envelope)])


def settled(playback: Playback) -> FleetReport:
    """What is shown once it has caught up and taken what is due."""
    playback.step(0.0)
    playback.catch_up()
    return playback.fleet.report()


def folded_until(path: Path, seconds: float) -> FleetReport:
    """What the frames of the first so many seconds say, when it is that time."""
    records = read_all(path)
    at_ns = records[0].received_ns + round(seconds * NANOSECONDS)
    before = [record for record in records if record.received_ns <= at_ns]
    # As in a replay, both clocks are the recording's.
    clock = ManualClock(before[-1].received_ns, before[-1].received_ns)
    fleet = FleetState(clock)
    fleet.feed([record.frame for record in before], clock.mono_ns())
    if len(before) == len(records):
        fleet.break_off()
    # After the last record the clock does not advance.
    clock.wall = clock.mono = at_ns if len(before) < len(records) else before[-1].received_ns
    return fleet.report()


@given(run=made_runs(), places=st.lists(st.floats(0, 30), min_size=1, max_size=4))
def test_moved_forward_and_back_the_report_is_that_of_the_frames_before(
    tmp_path_factory: pytest.TempPathFactory, run: MadeRun, places: list[float]
) -> None:
    path = tmp_path_factory.mktemp("moved") / "run.vbus"
    write_run(path, run)
    start_ns = read_all(path)[0].received_ns
    # Looping, so that it does not end for good where it is moved behind its end.
    replay = Replay(path, ManualClock(), paused=True, loop=True)
    playback = Playback(replay)
    assert settled(playback) == folded_until(path, 0.0)
    for seconds in places:
        replay.skip(seconds - (replay.mono_ns() - start_ns) / NANOSECONDS)
        report = settled(playback)
        assert report == folded_until(path, (replay.mono_ns() - start_ns) / NANOSECONDS)


@given(run=made_runs(), seconds=st.floats(0, 30))
def test_folding_until_a_time_is_folding_what_comes_before(
    tmp_path_factory: pytest.TempPathFactory, run: MadeRun, seconds: float
) -> None:
    path = tmp_path_factory.mktemp("until") / "run.vbus"
    write_run(path, run)
    until = Playback(Replay(path, ManualClock(), None, until_seconds=seconds))
    until.run(lambda: False)
    expected = folded_until(path, int(seconds * NANOSECONDS) / NANOSECONDS)
    assert until.fleet.report() == fold_capture(path, ManualClock(), seconds).report() == expected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Four files of one worker, completed 1, 2, 3 and 4 s after the start; one GPU sample before them."""
    script = Script()
    script.say("sampler", ev.GpuSampled(ev.Device("GPU-a"), 50.0, None, 1, 2, None, None))
    for at in range(4):
        script.say("w0", ev.FileCompleted("GPU-a", f"{at}.fa", 1, 10, 1.0), after_seconds=1)
    write_capture(tmp_path / "run.vbus", script.frames())
    return tmp_path / "run.vbus"


def test_a_loop_starts_from_nothing_each_time(path: Path) -> None:
    clock = ManualClock()
    playback = Playback(Replay(path, clock, loop=True))
    seen = []
    for _ in range(40):
        playback.step(0.0)
        seen.append(playback.fleet.get_totals()["files_completed"])
        clock.advance(0.5)
    assert playback.replay.starts > 2
    assert max(seen) == 4
    assert seen.count(1) >= 3
    assert playback.fleet.get_totals()["events_lost"] == 0


def test_a_run_without_an_end_is_broken_off_at_the_end_of_its_recording_and_not_before(tmp_path: Path) -> None:
    script, device = Script(), ev.Device("cpu:0")
    script.say("coordinator", ev.RunStarted("job", "off", (device,), 2))
    script.say("worker-0", ev.FileStarted("cpu:0", "a.fa", 1), after_seconds=1)
    script.say("worker-0", ev.Heartbeat("cpu:0", "busy", 0, 0, 0, 0, 0), after_seconds=1)
    path = tmp_path / "run.vbus"
    write_capture(path, script.frames())

    def state(until_seconds: float | None = None, kinds: frozenset[str] | None = None) -> tuple[str, bool]:
        playback = Playback(Replay(path, ManualClock(), None, until_seconds=until_seconds), kinds)
        playback.run(lambda: False)
        (row,) = playback.fleet.get_gpu_metrics()
        return row["state"], playback.fleet.is_broken_off

    assert state() == state(60) == ("stopped", True)
    assert state(1.5) == ("busy", False)
    # Whether it has an end is unknown without the events that say so.
    assert state(kinds=frozenset({"run.started/", "file.started/"})) == ("busy", False)
    folder = RunFolder(tmp_path).claim()
    assert state() == ("busy", False)
    folder.release()
    script.say("coordinator", ev.RunFinished(0, 1, 1))
    path.unlink()
    write_capture(path, script.frames())
    assert state() == ("busy", False)


def test_moving_back_never_shows_less_than_there_is_in_between(path: Path) -> None:
    replay = Replay(path, ManualClock(), paused=True, from_seconds=3.5)
    playback = Playback(replay)
    settled(playback)
    replay.skip(-1.0)
    playback.step(0.0)
    shown = playback.fleet.get_totals()["files_completed"]
    assert shown == (3 if replay.catching_up else 2)
    assert settled(playback)["totals"]["files_completed"] == 2


def test_kinds_that_are_left_out_do_not_count_and_are_not_taken_for_lost(path: Path) -> None:
    playback = Playback(Replay(path, ManualClock(), None), frozenset({"gpu.sampled/"}))
    playback.run(lambda: False)
    report = playback.fleet.report()
    assert report["totals"]["files_completed"] == 0
    assert (report["totals"]["events_received"], report["totals"]["events_lost"]) == (5, 0)
    assert [device["compute_percent"] for device in report["devices"]] == [None]
    kept = Playback(Replay(path, ManualClock(), None), frozenset({"file.completed/"}))
    kept.run(lambda: False)
    assert kept.fleet.get_totals()["files_completed"] == 4


def test_a_replay_is_stopped_before_its_end(path: Path) -> None:
    playback = Playback(Replay(path, ManualClock(), paused=True))
    answers = iter([False, False, True])
    playback.run(lambda: next(answers))
    assert next(answers, None) is None
    assert not playback.replay.ended


def test_kinds_that_are_left_out_are_not_taken_for_unknown_ones(tmp_path: Path) -> None:
    script = Script()
    script.say("worker-0", ev.FileStarted("cpu:0", "a.fa", 1))
    script.say("worker-0", ev.FileCompleted("cpu:0", "a.fa", 1, 10, 1.0), after_seconds=1)
    path = tmp_path / "run.vbus"
    with CaptureWriter(path, script.clock) as writer:
        writer.append(script.frames())
    playback = Playback(Replay(path, ManualClock(), None), frozenset({"file.completed/"}))
    playback.run(lambda: False)
    assert playback.fleet.get_totals()["files_completed"] == 1
    assert playback.fleet.get_totals()["events_lost"] == 0
    assert playback.fleet.stream_warnings() == []
