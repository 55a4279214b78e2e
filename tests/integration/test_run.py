"""Whole runs: four workers over forty files, and everybody who counts them counts the same."""

from __future__ import annotations

import csv
import json
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.differences import TIMES_AGREE_SECONDS, report_differences
from tests.support.lab import Lab, Started
from tests.support.paths import DATA
from tests.support.raw_captures import read_events
from tests.support.reckoning import Reckoning
from tests.support.run_files import COUNT, REPORTING_COMMAND, Gates, recorded, results, small_files, summary
from virnucpro_bus.events.run_events import FilesAssigned, RunStarted
from virnucpro_bus.events.vocabulary import FileCompleted
from virnucpro_bus.metrics import GpuUtilization
from virnucpro_bus.system.cores import usable_cores

FOUR_WORKERS = ("--devices", "cpu:4", "--no-dashboard")
SKEWED = ("--weights", "10,1,1,1")
SLOW_JOB = ("--job", "user_jobs:slow")
LOG_COLUMNS = ["timestamp", "gpu_id", "sequences_per_sec", "compute_percent", "memory_percent"]
# The coordinator hears of files, not of the processes that work on them; its own events are not the bus's.
NOT_ITS_BUSINESS = {
    *("state", "loading_seconds", "cpu_percent", "resident_bytes", "read_bytes_per_second", "worker"),
    *("events_published", "events_received", "events_lost"),
}
# Falls with every moment that passes between two looks at a run that goes on.
PASSING = {"throughput", "seconds_since_done"}
AGREE_SECONDS = 2.0
BIGGEST = "reads_06.fa.gz"


def parsed(ended: Started) -> dict[str, Any]:
    """The JSON object that a command has printed."""
    assert ended.wait() == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def comparable(report: dict[str, Any], leave_out: set[str]) -> dict[str, Any]:
    """What the `--json` object and a coordinator have in common, without some fields."""
    utilization = set(GpuUtilization.__annotations__)
    rows = [report["totals"], *report["devices"]]
    totals, *devices = (
        {key: value for key, value in row.items() if key not in leave_out | utilization} for row in rows
    )
    return {"devices": devices, "totals": totals, "steals": report["steals"]}


def each(field: str, report: dict[str, Any]) -> list[float]:
    """Of each device that has done a file; the coordinator does not know since when the others' workers wait."""
    return [device[field] for device in report["devices"] if device["files_completed"]]


def test_monitor_replay_summary_and_coordinator_agree_about_a_run_that_is_over(lab: Lab, finished: Path) -> None:
    replayed = parsed(lab.run("replay", finished / "run.vbus", "--once", "--json"))
    assert parsed(lab.run("monitor", finished, "--once", "--json")) == replayed
    assert {key: summary(finished)[key] for key in replayed} == replayed
    said = json.loads((finished.parent / "end.json").read_text())
    left_out = NOT_ITS_BUSINESS | PASSING
    assert comparable(said, left_out) == comparable(replayed, left_out)
    assert each("throughput", said) == pytest.approx(each("throughput", replayed), rel=0.02)
    assert each("seconds_since_done", said) == pytest.approx(each("seconds_since_done", replayed), abs=0.5)
    assert replayed["totals"]["files_completed"] == replayed["totals"]["files_total"] == COUNT
    assert replayed["totals"]["steals"] == len(replayed["steals"]) > 0


def test_a_run_leaves_results_capture_log_and_summary_and_nothing_else(finished: Path) -> None:
    left = {path.name for path in finished.iterdir()}
    assert left == {"results", "run.vbus", "gpu_metrics.log", "summary.json"}
    found = summary(finished)
    assert (found["exit_code"], found["policy"], found["weights"]) == (0, "cost", [10.0, 1.0, 1.0, 1.0])
    assert found["job"] == "user_jobs:slow"
    assert found["failures"] == {}
    with (finished / "gpu_metrics.log").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header[:5] == LOG_COLUMNS
    assert {row[1] for row in rows} == {"cpu:0", "cpu:1", "cpu:2", "cpu:3"}
    last = rows[-4:]
    assert sum(int(row[header.index("files_completed")]) for row in last) == COUNT


