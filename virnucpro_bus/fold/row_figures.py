"""Joins the row of each device with the figures of its GPU: by run, host and key. Pure.

The key alone is not enough: "sim:0" and index 0 are devices of any number of runs and hosts. Only a UUID means the
same GPU everywhere, which another run may sample, or the sampler of a host whose container has another name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virnucpro_bus.device_keys import gpus_of
from virnucpro_bus.devices import UUID_PREFIXES, find_device, is_simulated
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, GpuUtilization, is_stale
from virnucpro_bus.samples.joint_figures import joint_utilization

FiguresOfHost = Mapping[int | str, GpuUtilization]
"""The figures of every sampled GPU of a host, by key and by index."""
FiguresOfRun = Mapping[str, FiguresOfHost]
"""By host."""


def figures_of_rows(rows: Sequence[GpuMetrics], runs: Mapping[str, FiguresOfRun]) -> list[GpuUtilization]:
    """Return the figures of the GPUs of each row, in order; all unknown where one was never sampled.

    `runs` by the `run` of their rows; "" for rows without one.
    """
    # A coordinator of another program may know neither keys nor GPUs.
    named = ((row, row.get("gpus") or (row["uuid"] or row["device_id"],)) for row in rows)
    return [joint_utilization([_figures_of_gpu(gpu, row, runs) for gpu in gpus]) for row, gpus in named]


def figures_of_device(device_id: int | str, known: Mapping[int | str, GpuUtilization]) -> GpuUtilization:
    """Return the figures of the GPUs of the device that an index, a key or the beginning of a UUID names.

    `known` are those of every sampled GPU. All are unknown for anything else.
    """
    names = gpus_of(device_id) if isinstance(device_id, str) else (device_id,)
    return joint_utilization([find_device(name, known) or UNKNOWN_UTILIZATION.copy() for name in names])


def _figures_of_gpu(gpu: int | str, row: GpuMetrics, runs: Mapping[str, FiguresOfRun]) -> GpuUtilization:
    hosts = runs.get(str(row.get("run", "")), {})
    found = hosts.get(row["host"], {}).get(gpu)
    is_uuid = gpu == row["uuid"] or (isinstance(gpu, str) and gpu.startswith(UUID_PREFIXES))
    if is_uuid and (found is None or is_stale(found)):
        found = _youngest([of_host[gpu] for run in runs.values() for of_host in run.values() if gpu in of_host])
    elif row["host"] not in hosts:
        # A coordinator of another program, which does not know its host's name: an id that only one host has.
        others = [of_host[gpu] for of_host in hosts.values() if gpu in of_host]
        found = others[0] if len(others) == 1 else None
    if found is not None:
        return found
    return {**UNKNOWN_UTILIZATION, "simulated": isinstance(gpu, str) and is_simulated(gpu)}


def _youngest(figures: Sequence[GpuUtilization]) -> GpuUtilization | None:
    return min(figures, key=lambda each: each["sample_age_seconds"] or 0.0, default=None)
