"""The last lines of a log, as they are shown."""

from __future__ import annotations

from pathlib import Path

from virnucpro_bus.logs.lines import MAX_LINE_CHARACTERS, last_lines


def lines_of(folder: Path, content: bytes, most: int = 3) -> list[str]:
    path = folder / "x.1.log"
    path.write_bytes(content)
    return last_lines(path, most)


def test_the_last_lines_are_shown_in_order(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b"1\n2\n\n4\n") == ["2", "", "4"]
    assert lines_of(tmp_path, b"1\nnot ended") == ["1", "not ended"]


def test_nothing_in_a_log_controls_a_terminal(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b"\x1b[2J\xff\xe2\x80\xae\n") == [r"\x1b[2J\xff\u202e"]


def test_of_a_progress_bar_the_last_state_is_left(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b" 10 %\r 50 %\r100 %\r\n") == ["100 %"]


def test_a_long_log_is_read_from_its_end_alone_and_a_long_line_is_cut(tmp_path: Path) -> None:
    assert lines_of(tmp_path, b"first\n" + b"x" * 30_000 + b"\nlast\n", most=9) == ["last"]
    assert lines_of(tmp_path, b"y" * 30_000) == ["y" * MAX_LINE_CHARACTERS]


def test_a_log_that_is_gone_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "gone", 3) == []
