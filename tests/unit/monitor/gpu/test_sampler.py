"""The sampler between a scripted source and a list."""

from __future__ import annotations

import math
import threading

from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.reading import GpuReading, NullBackend
from monitor.gpu.sampler import NOTICE_CHARACTERS, Sampler
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.run_events import Notice
from virnucpro_bus.events.vocabulary import Device, Fact, GpuSampled

GPU_A = Device("GPU-a", "A", 0)
GPU_B = Device("GPU-b", "B", 1)


class ListSink:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.events: list[Fact] = []

    def publish(self, event: Fact) -> None:
        self.events.append(event)


class ScriptedSource:
    """Always the same readings; a sample takes so many seconds of the manual clock, later ones no time."""

    def __init__(
        self, *answer: GpuReading, clock: ManualClock | None = None, sample_seconds: tuple[int, ...] = ()
    ) -> None:
        self.answer = list(answer)
        self.clock = clock or ManualClock()
        self.sample_seconds = list(sample_seconds)
        self.problems: list[str] = []
        self.started_at: list[float] = []
        self._first_ns = self.clock.mono_ns()

    def new_readings(self) -> list[GpuReading]:
        self.started_at.append((self.clock.mono_ns() - self._first_ns) / NANOSECONDS)
        self.clock.advance(self.sample_seconds.pop(0) if self.sample_seconds else 0)
        return self.answer


class StopAfter(threading.Event):
    """A stop that moves the manual clock instead of waiting, and is set in the `waits`-th wait."""

    def __init__(self, waits: int, clock: ManualClock) -> None:
        super().__init__()
        self.waits = waits
        self.clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        assert timeout >= 0
        self.clock.advance(timeout)
        self.waits -= 1
        if self.waits == 0:
            self.set()
        return self.is_set()


def sampled(*answer: GpuReading) -> list[Fact]:
    sink = ListSink()
    assert Sampler(sink, ScriptedSource(*answer), ManualClock()).sample_once() == len(answer)
    return sink.events


def test_every_gpu_becomes_one_event_with_all_figures() -> None:
    events = sampled(GpuReading(GPU_A, 40.0, 1, 4, 55.0, 250.5), GpuReading(GPU_B, 0.0, 4, 4, 20.0, 30.0))
    assert events == [
        GpuSampled(GPU_A, 40.0, 25.0, 1, 4, 55.0, 250.5),
        GpuSampled(GPU_B, 0.0, 100.0, 4, 4, 20.0, 30.0),
    ]


def test_unknown_figures_stay_unknown() -> None:
    assert sampled(GpuReading(GPU_A)) == [GpuSampled(GPU_A)]


def test_a_lost_gpu_is_published_as_lost() -> None:
    assert sampled(GpuReading(GPU_A, lost=True)) == [GpuSampled(GPU_A, lost=True)]


def test_figures_that_an_event_may_not_carry_become_unknown() -> None:
    assert sampled(GpuReading(GPU_A, math.nan, 5, 4, math.inf, -1.0)) == [
        GpuSampled(GPU_A, memory_used_bytes=5, memory_total_bytes=4)
    ]


def test_a_machine_without_gpus_publishes_nothing() -> None:
    assert sampled() == []


def test_a_problem_is_published_once_and_cut_to_a_limit() -> None:
    source, sink = ScriptedSource(), ListSink()
    sampler = Sampler(sink, source, ManualClock())
    for problems in ([], ["NVML: gone"], ["NVML: gone", "x" * 9999], [], ["NVML: gone"]):
        source.problems = problems
        assert sampler.sample_once() == 0
    first, second = sink.events
    assert first == Notice("GPU figures: NVML: gone")
    assert isinstance(second, Notice)
    assert len(second.text) == NOTICE_CHARACTERS


def test_run_samples_at_every_interval_and_when_it_is_stopped() -> None:
    clock, sink = ManualClock(), ListSink()
    source = ScriptedSource(GpuReading(GPU_A), clock=clock)
    Sampler(sink, source, clock, interval_seconds=0.5).run(StopAfter(3, clock))
    assert sink.events == [GpuSampled(GPU_A)] * 4
    assert source.started_at == [0.0, 0.5, 1.0, 1.5]


def test_the_time_that_a_sample_takes_is_part_of_the_interval() -> None:
    clock = ManualClock()
    source = ScriptedSource(clock=clock, sample_seconds=(1, 1, 1))
    Sampler(ListSink(), source, clock, interval_seconds=2.0).run(StopAfter(3, clock))
    assert source.started_at == [0.0, 2.0, 4.0, 6.0]


def test_overdue_samples_are_skipped() -> None:
    clock = ManualClock()
    source = ScriptedSource(clock=clock, sample_seconds=(5,))
    Sampler(ListSink(), source, clock, interval_seconds=1.0).run(StopAfter(4, clock))
    assert source.started_at == [0.0, 5.0, 6.0, 7.0, 8.0]


def test_run_samples_once_when_already_stopped() -> None:
    source, sink, stop = ScriptedSource(GpuReading(GPU_A)), ListSink(), threading.Event()
    stop.set()
    Sampler(sink, source, ManualClock()).run(stop)
    assert (source.started_at, sink.events) == ([0.0], [GpuSampled(GPU_A)])


class OneGpu(NullBackend):
    """A driver that answers at once."""

    def readings(self) -> list[GpuReading]:
        return [GpuReading(GPU_A)]


def test_a_sample_of_a_monitor_is_published_once_only() -> None:
    clock, sink = ManualClock(), ListSink()
    gpus = GPUMonitor(OneGpu(), clock, cache_seconds=1.0)
    sampler = Sampler(sink, gpus, clock)
    assert [sampler.sample_once(), sampler.sample_once()] == [1, 0]
    clock.advance(1)
    assert sampler.sample_once() == 1
    assert sink.events == [GpuSampled(GPU_A)] * 2
    gpus.close()
