"""Captures: written, cut anywhere, damaged anywhere."""

from __future__ import annotations

import os
import random
import zlib
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.captures import HEADER_BYTES, read_all, some_frames, spans, write_capture
from virnucpro_bus.capture import records as record_format
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.records import HEADER, MAGIC, MARKER, Record, RecordScanner, pack_record
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import CaptureError
from virnucpro_bus.events.codec import MAX_FRAME_BYTES

FLIPS = 30_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


def scanned(*pieces: bytes) -> tuple[list[Record], RecordScanner]:
    """What comes out of a scanner fed with `pieces`, and the scanner."""
    scanner = RecordScanner()
    found = [record for piece in pieces for record in scanner.feed(piece)]
    return found + scanner.finish(), scanner


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


# Written and read.


def test_what_was_written_is_read_in_order_with_its_time(path: Path) -> None:
    assert write_capture(path, some_frames(50)) == read_all(path)


@pytest.mark.parametrize(
    "frames", [[], [b""], [b"", b"x" * MAX_FRAME_BYTES, b""]], ids=["none", "empty", "largest"]
)
def test_frames_of_every_length_survive(path: Path, frames: list[bytes]) -> None:
    write_capture(path, frames)
    assert [record.frame for record in read_all(path)] == frames


def test_more_than_a_megabyte_is_read_whole(path: Path) -> None:
    frames = [bytes([at % 251]) * 50_000 for at in range(70)]
    write_capture(path, frames)
    assert [record.frame for record in read_all(path)] == frames


def test_a_capture_can_be_read_while_it_is_written(path: Path) -> None:
    with CaptureWriter(path, ManualClock()) as writer:
        writer.append([b"one"])
        writer.flush()
        writer.append([b"two"])
        assert [record.frame for record in read_all(path)] == [b"one"]
        assert writer.size_bytes == path.stat().st_size
        assert writer.read(0, 10**6) == path.read_bytes()


def test_received_times_go_on_when_the_wall_clock_jumps_back(path: Path) -> None:
    clock = ManualClock()
    with CaptureWriter(path, clock) as writer:
        writer.append([b"one"])
        clock.advance(2)
        clock.wall -= 3600 * 10**9
        writer.append([b"two"])
    first, second = read_all(path)
    assert second.received_ns - first.received_ns == 2 * 10**9


def test_a_capture_is_never_overwritten(path: Path) -> None:
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        CaptureWriter(path, ManualClock())
    assert path.read_bytes() == b"mine"


def test_a_writer_can_be_closed_twice(path: Path) -> None:
    writer = CaptureWriter(path, ManualClock())
    writer.append([b"one"])
    writer.close()
    writer.close()
    assert len(read_all(path)) == 1


# Cut.


def test_a_capture_cut_at_any_byte_is_read_to_its_last_whole_record(path: Path) -> None:
    records = write_capture(path, some_frames(40))
    data, stops = path.read_bytes(), [stop for _, stop in spans(records)]
    for length in range(len(data) + 1):
        path.write_bytes(data[:length])
        assert read_all(path) == records[: bisect_right(stops, length)], f"cut at {length}"


def test_a_record_that_was_cut_off_is_accounted_for_to_the_byte(path: Path) -> None:
    records = write_capture(path, some_frames(3))
    start, stop = spans(records)[-1]
    for length in range(start, stop):
        _, scanner = scanned(path.read_bytes()[:length])
        assert scanner.skipped_bytes + scanner.incomplete_bytes == length - start


# Damaged.


def test_of_many_flipped_bits_each_costs_the_record_that_it_hits_and_no_other(path: Path) -> None:
    records = write_capture(path, some_frames(60))
    data, starts, dice = path.read_bytes(), [start for start, _ in spans(records)], random.Random(20)
    for _ in range(FLIPS):
        bit = dice.randrange(8 * len(data))
        hit = bisect_right(starts, bit // 8) - 1
        left = records if hit < 0 else records[:hit] + records[hit + 1 :]
        got, scanner = scanned(flipped(data, bit))
        assert got == left, f"bit {bit}"
        assert scanner.damaged_places == 1 or bit // 8 < HEADER_BYTES, f"bit {bit}"


@given(st.data())
def test_whatever_is_overwritten_the_records_beside_it_are_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("capture") / "run.vbus"
    records = write_capture(path, some_frames(12))
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content)))
    noise = data.draw(st.binary(max_size=200))
    content[start : start + len(noise)] = noise[: len(content) - start]
    got, _ = scanned(bytes(content))
    whole = [
        record
        for record, (first, stop) in zip(records, spans(records), strict=True)
        if stop <= start or first >= start + len(noise)
    ]
    assert [record for record in got if record in whole] == whole
    assert all(record in records for record in got)


@pytest.mark.parametrize("length", [0, 1, 500, MAX_FRAME_BYTES, MAX_FRAME_BYTES + 1, 2**32 - 1])
@pytest.mark.parametrize("which", [0, 10, 19])
def test_a_wrong_length_field_costs_its_record(path: Path, length: int, which: int) -> None:
    records = write_capture(path, some_frames(20))
    data, (start, stop) = bytearray(path.read_bytes()), spans(records)[which]
    data[start + 8 : start + 12] = length.to_bytes(4, "little")
    got, scanner = scanned(bytes(data))
    assert got == records[:which] + records[which + 1 :]
    assert scanner.damaged_places == 1
    assert scanner.skipped_bytes + scanner.incomplete_bytes == stop - start


