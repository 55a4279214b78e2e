"""The metrics of each device: its work, and what the driver reports of it. Pure.

The busy times are gauges, because they are corrected when a file ends or its worker dies.
"""

from __future__ import annotations

from collections.abc import Callable

from monitor.prometheus.metric import Device, Metric, ratio
from virnucpro_bus.fold.report import DeviceReport

STATES = ("starting", "loading", "idle", "busy", "stopped", "lost", "silent", "unused")


def _device(name: str, text: str, value: Callable[[DeviceReport], float | None]) -> Metric[Device]:
    """A metric with one sample a device."""
    return Metric(name, text, lambda device: {(): value(device.row)})


def _gpu(name: str, text: str, value: Callable[[DeviceReport], float | None]) -> Metric[Device]:
    """A metric of the GPUs of a device."""
    return Metric(name, text, lambda device: {(): value(device.row) if device.has_gpu_figures else None})


DEVICE_METRICS: tuple[Metric[Device], ...] = (
    Metric(
        "virnucpro_device_info",
        "The model of the device, and whether it is a simulated GPU.",
        lambda device: {(device.row["device_name"], str(device.row["simulated"]).lower()): 1.0},
        ("model", "simulated"),
    ),
    Metric(
        "virnucpro_device_state",
        "1 for the state that the device is in, 0 for all others.",
        lambda device: {(state,): float(device.row["state"] == state) for state in STATES},
        ("state",),
    ),
    _device(
        "virnucpro_files_completed_total",
        "Files that the device has completed; in a launched run, those whose results were committed.",
        lambda row: row["files_completed"],
    ),
    _device(
        "virnucpro_files_failed_total",
        "Files that failed on the device and will not be retried.",
        lambda row: row["files_failed"],
    ),
    _device("virnucpro_sequences_total", "Sequences of the completed files.", lambda row: row["sequences"]),
    _device(
        "virnucpro_files_stolen_total",
        "Files that the device has taken from the queues of others.",
        lambda row: row["work_stolen_to"],
    ),
    _device(
        "virnucpro_files_stolen_away_total",
        "Files that others have taken from the queue of the device.",
        lambda row: row["work_stolen_from"],
    ),
    _device("virnucpro_queue_files", "Files pending in the queue of the device.", lambda row: row["queue_depth"]),
    _device(
        "virnucpro_throughput_sequences_per_second",
        "Sequences per second over the last 60 s or 10 files, whichever holds more; once it is over, of the run.",
        lambda row: row["throughput"],
    ),
    _device(
        "virnucpro_last_done_timestamp_seconds",
        "Time of day of the last completion or failure, in seconds since 1970.",
        lambda row: row["last_update_time"],
    ),
    _device(
        "virnucpro_since_done_seconds",
        "Time since the last completion or failure, start of the run or end of loading, whichever is last.",
        lambda row: row["seconds_since_done"],
    ),
    Metric(
        "virnucpro_busy_seconds",
        "How long the device has had a file in progress.",
        lambda device: {(): device.busy_seconds},
    ),
    Metric(
        "virnucpro_idle_seconds",
        "How long the device has had no file in progress, from the start of the first file of the run.",
        lambda device: {(): device.idle_seconds},
    ),
    _gpu(
        "virnucpro_gpu_utilization_ratio",
        "Part of the driver's sampling periods in which a kernel ran (NVML utilization.gpu), mean of an interval.",
        lambda row: ratio(row["compute_percent"]),
    ),
    _gpu(
        "virnucpro_gpu_memory_used_bytes",
        "Memory in use, by any process.",
        lambda row: row["memory_used_bytes"],
    ),
    _gpu("virnucpro_gpu_memory_total_bytes", "Memory of the GPU.", lambda row: row["memory_total_bytes"]),
    _gpu("virnucpro_gpu_temperature_celsius", "Temperature of the chip.", lambda row: row["temperature"]),
    _gpu("virnucpro_gpu_power_watts", "Power drawn by the whole board.", lambda row: row["power_watts"]),
    _gpu(
        "virnucpro_gpu_energy_joules_total",
        "Energy used since the driver was loaded.",
        lambda row: row["energy_joules"],
    ),
    _device(
        "virnucpro_loading_seconds",
        "How long the present worker of the device has been loading its job, or took to load it.",
        lambda row: row["loading_seconds"],
    ),
    _device(
        "virnucpro_worker_cpu_ratio",
        "Processor time of the worker's processes, as a part of one core (2.5: two and a half), over two seconds.",
        lambda row: ratio(row["cpu_percent"]),
    ),
    _device(
        "virnucpro_worker_resident_memory_bytes",
        "Resident memory of the worker's processes; what they share counts for each of them.",
        lambda row: row["resident_bytes"],
    ),
    _device(
        "virnucpro_worker_read_bytes_per_second",
        "What the read calls of the worker's processes return, from disks, caches and pipes, over two seconds.",
        lambda row: row["read_bytes_per_second"],
    ),
)
