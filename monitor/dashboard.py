"""The dashboard: one thread that looks at the sources, logs, and draws. Lifecycle and wiring only.

    LoadBalancingDashboard(coordinator, GPUMonitor())     in the process that hands out the work
    LoadBalancingDashboard(fleet, fleet)                  over the bus, or from a capture

What a frame says is in `snapshot`, how it looks in `view`, what is kept in `metrics_log`.
"""

from __future__ import annotations

import atexit
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from threading import TIMEOUT_MAX, Event, Thread
from typing import Self

from rich.console import Console, Group
from rich.live import Live

from monitor.glyphs import ASCII, UNICODE, Glyphs
from monitor.metrics_log import MetricsLog
from monitor.snapshot import Snapshot, StallWatch, problems, remaining_seconds
from monitor.view import frame, line
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock, local_time_of_day
from virnucpro_bus.errors import UserError
from virnucpro_bus.metrics import (
    UNKNOWN_UTILIZATION,
    Effect,
    GpuMetrics,
    GpuUtilization,
    MetricsSource,
    SourceCounts,
    Totals,
    UtilizationSource,
)

STOP_WITHIN_SECONDS = 5.0
"""How long `stop` waits for a source that does not answer before it gives the terminal back without it."""

FAILURE_CHARACTERS = 160

# What writing says when the reader of a pipe, or the terminal itself, is gone for good.
_GONE = {errno.EPIPE, errno.EIO}

_NOTHING_YET: Totals = {
    "files_total": None,
    "files_completed": 0,
    "files_failed": 0,
    "sequences": 0,
    "steals": 0,
    "events_published": 0,
    "events_received": 0,
    "events_lost": 0,
}


