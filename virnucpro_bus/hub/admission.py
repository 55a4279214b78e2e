"""Which events of other programs the bus of a run lets in: none that only the run itself may publish.

Other programs of the same user may publish on a run's bus, for example the code of a job. The run's own workers
have an address of their own, which is in no file, and its coordinator needs none. So whatever comes by the public
address and claims to be one of them is from another program.
"""

from __future__ import annotations

from virnucpro_bus import events as ev
from virnucpro_bus.events.codec import Foreign
from virnucpro_bus.events.envelope import CAPTURE_SOURCE, COORDINATOR_SOURCE, WORKER_SOURCE_PREFIX

RESERVED = "reserved"
OTHER_RUN = "other-run"
_RESERVED_KINDS = (
    ev.RunStarted,
    ev.FilesAssigned,
    ev.DeviceJoined,
    ev.RunDraining,
    ev.RunFinished,
    ev.WorkerLost,
    ev.FileCommitted,
    ev.FileReopened,
    ev.FileQuarantined,
    ev.QueueDepths,
    ev.CaptureHole,
)


class Admission:
    """Decides on the events that other programs publish on the bus of one run. Not thread-safe."""

    def __init__(self, run: str) -> None:
        """`run` is the run's id."""
        self._run = run
        self._refused: set[tuple[str, str, int]] = set()
        """Streams with an event of a reserved kind. The rest of such a stream would be one with lost events."""

    def refusal(self, envelope: ev.Envelope | Foreign) -> str | None:
        """Return why an event is refused, as a word to count by; None: it is let in."""
        source = envelope.source
        if source in (COORDINATOR_SOURCE, CAPTURE_SOURCE) or source.startswith(WORKER_SOURCE_PREFIX):
            return RESERVED
        if envelope.run not in ("", self._run):
            return OTHER_RUN
        stream = (source, envelope.host, envelope.epoch)
        if isinstance(envelope.event, _RESERVED_KINDS):
            self._refused.add(stream)
        return RESERVED if stream in self._refused else None
