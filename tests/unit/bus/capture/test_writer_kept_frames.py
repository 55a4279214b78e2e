"""Frames that must not be lost to a full disk: they are written when there is room, each once and in order."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.captures import read_all
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.vocabulary import CaptureHole
from virnucpro_bus.files.disk import Disk


class Small(Disk):
    """A disk with room for so many bytes; -1: for any number."""

    room = -1

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if self.room < 0:
            return super().write(descriptor, data)
        if not self.room:
            raise OSError(errno.ENOSPC, "no room")
        written = super().write(descriptor, data[: self.room])
        self.room -= written
        return written

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        if self.room >= 0:
            self.room += os.fstat(descriptor).st_size - size_bytes
        super().truncate(descriptor, size_bytes)


def frame(number: int) -> bytes:
    return b"%03d" % number * 50


def recorded(path: Path) -> tuple[list[bytes], int]:
    """The frames in the capture without those of holes, and how many frames the holes report as missing."""
    frames, missing = [], 0
    for record in read_all(path):
        if record.frame[:3].isdigit():
            frames.append(record.frame)
        else:
            hole = decode(record.frame).event
            assert isinstance(hole, CaptureHole)
            missing += hole.frames
    return frames, missing


def test_kept_frames_come_before_the_event_that_reports_the_others_as_missing(tmp_path: Path) -> None:
    disk, clock = Small(), ManualClock()
    with CaptureWriter(tmp_path / "run.vbus", clock, disk=disk) as writer:
        disk.room = 0
        writer.append([frame(0)], keep=True)
        writer.append([frame(1)])
        assert not writer.sync()
        assert writer.unrecorded_frames == 2
        disk.room = -1
        clock.advance(1)
        assert writer.sync()
        assert writer.unrecorded_frames == 1
    first, hole = [record.frame for record in read_all(tmp_path / "run.vbus")]
    assert first == frame(0)
    assert decode(hole).event == CaptureHole(1, len(frame(1)))


def test_at_the_end_of_a_disk_that_stays_full_kept_frames_are_reported_as_missing_too(tmp_path: Path) -> None:
    disk = Small()
    with CaptureWriter(tmp_path / "run.vbus", ManualClock(), disk=disk) as writer:
        disk.room = 0
        writer.append([frame(0), frame(1)], keep=True)
        writer.flush()
        disk.room = 150  # for the event about the hole, and for no frame
    assert recorded(tmp_path / "run.vbus") == ([], 2)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("room"), st.integers(-1, 600)),
        st.tuples(st.just("frames"), st.integers(1, 4)),
        st.tuples(st.just("kept"), st.integers(1, 4)),
        st.tuples(st.just("wait"), st.integers(1, 2)),
        st.tuples(st.just("flush"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=150)
@given(steps)
def test_however_often_the_disk_is_full_no_kept_frame_is_lost_doubled_or_out_of_order(
    steps: list[tuple[str, int]],
) -> None:
    number, kept, disk, clock = 0, [], Small(), ManualClock()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.vbus"
        with CaptureWriter(path, clock, disk=disk) as writer:
            for what, amount in steps:
                if what == "room":
                    disk.room = amount
                elif what == "wait":
                    clock.advance(amount)
                elif what == "flush":
                    writer.flush()
                else:
                    frames = [frame(number + at) for at in range(amount)]
                    number += amount
                    kept += frames if what == "kept" else []
                    writer.append(frames, keep=what == "kept")
            disk.room = -1
            clock.advance(2)
            writer.flush()
            missing = writer.unrecorded_frames
        found, reported = recorded(path)
        assert [each for each in found if each in kept] == kept
        assert len(set(found)) == len(found)
        assert missing == reported == number - len(found)
