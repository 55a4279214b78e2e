"""Which screen is shown, of which devices, in which order, and which page of it. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum

from monitor.model.view_model import DeviceKey
from virnucpro_bus.health.rows import DeviceWork, Row, device_label

_UUID_PREFIXES = ("gpu-", "mig-")


class ScreenKind(Enum):
    """What fills the terminal."""

    OVERVIEW = "overview"
    HELP = "help"
    DEVICE = "device"
    FILES = "files"
    LOGS = "logs"
    EFFECT = "effect"


@dataclass(frozen=True)
class ViewOptions:
    """What a view shows of a ViewModel: devices, order, page."""

    sort: str = "device"
    """One of `display_names.SORTS`: by host and index, or the greatest percentage or the longest queue first."""
    page: int = 0
    """Counts from 0 and wraps: any integer is a page."""
    devices: frozenset[str] | None = None
    """Patterns of the devices shown, as for `select`; None shows all."""
    screen: ScreenKind = ScreenKind.OVERVIEW
    chosen: DeviceKey | None = None
    """The device that is marked in the table, and that ScreenKind.DEVICE shows; None: none."""
    columns: tuple[str, ...] | None = None
    """Names of the columns, of `display_names.COLUMN_NAMES`; None: those that tell something and fit."""


EVERYTHING = ViewOptions()
"""All devices in their own order, the first page."""


def select(rows: Iterable[Row], patterns: Collection[str]) -> tuple[Row, ...]:
    """Return the rows of the devices that match any of `patterns`, in their order.

    A pattern is a GPU's index, a label as on screen ("GPU 0", "cpu:0"), a UUID of its GPUs or the
    beginning of one ("GPU-1a2b"), a key, or one of these after a host and a colon ("node1:0"). Case is ignored.
    """
    wanted = {_folded(pattern) for pattern in patterns}
    prefixes = _uuid_prefixes(wanted)
    return tuple(row for row in rows if _matches(row[0], wanted, prefixes))


def unmatched(rows: Iterable[Row], patterns: Collection[str]) -> list[str]:
    """Return those of `patterns` that match no device, sorted."""
    present = list(rows)
    return sorted(pattern for pattern in patterns if not select(present, (pattern,)))


def _matches(metrics: DeviceWork, wanted: Collection[str], prefixes: tuple[str, ...]) -> bool:
    host = _folded(metrics["host"])
    for name in _names(metrics):
        for full in (name, f"{host}:{name}"):
            # str.startswith takes a tuple; the empty one matches nothing.
            if full in wanted or (name.startswith(_UUID_PREFIXES) and full.startswith(prefixes)):
                return True
    return False


def _names(metrics: DeviceWork) -> list[str]:
    device_id = metrics["device_id"]
    names = [] if device_id is None else [str(device_id), device_label(device_id)]
    names += [metrics["uuid"] or "", metrics["key"] or "", *(metrics["gpus"] or ())]
    return [_folded(name) for name in names if name]


def _uuid_prefixes(wanted: Iterable[str]) -> tuple[str, ...]:
    """Those of `wanted` that may be the beginning of a UUID, with or without a host before it."""
    return tuple(name for name in wanted if name.rpartition(":")[2].startswith(_UUID_PREFIXES))


def _folded(name: str) -> str:
    return name.strip().casefold()
