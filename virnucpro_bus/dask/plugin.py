"""The plugin that puts a Dask worker on the bus: `watch` registers it, and Dask brings it to every worker.

A task costs its worker about 15 us more, and none fails for the plugin: Dask catches what a plugin raises.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_worker

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.dask.host_sampler import HostSampler
from virnucpro_bus.dask.roster import source_of
from virnucpro_bus.dask.task_events import TaskEvents
from virnucpro_bus.dask.task_slots import outcome_of
from virnucpro_bus.dask.topic import TopicOutbox, topic_of
from virnucpro_bus.device_keys import share
from virnucpro_bus.devices import device_of, has_gpu
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.own_device import (
    LOCAL_RANK_VARIABLES,
    TorchDevice,
    choose_device,
    count_usable_gpus,
    torch_device,
)
from virnucpro_bus.publish.publisher import Publisher

if TYPE_CHECKING:
    from distributed import Worker


class BusPlugin(WorkerPlugin):
    """Publishes what a worker does on the topic of a run."""

    idempotent = False
    """Dask replaces the plugin of a watch that was killed when the next one goes on in its folder."""

    def __init__(self, run: str) -> None:
        """`run` is the id of the run, of which the topic is made."""
        self.run = run
        self.name = topic_of(run)

    def setup(self, worker: Worker) -> None:
        """Start to publish. Called by Dask in the worker's event loop, in late workers too."""
        clock = SystemClock()
        device = worker_device(str(worker.name), os.environ, torch_device(None), count_usable_gpus())
        slots = [device] if worker.state.nthreads == 1 else share(device, worker.state.nthreads)

        def connect(slot: int) -> tuple[Device, Publisher]:
            own = slots[slot] if slot < len(slots) else share(device, slot + 1)[slot]
            return own, self._publisher(worker, source_of(worker.address, slot), own)

        self._worker = worker
        self._tasks = TaskEvents(worker.state.nthreads, connect, clock)
        self._sampler = HostSampler(self.run, lambda: self._publisher(worker, f"sampler-{worker.address}"), clock)

    async def teardown(self, worker: Worker) -> None:
        """Publish the end. Called by Dask when the worker closes, or the plugin is unregistered."""
        self._tasks.close()
        await asyncio.to_thread(self._sampler.stop)

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Publish what a task does. Called by Dask in the worker's event loop, at each of its transitions."""
        if finish == "executing":
            self._tasks.start(key)
        elif (outcome := outcome_of(start, finish)) is not None:
            task = self._worker.state.tasks.get(key)
            self._tasks.end(key, outcome, "" if task is None else task.exception_text)

    def progress(self, key: Any, sequences: int, total: int | None) -> None:
        """Publish the progress of a task. Called in its thread."""
        self._tasks.progress(key, sequences, total)

    def _publisher(self, worker: Worker, source: str, device: Device | None = None) -> Publisher:
        return Publisher(outbox=TopicOutbox(worker, self.name), device=device, source=source, run=self.run)


def progress(sequences: int, total: int | None = None) -> None:
    """Report from within a task how many sequences it has done since its start, of `total` if known.

    The last report counts as the sequences of the task; without one they are 0. Never raises. Nothing happens
    where the cluster is not watched, nor in a task that is a coroutine.
    """
    try:
        worker = get_worker()
        key = worker.get_current_task()
    except (ValueError, KeyError):  # outside a task; a coroutine has no thread to be found by
        return
    for plugin in list(worker.plugins.values()):
        if isinstance(plugin, BusPlugin):
            plugin.progress(key, sequences, total)


def worker_device(
    name: str, environment: Mapping[str, str], torch: TorchDevice | None, usable_gpus: int | None
) -> Device:
    """Return the device of a Dask worker: its GPU, else a CPU worker of its name, which is unique in the cluster.

    It is the first GPU of CUDA_VISIBLE_DEVICES: dask-cuda names all GPUs there, in another order for each worker.
    A local rank is not its own, but that of the program that has started it. The rest is as for `choose_device`.
    """
    unranked = {name: value for name, value in environment.items() if name not in LOCAL_RANK_VARIABLES}
    found = choose_device(unranked, torch, usable_gpus)
    return found if has_gpu(found.key) else device_of(f"cpu:{name.rpartition('://')[2]}")
