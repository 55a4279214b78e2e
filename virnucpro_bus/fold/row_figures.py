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
    anywhere = _youngest(runs)
    return [joint_utilization([_figures_of_gpu(gpu, row, runs, anywhere) for gpu in gpus]) for row, gpus in named]


def figures_of_device(device_id: int | str, known: Mapping[int | str, GpuUtilization]) -> GpuUtilization:
    """Return the figures of the GPUs of the device that an index, a key or the beginning of a UUID names.

    `known` are those of every sampled GPU. All are unknown for anything else.
    """
    names = gpus_of(device_id) if isinstance(device_id, str) else (device_id,)
    return joint_utilization([find_device(name, known) or UNKNOWN_UTILIZATION.copy() for name in names])


def _figures_of_gpu(
    gpu: int | str, row: GpuMetrics, runs: Mapping[str, FiguresOfRun], anywhere: FiguresOfHost
) -> GpuUtilization:
    hosts = runs.get(str(row.get("run", "")), {})
    found = hosts.get(row["host"], {}).get(gpu)
    is_uuid = gpu == row["uuid"] or (isinstance(gpu, str) and gpu.startswith(UUID_PREFIXES))
    if is_uuid and (found is None or is_stale(found)):
        found = anywhere.get(gpu)
    elif row["host"] not in hosts:
        # A coordinator of another program, which does not know its host's name: an id that only one host has.
        others = [of_host[gpu] for of_host in hosts.values() if gpu in of_host]
        found = others[0] if len(others) == 1 else None
    if found is not None:
        return found
    return {**UNKNOWN_UTILIZATION, "simulated": isinstance(gpu, str) and is_simulated(gpu)}


def _youngest(runs: Mapping[str, FiguresOfRun]) -> dict[int | str, GpuUtilization]:
    """The youngest figures of every GPU, whichever run and host they come from."""
    found: dict[int | str, GpuUtilization] = {}
    for of_host in (of_host for run in runs.values() for of_host in run.values()):
        for gpu, figures in of_host.items():
            known = found.get(gpu)
            if known is None or _age(figures) < _age(known):
                found[gpu] = figures
    return found


def _age(figures: GpuUtilization) -> float:
    return figures["sample_age_seconds"] or 0.0
