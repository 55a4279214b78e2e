"""The fold over everything that is on a bus: one ledger a host, and what "now" is on each.

Live, remote and replay all end here; nothing after this file knows which of them it was. It satisfies both
protocols of `metrics`, so a dashboard takes it as `LoadBalancingDashboard(fleet, fleet)`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import TypedDict

from virnucpro_bus.clock import Clock
from virnucpro_bus.codec import Foreign, decode_all
from virnucpro_bus.events import Envelope
from virnucpro_bus.ledger import WorkLedger
from virnucpro_bus.metrics import (
    UNKNOWN_UTILIZATION,
    GpuMetrics,
    GpuUtilization,
    StealEvent,
    Totals,
)

FRAMES_AT_ONCE = 500
"""Decoded before they are folded: few enough to stay in the processor's cache, which halves the cost."""


class DeviceReport(GpuMetrics, GpuUtilization):
    """One device in the `--json` object: its work and what the driver says of it."""


class FleetReport(TypedDict):
    """The `--json` object of monitor, replay and summary.json."""

    devices: list[DeviceReport]
    totals: Totals
    steals: list[StealEvent]


class _Host:
    """One host: its fold, and how its clock stands to ours."""

    def __init__(self, name: str) -> None:
        self.ledger = WorkLedger(name)
        self.clock_offset_ns: int | None = None
        """Our monotonic clock minus the host's; the least ever seen, which is nearest to no delay at all."""


class FleetState:
    """Folds frames; safe to read from any thread while another one feeds it.

    `clock` says what "now" is: the system's when live, the recording's in a replay. `local_host` is the name of
    the host whose monotonic clock `clock` reads; None when there is none (replay).
    """

    def __init__(self, clock: Clock, local_host: str | None = None) -> None:
        self._clock = clock
        self._local_host = local_host
        self._hosts: dict[str, _Host] = {}
        self._lock = threading.Lock()
        self.refused: Counter[str] = Counter()
        """Frames that were not events, by FrameError.reason."""

    def feed(self, frames: Sequence[bytes], received_ns: int | None = None) -> None:
        """Decode and fold frames. `received_ns` is when they came, on `clock`; None when they are history."""
        with self._lock:
            for first in range(0, len(frames), FRAMES_AT_ONCE):
                decoded = decode_all(frames[first : first + FRAMES_AT_ONCE], self.refused)
                for name, envelopes in groupby(decoded, attrgetter("host")):
                    self._host(name).ledger.apply_all(envelopes)
            if received_ns is not None:
                for host in self._hosts.values():
                    self._compare_clocks(host, received_ns)

    def apply(self, envelope: Envelope | Foreign, received_ns: int | None = None) -> bool:
        """Fold one decoded event; False when it had been folded before."""
        with self._lock:
            host = self._host(envelope.host)
            fresh = host.ledger.apply(envelope)
            if received_ns is not None:
                self._compare_clocks(host, received_ns)
            return fresh

    # What MetricsSource and UtilizationSource ask.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row a device, by host, then index."""
        with self._lock:
            hosts = [self._hosts[name] for name in sorted(self._hosts)]
            return [row for host in hosts for row in host.ledger.metrics(self._host_now(host))]

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first."""
        with self._lock:
            steals = [steal for host in self._hosts.values() for steal in host.ledger.steals()]
        return sorted(steals, key=lambda steal: steal["timestamp"])[-50:]

    def get_totals(self) -> Totals:
        """All hosts together."""
        with self._lock:
            each = [host.ledger.totals() for host in self._hosts.values()]
        planned = [total for totals in each if (total := totals["files_total"]) is not None]
        return Totals(
            files_total=sum(planned) if planned else None,
            files_completed=sum(totals["files_completed"] for totals in each),
            files_failed=sum(totals["files_failed"] for totals in each),
            sequences=sum(totals["sequences"] for totals in each),
            steals=sum(totals["steals"] for totals in each),
            events_published=sum(totals["events_published"] for totals in each),
            events_received=sum(totals["events_received"] for totals in each),
            events_lost=sum(totals["events_lost"] for totals in each),
        )

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """The last sample of a GPU by UUID, or by index where one host alone has it; stale samples are unknown."""
        with self._lock:
            found = [
                utilization
                for host in self._hosts.values()
                if (utilization := host.ledger.utilization(device_id, self._host_now(host))) is not None
            ]
        return found[0] if len(found) == 1 else UNKNOWN_UTILIZATION.copy()

    # What only those ask who know that it is a fleet.

    def elapsed_seconds(self) -> float | None:
        """Time since the run started (of the first, where there are several); None where there is none."""
        with self._lock:
            times = [host.ledger.elapsed_seconds(self._host_now(host)) for host in self._hosts.values()]
        return max((time for time in times if time is not None), default=None)

    @property
    def finished(self) -> bool:
        """Whether every announced run is over (and at least one was announced)."""
        with self._lock:
            runs = [host.ledger for host in self._hosts.values() if host.ledger.run is not None]
            return bool(runs) and all(ledger.finished is not None for ledger in runs)

    def notices(self) -> list[tuple[int, str]]:
        """What users should know, oldest first: (wall-clock time in nanoseconds, text)."""
        with self._lock:
            return sorted(notice for host in self._hosts.values() for notice in host.ledger.notices())

    def remarks(self) -> list[str]:
        """What is to be said of the stream itself, a line each: what could not be understood."""
        with self._lock:
            unknown = sum(host.ledger.unknown_kinds for host in self._hosts.values())
            lines = [f"events of kinds that this version does not know: {unknown}"] if unknown else []
            return lines + [
                f"frames that are no events ({reason}): {count}" for reason, count in self.refused.items()
            ]

    def failures(self) -> dict[str, str]:
        """Why files failed for good, by file."""
        with self._lock:
            return {
                file: reason
                for host in self._hosts.values()
                for file, (_, reason) in sorted(host.ledger.failures.items())
            }

    def report(self) -> FleetReport:
        """Everything at once, for `--json`."""
        devices: list[DeviceReport] = []
        for row in self.get_gpu_metrics():
            utilization = self.get_gpu_utilization(row["uuid"] or row["device_id"])
            devices.append({**row, **utilization})
        return FleetReport(devices=devices, totals=self.get_totals(), steals=self.get_recent_steal_events())

    # Inside; the lock is held.

    def _host(self, name: str) -> _Host:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(name)
        return host

    @staticmethod
    def _compare_clocks(host: _Host, received_ns: int) -> None:
        # Its newest event was published before now, so no difference can be less than the true one.
        offset_ns = received_ns - host.ledger.last_ns
        if host.clock_offset_ns is None or offset_ns < host.clock_offset_ns:
            host.clock_offset_ns = offset_ns

    def _host_now(self, host: _Host) -> int:
        """Now on the host's monotonic clock; the time of its last event where the clocks were never compared."""
        if host.ledger.host == self._local_host:
            now_ns = self._clock.mono_ns()
        elif host.clock_offset_ns is None:
            now_ns = host.ledger.last_ns
        else:
            now_ns = self._clock.mono_ns() - host.clock_offset_ns
        return host.ledger.at(max(now_ns, host.ledger.last_ns))