class LoadBalancingDashboard:
    """Shows and logs, every `update_interval` seconds, what the sources say.

    On a terminal a full-screen table; elsewhere (a pipe, a Slurm log, TERM=dumb) one plain line an interval.
    `log_file` None keeps no log; `draw` False shows nothing and only logs. `start` and `stop` belong to one
    thread (or use it as a context manager); the sources are asked from a thread of the dashboard's own.
    """

    def __init__(
        self,
        coordinator: MetricsSource,
        gpu_monitor: UtilizationSource,
        update_interval: float = 2.0,
        log_file: str | os.PathLike[str] | None = "gpu_metrics.log",
        *,
        console: Console | None = None,
        clock: Clock | None = None,
        title: str = "",
        draw: bool = True,
    ) -> None:
        """Raises UserError when `update_interval` is not a number of seconds above 0."""
        if not 0 < update_interval <= TIMEOUT_MAX:
            raise UserError(f"the update interval must be more than 0 seconds, not {update_interval}")
        self._coordinator = coordinator
        self._gpu_monitor = gpu_monitor
        self._update_interval = update_interval
        self._console = console or Console(markup=False, highlight=False, emoji=False)
        self._clock = clock or SystemClock()
        self._title = title
        self._drawing = draw
        self._log = None if log_file is None else MetricsLog(log_file, self._clock)
        self._stalls = StallWatch()
        self._failures = 0
        self._last_failure = ""
        self._latest = Snapshot((), _NOTHING_YET, (), self._clock.wall_ns(), title=title)
        self._started_mono_ns: int | None = None
        self._stopping = Event()
        self._look_now = Event()
        self._thread: Thread | None = None
        self._live: Live | None = None

    def start(self) -> None:
        """Draw the first frame soon and go on in the background. Does nothing when it runs already."""
        if self._thread is not None:
            return
        self._started_mono_ns = self._clock.mono_ns()
        self._stopping.clear()
        # A program that ends without stop() must not leave the terminal on the alternate screen.
        atexit.register(self.stop)
        if self._drawing and _is_screen(self._console):
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                screen=True,
                redirect_stdout=False,
                redirect_stderr=False,
                vertical_overflow="crop",
            )
            self._put(self._live.start)
        self._thread = Thread(target=self._update_loop, name="dashboard", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look once more, give the terminal back, and print the final table on it. Does nothing when stopped."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        atexit.unregister(self.stop)
        self._stopping.set()
        self._look_now.set()
        live, self._live = self._live, None
        try:
            thread.join(STOP_WITHIN_SECONDS)
            if not thread.is_alive():
                self._observe()
        finally:
            if live is not None:
                self._put(live.stop)
        if live is None:
            self._show(self._latest)
        else:
            self._put(lambda: self._print_whole(self._latest))

    def retitle(self, title: str) -> None:
        """Show another title, and everything else as it is by now, at once. For any thread."""
        self._title = title
        self._look_now.set()

    def show_once(self) -> None:
        """Print the whole table as it is now, and nothing again. For a dashboard that is not started; raises what
        the coordinator raises."""
        metrics = self._collect_metrics()
        self._put(lambda: self._print_whole(metrics))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _update_loop(self) -> None:
        while True:
            self._observe()
            if self._stopping.is_set():
                return  # the last word is stop's
            self._show(self._latest)
            self._look_now.wait(self._update_interval)
            self._look_now.clear()
            if self._stopping.is_set():
                return

    def _observe(self) -> None:
        """Collect and log. Never raises: when a source fails, the last figures stand, with a word on it."""
        try:
            self._latest = self._collect_metrics()
            self._log_metrics(self._latest)
        except Exception as error:  # the thread must outlive any fault of a source
            self._count_failure(error)
            self._latest = replace(self._latest, now_ns=self._clock.wall_ns(), health=self._own_problems())

    def _collect_metrics(self) -> Snapshot:
        """One consistent look at both sources. Raises what the coordinator raises."""
        rows = tuple((metrics, self._utilization(metrics)) for metrics in self._coordinator.get_gpu_metrics())
        totals = self._coordinator.get_totals()
        elapsed = self._elapsed_seconds()
        idle = [] if elapsed is None else self._stalls.idle_seconds(rows, elapsed)
        return Snapshot(
            rows=rows,
            totals=totals,
            steals=tuple(self._coordinator.get_recent_steal_events()),
            now_ns=self._clock.wall_ns(),
            elapsed_seconds=elapsed,
            eta_seconds=remaining_seconds(totals, elapsed),
            health=problems(rows, totals, idle, self._lossy_sources()) + self._notices() + self._own_problems(),
            title=self._title,
            effect=self._effect(),
        )

    def _utilization(self, metrics: GpuMetrics) -> GpuUtilization:
        try:
            return self._gpu_monitor.get_gpu_utilization(metrics["uuid"] or metrics["device_id"])
        except Exception as error:  # one GPU that cannot be read must not hide the others
            self._count_failure(error)
            return UNKNOWN_UTILIZATION

    def _elapsed_seconds(self) -> float | None:
        """The run's own time where the source knows it (so a replay is right at any speed), else since `start`."""
        own = getattr(self._coordinator, "elapsed_seconds", None)
        if own is not None:
            elapsed: float | None = own()
            return elapsed
        if self._started_mono_ns is None:
            return None
        return (self._clock.mono_ns() - self._started_mono_ns) / NANOSECONDS

    def _notices(self) -> tuple[str, ...]:
        """What the run itself has to say, the latest first, and then the source, where it does (FleetState)."""
        notices: list[tuple[int, str]] = getattr(self._coordinator, "notices", list)()
        remarks: list[str] = getattr(self._coordinator, "remarks", list)()
        told = [f"{local_time_of_day(wall_ns)} {text}" for wall_ns, text in reversed(notices)]
        return (*told, *remarks)

    def _lossy_sources(self) -> list[SourceCounts]:
        """Whose events were lost, where the source knows it (FleetState)."""
        lossy: list[SourceCounts] = getattr(self._coordinator, "lossy_sources", list)()
        return lossy

    def _effect(self) -> Effect | None:
        """What stealing has done for the run, where the source knows it (FleetState)."""
        tell: Callable[[], Effect] | None = getattr(self._coordinator, "get_effect", None)
        return None if tell is None else tell()

    def _log_metrics(self, metrics: Snapshot) -> None:
        """Append one row a device to the log. Never raises; the log's trouble is shown as health."""
        if self._log is not None:
            self._log.write(metrics.rows)

    def _generate_table(self, metrics: Snapshot) -> Group:
        """The whole frame, cropped to the console's present size."""
        width, height = self._console.size
        return Group(*frame(metrics, width, height, self._glyphs()))

    def _show(self, metrics: Snapshot) -> None:
        live = self._live
        if live is None:
            self._put(lambda: self._print_plain(line(metrics)))
        else:
            self._put(lambda: live.update(self._generate_table(metrics), refresh=True))

    def _print_whole(self, metrics: Snapshot) -> None:
        """Every row of it, as ordinary output that scrolls; without any control code where there is no screen."""
        picture = frame(metrics, self._console.width, None, self._glyphs())
        if _is_screen(self._console):
            self._console.print(Group(*picture))
        else:
            self._print_plain("\n".join(text.plain.rstrip() for text in picture))

    def _print_plain(self, text: str) -> None:
        # Not through the console: FORCE_COLOR would make it put codes into a log.
        file = self._console.file
        encoding = getattr(file, "encoding", None) or "utf-8"
        file.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        file.flush()

    def _put(self, write: Callable[[], object]) -> None:
        """Write to the output. Never raises: when the output is gone for good nothing is drawn any more, and any
        other failure is counted."""
        if not self._drawing:
            return
        try:
            write()
        except Exception as error:  # one bad frame must not end the thread, nor the run that owns it
            if isinstance(error, OSError) and error.errno in _GONE:
                self._drawing = False
            else:
                self._count_failure(error)

    def _glyphs(self) -> Glyphs:
        return UNICODE if self._console.encoding.startswith("utf") else ASCII

    def _count_failure(self, error: Exception) -> None:
        self._failures += 1
        self._last_failure = f"{type(error).__name__}: {error}"[:FAILURE_CHARACTERS]

    def _own_problems(self) -> tuple[str, ...]:
        lines = []
        if self._failures:
            lines.append(f"dashboard: {self._failures} failures, the last: {self._last_failure}")
        if self._log is not None and self._log.problem is not None:
            lines.append(self._log.problem)
        return tuple(lines)


def _is_screen(console: Console) -> bool:
    """Whether full-screen frames can be drawn: on a real terminal, whatever FORCE_COLOR says, and no dumb one."""
    isatty = getattr(console.file, "isatty", None)
    return bool(isatty and isatty()) and console.is_interactive and not console.is_dumb_terminal
