"""Metrics logs of real runs and monitors: rotated, shared, on a full disk, and replaced while they are written."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.log.metrics_log import COLUMNS
from tests.support.lab import Lab, Started
from tests.support.live_bus import Bus, complete
from tests.support.run_files import Gates, small_files


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a log, which must begin with the header."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file, strict=True)
        rows = list(reader)
        assert tuple(reader.fieldnames or ()) == COLUMNS
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def has_rows(path: Path) -> bool:
    """Whether there is more in it than a header; it may be under way still."""
    try:
        return path.read_bytes().count(b"\n") > 2
    except FileNotFoundError:
        return False


def oldest_first(path: Path) -> list[Path]:
    """A log and those that were moved aside."""
    aside = sorted(path.parent.glob(f"{path.name}.*"), key=lambda each: -int(each.suffix[1:]))
    return [*aside, path]


def test_a_run_rotates_its_log_and_all_of_them_together_are_one(lab: Lab) -> None:
    log = lab.folder / "out" / "gpu_metrics.log"
    gates = Gates(lab.folder / "gates")
    gates.close(small_files(lab.folder / "in", 4)[-1])
    running = lab.start(
        *("run", "in", "--out", "out", "--no-dashboard", "--devices", "cpu:2", "--interval", "0.1"),
        *("--log-rotate", "2K", "--job", "user_jobs:gated", "--job-option", gates.option),
    )
    running.until(lambda: len(oldest_first(log)) > 2, "the log is moved aside, and again")
    gates.open()
    assert running.wait() == 0, running.stderr
    logs = oldest_first(log)
    assert all(log.stat().st_size <= 2048 for log in logs)
    rows = [row for log in logs for row in rows_of(log)]
    times = [row["timestamp"] for row in rows]
    assert times == sorted(times)
    by_device = {name: [row for row in rows if row["gpu_id"] == name] for name in ("cpu:0", "cpu:1")}
    for of_one in by_device.values():
        assert len({row["timestamp"] for row in of_one}) == len(of_one)
        done = [int(row["files_completed"]) for row in of_one]
        assert done == sorted(done)


@pytest.mark.parametrize("size", ["0", "10X", "-1M"])
def test_a_size_that_is_none_is_refused_in_one_line(lab: Lab, forty: Path, size: str) -> None:
    ended = lab.run("run", forty, "--out", "out", "--log-rotate", size)
    assert ended.wait() == 2
    assert len(ended.stderr.splitlines()) == 1
    assert "--log-rotate" in ended.stderr
    assert "is not a size: expected 1K to 1000000G" in ended.stderr


def watching(bus: Bus, log: Path) -> Started:
    """A monitor that logs every 0.1 s, in lines, and has begun to."""
    monitor = bus.lab.start("monitor", "bus", "--interval", "0.1", "--line-interval", "0.1", "--log-file", log)
    monitor.until(lambda: has_rows(log), "it logs")
    return monitor


def stop(monitor: Started) -> None:
    monitor.signal(signal.SIGINT)
    assert monitor.wait() == 130, monitor.stderr
    assert "Traceback" not in monitor.stderr


def test_a_folder_that_is_deleted_is_told_and_when_it_is_back_so_is_the_log(lab: Lab, bus: Bus) -> None:
    log = lab.folder / "logs" / "log.csv"
    log.parent.mkdir()
    with bus.publisher() as publisher:
        complete(publisher, 10)
        monitor = watching(bus, log)
        shutil.rmtree(log.parent)
        monitor.until(lambda: "No such file or directory; will try again" in monitor.stdout, "it is told")
        assert not log.parent.exists()
        log.parent.mkdir()
        monitor.until(lambda: has_rows(log), "it logs again")
        assert rows_of(log)[-1]["files_completed"] == "10"
        stop(monitor)


def test_whatever_takes_the_place_of_a_log_the_monitor_goes_on(lab: Lab, bus: Bus) -> None:
    log = lab.folder / "log.csv"
    with bus.publisher() as publisher:
        complete(publisher, 10)
        monitor = watching(bus, log)
        for replace, undo, said in (
            (log.mkdir, log.rmdir, "Is a directory"),
            (lambda: os.mkfifo(log), log.unlink, "is not a file"),
            (lambda: log.write_text("mine\n"), log.unlink, "is not a metrics log"),
            (lambda: log.symlink_to(log), log.unlink, "Too many levels of symbolic links"),
        ):
            log.unlink()
            _in_its_place(log, replace)
            monitor.until_it_shows(said)
            undo()
            monitor.until(lambda: has_rows(log), "it logs again")
        stop(monitor)


def _in_its_place(log: Path, replace: object) -> None:
    """Put something there; the monitor may have begun a new log meanwhile."""
    while True:
        try:
            replace()  # type: ignore[operator]
        except FileExistsError:
            log.unlink()
        else:
            return


WRITER = """
import sys
from monitor.log.metrics_log import MetricsLog
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.metrics import UNKNOWN_UTILIZATION

