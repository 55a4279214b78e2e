"""Compressed captures: the same records, whatever happens to the file or to the process that compresses it."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.captures import read_all, some_frames, write_capture
from virnucpro_bus.capture import compression
from virnucpro_bus.capture.compression import ZSTD_MAGIC, compress_capture
from virnucpro_bus.capture.info import capture_info
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.capture.records import HEADER, MAGIC, MARKER, Record
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import CaptureError
from virnucpro_bus.events.codec import MAX_FRAME_BYTES
from virnucpro_bus.sources.playback import fold_capture

ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
zstd = pytest.importorskip(ZSTD, reason="this Python has no zstd", exc_type=ImportError)

MEBIBYTE = 1 << 20
FLIPS = 80
COMPRESS = (
    "import sys, pathlib, virnucpro_bus.capture.compression as c; c.compress_capture(pathlib.Path(sys.argv[1]))"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


def written(path: Path, count: int = 12_000) -> list[Record]:
    """A plain capture of a few frames of zstd; returns its records."""
    dice = random.Random(count)
    return write_capture(path, [frame + dice.randbytes(120) for frame in some_frames(count)], step_seconds=0.001)


def frame_starts(data: bytes) -> list[int]:
    """Where the frames of zstd begin."""
    starts, at = [], 0
    while at < len(data):
        starts.append(at)
        at += zstd.get_frame_size(data[at:])
    return starts


def read_with(path: Path) -> tuple[list[Record], CaptureReader]:
    reader = CaptureReader(path)
    return list(reader), reader


def is_subsequence(part: list[Record], whole: list[Record]) -> bool:
    left = iter(whole)
    return all(any(record == other for other in left) for record in part)


# Whole.


def test_compressing_that_is_stopped_leaves_the_plain_capture_and_nothing_else(path: Path) -> None:
    written(path)
    plain = path.read_bytes()
    answers = iter([False, True])
    compress_capture(path, lambda: next(answers))
    assert path.read_bytes() == plain
    assert list(path.parent.iterdir()) == [path]


def test_a_compressed_capture_holds_the_same_records_and_is_smaller(path: Path) -> None:
    records = written(path)
    plain_bytes = path.stat().st_size
    compress_capture(path)
    assert path.read_bytes().startswith(ZSTD_MAGIC)
    assert path.stat().st_size < plain_bytes
    got, reader = read_with(path)
    assert got == records
    assert (reader.scanner.damaged_places, reader.scanner.skipped_bytes, reader.scanner.incomplete_bytes) == (
        0,
        0,
        0,
    )


def test_nothing_is_left_beside_it(path: Path) -> None:
    written(path)
    compress_capture(path)
    assert list(path.parent.iterdir()) == [path]


def test_it_plays_and_is_described_as_the_plain_one(path: Path) -> None:
    write_capture(path, some_frames(2_000))
    plain, described = fold_capture(path, ManualClock()).report(), capture_info(path)
    compress_capture(path)
    assert path.read_bytes().startswith(ZSTD_MAGIC)
    assert fold_capture(path, ManualClock()).report() == plain
    assert {**capture_info(path), "size_bytes": described["size_bytes"]} == described


def test_a_small_capture_is_left_as_it_is(path: Path) -> None:
    records = write_capture(path, some_frames(20))
    compress_capture(path)
    assert path.read_bytes().startswith(MAGIC)
    assert read_all(path) == records


def test_compressing_it_again_or_what_is_gone_changes_nothing(path: Path) -> None:
    written(path)
    compress_capture(path)
    once = path.read_bytes()
    compress_capture(path)
    assert path.read_bytes() == once
    path.unlink()
    compress_capture(path)
    assert list(path.parent.iterdir()) == []


def test_without_zstd_captures_stay_plain_and_compressed_ones_are_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(path)
    plain = path.read_bytes()
    compressed = path.with_name("other.vbus")
    compressed.write_bytes(plain)
    compress_capture(compressed)
    monkeypatch.setattr(compression, "HAS_ZSTD", False)
    compress_capture(path)
    assert path.read_bytes() == plain
    with pytest.raises(CaptureError, match="has no zstd"):
        CaptureReader(compressed)


def test_a_damaged_plain_capture_is_as_damaged_afterwards(path: Path) -> None:
    records = written(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    compress_capture(path)
    got, reader = read_with(path)
    assert len(got) == len(records) - 1
    assert reader.scanner.damaged_places == 1


def test_a_newer_version_is_refused_compressed_too(path: Path) -> None:
    path.write_bytes(HEADER.pack(MAGIC, 2, 0) + b"a future format" * 10_000)
    compress_capture(path)
    assert path.read_bytes().startswith(ZSTD_MAGIC)
    with pytest.raises(CaptureError, match="newer version"):
        CaptureReader(path)


def test_a_compressed_file_of_another_kind_is_not_a_capture(path: Path) -> None:
    path.write_bytes(zstd.compress(b">not\nACGT\n" * 100))
    with pytest.raises(CaptureError, match="is not a capture"):
        CaptureReader(path)


# Damaged.


def test_cut_anywhere_it_is_read_to_its_last_whole_frame(path: Path) -> None:
    records = written(path)
    compress_capture(path)
    data = path.read_bytes()
    starts, dice = [*frame_starts(data), len(data)], random.Random(1)
    assert len(starts) >= 4
    for length in [*range(4, 20), *starts[1:], *(dice.randrange(4, len(data)) for _ in range(40))]:
        path.write_bytes(data[:length])
        got, reader = read_with(path)
        assert got == records[: len(got)], f"cut at {length}"
        whole = max(at for at, start in enumerate(starts) if start <= length)
        assert sum(len(record.frame) + 20 for record in got) > whole * MEBIBYTE - 70_000 or length == len(data)
        # Cut between two frames, it may end in the first bytes of a record, as a plain one may.
        noticed = reader.scanner.damaged_places == 1 or reader.scanner.incomplete_bytes > 0
        assert noticed == (length < len(data)), f"cut at {length}"


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_flipped_bit_costs_the_frame_that_it_hits_and_is_counted_once(path: Path, which: int) -> None:
    records = written(path)
    compress_capture(path)
    data = path.read_bytes()
    start, stop = [*frame_starts(data), len(data)][which : which + 2]
    path.write_bytes(data[: start + 50] + bytes([data[start + 50] ^ 4]) + data[start + 51 :])
    got, reader = read_with(path)
    assert is_subsequence(got, records)
    assert 0 < sum(len(r.frame) + 20 for r in records) - sum(len(r.frame) + 20 for r in got) < MEBIBYTE + 1000
    assert reader.scanner.damaged_places == 1
    assert stop - start <= reader.scanner.skipped_bytes < stop - start + 1000


def test_many_flipped_bits_each_cost_a_frame_and_no_record_is_wrong(path: Path) -> None:
    records = written(path, 7_000)
    compress_capture(path)
    data, dice = path.read_bytes(), random.Random(2)
    known = {(record.received_ns, record.frame) for record in records}
    for _ in range(FLIPS):
        byte = dice.randrange(4, len(data))
        path.write_bytes(data[:byte] + bytes([data[byte] ^ 1 << dice.randrange(8)]) + data[byte + 1 :])
        got, reader = read_with(path)
        assert all((record.received_ns, record.frame) in known for record in got)
        assert got == records or reader.scanner.damaged_places == 1


def test_a_frame_that_claims_to_be_huge_is_damage_and_takes_no_memory(path: Path) -> None:
    records = written(path)
    compress_capture(path)
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 20})
    bomb = b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(400)) + packer.flush()
    path.write_bytes(path.read_bytes() + bomb)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    got, reader = read_with(path)
    assert got == records
    assert reader.scanner.damaged_places == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


# Broken off.


def test_records_that_are_all_equal_are_compressed_and_read_back(path: Path) -> None:
    records = write_capture(path, [b"x" * MAX_FRAME_BYTES] * 100, step_seconds=0)
    compress_capture(path)
    assert path.stat().st_size < 100 * MAX_FRAME_BYTES // 100
    got, reader = read_with(path)
    assert (got, reader.scanner.damaged_places) == (records, 0)


@pytest.mark.parametrize("part", [b"\0", MARKER + bytes(4) + b"\xff\xff\0\0"], ids=["zeros", "false records"])
def test_a_file_that_is_far_longer_than_it_looks_is_damage_and_is_not_unpacked(path: Path, part: bytes) -> None:
    (record,) = write_capture(path, [b"first"])
    whole = zstd.compress(path.read_bytes())
    bomb = zstd.compress((part * (1 << 20))[: 1 << 20])
    path.write_bytes(whole + bomb * 1_000)
    got, reader = read_with(path)
    assert got == [record]
    assert reader.scanner.skipped_bytes == len(bomb) * 1_000


def test_a_disk_too_full_for_it_leaves_the_plain_one_and_no_draft(path: Path) -> None:
    records = written(path)
    plain = path.read_bytes()
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000,) * 2); {COMPRESS}"
    subprocess.run([sys.executable, "-c", limited, str(path)], check=True)
    assert path.read_bytes() == plain
    assert list(path.parent.iterdir()) == [path]
    assert read_all(path) == records


def test_killed_at_any_moment_it_leaves_a_readable_capture(path: Path) -> None:
    records = written(path)
    plain, dice = path.read_bytes(), random.Random(5)
    # It prints when it has begun, so that the kill falls within the work and not within Python's start.
    ready = f"import virnucpro_bus.capture.compression; print('ready', flush=True); {COMPRESS}"
    for _ in range(20):
        path.write_bytes(plain)
        with subprocess.Popen([sys.executable, "-c", ready, str(path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(dice.random() * 0.04)
            child.send_signal(signal.SIGKILL)
        assert read_all(path) == records
