"""GPUMonitor against nvidia-smi, on a machine that has a GPU."""

from __future__ import annotations

import csv
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from monitor.gpu.monitor import GPUMonitor

pytestmark = pytest.mark.gpu

START_SECONDS = 30
MIB = 2**20


@pytest.fixture(scope="module")
def smi_rows() -> list[dict[str, str]]:
    """What nvidia-smi says of each GPU, by its own field names; skips where it says nothing."""
    if shutil.which("nvidia-smi") is None:
        pytest.skip("no nvidia-smi on this machine")
    fields = "index,uuid,name,memory.total,memory.used,temperature.gpu,utilization.gpu"
    done = subprocess.run(
        ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"nvidia-smi shows no GPU: {done.stdout.strip()}")
    rows = csv.reader(done.stdout.splitlines(), skipinitialspace=True)
    return [dict(zip(fields.split(","), row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def monitor(smi_rows: list[dict[str, str]]) -> Iterator[GPUMonitor]:
    monitor = GPUMonitor()
    monitor.readings(wait_seconds=START_SECONDS)
    yield monitor
    monitor.close()


def test_nvml_is_used_and_nothing_is_wrong_with_it(monitor: GPUMonitor) -> None:
    assert (monitor.backend_name, monitor.problems) == ("nvml", [])


def test_uuids_indices_and_names_are_those_of_nvidia_smi(
    monitor: GPUMonitor, smi_rows: list[dict[str, str]]
) -> None:
    whole = [reading.device for reading in monitor.readings() if reading.device.index is not None]
    assert [(str(device.index), device.key, device.name) for device in whole] == [
        (row["index"], row["uuid"], row["name"]) for row in smi_rows
    ]


def test_the_memory_is_that_of_nvidia_smi(monitor: GPUMonitor, smi_rows: list[dict[str, str]]) -> None:
    by_uuid = {reading.device.key: reading for reading in monitor.readings()}
    for row in smi_rows:
        reading = by_uuid[row["uuid"]]
        assert reading.memory_total_bytes is not None
        assert reading.memory_used_bytes is not None
        assert reading.memory_total_bytes // MIB == int(row["memory.total"])
        # Other programs may allocate between the two looks.
        assert reading.memory_used_bytes / MIB == pytest.approx(float(row["memory.used"]), abs=512)


def test_figures_are_known_wherever_nvidia_smi_knows_them(
    monitor: GPUMonitor, smi_rows: list[dict[str, str]]
) -> None:
    for row in smi_rows:
        utilization = monitor.get_gpu_utilization(row["uuid"])
        assert utilization["sample_age_seconds"] is not None
        assert utilization["sample_age_seconds"] < 1
        if row["utilization.gpu"].isdecimal():
            assert utilization["compute_percent"] is not None
        if row["temperature.gpu"].isdecimal():
            assert utilization["temperature"] == pytest.approx(float(row["temperature.gpu"]), abs=10)
