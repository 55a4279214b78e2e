"""Logs that grow while they are followed."""

from __future__ import annotations

import re
import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from virnucpro_bus.logs import follow
from virnucpro_bus.logs.find import find_logs
from virnucpro_bus.logs.follow import Follower
from virnucpro_bus.logs.shorten import MAX_LOG_BYTES, shorten_log

NUMBERS = b"".join(b"%d\n" % number for number in range(1_000_000))


def write(run_dir: Path, name: str, text: bytes) -> Path:
    path = run_dir / "logs" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as log:
        log.write(text)
    return path


def read(follower: Follower) -> list[tuple[str, bytes]]:
    return [(log.path.name, piece) for log, piece in follower.read()]


def test_only_what_was_added_is_read_also_of_logs_that_appear_later(tmp_path: Path) -> None:
    write(tmp_path, "a.fa.1.log", b"first ")
    with closing(Follower(lambda: find_logs(tmp_path))) as follower:
        assert read(follower) == [("a.fa.1.log", b"first ")]
        assert read(follower) == []
        write(tmp_path, "a.fa.1.log", b"second")
        write(tmp_path, "b.fa.1.log", b"other")
        assert sorted(read(follower)) == [("a.fa.1.log", b"second"), ("b.fa.1.log", b"other")]


@settings(max_examples=30)
@example([(547_784, True, False), (787_512, False, True)])  # what was read ends with a line
@given(st.lists(st.tuples(st.integers(1, MAX_LOG_BYTES), st.booleans(), st.booleans()), min_size=1, max_size=6))
def test_of_a_log_that_is_shortened_meanwhile_each_line_is_read_once_or_counted_as_left_out(
    steps: list[tuple[int, bool, bool]],
) -> None:
    printed, seen = b"", []
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), "a.fa.1.log", b"")
        with closing(Follower(lambda: find_logs(Path(folder)))) as follower:
            for size, is_read, is_shortened in steps:
                write(Path(folder), "a.fa.1.log", NUMBERS[len(printed) : len(printed) + size])
                printed = NUMBERS[: len(printed) + size]
                if is_shortened:
                    shorten_log(path)
                if is_read:
                    seen += [piece for _, piece in follower.read()]
            seen += [piece for _, piece in follower.read()]
            assert read(follower) == []
    at = 0
    for piece in seen:
        if left_out := re.fullmatch(rb"\n?\[(\d+) bytes left out\] *\n", piece):
            at += int(left_out[1])
        else:
            assert printed[at : at + len(piece)] == piece
            at += len(piece)
    assert at == len(printed)


def test_of_a_log_that_was_shortened_before_each_byte_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "a.fa.1.log", NUMBERS[: MAX_LOG_BYTES + 1])
    shorten_log(path)
    with closing(Follower(lambda: find_logs(tmp_path))) as follower:
        assert b"".join(piece for _, piece in read(follower)) == path.read_bytes()


def test_a_log_that_its_own_programs_have_begun_anew_is_read_on(tmp_path: Path) -> None:
    path = write(tmp_path, "a.fa.1.log", b"first\n")
    with closing(Follower(lambda: find_logs(tmp_path))) as follower:
        read(follower)
        path.write_bytes(b"")
        assert read(follower) == []
        path.write_bytes(b"other\n")
        assert read(follower) == [("a.fa.1.log", b"other\n")]


def test_a_log_that_grows_while_it_is_read_does_not_keep_the_others_waiting(tmp_path: Path) -> None:
    write(tmp_path, "a.fa.1.log", b"a")
    write(tmp_path, "b.fa.1.log", b"b")
    names = []
    with closing(Follower(lambda: find_logs(tmp_path))) as follower:
        for log, _ in follower.read():
            names.append(log.path.name)
            write(tmp_path, log.path.name, b"more")
            if len(names) > 2:
                break
    assert sorted(names) == ["a.fa.1.log", "b.fa.1.log"]


def test_of_very_many_logs_those_found_last_stay_open(tmp_path: Path) -> None:
    for number in range(follow.MAX_OPEN + 1):
        write(tmp_path, f"a.fa.{number + 1}.log", b"x")
    with closing(Follower(lambda: find_logs(tmp_path))) as follower:
        assert len(read(follower)) == follow.MAX_OPEN + 1
        for log in find_logs(tmp_path):
            write(tmp_path, log.path.name, b"y")
        assert len(read(follower)) == follow.MAX_OPEN
