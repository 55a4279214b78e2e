"""The fold over all events of one bus: the hosts on it, each with its own fold and its own clocks.

Live, remote and replayed events all end here, and what reads a fleet is the same for all of them. A fleet
satisfies both protocols of `metrics`, so a dashboard takes it as `LoadBalancingDashboard(fleet, fleet)`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import groupby, repeat
from operator import attrgetter, itemgetter

from virnucpro_bus.clock import NANOSECONDS, Clock
from virnucpro_bus.effect.combine import combine
from virnucpro_bus.effect.shares import HostWork
from virnucpro_bus.errors import SnapshotError
from virnucpro_bus.events.codec import Foreign, decode_all
from virnucpro_bus.events.envelope import Envelope
from virnucpro_bus.events.host_time import UNKNOWN_TIME
from virnucpro_bus.fold.fold import Fold
from virnucpro_bus.fold.host_fold import Handlers, HostFold
from virnucpro_bus.fold.host_view import HostView
from virnucpro_bus.fold.merge import latest_files, latest_steals, sum_totals
from virnucpro_bus.fold.report import FleetReport, latest_failed, make_report
from virnucpro_bus.fold.row_figures import figures_of_device, figures_of_rows
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
from virnucpro_bus.run_reports import AnnouncedRun, FailedFile, RunReport

FRAMES_AT_ONCE = 500
"""How many frames are decoded, then folded: so few stay in the processor's cache, which halves the cost."""


