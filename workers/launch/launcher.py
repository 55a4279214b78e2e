"""A whole run: plan, start everything, one loop until the last file is settled, sum up."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from virnucpro_bus.capture.compression import compress_capture
from virnucpro_bus.clock import Clock
from virnucpro_bus.devices import is_simulated
from virnucpro_bus.errors import AddressError, UserError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS, Device, Notice
from virnucpro_bus.hub.bus_server import BusServer, HubSink
from virnucpro_bus.run_folder import CAPTURE_NAME, SUMMARY_NAME
from virnucpro_bus.system.console import say
from virnucpro_bus.system.signals import SignalFlag
from virnucpro_bus.text import visible
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.inputs import InputFile
from workers.launch.monitor_process import MonitorProcess
from workers.launch.relay_process import RelayProcess
from workers.launch.summary import summarize, write_summary
from workers.pool.pool import WorkerPool
from workers.pool.watchdog import Limits
from workers.resume.log_path import own_logs
from workers.resume.resume import ResumePlan, open_past_run, resume, settings_of
from workers.schedule.blame import DEFAULT_RETRIES

EXIT_DONE, EXIT_UNABLE, EXIT_SOME_FAILED = 0, 2, 3
TURN_MS = 50
HURRIED = 2
"""So many signals mean: at once."""
GRACE_SECONDS = 10.0
NOTES_SHOWN = 10


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
    log_rotate_bytes: int | None = None
    """A metrics log that would be longer is moved aside; None: it never is."""
    retries: int = DEFAULT_RETRIES
    """How often a file that fails is tried again."""
    limits: Limits = field(default_factory=Limits)
    grace_seconds: float = GRACE_SECONDS
    """How long the files in hand may take after SIGTERM."""
    steal_interval_seconds: float = 0.0
    listen: str | None = None
    """Where the run can be watched from other machines; None: nowhere."""
    resume: bool = False
    """Go on with the run that the folder holds, if it holds one."""
    force: bool = False
    """Remove the run that the folder holds, and begin anew."""


class Launcher:
    """Runs one plan. One thread owns hub, coordinator and pool, so nothing is locked."""

    def __init__(self, plan: RunPlan, clock: Clock) -> None:
        """Takes the folder's lock, to look at what is there. Raises UserError when it cannot be used for this."""
        self.summary: dict[str, Any] = {}
        """What summary.json holds, once the run is over."""
        self._plan = plan
        self._clock = clock
        self._store = ResultStore(plan.run_dir)
        self._server = BusServer(plan.run_dir, clock)
        settings = settings_of(plan.job, plan.options)
        self._resumed = self._take_up(settings)
        before = self._resumed or ResumePlan(tuple(plan.files))
        self._logs_before = own_logs(plan.run_dir, plan.log_file)
        self._last_epoch = before.last_worker_epoch
        self._sink = HubSink(self._server, clock, before.last_epoch)
        self._companion = MonitorProcess(clock)
        self._relay = RelayProcess(clock, self._notify)
        self.coordinator = WorkStealingCoordinator(
            plan.devices,
            before.remaining,
            policy=plan.policy,
            steal_interval_seconds=plan.steal_interval_seconds,
            weights=plan.weights,
            retries=plan.retries,
            sink=self._sink,
            clock=clock,
            job=plan.job,
            settings=settings,
            done_before=before.done,
        )
        """May be asked for its metrics from any thread, before, during and after the run."""
        self._kill_at_ns: int | None = None

    def _take_up(self, settings: str) -> ResumePlan | None:
        """What is left of the run that the folder holds; None when a new one begins."""
        plan, server = self._plan, self._server
        server.claim()
        try:
            past = open_past_run(plan.run_dir, settings, plan.log_file, go_on=plan.resume, anew=plan.force)
            if past is None:
                return None
            server.resume(past.run or server.run)
            return resume(past, plan.files, self._store)
        except BaseException:
            server.release()
            raise

    def run(self) -> int:
        """Returns the exit status. Raises UserError when the run cannot start."""
        with SignalFlag(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            status = self._work(signals)
            self._write_summary(status)
            # Last of all, for nobody waits for it; and not at all for somebody who is in a hurry.
            if not _is_hurried(signals):
                self._compress()
        return status

    def _compress(self) -> None:
        """Make the capture small, unless somebody goes on with it already."""
        try:
            self._server.claim()
        except UserError:
            return
        try:
            compress_capture(self._plan.run_dir / CAPTURE_NAME)
        finally:
            self._server.release()

    def _work(self, signals: SignalFlag) -> int:
        plan, coordinator = self._plan, self.coordinator
        with SignalFlag(signal.SIGCHLD) as deaths, self._server as server:
            self._store.prepare(go_on=self._resumed is not None)
            pool = WorkerPool(
                server,
                coordinator,
                self._store,
                job=plan.job,
                options=plan.options,
                limits=plan.limits,
                clock=self._clock,
                warn=self._notify,
                last_epoch=self._last_epoch,
            )
            try:
                if plan.listen is not None:
                    self._let_others_watch(plan.listen)
                coordinator.start()
                if self._resumed is not None:
                    self._tell_what_was(self._resumed)
                # What is committed later is only understood with the plan.
                server.hub.capture.sync()
                # Before those who only look on: all that start have to share the processor.
                if coordinator.unsettled:
                    pool.start()
                server.start_sampler(simulated=any(is_simulated(device.key) for device in plan.devices))
                self._companion.start(
                    *(plan.run_dir, plan.interval_seconds, plan.log_file, plan.log_rotate_bytes),
                    draw=plan.dashboard,
                )
                self._loop(server, pool, signals, deaths)
                status = self._status(coordinator, pool, signals)
                server.stop_sampler()
                server.hub.drain()
                coordinator.finish(status)
            finally:
                pool.close()
                self._companion.finish(server.hub.poll, hurried=_is_hurried(signals))
                self._relay.stop()
                self._store.tidy()
        if pool.unable is not None:
            self._leave_nothing_but_logs()
            raise UserError(f"the job {visible(plan.job)} cannot be run: {pool.unable}")
        return status

    def _loop(self, server: BusServer, pool: WorkerPool, signals: SignalFlag, deaths: SignalFlag) -> None:
        coordinator = self.coordinator
        poller = zmq.Poller()
        for source in (*server.hub.sockets(), pool.socket):
            poller.register(source, zmq.POLLIN)
        poller.register(signals.fileno(), zmq.POLLIN)
        poller.register(deaths.fileno(), zmq.POLLIN)
        seen_signals = 0
        while (coordinator.unsettled and not pool.closing) or pool.running:
            poller.poll(TURN_MS)
            deaths.drain()
            server.hub.poll()
            pool.poll()
            coordinator.publish_depths()
            self._companion.poll()
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
            self._relay.poll()
            if notice := server.hub.capture.notice():
                self._notify(notice)

    def _interrupted(self, pool: WorkerPool, signals: SignalFlag) -> None:
        """The first Ctrl-C lets the files in hand be finished, the second does not; SIGTERM and a terminal
        that has gone give them a while."""
        pool.drain()
        if _is_hurried(signals):
            self._kill_at_ns = self._clock.mono_ns()
        elif signals.signal != signal.SIGINT:
            grace_seconds, name = self._plan.grace_seconds, signal.Signals(signals.signal).name
            self._kill_at_ns = self._clock.mono_ns() + int(grace_seconds * 1e9)
            self._notify(f"{name}: finishing the files in hand, for {grace_seconds:g} s at most")
        else:
            self._notify("interrupted: finishing the files in hand; press Ctrl-C again to stop at once")

    @staticmethod
    def _status(coordinator: WorkStealingCoordinator, pool: WorkerPool, signals: SignalFlag) -> int:
        if pool.unable is not None:
            return EXIT_UNABLE
        if signals.signal and coordinator.unsettled:
            return 128 + signals.signal
        if coordinator.unsettled:
            return EXIT_UNABLE  # nothing more could be committed, and the user was told why
        return EXIT_SOME_FAILED if coordinator.get_totals()["files_failed"] else EXIT_DONE

    def _let_others_watch(self, address: str) -> None:
        """Raises AddressError, before anything has begun, when they cannot."""
        try:
            self._companion.report(self._relay.start(self._plan.run_dir, address))
        except AddressError:
            self._leave_nothing_but_logs()
            raise

    def _leave_nothing_but_logs(self) -> None:
        """A run that could not begin is no run: the same command may be given again once the job is mended."""
        if self._resumed is not None:
            return
        plan = self._plan
        # Rows of a log that was there before are not all of this run.
        logs = [] if self._logs_before else own_logs(plan.run_dir, plan.log_file)
        for path in (plan.run_dir / CAPTURE_NAME, *logs):
            path.unlink(missing_ok=True)
        self._store.remove_if_empty()

    def _tell_what_was(self, resumed: ResumePlan) -> None:
        for event in resumed.events:
            self._sink.publish(event)
        for note in resumed.notes[:NOTES_SHOWN]:
            self._notify(note)
        if (more := len(resumed.notes) - NOTES_SHOWN) > 0:
            self._notify(f"{more} more files are done again")
        left = len(resumed.remaining)
        self._notify(f"going on: {resumed.done} of {resumed.done + left} files are done already")

    def _notify(self, message: str) -> None:
        """Tell the user while the run goes on: on the bus, where every dashboard shows it, and on stderr."""
        self._sink.publish(Notice(message[:REASON_CHARACTERS]))
        self._companion.report(message)

    # Afterwards.

    def _write_summary(self, status: int) -> None:
        plan, resumed = self._plan, self._resumed
        self.summary = summarize(
            plan.run_dir,
            self._clock,
            exit_code=status,
            files_done_before=0 if resumed is None else resumed.done,
            job=plan.job,
            policy=plan.policy,
            weights=plan.weights,
        )
        try:
            write_summary(plan.run_dir, self.summary)
        except OSError as error:
            say(f"{plan.run_dir / SUMMARY_NAME}: cannot be written: {error.strerror}")


def _is_hurried(signals: SignalFlag) -> bool:
    """Whether somebody has asked twice. That a terminal has gone the kernel says, and then the shell again."""
    return signals.count >= HURRIED and signals.signal != signal.SIGHUP
