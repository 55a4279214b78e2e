"""GPUs that only a fake driver reports, and what a monitor shows of them."""

from __future__ import annotations

from typing import Any

from tests.support.fake_nvml import GIB, Gpu
from tests.support.live_bus import Monitor

# Not in the order of their UUIDs, so that nothing is right by chance.
C = Gpu("GPU-cc33-0001", "NVIDIA A100", compute=90, used=30 * GIB, temperature=70, milliwatts=300_000)
A = Gpu("GPU-aa11-0002", "NVIDIA A100", compute=10, used=4 * GIB, temperature=30, milliwatts=60_000)
B = Gpu("GPU-bb22-0003", "NVIDIA A100", compute=None, used=None, temperature=50, milliwatts=None, millijoules=None)
T4 = Gpu("GPU-dd44-0004", "NVIDIA T4", compute=5)
DIVIDED = Gpu("GPU-ee55", compute=None, mig=(Gpu("MIG-1", compute=None), Gpu("MIG-2", compute=None)))


def row(monitor: Monitor, uuid: str) -> dict[str, Any]:
    """What the monitor has said last of one GPU; empty before it knows it."""
    reports = monitor.reports
    devices = reports[-1]["devices"] if reports else []
    return next((device for device in devices if device["uuid"] == uuid), {})


def figures(device: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(device[name] for name in ("compute_percent", "memory_percent", "temperature", "power_watts"))
