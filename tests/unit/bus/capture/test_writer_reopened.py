"""A resumed capture: an incomplete last record is cut off, the rest is read as if recording had never stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.captures import HEADER_BYTES, read_all, some_frames, spans, write_capture
from virnucpro_bus.capture.compression import HAS_ZSTD, ZSTD_MAGIC, compress_capture, decompress_capture
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.files.disk import Disk


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


def resume(path: Path, clock: ManualClock | None = None) -> None:
    with CaptureWriter(path, clock or ManualClock(), resume=True) as writer:
        writer.append([b"later"])


def test_what_is_written_later_follows_what_was_there(path: Path) -> None:
    before = write_capture(path, some_frames(20))
    resume(path)
    assert [record.frame for record in read_all(path)] == [*(record.frame for record in before), b"later"]


def test_wherever_it_was_torn_the_whole_records_stay_and_it_is_resumed(path: Path) -> None:
    ends = [stop for _, stop in spans(write_capture(path, some_frames(4)))]
    data = path.read_bytes()
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        resume(path)
        reader = CaptureReader(path)
        frames = [record.frame for record in reader]
        assert len(frames) == 1 + sum(1 for end in ends if end <= size)
        assert frames[-1] == b"later"
        assert reader.scanner.damaged_places == 0


def test_whole_records_behind_a_damaged_length_are_not_cut_off(path: Path) -> None:
    write_capture(path, some_frames(10))
    data = bytearray(path.read_bytes())
    data[HEADER_BYTES + 9] = 0xFF
    path.write_bytes(data)
    resume(path)
    assert len(read_all(path)) == 10


def test_its_time_never_goes_back(path: Path) -> None:
    clock = ManualClock()
    with CaptureWriter(path, clock) as writer:
        writer.append([b"one"])
    resume(path, ManualClock(clock.wall - 3600 * NANOSECONDS))
    first, second = read_all(path)
    assert second.received_ns >= first.received_ns


def test_history_is_that_of_the_whole_capture(path: Path) -> None:
    write_capture(path, some_frames(3))
    with CaptureWriter(path, ManualClock(), resume=True) as writer:
        assert writer.size_bytes == path.stat().st_size
        assert writer.read(0, 1 << 20) == path.read_bytes()


def test_a_missing_capture_cannot_be_resumed(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CaptureWriter(path, ManualClock(), resume=True)


def test_syncing_returns_whether_everything_is_on_disk(path: Path) -> None:
    class Broken(Disk):
        works = True

        def sync(self, descriptor: int) -> None:
            if not self.works:
                raise OSError(5, "Input/output error")

    disk = Broken()
    writer = CaptureWriter(path, ManualClock(), disk=disk)
    assert writer.sync()
    disk.works = False
    assert not writer.sync()
    assert writer.is_broken
    disk.works = True
    assert not writer.sync()


@pytest.mark.skipif(not HAS_ZSTD, reason="this Python has no zstd")
def test_a_compressed_capture_becomes_plain_again_and_is_resumed(path: Path) -> None:
    before = write_capture(path, some_frames(2_000))
    plain = path.read_bytes()
    compress_capture(path)
    assert path.read_bytes().startswith(ZSTD_MAGIC)
    decompress_capture(path)
    assert path.read_bytes() == plain
    decompress_capture(path)
    resume(path)
    assert len(read_all(path)) == len(before) + 1
    assert list(path.parent.iterdir()) == [path]
