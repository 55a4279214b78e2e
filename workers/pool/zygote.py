"""The launcher's side of the zygote (process/zygote.py), a process that forks the workers.

Where it cannot be started, or dies, no worker can be started for a moment, but those that work go on.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, Self

from virnucpro_bus.system.adopted import adopting_orphans
from virnucpro_bus.system.child_process import describe_status, stop
from virnucpro_bus.system.own_packages import own_program
from virnucpro_bus.text import visible
from workers.pool.orphan_guard import MARK_VARIABLE
from workers.process.zygote import MAX_PACKET_BYTES, PLACEHOLDER, READY

ANSWER_SECONDS = 5.0
"""Time for it to fork a worker, which takes milliseconds. Then it is killed: it was stopped from outside, say."""
END_SECONDS = 2.0
"""Time for it to exit after it has closed the channel."""
_SHOWN_CHARACTERS = 300


class WorkerProcess(Protocol):
    """A child process that was started as a worker, in a process group of its own."""

    pid: int
    stdin: IO[bytes] | None
    """The pipe to its standard input."""

    def wait(self) -> int:
        """Wait until it has ended, and reap it. Returns its exit status, -N if it was killed by signal N."""
        ...


Fork = Callable[[Mapping[str, str], Path], WorkerProcess]
"""Starts a worker, as `Zygote.fork_worker` does."""


class ForkedWorker:
    """A worker process that the zygote has forked, and this process has adopted."""

    def __init__(self, pid: int, stdin: IO[bytes]) -> None:
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin

    def wait(self) -> int:
        """Wait until it has ended, and reap it. Returns its exit status, -N if it was killed by signal N."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Zygote:
    """Starts the zygote, again where it has died, and has it fork workers; ends it when left. For one thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._is_ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, unless it is running. Raises OSError."""
        if self._process is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    own_program("workers.process.zygote"),
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", MARK_VARIABLE: PLACEHOLDER},
                    process_group=0,
                )
            except BaseException:
                ours.close()
                raise
        self._channel, self._is_ready = ours, False

    def is_ready(self, wait_seconds: float = 0) -> bool:
        """Whether it can fork workers, at the latest after so many seconds. It is started where it does not run.

        Raises OSError if it cannot be started, or has died; the next call starts another.
        """
        self.start()
        if not self._is_ready:
            self._is_ready = self._receive(wait_seconds) == READY
        return self._is_ready

    def fork_worker(self, environment: Mapping[str, str], log: Path) -> WorkerProcess:
        """Have the zygote, which must be ready, fork a worker with this environment: ours, with some changes.

        The worker has a process group of its own; what it prints is appended to the file `log`. Raises OSError.
        """
        assert self._channel is not None
        changes = {name: value for name, value in environment.items() if os.environ.get(name) != value}
        log.parent.mkdir(exist_ok=True)
        reader, writer = os.pipe()
        stdin = os.fdopen(writer, "wb")
        try:
            with log.open("ab") as output, adopting_orphans():
                try:
                    socket.send_fds(self._channel, [json.dumps(changes).encode()], [reader, output.fileno()])
                except BrokenPipeError:
                    pass  # it has died, which the lack of an answer shows
                pid = self._receive(ANSWER_SECONDS)
            if pid is None:
                self._end(0)
                raise OSError(f"the zygote does not answer within {ANSWER_SECONDS:g} s")
            if pid < 0:
                raise OSError(-pid, os.strerror(-pid))
        except BaseException:
            stdin.close()
            raise
        finally:
            os.close(reader)
        return ForkedWorker(pid, stdin)

    def close(self) -> None:
        """End it. The workers stay. Safe to call twice."""
        self._end(0)

    def _receive(self, seconds: float) -> int | None:
        """Return what it sends; None: nothing within so many seconds. Raises OSError if it has died."""
        assert self._channel is not None
        self._channel.settimeout(seconds)
        try:
            packet = self._channel.recv(MAX_PACKET_BYTES)
        except (BlockingIOError, TimeoutError):
            return None
        except ConnectionResetError:
            packet = b""
        if not packet:
            raise OSError(f"the zygote {self._end(END_SECONDS)}")
        return int(packet)

    def _end(self, seconds: float) -> str:
        """Kill it, if it has not ended within so many seconds, and close the channel. Returns how it ended."""
        process, channel = self._process, self._channel
        self._process = self._channel = None
        if process is None or channel is None or process.stderr is None:
            return "does not run"
        with channel, suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        status = stop(process, 0)
        with process.stderr as errors:
            os.set_blocking(errors.fileno(), False)
            lines = (errors.read() or b"").decode(errors="replace").splitlines()
        how = describe_status(status)
        return f"{how}: {visible(lines[-1])[:_SHOWN_CHARACTERS]}" if lines else how
