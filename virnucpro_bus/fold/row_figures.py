"""Joins the row of each device with the figures of its GPU: by run, host and key. Pure.

The key alone is not enough: "sim:0" and index 0 are devices of any number of runs and hosts. Only a UUID means the
same GPU everywhere, which another run may sample, or the sampler of a host whose container has another name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from virnucpro_bus.devices import is_simulated
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION, GpuMetrics, GpuUtilization, is_stale

FiguresOfHost = Mapping[int | str, GpuUtilization]
"""The figures of every sampled GPU of a host, by key and by index."""
FiguresOfRun = Mapping[str, FiguresOfHost]
"""By host."""


def figures_of_rows(rows: Sequence[GpuMetrics], runs: Mapping[str, FiguresOfRun]) -> list[GpuUtilization]:
    """Return the figures of the GPU of each row, in order; all unknown where it was never sampled.

    `runs` by the `run` of their rows; "" for rows without one.
    """
    return [_figures_of_row(row, runs) for row in rows]


def _figures_of_row(row: GpuMetrics, runs: Mapping[str, FiguresOfRun]) -> GpuUtilization:
    uuid, device_id = row["uuid"], row["device_id"]
    hosts = runs.get(str(row.get("run", "")), {})
    found = hosts.get(row["host"], {}).get(uuid or device_id)
    if uuid is not None and (found is None or is_stale(found)):
        found = _youngest([of_host[uuid] for run in runs.values() for of_host in run.values() if uuid in of_host])
    elif row["host"] not in hosts:
        # A coordinator of another program, which does not know its host's name: an id that only one host has.
        others = [of_host[device_id] for of_host in hosts.values() if device_id in of_host]
        found = others[0] if len(others) == 1 else None
    if found is not None:
        return found
    return {**UNKNOWN_UTILIZATION, "simulated": isinstance(device_id, str) and is_simulated(device_id)}


def _youngest(figures: Sequence[GpuUtilization]) -> GpuUtilization | None:
    return min(figures, key=lambda each: each["sample_age_seconds"] or 0.0, default=None)
