"""Logs that are too long."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.logs.shorten import HEAD_BYTES, MAX_LOG_BYTES, TAIL_BYTES, shorten_log


def shortened(folder: Path, content: bytes) -> bytes:
    path = folder / "x.1.log"
    path.write_bytes(content)
    shorten_log(path)
    assert [each.name for each in folder.iterdir()] == ["x.1.log"]
    return path.read_bytes()


def test_a_log_that_is_not_too_long_stays_as_it_is(tmp_path: Path) -> None:
    content = b"x" * MAX_LOG_BYTES
    assert shortened(tmp_path, content) == content


@given(st.integers(1, 200_000), st.integers(1, 2 * MAX_LOG_BYTES))
def test_beginning_and_end_stay_and_the_line_between_says_how_much_is_missing(line: int, more: int) -> None:
    import tempfile

    content = ((b"%d" % line).ljust(line, b".") + b"\n") * ((MAX_LOG_BYTES + more) // (line + 1) + 1)
    with tempfile.TemporaryDirectory() as folder:
        left = shortened(Path(folder), content)
    if len(content) <= MAX_LOG_BYTES:
        return
    found = re.search(rb"(?:^|\n)\[(\d+) bytes left out\]\n", left)
    assert found is not None
    head, tail = left[: found.start() + 1], left[found.end() :]
    assert (len(head) <= HEAD_BYTES, len(tail) <= TAIL_BYTES) == (True, True)
    assert (content.startswith(head), content.endswith(tail)) == (True, True)
    assert len(head) + len(tail) + int(found[1]) == len(content)


def test_without_ends_of_lines_it_is_cut_anywhere(tmp_path: Path) -> None:
    left = shortened(tmp_path, b"x" * (MAX_LOG_BYTES + 5))
    assert left == b"x" * HEAD_BYTES + b"\n[5 bytes left out]\n" + b"x" * TAIL_BYTES
