"""A capture played again: the same events, at the recorded pace or at once, under the recording's clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from captures import some_frames, spans, write_capture

from virnucpro_bus.capture import Record
from virnucpro_bus.clock import NANOSECONDS, ManualClock, SystemClock
from virnucpro_bus.errors import CaptureError
from virnucpro_bus.fleet import FleetState
from virnucpro_bus.replay import Replay, fold_capture

RATES = [None, 1e6]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


def played(replay: Replay) -> list[bytes]:
    """All frames until the end."""
    frames: list[bytes] = []
    while not replay.ended:
        frames += replay.receive(0.5)[0]
    return frames


@pytest.mark.parametrize("rate", RATES)
def test_everything_comes_in_order_and_then_it_has_ended(path: Path, rate: float | None) -> None:
    frames = some_frames(200)
    write_capture(path, frames)
    replay = Replay(path, SystemClock(), rate)
    assert not replay.ended
    assert played(replay) == frames
    assert replay.ended
    assert replay.receive(10.0)[0] == []


@pytest.mark.parametrize("rate", RATES)
def test_at_the_end_the_clock_shows_the_last_record(path: Path, rate: float | None) -> None:
    records = write_capture(path, some_frames(20))
    replay = Replay(path, SystemClock(), rate)
    assert replay.wall_ns() == replay.mono_ns() == records[0].received_ns
    played(replay)
    assert replay.wall_ns() == replay.mono_ns() == records[-1].received_ns


@pytest.mark.parametrize("rate", RATES)
def test_frames_come_with_the_time_at_which_they_were_recorded(path: Path, rate: float | None) -> None:
    write_capture(path, some_frames(20))
    replay = Replay(path, SystemClock(), rate)
    while not replay.ended:
        _, received_ns = replay.receive(0.5)
        assert received_ns == replay.mono_ns()


@pytest.fixture
def paced(path: Path) -> tuple[list[Record], ManualClock, Replay]:
    """Ten records a second apart, played at twice the pace."""
    records, clock = write_capture(path, some_frames(10)), ManualClock()
    return records, clock, Replay(path, clock, 2.0)


def test_paced_it_gives_what_is_due_and_no_more(paced: tuple[list[Record], ManualClock, Replay]) -> None:
    records, clock, replay = paced
    assert replay.receive(0.0)[0] == [records[0].frame]
    assert replay.receive(0.0)[0] == []
    clock.advance(1.0)
    assert replay.receive(0.0)[0] == [record.frame for record in records[1:3]]
    clock.advance(100)
    assert replay.receive(0.0)[0] == [record.frame for record in records[3:]]
    assert replay.ended


def test_paced_its_clock_goes_on_between_records(paced: tuple[list[Record], ManualClock, Replay]) -> None:
    records, clock, replay = paced
    clock.advance(0.2)
    replay.receive(0.0)
    assert replay.wall_ns() == records[0].received_ns + round(0.4 * NANOSECONDS)


def test_an_empty_capture_has_ended_before_it_began(path: Path) -> None:
    write_capture(path, [])
    replay = Replay(path, SystemClock())
    assert replay.ended
    assert replay.receive(5.0)[0] == []
    assert fold_capture(path, SystemClock()).report()["devices"] == []


def test_damage_in_the_middle_is_passed_over(path: Path) -> None:
    records = write_capture(path, some_frames(50))
    data = bytearray(path.read_bytes())
    start, stop = spans(records)[10][0], spans(records)[30][1]
    data[start:stop] = bytes(stop - start)
    path.write_bytes(data)
    assert played(Replay(path, SystemClock(), None)) == [record.frame for record in records[:10] + records[31:]]


def test_more_than_a_megabyte_of_damage_is_passed_over(path: Path) -> None:
    records = write_capture(path, some_frames(4))
    data, (_, middle) = path.read_bytes(), spans(records)[1]
    path.write_bytes(data[:middle] + bytes(3 << 20) + data[middle:])
    assert played(Replay(path, SystemClock(), None)) == [record.frame for record in records]


def test_folding_a_capture_is_feeding_all_its_frames(path: Path) -> None:
    records = write_capture(path, some_frames(300))
    clock = ManualClock(mono=records[-1].received_ns)
    fleet = FleetState(clock)
    fleet.feed([record.frame for record in records], clock.mono_ns())
    assert fold_capture(path, SystemClock()).report() == fleet.report()


@pytest.mark.parametrize("rate", RATES)
def test_a_file_that_is_no_capture_is_refused(path: Path, rate: float | None) -> None:
    path.write_text("no capture")
    with pytest.raises(CaptureError):
        Replay(path, SystemClock(), rate)
