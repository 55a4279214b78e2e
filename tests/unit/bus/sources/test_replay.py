"""A capture played again: the same events, at the recorded pace or at once, under the recording's clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import read_all, some_frames, spans, write_capture
from virnucpro_bus.capture.records import Record
from virnucpro_bus.clock import NANOSECONDS, ManualClock, SystemClock
from virnucpro_bus.errors import CaptureError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.sources.playback import fold_capture
from virnucpro_bus.sources.replay import FASTEST_RATE, LOOP_PAUSE_NS, SLOWEST_RATE, Replay

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
    at_first = replay.ended
    assert played(replay) == frames
    assert (at_first, replay.ended) == (False, True)
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
    records = write_capture(path, some_frames(20))
    replay = Replay(path, SystemClock(), rate)
    times: list[int] = []
    while not replay.ended:
        times += replay.receive(0.5)[1]
    assert times == [record.received_ns for record in records]


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
    clock = ManualClock(records[-1].received_ns, records[-1].received_ns)
    fleet = FleetState(clock)
    fleet.feed([record.frame for record in records], [record.received_ns for record in records])
    assert fold_capture(path, SystemClock()).report() == fleet.report()


@pytest.mark.parametrize("rate", RATES)
def test_a_file_that_is_not_a_capture_is_refused(path: Path, rate: float | None) -> None:
    path.write_text("no capture")
    with pytest.raises(CaptureError):
        Replay(path, SystemClock(), rate)


# Moved about: ten records a second apart, the first at 0 s, the last at 9 s.


def opened(path: Path, rate: float = 1.0, **options: Any) -> tuple[list[bytes], ManualClock, Replay]:
    frames, clock = some_frames(10), ManualClock()
    write_capture(path, frames)
    return frames, clock, Replay(path, clock, rate, **options)


def caught_up(replay: Replay) -> list[bytes]:
    """What is handed out at once."""
    frames = []
    while replay.catching_up:
        frames += replay.receive(0.0)[0]
    return frames


def at_seconds(path: Path, replay: Replay) -> float:
    return (replay.mono_ns() - read_all(path)[0].received_ns) / NANOSECONDS


def test_what_comes_before_its_beginning_is_handed_out_at_once(path: Path) -> None:
    frames, clock, replay = opened(path, from_seconds=3.5)
    assert caught_up(replay) == frames[:4]
    assert at_seconds(path, replay) == 3.5
    assert replay.receive(0.0)[0] == []
    clock.advance(0.5)
    assert replay.receive(0.0)[0] == [frames[4]]


def test_it_ends_at_until_seconds(path: Path) -> None:
    frames, _, replay = opened(path, from_seconds=3.5, until_seconds=5.5)
    assert caught_up(replay) == frames[:4]
    assert not replay.ended
    _, clock, replay = opened(path.with_suffix(".2"), until_seconds=5.5)
    clock.advance(100)
    assert replay.receive(0.0)[0] == frames[:6]
    assert replay.ended
    assert at_seconds(path, replay) == 5.5


def test_beginning_behind_the_end_is_the_end(path: Path) -> None:
    frames, _, replay = opened(path, from_seconds=100)
    assert caught_up(replay) == frames
    assert replay.ended
    assert at_seconds(path, replay) == 9


def test_paused_nothing_comes_and_its_clock_stands(path: Path) -> None:
    frames, clock, replay = opened(path, paused=True, from_seconds=2)
    assert caught_up(replay) == frames[:3]
    clock.advance(50)
    assert (replay.receive(0.0)[0], at_seconds(path, replay)) == ([], 2)
    replay.pause()
    clock.advance(1)
    assert replay.receive(0.0)[0] == [frames[3]]
    replay.pause()
    clock.advance(50)
    assert (replay.receive(0.0)[0], at_seconds(path, replay)) == ([], 3)


def test_the_rate_changes_from_where_it_stands(path: Path) -> None:
    frames, clock, replay = opened(path)
    clock.advance(2)
    assert replay.receive(0.0)[0] == frames[:3]
    replay.change_rate(2)
    clock.advance(1)
    assert replay.receive(0.0)[0] == frames[3:5]
    replay.change_rate(0.25)
    clock.advance(2)
    assert (replay.receive(0.0)[0], replay.rate) == ([frames[5]], 0.5)


def test_the_rate_stays_within_its_limits(path: Path) -> None:
    _, _, replay = opened(path)
    replay.change_rate(1e99)
    assert replay.rate == FASTEST_RATE
    replay.change_rate(0.0)
    assert replay.rate == SLOWEST_RATE


@pytest.mark.parametrize("paused", [True, False])
def test_forward_it_hands_out_what_lies_between(path: Path, paused: bool) -> None:
    frames, _, replay = opened(path, paused=paused, from_seconds=1)
    caught_up(replay)
    replay.skip(2.5)
    replay.skip(1)
    assert caught_up(replay) == frames[2:5]
    assert (at_seconds(path, replay), replay.starts) == (4.5, 1)


@pytest.mark.parametrize(("back", "place"), [(3.0, 4.5), (100.0, 0.0)])
def test_back_it_begins_again_and_hands_out_what_comes_before(path: Path, back: float, place: float) -> None:
    frames, _, replay = opened(path, paused=True, from_seconds=7.5)
    caught_up(replay)
    replay.skip(-back)
    assert (caught_up(replay), replay.starts) == (frames[: round(place)] + frames[4:5] * (place > 0), 2)
    assert at_seconds(path, replay) == place


def test_a_loop_pauses_at_the_end_and_starts_over_where_it_started(path: Path) -> None:
    frames, clock, replay = opened(path, from_seconds=7, loop=True)
    for starts in (1, 2, 3):
        assert caught_up(replay) == frames[:8]
        clock.advance(2)
        assert replay.receive(0.0)[0] == frames[8:]
        assert (replay.ended, replay.starts) == (False, starts)
        clock.advance(LOOP_PAUSE_NS / NANOSECONDS - 0.1)
        assert (replay.receive(0.0)[0], replay.starts) == ([], starts)
        clock.advance(0.1)
        assert (replay.receive(0.0)[0], replay.starts) == ([], starts + 1)


def test_a_loop_of_nothing_ends(path: Path) -> None:
    write_capture(path, [])
    assert Replay(path, ManualClock(), loop=True).ended


@given(
    moves=st.lists(st.tuples(st.sampled_from(["pause", "skip", "rate", "wait"]), st.floats(-12, 12)), max_size=20)
)
def test_however_it_is_moved_it_has_handed_out_exactly_what_comes_before_its_place(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("moved") / "run.vbus"
    frames, clock, replay = opened(path)
    records = read_all(path)
    out: list[bytes] = []
    starts = 1
    for what, much in [*moves, ("wait", 0.0)]:
        match what:
            case "pause":
                replay.pause()
            case "skip":
                replay.skip(much)
            case "rate":
                replay.change_rate(2.0 if much > 0 else 0.5)
            case _:
                clock.advance(abs(much))
        if replay.starts != starts:
            out, starts = [], replay.starts
        out += caught_up(replay)
        out += replay.receive(0.0)[0]
        assert out == [record.frame for record in records if record.received_ns <= replay.mono_ns()]
    assert out == frames[: len(out)]
