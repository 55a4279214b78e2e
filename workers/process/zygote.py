"""The zygote: a process that forks the workers of a run, each in milliseconds instead of a whole start of Python.

It has imported what a worker needs, and nothing that a fork would damage: it has one thread, no ZeroMQ context and
no CUDA, imports no job and publishes nothing. A worker imports its job after the fork, with its device already in
its environment.

Started by pool/zygote.py. Its standard input is a socket for packets. A request is a JSON object, the environment
variables of a worker that differ from ours, and comes with two descriptors: the worker's standard input, and its
log. The answer is a number: the worker's process id, or -errno. `READY` is sent once, before the first request.

The worker's parent is a process in between that ends at once, so that the launcher adopts the worker: the launcher
reaps it, it ends with the launcher, and the zygote may die while it works.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress

from virnucpro_bus.system.memory import all_stays_in_use
from virnucpro_bus.system.own_packages import own_program
from virnucpro_bus.system.process_state import read_stat
from virnucpro_bus.system.signals import ENDING_SIGNALS
from workers.process.parent_watch import end_with_parent

READY = 0
"""What the zygote sends when it has imported everything."""
PLACEHOLDER = "0" * 16
"""A variable of the zygote that has this value is seen in /proc/PID/environ with the value that a worker has. That
value has as many characters."""
MAX_PACKET_BYTES = 1 << 16
_CHANNEL = _STANDARD_INPUT = 0
_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2
_ZYGOTE_PROGRAM, _WORKER_PROGRAM = "workers.process.zygote", "workers.process.worker"
_COMMAND_LINE, _ENVIRONMENT = 45, 47
"""Where /proc/PID/stat has the address of their beginning and, next to it, of their end; 0 where it hides them."""


def main() -> None:
    """Fork workers until the launcher closes the channel; work in each of them."""
    end_with_parent()
    # The launcher decides what they mean, even those that all processes of the run get (process/termination.py).
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    # A search for garbage in a worker would only copy the pages that it shares with us.
    with all_stays_in_use():
        from workers.process.worker import main as work  # not for the launcher, which imports the names above

    if answer_requests(socket.socket(fileno=_CHANNEL)):
        work()
    else:
        os._exit(0)  # there is nothing to clean up, and the launcher waits


def answer_requests(channel: socket.socket) -> bool:
    """Fork what is requested. Returns True in each worker, and False here once the channel is closed."""
    _answer(channel, READY)
    while True:
        packet, descriptors, _, _ = socket.recv_fds(channel, MAX_PACKET_BYTES, 2)
        if not packet:
            return False
        # A thread that the user's sitecustomize has started is not in a child, but the locks that it has are.
        has_threads = len(os.listdir("/proc/self/task")) > 1
        pid = _fork_worker(json.loads(packet), *descriptors)
        if pid == 0:
            channel.detach()
            _close_files()
            if has_threads:
                os.execv(sys.executable, own_program(_WORKER_PROGRAM))  # noqa: S606
            return True
        for descriptor in descriptors:
            os.close(descriptor)
        _answer(channel, pid)


def _answer(channel: socket.socket, number: int) -> None:
    try:
        channel.send(b"%d" % number)
    except BrokenPipeError:
        pass  # the launcher has died, which the next read shows


def _fork_worker(variables: Mapping[str, str], standard_input: int, log: int) -> int:
    """Fork a process that our parent adopts, and that looks like a worker. Returns its id or -errno; 0 in it."""
    reader, writer = os.pipe()
    answer = _fork()
    if answer == 0:
        if (worker := _fork()) != 0:
            if worker < 0:
                os.write(writer, b"%d" % worker)
            os._exit(0)
        _become_worker(variables, standard_input, log)
        os.write(writer, b"%d" % os.getpid())
        return 0
    os.close(writer)
    if answer > 0:
        os.waitpid(answer, 0)
        answer = int(os.read(reader, 32) or -errno.EAGAIN)
    os.close(reader)
    return answer


def _fork() -> int:
    """Return the id of a new process, 0 in it, -errno if there is none."""
    try:
        return os.fork()
    except OSError as error:
        return -(error.errno or errno.EAGAIN)


def _close_files() -> None:
    """Close all but the standard streams."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > _STANDARD_ERROR:
            with suppress(OSError):  # that of the folder itself, which is closed by now
                os.close(int(name))


def _become_worker(variables: Mapping[str, str], standard_input: int, log: int) -> None:
    """Take on what others see of a worker: its process group, standard streams, environment and command line."""
    os.setpgid(0, 0)
    os.dup2(standard_input, _STANDARD_INPUT)
    os.dup2(log, _STANDARD_OUTPUT)
    os.dup2(log, _STANDARD_ERROR)
    _show(_ZYGOTE_PROGRAM, _WORKER_PROGRAM)
    for name, value in variables.items():
        if os.environ.get(name) == PLACEHOLDER:
            _show(f"{name}={PLACEHOLDER}", f"{name}={value}")
    os.environ.update(variables)


def _show(text: str, instead: str) -> None:
    """Replace a text in our command line and environment as the kernel shows them, by one that is as long.

    They are memory of this process, which the processes that a job forks inherit: so they have the worker's mark,
    as those that it executes have.
    """
    fields = read_stat("self") or []
    for start, end in (map(int, fields[at : at + 2]) for at in (_COMMAND_LINE, _ENVIRONMENT)):
        offset = ctypes.string_at(start, end - start).find(text.encode()) if start else -1
        if offset >= 0 and len(text) == len(instead):
            ctypes.memmove(start + offset, instead.encode(), len(instead))
