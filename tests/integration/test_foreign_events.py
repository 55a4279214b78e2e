"""Another program on the bus of a run claims to be part of it: the run and its resumption stay exact."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.lab import Lab
from tests.support.run_files import Gates, recorded, results, small_files, summary
from virnucpro_bus import events as ev
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import read_addresses

FILES = 4


def spoof(run_dir: Path) -> None:
    """Publish what would make files count as done, and the run unusable, if it were believed."""
    addresses = read_addresses(run_dir)
    known = [*recorded(run_dir, ev.RunStarted), *recorded(run_dir, ev.WorkerStarted)]
    epochs = {envelope.source: envelope.epoch for envelope in known}
    claims = [
        ev.FileCompleted("cpu:0", "small_03.fa", 1, 2**62, 1.0),
        ev.FileCommitted("cpu:0", "small_03.fa", 1, 0, 0, ""),
        ev.RunStarted("other", "off", (Device("cpu:9"),), 999, "other settings"),
        ev.WorkerStarted(Device("cpu:0"), 1),
        *[ev.Notice("x")] * 300,
    ]
    senders = [("pid-1", 1), ("worker-0", epochs["worker-0"]), ("worker-0", 2**63 - 1)]
    senders += [("coordinator", epochs["coordinator"]), ("coordinator", 2**62)]
    for source, epoch in senders:
        publisher = Publisher(
            addresses.publish,
            source=source,
            epoch=epoch,
            run=addresses.run,
            clock=SystemClock(),
            heartbeat_seconds=None,
        )
        with publisher:
            for claim in claims:
                publisher.publish(claim)


@pytest.mark.parametrize("killed", [True, False], ids=["killed and resumed", "to the end"])
def test_a_program_that_claims_to_be_part_of_the_run_changes_nothing(lab: Lab, killed: bool) -> None:
    names = small_files(lab.folder / "in", FILES)
    gates = Gates(lab.folder / "gates")
    gates.close(names[2])
    job = ("--job", "user_jobs:gated", "--job-option", gates.option)
    arguments = ("run", "in", "--out", "out", "--devices", "cpu:1", "--no-dashboard", *job)
    run = lab.start(*arguments)
    out = lab.folder / "out"
    run.until(gates.waiting, "a file is in progress")
    spoof(out)
    if killed:
        run.signal(signal.SIGKILL)
        run.wait()
        gates.open()
        run = lab.run(*arguments, "--resume")
    gates.open()
    assert run.wait() == 0, run.stderr
    totals = summary(out)["totals"]
    counts = [totals[key] for key in ("files_completed", "files_total", "files_failed", "events_lost")]
    assert counts == [FILES, FILES, 0, 0]
    assert {name.partition(".")[0] for name in results(out)} == {name.removesuffix(".fa") for name in names}
    assert killed or "other programs published what the bus of a run refuses" in run.stderr
