"""The rows of drawings of devices over time: one a device, thinner for many devices, by host for more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.markup.html import Markup, element, shortened
from monitor.markup.scales import LEFT, TEXT_DROP
from monitor.report.reported_run import ReportedRun
from virnucpro_bus.timeline.timeline import DeviceKey

FEW_DEVICES, MANY_DEVICES = 32, 256
"""More devices get thinner rows; still more are shown together, by host."""
LABEL_CHARACTERS, TITLE_CHARACTERS = 16, 160


@dataclass(frozen=True)
class Row:
    """The devices that are shown together, and what they are called."""

    label: str
    devices: tuple[DeviceKey, ...]


@dataclass(frozen=True)
class Rows:
    """The rows of a drawing, from the top."""

    rows: tuple[Row, ...]
    is_by_host: bool
    """Whether a row stands for all devices of a host."""

    @property
    def is_thin(self) -> bool:
        """Whether there are so many that rows are thin."""
        return len(self.rows) > FEW_DEVICES


def rows_of(run: ReportedRun, devices: Iterable[DeviceKey]) -> Rows:
    """The rows for those `devices`, in the order of hosts and indices."""
    wanted = set(devices)
    keys = [key for key in run.timeline.devices if key in wanted]
    if len(keys) <= MANY_DEVICES:
        return Rows(tuple(Row(run.label(*key), (key,)) for key in keys), is_by_host=False)
    hosts: dict[str, list[DeviceKey]] = {}
    for key in keys:
        hosts.setdefault(key[0], []).append(key)
    by_host = tuple(Row(f"{host}: {len(found)}", tuple(found)) for host, found in sorted(hosts.items()))
    return Rows(by_host, is_by_host=True)


def row_label(row: Row, middle: float, *, is_thin: bool) -> Markup:
    """The name of a row, at the left of the plot; whole for a pointer where it does not fit."""
    return element(
        "text",
        element("title", shortened(row.label, TITLE_CHARACTERS)),
        shortened(row.label, LABEL_CHARACTERS),
        class_="small" if is_thin else None,
        x=LEFT - 8,
        y=middle + TEXT_DROP - is_thin,
        text_anchor="end",
    )
