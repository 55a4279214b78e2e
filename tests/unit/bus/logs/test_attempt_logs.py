"""The log of an attempt: all that this process and its children print meanwhile, by the real descriptors."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buses import wait_until
from virnucpro_bus.logs.attempt_logs import AttemptLogs
from virnucpro_bus.logs.log_bound import MAX_GROWING_BYTES
from virnucpro_bus.logs.shorten import MAX_LOG_BYTES, gap_of

FULL_BUFFERING = 0
"""_IOFBF of stdio.h."""
BUFFER = ctypes.create_string_buffer(4096)
"""Of the C library from then on."""


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[AttemptLogs]:
    (tmp_path / "run").mkdir()
    made = AttemptLogs()
    yield made
    made.close()


def kept(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((folder / "run" / "logs").iterdir())}


def write(text: bytes) -> None:
    os.write(1, text)


def gap_size(path: Path) -> int:
    with path.open("rb") as log:
        return gap_of(log.fileno()).left_out


def test_what_python_c_and_children_print_is_in_the_attempts_log_and_nothing_else(
    logs: AttemptLogs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    libc = ctypes.CDLL(None)
    # As it is by itself, but not with PYTHONUNBUFFERED.
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), BUFFER, FULL_BUFFERING, len(BUFFER))
    print("before")
    with logs.of(tmp_path / "run", "a.fa", 1):
        print("from Python")
        print("an error", file=sys.stderr)
        subprocess.run(["sh", "-c", "echo from a child; echo its error >&2"], check=True)
        libc.puts(b"from C")
    print("after")
    lines = set(kept(tmp_path)["a.fa.1.log"].splitlines())
    # pytest has its own objects in place of Python's streams: what these print, it captures.
    assert {"from a child", "its error", "from C"} <= lines
    assert not {"before", "after"} & lines
    assert capfd.readouterr().out.splitlines()[-1] == "after"


def test_an_attempt_that_prints_nothing_leaves_nothing(logs: AttemptLogs, tmp_path: Path) -> None:
    for file in ("a.fa", "b.fa", "c.fa"):
        with logs.of(tmp_path / "run", file, 1):
            if file == "b.fa":
                write(b"b\n")
    logs.close()
    assert kept(tmp_path) == {"b.fa.1.log": "b\n"}


def test_each_attempt_has_a_log_of_its_own_also_when_a_resumed_run_counts_again(
    logs: AttemptLogs, tmp_path: Path
) -> None:
    for text, attempt in (b"first\n", 1), (b"second\n", 2), (b"first again\n", 1), (b"and again\n", 1):
        with logs.of(tmp_path / "run", "a.fa", attempt):
            write(text)
    assert kept(tmp_path) == {
        "a.fa.1.log": "first\n",
        "a.fa.1~2.log": "first again\n",
        "a.fa.1~3.log": "and again\n",
        "a.fa.2.log": "second\n",
    }


def test_a_log_that_nothing_was_printed_into_never_replaces_one(logs: AttemptLogs, tmp_path: Path) -> None:
    for file, text in ("a.fa", b"first\n"), ("b.fa", b""), ("a.fa", b"again\n"):
        with logs.of(tmp_path / "run", file, 1):
            write(text)
    assert kept(tmp_path) == {"a.fa.1.log": "first\n", "a.fa.1~2.log": "again\n"}


def test_an_empty_log_of_a_killed_worker_is_taken_over(logs: AttemptLogs, tmp_path: Path) -> None:
    (tmp_path / "run" / "logs").mkdir()
    (tmp_path / "run" / "logs" / "a.fa.1.log").touch()
    with logs.of(tmp_path / "run", "a.fa", 1):
        write(b"printed\n")
    assert kept(tmp_path) == {"a.fa.1.log": "printed\n"}


def test_a_log_that_is_too_long_keeps_its_beginning_and_its_end(logs: AttemptLogs, tmp_path: Path) -> None:
    with logs.of(tmp_path / "run", "a.fa", 1):
        write(b"begin\n" + b"x\n" * MAX_LOG_BYTES + b"end\n")
    logs.close()
    left = kept(tmp_path)["a.fa.1.log"]
    assert (left.startswith("begin\n"), left.endswith("\nend\n"), len(left) < MAX_LOG_BYTES + 100) == (True,) * 3
    assert " bytes left out]" in left


def test_a_log_is_bounded_while_an_attempt_and_what_it_has_started_print_into_it(
    logs: AttemptLogs, tmp_path: Path
) -> None:
    size = 0
    with logs.of(tmp_path / "run", "a.fa", 1), subprocess.Popen(["yes"]) as flood:
        log = tmp_path / "run" / "logs" / "a.fa.1.log"
        wait_until(lambda: gap_size(log) > 0)
        wait_until(lambda: log.stat().st_size > MAX_LOG_BYTES)  # it goes on
        flood.kill()
        flood.wait()
        wait_until(lambda: log.stat().st_size <= MAX_GROWING_BYTES)  # nothing is cut off any more
        write(b"end\n")
        size = log.stat().st_size
    logs.close()
    content = log.read_bytes()
    assert content.endswith(b"y\nend\n")
    assert b"\0" not in content
    assert len(content) <= min(size, MAX_LOG_BYTES)


def test_a_log_is_bounded_too_when_a_process_that_its_attempt_has_left_behind_prints(
    logs: AttemptLogs, tmp_path: Path
) -> None:
    with logs.of(tmp_path / "run", "a.fa", 1):
        write(b"begin\n")
        left_behind = subprocess.Popen(["yes"])
    with left_behind, logs.of(tmp_path / "run", "b.fa", 1):
        wait_until(lambda: gap_size(tmp_path / "run" / "logs" / "a.fa.1.log") > 0)
        left_behind.kill()
    assert kept(tmp_path).keys() == {"a.fa.1.log", "b.fa.1.log"}


def test_the_workers_own_log_is_bounded_as_well(tmp_path: Path) -> None:
    own = tmp_path / "worker-0.log"
    own.touch()
    logs = AttemptLogs(str(own))
    with own.open("ab", buffering=0) as log:
        log.write(b"x\n" * MAX_GROWING_BYTES)
        wait_until(lambda: gap_size(own) > 0)
        log.write(b"end\n")
    logs.close()
    assert own.read_bytes().endswith(b"x\nend\n")


def test_what_an_attempt_has_printed_before_it_failed_is_kept(logs: AttemptLogs, tmp_path: Path) -> None:
    def fail() -> None:
        with logs.of(tmp_path / "run", "a.fa", 1):
            write(b"printed\n")
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    assert kept(tmp_path) == {"a.fa.1.log": "printed\n"}


def test_in_a_process_with_two_workers_the_streams_are_with_one_attempt_at_a_time(
    logs: AttemptLogs, tmp_path: Path
) -> None:
    other = AttemptLogs()
    with logs.of(tmp_path / "run", "a.fa", 1):
        with other.of(tmp_path / "run", "b.fa", 1):
            write(b"of both\n")
        write(b"of a\n")
    with other.of(tmp_path / "run", "b.fa", 2):
        write(b"of b\n")
    other.close()
    assert kept(tmp_path) == {"a.fa.1.log": "of both\nof a\n", "b.fa.2.log": "of b\n"}


def test_without_a_run_folder_it_is_printed_where_it_was_before(
    logs: AttemptLogs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").rmdir()
    with logs.of(tmp_path / "run", "a.fa", 1):
        write(b"printed\n")
    assert capfd.readouterr().out == "printed\n"
    assert not (tmp_path / "run").exists()


def test_a_folder_of_logs_that_was_removed_is_made_again(logs: AttemptLogs, tmp_path: Path) -> None:
    with logs.of(tmp_path / "run", "a.fa", 1):
        pass
    for path in (tmp_path / "run" / "logs").iterdir():
        path.unlink()
    (tmp_path / "run" / "logs").rmdir()
    with logs.of(tmp_path / "run", "b.fa", 1):
        write(b"printed\n")
    assert kept(tmp_path) == {"b.fa.1.log": "printed\n"}
