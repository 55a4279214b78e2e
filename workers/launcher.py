"""A whole run: plan, start everything, one loop until the last file is settled, sum up."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from virnucpro_bus.clock import Clock
from virnucpro_bus.codec import encode
from virnucpro_bus.compression import compress_capture
from virnucpro_bus.errors import UserError
from virnucpro_bus.events import Device, Fact, Notice
from virnucpro_bus.replay import fold_capture
from virnucpro_bus.rundir import CAPTURE_NAME
from virnucpro_bus.serve import BusServer
from virnucpro_bus.signals import SignalFlag
from virnucpro_bus.stamp import Stamp
from virnucpro_bus.text import visible
from workers.companion import Companion, say
from workers.coordinator import WorkStealingCoordinator
from workers.inputs import InputFile
from workers.pool import WorkerPool
from workers.results import ResultStore

EXIT_DONE, EXIT_UNABLE, EXIT_SOME_FAILED = 0, 2, 3
TURN_MS = 50
GRACE_SECONDS = 10.0
SUMMARY_NAME = "summary.json"


@dataclass(frozen=True)
class RunPlan:
    """Everything that was decided before anything is started."""

    files: Sequence[InputFile]
    devices: Sequence[Device]
    weights: Sequence[float]
    run_dir: Path
    job: str
    options: Mapping[str, str]
    policy: str
    interval_seconds: float
    dashboard: bool
    log_file: Path


class HubSink:
    """The coordinator's way onto the bus: in the same process, straight into the hub."""

    def __init__(self, server: BusServer, clock: Clock) -> None:
        """`server` may be opened later, before the first event."""
        self._server = server
        self._stamp = Stamp(clock, source="coordinator", run=server.run)

    def publish(self, event: Fact) -> None:
        """Stamp, journal and forward one event."""
        if not self._server.hub.take([encode(self._stamp.envelop(event))]):
            raise RuntimeError(f"the hub has refused an event of our own: {event!r:.300}")


class Launcher:
    """Runs one plan. One thread owns hub, coordinator and pool, so nothing is locked."""

    def __init__(self, plan: RunPlan, clock: Clock) -> None:
        """Raises UserError for an unknown policy."""
        self.summary: dict[str, Any] = {}
        """What summary.json holds, once the run is over."""
        self._plan = plan
        self._clock = clock
        self._store = ResultStore(plan.run_dir)
        self._server = BusServer(plan.run_dir, clock)
        self._sink = HubSink(self._server, clock)
        self._companion = Companion(clock)
        self.coordinator = WorkStealingCoordinator(
            plan.devices,
            plan.files,
            policy=plan.policy,
            weights=plan.weights,
            sink=self._sink,
            clock=clock,
            job=plan.job,
        )
        """May be asked for its metrics from any thread, before, during and after the run."""
        self._kill_at_ns: int | None = None

    def run(self) -> int:
        """Returns the exit status. Raises UserError when the run cannot start."""
        plan, coordinator = self._plan, self.coordinator
        with SignalFlag(signal.SIGINT, signal.SIGTERM) as signals, self._server as server:
            self._store.prepare()
            pool = WorkerPool(
                server,
                coordinator,
                self._store,
                job=plan.job,
                options=plan.options,
                clock=self._clock,
                warn=self._notify,
            )
            try:
                coordinator.start()
                server.start_sampler()
                self._companion.start(plan.run_dir, plan.interval_seconds, plan.log_file, draw=plan.dashboard)
                pool.start()
                self._loop(server, pool, signals)
                status = self._status(coordinator, pool, signals)
                server.stop_sampler()
                server.hub.settle()
                coordinator.finish(status)
            finally:
                pool.close()
                self._companion.finish(server.hub.turn)
                self._store.tidy()
        if pool.unable is not None:
            self._leave_nothing_but_logs()
            raise UserError(f"the job {visible(plan.job)} cannot be run: {pool.unable}")
        self._write_summary(status)
        # Last of all: nobody waits for it, and a run that is broken off here has everything.
        compress_capture(plan.run_dir / CAPTURE_NAME)
        return status

    def _loop(self, server: BusServer, pool: WorkerPool, signals: SignalFlag) -> None:
        coordinator = self.coordinator
        poller = zmq.Poller()
        for source in (*server.hub.sockets(), pool.socket):
            poller.register(source, zmq.POLLIN)
        poller.register(signals.fileno(), zmq.POLLIN)
        seen_signals = 0
        while (coordinator.unsettled and not pool.given_up) or pool.running:
            poller.poll(TURN_MS)
            server.hub.turn()
            pool.turn()
            coordinator.publish_depths()
            if self._companion.has_ended():
                self._notify(
                    f"the dashboard has ended, the run goes on: virnucpro-bus monitor {self._plan.run_dir}"
                )
            if signals.count > seen_signals:
                signals.drain()
                seen_signals = signals.count
                self._interrupted(pool, signals)
            if self._kill_at_ns is not None and self._clock.mono_ns() >= self._kill_at_ns:
                pool.kill()
            if notice := server.hub.capture.notice():
                self._notify(notice)

    def _interrupted(self, pool: WorkerPool, signals: SignalFlag) -> None:
        """The first Ctrl-C lets the files in hand be finished, the second does not; SIGTERM gives them 10 s."""
        pool.drain()
        if signals.count > 1:
            self._kill_at_ns = self._clock.mono_ns()
        elif signals.signal == signal.SIGTERM:
            self._kill_at_ns = self._clock.mono_ns() + int(GRACE_SECONDS * 1e9)
            self._notify(f"SIGTERM: finishing the files in hand, for {GRACE_SECONDS:.0f} s at most")
        else:
            self._notify("interrupted: finishing the files in hand; press Ctrl-C again to stop at once")

    @staticmethod
    def _status(coordinator: WorkStealingCoordinator, pool: WorkerPool, signals: SignalFlag) -> int:
        if pool.unable is not None:
            return EXIT_UNABLE
        if signals.signal and coordinator.unsettled:
            return 128 + signals.signal
        return EXIT_SOME_FAILED if coordinator.get_totals()["files_failed"] else EXIT_DONE

    def _leave_nothing_but_logs(self) -> None:
        """A run that could not begin is no run: the same command may be given again once the job is mended."""
        for path in (self._plan.run_dir / CAPTURE_NAME, self._plan.log_file):
            path.unlink(missing_ok=True)
        self._store.remove_if_empty()

    def _notify(self, message: str) -> None:
        """Tell the user while the run goes on: on the bus, where every dashboard shows it, and on stderr."""
        self._sink.publish(Notice(message[:1000]))
        self._companion.tell(message)

    # Afterwards.

    def _write_summary(self, status: int) -> None:
        """summary.json is the fold of the capture, as `replay --once --json` gives it, and what only we know."""
        plan = self._plan
        fleet = fold_capture(plan.run_dir / CAPTURE_NAME, self._clock)
        self.summary = {
            **fleet.report(),
            "exit_code": status,
            "elapsed_seconds": fleet.elapsed_seconds(),
            "job": plan.job,
            "policy": plan.policy,
            "weights": list(plan.weights),
            "failures": fleet.failures(),
        }
        path = plan.run_dir / SUMMARY_NAME
        draft = path.with_name(f".{SUMMARY_NAME}.{os.getpid()}")
        try:
            draft.write_text(json.dumps(self.summary, indent=2) + "\n", encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            say(f"{path}: cannot be written: {error.strerror}")
