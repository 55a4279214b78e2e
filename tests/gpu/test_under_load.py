"""The figures of a GPU that has something to do, beside those of nvidia-smi. What is measured is printed (-s)."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.gpu.monitor import GPUMonitor
from virnucpro_bus.metrics import GpuUtilization

pytestmark = pytest.mark.gpu

LOAD = Path(__file__).with_name("cuda_load.py")
GIB = 2**30
MIB = 2**20
SETTLED_SECONDS = 8
ROUNDS = 10


def smi(uuid: str, *fields: str) -> list[str]:
    """What nvidia-smi says of one GPU."""
    done = subprocess.run(
        ["nvidia-smi", f"--id={uuid}", f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return next(csv.reader(done.stdout.splitlines(), skipinitialspace=True), [])


@pytest.fixture(scope="module")
def monitor() -> Iterator[GPUMonitor]:
    """Skips where no GPU can be read."""
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no nvidia-smi on this machine")
    monitor = GPUMonitor()
    monitor.readings(wait_seconds=30)
    yield monitor
    monitor.close()


@pytest.fixture(scope="module")
def uuid(monitor: GPUMonitor) -> str:
    """The first whole GPU that works."""
    known = [each.device.key for each in monitor.readings() if each.device.index is not None and not each.lost]
    if not known:
        pytest.skip(f"no GPU can be read: {'; '.join(monitor.problems)}")
    return known[0]


@pytest.fixture(scope="module")
def idle(monitor: GPUMonitor, uuid: str) -> GpuUtilization:
    """Its figures before there was any load of ours."""
    return monitor.get_gpu_utilization(uuid)


@pytest.fixture(scope="module")
def load(idle: GpuUtilization, uuid: str) -> Iterator[None]:
    """A process that keeps it busy; skips where CUDA does not let us."""
    process = subprocess.Popen(
        [sys.executable, LOAD],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": uuid},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        if process.stdout.readline().strip() != "busy":
            pytest.skip(process.stderr.read().strip())
        time.sleep(SETTLED_SECONDS)
        yield
        process.kill()


@pytest.mark.usefixtures("load")
def test_a_busy_gpu_is_as_busy_as_nvidia_smi_says(monitor: GPUMonitor, uuid: str) -> None:
    ours, theirs = [], []
    for _ in range(ROUNDS):
        told = monitor.get_gpu_utilization(uuid)
        (percent,) = smi(uuid, "utilization.gpu")
        print(f"compute: mean {told['compute_percent']}, max {told['compute_max_percent']}; nvidia-smi {percent}")
        if told["compute_percent"] is None or not percent.isdecimal():
            pytest.skip(f"this GPU does not tell its utilization ({percent})")
        ours.append(told["compute_percent"])
        theirs.append(float(percent))
        time.sleep(0.5)
    assert min(ours[-3:]) > 50
    assert sum(ours) / ROUNDS == pytest.approx(sum(theirs) / ROUNDS, abs=15)


@pytest.mark.usefixtures("load")
def test_memory_temperature_and_power_are_those_of_nvidia_smi(
    monitor: GPUMonitor, uuid: str, idle: GpuUtilization
) -> None:
    told = monitor.get_gpu_utilization(uuid)
    used, total, temperature, power = smi(uuid, "memory.used", "memory.total", "temperature.gpu", "power.draw")
    print(f"{told}; nvidia-smi {used} of {total} MiB, {temperature} C, {power} W")
    assert told["memory_percent"] is not None
    assert idle["memory_percent"] is not None
    assert told["memory_percent"] == pytest.approx(100 * float(used) / float(total), abs=1)
    assert (told["memory_percent"] - idle["memory_percent"]) / 100 * float(total) * MIB > 0.9 * GIB
    assert told["temperature"] == pytest.approx(float(temperature), abs=5)
    if told["power_watts"] is not None:
        assert told["power_watts"] == pytest.approx(float(power), rel=0.3)


@pytest.mark.usefixtures("load")
def test_the_energy_is_what_the_power_adds_up_to(monitor: GPUMonitor, uuid: str) -> None:
    first, began = monitor.get_gpu_utilization(uuid), time.monotonic()
    watts, seconds = [], 0.0
    while seconds < 10:
        time.sleep(0.5)
        told, seconds = monitor.get_gpu_utilization(uuid), time.monotonic() - began
        watts.append(told["power_watts"])
    if first["energy_joules"] is None or told["energy_joules"] is None or None in watts:
        pytest.skip("this GPU does not tell its energy and power")
    joules = told["energy_joules"] - first["energy_joules"]
    expected = sum(each for each in watts if each is not None) / len(watts) * seconds
    print(f"energy: {joules:.0f} J counted, {expected:.0f} J by the power")
    assert joules == pytest.approx(expected, rel=0.25)
