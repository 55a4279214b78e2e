"""The dashboard: one thread that collects figures, logs them and shows them. Lifecycle and wiring only.

    LoadBalancingDashboard(coordinator, GPUMonitor())     in the process of the coordinator
    LoadBalancingDashboard(fleet, fleet)                  over the bus, or from a capture

`model/collector.py` asks the sources, `view/frame.py` makes a picture, `terminal/output.py` shows it, and
`log/metrics_log.py` keeps the figures.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX, Event, Thread
from typing import TYPE_CHECKING, Self

from monitor.log.metrics_log import MetricsLog
from monitor.model.collector import Collector, Failures, nothing_yet
from monitor.model.log_page import LogPage, LogSource
from monitor.model.paging import in_shown_order, rows_in_view
from monitor.model.selection import EVERYTHING, ScreenKind, ViewOptions, select, unmatched
from monitor.model.sources import GpuSource, WorkSource
from monitor.model.view_model import HINT, DeviceKey, ViewModel, device_key
from monitor.terminal.keys import Key
from monitor.terminal.line_rhythm import LINE_SECONDS
from monitor.terminal.navigation import Navigation
from monitor.terminal.output import DashboardOutput
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock, thread_cpu_ns
from virnucpro_bus.errors import UserError
from virnucpro_bus.health.problems import Problem
from virnucpro_bus.system.console import say

if TYPE_CHECKING:
    from rich.console import Console, Group

STOP_WITHIN_SECONDS = 5.0
"""How long `stop` waits for a source that does not answer before it gives the terminal back."""

MOST_OF_A_CORE = 0.05
"""The share of a CPU core that updates may take; with thousands of devices the interval grows instead."""


class _Request(Enum):
    """What wakes the thread, besides keys."""

    UPDATE = "collect, log and show"
    REDRAW = "show the latest figures again"


class LoadBalancingDashboard:
    """Shows and logs, every `update_interval` seconds, the state of a run and its GPUs.

    On a terminal it shows full-screen pictures in the terminal's present size, with rich's Live; what the program
    prints meanwhile appears when they are gone. Elsewhere (a pipe, a Slurm log, TERM=dumb) it prints a plain line
    every `line_interval` seconds, at once where the run has news, and at the end.

    `start` and `stop` belong to one thread, or use it as a context manager. If that is the main thread, a signal
    that ends the program gives the terminal back first. The sources are asked by a thread of the dashboard's own.
    """

    def __init__(
        self,
        coordinator: WorkSource,
        gpu_monitor: GpuSource,
        update_interval: float = 2.0,
        log_file: str | os.PathLike[str] | None = "gpu_metrics.log",
        *,
        console: Console | None = None,
        clock: Clock | None = None,
        title: str = "",
        draw: bool = True,
        look: ViewOptions = EVERYTHING,
        log_rotate_bytes: int | None = None,
        group: int | None = None,
        keys: str = "",
        hint: str = "",
        line_interval: float = LINE_SECONDS,
        logs: LogSource | None = None,
    ) -> None:
        """Make a dashboard; `start` shows it.

        Args:
            coordinator: Knows the work: a WorkStealingCoordinator, a FleetState, or an object of your own with
                `get_gpu_metrics`, and as much of `RunDetails` as it has (`model/sources.py`).
            gpu_monitor: Knows the GPUs: a GPUMonitor, a FleetState, or an object of your own with
                `get_gpu_utilization`. What your own objects do not know is shown as unknown.
            update_interval: Seconds between updates of screen and log.
            log_file: The metrics log (CSV); None: no log.
            console: Where to show it; None: the standard output.
            clock: The clock of the figures; None: this machine's.
            title: The name of the run on screen.
            draw: Whether anything is shown. If not, problems with the log are printed on stderr.
            look: The devices that are shown and logged, and the order in which they are shown at first.
            log_rotate_bytes: The size from which the log is rotated; None: never.
            group: The process group that owns the terminal, for a dashboard of another process; None: our own.
                Nothing is drawn while another group has the terminal.
            keys: A short list for the screen of the keys that the program passes to `press`.
            hint: A line that stays on the screen until the end, such as an address.
            line_interval: Seconds between plain lines, where the output is not a terminal.
            logs: Where the screens of logs and of a device find what was printed; None: they have none.

        Raises UserError when `update_interval` is not a number of seconds above 0.
        """
        if not 0 < update_interval <= TIMEOUT_MAX:
            raise UserError(f"the update interval must be more than 0 seconds, not {update_interval}")
        self._update_interval = update_interval
        self._clock = clock or SystemClock()
        self._title = title
        self._hint = hint
        self._is_headless = not draw
        self._reported_problem: Problem | None = None
        """The problem with the log that was printed on stderr last."""
        self._navigation = Navigation(look)
        self._logs = logs
        self._never_seen = sorted(look.devices or ())
        """The patterns for devices that have not matched any device so far."""
        self._failures = Failures()
        self._collector = Collector(coordinator, gpu_monitor, self._clock, self._failures, update_interval)
        self._latest = nothing_yet(self._clock.wall_ns(), title)
        self._log = None if log_file is None else MetricsLog(log_file, self._clock, log_rotate_bytes)
        # A signal handler can put into a SimpleQueue, whatever it has interrupted; an Event might deadlock.
        self._requests: SimpleQueue[_Request | Key] = SimpleQueue()
        self._output = DashboardOutput(
            console,
            self._failures,
            lambda: self._requests.put(_Request.REDRAW),
            is_enabled=draw,
            group=group,
            keys=keys,
            line_seconds=line_interval,
        )
        self._started_mono_ns: int | None = None
        self._owner = os.getpid()
        self._stopping = Event()
        self._thread: Thread | None = None

    @property
    def write_error(self) -> OSError | None:
        """Why a plain line could not be written; None while all were, and for pictures, which are shown again."""
        return self._output.write_error

    @property
    def is_terminal_restored(self) -> bool:
        """False once `stop` has given up a terminal that did not read."""
        return self._output.is_terminal_restored

    def start(self) -> None:
        """Show the first frame soon, and update it in the background. Does nothing while it runs already."""
        if self._thread is not None:
            return
        self._owner = os.getpid()
        self._started_mono_ns = self._clock.mono_ns()
        self._stopping.clear()
        # A program that ends without stop() must not leave the terminal on the alternate screen.
        atexit.register(self.stop)
        self._output.open()
        self._thread = Thread(target=self._update_loop, name="dashboard", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Update once more, give the terminal back, and print the final table. Does nothing when stopped."""
        if self._thread is None or os.getpid() != self._owner:
            return  # a forked child leaves its parent's dashboard alone
        thread, self._thread = self._thread, None
        atexit.unregister(self.stop)
        self._hint = ""
        self._stopping.set()
        self._requests.put(_Request.UPDATE)
        try:
            thread.join(STOP_WITHIN_SECONDS)
            if not thread.is_alive():
                self._update()
        finally:
            self._output.close(self._latest, self._navigation.options)

    def retitle(self, title: str) -> None:
        """Change the title, and update at once. For any thread."""
        self._title = title
        self._requests.put(_Request.UPDATE)

    @property
    def has_quit(self) -> bool:
        """Whether the key that leaves the dashboard was pressed. For any thread."""
        return self._navigation.has_quit

    def press(self, key: Key) -> None:
        """Open another screen, choose a device, turn the page, or change the order. For any thread."""
        self._requests.put(key)

    def show_once(self) -> None:
        """Print and log the whole table as it is now. For a dashboard that is not started.

        Raises what the coordinator raises, and OSError when the output cannot be written.
        """
        metrics = self._collect_metrics()
        self._log_metrics(metrics)
        if self._log is not None and self._log.problem is not None:
            metrics = replace(metrics, health=(*metrics.health, self._log.problem))
        self._output.print_table(metrics, self._navigation.options)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _update_loop(self) -> None:
        while not self._stopping.is_set():
            before_ns = thread_cpu_ns()
            self._update()
            if self._stopping.is_set():
                return  # stop() shows the last figures
            self._output.show(self._latest, self._navigation.options)
            taken_seconds = (thread_cpu_ns() - before_ns) / NANOSECONDS
            self._handle_requests(max(self._update_interval, taken_seconds / MOST_OF_A_CORE))

    def _handle_requests(self, seconds: float) -> None:
        """Move the view by keys and draw again on request, for `seconds` or until an update is requested."""
        clock = SystemClock()  # a paused replay's clock stands still
        due_ns = clock.mono_ns() + round(seconds * NANOSECONDS)
        while True:
            try:
                requests = [self._requests.get(timeout=max(0.0, (due_ns - clock.mono_ns()) / NANOSECONDS))]
            except Empty:
                break
            while not self._requests.empty():  # many requests need one picture
                requests.append(self._requests.get())
            before = self._navigation.options
            for key in requests:
                if isinstance(key, Key):
                    self._navigation = self._navigation.pressed(key, self._device_keys())
            options = self._navigation.options
            # Another screen may show what was not collected for the one before.
            is_incomplete = options != before and options.screen is not ScreenKind.OVERVIEW
            if _Request.UPDATE in requests or is_incomplete:
                return
            if self._output.is_full_screen:
                self._output.show(self._latest, self._navigation.options)
        page_count = self._output.page_count(self._latest, self._navigation.options)
        self._navigation = self._navigation.after_picture(page_count)

    def _device_keys(self) -> list[DeviceKey]:
        """The devices in the order in which they are shown."""
        options = self._navigation.options
        pages = self._output.page_count(self._latest, replace(options, screen=ScreenKind.OVERVIEW))
        rows = in_shown_order(rows_in_view(self._latest.rows, options), pages)
        return [device_key(metrics) for metrics, _ in rows]

    def _update(self) -> None:
        """Collect and log. Never raises: when a source fails, the last figures stay and the problem is shown."""
        try:
            self._latest = self._collect_metrics()
            self._log_metrics(self._latest)
        except Exception as error:  # the thread must survive every fault of a source
            self._failures.add(error)
            self._latest = replace(
                self._latest, now_ns=self._clock.wall_ns(), health=self._own_problems(), news=()
            )

    def _collect_metrics(self) -> ViewModel:
        """Return the state of both sources at one moment. Raises what the coordinator raises."""
        started_ns = self._started_mono_ns
        since_start = None if started_ns is None else (self._clock.mono_ns() - started_ns) / NANOSECONDS
        options = self._navigation.options
        with_files = options.screen in (ScreenKind.FILES, ScreenKind.DEVICE)
        metrics = self._collector.collect(self._title, since_start, with_files=with_files)
        metrics = replace(metrics, logs=tuple(self._shown_logs(metrics, options)))
        self._never_seen = unmatched(metrics.rows, self._never_seen)
        return replace(metrics, health=metrics.health + self._own_problems())

    def _shown_logs(self, model: ViewModel, options: ViewOptions) -> Iterator[LogPage]:
        """What the screen shows: one of all logs, or those of a device's last file and of its worker."""
        logs = self._logs
        if logs is None:
            return
        pages: list[LogPage | None] = []
        if options.screen is ScreenKind.LOGS:
            pages = [logs.page(options.page)]
        elif options.screen is ScreenKind.DEVICE:
            device = next((work for work, _ in model.rows if device_key(work) == options.chosen), None)
            if device is not None:
                identity = device["host"], device["key"]
                done = [record["file"] for record in model.files if (record["host"], record["device"]) == identity]
                newest_first = reversed([*done, device["current_file"]])
                pages = [logs.of_files(file for file in newest_first if file)]
                pages += [logs.of_worker(device["worker"])] if device["worker"] else []
        yield from (page for page in pages if page is not None)

    def _log_metrics(self, metrics: ViewModel) -> None:
        """Append one row per device to the log. Never raises; a problem with the log is shown as health."""
        if self._log is None:
            return
        devices = self._navigation.options.devices
        self._log.write(metrics.rows if devices is None else select(metrics.rows, devices))
        if self._is_headless and self._log.problem != self._reported_problem:
            problem = self._reported_problem = self._log.problem
            say("metrics log: works again" if problem is None else problem.text)

    def _generate_table(self, metrics: ViewModel) -> Group:
        """Return the whole frame, cropped to the console's present size."""
        return self._output.cropped_table(metrics, self._navigation.options)

    def _own_problems(self) -> tuple[Problem, ...]:
        """What the dashboard itself adds: failures, the log's problem, devices that are not there, its hint."""
        log = None if self._log is None else self._log.problem
        absent = Problem(f"no device matches {', '.join(self._never_seen)}") if self._never_seen else None
        hint = Problem(self._hint, kind=HINT) if self._hint else None
        return (*self._failures.problems(), *(each for each in (log, absent, hint) if each is not None))
