"""Samples the GPUs of a host from one of the workers on it, whichever comes first; if that ends, from another.

The workers of a host agree by a name that only one process can hold, that of a local socket: the kernel releases
it when its holder ends, however that ends, and no file is left behind.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from importlib.metadata import entry_points

from virnucpro_bus.clock import Clock
from virnucpro_bus.publish.publisher import Publisher

SAMPLING_GROUP = "virnucpro_bus.gpu_sampling"
RETRY_SECONDS = 5.0
"""How often a worker looks whether the one that samples has ended."""
MOST_BYTES = 107
"""The longest name of a local socket."""
STOP_SECONDS = 2.0
"""The longest that `stop` waits for the last sample; the driver may hang."""

Sampling = Callable[[Callable[[], Publisher], Clock, threading.Event], None]
"""Publishes samples of this machine's GPUs until the event is set; returns at once where there is no GPU."""


def find_sampling() -> Sampling | None:
    """Import what samples the GPUs of a machine; None where no installed package does."""
    for point in entry_points(group=SAMPLING_GROUP):
        sampling: Sampling = point.load()
        return sampling
    return None


class HostSampler:
    """A thread that samples the GPUs of this host while no other worker of the same run does."""

    def __init__(
        self,
        run: str,
        connect: Callable[[], Publisher],
        clock: Clock,
        find: Callable[[], Sampling | None] = find_sampling,
    ) -> None:
        """Start. `connect` is called in the thread, where there is a GPU and no other worker samples it."""
        self._run = run
        self._connect = connect
        self._clock = clock
        self._find = find
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="bus-sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread after a last sample. Waits at most 2 s."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _sample(self) -> None:
        sampling = self._find()
        if sampling is None:
            return
        while not self._stop.is_set():
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
                if _is_first(claim, self._run):
                    sampling(self._connect, self._clock, self._stop)
                    return
            self._stop.wait(RETRY_SECONDS)


def _is_first(claim: socket.socket, run: str) -> bool:
    """Take the name for `claim`, unless another process of this host holds it."""
    try:
        # The host as events name it: containers may share the names of sockets, and have other names.
        claim.bind(f"\0virnucpro-bus-{os.getuid()}-sampler-{run}-{os.uname().nodename}"[:MOST_BYTES].encode())
    except OSError:
        return False
    return True
