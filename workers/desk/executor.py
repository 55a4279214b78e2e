"""What runs the workers of a run, as the launcher drives it, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import zmq

from virnucpro_bus.clock import Clock
from virnucpro_bus.hub.bus_server import BusServer
from workers.commit.result_store import ResultStore
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.desk.halt import Halt
from workers.desk.limits import Limits
from workers.desk.seat import Seat
from workers.protocol import WorkerConfig

if TYPE_CHECKING:
    from workers.desk.desk import Desk


@dataclass(frozen=True)
class Workplace:
    """Everything of a run that its workers are concerned with."""

    server: BusServer
    """Open."""
    coordinator: WorkStealingCoordinator
    store: ResultStore
    job: str
    options: Mapping[str, str]
    limits: Limits
    clock: Clock
    """Stands still while this process does: no limit is exceeded meanwhile."""
    warn: Callable[[str], object]
    """Is called with each message for the user, in one line."""
    target: str | None = None
    """MODULE:ATTR that the name `job` stands for; None: `job` is not a name."""
    last_epoch: int = 0
    """The greatest number of a worker in earlier sessions; those of this one are greater."""
    halt: Halt | None = None
    """When the run ends early; None: only if its first files fail alike."""

    def next_config(self, seat: Seat, *, token: str = "", channel: str = "", publish: str = "") -> WorkerConfig:
        """Return the configuration of the seat's next worker.

        `token`, `channel` and `publish` are "" for a worker that is reached by other ways than sockets.
        """
        device = seat.device
        return WorkerConfig(
            slot=seat.number,
            token=token,
            channel=channel,
            publish=publish,
            run=self.server.run,
            host=self.server.host,
            source=seat.source,
            epoch=seat.epoch + 1,
            device_key=device.key,
            device_name=device.name,
            device_index=device.index,
            device_label=device.label,
            job=self.job,
            options=dict(self.options),
            target=self.target,
        )


class Executor(Protocol):
    """The workers of a run: started, supervised and ended. For one thread, which owns hub and coordinator too."""

    @property
    def sockets(self) -> Sequence[zmq.Socket[bytes] | int]:
        """Sockets and file descriptors to wait on for input before `poll`."""
        ...

    @property
    def running(self) -> bool:
        """Whether a worker may still be working."""
        ...

    @property
    def desk(self) -> Desk:
        """Where the workers get their files: it knows whether the run ends early, and why."""
        ...

    def start(self) -> None:
        """Start the workers, or leave that to `poll` while the journal cannot be written."""
        ...

    def poll(self) -> None:
        """Take what the workers report, hand out files, handle what was lost. Never waits."""
        ...

    def drain(self) -> None:
        """Hand out no more files: each worker ends after its current file, and at once while it loads the job."""
        ...

    def kill(self) -> None:
        """Begin to end all workers; `poll` continues that."""
        ...

    def close(self) -> None:
        """End all workers, in a few seconds, and release everything. Safe to call twice."""
        ...


MakeExecutor = Callable[[Workplace], Executor]
