"""Made-up GPUs: they do what their workers do, take their time for it, and never hide what they are."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from monitor.gpu.reading import GpuReading
from monitor.gpu.simulated import MEMORY_BYTES, NAME, SimulatedGpu, SimulatedGpus
from virnucpro_bus import events as ev
from virnucpro_bus.clock import NANOSECONDS, ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

SIM = Device("sim:0", NAME, 0)


def samples_of(gpu: SimulatedGpu, busy: bool, seconds: float, clock: ManualClock) -> list[GpuReading]:
    """A sample each half second for so long."""
    found = []
    for _ in range(round(2 * seconds)):
        clock.advance(0.5)
        found.append(gpu.sample(busy, clock.mono_ns()))
    return found


def known(value: float | None) -> float:
    assert value is not None
    return value


def test_an_idle_gpu_does_nothing_and_stays_cool() -> None:
    *_, last = samples_of(SimulatedGpu(SIM), False, 60, ManualClock())
    assert (last.compute_percent, last.temperature_celsius, last.power_watts) == (0.0, 34.0, 28.0)


def test_a_busy_gpu_has_a_load_that_varies() -> None:
    loads = [
        known(sample.compute_percent) for sample in samples_of(SimulatedGpu(SIM), True, 60, ManualClock())[6:]
    ]
    assert min(loads) >= 70
    assert len(set(loads)) > 5


def test_memory_temperature_and_power_rise_while_it_is_busy_and_fall_after_that() -> None:
    gpu, clock = SimulatedGpu(SIM), ManualClock()
    first, *_, last = samples_of(gpu, True, 120, clock)
    *_, after = samples_of(gpu, False, 120, clock)
    for figure in ("memory_percent", "temperature_celsius", "power_watts"):
        assert known(getattr(first, figure)) < known(getattr(last, figure)) > known(getattr(after, figure))


def test_temperature_lags_behind_the_load() -> None:
    *_, soon = samples_of(gpu := SimulatedGpu(SIM), True, 2, clock := ManualClock())
    *_, later = samples_of(gpu, True, 60, clock)
    assert known(soon.compute_percent) > 70
    assert known(soon.temperature_celsius) < known(later.temperature_celsius) - 20


def test_energy_is_what_the_power_adds_up_to() -> None:
    gpu, clock = SimulatedGpu(SIM), ManualClock()
    before, *_, last = samples_of(gpu, False, 100, clock)
    joules = (known(last.energy_millijoules) - known(before.energy_millijoules)) / 1000
    assert joules == 28.0 * 99.5


def test_the_first_sample_has_used_no_energy() -> None:
    assert SimulatedGpu(SIM).sample(True, 5 * NANOSECONDS).energy_millijoules == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e5)), max_size=30))
def test_whenever_it_is_looked_at_the_figures_are_possible_ones(steps: list[tuple[bool, float]]) -> None:
    gpu, clock, found = SimulatedGpu(SIM), ManualClock(), []
    for busy, seconds in steps:
        clock.advance(seconds)
        found.append(gpu.sample(busy, clock.mono_ns()))
    for sample in found:
        assert 0 <= known(sample.compute_percent) <= 100
        assert 0 < known(sample.memory_used_bytes) < MEMORY_BYTES
        assert 30 < known(sample.temperature_celsius) < 80
        assert sample.simulated
    for earlier, later in pairwise(found):
        assert known(earlier.energy_millijoules) <= known(later.energy_millijoules)


def test_the_same_gpu_varies_the_same_way_every_time() -> None:
    one, again = (samples_of(SimulatedGpu(SIM), True, 10, ManualClock()) for _ in range(2))
    other = samples_of(SimulatedGpu(Device("sim:1")), True, 10, ManualClock())
    assert one == again
    assert [sample.compute_percent for sample in one] != [sample.compute_percent for sample in other]


def test_each_follows_its_own_worker_and_real_devices_are_left_alone() -> None:
    script = Script()
    devices = (SIM, Device("sim:1", NAME, 1), Device("cpu:0", "CPU", 0), Device("GPU-a", "A100", 0))
    script.say("coordinator", ev.RunStarted("job", "cost", devices, 4))
    for device in devices:
        script.say(f"w{device.key}", ev.WorkerStarted(device, 100))
    script.say("wsim:1", ev.FileStarted("sim:1", "a.fa", 1))
    fleet = FleetState(script.clock)
    fleet.feed(script.frames())
    gpus = SimulatedGpus(fleet, script.clock)
    gpus.new_readings()
    script.clock.advance(2)
    idle, busy = gpus.new_readings()
    assert (idle.device, busy.device) == devices[:2]
    assert (idle.compute_percent, known(busy.compute_percent) > 60) == (0.0, True)
    assert idle.simulated
    assert busy.simulated
