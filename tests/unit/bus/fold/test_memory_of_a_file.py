"""How much memory the fold of a long run takes for each file that is done."""

from __future__ import annotations

import tracemalloc

from virnucpro_bus import events as ev
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.testing import Script

FILES = 5_000
FILE_BYTES = 240
"""Name, number and entry of a committed file. Its device and its session have those of all others."""


def test_a_committed_file_takes_no_memory_for_its_device_and_its_session() -> None:
    script, session = Script(), 1 << 60
    script.say("coordinator", ev.RunStarted("job", "threshold", (Device("GPU-a"),), FILES), epoch=session)
    for number in range(FILES):
        script.say("coordinator", ev.FileCommitted("GPU-a", f"{number}.fa", 1, 1, 7, ""), epoch=session)
    frames, fleet = script.frames(), FleetState(ManualClock())
    tracemalloc.start()
    try:
        fleet.feed(frames)
        size_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fleet.get_totals()["files_completed"] == FILES
    assert size_bytes / FILES < FILE_BYTES
