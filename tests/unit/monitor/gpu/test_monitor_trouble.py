"""GPUMonitor over a driver that hangs, comes back or breaks, and when it is closed meanwhile."""

from __future__ import annotations

import subprocess
import sys

import pytest

from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.reading import GpuReading
from tests.support.gpu_bench import DEADLINE_SECONDS, GPU_A, GPU_B, MIG, Bench, ScriptedBackend
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION


def test_a_driver_that_hangs_from_the_start_costs_one_wait_and_gives_nothing(bench: Bench) -> None:
    bench.backend.open_gate.clear()
    assert bench.monitor.readings() == []


def test_while_the_driver_hangs_the_last_figures_are_given(bench: Bench) -> None:
    bench.monitor.readings()
    bench.hang()
    assert bench.monitor.readings() == [GPU_A, GPU_B, MIG]


def test_figures_that_could_not_be_renewed_for_more_than_three_seconds_are_unknown(bench: Bench) -> None:
    bench.monitor.readings()
    bench.hang()
    bench.clock.advance(1.5)
    assert bench.monitor.readings() == [reading.blank() for reading in (GPU_A, GPU_B, MIG)]
    assert bench.monitor.get_gpu_utilization(0) == UNKNOWN_UTILIZATION | {"sample_age_seconds": 3.5}


def test_a_lost_gpu_stays_lost_when_it_is_stale() -> None:
    lost = GpuReading(Device("GPU-a", "A", 0), lost=True)
    bench = Bench(lost)
    bench.monitor.readings()
    bench.hang()
    bench.clock.advance(10)
    assert bench.monitor.readings() == [lost]
    bench.backend.open_gate.set()


def test_a_hung_driver_is_not_asked_again_until_it_has_answered(bench: Bench) -> None:
    bench.monitor.readings()
    bench.hang()
    for _ in range(20):
        bench.monitor.readings()
        bench.clock.advance(1)
    assert bench.backend.calls == 2


def test_a_driver_that_answers_again_is_believed_again(bench: Bench) -> None:
    bench.monitor.readings()
    bench.hang()
    bench.clock.advance(10)
    bench.backend.answer = [GPU_B]
    bench.recover()
    assert bench.monitor.readings() == [GPU_B]


def test_a_backend_that_raises_is_a_problem_and_is_read_again(bench: Bench) -> None:
    bench.backend.answer = RuntimeError("broken binding")
    assert bench.monitor.readings(DEADLINE_SECONDS) == []
    assert bench.monitor.problems == ["one problem", "reading the GPUs failed: RuntimeError: broken binding"]
    bench.backend.answer = [GPU_A]
    bench.clock.advance(1)
    assert bench.monitor.readings(DEADLINE_SECONDS) == [GPU_A]
    assert bench.monitor.problems == ["one problem"]


def test_the_problems_of_a_backend_are_listed_when_its_first_reading_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = ScriptedBackend()
    backend.answer = RuntimeError("broken binding")
    monkeypatch.setattr("monitor.gpu.monitor.BestBackend", lambda clock: backend)
    monitor = GPUMonitor(clock=ManualClock())
    monitor.readings(DEADLINE_SECONDS)
    assert monitor.problems == ["one problem", "reading the GPUs failed: RuntimeError: broken binding"]
    assert monitor.backend_name is None
    monitor.close()


def test_close_lets_go_of_the_driver(bench: Bench) -> None:
    bench.monitor.readings()
    bench.monitor.close()
    bench.monitor.close()
    assert bench.backend.closed.wait(DEADLINE_SECONDS)


def test_close_does_not_wait_for_a_hung_driver_which_is_let_go_of_later(bench: Bench) -> None:
    bench.monitor.readings()
    bench.hang()
    bench.monitor.close()
    assert not bench.backend.closed.is_set()
    bench.backend.open_gate.set()
    assert bench.backend.closed.wait(DEADLINE_SECONDS)


def test_after_close_nothing_is_known_and_the_driver_is_not_called(bench: Bench) -> None:
    bench.monitor.readings()
    bench.monitor.close()
    bench.clock.advance(2)
    assert bench.monitor.get_gpu_utilization(0) == UNKNOWN_UTILIZATION
    assert bench.backend.calls == 1


def test_a_hung_driver_does_not_keep_the_program_from_ending() -> None:
    script = (
        "import threading; from monitor.gpu import GPUMonitor\n"
        "class Hung:\n"
        "    name, problems = 'hung', ()\n"
        "    def readings(self): threading.Event().wait()\n"
        "    def close(self): pass\n"
        "print(GPUMonitor(Hung()).readings(wait_seconds=0.01))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]")


def test_looking_in_the_background_does_not_keep_the_program_from_ending() -> None:
    script = (
        "from monitor.gpu.monitor import GPUMonitor; print(GPUMonitor().get_gpu_utilization('GPU-x')['simulated'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False")