def test_the_summary_is_what_the_events_of_the_run_add_up_to(finished: Path) -> None:
    events, found = read_events(finished / "run.vbus"), summary(finished)
    reckoning = Reckoning(events, events[-1].received_ns)
    assert report_differences(found, reckoning, TIMES_AGREE_SECONDS) == []
    totals = found["totals"]
    assert (totals["events_lost"], totals["files_failed"], totals["files_completed"]) == (0, 0, COUNT)
    for kind in ("file.completed/", "file.committed/"):
        files = [event.fields[1] for event in events if event.kind == kind]
        assert len(files) == len(set(files)) == COUNT
    assert totals["steals"] == sum(device["work_stolen_from"] for device in found["devices"]) > 0
    times = [steal["timestamp"] for steal in found["steals"]]
    assert times == sorted(times)


def test_a_monitor_that_follows_to_the_end_ends_with_what_the_capture_says(lab: Lab, forty: Path) -> None:
    """It attaches while the run goes on: the beginning comes from the history, the rest from the live bus."""
    gates = Gates(lab.folder / "gates")
    gates.close(BIGGEST)
    running = lab.start(
        *("run", forty, "--out", "out", *FOUR_WORKERS, "--job", "user_jobs:gated", "--job-option", gates.option)
    )
    running.until(lambda: BIGGEST in gates.waiting(), "the job is at its gate")
    follower = lab.start("monitor", "out", "--json", "--interval", "0.1")
    follower.until(lambda: follower.stdout.count("\n") >= 2, "the monitor reports")
    gates.open()
    assert running.wait() == 0, running.stderr
    assert follower.wait() == 0, follower.stderr
    first, *_, last = [json.loads(line) for line in follower.stdout.splitlines()]
    assert first["totals"]["files_completed"] < COUNT
    assert last == parsed(lab.run("replay", "out", "--once", "--json"))


@pytest.mark.parametrize("policy", ["threshold", pytest.param("off", marks=pytest.mark.slow)])
def test_monitor_replay_and_coordinator_agree_while_the_run_goes_on(lab: Lab, forty: Path, policy: str) -> None:
    """All four workers are held up in the middle of a file, so that there is a moment to agree about."""
    gates = Gates(lab.folder / "gates")
    gates.close(*(path.name for path in forty.iterdir()))
    running = lab.start(
        *("run", forty, "--out", "out", *FOUR_WORKERS, *SKEWED, "--policy", policy),
        *("--job", "user_jobs:gated", "--job-option", gates.option),
        program=REPORTING_COMMAND,
    )

    def coordinator() -> dict[str, Any]:
        (lab.folder / "live.json").unlink(missing_ok=True)
        (lab.folder / "ask").touch()
        running.until((lab.folder / "live.json").exists, "the coordinator answers")
        found: dict[str, Any] = json.loads((lab.folder / "live.json").read_text())
        return found

    def shown_by(command: str) -> dict[str, Any]:
        return parsed(lab.run(command, "out", "--once", "--json"))

    running.until(lambda: len(gates.waiting()) == 4, "every worker is at a gate")
    while policy == "threshold" and not coordinator()["totals"]["steals"]:
        # All but the device that has the biggest file finish theirs.
        gates.open(*(name for name in gates.waiting() if name != BIGGEST))
        running.until(lambda: len(gates.waiting()) == 4, "every worker is at the next gate")

    said = coordinator()
    left_out = (NOT_ITS_BUSINESS - {"state"}) | PASSING
    for command in ("monitor", "replay"):
        # The workers' last events may still be under way.
        eventually(partial(shown_by, command), said, left_out)
    assert [device["state"] for device in said["devices"]] == ["busy"] * 4
    assert {device["current_file"] for device in said["devices"]} == set(gates.waiting())
    assert (said["totals"]["steals"] > 0) == (policy == "threshold")
    gates.open()
    assert running.wait() == 0, running.stderr


def eventually(look: Callable[[], dict[str, Any]], said: dict[str, Any], leave_out: set[str]) -> None:
    """Wait until `look()` agrees with what was `said`; shows the difference if it never does."""
    wanted = comparable(said, leave_out)
    deadline = time.monotonic() + AGREE_SECONDS
    while (found := comparable(look(), leave_out)) != wanted and time.monotonic() < deadline:
        pass
    assert found == wanted


