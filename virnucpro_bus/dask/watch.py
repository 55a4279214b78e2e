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
from virnucpro_bus.dask.carried import ABSENT_SUFFIX, make_carried
from virnucpro_bus.dask.hub_thread import HubThread
from virnucpro_bus.dask.roster import removed_worker
from virnucpro_bus.dask.topic import MessageSubscription, Subscription, topic_of
from virnucpro_bus.errors import UserError
from virnucpro_bus.hub.bus_server import BusServer
from virnucpro_bus.system.console import say
from virnucpro_bus.text import text_of, visible

MEMBERS_TOPIC = "all"
"""On which a scheduler reports the workers that come and go."""

CLOSE_SECONDS = 1.0
"""How long our connection to the scheduler may take to close."""


def watch(client: Client, folder: str | os.PathLike[str], *, resume: bool = False) -> Watch:
    """Put the cluster of `client` on a bus in `folder`, until the end of the `with` block, or `close`.

    Where the last one in the folder was killed, its capture is continued; with `resume`, also where it has ended.
    Of a worker that cannot load this package a notice is published, and the first is printed. Raises UserError
    where the folder or the client cannot be used.
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
        topic = topic_of(self.run)
        self._subscriptions = [
            Subscription(self._client, topic, self._hub.take),
            MessageSubscription(self._client, MEMBERS_TOPIC, self._note_member),
            MessageSubscription(self._client, topic + ABSENT_SUFFIX, self._note_absent),
        ]
        self._has_absent = False
        atexit.register(self.close)
        try:
            self._client.register_plugin(make_carried(self.run, topic))
        except Exception as error:  # any that a worker has raised
            self.close()
            if past is None:
                server.remove_capture()
            reason = visible(f"{type(error).__name__}: {text_of(error)}")
            raise UserError(f"watch: the workers do not take the plugin: {reason}") from None

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
        for subscription in self._subscriptions:
            subscription.close()
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

    def _note_absent(self, message: object) -> None:
        """Take the message of a worker that cannot load the plugin, in the same thread."""
        text = f"{visible(text_of(message))}; install virnucpro-bus there: its tasks are not shown"
        self._hub.notify(text)
        if not self._has_absent:
            self._has_absent = True
            say(text)
