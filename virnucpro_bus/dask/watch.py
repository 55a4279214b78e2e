"""Puts a Dask cluster of somebody's own on a bus: a hub in a folder, in a thread of the program with the client.

    from virnucpro_bus.dask import watch

    with watch(client, "my-run"):
        ...                                         # any work on the cluster

Meanwhile `virnucpro-bus monitor my-run` shows it on this machine, and afterwards `virnucpro-bus replay my-run`.
"""

from __future__ import annotations

import atexit
import os
from contextlib import suppress
from pathlib import Path
from typing import Self

from distributed import Client

from virnucpro_bus.clock import SystemClock
from virnucpro_bus.dask.hub_thread import HubThread
from virnucpro_bus.dask.plugin import BusPlugin
from virnucpro_bus.dask.roster import removed_worker
from virnucpro_bus.dask.topic import MessageSubscription, Subscription, topic_of
from virnucpro_bus.errors import UserError
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.text import text_of, visible

MEMBERS_TOPIC = "all"
"""On which a scheduler reports the workers that come and go."""

CLOSE_SECONDS = 1.0
"""How long our connection to the scheduler may take to close."""


def watch(client: Client, folder: str | os.PathLike[str], *, resume: bool = False) -> Watch:
    """Put the cluster of `client` on a bus in `folder`, until the end of the `with` block, or `close`.

    Where the last one in the folder was killed, its capture is continued; with `resume`, also where it has ended.
    Raises UserError where the folder cannot be used, or the workers cannot load this package.
    """
    return Watch(client, Path(folder), resume=resume)


class Watch:
    """A cluster on the bus. Not thread-safe."""

    def __init__(self, client: Client, folder: Path, *, resume: bool) -> None:
        """Open the hub, and bring the plugin to all workers. Raises UserError."""
        if client.asynchronous or client.scheduler is None:
            raise UserError("watch: needs a client that is connected and not asynchronous")
        clock = SystemClock()
        server = BusServer(folder, clock)
        # One of our own: a client has one subscriber a topic, and its user may close it before us.
        self._client = Client(client.scheduler.address, security=client.security, set_as_default=False)
        try:
            past = server.resume_hub(ended=resume)
            server.open()
        except BaseException:
            self._client.close(timeout=CLOSE_SECONDS)
            raise
        self.folder = folder
        self.run = server.run
        """The id of the run."""
        self._is_open = True
        self._hub = HubThread(server, clock)
        self._events = Subscription(self._client, topic_of(self.run), self._hub.take)
        self._members = MessageSubscription(self._client, MEMBERS_TOPIC, self._note_member)
        atexit.register(self.close)
        try:
            self._client.register_plugin(BusPlugin(self.run))
        except Exception as error:  # any that a worker has raised
            self.close()
            if past is None:
                server.remove_capture()
            reason = visible(f"{type(error).__name__}: {text_of(error)}")
            raise UserError(
                f"watch: a worker cannot load the plugin ({reason}); install virnucpro-bus where the workers run"
            ) from None

    def close(self) -> None:
        """Take the plugin from the workers, wait at most 2 s for their last events, and close the hub."""
        if not self._is_open:
            return
        self._is_open = False
        atexit.unregister(self.close)
        # Without a scheduler there are no workers, and the client would try for 30 s to find it.
        if self._client.status == "running":
            with suppress(Exception):
                self._client.unregister_worker_plugin(topic_of(self.run))
        self._hub.end()
        self._events.close()
        self._members.close()
        self._client.close(timeout=CLOSE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _note_member(self, message: object) -> None:
        """Take a message of the scheduler, in the thread of Dask's event loop."""
        address = removed_worker(message)
        if address is not None:
            self._hub.remove(address)
