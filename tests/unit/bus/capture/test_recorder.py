"""A bus recorded into a capture: each event once, at the time when it was published."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.captures import read_all, some_frames
from tests.support.limited_disk import LimitedDisk
from virnucpro_bus.capture.recorder import Recorder
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.events.vocabulary import CaptureHole


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "copy.vbus"


def late_clock() -> ManualClock:
    """A clock that stands an hour after the events of `some_frames`."""
    clock = ManualClock()
    clock.advance(3600)
    return clock


def recorded(path: Path, *batches: list[bytes], clock: ManualClock | None = None) -> Recorder:
    with Recorder(path, clock or late_clock()) as recorder:
        for frames in batches:
            recorder.record(frames)
    return recorder


def test_each_event_is_recorded_once_in_the_order_in_which_it_came(path: Path) -> None:
    frames = some_frames(20)
    recorder = recorded(path, frames[:8], frames[5:12], frames)
    assert [record.frame for record in read_all(path)] == frames
    assert (recorder.recorded, recorder.lost) == (20, 0)


def test_what_is_known_to_be_missing_is_counted_until_it_comes(path: Path) -> None:
    frames = some_frames(20)
    with Recorder(path, late_clock()) as recorder:
        recorder.record(frames[:5] + frames[9:])
        assert (recorder.recorded, recorder.lost) == (16, 4)
        recorder.record(frames)
        assert (recorder.recorded, recorder.lost) == (20, 0)


def test_what_is_not_an_event_is_not_recorded(path: Path) -> None:
    frames = some_frames(2)
    assert recorded(path, [frames[0], b"\xc1", b"", frames[1]]).recorded == 2
    assert [record.frame for record in read_all(path)] == frames


def test_history_has_the_times_at_which_it_was_published(path: Path) -> None:
    frames = some_frames(5)
    recorded(path, frames)
    assert [record.received_ns for record in read_all(path)] == [decode(frame).wall_ns for frame in frames]


def test_times_never_go_back_nor_beyond_now(path: Path) -> None:
    frames, clock = some_frames(5), ManualClock()
    clock.advance(3.5)
    recorded(path, [frames[2], frames[0], frames[4], frames[3]], clock=clock)
    third_ns, now_ns = decode(frames[2]).wall_ns, clock.wall_ns()
    assert now_ns - third_ns < NANOSECONDS
    assert [record.received_ns for record in read_all(path)] == [third_ns, third_ns, now_ns, now_ns]


def test_a_file_that_is_there_is_not_overwritten(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(UserError, match="not overwritten"):
        Recorder(path, late_clock())
    assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be written: No such file"):
        Recorder(tmp_path / "nowhere" / "copy.vbus", late_clock())


def test_a_full_disk_is_reported_and_recording_resumes_when_there_is_room(path: Path) -> None:
    frames, clock, disk = some_frames(20), late_clock(), LimitedDisk()
    with Recorder(path, clock, disk) as recorder:
        recorder.record(frames[:5])
        disk.limit_bytes = path.stat().st_size + 10
        recorder.record(frames[5:9])
        assert "recording has stopped" in str(recorder.notice())
        assert (recorder.recorded, recorder.lost) == (5, 4)
        disk.limit_bytes = None
        clock.advance(2)
        recorder.record([])
        assert "4 events were not recorded" in str(recorder.notice())
        recorder.record(frames[9:])
        assert recorder.notice() is None
    assert (recorder.recorded, recorder.lost) == (16, 4)
    found = read_all(path)
    assert [record.frame for record in found if record.frame in frames] == frames[:5] + frames[9:]
    (hole,) = [decode(record.frame) for record in found if record.frame not in frames]
    assert isinstance(hole.event, CaptureHole)
    assert hole.mono_ns == clock.mono_ns()
    assert [record.received_ns for record in found] == sorted(record.received_ns for record in found)


def test_a_sieve_counts_what_it_lets_through_and_what_it_refuses() -> None:
    frames, sieve = some_frames(6), Deduplicator()
    assert sieve.filter([frames[4], b"\xc1", frames[4], frames[1]]) == [frames[4], frames[1]]
    assert (sieve.accepted, sieve.lost, sieve.refused.total()) == (2, 3, 1)
