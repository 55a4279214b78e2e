"""A GPUMonitor whose backend answers, hangs, recovers or breaks as the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.reading import GpuReading
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device

GPU_A = GpuReading(Device("GPU-a", "A", 0), 40.0, 1, 4, 55.0, 250.5)
GPU_B = GpuReading(Device("GPU-b", "B", 1), 90.0, 3, 4, 66.0, 300.0, energy_millijoules=7_500)
MIG = GpuReading(Device("MIG-1", "A MIG 1g", None), None, 1, 2, mig_of="GPU-a")
DEADLINE_SECONDS = 30


class ScriptedBackend:
    """Gives `answer`; while `open_gate` is not set, it hangs. Counts its calls and notices two at a time."""

    name = "scripted"
    problems: Sequence[str] = ("one problem",)

    def __init__(self, *answer: GpuReading) -> None:
        self.answer: list[GpuReading] | Exception = list(answer)
        self.open_gate = threading.Event()
        self.open_gate.set()
        self.calls = 0
        self.overlaps = 0
        self.caller: threading.Thread | None = None
        self.closed = threading.Event()
        self._inside = threading.Semaphore(1)

    def readings(self) -> list[GpuReading]:
        self.calls += 1
        self.caller = threading.current_thread()
        alone = self._inside.acquire(blocking=False)
        self.overlaps += not alone
        assert self.open_gate.wait(DEADLINE_SECONDS)
        if alone:
            self._inside.release()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed.set()


class Bench:
    """A monitor with its backend and clock."""

    def __init__(self, *answer: GpuReading, cache_seconds: float = 1.0) -> None:
        self.backend = ScriptedBackend(*answer)
        self.clock = ManualClock()
        self.monitor = GPUMonitor(self.backend, self.clock, cache_seconds)

    def hang(self) -> None:
        """The driver stops answering, and the caller's patience with the question now asked is over."""
        asked = self.backend.calls
        self.backend.open_gate.clear()
        self.clock.advance(1)
        self.monitor.readings(wait_seconds=0)
        self.until_looked_at(asked + 1)
        self.clock.advance(1)

    def until_looked_at(self, times: int) -> None:
        """Wait until the backend has been asked so often."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.backend.calls < times:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert self.backend.calls == times

    def until_the_thread_has_ended(self) -> None:
        """Wait until nothing goes on in the background."""
        assert self.backend.caller is not None
        self.backend.caller.join(DEADLINE_SECONDS)
        assert not self.backend.caller.is_alive()

    def recover(self) -> None:
        """The driver answers again, and its late answer has come in."""
        self.backend.open_gate.set()
        self.monitor.readings(wait_seconds=DEADLINE_SECONDS)
