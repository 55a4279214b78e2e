"""The fold of a capture that gets most events as its hub has decoded them, and reads the others from the file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.captures import HEADER_BYTES, some_frames, spans, write_capture
from tests.support.limited_disk import LimitedDisk
from tests.support.runs import MadeRun, made_runs
from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.dedup import Deduplicator
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.history import noted_events
from virnucpro_bus.history.protocol import HelloReply
from virnucpro_bus.history.server import HistoryServer, IncrementalFold
from virnucpro_bus.snapshot.format import unpack

FOREIGN = msgpack.packb(["new.kind/", 2, "r", "node", "w", 1, 1, 1, 1, ["x"]])
HOSTILE = b"\xc1 not an event"
HELLO = HelloReply("run-1", "node", "ipc://sub", 0)


class Journal:
    """A capture with the fold that follows it, as a hub has them."""

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.clock, self.disk = ManualClock(), LimitedDisk()
        self.writer = CaptureWriter(path, self.clock, "run", host="node", disk=self.disk, resume=resume)
        self.fold = IncrementalFold(self._read, self.clock)
        self.reads: list[int] = []
        """The offsets from which the fold has read the file."""
        self._deduplicator = Deduplicator()

    def _read(self, offset: int, limit: int) -> bytes:
        self.reads.append(offset)
        return self.writer.read(offset, limit)

    def take_in(self, frames: list[bytes], *, keep: bool = False, note: bool = True) -> None:
        decoded: list[Envelope | Foreign] = []
        new = self._deduplicator.filter(frames, decoded=decoded)
        place = self.writer.append(new, keep=keep)
        if note:
            self.fold.noted.add(decoded, place)

    def advance(self) -> None:
        while self.fold.advance(1 << 20):
            pass

    def folded(self) -> FleetState:
        """The fold of a viewer that reads the file from its beginning."""
        fleet, scanner = FleetState(self.clock), RecordScanner()
        self._feed(fleet, scanner, 0)
        return fleet

    def taken_over(self) -> FleetState:
        """The fold of a viewer that takes over the snapshot, and reads the file from its offset."""
        offset, snapshot = self.fold.snapshot()
        fleet = FleetState(self.clock)
        fleet.load(unpack(snapshot))
        self._feed(fleet, RecordScanner(), offset)
        return fleet

    def _feed(self, fleet: FleetState, scanner: RecordScanner, offset: int) -> None:
        records = scanner.feed(self.writer.read(offset, 1 << 30))
        fleet.feed([record.frame for record in records], [record.received_ns for record in records])


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "run.vbus")


def test_an_event_that_was_decoded_is_not_read_again(journal: Journal) -> None:
    journal.advance()
    before = len(journal.reads)
    for frame in some_frames(20):
        journal.take_in([frame])
        journal.writer.flush()
        assert journal.fold.advance(1 << 20)
    assert len(journal.reads) == before
    assert journal.fold.snapshot().offset == journal.writer.size_bytes
    assert journal.taken_over().report() == journal.folded().report()


def test_the_last_few_events_wait_for_more_and_then_all_are_folded_together(journal: Journal) -> None:
    server = HistoryServer(journal.writer, lambda: HELLO, journal.clock, fold=journal.fold)
    journal.advance()
    offsets = set[int]()
    for frame in some_frames(1_000):
        journal.take_in([frame])
        journal.writer.flush()
        server.advance_fold()
        offsets.add(journal.fold.offset)
    assert 5 < len(offsets) < 50
    assert server.fold_all().get_totals()["events_received"] == 1_000


def test_it_is_folded_when_it_is_on_record_and_not_before(journal: Journal) -> None:
    journal.advance()
    journal.take_in(some_frames(3))
    assert not journal.fold.advance(1 << 20)
    assert journal.fold.snapshot().offset == HEADER_BYTES
    journal.writer.flush()
    assert journal.fold.advance(1 << 20)
    assert journal.fold.snapshot().offset == journal.writer.size_bytes


def test_while_the_fold_does_not_follow_no_more_than_so_many_events_are_kept(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noted_events, "MOST_BYTES", 5_000)
    for frame in some_frames(1_000):
        journal.take_in([frame])
        journal.writer.flush()
        assert journal.fold.noted.size_bytes < 5_000 + 500
    journal.advance()
    assert journal.fold.noted.size_bytes == 0
    assert journal.taken_over().report() == journal.folded().report()


def test_what_a_full_disk_did_not_take_is_not_folded_until_it_is_recorded(journal: Journal) -> None:
    frames = some_frames(10)
    journal.advance()
    journal.disk.limit_bytes = journal.writer.size_bytes + 10
    journal.take_in(frames[:4])
    journal.take_in(frames[4:], keep=True)
    journal.writer.flush()
    assert not journal.fold.advance(1 << 18)
    journal.disk.limit_bytes = None
    journal.clock.advance(1)
    journal.writer.flush()
    assert journal.fold.advance_to_end().get_totals()["events_received"] == 6 + 1
    assert journal.taken_over().report() == journal.folded().report()


def test_events_behind_damage_are_folded_when_the_damage_is_passed(tmp_path: Path) -> None:
    frames, path = some_frames(6), tmp_path / "run.vbus"
    second, _ = spans(write_capture(path, frames[:3]))[1]
    data = bytearray(path.read_bytes())
    data[second + 8 : second + 12] = (60_000).to_bytes(4, "little")  # the length of the second record
    path.write_bytes(data)
    journal = Journal(path, resume=True)
    journal.advance()
    journal.take_in(frames[3:])
    journal.writer.flush()
    assert journal.fold.advance_to_end().get_totals()["events_received"] == 1
    assert journal.taken_over().get_totals() == journal.folded().get_totals()


steps = st.lists(
    st.tuples(
        st.sampled_from(["noted", "kept", "not noted", "again", "limit", "no limit", "wait"]),
        st.integers(0, 20),
        st.booleans(),
        st.sampled_from([0, 500, 1 << 18]),
    ),
    min_size=15,
    max_size=40,
)
"""What happens, how much of it, whether the capture is flushed then, and how much is folded."""


@settings(max_examples=40)
@given(steps, made_runs())
def test_whatever_is_noted_and_whatever_the_disk_takes_the_fold_is_that_of_the_capture(
    steps: list[tuple[str, int, bool, int]], run: MadeRun
) -> None:
    frames = [FOREIGN, HOSTILE, *run.script.frames()]
    sent = 0
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "run.vbus")
        for what, amount, is_flushed, folded_bytes in [*steps, ("no limit", 0, True, 0), ("wait", 2, True, 0)]:
            match what:
                case "noted" | "kept" | "not noted":
                    part, sent = frames[sent : sent + amount], sent + amount
                    journal.take_in(part, keep=what == "kept", note=what != "not noted")
                case "again":
                    journal.take_in(frames[max(0, sent - amount) : sent])
                case "limit":
                    journal.disk.limit_bytes = journal.writer.size_bytes + 100 * amount
                case "no limit":
                    journal.disk.limit_bytes = None
                case "wait":
                    journal.clock.advance(amount)
            if is_flushed:
                journal.writer.flush()
            if folded_bytes:
                journal.fold.advance(folded_bytes)
                assert journal.taken_over().get_totals() == journal.folded().get_totals()
        whole = journal.fold.advance_to_end()
        assert whole.report() == journal.folded().report()
        assert journal.fold.snapshot().offset == journal.writer.size_bytes
        journal.writer.close()
