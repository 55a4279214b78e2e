"""The launcher: sets up a whole run, drives it in one loop until the last file is settled, and sums it up."""

from __future__ import annotations

import math
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from virnucpro_bus.capture.compression import compress_capture
from virnucpro_bus.clock import AttendedClock, Clock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.envelope import WORKER_SOURCE_PREFIX
from virnucpro_bus.events.run_events import Notice, RunDraining
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.files.plain_files import stamp_of
from virnucpro_bus.hub.bus_server import OPEN_FILES, BusServer, HubSink
from virnucpro_bus.logs.find import find_logs
from virnucpro_bus.remote.relay_process import DELIVERY_SECONDS, RelayProcess
from virnucpro_bus.run_folder import CAPTURE_NAME, remove_kept_fold
from virnucpro_bus.system.adopted import reap_adopted
from virnucpro_bus.system.open_files import allow_open_files
from virnucpro_bus.system.signals import ENDING_SIGNALS, SignalFlag
from virnucpro_bus.text import visible
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.executor import Executor, Workplace
from workers.jobs.named_job import merged_names
from workers.launch.failed_start import undoing_failed_start
from workers.launch.hooks_process import HooksProcess
from workers.launch.interruption import Interruption
from workers.launch.merge_process import claim_merged, write_merged
from workers.launch.monitor_process import MonitorProcess
from workers.launch.report_process import remove_report, write_report
from workers.launch.run_plan import RunPlan
from workers.launch.summary import remove_summary, sum_up
from workers.launch.viewers import Viewers
from workers.resume.past_folder import open_past_run, settings_of
from workers.resume.resume import ResumePlan, plan_resume

if TYPE_CHECKING:
    from virnucpro_bus.timeline.ended_run import EndedRun

EXIT_DONE, EXIT_UNABLE, EXIT_SOME_FAILED = 0, 2, 3
POLL_MS = 50
MAX_NOTES_SHOWN = 10
OPEN_FILES_PER_WORKER = 6
MONITOR_SECONDS = 3.0
"""Time for the monitor to draw the end of the run …"""
HURRIED_SECONDS = 0.5
"""… and for monitor and relay if the run is to end at once."""
HURRIED_SUMMARY_SECONDS = 1.0
"""Time for the summary of a run that is to end at once; it takes longer only if the capture is long."""


