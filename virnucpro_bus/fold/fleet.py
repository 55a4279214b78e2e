"""The fold over everything that is on a bus: one ledger a host, and what "now" is on each.

Live, remote and replay all end here; nothing after this file knows which of them it was. It satisfies both
protocols of `metrics`, so a dashboard takes it as `LoadBalancingDashboard(fleet, fleet)`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from operator import attrgetter, itemgetter

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.effect.shares import HostWork
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.codec import Foreign, decode_all
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.fold.host_fold import HostFold
from virnucpro_bus.fold.host_view import HostView
from virnucpro_bus.fold.merge import latest_files, latest_steals, sum_totals
from virnucpro_bus.fold.report import FleetReport, make_report
from virnucpro_bus.fold.snapshot import Fold, pack, unpack
from virnucpro_bus.metrics import (
    UNKNOWN_UTILIZATION,
    Effect,
    FailedAttempt,
    FileRecord,
    GpuMetrics,
    GpuUtilization,
    SourceCounts,
    StealEvent,
    Totals,
)

FRAMES_AT_ONCE = 500
"""Decoded before they are folded: few enough to stay in the processor's cache, which halves the cost."""


class FleetState:
    """Folds frames; safe to read from any thread while another one feeds it.

    `clock` says what "now" is: the system's when live, the recording's in a replay. `local_host` names the host
    whose monotonic clock it reads, None in a replay. A GPU's load is of `interval_seconds` before its last look.
    """

    def __init__(self, clock: Clock, local_host: str | None = None, interval_seconds: float = 2.0) -> None:
        self._clock = clock
        self._interval_ns = round(interval_seconds * NANOSECONDS)
        self._local_host = local_host
        self._hosts: dict[str, HostView] = {}
        self._lock = threading.RLock()
        self.refused: Counter[str] = Counter()
        """Frames that were not events, by FrameError.reason."""

    def feed(self, frames: Sequence[bytes], received_ns: int | None = None) -> None:
        """Decode and fold frames. `received_ns` is when they came, on `clock`; None when they are history."""
        heard: HostView | None = None
        with self._lock:
            for first in range(0, len(frames), FRAMES_AT_ONCE):
                decoded = decode_all(frames[first : first + FRAMES_AT_ONCE], self.refused)
                for name, envelopes in groupby(decoded, attrgetter("host")):
                    heard = self._host(name)
                    heard.fold.apply_all(envelopes)
            if received_ns is not None:
                for host in self._hosts.values():
                    host.compare_clocks(received_ns, just_now=host is heard)

    def apply(self, envelope: Envelope | Foreign, received_ns: int | None = None) -> bool:
        """Fold one decoded event; False when it had been folded before."""
        with self._lock:
            host = self._host(envelope.host)
            fresh = host.fold.apply(envelope)
            if received_ns is not None:
                host.compare_clocks(received_ns, just_now=True)
            return fresh

    # A fold that is handed over.

    def dump(self) -> bytes:
        """All that was folded, for another fleet to `load`: what that one is fed then adds up as it would here."""
        with self._lock:
            return pack(Fold(self.refused, [host.fold for host in self._in_order()]))

    def load(self, data: bytes) -> None:
        """Take over what another fleet has folded. Only for one that has folded nothing yet.

        Raises SnapshotError when `data` is not what `dump` of this version gives; the fleet is then as before.
        """
        fold = unpack(data)
        with self._lock:
            if self._hosts:
                raise SnapshotError("a fleet that has folded something can take over no snapshot")
            for ledger in fold.hosts:
                self._hosts[ledger.host] = self._new_host(ledger)
            self.refused.update(fold.refused)

    def empty_copy(self) -> FleetState:
        """Another one that goes by the same clock, and has folded nothing."""
        return FleetState(self._clock, self._local_host, self._interval_ns / NANOSECONDS)

    def replace_with(self, other: FleetState) -> None:
        """Take over what `other` has folded, in place of all of our own; nobody may feed that one any more."""
        with self._lock:
            self._hosts, self.refused = other._hosts, other.refused

    # What MetricsSource and UtilizationSource ask.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row a device, by host, then index."""
        with self._lock:
            return [row for host in self._in_order() for row in host.metrics()]

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first by our wall clock."""
        with self._lock:
            steals = [steal for host in self._in_order() for steal in host.steals()]
        return latest_steals(steals)

    def get_totals(self) -> Totals:
        """All hosts together."""
        with self._lock:
            return sum_totals([host.fold.totals() for host in self._hosts.values()])

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """The last sample of a GPU by UUID, or by index where one host alone has it; stale samples are unknown."""
        with self._lock:
            hosts = self._hosts.values()
            told = [host.fold.utilization(device_id, host.now_ns(), self._interval_ns) for host in hosts]
        found = [utilization for utilization in told if utilization is not None]
        return found[0] if len(found) == 1 else UNKNOWN_UTILIZATION.copy()

    # What only those ask who know that it is a fleet.

    def get_gpu_utilizations(self) -> dict[str, GpuUtilization]:
        """As `get_gpu_utilization`, of every GPU at once, by UUID: asked one by one they cost their square."""
        found: dict[str, GpuUtilization] = {}
        with self._lock:
            for host in self._hosts.values():
                for key, utilization in host.fold.utilizations(host.now_ns(), self._interval_ns).items():
                    found[key] = UNKNOWN_UTILIZATION.copy() if key in found else utilization
        return found

    def get_effect(self) -> Effect:
        """What stealing has done for the run; the runs of several hosts as a whole."""
        return combine(self.get_effects())

    def get_effects(self) -> list[Effect]:
        """What stealing has done for the run of each host."""
        with self._lock:
            return [host.effect() for host in self._in_order()]

    def get_work(self) -> list[HostWork]:
        """What was planned and done on each host where a plan is known. For a fleet that nobody feeds any more."""
        with self._lock:
            every = [host.fold.work(host.now_ns()) for host in self._in_order()]
        return [work for work in every if work.log.assigned]

    def elapsed_seconds(self) -> float | None:
        """Time since the run started (of the first, where there are several); None where there is none."""
        with self._lock:
            times = [host.fold.elapsed_seconds(host.now_ns()) for host in self._hosts.values()]
        return max((time for time in times if time is not None), default=None)

    def break_off(self) -> None:
        """Nobody will feed it any more, and no hub is left: runs that are not over have been broken off."""
        with self._lock:
            for host in self._hosts.values():
                host.fold.break_off()

    @property
    def finished(self) -> bool:
        """Whether every announced run is over, or broken off (and at least one was announced)."""
        with self._lock:
            runs = [host.fold for host in self._hosts.values() if host.fold.run is not None]
            return bool(runs) and all(ledger.is_over for ledger in runs)

    def notices(self) -> list[tuple[int, str]]:
        """What users should know, oldest first: (time on our wall clock in nanoseconds, text)."""
        with self._lock:
            return sorted(notice for host in self._hosts.values() for notice in host.notices())

    def stream_warnings(self) -> list[str]:
        """What is to be said of the stream itself, a line each: clocks, and what could not be understood."""
        with self._lock:
            lines = [remark for host in self._in_order() if (remark := host.clock_warning()) is not None]
            unknown = sum(host.fold.unknown_kinds for host in self._hosts.values())
            if unknown:
                lines.append(f"events of kinds that this version does not know: {unknown}")
            refused = sorted(self.refused.items())
            return lines + [f"frames that are no events ({reason}): {count}" for reason, count in refused]

    def lossy_sources(self) -> list[SourceCounts]:
        """The sources of whose events some are lost, by host, source and epoch."""
        with self._lock:
            sources = [source for host in self._hosts.values() for source in host.fold.lossy_sources()]
        return sorted(sources, key=itemgetter("host", "source", "epoch"))

    def files(self) -> list[FileRecord]:
        """The last 100 completed files, oldest first by our wall clock."""
        with self._lock:
            return latest_files(file for host in self._in_order() for file in host.files())

    def failures(self) -> dict[str, str]:
        """Why files failed for good, by file."""
        with self._lock:
            return {
                file: reason
                for host in self._in_order()
                for file, reason in sorted(host.fold.failed_files().items())
            }

    def attempts(self) -> dict[str, list[FailedAttempt]]:
        """The attempts that came to nothing, by file: of files that failed, and of those done at last."""
        with self._lock:
            return {
                file: [
                    FailedAttempt(attempt=number, device=key, reason=reason) for number, key, reason in attempts
                ]
                for host in self._in_order()
                for file, attempts in sorted(host.fold.attempts.items())
            }

    def frozen(self) -> AbstractContextManager[object]:
        """While entered nobody else changes anything: what one thread asks then is all of one moment."""
        return self._lock

    def report(self) -> FleetReport:
        """Everything at once, for `--json`."""
        return make_report(self)

    # Inside; the lock is held.

    def _in_order(self) -> list[HostView]:
        return [self._hosts[name] for name in sorted(self._hosts)]

    def _host(self, name: str) -> HostView:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = self._new_host(HostFold(name))
        return host

    def _new_host(self, ledger: HostFold) -> HostView:
        return HostView(ledger, self._clock, is_local=ledger.host == self._local_host)
