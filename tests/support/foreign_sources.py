"""Sources of a user's own program, which know less than ours."""

from __future__ import annotations

from typing import Any

DEVICE: dict[str, Any] = {
    "device_id": 0,
    "device_name": "A100",
    "queue_depth": 3,
    "files_completed": 5,
    "work_stolen_from": 1,
    "work_stolen_to": 2,
    "throughput": 12.5,
    "last_update_time": 1.7e9,
}
STEAL: dict[str, Any] = {"timestamp": 1.7e9, "source_gpu": 1, "dest_gpu": 0, "file_name": "a.fa"}
FIGURES: dict[str, Any] = {
    "compute_percent": 50.0,
    "memory_percent": 40.0,
    "temperature": 60.0,
    "power_watts": 200.0,
}


class OwnCoordinator:
    """A coordinator with two methods; `rows` and `steals` are what it answers, exceptions what it raises."""

    def __init__(self, rows: object = None, steals: object = None) -> None:
        self.rows = [DEVICE] if rows is None else rows
        self.steals = [STEAL] if steals is None else steals

    def get_gpu_metrics(self) -> Any:
        return answer(self.rows)

    def get_recent_steal_events(self) -> Any:
        return answer(self.steals)


class OwnGpus:
    """A source of GPU figures with one method."""

    def __init__(self, figures: object = None) -> None:
        self.figures = FIGURES if figures is None else figures

    def get_gpu_utilization(self, device_id: int | str) -> Any:
        return answer(self.figures)


def answer(given: object) -> object:
    """Return `given`, or raise it."""
    if isinstance(given, Exception):
        raise given
    return given
