"""Fake sources of a dashboard: two devices, and drivers that know one GPU or fail for everything."""

from __future__ import annotations

from threading import Event

from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, GpuUtilization, StealEvent, Totals


class Work:
    """Two devices; `fault`, when set, is raised by the next question."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.asked = Event()
        self.queue_depth = 3
        self.completed = 4
        self.since = 2.0

    def row(self, device: int | str, uuid: str | None) -> GpuMetrics:
        return {
            "device_id": device,
            "device_name": "NVIDIA RTX 4090",
            "queue_depth": self.queue_depth,
            "files_completed": self.completed,
            "work_stolen_from": 0,
            "work_stolen_to": 1,
            "throughput": 12.3,
            "last_update_time": None,
            "uuid": uuid,
            "host": "node1",
            "sequences": 400,
            "files_failed": 0,
            "state": "busy",
            "current_file": "sample_1.fa",
            "seconds_since_done": self.since,
            "current_file_percent": 63.4,
            "loading_seconds": None,
            "key": uuid or str(device),
            "gpus": [uuid] if uuid else [],
            "cpu_percent": None,
            "resident_bytes": None,
            "worker": None,
            "read_bytes_per_second": None,
        }

    def get_gpu_metrics(self) -> list[GpuMetrics]:
        self.asked.set()
        if self.fault is not None:
            raise self.fault
        return [self.row(0, "GPU-1"), self.row("cpu:0", None)]

    def get_recent_steal_events(self) -> list[StealEvent]:
        stolen = "\x1b[2Jsample_2.fa"
        return [{"timestamp": 1.7e9, "source_gpu": 0, "dest_gpu": "cpu:0", "file_name": stolen, "host": "node1"}]

    def get_totals(self) -> Totals:
        return {
            "files_total": 20,
            "files_completed": 2 * self.completed,
            "files_failed": 0,
            "sequences": 800,
            "steals": 1,
            "events_published": 10,
            "events_received": 10,
            "events_lost": 0,
        }


class Replay(Work):
    """A source that knows the run's own time."""

    def elapsed_seconds(self) -> float | None:
        return 60.0


class Gpus:
    """Knows the GPU by UUID alone; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked_for: list[int | str] = []

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        self.asked_for.append(device_id)
        if device_id != "GPU-1":
            return UNKNOWN_UTILIZATION
        figures = {"compute_percent": 87.0, "memory_percent": 43.0, "temperature": 70.0, "power_watts": 300.0}
        return {**UNKNOWN_UTILIZATION, **figures, "sample_age_seconds": 0.4}  # type: ignore[typeddict-item]


class BrokenGpus:
    """A driver that fails for everything."""

    def get_gpu_utilization(self, device_id: int | str) -> GpuUtilization:
        raise RuntimeError(f"no {device_id}")