@pytest.mark.parametrize("length", [MAX_FRAME_BYTES + 1, 2**32 - 1])
def test_bytes_that_a_wrong_length_promises_are_not_waited_for(path: Path, length: int) -> None:
    records = write_capture(path, some_frames(20))
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + 8 : HEADER_BYTES + 12] = length.to_bytes(4, "little")
    assert RecordScanner().feed(bytes(data)) == records[1:]


def test_two_damaged_places_are_two(path: Path) -> None:
    records = write_capture(path, some_frames(20))
    data = path.read_bytes()
    for which in (3, 4, 12):
        data = flipped(data, 8 * (spans(records)[which][0] + 30))
    got, scanner = scanned(data)
    assert got == [record for at, record in enumerate(records) if at not in (3, 4, 12)]
    assert scanner.damaged_places == 2


def test_a_file_that_ends_in_garbage_is_read_up_to_it(path: Path) -> None:
    records = write_capture(path, some_frames(5))
    with path.open("ab") as file:
        file.write((MARKER + b"\xff" * 30) * 50)
    assert read_all(path) == records


# Fed in pieces.


@pytest.mark.parametrize("damage", [None, 4, 100, 900, 2_000], ids=lambda bit: f"byte {bit}")
def test_byte_by_byte_is_the_same_as_at_once(path: Path, damage: int | None) -> None:
    write_capture(path, some_frames(40))
    data = path.read_bytes()
    if damage is not None:
        data = flipped(data, 8 * damage)
    whole, at_once = scanned(data)
    pieces, piecewise = scanned(*(bytes([byte]) for byte in data))
    assert pieces == whole
    assert piecewise.damaged_places == at_once.damaged_places
    assert piecewise.skipped_bytes + piecewise.incomplete_bytes == at_once.skipped_bytes + at_once.incomplete_bytes


@given(st.lists(st.integers(0, 3_000)), st.one_of(st.none(), st.integers(0, 8 * 2_000)))
def test_where_the_pieces_end_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], bit: int | None
) -> None:
    path = tmp_path_factory.mktemp("capture") / "run.vbus"
    write_capture(path, some_frames(30))
    data = path.read_bytes()
    if bit is not None:
        data = flipped(data, bit)
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[first:last] for first, last in pairwise(edges)]
    assert scanned(*pieces)[0] == scanned(data)[0]


# The header, and files that are something else.


@pytest.mark.parametrize("byte", range(HEADER_BYTES))
def test_a_damaged_header_costs_no_record(path: Path, byte: int) -> None:
    records = write_capture(path, some_frames(5))
    path.write_bytes(flipped(path.read_bytes(), 8 * byte + 1))
    assert read_all(path) == records


@pytest.mark.parametrize(
    "content",
    [b"", HEADER.pack(MAGIC, 1, 0), HEADER.pack(MAGIC, 1, 0)[:7]],
    ids=["empty", "header", "part of one"],
)
def test_a_capture_that_was_cut_before_its_first_record_is_empty(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert read_all(path) == []


@pytest.mark.parametrize("content", [b"\n", b"not a capture", b"\0" * 100, bytes(range(256)) * 20, MARKER * 9])
def test_another_file_is_refused_as_no_capture(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"run\.vbus: is not a capture of virnucpro-bus$"):
        CaptureReader(path)


def test_a_newer_version_is_refused_as_such(path: Path) -> None:
    path.write_bytes(HEADER.pack(MAGIC, 2, 0) + b"a future format" * 10)
    with pytest.raises(CaptureError, match="newer version"):
        CaptureReader(path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null")], ids=["pipe", "device"])
def test_a_pipe_is_refused_without_waiting_for_its_content(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(CaptureError, match=r"run\.vbus: is not a file, and so not a capture of virnucpro-bus$"):
        CaptureReader(path)


def test_what_cannot_be_read_is_refused_with_the_reason(path: Path) -> None:
    with pytest.raises(CaptureError, match=r"run\.vbus: cannot be read: No such file"):
        CaptureReader(path)
    with pytest.raises(CaptureError, match="cannot be read: Is a directory"):
        CaptureReader(path.parent)


# Made to be slow.


@pytest.mark.parametrize("period", [12, 20, 100, 4096])
def test_checksums_of_false_records_cost_a_bounded_multiple_of_the_file(
    monkeypatch: pytest.MonkeyPatch, period: int
) -> None:
    checked_bytes = 0

    def crc32(data: memoryview, start: int = 0) -> int:
        nonlocal checked_bytes
        checked_bytes += len(data)
        return zlib.crc32(data, start)

    monkeypatch.setattr(record_format, "crc32", crc32)
    claim = (MARKER + bytes(4) + MAX_FRAME_BYTES.to_bytes(4, "little")).ljust(period, b"-")
    data = claim * (4_000_000 // period)
    got, scanner = scanned(*(data[at : at + 100_000] for at in range(0, len(data), 100_000)))
    assert got == []
    assert scanner.skipped_bytes + scanner.incomplete_bytes == len(data)
    assert checked_bytes < 20 * len(data)


def test_a_whole_record_behind_many_false_ones_is_found() -> None:
    claim = MARKER + bytes(4) + MAX_FRAME_BYTES.to_bytes(4, "little")
    whole = b"".join(pack_record(bytes(100), at) for at in range(2_000))
    got, _ = scanned(HEADER.pack(MAGIC, 1, 0), claim * 100_000, whole)
    # At most one step of the faster search is lost.
    assert len(got) > 2_000 - MAX_FRAME_BYTES // 100
