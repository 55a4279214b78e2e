"""A file that is appended to for days: rotated when it is long, and whatever else happens to it."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.log.rotating_file import RotatingFile
from virnucpro_bus.errors import UserError
from virnucpro_bus.metrics_log_format import ROTATED_LOGS as KEPT

HEADER = b"when,what,more\r\n"
KIND = b"when,what"
LINE_BYTES = 10


def line(number: int) -> bytes:
    return b"%08d\r\n" % number


def appending(path: Path, rotate_bytes: int | None = None) -> RotatingFile:
    return RotatingFile(str(path), HEADER, KIND, rotate_bytes)


def numbers(path: Path) -> list[int]:
    """What the file holds after its header."""
    header, *lines = path.read_bytes().splitlines(keepends=True)
    assert header == HEADER
    return [int(each) for each in lines]


def aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.csv"


# What is long.


def test_a_file_is_moved_aside_before_it_is_longer_than_it_may_be(path: Path) -> None:
    log = appending(path, len(HEADER) + 3 * LINE_BYTES)
    for number in range(8):
        assert log.append(line(number)) is None
    assert [numbers(each) for each in (path, aside(path, 1), aside(path, 2))] == [[6, 7], [3, 4, 5], [0, 1, 2]]


def test_without_a_limit_it_never_is(path: Path) -> None:
    log = appending(path)
    for number in range(1_000):
        log.append(line(number))
    assert numbers(path) == list(range(1_000))
    assert os.listdir(path.parent) == ["log.csv"]


def test_as_many_as_are_kept_are_there_and_the_oldest_goes(path: Path) -> None:
    log = appending(path, len(HEADER) + LINE_BYTES)
    for number in range(KEPT + 3):
        log.append(line(number))
    assert sorted(os.listdir(path.parent)) == ["log.csv", *(f"log.csv.{number}" for number in range(1, KEPT + 1))]
    assert [numbers(aside(path, number))[0] for number in range(1, KEPT + 1)] == list(range(KEPT + 1, 1, -1))


def test_lines_that_are_longer_than_a_file_may_be_have_a_file_of_their_own(path: Path) -> None:
    log = appending(path, len(HEADER) + LINE_BYTES)
    for first in (0, 5, 10):
        log.append(b"".join(map(line, range(first, first + 5))))
    assert [len(numbers(each)) for each in (path, aside(path, 1), aside(path, 2))] == [5, 5, 5]


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=25),
    st.integers(len(HEADER), 200),
)
def test_every_line_is_in_one_file_in_order_and_no_file_is_too_long(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], rotate_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.csv"
    log = appending(path, rotate_bytes)
    written = 0
    for count in counts:
        log.append(b"".join(map(line, range(written, written + count))))
        written += count
    kept = [each for number in range(KEPT, 0, -1) if (each := aside(path, number)).exists()]
    found = [number for each in (*kept, path) for number in numbers(each)]
    assert found == list(range(written - len(found), written))
    assert len(kept) == KEPT or len(found) == written
    longest_append = len(HEADER) + max(counts) * LINE_BYTES
    assert all(each.stat().st_size <= max(rotate_bytes, longest_append) for each in (*kept, path))


def test_a_gap_among_those_moved_aside_is_filled_and_nothing_goes(path: Path) -> None:
    for number in (1, 3, KEPT):
        aside(path, number).write_bytes(b"%d" % number)
    log = appending(path, len(HEADER) + LINE_BYTES)
    log.append(line(0))
    log.append(line(1))
    assert [aside(path, number).read_bytes() for number in (2, 3, KEPT)] == [b"1", b"3", b"%d" % KEPT]


def test_a_failed_rotation_is_reported_and_the_old_file_keeps_growing(path: Path) -> None:
    log = appending(path, len(HEADER) + LINE_BYTES)
    for number in range(1, KEPT + 1):
        aside(path, number).write_bytes(b"kept")
    aside(path, KEPT).unlink()
    aside(path, KEPT).mkdir()
    log.append(line(0))
    assert log.append(line(1)) == "cannot be moved aside and keeps growing: Is a directory"
    assert numbers(path) == [0, 1]
    aside(path, KEPT).rmdir()
    assert log.append(line(2)) is None
    assert (numbers(path), numbers(aside(path, 1))) == ([2], [0, 1])


def test_a_file_that_holds_nothing_but_its_header_is_not_moved_aside(path: Path) -> None:
    path.write_bytes(HEADER)
    appending(path, len(HEADER)).append(line(0))
    assert numbers(path) == [0]
    assert os.listdir(path.parent) == ["log.csv"]


# What is there already.


@pytest.mark.parametrize("header", [b"when,what\r\n", b"when,what,more,and more\r\n", b"when,what,more\n"])
def test_a_file_with_other_columns_is_moved_aside(path: Path, header: bytes) -> None:
    path.write_bytes(header + b"old\r\n")
    assert appending(path).append(line(1)) is None
    assert numbers(path) == [1]
    assert aside(path, 1).read_bytes() == header + b"old\r\n"


def test_a_file_with_other_columns_that_cannot_be_moved_aside_is_left_alone(path: Path) -> None:
    path.write_bytes(KIND + b"\r\n")
    for number in range(1, KEPT):
        aside(path, number).write_bytes(b"kept")
    aside(path, KEPT).mkdir()
    with pytest.raises(UserError, match="has other columns and cannot be moved aside: Is a directory"):
        appending(path).append(line(1))
    assert path.read_bytes() == KIND + b"\r\n"


@pytest.mark.parametrize("content", [b"#!/bin/sh\n", b"what,when\n", b"\n", b"\0" * 100])
def test_a_file_that_holds_something_else_is_not_touched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a metrics log; give the log another name"):
        appending(path, 1).append(line(1))
    assert path.read_bytes() == content
    assert os.listdir(path.parent) == ["log.csv"]


@pytest.mark.parametrize("size_bytes", range(len(HEADER)))
def test_an_incomplete_header_is_written_again(path: Path, size_bytes: int) -> None:
    path.write_bytes(HEADER[:size_bytes])
    appending(path).append(line(1))
    assert numbers(path) == [1]


# What takes its place.


def test_a_directory_in_its_place_is_reported(path: Path) -> None:
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        appending(path).append(line(1))


@pytest.mark.parametrize("has_reader", [True, False])
def test_a_pipe_in_its_place_is_reported_and_never_waited_for(path: Path, has_reader: bool) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if has_reader else None
    with pytest.raises(UserError, match="is not a file; give the log another name"):
        appending(path).append(line(1))
    if reader is not None:
        assert os.read(reader, 100) == b""
        os.close(reader)


def test_a_socket_in_its_place_is_reported(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(path))
        with pytest.raises(OSError, match="No such device or address"):
            appending(path).append(line(1))


def test_behind_a_link_the_file_itself_is_written_and_moved_aside(path: Path, tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir()
    real = tmp_path / "big disk" / "real.csv"
    path.symlink_to(real)
    log = appending(path, len(HEADER) + LINE_BYTES)
    for number in range(2):
        assert log.append(line(number)) is None
    assert path.is_symlink()
    assert (numbers(real), numbers(aside(real, 1))) == ([1], [0])


def test_a_link_to_a_file_that_is_no_log_leads_nowhere(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "profile"
    target.write_bytes(b"export PATH\n")
    path.symlink_to(target)
    with pytest.raises(UserError, match="is not a metrics log"):
        appending(path).append(line(1))
    assert target.read_bytes() == b"export PATH\n"


def test_a_link_to_itself_is_reported(path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        appending(path).append(line(1))


def test_a_file_that_is_moved_away_or_deleted_starts_over(path: Path) -> None:
    log = appending(path)
    log.append(line(1))
    path.rename(path.with_name("elsewhere"))
    log.append(line(2))
    path.unlink()
    log.append(line(3))
    assert numbers(path) == [3]


# Other writers.


def test_a_writer_that_keeps_the_lock_delays_others_only_briefly(path: Path) -> None:
    log = appending(path, len(HEADER) + LINE_BYTES)
    log.append(line(1))
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        log.append(line(2))
    assert numbers(path) == [1, 2]  # a writer without the lock does not rotate it
    log.append(line(3))
    assert numbers(path) == [3]


def test_a_file_that_was_moved_aside_while_we_waited_for_the_lock_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = appending(path)
    log.append(line(1))
    flock, moved = fcntl.flock, aside(path, 1)

    def another_is_faster(descriptor: int, operation: int) -> None:
        if not moved.exists():
            path.rename(moved)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", another_is_faster)
    log.append(line(2))
    assert (numbers(path), numbers(moved)) == ([2], [1])


def test_a_writer_adds_no_header_to_a_file_that_another_has_begun(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = appending(path, len(HEADER) + 2 * LINE_BYTES)
    for number in range(2):
        log.append(line(number))
    rename = os.rename

    def another_begins_it(source: str, target: str) -> None:
        rename(source, target)
        if source == str(path):
            appending(path).append(line(8))

    monkeypatch.setattr(os, "rename", another_begins_it)
    log.append(line(2))
    assert (numbers(aside(path, 1)), numbers(path)) == ([0, 1], [8, 2])


def test_a_file_system_without_locks_is_used_without_them(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(descriptor: int, operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unknown)
    log = appending(path, len(HEADER) + LINE_BYTES)
    for number in range(2):
        assert log.append(line(number)) is None
    assert numbers(path) == [1]
