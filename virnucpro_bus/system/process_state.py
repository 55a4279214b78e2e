"""What the kernel says of a process of this machine, by its id."""

from __future__ import annotations

from pathlib import Path

ZOMBIE = "Z"
"""The state of a process that has ended, and that its parent has not reaped."""


def is_running(pid: int) -> bool:
    """Whether there is a process with this id that has not ended."""
    fields = read_stat(str(pid))
    return fields is not None and fields[0] != ZOMBIE


def read_stat(pid: str) -> list[str] | None:
    """Return the fields of /proc/PID/stat after the name, the state first; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
