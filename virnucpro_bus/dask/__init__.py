"""Dask: the events of workers in a Dask cluster, over the connections that Dask has already.

`watch` puts a cluster of somebody's own on a bus (`watch.py`): a hub in a thread (`hub_thread.py`), which knows
the workers by their events (`roster.py`), and a plugin in every worker (`carried.py`, `plugin.py`) that publishes
its tasks (`task_events.py`, `task_slots.py`); one worker of each host samples its GPUs (`host_sampler.py`).
`topic.py` carries the frames. Without Dask the import of this wing fails (`requirement.py`). May import
distributed, which no other wing of virnucpro_bus may, and hub, publish and what is below them. Start with
`watch.py`.
"""

from typing import TYPE_CHECKING

from virnucpro_bus._lazy import lazily
from virnucpro_bus.dask import requirement as requirement

if TYPE_CHECKING:
    from virnucpro_bus.dask.plugin import BusPlugin, progress
    from virnucpro_bus.dask.watch import watch

__all__ = ["BusPlugin", "progress", "watch"]

__getattr__ = lazily(
    __name__,
    {
        "virnucpro_bus.dask.plugin": ["BusPlugin", "progress"],
        "virnucpro_bus.dask.watch": ["watch"],
    },
)
