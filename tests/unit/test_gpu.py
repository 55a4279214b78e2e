"""GPUMonitor over a backend that answers, hangs, comes back or breaks as the test says."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from monitor.gpu import GPUMonitor, get_gpu_utilization
from monitor.readings import GpuReading
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events import Device
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, UtilizationSource

GPU_A = GpuReading(Device("GPU-a", "A", 0), 40.0, 1, 4, 55.0, 250.5)
GPU_B = GpuReading(Device("GPU-b", "B", 1), 90.0, 3, 4, 66.0, 300.0, energy_millijoules=7_500)
MIG = GpuReading(Device("MIG-1", "A MIG 1g", None), None, 1, 2, mig_of="GPU-a")
DEADLINE_SECONDS = 30


class ScriptedBackend:
    """Gives `answer`; while `open_gate` is not set, it hangs. Counts its calls and notices two at a time."""

    name = "scripted"
    problems = ("one problem",)

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

    def __init__(self, *answer: GpuReading) -> None:
        self.backend = ScriptedBackend(*answer)
        self.clock = ManualClock()
        self.monitor = GPUMonitor(self.backend, self.clock)

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


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench(GPU_A, GPU_B, MIG)
    yield bench
    bench.backend.open_gate.set()
    bench.monitor.close()


@pytest.mark.parametrize("device_id", [1, "GPU-b"])
def test_a_gpu_is_found_by_index_and_by_uuid(bench: Bench, device_id: int | str) -> None:
    assert bench.monitor.get_gpu_utilization(device_id) == {
        "compute_percent": 90.0,
        "memory_percent": 75.0,
        "temperature": 66.0,
        "power_watts": 300.0,
        "compute_max_percent": 90.0,
        "energy_joules": 7.5,
        "sample_age_seconds": 0.0,
        "simulated": False,
    }


def test_a_mig_instance_is_found_by_its_uuid(bench: Bench) -> None:
    known = {"memory_percent": 50.0, "sample_age_seconds": 0.0}
    assert bench.monitor.get_gpu_utilization("MIG-1") == UNKNOWN_UTILIZATION | known


@pytest.mark.parametrize("device_id", ["cpu:0", "cuda:0", "GPU-x", "", 7, -1])
def test_an_unknown_device_has_no_figures(bench: Bench, device_id: int | str) -> None:
    assert bench.monitor.get_gpu_utilization(device_id) == UNKNOWN_UTILIZATION


def test_an_answer_for_an_unknown_device_may_be_changed_by_its_owner(bench: Bench) -> None:
    bench.monitor.get_gpu_utilization("cpu:0")["compute_percent"] = 1.0
    assert bench.monitor.get_gpu_utilization("cpu:0")["compute_percent"] is None


def test_a_gpu_that_took_over_an_index_comes_before_the_lost_one() -> None:
    bench = Bench(GPU_A, GpuReading(Device("GPU-old", "A", 0), lost=True))
    assert bench.monitor.get_gpu_utilization(0)["compute_percent"] == 40.0


def test_the_monitor_is_a_utilization_source(bench: Bench) -> None:
    source: UtilizationSource = bench.monitor
    assert source.get_gpu_utilization(0)["temperature"] == 55.0


def test_the_driver_is_asked_twice_a_second(bench: Bench) -> None:
    for _ in range(10):
        bench.monitor.readings()
        bench.clock.advance(0.25)
    assert bench.backend.calls == 5


def test_utilization_is_the_mean_and_the_greatest_of_the_looks_of_two_seconds(bench: Bench) -> None:
    for load in (100.0, 10.0, 20.0, 60.0, 50.0):
        bench.backend.answer = [replace(GPU_A, compute_percent=load, power_watts=load)]
        bench.clock.advance(0.5)
        told = bench.monitor.get_gpu_utilization("GPU-a")
    assert (told["compute_percent"], told["compute_max_percent"], told["power_watts"]) == (35.0, 60.0, 50.0)


def test_the_gpus_are_looked_at_in_the_background_while_figures_are_asked_for(bench: Bench) -> None:
    bench.monitor.get_gpu_utilization(0)
    for looks in (2, 3):
        bench.clock.advance(0.5)
        bench.until_looked_at(looks)
    assert bench.backend.overlaps == 0


def test_nobody_looks_in_the_background_when_readings_alone_are_asked_for(bench: Bench) -> None:
    bench.monitor.readings()
    bench.until_the_thread_has_ended()
    assert bench.backend.calls == 1


def test_the_background_ends_when_nobody_has_asked_for_ten_seconds_and_begins_again(bench: Bench) -> None:
    bench.monitor.get_gpu_utilization(0)
    bench.clock.advance(10)
    bench.until_the_thread_has_ended()
    assert bench.monitor.get_gpu_utilization(0)["compute_percent"] == 40.0
    assert bench.backend.calls == 2


def test_many_threads_share_one_question(bench: Bench) -> None:
    bench.backend.open_gate.clear()
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(bench.monitor.readings, DEADLINE_SECONDS) for _ in range(8)]
        bench.backend.open_gate.set()
    assert [answer.result() for answer in answers] == [[GPU_A, GPU_B, MIG]] * 8
    assert (bench.backend.calls, bench.backend.overlaps) == (1, 0)


def test_a_driver_that_hangs_from_the_start_costs_one_wait_and_gives_nothing(bench: Bench) -> None:
    bench.backend.open_gate.clear()
    assert bench.monitor.readings() == []


def test_while_the_driver_hangs_the_last_figures_are_given(bench: Bench) -> None:
    bench.monitor.readings()
    bench.hang()
    assert bench.monitor.readings() == [GPU_A, GPU_B, MIG]


def test_figures_that_could_not_be_renewed_for_three_seconds_are_unknown(bench: Bench) -> None:
    bench.monitor.readings()
    bench.hang()
    bench.clock.advance(1)
    assert bench.monitor.readings() == [reading.blank() for reading in (GPU_A, GPU_B, MIG)]
    assert bench.monitor.get_gpu_utilization(0) == UNKNOWN_UTILIZATION | {"sample_age_seconds": 3.0}


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


def test_a_backend_that_raises_is_told_of_and_asked_again(bench: Bench) -> None:
    bench.backend.answer = RuntimeError("broken binding")
    assert bench.monitor.readings(DEADLINE_SECONDS) == []
    assert bench.monitor.problems == ["one problem", "reading the GPUs failed: RuntimeError: broken binding"]
    bench.backend.answer = [GPU_A]
    bench.clock.advance(1)
    assert bench.monitor.readings(DEADLINE_SECONDS) == [GPU_A]
    assert bench.monitor.problems == ["one problem"]


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


def test_after_close_nothing_is_known_and_nobody_is_asked(bench: Bench) -> None:
    bench.monitor.readings()
    bench.monitor.close()
    bench.clock.advance(2)
    assert bench.monitor.get_gpu_utilization(0) == UNKNOWN_UTILIZATION
    assert bench.backend.calls == 1


def test_the_backend_is_named_once_it_is_open(bench: Bench) -> None:
    assert bench.monitor.backend_name == "scripted"
    assert GPUMonitor().backend_name is None


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
    script = "from monitor.gpu import GPUMonitor; print(GPUMonitor().get_gpu_utilization('GPU-x')['simulated'])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "False")


def test_the_module_function_answers_on_any_machine() -> None:
    assert get_gpu_utilization("cpu:0") == UNKNOWN_UTILIZATION