def test_outputs_are_those_of_a_single_process_byte_by_byte(
    lab: Lab, forty: Path, serial_results: dict[str, bytes]
) -> None:
    ended = lab.run("run", forty, "--out", "out", *FOUR_WORKERS, *SLOW_JOB, "--policy", "threshold", *SKEWED)
    assert ended.wait() == 0, ended.stderr
    assert results(lab.folder / "out") == serial_results
    assert len(serial_results) == 2 * COUNT
    for kind in ("nucleotide.fa", "protein.faa"):
        expected = (DATA / "expected" / f"lambda_virus.500.{kind}").read_bytes()
        assert serial_results[f"lambda_virus.{kind}"] == expected


def test_without_stealing_every_device_does_the_files_it_was_given(
    lab: Lab, forty: Path, serial_results: dict[str, bytes]
) -> None:
    ended = lab.run("run", forty, "--out", "out", *FOUR_WORKERS, *SKEWED, "--policy", "off")
    assert ended.wait() == 0, ended.stderr
    given: dict[str, set[str]] = {}
    for envelope in recorded(lab.folder / "out", FilesAssigned):
        given.setdefault(envelope.event.device, set()).update(file.file for file in envelope.event.files)
    done: dict[str, set[str]] = {}
    for envelope in recorded(lab.folder / "out", FileCompleted):
        done.setdefault(envelope.event.device, set()).add(envelope.event.file)
    assert done == given
    found = summary(lab.folder / "out")
    assert (found["totals"]["steals"], found["steals"]) == (0, [])
    assert results(lab.folder / "out") == serial_results


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path, as XDG_RUNTIME_DIR is."""
    with tempfile.TemporaryDirectory(prefix="vb") as folder:
        yield Path(folder)


# A socket's path has 107 bytes at most; the longest of ours is .bus/subscribe.sock.
@pytest.mark.parametrize(("characters", "inside"), [(87, True), (88, False)])
def test_a_run_folder_works_however_long_its_path_is(
    lab: Lab, short_folder: Path, characters: int, inside: bool
) -> None:
    runtime = short_folder / "runtime"
    runtime.mkdir()
    run_dir = short_folder / ("d" * (characters - len(f"{short_folder}/")))
    bus = lab.start("hub", run_dir, XDG_RUNTIME_DIR=str(runtime))
    bus.until(lambda: "export" in bus.stdout, "the hub is up")
    assert parsed(lab.run("monitor", run_dir, "--once", "--json"))["totals"]["files_completed"] == 0
    folders = list(runtime.rglob("*.sock"))
    assert (folders == []) == inside
    assert {path.stat().st_mode & 0o777 for path in runtime.rglob("*") if path.is_dir()} <= {0o700}
    bus.signal(signal.SIGINT)
    assert bus.wait() == 0
    assert list(short_folder.rglob("*.sock")) == []


def test_a_run_that_finds_no_gpu_says_so_and_works_on_the_cpus(lab: Lab) -> None:
    small_files(lab.folder / "in", 2)
    ended = lab.run("run", "in", "--out", "out", "--no-dashboard", CUDA_VISIBLE_DEVICES="")
    assert ended.wait() == 0, ended.stderr
    cores = usable_cores(lab.environment).number
    assert f"no GPU is used, but {cores} CPU cores; virnucpro-bus doctor shows why" in ended.stderr
    assert [device.key for device in recorded(lab.folder / "out", RunStarted)[0].event.devices] == [
        f"cpu:{number}" for number in range(cores)
    ]


def test_the_workers_share_the_cores_that_the_run_may_use(lab: Lab) -> None:
    small_files(lab.folder / "in", 1)
    job = "shell:: {input}; echo $OMP_NUM_THREADS $MKL_NUM_THREADS > {output}"
    arguments = ("run", "in", "--no-dashboard", "--job", job, "--devices")
    for devices, options in (("cpu:1", {}), ("cpu:2", {"MKL_NUM_THREADS": "7"})):
        ended = lab.run(*arguments, devices, "--out", devices.replace(":", ""), **options)
        assert ended.wait() == 0, ended.stderr
    cores = usable_cores(lab.environment).number
    assert results(lab.folder / "cpu1") == {"small_00.fa": f"{cores} {cores}\n".encode()}
    assert results(lab.folder / "cpu2") == {"small_00.fa": f"{max(1, cores // 2)} 7\n".encode()}


def test_a_run_on_cpus_that_were_asked_for_does_not_speak_of_gpus(lab: Lab) -> None:
    small_files(lab.folder / "in", 2)
    ended = lab.run("run", "in", "--out", "out", "--no-dashboard", "--devices", "cpu:1")
    assert (ended.wait(), ended.stderr) == (0, "")
