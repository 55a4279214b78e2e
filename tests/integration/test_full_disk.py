"""A disk that is full for a while is waited for; any other error ends the run, which can be resumed."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

from tests.support.lab import Lab, wait_until
from tests.support.limited_disk import LabDisk
from tests.support.run_files import COUNT, summary
from virnucpro_bus.capture.compression import HAS_ZSTD, ZSTD_MAGIC
from virnucpro_bus.capture.info import capture_info
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.publish.publisher import Publisher
from virnucpro_bus.run_folder import read_addresses

STOPPED = "recording has stopped: No space left on device"
RESUMED = "recording has resumed"


def publish(publisher: Publisher, count: int) -> None:
    for number in range(count):
        publisher.file_completed(f"{number}.fa", sequences=1, duration_seconds=0.1)


def recorded(path: Path) -> int:
    return sum(1 for _ in CaptureReader(path))


def test_a_hub_records_again_when_there_is_room_and_the_capture_says_what_it_lacks(lab: Lab) -> None:
    disk = LabDisk(lab)
    hub = lab.start("hub", "bus", **disk.environment)
    hub.until(lambda: "monitor" in hub.stdout, "the hub is up")
    path = lab.folder / "bus" / "run.vbus"
    with Publisher(read_addresses(path.parent).publish, device=Device("cpu:0"), source="w0") as publisher:
        publish(publisher, 1_000)
        hub.until(lambda: recorded(path) >= 1_000, "the first events are recorded")
        disk.fail(errno.ENOSPC)
        publish(publisher, 300)
        hub.until_it_says(STOPPED)
        disk.work_again()
        hub.until_it_says(RESUMED)
        publish(publisher, 500)
    wait_until(lambda: recorded(path) > 1_500, "the last events are recorded")
    hub.signal(signal.SIGINT)
    assert hub.wait() == 0
    info = capture_info(path)
    missing, completed = info["unrecorded_frames"], info["events_by_kind"]["file.completed/"]
    assert info["holes"] == info["events_by_kind"]["capture.hole/"] == 1
    assert 1_500 <= completed < 1_800 <= completed + missing
    assert f"{missing} events were not recorded" in hub.stderr
    assert hub.stderr.count(STOPPED) == hub.stderr.count(RESUMED) == 1
    assert path.read_bytes().startswith(ZSTD_MAGIC) == HAS_ZSTD


def test_no_worker_starts_before_the_plan_is_on_disk_and_the_run_can_then_be_resumed(
    lab: Lab, forty: Path
) -> None:
    arguments = ("run", forty, "--devices", "cpu:2", "--out", "out", "--no-dashboard", "--job", "user_jobs:slow")
    disk = LabDisk(lab)
    disk.fail(errno.ENOSPC, limit_bytes=2_000)
    run = lab.start(*arguments, **disk.environment)
    run.until_it_says("the run pauses")
    assert not any("workers.process.worker" in command for command in run.children().values())
    disk.work_again()
    results = lab.folder / "out" / "results"
    run.until(lambda: len(list(results.glob("*"))) > 5, "some results")
    run.signal(signal.SIGKILL)
    run.wait()
    resumed = lab.run(*arguments, "--resume")
    assert resumed.wait() == 0, resumed.stderr
    assert "resuming: 0 of" not in resumed.stderr
    # Of the events that were on their way when the launcher was killed, some may be lost.
    totals = summary(lab.folder / "out")["totals"]
    assert (totals["files_completed"], totals["files_total"]) == (COUNT, COUNT)


def test_a_run_that_waits_for_room_to_begin_ends_when_it_is_interrupted(lab: Lab, forty: Path) -> None:
    arguments = ("run", forty, "--devices", "cpu:2", "--out", "out", "--no-dashboard")
    disk = LabDisk(lab)
    disk.fail(errno.ENOSPC, limit_bytes=2_000)
    run = lab.start(*arguments, **disk.environment)
    run.until_it_says("the run pauses")
    run.signal(signal.SIGINT)
    assert run.wait() == 130


def test_a_run_goes_on_without_its_capture_and_loses_no_result(lab: Lab, forty: Path) -> None:
    arguments = ("--devices", "cpu:2", "--out", "out", "--no-dashboard", "--job", "user_jobs:slow")
    disk = LabDisk(lab)
    run = lab.start("run", forty, *arguments, **disk.environment)
    out = lab.folder / "out"
    run.until(lambda: len(list((out / "results").glob("*"))) > 5, "some results")
    disk.fail(errno.ENOSPC)
    run.until_it_says(STOPPED)
    disk.work_again()
    run.until_it_says(RESUMED)
    assert run.wait() == 0
    info = capture_info(out / "run.vbus")
    assert info["holes"] == 1
    assert info["unrecorded_frames"] > 0
    assert info["damaged_places"] == 0
    assert "run.finished/" in info["events_by_kind"]


def test_a_run_whose_capture_cannot_be_written_any_more_ends_and_can_be_resumed(lab: Lab, forty: Path) -> None:
    arguments = ("run", forty, "--devices", "cpu:2", "--out", "out", "--no-dashboard", "--job", "user_jobs:slow")
    disk = LabDisk(lab)
    run = lab.start(*arguments, **disk.environment)
    run.until(lambda: len(list((lab.folder / "out" / "results").glob("*"))) > 5, "some results")
    disk.fail(errno.EROFS)
    assert run.wait() == 2
    assert run.stderr.count("recording has stopped: Read-only file system") == 1
    assert run.stderr.count("the run ends early: the capture, which is its journal, can no longer be written") == 1
    resumed = lab.run(*arguments, "--resume")
    assert resumed.wait() == 0
    assert "40 of 40 files done" in resumed.stdout
