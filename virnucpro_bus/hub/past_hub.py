"""What the capture of a hub that has ended records of it, for another one that continues it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.errors import FrameError
from virnucpro_bus.events.codec import decode, topic_prefix
from virnucpro_bus.events.envelope import COORDINATOR_SOURCE
from virnucpro_bus.events.kinds import KIND_OF
from virnucpro_bus.events.run_events import RunFinished, RunStarted
from virnucpro_bus.events.vocabulary import GpuSampled

# The hub's own reports, and those of the sampler that it starts: their envelopes name its run and host.
_OWN = tuple(topic_prefix(KIND_OF[kind]) for kind in (RunStarted, RunFinished, GpuSampled))


class PastHub(NamedTuple):
    """A hub that was in a run folder."""

    run: str = ""
    """The run's id; "" when unknown."""
    host: str = ""
    """The host that the run's own events name; "" when unknown."""
    has_launcher: bool = False
    """Whether it was that of a launched run, which `run --resume` continues."""
    was_killed: bool = False
    """Whether it has not ended in order."""


def read_past_hub(capture: Path) -> PastHub:
    """Return the hub that has recorded a capture and ended in order. Raises CaptureError.

    Run and host are known as far as the hub, or its sampler, has published any event.
    """
    past = PastHub()
    for record in CaptureReader(capture):
        if not record.frame.startswith(_OWN):
            continue
        try:
            envelope = decode(record.frame)
        except FrameError:
            continue
        past = PastHub(envelope.run or past.run, envelope.host)
        event = envelope.event
        if isinstance(event, RunStarted) and envelope.source == COORDINATOR_SOURCE and event.settings:
            return past._replace(has_launcher=True)
    return past
