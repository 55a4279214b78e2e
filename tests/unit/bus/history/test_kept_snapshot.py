"""The snapshot that viewers read piece by piece: of one moment, shared, and not kept for ever."""

from __future__ import annotations

import pytest

from tests.support.captures import some_frames
from tests.support.snapshots import dumped
from virnucpro_bus.capture.records import HEADER, MAGIC, VERSION, pack_record
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history.kept_snapshot import KEPT_NS, SHARED_NS
from virnucpro_bus.history.protocol import HelloReply, parse_snapshot, parse_snapshot_piece, snapshot_request
from virnucpro_bus.history.server import HistoryServer

FRAMES = some_frames(6_000)
PIECE_BYTES = 5_000


class Recorded:
    """A capture in memory."""

    now_ns = 0

    def __init__(self, frames: list[bytes]) -> None:
        self.data = HEADER.pack(MAGIC, VERSION, 0)
        self.append(frames)

    @property
    def size_bytes(self) -> int:
        return len(self.data)

    def append(self, frames: list[bytes]) -> None:
        self.data += b"".join(pack_record(frame, 1) for frame in frames)

    def read(self, offset: int, limit: int) -> bytes:
        return self.data[offset : offset + limit]


class Bus:
    """A hub's history, of which 3,000 frames are folded, with the clock by which it forgets."""

    def __init__(self) -> None:
        self.clock, self.capture = ManualClock(), Recorded(FRAMES[:3_000])
        self.server = HistoryServer(
            self.capture, lambda: HelloReply("run", "node", ""), self.clock, snapshot_piece_bytes=PIECE_BYTES
        )
        self.server.fold_all()

    def ask(self, viewer: Viewer, *request: bytes) -> list[bytes]:
        answer = self.server.answer(str(id(viewer)).encode(), request)
        assert answer is not None
        return answer


class Viewer:
    """One that reads a snapshot."""

    def __init__(self, bus: Bus) -> None:
        self.bus, start = bus, parse_snapshot(bus.ask(self, b"snapshot"))
        assert start is not None
        self.id, self.offset, self.data = start

    def read(self) -> bytes:
        request = snapshot_request(self.id, len(self.data))
        piece = parse_snapshot_piece(self.bus.ask(self, *request), request)
        self.data += piece
        return piece

    def read_all(self) -> bytes:
        while self.read():
            pass
        return self.data


def fold_of(frames: list[bytes]) -> bytes:
    fleet = FleetState(ManualClock())
    fleet.feed(frames, 1)
    return dumped(fleet)


def test_it_is_the_fold_of_one_moment_whatever_is_recorded_while_it_is_read() -> None:
    bus = Bus()
    viewer = Viewer(bus)
    assert len(viewer.data) == PIECE_BYTES
    for at in range(3_000, 6_000, 1_000):
        bus.capture.append(FRAMES[at : at + 1_000])
        bus.server.advance_fold()
        assert len(viewer.read()) == PIECE_BYTES
    assert viewer.read_all() == fold_of(FRAMES[:3_000])
    assert bus.capture.data[viewer.offset :] == Recorded(FRAMES[3_000:]).data[HEADER.size :]


def test_what_was_recorded_meanwhile_is_in_the_next_one() -> None:
    bus = Bus()
    first = Viewer(bus)
    bus.capture.append(FRAMES[3_000:])
    first.read_all()
    for _ in range(10):
        bus.server.advance_fold()
    second = Viewer(bus)
    assert (second.read_all(), second.offset) == (fold_of(FRAMES), bus.capture.size_bytes)


def test_viewers_that_join_at_the_same_time_share_one_and_a_later_one_does_not() -> None:
    bus = Bus()
    first = Viewer(bus)
    bus.clock.advance(1)
    second = Viewer(bus)
    assert (second.id, second.read_all()) == (first.id, first.read_all())
    assert Viewer(bus).id != first.id


def test_a_viewer_that_asks_for_the_end_twice_has_left_once() -> None:
    bus = Bus()
    first, second = Viewer(bus), Viewer(bus)
    first.read_all()
    assert first.read() == b""
    assert Viewer(bus).id == second.id


def test_one_that_is_read_without_end_is_not_shared_without_end() -> None:
    bus = Bus()
    slow = Viewer(bus)
    for _ in range(SHARED_NS // KEPT_NS + 1):
        bus.clock.advance(KEPT_NS / 1e9)
        slow.read()
    assert Viewer(bus).id != slow.id
    with pytest.raises(SnapshotError, match="no longer kept"):
        slow.read()


def test_one_that_nobody_reads_is_dropped_and_the_fold_goes_on() -> None:
    bus = Bus()
    gone = Viewer(bus)
    bus.capture.append(FRAMES[3_000:])
    bus.clock.advance(KEPT_NS / 1e9 + 1)
    for _ in range(10):
        bus.server.advance_fold()
    with pytest.raises(SnapshotError, match="no longer kept"):
        gone.read()
    assert Viewer(bus).read_all() == fold_of(FRAMES)


def test_the_totals_of_all_that_is_recorded_do_not_wait_for_a_viewer() -> None:
    bus = Bus()
    Viewer(bus)
    bus.capture.append(FRAMES[3_000:])
    assert bus.server.fold_all().get_totals()["files_completed"] == 6_000


@pytest.mark.parametrize("parts", [[b"x", b"-1"], [b"x", b""], [b"x"], [b"x", b"1" * 30], [b"", b"0", b"0"]])
def test_a_malformed_request_is_unknown(parts: list[bytes]) -> None:
    assert Bus().server.answer(b"viewer", [b"snapshot", *parts]) is None


@pytest.mark.parametrize("answer", [[], [b"12", b"fold"], [b"id", b"x", b"data"], [b"id", b"12", b""]])
def test_an_answer_that_is_none_of_this_version_holds_no_snapshot(answer: list[bytes]) -> None:
    assert parse_snapshot(answer) is None


@pytest.mark.parametrize("answer", [[], [b"id"], [b"id", b"8", b"data"], [b"other", b"9", b"data"], [b"id", b"9"]])
def test_an_answer_to_another_request_is_no_piece(answer: list[bytes]) -> None:
    with pytest.raises(SnapshotError):
        parse_snapshot_piece(answer, snapshot_request(b"id", 9))
