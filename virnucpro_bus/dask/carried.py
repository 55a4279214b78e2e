"""What Dask carries to the workers: the plugin's stand-in, which loads the plugin where this package is installed.

Dask ends a worker that cannot load a plugin, and the cluster may be somebody else's. So the class is defined
inside a function: it travels by value, without the name of a module to import. It may use nothing of this module.
"""

from __future__ import annotations

from typing import Any

ABSENT_SUFFIX = "-absent"
"""Of the topic on which workers report that they cannot load the plugin, each in one text."""


def make_carried(run: str, topic: str) -> Any:
    """Return the plugin of a run as Dask carries it. `topic` is that of the run, and the plugin's name."""
    from distributed import WorkerPlugin

    absent = topic + ABSENT_SUFFIX

    class CarriedPlugin(WorkerPlugin):
        """Puts the plugin in its own place; without this package the worker goes on as if it were not there."""

        idempotent = False
        name = topic

        def setup(self, worker: Any) -> None:
            try:
                from virnucpro_bus.dask.plugin import BusPlugin

                plugin = BusPlugin(run)
                plugin.setup(worker)
                worker.plugins[topic] = plugin
            except Exception as error:
                worker.log_event(absent, f"{worker.address}: {type(error).__name__}: {error}")

    return CarriedPlugin()
