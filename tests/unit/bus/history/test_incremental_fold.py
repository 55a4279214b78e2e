"""The fold of a capture that is being written, and what a viewer that takes it over still has to read."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import some_frames, spans, write_capture
from tests.support.runs import MadeRun, made_runs
from virnucpro_bus.capture.records import HEADER, MAGIC, VERSION, RecordScanner, pack_record
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.server import IncrementalFold
from virnucpro_bus.snapshot.format import unpack


def capture_of(frames: list[bytes]) -> bytes:
    return HEADER.pack(MAGIC, VERSION, 0) + b"".join(pack_record(frame, 0) for frame in frames)


def read_into(fleet: FleetState, data: bytes, scanner: RecordScanner) -> None:
    records = scanner.feed(data) + scanner.finish()
    fleet.feed([record.frame for record in records], [record.received_ns for record in records])


def folded(data: bytes) -> FleetState:
    fleet = FleetState(ManualClock())
    read_into(fleet, data, RecordScanner())
    return fleet


class Growing:
    """The bytes of a capture, of which so many are written by now."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.written = 0

    def read(self, offset: int, limit: int) -> bytes:
        return self.data[offset : min(self.written, offset + limit)]


def taken_over(fold: IncrementalFold, data: bytes) -> FleetState:
    """Return the fold of a viewer that takes over the snapshot and reads `data` on from its offset."""
    offset, snapshot = fold.snapshot()
    fleet = FleetState(ManualClock())
    fleet.load(unpack(snapshot))
    read_into(fleet, data[offset:], RecordScanner())
    return fleet


def assert_that_at_any_cut_it_is_whole(draw: st.DataObject, data: bytes) -> None:
    growing = Growing(data)
    fold = IncrementalFold(growing.read, ManualClock())
    whole = folded(data)
    for written in sorted(draw.draw(st.lists(st.integers(0, len(data)), min_size=1, max_size=6))):
        growing.written = written
        limit = draw.draw(st.integers(1, len(data)))
        for _ in range(draw.draw(st.integers(0, 20))):
            fold.advance(limit)
        assert fold.snapshot()[0] <= written
        late = taken_over(fold, data)
        assert (late.report(), late.failures(), late.notices()) == (
            whole.report(),
            whole.failures(),
            whole.notices(),
        )


@given(draw=st.data(), run=made_runs())
def test_at_any_cut_and_in_any_slices_the_snapshot_and_the_rest_are_the_whole(
    draw: st.DataObject, run: MadeRun
) -> None:
    assert_that_at_any_cut_it_is_whole(draw, capture_of(run.script.frames()))


@given(draw=st.data(), run=made_runs())
def test_so_they_are_when_the_file_is_damaged(draw: st.DataObject, run: MadeRun) -> None:
    data = bytearray(capture_of(run.script.frames()))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data)))
        harm = draw.draw(st.binary(max_size=30))
        data[at : at + draw.draw(st.integers(0, 30))] = harm
    assert_that_at_any_cut_it_is_whole(draw, bytes(data))


def test_it_continues_where_it_was_and_returns_false_when_there_is_nothing_new() -> None:
    growing = Growing(capture_of(some_frames(5)))
    fold = IncrementalFold(growing.read, ManualClock())
    assert not fold.advance(1 << 20)
    growing.written = len(growing.data)
    assert fold.advance(1 << 20)
    assert not fold.advance(1 << 20)


def test_the_offset_is_where_the_first_record_begins_that_is_not_folded(tmp_path: Path) -> None:
    path = tmp_path / "run.vbus"
    places = spans(write_capture(path, some_frames(3)))
    growing = Growing(path.read_bytes())
    for start, stop in places:
        growing.written = stop - 1
        fold = IncrementalFold(growing.read, ManualClock())
        fold.advance(1 << 20)
        assert fold.snapshot()[0] == start
    assert [stop for _, stop in places[:-1]] == [start for start, _ in places[1:]]


def test_it_follows_a_capture_as_it_is_written(tmp_path: Path) -> None:
    frames = some_frames(30)
    with CaptureWriter(tmp_path / "run.vbus", ManualClock()) as writer:
        fold = IncrementalFold(writer.read, ManualClock())
        offsets = []
        for frame in frames:
            writer.append([frame])
            writer.flush()
            assert fold.advance(1 << 20)
            offsets.append(fold.snapshot()[0])
        assert offsets[-1] == writer.size_bytes
    assert all(earlier < later for earlier, later in pairwise(offsets))
    fleet = FleetState(ManualClock())
    fleet.load(unpack(fold.snapshot().pieces))
    assert fleet.get_totals()["files_completed"] == 30
