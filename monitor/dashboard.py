"""The dashboard: one thread that looks at the sources, logs, and draws. Lifecycle and wiring only.

    LoadBalancingDashboard(coordinator, GPUMonitor())     in the process that hands out the work
    LoadBalancingDashboard(fleet, fleet)                  over the bus, or from a capture

How the sources are asked is in `sources`, what a picture says in `view`, how it comes to the terminal in `screen`,
what is kept in `metrics_log`.
"""

from __future__ import annotations

import atexit
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from queue import Empty, SimpleQueue
from threading import TIMEOUT_MAX, Event, Thread
from typing import Self

from rich.console import Console, Group

from monitor.log.metrics_log import MetricsLog
from monitor.model.collector import Collector, Failures, nothing_yet
from monitor.model.selection import EVERYTHING, ViewOptions, select, unmatched
from monitor.model.view_model import Problem, ViewModel
from monitor.terminal.keys import Key
from monitor.terminal.navigation import Navigation
from monitor.terminal.screen import glyphs_for, is_screen, usable
from monitor.terminal.session import TerminalSession
from monitor.view.frame import frame, pages
from monitor.view.plain_line import line
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock, thread_cpu_ns
from virnucpro_bus.errors import UserError
from virnucpro_bus.metrics import MetricsSource, UtilizationSource
from virnucpro_bus.system.console import say

STOP_WITHIN_SECONDS = 5.0
"""How long `stop` waits for a source that does not answer before it gives the terminal back without it."""

MOST_OF_A_CORE = 0.05
"""What looking and drawing may take; thousands of devices are looked at less often where it would be more."""

# What writing says when the reader of a pipe, or the terminal itself, is gone for good.
_GONE = {errno.EPIPE, errno.EIO}


class _Wish(Enum):
    """What the thread is woken for, besides keys."""

    LOOK = "look at the sources now"
    REDRAW = "draw what was seen last"


