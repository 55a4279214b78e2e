"""The zygote, as a real process: the workers that it forks, and what becomes of them when one of both dies."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.lab import wait_until
from virnucpro_bus.system.process_state import read_stat
from workers.pool import zygote as zygote_module
from workers.pool.orphan_guard import MARK_VARIABLE
from workers.pool.zygote import WorkerProcess, Zygote
from workers.process.parent_watch import EXIT_ORPHANED

READY_SECONDS = 60
"""Much longer than needed, so that a busy machine does not fail the test."""


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    zygote = Zygote()
    assert zygote.is_ready(READY_SECONDS)
    yield zygote
    zygote.close()


def fork(zygote: Zygote, log: Path, mark: str = "") -> WorkerProcess:
    """Have a worker forked, which then waits for its configuration."""
    return zygote.fork_worker({**os.environ, MARK_VARIABLE: mark or secrets.token_hex(8)}, log)


def end(worker: WorkerProcess) -> int:
    assert worker.stdin is not None
    worker.stdin.close()
    return worker.wait()


def process_of(zygote: Zygote) -> subprocess.Popen[bytes]:
    assert zygote._process is not None
    return zygote._process


def folder(pid: int) -> Path:
    return Path(f"/proc/{pid}")


def open_files(pid: int) -> list[str]:
    found = []
    for each in (folder(pid) / "fd").iterdir():
        with suppress(FileNotFoundError):  # the worker has just closed it
            found.append(os.readlink(each))
    return sorted(found)


def environment(pid: int) -> list[bytes]:
    return (folder(pid) / "environ").read_bytes().split(b"\0")


def test_a_forked_worker_looks_like_one_that_was_started_here(zygote: Zygote, tmp_path: Path) -> None:
    log, mark = tmp_path / "logs" / "worker-0.log", secrets.token_hex(8)
    worker = fork(zygote, log, mark)
    _, parent, group, session = (read_stat(str(worker.pid)) or [])[:4]
    assert (int(parent), int(group), int(session)) == (os.getpid(), worker.pid, os.getsid(0))
    assert (folder(worker.pid) / "cmdline").read_bytes().split(b"\0")[-2] == b"workers.process.worker"
    assert f"{MARK_VARIABLE}={mark}".encode() in environment(worker.pid)
    assert (folder(worker.pid) / "cwd").readlink() == Path.cwd()
    assert worker.stdin is not None
    pipe = os.readlink(f"/proc/self/fd/{worker.stdin.fileno()}")
    # It closes those of the zygote once it has said who it is.
    own = {str(log), pipe, "/dev/null"}
    wait_until(lambda: set(open_files(worker.pid)) <= own, "it has no file but its own")
    assert end(worker) == EXIT_ORPHANED
    assert log.read_bytes() == b""


def test_workers_share_no_mark_and_the_zygote_has_none_of_them(zygote: Zygote, tmp_path: Path) -> None:
    workers = {mark: fork(zygote, tmp_path / "log", mark) for mark in (secrets.token_hex(8), secrets.token_hex(8))}
    marked = {
        pid: [entry for entry in environment(pid) if entry.startswith(MARK_VARIABLE.encode())]
        for pid in (process_of(zygote).pid, *(worker.pid for worker in workers.values()))
    }
    for mark, worker in workers.items():
        assert marked.pop(worker.pid) == [f"{MARK_VARIABLE}={mark}".encode()]
        end(worker)
    assert list(marked.values()) == [[f"{MARK_VARIABLE}={'0' * 16}".encode()]]


def test_the_zygote_has_one_thread_and_nothing_that_a_fork_would_damage(zygote: Zygote, tmp_path: Path) -> None:
    end(fork(zygote, tmp_path / "log"))
    pid = process_of(zygote).pid
    assert len(list((folder(pid) / "task").iterdir())) == 1
    assert [each.partition(":")[0] for each in open_files(pid)] == ["/dev/null", "pipe", "socket"]
    mapped = (folder(pid) / "maps").read_text()
    assert "zmq" in mapped
    # They read how many threads to start, and which GPUs there are, when they are loaded.
    assert not [name for name in ("numpy", "torch", "libcuda", "blas", "gomp") if name in mapped]


def test_a_worker_outlives_its_zygote_and_the_next_one_comes_from_another(tmp_path: Path) -> None:
    zygote = Zygote()
    assert zygote.is_ready(READY_SECONDS)
    first = fork(zygote, tmp_path / "log")
    process_of(zygote).kill()
    with pytest.raises(OSError, match="the zygote was killed by SIGKILL"):
        fork(zygote, tmp_path / "log")
    assert zygote.is_ready(READY_SECONDS)
    second = fork(zygote, tmp_path / "log")
    assert os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    zygote.close()
    assert [end(first), end(second)] == [EXIT_ORPHANED] * 2


def test_a_zygote_that_was_stopped_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote_module, "ANSWER_SECONDS", 0.05)
    zygote = Zygote()
    assert zygote.is_ready(READY_SECONDS)
    stopped = process_of(zygote)
    stopped.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(OSError, match="does not answer within"):
        fork(zygote, tmp_path / "log")
    assert stopped.returncode == -signal.SIGKILL
    zygote.close()


def test_a_zygote_that_cannot_load_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "msgspec.py").write_text("raise ImportError('damaged \\33[31m')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    zygote = Zygote()
    with pytest.raises(OSError, match=r"^the zygote ended with exit status 1: ImportError: damaged .x1b\[31m$"):
        zygote.is_ready(READY_SECONDS)
    zygote.close()


THREAD = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


def test_where_python_starts_threads_of_its_own_a_worker_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(THREAD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    zygote = Zygote()
    assert zygote.is_ready(READY_SECONDS)
    worker = fork(zygote, tmp_path / "log", mark := secrets.token_hex(8))
    tasks = folder(worker.pid) / "task"
    while len(list(tasks.iterdir())) == 1:  # a fork has one, and the program that it executes starts another
        threading.Event().wait(0.01)
    assert f"{MARK_VARIABLE}={mark}".encode() in environment(worker.pid)
    assert end(worker) == EXIT_ORPHANED
    assert (tmp_path / "log").read_bytes() == b""
    zygote.close()
