"""The figures of a device that uses several GPUs, from those of each. Pure.

A load is the mean, amounts (memory, power, energy) are sums, a temperature is that of the hottest. What is unknown
of one GPU is unknown of all together.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TypeVar

from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuUtilization
from virnucpro_bus.samples.gpu_figures import GpuFigures

Figure = TypeVar("Figure", int, float)


def joint_utilization(each: Sequence[GpuUtilization]) -> GpuUtilization:
    """Return the figures of several GPUs together; those of one as they are; all unknown without any.

    The age is that of the oldest sample. They are lost, or simulated, if one of them is.
    """
    if len(each) == 1:
        return each[0]
    used = sum_of_known([gpu["memory_used_bytes"] for gpu in each])
    total = sum_of_known([gpu["memory_total_bytes"] for gpu in each])
    return {
        **UNKNOWN_UTILIZATION,
        "compute_percent": mean_of_known([gpu["compute_percent"] for gpu in each]),
        "memory_percent": None if used is None or not total else 100 * used / total,
        "temperature": _greatest([gpu["temperature"] for gpu in each]),
        "power_watts": sum_of_known([gpu["power_watts"] for gpu in each]),
        "compute_max_percent": _greatest([gpu["compute_max_percent"] for gpu in each]),
        "energy_joules": sum_of_known([gpu["energy_joules"] for gpu in each]),
        "sample_age_seconds": _greatest([gpu["sample_age_seconds"] for gpu in each]),
        "simulated": any(gpu["simulated"] for gpu in each),
        "lost": any(gpu["lost"] for gpu in each),
        "memory_used_bytes": used,
        "memory_total_bytes": total,
    }


def joint_figures(each: Sequence[GpuFigures]) -> GpuFigures:
    """Return what several GPUs did during one interval; all unknown without any.

    The memory is the sum of the peaks, which the GPUs may have reached at different moments.
    """
    return GpuFigures(
        compute_percent=mean_of_known([gpu.compute_percent for gpu in each]),
        memory_peak_bytes=sum_of_known([gpu.memory_peak_bytes for gpu in each]),
        energy_joules=sum_of_known([gpu.energy_joules for gpu in each]),
    )


def any_simulated(each: Sequence[bool | None]) -> bool | None:
    """Return whether any figure of several GPUs is simulated; None where one is unknown, and none is."""
    return True if True in each else None if None in each or not each else False


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """Return the mean; None if a value is unknown, and without any."""
    known = _known(values)
    return fmean(known) if known else None


def _known(values: Sequence[Figure | None]) -> list[Figure] | None:
    known = [value for value in values if value is not None]
    return known if known and len(known) == len(values) else None


def sum_of_known(values: Sequence[Figure | None]) -> Figure | None:
    """Return the sum; None if a value is unknown, and without any."""
    known = _known(values)
    return sum(known) if known else None


def _greatest(values: Sequence[Figure | None]) -> Figure | None:
    known = _known(values)
    return max(known) if known else None