class FleetState:
    """Folds the frames of one bus. Safe to read from any thread while another one feeds it.

    `clock` gives the time that counts as now: the system's if live, the recording's in a replay. A GPU's load is
    the mean over `interval_seconds` before its last sample.
    """

    def __init__(
        self,
        clock: Clock,
        local_host: str | None = None,
        interval_seconds: float = 2.0,
        handlers: Handlers | None = None,
        observe: Callable[[Sequence[Envelope | Foreign]], object] | None = None,
    ) -> None:
        """`handlers` are for `HostFold.apply_all`; None: those of the fold.

        `observe` gets the events that were fed, some hundred at a time, before they are folded.
        """
        self._clock = clock
        self._handlers = handlers
        self._observe = observe
        self._interval_ns = round(interval_seconds * NANOSECONDS)
        self.local_host = local_host
        """The name, in events, of the host whose monotonic clock `clock` reads; None: of no host, as in a replay.

        To be set before anything is folded.
        """
        self.receipt_clock = clock
        """By which the times of receipt are that `feed` gets. To be set before anything is folded."""
        self._hosts: dict[str, HostView] = {}
        self._lock = threading.RLock()
        self.refused: Counter[str] = Counter()
        """Frames that are not events, by FrameError.reason."""

    def feed(self, frames: Sequence[bytes], received_ns: int | Sequence[int] | None = None) -> None:
        """Decode and fold frames.

        `received_ns` is when each of them was received, or all of them, by `receipt_clock`; None: unknown.
        """
        with self._lock:
            for first in range(0, len(frames), FRAMES_AT_ONCE):
                part = slice(first, first + FRAMES_AT_ONCE)
                decoded = decode_all(frames[part], self.refused)
                if self._observe is not None:
                    self._observe(decoded)
                if received_ns is None or isinstance(received_ns, int):
                    times: Iterator[int] = repeat(UNKNOWN_TIME if received_ns is None else received_ns)
                else:
                    times = iter(_times_of_events(frames[part], received_ns[part], len(decoded)))
                self._apply_all(decoded, times)

    def feed_decoded(self, envelopes: Sequence[Envelope | Foreign], received_ns: Iterable[int]) -> None:
        """Fold events that were decoded before, each received at its time by `receipt_clock`."""
        with self._lock:
            if self._observe is not None:
                self._observe(envelopes)
            self._apply_all(envelopes, iter(received_ns))

    def apply(self, envelope: Envelope | Foreign, received_ns: int | None = None) -> bool:
        """Fold one decoded event, received at that time. Returns False if it had been folded before."""
        with self._lock:
            at_ns = UNKNOWN_TIME if received_ns is None else received_ns
            return self._host(envelope.host).fold.apply(envelope, at_ns)

    # Snapshots.

    def fold(self) -> Fold:
        """All that was folded. Not a copy: it changes when the fleet is fed."""
        with self._lock:
            return Fold(self.refused, [host.fold for host in self._in_order()])

    def load(self, fold: Fold, effects: Mapping[str, Effect] | None = None) -> None:
        """Start with what another fleet has folded, before anything is folded here; it becomes this one's own.

        `effects` are those of its hosts where nothing more will be folded: the runs are over. Raises SnapshotError
        when this fleet has already folded events.
        """
        with self._lock:
            if self._hosts:
                raise SnapshotError("cannot load a snapshot: this fleet has already folded events")
            for host_fold in fold.hosts:
                host = self._hosts[host_fold.host] = self._new_host(host_fold)
                host.last_effect = (effects or {}).get(host_fold.host)
            self.refused.update(fold.refused)

    def empty_copy(self) -> FleetState:
        """Return an empty fleet with the same clock, settings, handlers and observer."""
        copy = FleetState(self._clock, self.local_host, self._interval_ns / NANOSECONDS)
        copy.receipt_clock, copy._handlers, copy._observe = self.receipt_clock, self._handlers, self._observe
        return copy

    def includes(self, other: FleetState) -> bool:
        """Whether all events that `other` has folded are folded here too."""
        with self._lock, other._lock:
            return self.fold().includes(other.fold())

    def replace_with(self, other: FleetState) -> None:
        """Replace what was folded here with what `other` has folded, which must not be fed any more."""
        with self._lock:
            self._hosts, self.refused = other._hosts, other.refused

    # MetricsSource and UtilizationSource.

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        """One row per device, by host, then index."""
        with self._lock:
            return [row for host in self._in_order() for row in host.metrics()]

    def runs(self) -> list[AnnouncedRun]:
        """The announced runs, by host; none where workers have no launcher."""
        with self._lock:
            runs = [host.run() for host in self._in_order()]
        return [run for run in runs if run is not None]

    def run_reports(self, effects: Mapping[str, Effect]) -> list[RunReport]:
        """The same with their progress, on which the effects by host are these."""
        with self._lock:
            runs = [host.run_report(effects.get(host.fold.host)) for host in self._in_order()]
        return [run for run in runs if run is not None]

    def failed_files(self) -> list[FailedFile]:
        """The last 100 files that failed for good, oldest first by the viewer's wall clock."""
        with self._lock:
            return latest_failed(file for host in self._hosts.values() for file in host.failed_files())

    def fleets(self) -> Mapping[str, FleetState]:
        """This fleet alone, as a FleetGroup returns several."""
        return {"": self}

    def get_recent_steal_events(self) -> list[StealEvent]:
        """The last 50 steals, oldest first by the viewer's wall clock."""
        with self._lock:
            steals = [host.steals() for host in self._in_order()]
        return latest_steals(steals)

    def get_totals(self) -> Totals:
        """The totals of all hosts."""
        with self._lock:
            return sum_totals([host.fold.totals() for host in self._hosts.values()])

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """The last sample of a GPU by UUID or its beginning, by key, or by index if only one host has it.

        Stale figures are unknown. Never raises: for anything else (see GPUMonitor) every figure is None.
        """
        return figures_of_device(device_id, self.get_gpu_utilizations())

    # More than the two protocols.

    def get_gpu_utilizations(self) -> dict[int | str, GpuUtilization]:
        """What `get_gpu_utilization` returns for every UUID and index; a call per GPU would cost n² for n GPUs."""
        found: dict[int | str, GpuUtilization] = {}
        with self._lock:
            for host in self._hosts.values():
                for key, utilization in host.fold.utilizations(host.now_ns(), self._interval_ns).items():
                    found[key] = UNKNOWN_UTILIZATION.copy() if key in found else utilization
        return found

    def get_utilizations_of(self, rows: Sequence[GpuMetrics]) -> list[GpuUtilization]:
        """The figures of the GPU of each row: that of its host; see figures_of_rows."""
        return figures_of_rows(rows, {"": self.utilizations_by_host()})

    def utilizations_by_host(self) -> dict[str, dict[int | str, GpuUtilization]]:
        """The figures of every sampled GPU of each host, by key and by index."""
        with self._lock:
            return {
                name: host.fold.utilizations(host.now_ns(), self._interval_ns)
                for name, host in self._hosts.items()
            }

    def get_effect(self) -> Effect:
        """The effect of stealing on the run; several hosts are combined."""
        return combine(self.get_effects())

    def get_effects(self) -> list[Effect]:
        """The effect of stealing on the run of each host."""
        return list(self.effects_by_host().values())

    def effects_by_host(self) -> dict[str, Effect]:
        """The same by the name of the host: two hosts may have devices of one key."""
        with self._lock:
            return {host.fold.host: host.effect() for host in self._in_order()}

    def get_work(self) -> list[HostWork]:
        """The work of each host whose plan is known. Not a copy: only for a fleet that is not fed any more."""
        with self._lock:
            every = [host.fold.work(host.now_ns()) for host in self._in_order()]
        return [work for work in every if work.log.has_plan]

    def hosts(self) -> list[HostFold]:
        """The folds of the hosts. Not copies: only for a fleet that is not fed any more."""
        with self._lock:
            return [host.fold for host in self._in_order()]

    def elapsed_seconds(self) -> float | None:
        """Seconds since the run started, or the first of several; None without a run."""
        with self._lock:
            times = [host.fold.elapsed_seconds(host.now_ns()) for host in self._hosts.values()]
        return max((time for time in times if time is not None), default=None)

    def break_off(self) -> None:
        """End the runs that are not over, because their hub is gone and no more events will come."""
        with self._lock:
            for host in self._hosts.values():
                host.fold.break_off()

    @property
    def is_broken_off(self) -> bool:
        """Whether a run has ended without reporting its end."""
        with self._lock:
            return any(host.fold.is_broken_off for host in self._hosts.values())

    @property
    def has_unfinished_run(self) -> bool:
        """Whether a run was announced that is neither over nor broken off."""
        with self._lock:
            return not all(run.is_over for run in self._runs())

    @property
    def finished(self) -> bool:
        """Whether every announced run is over or broken off, and so is the bus if none was announced."""
        with self._lock:
            runs = self._runs()
            return bool(runs) and all(run.is_over for run in runs)

    @property
    def draining_reason(self) -> str | None:
        """Why the runs that are not over hand out no more files; None if one does, or there is none."""
        with self._lock:
            draining = [run.draining for run in self._runs() if not run.is_over]
        reasons = [each.reason for each in draining if each is not None]
        return reasons[0] if reasons and len(reasons) == len(draining) else None

    @property
    def is_simulated(self) -> bool:
        """Whether any device is simulated."""
        with self._lock:
            return any(host.fold.is_simulated for host in self._hosts.values())

    def notices(self) -> list[tuple[int, str]]:
        """The notices for users, oldest first: (the viewer's wall-clock time in nanoseconds, text)."""
        with self._lock:
            return sorted(notice for host in self._hosts.values() for notice in host.notices())

    def stream_warnings(self) -> list[str]:
        """Warnings about the stream itself, one line each: clocks, mixed runs, clashing plans, unknown events."""
        with self._lock:
            lines = [
                warning
                for host in self._in_order()
                for warning in (host.clock_warning(), host.runs_warning(), host.fold.plan_warning())
                if warning is not None
            ]
            unknown = sum(host.fold.unknown_kinds for host in self._hosts.values())
            if unknown:
                lines.append(f"events of kinds that this version does not know: {unknown}")
            refused = sorted(self.refused.items())
            return lines + [f"frames that are not events ({reason}): {count}" for reason, count in refused]

    def lossy_sources(self) -> list[SourceCounts]:
        """The sources with lost events, by host, source and epoch."""
        with self._lock:
            sources = [source for host in self._hosts.values() for source in host.fold.lossy_sources()]
        return sorted(sources, key=itemgetter("host", "source", "epoch"))

    def files(self) -> list[FileRecord]:
        """The last 100 completed files, oldest first by the viewer's wall clock."""
        with self._lock:
            return latest_files([host.files() for host in self._in_order()])

    def failures(self) -> dict[str, str]:
        """The reasons of files that failed for good, by file."""
        with self._lock:
            return {
                file: reason
                for host in self._in_order()
                for file, reason in sorted(host.fold.failed_files().items())
            }

    def attempts(self) -> dict[str, list[FailedAttempt]]:
        """The failed attempts by file, also of files that were completed in the end."""
        with self._lock:
            return {
                file: [
                    FailedAttempt(attempt=number, device=key, reason=reason) for number, key, reason in attempts
                ]
                for host in self._in_order()
                for file, attempts in sorted(host.fold.attempts.items())
            }

    def frozen(self) -> AbstractContextManager[object]:
        """A context in which no other thread changes the fleet: all that is read in it is of one moment."""
        return self._lock

    def report(self) -> FleetReport:
        """The `--json` object."""
        return make_report(self)

    # Private: the caller holds the lock.

    def _apply_all(self, envelopes: Iterable[Envelope | Foreign], times: Iterator[int]) -> None:
        for name, of_host in groupby(envelopes, attrgetter("host")):
            self._host(name).fold.apply_all(of_host, times, self._handlers)

    def _runs(self) -> list[HostFold]:
        """The hosts that have announced a run, or its end: a hub without a launcher does that in any case."""
        folds = [host.fold for host in self._hosts.values()]
        return [fold for fold in folds if fold.run is not None or fold.finished is not None]

    def _in_order(self) -> list[HostView]:
        return [self._hosts[name] for name in sorted(self._hosts)]

    def _host(self, name: str) -> HostView:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = self._new_host(HostFold(name))
        return host

    def _new_host(self, fold: HostFold) -> HostView:
        is_local = fold.host == self.local_host
        return HostView(fold, self._clock if is_local else self.receipt_clock, is_local=is_local)


def _times_of_events(frames: Sequence[bytes], times: Sequence[int], events: int) -> Sequence[int]:
    """Return the times of those of `frames` that are events, of which there are so many."""
    if events == len(frames):
        return times
    return [at_ns for frame, at_ns in zip(frames, times, strict=True) if decode_all([frame], Counter())]