class LoadBalancingDashboard:
    """Shows and logs, every `update_interval` seconds, what the sources say.

    On a terminal full-screen pictures, in the size that it has at any time; what the program prints meanwhile is
    printed when they are gone. Elsewhere (a pipe, a Slurm log, TERM=dumb) one plain line an interval. `log_file`
    None keeps no log; `draw` False shows nothing and only logs, and what is wrong with the log is told on stderr
    then. `start` and `stop` belong to one thread (or use it as a context manager); where that is the main thread,
    a signal that ends the program gives the terminal back first. The sources are asked from a thread of the
    dashboard's own.
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
        look: ViewOptions = EVERYTHING,
        log_rotate_bytes: int | None = None,
        group: int | None = None,
        keys: str = "",
    ) -> None:
        """`look` says which devices are shown and logged, and in which order they are shown at first;
        `log_rotate_bytes` how long the log may become, None: as long as it likes. `group` is the process group
        whose terminal it is, None: our own; while another one has the terminal nothing is drawn. `keys` says in a
        few words, on the screen, what keys do that the program gives to `press`.

        Raises UserError when `update_interval` is not a number of seconds above 0.
        """
        if not 0 < update_interval <= TIMEOUT_MAX:
            raise UserError(f"the update interval must be more than 0 seconds, not {update_interval}")
        self._update_interval = update_interval
        self._console = usable(console or Console(markup=False, highlight=False, emoji=False))
        self._clock = clock or SystemClock()
        self._title = title
        self._drawing = draw
        self._is_headless = not draw
        self._told: Problem | None = None
        """The log's trouble that was told on stderr, where no picture tells of it."""
        self._group = group
        self._keys = keys
        self._steering = Navigation(look)
        self._never_seen = sorted(look.devices or ())
        self._log = None if log_file is None else MetricsLog(log_file, self._clock, log_rotate_bytes)
        self._failures = Failures()
        self._sources = Collector(coordinator, gpu_monitor, self._clock, self._failures, update_interval)
        self._latest = nothing_yet(self._clock.wall_ns(), title)
        self._started_mono_ns: int | None = None
        self._owner = os.getpid()
        self._stopping = Event()
        # Unlike an Event it can be put to by a handler of signals, whatever that has interrupted.
        self._wishes: SimpleQueue[_Wish | Key] = SimpleQueue()
        self._thread: Thread | None = None
        self._terminal: TerminalSession | None = None

    def start(self) -> None:
        """Draw the first frame soon and go on in the background. Does nothing when it runs already."""
        if self._thread is not None:
            return
        self._owner = os.getpid()
        self._started_mono_ns = self._clock.mono_ns()
        self._stopping.clear()
        # A program that ends without stop() must not leave the terminal on the alternate screen.
        atexit.register(self.stop)
        if self._drawing and is_screen(self._console):
            self._put(self._take_terminal)
        self._thread = Thread(target=self._update_loop, name="dashboard", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look once more, give the terminal back, and print the final table on it. Does nothing when stopped."""
        if self._thread is None or os.getpid() != self._owner:
            return  # in a child that was forked, the parent's dashboard goes on
        thread, self._thread = self._thread, None
        atexit.unregister(self.stop)
        self._stopping.set()
        self._wishes.put(_Wish.LOOK)
        terminal, self._terminal = self._terminal, None
        try:
            thread.join(STOP_WITHIN_SECONDS)
            if not thread.is_alive():
                self._observe()
        finally:
            if terminal is not None:
                self._put(terminal.give_back)
        if terminal is None:
            self._show(self._latest)
        else:
            self._put(lambda: self._print_whole(self._latest))

    def retitle(self, title: str) -> None:
        """Show another title, and everything else as it is by now, at once. For any thread."""
        self._title = title
        self._wishes.put(_Wish.LOOK)

    def press(self, key: Key) -> None:
        """Turn the page, or change the order. For any thread."""
        self._wishes.put(key)

    def show_once(self) -> None:
        """Print and log the whole table as it is now, and nothing again. For a dashboard that is not started.

        Raises what the coordinator raises.
        """
        metrics = self._collect_metrics()
        self._log_metrics(metrics)
        if self._log is not None and self._log.problem is not None:
            metrics = replace(metrics, health=(*metrics.health, self._log.problem))
        self._put(lambda: self._print_whole(metrics))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _update_loop(self) -> None:
        while not self._stopping.is_set():
            before_ns = thread_cpu_ns()
            self._observe()
            if self._stopping.is_set():
                return  # the last word is stop's
            self._show(self._latest)
            taken_seconds = (thread_cpu_ns() - before_ns) / NANOSECONDS
            self._attend(max(self._update_interval, taken_seconds / MOST_OF_A_CORE))

    def _attend(self, seconds: float) -> None:
        """For so long, or until a look is wanted: move the view, and draw again what was seen."""
        clock = SystemClock()  # a replay's would stand still with it
        due_ns = clock.mono_ns() + round(seconds * NANOSECONDS)
        while True:
            try:
                wishes = [self._wishes.get(timeout=max(0.0, (due_ns - clock.mono_ns()) / NANOSECONDS))]
            except Empty:
                break
            while not self._wishes.empty():  # a storm of them is one picture
                wishes.append(self._wishes.get())
            for key in wishes:
                if isinstance(key, Key):
                    self._steering = self._steering.pressed(key)
            if _Wish.LOOK in wishes:
                return
            if self._terminal is not None:
                self._show(self._latest)
        self._steering = self._steering.after_picture(self._pages())

    def _observe(self) -> None:
        """Collect and log. Never raises: when a source fails, the last figures stand, with a word on it."""
        try:
            self._latest = self._collect_metrics()
            self._log_metrics(self._latest)
        except Exception as error:  # the thread must outlive any fault of a source
            self._failures.add(error)
            self._latest = replace(
                self._latest, now_ns=self._clock.wall_ns(), health=self._own_problems(), news=()
            )

    def _collect_metrics(self) -> ViewModel:
        """One consistent look at both sources. Raises what the coordinator raises."""
        started_ns = self._started_mono_ns
        since_start = None if started_ns is None else (self._clock.mono_ns() - started_ns) / NANOSECONDS
        snapshot = self._sources.collect(self._title, since_start)
        self._never_seen = unmatched(snapshot.rows, self._never_seen)
        return replace(snapshot, health=snapshot.health + self._own_problems())

    def _log_metrics(self, metrics: ViewModel) -> None:
        """Append one row a device to the log. Never raises; the log's trouble is shown as health."""
        if self._log is not None:
            devices = self._steering.options.devices
            self._log.write(metrics.rows if devices is None else select(metrics.rows, devices))
            if self._is_headless and self._log.problem != self._told:
                self._told = self._log.problem
                said = "the metrics log is written again" if self._told is None else self._told.text
                say(said)

    def _generate_table(self, metrics: ViewModel) -> Group:
        """The whole frame, cropped to the console's present size."""
        width, height = self._console.size
        return Group(*frame(metrics, width, height, glyphs_for(self._console), self._steering.options))

    def _pages(self) -> int:
        """How many pages the devices make at present; 1 where there are none to be turned."""
        if self._terminal is None:
            return 1
        width, height = self._console.size
        return pages(self._latest, width, height, glyphs_for(self._console), self._steering.options, self._keys)

    def _show(self, metrics: ViewModel) -> None:
        terminal = self._terminal
        if terminal is None:
            self._put(lambda: self._print_plain(line(metrics, self._steering.options)))
        else:
            self._put(lambda: self._draw(terminal, metrics))

    def _draw(self, terminal: TerminalSession, metrics: ViewModel) -> None:
        width, height = self._console.size
        picture = frame(metrics, width, height, glyphs_for(self._console), self._steering.options, self._keys)
        terminal.draw(picture, width, height)

    def _print_whole(self, metrics: ViewModel) -> None:
        """Every row of it, as ordinary output that scrolls; where there is no screen without any control code,
        unless FORCE_COLOR asks for colours, for `less -R`, say."""
        picture = frame(metrics, self._console.width, None, glyphs_for(self._console), self._steering.options)
        if is_screen(self._console) or os.environ.get("FORCE_COLOR"):
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
                self._failures.add(error)

    def _take_terminal(self) -> None:
        self._terminal = TerminalSession(self._console, lambda: self._wishes.put(_Wish.REDRAW), self._group)

    def _own_problems(self) -> tuple[Problem, ...]:
        log = None if self._log is None else self._log.problem
        absent = Problem(f"no device fits {', '.join(self._never_seen)}") if self._never_seen else None
        return (*self._failures.problems(), *(problem for problem in (log, absent) if problem is not None))
