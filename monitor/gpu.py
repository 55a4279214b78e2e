"""The GPU figures of this machine, from any thread, whatever the driver is doing.

`GPUMonitor` reads a backend in a daemon thread of its own, so a driver that hangs costs a caller at most a second
and then nothing: figures that nobody could renew for 3 s are unknown, never old.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable

from monitor.backends import open_backend
from monitor.readings import GpuBackend, GpuReading
from virnucpro_bus.clock import NANOSECONDS, Clock, SystemClock
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization

WAIT_SECONDS = 1.0
"""A caller waits so long at most for the driver, counted from when the driver was asked."""
STALE_SECONDS = 3.0
"""Readings older than this are not shown."""


class GPUMonitor:
    """Reads the GPUs at most once per `cache_seconds`. Thread-safe; a `UtilizationSource`.

    Without a `backend` it opens the best one there is, at the first question. The backend belongs to the monitor
    from then on: it is closed with it, and nobody else may call it.
    """

    def __init__(
        self, backend: GpuBackend | None = None, clock: Clock | None = None, cache_seconds: float = 1.0
    ) -> None:
        self._clock = clock or SystemClock()
        self._cache_ns = round(cache_seconds * NANOSECONDS)
        self._changed = threading.Condition()
        # What follows is touched only while `_changed` is held; the driver is called by one thread at a time.
        self._backend = backend
        self._busy = False
        self._closed = False
        self._asked_ns: int | None = None
        self._answered_ns: int | None = None
        self._readings: list[GpuReading] = []
        self._failure: str | None = None

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        """Figures of a GPU by NVML index or UUID; every field None for a device that nobody knows."""
        for reading in self.readings():
            if device_id in (reading.device.key, reading.device.index):
                return {
                    "compute_percent": reading.compute_percent,
                    "memory_percent": reading.memory_percent,
                    "temperature": reading.temperature_celsius,
                    "power_watts": reading.power_watts,
                    "compute_max_percent": reading.compute_percent,
                    "energy_joules": None
                    if reading.energy_millijoules is None
                    else reading.energy_millijoules / 1000,
                    "sample_age_seconds": None,
                    "simulated": reading.simulated,
                }
        return UNKNOWN_UTILIZATION.copy()

    def readings(self, wait_seconds: float = WAIT_SECONDS) -> list[GpuReading]:
        """Every GPU. Empty when there is none, or before the driver's first answer.

        Waits for the driver until `wait_seconds` after it was asked, then gives the last readings; when those are
        older than 3 s, the same GPUs with nothing known of them.
        """
        with self._changed:
            if not self._closed:
                if not self._busy and not self._younger_than(self._cache_ns, self._asked_ns):
                    self._asked_ns = self._clock.mono_ns()
                    self._work(self._refresh)
                self._wait(wait_seconds)
            if self._younger_than(round(STALE_SECONDS * NANOSECONDS), self._answered_ns):
                return list(self._readings)
            return [reading.blank() for reading in self._readings]

    @property
    def backend_name(self) -> str | None:
        """ "nvml", "nvidia-smi" or "none"; None while the driver has not said a word."""
        with self._changed:
            return None if self._backend is None else self._backend.name

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
            self._answered_ns = None
            if not self._busy:  # a busy thread closes the backend itself when the driver lets it go
                self._asked_ns = self._clock.mono_ns()
                self._work(lambda: None)
            self._wait(WAIT_SECONDS)

    def _younger_than(self, limit_ns: int, since_ns: int | None) -> bool:
        return since_ns is not None and self._clock.mono_ns() - since_ns < limit_ns

    def _wait(self, wait_seconds: float) -> None:
        """Wait for the thread at work, if any. The time counts from the question, so that many callers, or one
        that asks for many GPUs, do not wait a second each for a driver that hangs."""
        if self._busy and self._asked_ns is not None:
            spent_seconds = (self._clock.mono_ns() - self._asked_ns) / NANOSECONDS
            self._changed.wait_for(lambda: not self._busy, timeout=max(0.0, wait_seconds - spent_seconds))

    def _work(self, task: Callable[[], None]) -> None:
        """Start `task` in a daemon thread. At most one runs, so a hung driver holds one thread and no more."""
        self._busy = True
        threading.Thread(target=self._run, args=(task,), name="gpu-reader", daemon=True).start()

    def _run(self, task: Callable[[], None]) -> None:
        task()
        with self._changed:
            closed, backend = self._closed, self._backend
            if not closed:
                self._done()
        if closed:
            if backend is not None:
                backend.close()
            with self._changed:
                self._done()

    def _done(self) -> None:
        self._busy = False
        self._changed.notify_all()

    def _refresh(self) -> None:
        try:
            backend = self._backend or open_backend(self._clock)
            readings = backend.readings()
        except Exception as why:
            # No backend raises on purpose; a binding of another make might. The screen must outlive that.
            with self._changed:
                self._failure = f"reading the GPUs failed: {type(why).__name__}: {why}"
            return
        with self._changed:
            self._backend, self._readings, self._failure = backend, readings, None
            if not self._closed:
                self._answered_ns = self._clock.mono_ns()


def get_gpu_utilization(device_id: int | str) -> GpuUtilization:
    """Figures of one of this machine's GPUs by NVML index or UUID; every field None when unknown."""
    return _monitor_of_process(os.getpid()).get_gpu_utilization(device_id)


@functools.cache
def _monitor_of_process(pid: int) -> GPUMonitor:
    # By process, because neither NVML nor a lock that another thread held survives fork().
    return GPUMonitor()
