"""What the `--json` object says of announced runs, and of their files that have failed.

None means unknown, as in `metrics.py`.
"""

from __future__ import annotations

from typing import Final, TypedDict

INTERRUPTED: Final = 128
"""A run with this exit status or a greater one was ended by a signal."""
LOADING, RUNNING, DRAINING = "loading", "running", "draining"
LIVE_STATES = frozenset({LOADING, RUNNING, DRAINING})
"""The states of a run that is not over."""
FINISHED, STOPPED, BROKEN_OFF = "finished", "interrupted", "broken off"
"""The states of one that is."""


def state_at_end(exit_code: int) -> str:
    """Return the state of a run that has reported its end with this status."""
    return STOPPED if exit_code >= INTERRUPTED else FINISHED


class ShardReport(TypedDict):
    """The part of the inputs that a run has, where several runs share them."""

    number: int
    """Which part, from 0."""
    count: int
    """Of how many."""
    files: int
    """Files of all parts together."""
    inputs: str
    """A digest of these files and of the estimated work in them, equal for the parts of one whole."""


class AnnouncedRun(TypedDict):
    """One run that was announced, in its last session."""

    run: str
    """Its name; where several buses are shown together, the run folder or address of its bus."""
    host: str
    """The host of its launcher."""
    job: str
    policy: str
    state: str
    """"loading" until a worker has loaded its job, "running", "draining" once no more files are handed out and it
    has not ended yet; "finished"; "interrupted" by a signal; "broken off" if it was killed."""
    exit_code: int | None
    """None while it is running, and when it was broken off."""
    started: float | None
    """Wall-clock time (seconds since 1970) of the start of the session; None when unknown."""
    elapsed_seconds: float | None
    """Since then, until now or until its end; None when unknown."""
    shard: ShardReport | None
    """None: it has all of its inputs."""
    id: str
    """Its id, which its events name; "" when unknown."""
    draining_reason: str | None
    """Why no more files were handed out although some were pending: the name of a signal, or a short text; None:
    they were."""


class RunReport(AnnouncedRun):
    """The same with its progress."""

    files_total: int | None
    """Files of its plan; None without one."""
    files_completed: int
    files_failed: int
    files_pending: int | None
    """Those of the plan that are neither completed nor failed, the ones in progress included."""
    eta_seconds: float | None
    """How long until its last file is done, as on the dashboard; None when unknown, when it is over, and while it
    is draining."""
    expected_end: float | None
    """Wall-clock time (seconds since 1970) of that moment."""


class FailedFile(TypedDict):
    """A file that has failed for good."""

    file: str
    host: str
    device: str | None
    """The key of the device of the last attempt; None when unknown."""
    device_id: int | str | None
    """The `device_id` of that device, for display."""
    attempts: int
    """The number of the last attempt; 0: not counted."""
    reason: str
    log: str | None
    """The name of that attempt's log in the run folder, which exists if it has printed anything; None where there
    are no logs."""
    failed: float
    """Wall-clock time, seconds since 1970."""
