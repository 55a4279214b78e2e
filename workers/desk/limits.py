"""The limits of workers: how many there may be, how long one may be silent, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass

MAX_DEVICES = 1024
"""Of a run. One event can list many more, but each device takes a worker process."""
DEFAULT_HANG_SECONDS = 60.0
"""A worker sends a heartbeat each second from a thread of its own. It is silent only while it is stopped, or in
one long call that does not release Python's lock; no ordinary call lasts a minute."""


@dataclass(frozen=True)
class Limits:
    """How long a worker may be silent, and how long an attempt may take (None: without limit)."""

    hang_seconds: float = DEFAULT_HANG_SECONDS
    file_seconds: float | None = None
