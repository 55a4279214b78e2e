"""What a person wants to see of a snapshot: which devices, in which order, which page. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from monitor.model.view_model import Row, device_label
from virnucpro_bus.metrics import GpuMetrics

SORTS = ("device", "utilization", "queue")
_UUID_STARTS = ("gpu-", "mig-")


@dataclass(frozen=True)
class ViewOptions:
    """One way of looking at a snapshot."""

    sort: str = "device"
    """One of SORTS: by host and index, or the greatest compute percentage or the longest queue first."""
    page: int = 0
    """Counts from 0 and wraps: any integer is a page."""
    devices: frozenset[str] | None = None
    """Patterns of the devices shown, as for `select`; None shows all."""


EVERYTHING = ViewOptions()
"""All devices in their own order, the first page."""


def select(rows: Iterable[Row], patterns: Collection[str]) -> tuple[Row, ...]:
    """The rows of the devices that any of `patterns` means, in their order.

    A pattern is a GPU's index, a label as on screen ("GPU 0", "cpu:0"), a UUID or its beginning ("GPU-1a2b"), or
    one of these behind a host and a colon ("node1:0"). Upper and lower case are the same.
    """
    wanted = {_folded(pattern) for pattern in patterns}
    starts = _uuid_starts(wanted)
    return tuple(row for row in rows if _is_meant(row[0], wanted, starts))


def unmatched(rows: Iterable[Row], patterns: Collection[str]) -> list[str]:
    """Those of `patterns` that mean no device, in order."""
    seen = list(rows)
    return sorted(pattern for pattern in patterns if not select(seen, (pattern,)))


def _is_meant(metrics: GpuMetrics, wanted: Collection[str], starts: tuple[str, ...]) -> bool:
    host = _folded(metrics["host"])
    for name in _names(metrics):
        for full in (name, f"{host}:{name}"):
            # str.startswith takes a tuple, and none of () matches.
            if full in wanted or (name.startswith(_UUID_STARTS) and full.startswith(starts)):
                return True
    return False


def _names(metrics: GpuMetrics) -> list[str]:
    device_id = metrics["device_id"]
    names = [str(device_id), device_label(device_id), metrics["uuid"] or ""]
    return [_folded(name) for name in names if name]


def _uuid_starts(wanted: Iterable[str]) -> tuple[str, ...]:
    """Those of `wanted` that may be the beginning of a UUID, with or without a host before it."""
    return tuple(name for name in wanted if name.rpartition(":")[2].startswith(_UUID_STARTS))


def _folded(name: str) -> str:
    return name.strip().casefold()
