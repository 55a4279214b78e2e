"""The GPU figures of this machine, from any thread, whatever the driver is doing.

`GPUMonitor` reads a backend in a daemon thread of its own, so a driver that hangs costs a caller at most a second
and then nothing: figures that nobody could renew for 3 s are unknown, never old.
"""

from __future__ import annotations

import functools
import os
import threading

from monitor.gpu.backends import BestBackend
from monitor.gpu.reading import GpuBackend, GpuReading, in_one_line
from monitor.gpu.window import SampleWindow
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.metrics import GpuUtilization

WAIT_SECONDS = 1.0
"""A caller waits so long at most for the driver, counted from when the driver was asked."""
FOLLOWED_SECONDS = 10.0
"""For so long after figures were last to be asked for the GPUs are looked at again and again."""
MOST_WINDOW_SECONDS = 600.0
"""More looks are not kept: over a longer interval the load is that of its last ten minutes."""


class GPUMonitor:
    """Looks at the GPUs every `cache_seconds` while somebody asks for figures. Thread-safe; a `UtilizationSource`.

    Utilization is the mean of the looks of `window_seconds`, or of the interval that `shown_every` tells. Without
    a `backend` it opens the best one there is, at the first question. The backend belongs to the monitor from then
    on: it is closed with it, and nobody else may call it. An open monitor does not keep the process alive.
    """

    def __init__(
        self,
        backend: GpuBackend | None = None,
        clock: Clock | None = None,
        cache_seconds: float = 0.5,
        window_seconds: float = 2.0,
    ) -> None:
        self._clock = clock or SystemClock()
        self._cache_ns = round(cache_seconds * NANOSECONDS)
        self._changed = threading.Condition()
        # What follows is touched only while `_changed` is held; the driver is called by one thread at a time.
        self._backend = backend
        self._running = False
        """Whether there is a thread."""
        self._busy = False
        """Whether it has something to do with the driver, now or at once."""
        self._closed = False
        self._asked_ns: int | None = None
        self._followed_ns: int | None = None
        self._every_ns = 0
        self._looks = SampleWindow(window_seconds)
        self._failure: str | None = None
        self._told_ns: int | None = None

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """Figures of a GPU by NVML index, UUID, or the only UUID that begins so; all None when nobody knows it.

        `compute_percent` is the mean and `compute_max_percent` the greatest of the window, the others are those of
        the last look. From the first question on the GPUs are looked at in the background, until 10 s after the
        last one, or after the next was due.
        """
        with self._changed:
            self._followed_ns = self._clock.mono_ns()
            self._look(WAIT_SECONDS)
            return self._looks.utilization(device_id, self._clock.mono_ns())

    def set_display_interval(self, seconds: float) -> None:
        """Figures will be asked for every so many seconds: from now on utilization is that of the last so many, at
        most of ten minutes."""
        with self._changed:
            self._every_ns = round(seconds * NANOSECONDS)
            self._looks.keep(min(seconds, MOST_WINDOW_SECONDS))

    def readings(self, wait_seconds: float = WAIT_SECONDS) -> list[GpuReading]:
        """Every GPU. Empty when there is none, or before the driver's first answer.

        Waits for the driver until `wait_seconds` after it was asked, then gives the last readings; when those are
        older than 3 s, the same GPUs with nothing known of them.
        """
        with self._changed:
            self._look(wait_seconds)
            return self._looks.last(self._clock.mono_ns())

    def new_readings(self) -> list[GpuReading]:
        """As `readings`, but empty when the driver has not answered since this was last asked: who passes them on
        with a time of his own must not make an old look a new one."""
        with self._changed:
            self._look(WAIT_SECONDS)
            if self._looks.last_ns == self._told_ns:
                return []
            self._told_ns = self._looks.last_ns
            return self._looks.last(self._clock.mono_ns())

    @property
    def backend_name(self) -> str | None:
        """ "nvml", "nvidia-smi" or "none"; None while the driver has not said a word that could be understood."""
        with self._changed:
            return None if self._backend is None or self._failure is not None else self._backend.name

    @property
    def problems(self) -> list[str]:
        """One line for each thing that is not as it should be, with what to do about it."""
        with self._changed:
            lines = [] if self._backend is None else list(self._backend.problems)
            return lines if self._failure is None else [*lines, self._failure]

    def close(self) -> None:
        """Let go of the driver; waits for it at most 1 s. Afterwards nothing is known of any GPU."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._looks.clear()
            if not self._busy:  # a busy thread closes the backend itself when the driver lets it go
                self._set_to_work()
            self._wait(WAIT_SECONDS)

    def _look(self, wait_seconds: float) -> None:
        """See to it that what is known is younger than `cache_seconds`, as far as the driver lets us."""
        if self._closed:
            return
        if not self._busy and self._left_ns() <= 0:
            self._set_to_work()
        self._wait(wait_seconds)

    def _left_ns(self) -> int:
        """Until the next look is due."""
        return 0 if self._asked_ns is None else self._asked_ns + self._cache_ns - self._clock.mono_ns()

    def _wait(self, wait_seconds: float) -> None:
        """Wait for the thread at work, if any. The time counts from the question, so that many callers, or one
        that asks for many GPUs, do not wait a second each for a driver that hangs."""
        if self._busy and self._asked_ns is not None:
            spent_seconds = (self._clock.mono_ns() - self._asked_ns) / NANOSECONDS
            self._changed.wait_for(lambda: not self._busy, timeout=max(0.0, wait_seconds - spent_seconds))

    def _set_to_work(self) -> None:
        """Wake the thread, or start it. There is never more than one, so a hung driver holds no more than that."""
        self._busy, self._asked_ns = True, self._clock.mono_ns()
        self._changed.notify_all()
        if not self._running:
            self._running = True
            threading.Thread(target=self._run, name="gpu-reader", daemon=True).start()

    def _run(self) -> None:
        while not self._to_be_closed():
            self._refresh()
            if not self._rest():
                return
        with self._changed:
            backend = self._backend
        if backend is not None:
            backend.close()
        with self._changed:
            self._running = self._busy = False
            self._changed.notify_all()

    def _to_be_closed(self) -> bool:
        with self._changed:
            return self._closed

    def _rest(self) -> bool:
        """Wait for the next thing to do. False when nobody has asked for figures for a while: the thread ends."""
        with self._changed:
            if not self._closed:
                self._busy = False
                self._changed.notify_all()
            while not self._busy:
                if not self._followed():
                    self._running = False
                    return False
                if (left_ns := self._left_ns()) <= 0:
                    self._busy, self._asked_ns = True, self._clock.mono_ns()
                else:
                    self._changed.wait(left_ns / NANOSECONDS)
            return True

    def _followed(self) -> bool:
        limit_ns = self._every_ns + FOLLOWED_SECONDS * NANOSECONDS
        return self._followed_ns is not None and self._clock.mono_ns() - self._followed_ns < limit_ns

    def _refresh(self) -> None:
        backend = self._backend
        try:
            backend = backend or BestBackend(self._clock)
            readings = backend.readings()
        except Exception as why:
            # No backend raises on purpose; a binding of another make might. The screen must outlive that.
            with self._changed:
                self._backend = backend  # it may have said already what is the matter with the binding
                self._failure = f"reading the GPUs failed: {type(why).__name__}: {in_one_line(why)}"
            return
        with self._changed:
            self._backend, self._failure = backend, None
            if not self._closed:
                self._looks.add(self._clock.mono_ns(), readings)


def get_gpu_utilization(device_id: int | str) -> GpuUtilization:
    """Figures of one of this machine's GPUs by NVML index or UUID; every field None when unknown."""
    return _monitor_of_process(os.getpid()).get_gpu_utilization(device_id)


@functools.cache
def _monitor_of_process(pid: int) -> GPUMonitor:
    # By process, because neither NVML nor a lock that another thread held survives fork().
    return GPUMonitor()