class Launcher:
    """Runs one plan. One thread owns hub, coordinator and workers, so there are no locks."""

    def __init__(self, plan: RunPlan, clock: Clock) -> None:
        """Lock the folder and read what it contains. Raises UserError when it cannot be used for this plan."""
        self.summary: dict[str, Any] = {}
        """The content of summary.json, once the run is over; empty if there was no time for it, or the run
        folder was removed meanwhile."""
        self._plan = plan
        self._clock = clock
        self._ended: EndedRun | None = None
        """The run as its fold shows it; None before it is over, and if there was no time to fold it."""
        # No process exceeds a time limit while we stand still.
        self._attended_clock = AttendedClock(clock)
        self._store = ResultStore(plan.run_dir)
        self._server = BusServer(plan.run_dir, clock, has_workers=True)
        self._is_draining = False
        """Whether viewers know that no more files are handed out."""
        self._held_run = False
        """Whether the folder contained a run, to be resumed or removed."""
        settings = settings_of(plan.job, plan.options)
        self._resumed = self._claim_folder(settings)
        resume_plan = self._resumed or ResumePlan(plan.files, plan.shard)
        self._last_worker_epoch = resume_plan.last_worker_epoch
        self._sink = HubSink(self._server, clock, resume_plan.last_epoch)
        self._monitor = MonitorProcess()
        self._hooks = HooksProcess(plan.hooks, self._monitor.report)
        self._viewers = Viewers(plan, self._server, self._monitor, clock, self._notify)
        self._relay = RelayProcess(self._attended_clock, self._notify)
        self.coordinator = WorkStealingCoordinator(
            plan.devices,
            resume_plan.remaining,
            policy=plan.policy,
            steal_interval_seconds=plan.steal_interval_seconds,
            weights=plan.weights,
            retries=plan.retries,
            sink=self._sink,
            clock=clock,
            job=plan.job,
            settings=settings,
            shard=resume_plan.shard,
            done_before=resume_plan.done,
            host=self._server.host,
        )
        """Its metrics can be read from any thread, before, during and after the run."""

    def _claim_folder(self, settings: str) -> ResumePlan | None:
        """Lock the run folder. Return how to resume the run that it contains; None when a new one begins."""
        plan, server = self._plan, self._server
        allow_open_files(OPEN_FILES + OPEN_FILES_PER_WORKER * len(plan.devices))
        server.claim()
        try:
            self._held_run = (plan.run_dir / CAPTURE_NAME).exists()
            past = open_past_run(
                plan.run_dir, settings, plan.log_file, shard=plan.shard, resume=plan.resume, force=plan.force
            )
            if past is None:
                return None
            server.resume(past.run, past.host)
            return plan_resume(
                past,
                plan.files,
                self._store,
                shard=plan.shard,
                others=plan.other_files,
                redo=plan.redo,
                reserved=merged_names(plan.merge),
            )
        except BaseException:
            server.release()
            raise

    def run(self) -> int:
        """Run the plan to its end and return the exit status. Raises UserError when the run cannot start."""
        plan = self._plan
        with SignalFlag(*ENDING_SIGNALS) as signals:
            interruption = Interruption(signals, plan.grace_seconds, self._attended_clock, self._notify)
            no_time_to_fold = interruption.limit(math.inf, HURRIED_SUMMARY_SECONDS)
            try:
                status = self._run_workers(interruption, no_time_to_fold)
                self._sum_up(status, interruption, no_time_to_fold)
            finally:
                self._monitor.print_deferred()
            if self.summary:
                # Last, because nothing depends on it; and not for a user who wants the run to end at once.
                self._pack_capture(interruption.limit(math.inf, 0))
        return status

    def _sum_up(self, status: int, interruption: Interruption, stopped: Callable[[], bool]) -> None:
        """Write the summary of a run that is over, if there is anything to sum up, and time: until `stopped`."""
        plan = self._plan
        if not self._has_begun():
            self._monitor.report(f"{plan.run_dir}: the run ended before its first file, and is not kept")
            return
        if status == EXIT_UNABLE and not plan.run_dir.is_dir():
            return  # it was removed during the run, which was reported: there is nothing to sum up
        self._ended = self._server.hub.take_ended_run() or self._read_ended_run(stopped)
        self.summary = sum_up(
            plan,
            self._ended,
            self._monitor.report,
            exit_code=status,
            files_done_before=0 if self._resumed is None else self._resumed.done,
        )
        if plan.merge is not None:
            write_merged(plan.job, plan.merge, plan.run_dir, interruption.limit(math.inf, 0), self._monitor.report)
        if plan.report and self.summary:
            write_report(plan.run_dir, interruption.limit(math.inf, 0), self._monitor.report)

    def _read_ended_run(self, stopped: Callable[[], bool]) -> EndedRun | None:
        """Read the capture, which holds more than the hub has folded, or lacks the end; None: it was `stopped`."""
        from virnucpro_bus.sources.recording import read_recording  # takes long to load, and is rarely needed

        path = self._plan.run_dir / CAPTURE_NAME
        return read_recording(path, self._clock, stopped, with_info=True).ended_run()

    def _run_workers(self, interruption: Interruption, stopped: Callable[[], bool]) -> int:
        """Open the bus, process the files, close everything again; return the exit status.

        What the summary needs is folded until `stopped`.
        """
        plan, coordinator = self._plan, self.coordinator
        with (
            SignalFlag(signal.SIGCHLD) as deaths,
            self._server as server,
            undoing_failed_start(plan, server, self._store, self._has_begun),
        ):
            self._store.prepare(may_hold_files=self._held_run)
            workers = plan.make_executor(
                Workplace(
                    server,
                    coordinator,
                    self._store,
                    job=plan.job,
                    options=plan.options,
                    target=plan.target,
                    limits=plan.limits,
                    clock=self._attended_clock,
                    warn=self._notify,
                    last_epoch=self._last_worker_epoch,
                    halt=plan.halt,
                )
            )
            try:
                if plan.listen is not None:
                    self._monitor.report(self._relay.start(plan.run_dir, plan.listen))
                remove_summary(plan.run_dir)
                remove_report(plan.run_dir)
                remove_kept_fold(plan.run_dir / CAPTURE_NAME)
                coordinator.start()
                coordinator.announce(claim_merged(plan.merge, plan.run_dir))
                self._start_hooks()
                if self._resumed is not None:
                    self._report_resumption(self._resumed)
                if coordinator.unsettled:
                    workers.start()
                self._loop(server, workers, interruption, deaths)
                if self._has_begun():
                    self._viewers.start()
                status = _exit_status(coordinator, workers, interruption)
                if server.hub.capture.is_broken and status == EXIT_DONE:
                    status = EXIT_UNABLE  # the results are in place, but a resumed run will not know of all
                server.stop_sampler()
                server.hub.drain()
                self._report_refusals(server)
                coordinator.finish(status)
            finally:
                workers.close()
                self._monitor.finish(server.hub.poll, interruption.limit(MONITOR_SECONDS, HURRIED_SECONDS))
                # The relay serves the capture. A monitor that has ended already has not waited for the end in it.
                server.hub.capture.flush()
                self._relay.stop(interruption.limit(DELIVERY_SECONDS, HURRIED_SECONDS))
                self._store.tidy()
            if workers.desk.unable is not None:
                raise UserError(
                    f"the run cannot start: {workers.desk.unable}{_traceback_of_loading(plan.run_dir)}"
                )
            if workers.desk.failed_start is not None:
                raise UserError(f"{plan.run_dir}: the run cannot start: {workers.desk.failed_start}")
            server.hub.fold_all(stopped)
        return status

    def _loop(self, server: BusServer, workers: Executor, interruption: Interruption, deaths: SignalFlag) -> None:
        """Drive hub and workers until no file is left or no more are handed out, and all workers have ended."""
        coordinator = self.coordinator
        poller = zmq.Poller()
        for source in (*server.hub.sockets(), *workers.sockets, interruption.fileno(), deaths.fileno()):
            poller.register(source, zmq.POLLIN)
        is_init, handled_deaths = os.getpid() == 1, 0
        while (coordinator.unsettled and not workers.desk.closing) or workers.running:
            ready = dict(poller.poll(POLL_MS))
            deaths.drain()
            if is_init and deaths.count > handled_deaths:
                handled_deaths = deaths.count
                reap_adopted()
            # The workers first: they wait for their answers, and nobody waits for the bus.
            workers.poll()
            server.hub.poll(ready)
            if notice := server.hub.capture.notice():
                self._notify(notice)
            self._viewers.start_if_due(is_begun=self._store.has_attempts)
            coordinator.publish_depths()
            self._monitor.poll()
            self._hooks.poll()
            if self._monitor.has_ended():
                self._notify(
                    "the monitor has ended, but the run continues; "
                    f"to watch it: virnucpro-bus monitor {self._plan.run_dir}"
                )
            interruption.poll(workers)
            if workers.desk.ends_at_once:
                workers.kill()
            self._announce_draining(workers, interruption)
            self._relay.poll()

    def _announce_draining(self, workers: Executor, interruption: Interruption) -> None:
        """Publish, once, that no more files are handed out, and why."""
        if workers.desk.closing and not self._is_draining:
            self._is_draining = True
            name = signal.Signals(interruption.signal).name if interruption.signal else ""
            reason = name or workers.desk.stop_reason or "the run ends early"
            self.coordinator.announce((RunDraining(visible(reason)[:REASON_CHARACTERS]),))

    def _start_hooks(self) -> None:
        try:
            self._hooks.start(self._plan.run_dir, self._plan.interval_seconds)
        except OSError as error:
            self._notify(f"the commands of --on-... are not called: no process can be started: {error.strerror}")

    def finish_hooks(self, status: int) -> None:
        """Have the commands called that are due for a run that has ended with that status, and wait for them.

        For when all of the run is done, also where `run` has raised.
        """
        self._hooks.finish(status)

    def _has_begun(self) -> bool:
        """Whether there is a run to resume: a file was handed out, in this session or an earlier one."""
        return self._resumed is not None or self._store.has_attempts

    def _report_resumption(self, resumed: ResumePlan) -> None:
        """Publish what viewers must know of the earlier sessions, and report it to the user."""
        for event in resumed.events:
            self._sink.publish(event)
        for note in resumed.notes[:MAX_NOTES_SHOWN]:
            self._notify(note)
        if (more := len(resumed.notes) - MAX_NOTES_SHOWN) > 0:
            self._notify(f"{more} more files are processed again")
        total = resumed.done + len(resumed.remaining)
        self._notify(f"resuming: {resumed.done} of {total} files are done already")

    def _report_refusals(self, server: BusServer) -> None:
        """Report what the bus has refused of other programs, if anything."""
        if refused := sorted(server.hub.refused.items()):
            counts = ", ".join(f"{count} {reason}" for reason, count in refused)
            self._notify(f"other programs published what the bus of a run refuses: {counts}")

    def _notify(self, message: str) -> None:
        """Report to the user during the run: on the bus, so that every dashboard shows it, and on stderr."""
        self._sink.publish(Notice(visible(message)[:REASON_CHARACTERS]))  # a folder's name may not be UTF-8
        self._monitor.report(message)

    def _pack_capture(self, is_over: Callable[[], bool]) -> None:
        """Compress the capture and keep its fold, unless `is_over` before, or another process resumes the run."""
        try:
            self._server.claim()
        except UserError:
            return
        try:
            path, ended = self._plan.run_dir / CAPTURE_NAME, self._ended
            # Another process may have continued the run before the folder was claimed again.
            is_unchanged = ended is not None and ended.stamp == stamp_of(path)
            compress_capture(path, is_over)
            if ended is not None and is_unchanged and not is_over():
                from virnucpro_bus.sources.kept_fold import keep_fold

                keep_fold(path, ended.info, ended.fleet, ended.ended_ns)
        finally:
            self._server.release()


def _traceback_of_loading(run_dir: Path) -> str:
    """Return what a line about a job that cannot be loaded names of the log of a worker that has tried."""
    logs = find_logs(run_dir, lambda attempt: attempt is None)
    workers = [log for log in logs if log.source.startswith(WORKER_SOURCE_PREFIX)]
    return f"; traceback: {visible(str(workers[-1].path))}" if workers else ""


def _exit_status(coordinator: WorkStealingCoordinator, workers: Executor, interruption: Interruption) -> int:
    if workers.desk.unable is not None:
        return EXIT_UNABLE
    if interruption.signal and coordinator.unsettled:
        return 128 + interruption.signal
    if coordinator.unsettled and workers.desk.halted is None:
        return EXIT_UNABLE  # nothing more can be committed, and the user has been warned
    return EXIT_SOME_FAILED if coordinator.get_totals()["files_failed"] else EXIT_DONE
