"""A run as `ls` lists it, by what its folder shows: a few small files and its lock, but not its capture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypedDict

import msgspec

from virnucpro_bus.errors import AddressError
from virnucpro_bus.files.plain_files import read_plain_file
from virnucpro_bus.files.socket_folder import is_listening
from virnucpro_bus.run_folder import (
    BUS_FILE,
    CAPTURE_NAME,
    SUMMARY_NAME,
    BusAddresses,
    announced_addresses,
    read_addresses,
)
from virnucpro_bus.run_lock import Evidence, examine_lock
from virnucpro_bus.run_reports import BROKEN_OFF, state_at_end

MAX_SUMMARY_BYTES = 64 << 20
"""A longer summary, of a run with very many failures, is not read."""


class RunRow(TypedDict):
    """One run. None means unknown."""

    folder: str
    """Its folder: an absolute path if it was found in the registry, else as the user reaches it."""
    run: str | None
    """Its id."""
    host: str | None
    """The machine of its hub."""
    state: str | None
    """"starting" until it has a bus, "loading" while no worker is ready and one loads its job, "running"; then
    "finished", "interrupted" by a signal, "broken off" if it was killed, or "ended" where no summary says how."""
    exit_code: int | None
    """None while it is running, and without a summary."""
    files_total: int | None
    files_completed: int | None
    files_failed: int | None
    devices: int | None
    """How many devices have worked for it, or are going to."""
    started: float | None
    """Wall-clock time (seconds since 1970) of the start of its last session."""
    elapsed_seconds: float | None
    """From then until now, or until its end."""


STARTING, LOADING, RUNNING = "starting", "loading", "running"


class _Device(msgspec.Struct):
    state: str = ""


class _Totals(msgspec.Struct):
    files_total: int | None
    files_completed: int
    files_failed: int


class _Run(msgspec.Struct):
    run: str
    host: str
    started: float | None


class _Summary(msgspec.Struct):
    """What is read of summary.json."""

    exit_code: int
    elapsed_seconds: float | None
    totals: _Totals
    devices: list[_Device]
    runs: list[_Run]


_decode_summary = msgspec.json.Decoder(_Summary).decode


def row_of(folder: Path) -> RunRow | None:
    """Return the run in `folder`, as far as its files show it; None where there is no run. Never waits."""
    evidence, _ = examine_lock(folder)
    live = _live_addresses(folder, evidence)
    if live is not None:
        return {**unknown_row(folder), "run": live.run, "host": live.host, "state": RUNNING}
    if evidence is Evidence.HELD:
        return {**unknown_row(folder), "state": STARTING}
    summary = _summary(folder)
    if summary is not None:
        return _summarized(folder, summary)
    if not any(os.path.lexists(folder / name) for name in (CAPTURE_NAME, BUS_FILE)):
        return None
    return _unsummarized(folder, evidence)


def unknown_row(folder: Path) -> RunRow:
    """Return a row of which nothing is known."""
    return RunRow(
        folder=str(folder),
        run=None,
        host=None,
        state=None,
        exit_code=None,
        files_total=None,
        files_completed=None,
        files_failed=None,
        devices=None,
        started=None,
        elapsed_seconds=None,
    )


def is_working(state: str) -> bool:
    """Whether a device in this state counts as one of the run: not a GPU that is only sampled."""
    return state != "unused"


def _live_addresses(folder: Path, evidence: Evidence) -> BusAddresses | None:
    """Return the addresses of the hub in `folder`; None unless it is certain that it is alive."""
    try:
        addresses = read_addresses(folder)
    except AddressError:
        return None
    return addresses if evidence is Evidence.HELD or is_listening(addresses.history) else None


def _summary(folder: Path) -> _Summary | None:
    try:
        return _decode_summary(read_plain_file(folder / SUMMARY_NAME, MAX_SUMMARY_BYTES))
    except (OSError, ValueError, msgspec.DecodeError):
        return None


def _summarized(folder: Path, summary: _Summary) -> RunRow:
    run = summary.runs[0] if summary.runs else _Run(run="", host="", started=None)
    return RunRow(
        folder=str(folder),
        run=run.run or None,
        host=run.host or None,
        state=state_at_end(summary.exit_code),
        exit_code=summary.exit_code,
        files_total=summary.totals.files_total,
        files_completed=summary.totals.files_completed,
        files_failed=summary.totals.files_failed,
        devices=sum(is_working(device.state) for device in summary.devices),
        started=run.started,
        elapsed_seconds=summary.elapsed_seconds,
    )


def _unsummarized(folder: Path, evidence: Evidence) -> RunRow:
    """A run without a summary: it was killed, or it is one of a hub, or of another machine."""
    row, left = unknown_row(folder), announced_addresses(folder)
    if evidence is Evidence.FREE:
        # A hub removes its addresses when it ends in order.
        row["state"] = BROKEN_OFF if os.path.lexists(folder / BUS_FILE) else "ended"
    return row if left is None else {**row, "run": left.run, "host": left.host}
