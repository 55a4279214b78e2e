"""The GPU figures of this machine, available to any thread whatever the driver does.

`GPUMonitor` reads a backend in a daemon thread of its own, so a driver that hangs costs a caller at most 1 s, and
then nothing. Figures that could not be refreshed for 3 s are unknown; old ones are never shown as current.
"""

from __future__ import annotations

import functools
import os
import threading

from monitor.gpu.backends import BestBackend
from monitor.gpu.reading import GpuBackend, GpuReading, in_one_line
from monitor.gpu.window import SampleWindow
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.metrics import STALE_AFTER_SECONDS, GpuUtilization
from virnucpro_bus.passed_numbers import as_seconds

WAIT_SECONDS = 1.0
"""The longest that a caller waits for the driver, counted from when the driver was queried."""
FOLLOWED_SECONDS = 10.0
"""Sampling in the background ends so long after figures were last due to be requested."""
MOST_WINDOW_SECONDS = 600.0
"""The longest window. At a longer display interval the load is that of its last ten minutes."""


class GPUMonitor:
    """Samples the GPUs every `cache_seconds` while figures are requested. Thread-safe; a `UtilizationSource`.

    A figure that is handed out is at most `cache_seconds` old while the driver answers within a second; otherwise
    it is that of the sample before, for up to 3 s, and then unknown. The process can end while a monitor is open.
    """

    def __init__(
        self,
        backend: GpuBackend | None = None,
        clock: Clock | None = None,
        cache_seconds: float = 1.0,
        window_seconds: float = 2.0,
    ) -> None:
        """Make a monitor. The driver is not queried before the first request.

        Args:
            backend: How to read the GPUs; None: the best way that works. From now on it belongs to the monitor: it
                is closed with it, and nothing else may call it.
            clock: The clock of the samples; None: this machine's.
            cache_seconds: How long a sample counts as current, from 0 (every request queries the driver, and
                nothing is sampled in the background) to 3.
            window_seconds: The load is the mean of the samples of so long, or of the interval that
                `set_display_interval` gives, and at least of the latest one.

        Raises ValueError for `cache_seconds` and `window_seconds` out of range.
        """
        self._clock = clock or SystemClock()
        # An older sample is stale: its figures are unknown.
        cache_seconds = as_seconds("cache_seconds", cache_seconds, most=STALE_AFTER_SECONDS)
        self._cache_ns = round(cache_seconds * NANOSECONDS)
        self._changed = threading.Condition()
        # What follows is accessed only while `_changed` is held; one thread at a time calls the driver.
        self._backend = backend
        self._has_reader = False
        """Whether the reader thread exists."""
        self._busy = False
        """Whether the reader is calling the driver, or about to."""
        self._closed = False
        self._queried_ns: int | None = None
        """When the driver was last queried."""
        self._requested_ns: int | None = None
        """When figures were last requested."""
        self._display_interval_ns = 0
        self._window = SampleWindow(as_seconds("window_seconds", window_seconds, most=MOST_WINDOW_SECONDS))
        self._failure: str | None = None
        self._handed_out_ns: int | None = None
        """The time of the sample that `new_readings` returned last."""

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """Return the figures of a GPU by NVML index (1 or "1"), UUID or unique UUID prefix.

        Never raises: for anything else (an unknown GPU; a CUDA ordinal, "cuda:1"; None, a bool) all are None.

        `compute_percent` is the mean and `compute_max_percent` the maximum over the window; the other figures are
        those of the latest sample. The first request starts sampling in the background; it ends 10 s after the
        last request, or 10 s after the next one was due.
        """
        with self._changed:
            self._requested_ns = self._clock.mono_ns()
            self._ensure_fresh(WAIT_SECONDS)
            return self._window.utilization(device_id, self._clock.mono_ns())

    def set_display_interval(self, seconds: float) -> None:
        """Announce a request every `seconds`: from now on the load is the mean over as long, up to 10 minutes.

        Raises ValueError for what is not a duration.
        """
        with self._changed:
            self._display_interval_ns = round(as_seconds("seconds", seconds) * NANOSECONDS)
            self._window.keep(min(seconds, MOST_WINDOW_SECONDS))

    def readings(self, wait_seconds: float = WAIT_SECONDS) -> list[GpuReading]:
        """Return the latest reading of every GPU; empty without a GPU, and before the driver's first answer.

        Waits for the driver until `wait_seconds` after it was queried, then returns the readings before; blank
        readings of the same GPUs when those are older than 3 s.
        """
        with self._changed:
            self._ensure_fresh(wait_seconds)
            return self._window.last(self._clock.mono_ns())

    def new_readings(self) -> list[GpuReading]:
        """Return `readings()` if the driver has answered since the last call, else an empty list.

        For a caller that gives the readings a timestamp of its own: an old sample must not look like a new one.
        """
        with self._changed:
            self._ensure_fresh(WAIT_SECONDS)
            if self._window.last_ns == self._handed_out_ns:
                return []
            self._handed_out_ns = self._window.last_ns
            return self._window.last(self._clock.mono_ns())

    @property
    def backend_name(self) -> str | None:
        """The backend in use: "nvml", "nvidia-smi" or "none"; None before the driver has given a valid answer."""
        with self._changed:
            return None if self._backend is None or self._failure is not None else self._backend.name

    @property
    def problems(self) -> list[str]:
        """One line per problem, with what to do about it."""
        with self._changed:
            lines = [] if self._backend is None else list(self._backend.problems)
            return lines if self._failure is None else [*lines, self._failure]

    def close(self) -> None:
        """Release the driver, waiting for it at most 1 s. Afterwards every GPU is unknown."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._window.clear()
            if not self._busy:  # a busy reader closes the backend itself when the driver returns
                self._wake_reader()
            self._wait_for_reader(WAIT_SECONDS)

    def _ensure_fresh(self, wait_seconds: float) -> None:
        """Query the driver if the latest sample is older than `cache_seconds`, and wait for its answer."""
        if self._closed:
            return
        if not self._busy and self._until_due_ns() <= 0:
            self._wake_reader()
        self._wait_for_reader(wait_seconds)

    def _until_due_ns(self) -> int:
        """The time until the next sample is due; 0 or less when it is."""
        return 0 if self._queried_ns is None else self._queried_ns + self._cache_ns - self._clock.mono_ns()

    def _wait_for_reader(self, wait_seconds: float) -> None:
        """Wait until the reader is not busy, at most until `wait_seconds` after it queried the driver.

        Counted from the query, so that many callers, or one that requests many GPUs, do not wait a second each for
        a driver that hangs.
        """
        if self._busy and self._queried_ns is not None:
            spent_seconds = (self._clock.mono_ns() - self._queried_ns) / NANOSECONDS
            self._changed.wait_for(lambda: not self._busy, timeout=max(0.0, wait_seconds - spent_seconds))

    def _wake_reader(self) -> None:
        """Wake the reader, or start it. At most one exists, so a driver that hangs holds one thread."""
        self._busy, self._queried_ns = True, self._clock.mono_ns()
        self._changed.notify_all()
        if not self._has_reader:
            self._has_reader = True
            threading.Thread(target=self._run, name="gpu-reader", daemon=True).start()

    def _run(self) -> None:
        """The reader thread."""
        while not self._is_closed():
            self._read()
            if not self._wait_for_work():
                return
        with self._changed:
            backend = self._backend
        if backend is not None:
            backend.close()
        with self._changed:
            self._has_reader = self._busy = False
            self._changed.notify_all()

    def _is_closed(self) -> bool:
        with self._changed:
            return self._closed

    def _wait_for_work(self) -> bool:
        """Wait until the next sample is due. False when figures are no longer requested: the reader ends."""
        with self._changed:
            if not self._closed:
                self._busy = False
                self._changed.notify_all()
            while not self._busy:
                if not self._is_followed():
                    self._has_reader = False
                    return False
                if (left_ns := self._until_due_ns()) <= 0:
                    self._busy, self._queried_ns = True, self._clock.mono_ns()
                else:
                    self._changed.wait(left_ns / NANOSECONDS)
            return True

    def _is_followed(self) -> bool:
        if not self._cache_ns:
            return False
        limit_ns = self._display_interval_ns + FOLLOWED_SECONDS * NANOSECONDS
        return self._requested_ns is not None and self._clock.mono_ns() - self._requested_ns < limit_ns

    def _read(self) -> None:
        backend = self._backend
        try:
            backend = backend or BestBackend(self._clock)
            readings = backend.readings()
        except Exception as why:
            # Our backends do not raise; another package's binding might, and the dashboard must survive that.
            with self._changed:
                self._backend = backend  # its `problems` may already name the binding
                self._failure = f"reading the GPUs failed: {type(why).__name__}: {in_one_line(why)}"
            return
        with self._changed:
            self._backend, self._failure = backend, None
            if not self._closed:
                self._window.add(self._clock.mono_ns(), readings)


def get_gpu_utilization(device_id: int | str) -> GpuUtilization:
    """Return the figures of one of this machine's GPUs, as `GPUMonitor.get_gpu_utilization` does."""
    return _monitor_of_process(os.getpid()).get_gpu_utilization(device_id)


@functools.cache
def _monitor_of_process(pid: int) -> GPUMonitor:
    # One per process: neither NVML nor a lock that another thread held survives fork().
    return GPUMonitor()
