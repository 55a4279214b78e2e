"""A monitor that stands still for a minute while much happens, and one that is killed: exact soon afterwards."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.support.lab import Lab, wait_until
from tests.support.live_bus import SEQUENCES, Bus, Monitor

EVENTS_PER_SECOND = 50_000
EVENTS_OF_A_FILE = 10
STOPPED_SECONDS = 60.0
PATIENCE_SECONDS = 60.0
"""Generous for a busy machine, which takes seconds; the benchmark `attach` measures."""

PUBLISHING = f"""
import os
import pathlib
import time

from virnucpro_bus import Publisher

bus = Publisher.connect(device="cpu:0")
told = os.open("published", os.O_CREAT | os.O_WRONLY)
published, start = 0, time.monotonic()
while not pathlib.Path("enough").exists():
    due = int((time.monotonic() - start) * {EVENTS_PER_SECOND})
    while published < due:
        bus.file_started("a.fa")
        for done in range({EVENTS_OF_A_FILE} - 2):
            bus.file_progress("a.fa", done)
        bus.file_completed("a.fa", sequences={SEQUENCES}, duration_seconds=0.1)
        published += {EVENTS_OF_A_FILE}
    os.pwrite(told, published.to_bytes(8, "little"), 0)
    time.sleep(0.005)
bus.close()
"""


def published_so_far(folder: Path) -> int:
    """Events of files that have been published."""
    path = folder / "published"
    return int.from_bytes(path.read_bytes(), "little") if path.exists() else 0


def seconds_until_exact(monitor: Monitor, least: int) -> float:
    """How long it takes until the monitor has as many events as had been published by now, and lacks none."""
    started = time.monotonic()

    def exact() -> bool:
        totals = monitor.totals
        return bool(totals) and totals["events_received"] >= least and not totals["events_lost"]

    wait_until(exact, f"{least} events and none lost", PATIENCE_SECONDS)
    return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_monitor_is_exact_after_a_minutes_stop_and_so_is_the_one_after_a_death_at_once(
    lab: Lab, bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    program = lab.folder / "publishing.py"
    program.write_text(PUBLISHING)
    monitor = bus.monitor()
    publisher = lab.start(program=program, VIRNUCPRO_BUS=bus.addresses.publish)
    publisher.until(lambda: published_so_far(lab.folder) > EVENTS_PER_SECOND, "a second's events")
    seconds_until_exact(monitor, EVENTS_PER_SECOND)

    monitor.command.signal(signal.SIGSTOP)
    time.sleep(STOPPED_SECONDS)
    past = published_so_far(lab.folder)
    monitor.command.signal(signal.SIGCONT)
    continued = seconds_until_exact(monitor, past)

    monitor.command.signal(signal.SIGKILL)
    before_restart = published_so_far(lab.folder)
    again = bus.monitor()
    restarted = seconds_until_exact(again, before_restart)

    (lab.folder / "enough").touch()
    assert publisher.wait() == 0, publisher.stderr
    again.until_it_has_all_of(bus)
    # At once: the past comes as the hub's fold, and not event by event.
    received = (report["totals"]["events_received"] for report in again.reports)
    assert next(filter(None, received)) >= before_restart
    with capsys.disabled():
        print(
            f"\nexact {continued:.2f} s after {STOPPED_SECONDS:.0f} s of standing still with {past:,} past events"
        )
        print(f"exact {restarted:.2f} s after a new start with {before_restart:,} past events")
    assert again.totals["files_completed"] * EVENTS_OF_A_FILE == published_so_far(lab.folder)
    assert again.totals["events_lost"] == 0
