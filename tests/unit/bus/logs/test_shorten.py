"""Logs that are too long."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from virnucpro_bus.logs import shorten
from virnucpro_bus.logs.log_bound import MAX_GROWING_BYTES
from virnucpro_bus.logs.shorten import HEAD_BYTES, MAX_LOG_BYTES, shorten_log

SHORT_LINE = 900
NUMBERS = b"".join(b"%d\n" % number for number in range(1_000_000))


@contextmanager
def file_system(*, takes_out_ranges: bool) -> Iterator[None]:
    """Have the file system refuse to take out ranges, as most do, or have it do what it can."""
    original = shorten._fallocate
    with mock.patch.object(shorten, "_fallocate", original if takes_out_ranges else lambda *_: -1):
        yield


def shortened(folder: Path, content: bytes, *, takes_out_ranges: bool = True) -> bytes:
    path = folder / "x.1.log"
    path.write_bytes(content)
    with file_system(takes_out_ranges=takes_out_ranges):
        shorten_log(path)
    assert [each.name for each in folder.iterdir()] == ["x.1.log"]
    return path.read_bytes()


def parts(left: bytes) -> tuple[bytes, bytes, int]:
    """Return what a shortened log has before and after the line, and the number in it."""
    found = re.compile(rb"\n?\[(\d+) bytes left out\] *\n").match(left, HEAD_BYTES)
    assert found is not None
    return left[:HEAD_BYTES], left[found.end() :], int(found[1])


def test_a_log_that_is_not_too_long_stays_as_it_is(tmp_path: Path) -> None:
    content = b"x" * MAX_LOG_BYTES
    assert shortened(tmp_path, content) == content


@given(st.integers(1, 200_000), st.integers(1, 2 * MAX_LOG_BYTES), st.booleans())
def test_beginning_and_end_stay_and_the_line_between_says_how_much_is_missing(
    line: int, more: int, takes_out_ranges: bool
) -> None:
    content = ((b"%d" % line).ljust(line, b".") + b"\n") * ((MAX_LOG_BYTES + more) // (line + 1) + 1)
    with tempfile.TemporaryDirectory() as folder:
        left = shortened(Path(folder), content, takes_out_ranges=takes_out_ranges)
    if len(content) <= MAX_LOG_BYTES:
        return
    head, tail, left_out = parts(left)
    assert (len(head), len(left) <= MAX_LOG_BYTES) == (HEAD_BYTES, True)
    assert (content.startswith(head), content.endswith(tail)) == (True, True)
    assert len(head) + len(tail) + left_out == len(content)
    if line < SHORT_LINE:
        assert content[-len(tail) - 1 : -len(tail)] == b"\n"


@settings(max_examples=30)
@given(st.lists(st.integers(1, MAX_GROWING_BYTES), min_size=1, max_size=3), st.booleans())
def test_a_log_that_is_written_on_and_shortened_again_counts_all_that_was_left_out(
    sizes: list[int], takes_out_ranges: bool
) -> None:
    printed = b""
    with tempfile.TemporaryDirectory() as folder, file_system(takes_out_ranges=takes_out_ranges):
        path = Path(folder) / "x.1.log"
        path.touch()
        with path.open("ab", buffering=0) as log:  # as another program has it
            for size in sizes:
                log.write(NUMBERS[len(printed) : len(printed) + size])
                printed = NUMBERS[: len(printed) + size]
                was_long = path.stat().st_size > MAX_LOG_BYTES
                assert shorten_log(path) == was_long
                assert path.stat().st_size <= MAX_LOG_BYTES
        left = path.read_bytes()
    if len(printed) <= MAX_LOG_BYTES:
        assert left == printed
        return
    head, tail, left_out = parts(left)
    assert head + tail == printed[:HEAD_BYTES] + printed[HEAD_BYTES + left_out :]


@pytest.mark.parametrize("takes_out_ranges", [True, False])
def test_what_is_printed_while_it_is_shortened_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_out_ranges: bool
) -> None:
    path = tmp_path / "x.1.log"
    path.write_bytes(b"x\n" * MAX_LOG_BYTES)
    pwrite, late = os.pwrite, [b"late\n"]

    def pwrite_late(descriptor: int, data: bytes, offset: int) -> int:
        with path.open("ab") as log:
            log.writelines(late)
        late.clear()
        return pwrite(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite_late)
    with file_system(takes_out_ranges=takes_out_ranges):
        assert shorten_log(path)
    assert path.read_bytes().endswith(b"\nx\nlate\n")
    assert len(parts(path.read_bytes())[0]) == HEAD_BYTES


def test_a_log_that_is_read_at_this_moment_stays_as_it_is_and_counts_as_too_long(tmp_path: Path) -> None:
    path = tmp_path / "x.1.log"
    path.write_bytes(content := b"x" * (MAX_LOG_BYTES + 1))
    with path.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert shorten_log(path)
        assert path.read_bytes() == content
    assert shorten_log(path)
    assert not shorten_log(path)


def test_what_lies_behind_a_link_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(content := b"x" * (MAX_LOG_BYTES + 1))
    (tmp_path / "x.1.log").symlink_to("own")
    shorten_log(tmp_path / "x.1.log")
    assert (tmp_path / "own").read_bytes() == content


def test_without_ends_of_lines_it_is_cut_anywhere(tmp_path: Path) -> None:
    left = shortened(tmp_path, b"x" * (MAX_LOG_BYTES + 1))
    line = b"\n[4119 bytes left out]\n"
    assert left == b"x" * HEAD_BYTES + line + b"x" * (MAX_LOG_BYTES + 1 - HEAD_BYTES - 4119)
