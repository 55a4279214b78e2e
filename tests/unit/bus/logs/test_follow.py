"""Logs that grow while they are followed."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from virnucpro_bus.logs import follow
from virnucpro_bus.logs.find import find_logs
from virnucpro_bus.logs.follow import Follower
from virnucpro_bus.logs.shorten import MAX_LOG_BYTES, shorten_log


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


def test_a_log_that_is_shortened_meanwhile_is_read_whole_and_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a.fa.1.log", b"begin\n")
    with closing(Follower(lambda: find_logs(tmp_path))) as follower:
        read(follower)
        write(tmp_path, "a.fa.1.log", content := b"x\n" * MAX_LOG_BYTES)
        shorten_log(path)
        assert b"".join(piece for _, piece in read(follower)) == content
        assert read(follower) == []


def test_of_very_many_logs_those_found_last_stay_open(tmp_path: Path) -> None:
    for number in range(follow.MAX_OPEN + 1):
        write(tmp_path, f"a.fa.{number + 1}.log", b"x")
    with closing(Follower(lambda: find_logs(tmp_path))) as follower:
        assert len(read(follower)) == follow.MAX_OPEN + 1
        for log in find_logs(tmp_path):
            write(tmp_path, log.path.name, b"y")
        assert len(read(follower)) == follow.MAX_OPEN
