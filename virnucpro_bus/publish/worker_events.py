"""The events of a worker, made of what a caller passes: any values, checked and converted by `values.py`.

Each function gets the worker's device key first, and then the name of the file. Raises ValueError for a value
that no event can carry.
"""

from __future__ import annotations

import os

from virnucpro_bus.devices import as_index
from virnucpro_bus.events.vocabulary import (
    FileCompleted,
    FileFailed,
    FileProgress,
    FileStarted,
    WorkStolen,
)
from virnucpro_bus.own_device import find_peer_device
from virnucpro_bus.passed_numbers import as_count
from virnucpro_bus.publish.values import as_device, as_elapsed, as_name, as_reason


def file_started(device: str, file: str, attempt: object) -> FileStarted:
    """Return the event that the worker starts `file`."""
    return FileStarted(device, file, as_count("attempt", attempt))


def file_progress(device: str, file: str, sequences: object, total: object, attempt: object) -> FileProgress:
    """Return the event that `sequences` of `file` are done, of `total` (None: unknown)."""
    return FileProgress(
        device,
        file,
        as_count("attempt", attempt),
        as_count("sequences", sequences),
        None if total is None else as_count("total", total),
    )


def file_completed(
    device: str, file: str, sequences: object, duration_seconds: object, attempt: object
) -> FileCompleted:
    """Return the event that `file` is done."""
    return FileCompleted(
        device,
        file,
        as_count("attempt", attempt),
        as_count("sequences", sequences),
        as_elapsed(duration_seconds),
    )


def file_failed(device: str, file: str, reason: object, duration_seconds: object, attempt: object) -> FileFailed:
    """Return the event that `file` failed for good."""
    return FileFailed(
        device,
        file,
        as_count("attempt", attempt),
        as_reason(reason),
        as_elapsed(duration_seconds),
    )


def work_stolen(device: str, file: str, victim: object, attempt: object, stolen_at_ns: object) -> WorkStolen:
    """Return the event that the worker's device took `file` from the queue of the device `victim`.

    A number is that of a CPU worker if this worker is one, else CUDA's in this process.
    """
    peer = find_peer_device(os.environ, device, as_device("source", victim), as_index(victim))
    return WorkStolen(
        device,
        as_name(peer.key),
        file,
        as_count("attempt", attempt),
        as_count("stolen_at_ns", stolen_at_ns),
    )
