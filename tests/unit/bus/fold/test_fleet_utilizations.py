"""Asked of all GPUs at once, a fleet says what it says of each."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.support.runs import DEVICES, MadeRun, made_runs
from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.device import DeviceState
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.fold.fleet_group import FleetGroup
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization
from virnucpro_bus.testing import Script

ASKED: list[int | str] = [*(device.key for device in DEVICES), *range(len(DEVICES) + 1)]


def fleet_of(run: MadeRun) -> FleetState:
    fleet = FleetState(run.script.clock)
    fleet.feed(run.script.frames())
    return fleet


@given(run=made_runs())
def test_of_one_bus(run: MadeRun) -> None:
    fleet = fleet_of(run)
    every = fleet.get_gpu_utilizations()
    for each in ASKED:
        assert every.get(each, UNKNOWN_UTILIZATION) == fleet.get_gpu_utilization(each)


@given(one=made_runs(), other=made_runs())
def test_of_several_buses(one: MadeRun, other: MadeRun) -> None:
    fleets = FleetGroup({"one": fleet_of(one), "other": fleet_of(other)})
    every = fleets.get_gpu_utilizations()
    for each in ASKED:
        assert every.get(each, UNKNOWN_UTILIZATION) == fleets.get_gpu_utilization(each)


def test_a_report_asks_each_gpu_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real = DeviceState.utilization

    def utilization(device: DeviceState, now_ns: int, interval_ns: int) -> GpuUtilization:
        asked.append(device.device.key)
        return real(device, now_ns, interval_ns)

    monkeypatch.setattr(DeviceState, "utilization", utilization)
    fleet = FleetState(ManualClock())
    for number in range(40):
        script = Script(host=f"node{number % 8}")
        # A GPU without a UUID has its index in the report.
        key = f"GPU-{number}" if number % 2 else f"nvml:{number}"
        script.say(f"sampler-{number}", ev.GpuSampled(Device(key, "A100", number), 50.0))
        fleet.feed(script.frames())
    devices = FleetGroup({"bus": fleet}).report()["devices"]
    assert [device["compute_percent"] for device in devices] == [50.0] * 40
    assert len(asked) == 40