path, name, rotate_bytes = sys.argv[1], sys.argv[2], int(sys.argv[3])
log = MetricsLog(path, SystemClock(), rotate_bytes)
metrics = dict(
    device_id=0, device_name="x" * 500, queue_depth=0, files_failed=0, sequences=0, work_stolen_from=0,
    work_stolen_to=0, throughput=None, last_update_time=None, uuid=None, host=name, state="idle",
    current_file=None, loading_seconds=None, cpu_percent=None, resident_bytes=None, read_bytes_per_second=None,
)
for number in range(500):
    log.write([({**metrics, "files_completed": number}, UNKNOWN_UTILIZATION)] * 3)
    assert log.problem is None, log.problem
"""


def test_three_who_write_and_rotate_one_log_lose_no_row_and_tear_none(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(log), name, "500_000"]) for name in ("a", "b", "c")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    logs = oldest_first(log)
    assert len(logs) > 3
    rows = [row for each in logs for row in rows_of(each)]
    for name in ("a", "b", "c"):
        told = [int(row["files_completed"]) for row in rows if row["host"] == name]
        assert told == [number for number in range(500) for _ in range(3)]


# A real disk that is full, and one that cannot be written to.

SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from monitor.log.rotating_file import RotatingFile
from virnucpro_bus.errors import BusError

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=8", "none", str(folder)], check=True)
path, number = folder / "log.csv", 0
log = RotatingFile(str(path), b"when\\r\\n", b"when", 60_000)
def say(count):
    global number
    told = set()
    for _ in range(count):
        try:
            told.add(str(log.append(b"%06d\\r\\n" % number * 100)))
        except (OSError, BusError) as error:
            told.add(getattr(error, "strerror", None) or str(error))
        number += 1
    print(sorted(told), flush=True)
say(50)
with (folder / "ballast").open("wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
say(200)
(folder / "ballast").unlink()
say(200)
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
say(1)
subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
say(1)
out.mkdir()
for each in folder.iterdir():
    (out / each.name).write_bytes(each.read_bytes())
"""
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def test_on_a_small_disk_that_is_full_and_then_is_not_no_line_is_half_there(tmp_path: Path) -> None:
    disk, out = tmp_path / "disk", tmp_path / "out"
    disk.mkdir()
    trial = [*NAMESPACE, "mount", "-t", "tmpfs", "none", str(disk)]
    if shutil.which("unshare") is None or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs in a namespace of one's own is not permitted here")
    command = [*NAMESPACE, sys.executable, "-c", SMALL_DISK, str(disk), str(out)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == [
        "['None']",
        "['No space left on device', 'None']",
        "['None']",
        "['Read-only file system']",
        "['None']",
    ]
    kept = []
    for log in oldest_first(out / "log.csv"):
        header, *lines = log.read_bytes().splitlines(keepends=True)
        assert header == b"when\r\n"
        assert {len(line) for line in lines} == {8}
        numbers = [int(line) for line in lines]
        assert numbers == [number for number in numbers[::100] for _ in range(100)]
        kept += numbers[::100]
    assert kept == sorted(set(kept))
    refused = [number for number in range(452) if number not in kept]
    assert set(range(50)) | set(range(250, 450)) | {451} <= set(kept)
    assert 450 in refused
    assert len(refused) > 10
