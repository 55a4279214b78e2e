"""A disk that is full, and then is not: recording stops, resumes, and reports both; the capture notes the hole."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.captures import HEADER_BYTES, RECORD_HEADER_BYTES, read_all
from tests.support.limited_disk import LimitedDisk
from virnucpro_bus.capture.info import capture_info
from virnucpro_bus.capture.records import RecordScanner
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.vocabulary import CaptureHole
from virnucpro_bus.fold.fleet import FleetState

FRAME_BYTES = 150
RECORD_BYTES = RECORD_HEADER_BYTES + FRAME_BYTES
STOPPED = "recording has stopped: No space left on device"

Step = tuple[str, int | None]
"""("limit", bytes or None), ("frames", count) or ("wait", seconds)."""


class Recorded(NamedTuple):
    """What a writer has printed and what its history is, after some steps."""

    frames: int
    notices: list[str]
    history: bytes
    size_bytes: int


def recorded(path: Path, *steps: Step, error: int = errno.ENOSPC) -> Recorded:
    disk, clock, number, notices = LimitedDisk(error=error), ManualClock(), 0, []
    if steps and steps[0][0] == "limit":
        disk.limit_bytes = steps[0][1]
    writer = CaptureWriter(path, clock, "run-1", disk=disk)
    for what, amount in steps:
        if what == "limit":
            disk.limit_bytes = amount
        elif what == "wait":
            clock.advance(amount or 0)
        for _ in range((amount or 0) if what == "frames" else 0):
            writer.append([b"%03d" % number * 50])
            number += 1
            writer.flush()
        writer.flush()
        if notice := writer.notice():
            notices.append(notice.partition(": ")[2])
    history, size_bytes = writer.read(0, 1 << 20), writer.size_bytes
    writer.close()
    return Recorded(number, notices, history, size_bytes)


def numbered(path: Path) -> list[int | CaptureHole]:
    """What is in the capture: the number of each frame, and the holes."""
    found: list[int | CaptureHole] = []
    for record in read_all(path):
        try:
            hole = decode(record.frame).event
        except FrameError:
            assert record.frame == record.frame[:3] * 50
            found.append(int(record.frame[:3]))
        else:
            assert isinstance(hole, CaptureHole)
            found.append(hole)
    return found


def hole_of(frames: int) -> CaptureHole:
    return CaptureHole(frames, frames * FRAME_BYTES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.vbus"


def size_of(frames: int) -> int:
    return HEADER_BYTES + frames * RECORD_BYTES


def test_recording_stops_and_resumes_a_second_after_there_is_room_with_one_notice_each(path: Path) -> None:
    result = recorded(
        path,
        *(("frames", 20), ("limit", size_of(22) + 40), ("frames", 10), ("wait", 0), ("limit", None)),
        *(("frames", 5), ("wait", 1), ("frames", 20)),
    )
    assert numbered(path) == [*range(22), hole_of(13), *range(35, 55)]
    assert result.notices == [STOPPED, "recording has resumed; 13 events were not recorded"]
    assert capture_info(path)["skipped_bytes"] == 0


def test_recording_resumes_without_a_further_event(path: Path) -> None:
    result = recorded(path, ("frames", 2), ("limit", size_of(2)), ("frames", 3), ("limit", None), ("wait", 1))
    assert numbered(path) == [0, 1, hole_of(3)]
    assert result.notices == [STOPPED, "recording has resumed; 3 events were not recorded"]


def test_a_disk_that_fills_again_makes_another_hole(path: Path) -> None:
    again = (("limit", HEADER_BYTES), ("frames", 3), ("limit", None), ("wait", 1), ("frames", 2))
    result = recorded(path, ("frames", 2), *again, *again)
    assert numbered(path) == [0, 1, hole_of(3), 5, 6, hole_of(3), 10, 11]
    assert len(result.notices) == 4
    info = capture_info(path)
    assert (info["holes"], info["unrecorded_frames"], info["runs"]) == (2, 6, ["run-1"])


@pytest.mark.parametrize("limit", [0, 5, HEADER_BYTES, HEADER_BYTES + 7])
def test_a_capture_that_could_not_even_begin_begins_later(path: Path, limit: int) -> None:
    result = recorded(path, ("limit", limit), ("frames", 3), ("limit", None), ("wait", 1), ("frames", 2))
    assert result.notices[0] == STOPPED
    assert numbered(path) == [hole_of(3), 3, 4]
    assert capture_info(path)["damaged_places"] == 0


def test_a_hole_at_the_end_is_marked_by_closing(path: Path) -> None:
    recorded(path, ("frames", 2), ("limit", size_of(2)), ("frames", 3), ("limit", None))
    assert numbered(path) == [0, 1, hole_of(3)]


@pytest.mark.parametrize("limit", [0, 5, 16, 1_000, 5_007])
def test_on_a_disk_that_stays_full_is_what_there_was_room_for(path: Path, limit: int) -> None:
    result = recorded(path, ("limit", limit), ("frames", 100))
    assert result.notices == [STOPPED]
    kept = [number for number in numbered(path) if isinstance(number, int)]
    assert kept == list(range(max(0, limit - HEADER_BYTES) // RECORD_BYTES))
    assert path.stat().st_size <= limit


def test_history_is_what_is_in_the_file_also_while_recording_has_stopped(path: Path) -> None:
    result = recorded(path, ("frames", 2), ("limit", size_of(2) + 100), ("frames", 3))
    assert len(RecordScanner().feed(result.history)) == 2
    assert len(result.history) == result.size_bytes == size_of(2)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 6_000), st.integers(0, 30), st.integers(0, 20)), max_size=6))
def test_frames_and_holes_together_are_always_all_that_came(
    tmp_path_factory: pytest.TempPathFactory, phases: list[tuple[int, int, int]]
) -> None:
    path = tmp_path_factory.mktemp("capture") / "run.vbus"
    steps: list[Step] = [
        step
        for limit, limited, free in phases
        for step in (("limit", limit), ("frames", limited), ("limit", None), ("wait", 1), ("frames", free))
    ]
    result = recorded(path, *steps)
    at = 0
    for found in numbered(path):
        if isinstance(found, CaptureHole):
            at += found.frames
        else:
            assert found == at
            at += 1
    assert at == result.frames


def test_a_replayed_hole_is_an_event_like_any_other(path: Path) -> None:
    recorded(path, ("frames", 2), ("limit", size_of(2)), ("frames", 3), ("limit", None))
    hole = decode(read_all(path)[-1].frame)
    assert (hole.run, hole.source, hole.seq) == ("run-1", "capture", 1)
    fleet = FleetState(ManualClock())
    assert fleet.apply(hole)
    assert fleet.get_totals()["events_lost"] == 0


@pytest.mark.parametrize("error", [errno.EROFS, errno.EFBIG, errno.EIO, errno.ESTALE])
def test_after_an_error_that_does_not_pass_nothing_is_tried_again(path: Path, error: int) -> None:
    steps: tuple[Step, ...] = (("frames", 2), ("limit", size_of(2)), ("frames", 3), ("limit", None), ("wait", 9))
    result = recorded(path, *steps, ("frames", 4), error=error)
    assert result.notices == [f"recording has stopped: {os.strerror(error)}"]
    assert numbered(path) == [0, 1]


def test_a_quota_passes_like_a_full_disk(path: Path) -> None:
    steps: tuple[Step, ...] = (("limit", size_of(2)), ("frames", 3), ("limit", None), ("wait", 1), ("frames", 1))
    recorded(path, *steps, error=errno.EDQUOT)
    assert numbered(path) == [0, 1, hole_of(1), 3]


def test_after_a_failed_fsync_nothing_is_tried_again(path: Path) -> None:
    clock = ManualClock()
    with pytest.MonkeyPatch.context() as patch:
        writer = CaptureWriter(path, clock)

        def failing(_: int) -> None:
            raise OSError(5, "Input/output error")

        patch.setattr("os.fsync", failing)
        writer.sync()
    assert writer.problem == f"{path}: recording has stopped: Input/output error"
    clock.advance(10)
    writer.append([b"later"])
    writer.close()
    assert writer.problem is not None
    assert read_all(path) == []


# A real full disk.

SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], check=True)
ballast, clock, number = folder / "ballast", ManualClock(), 0
writer = CaptureWriter(folder / "run.vbus", clock)
def write(count):
    global number
    for _ in range(count):
        writer.append([b"%03d" % number * 50])
        number += 1
        writer.flush()
    if notice := writer.notice():
        print(notice.partition(": ")[2], flush=True)
# A record that does not fit leaves room for a mark in the last page.
write(170)
with ballast.open("wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
write(200)
clock.advance(1)
write(100)
ballast.unlink()
clock.advance(1)
write(100)
writer.close()
out.write_bytes(writer.path.read_bytes())
"""
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def test_on_a_small_disk_that_is_full_and_then_is_not(tmp_path: Path, path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    trial = [*NAMESPACE, "mount", "-t", "tmpfs", "none", str(disk)]
    if shutil.which("unshare") is None or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs in a namespace of one's own is not permitted here")
    command = [*NAMESPACE, sys.executable, "-c", SMALL_DISK, str(disk), str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    found = numbered(path)
    stopped = next(at for at, each in enumerate(found) if isinstance(each, CaptureHole))
    assert found == [*range(stopped), hole_of(470 - stopped), *range(470, 570)]
    assert stopped >= 170
    assert ran.stdout.splitlines() == [
        "recording has stopped: No space left on device",
        f"recording has resumed; {470 - stopped} events were not recorded",
    ]
