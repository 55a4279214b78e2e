"""What this process and those that it has started use: processor time, memory, and bytes read."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

MOST_PROCESSES = 256
"""To look for more takes too long: then nothing is known."""
_PROC = Path("/proc")
_TIMES = slice(11, 15)
"""In /proc/PID/stat after the name: the time as a user and in the kernel, its own and that of ended children."""


class ProcessUsage(NamedTuple):
    """What a process and its descendants use. Of descendants that have ended, it counts what they had used."""

    cpu_milliseconds: int | None
    """Processor time so far; None: unknown."""
    resident_bytes: int | None
    """Memory that is resident now; what processes share counts for each of them. None: unknown."""
    read_bytes: int | None
    """What read calls have returned so far, from disks, caches and pipes; None: the kernel does not say."""


UNKNOWN_USAGE = ProcessUsage(None, None, None)


def own_usage(proc: Path = _PROC) -> ProcessUsage:
    """Return what this process and its descendants use. Never raises; for any thread."""
    pids: list[str] = []
    for pid in _with_descendants(str(os.getpid()), proc):
        if len(pids) == MOST_PROCESSES:
            return UNKNOWN_USAGE
        pids.append(pid)
    # Those that have ended meanwhile are in the figures of their parents from the next time on.
    return ProcessUsage(
        _sum([_cpu_milliseconds(proc / pid) for pid in pids]),
        _sum([_resident_bytes(proc / pid) for pid in pids]),
        _sum([_read_bytes(proc / pid) for pid in pids]),
    )


def _with_descendants(pid: str, proc: Path) -> Iterator[str]:
    """Yield `pid`, and the ids of all processes that descend from it. Any thread of a process may be a parent."""
    yield pid
    try:
        threads = os.listdir(proc / pid / "task")
    except OSError:
        return
    for thread in threads:
        for child in (_read(proc / pid / "task" / thread / "children") or "").split():
            yield from _with_descendants(child, proc)


def _cpu_milliseconds(process: Path) -> int | None:
    stat = _read(process / "stat")
    if stat is None:
        return None
    ticks = sum(map(int, stat.rpartition(")")[2].split()[_TIMES]))
    return ticks * 1000 // os.sysconf("SC_CLK_TCK")


def _resident_bytes(process: Path) -> int | None:
    statm = _read(process / "statm")
    return None if statm is None else int(statm.split()[1]) * resource.getpagesize()


def _read_bytes(process: Path) -> int | None:
    io = _read(process / "io")
    return None if not io else int(io.split()[1])  # "rchar: N" comes first


def _read(path: Path) -> str | None:
    """Return the content of a file; None where the process has ended, or the kernel hides it."""
    try:
        return path.read_text(errors="replace") or None
    except OSError:
        return None


def _sum(values: Sequence[int | None]) -> int | None:
    """Return the sum of the known values; None if the first, this process's own, is unknown."""
    return None if values[0] is None else sum(value for value in values if value is not None)
