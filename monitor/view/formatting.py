"""Figures and names as text, with `n/a` for unknown figures. Durations are formatted by `virnucpro_bus.units`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from monitor.model.view_model import count_gpus
from virnucpro_bus.health.rows import DeviceWork, Row
from virnucpro_bus.text import visible
from virnucpro_bus.units import UNKNOWN, stopwatch

_MODEL_NUMBER = re.compile(r"[^\s-]*\d[^\s-]*")
"""The first word with a digit."""
_GIB = 1 << 30
_MEMORY = re.compile(r"\b\d+ ?GB\b")


def short_name(device_name: str) -> str:
    """Return a GPU's name without its maker and brand, which are the same in every row."""
    return device_name.removeprefix("NVIDIA ").removeprefix("GeForce ").removeprefix("Tesla ")


def model_labels(device_names: Iterable[str]) -> dict[str, str]:
    """Return a short label for each name: "H100", or "A100 40GB" where that is needed to distinguish them."""
    names = {name: short_name(name) for name in device_names}
    numbers = {name: _MODEL_NUMBER.search(short) for name, short in names.items()}
    models = {name: names[name] if number is None else number[0] for name, number in numbers.items()}
    memories = {name: _MEMORY.search(short) for name, short in names.items()}
    sized = {name: model + (f" {size[0]}" if (size := memories[name]) else "") for name, model in models.items()}
    return next((labels for labels in (models, sized) if len(set(labels.values())) == len(labels)), names)


def describe_devices(rows: Sequence[Row]) -> str:
    """Summarize the devices: "8 x A100-SXM4-80GB" if they are of one model, else "8 devices"; "" for none.

    Where workers share GPUs, or use several: "4 x A100-SXM4-80GB, 8 workers".
    """
    models = {short_name(visible(metrics["device_name"])) for metrics, _ in rows}
    model = models.pop() if len(models) == 1 else ""
    if not model:
        return count_devices(len(rows)) if rows else ""
    gpus = count_gpus(rows)
    if gpus is None or gpus == len(rows):
        return f"{len(rows)} x {model}"
    return f"{gpus} x {model}, {len(rows)} worker{'' if len(rows) == 1 else 's'}"


def loading_time(metrics: DeviceWork) -> str | None:
    """Return how long a device that loads its job has done so; None where it does not load, or that is unknown."""
    seconds = metrics["loading_seconds"]
    return stopwatch(seconds) if metrics["state"] == "loading" and seconds is not None else None


def count_devices(count: int) -> str:
    """Return "1 device" or "8 devices"."""
    return f"{count} device{'' if count == 1 else 's'}"


def count(value: int | None) -> str:
    """Return a number of files or steals, with commas between thousands."""
    return UNKNOWN if value is None else f"{value:,}"


def plain_count(value: int | None) -> str:
    """Return a number without commas, for columns and for grep."""
    return UNKNOWN if value is None else str(value)


def percent(value: float | None) -> str:
    """Return a whole percentage."""
    return UNKNOWN if value is None else f"{value:.0f}%"


def memory_used(used_bytes: float | None, total_bytes: float | None) -> str:
    """Return how much memory is in use, of how much: 30.0/40.0 GiB."""
    if used_bytes is None and total_bytes is None:
        return UNKNOWN
    used, total = (UNKNOWN if size is None else f"{size / _GIB:.1f}" for size in (used_bytes, total_bytes))
    return f"{used}/{total} GiB"


def rate(value: float | None) -> str:
    """Return sequences per second, in at most seven characters."""
    if value is None:
        return UNKNOWN
    if value < 9.995:
        return f"{value:.2f}"
    for limit, divisor, unit in ((99_999.95, 1, ""), (99_999_950, 1e3, "k"), (99_999_950_000, 1e6, "M")):
        if value < limit:
            return f"{value / divisor:.1f}{unit}"
    return f"{value:.1e}"


def bytes_text(value: float | None) -> str:
    """Return a number of bytes in at most eight characters: 512 KiB, 1.5 GiB."""
    if value is None:
        return UNKNOWN
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def bytes_per_second(value: float | None) -> str:
    """Return a number of bytes a second: 512 MiB/s."""
    return UNKNOWN if value is None else f"{bytes_text(value)}/s"


def known_mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the known values; None when all are unknown."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
