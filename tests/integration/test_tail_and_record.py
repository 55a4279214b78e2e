"""`tail` and `record` on runs that are going on, and on their captures."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import COMMAND, Lab, Started
from tests.support.run_files import COUNT, Gates
from virnucpro_bus.publish.publisher import Publisher

RUN = ("--out", "out", "--devices", "cpu:4", "--weights", "10,1,1,1", "--no-dashboard")


class GoingOn:
    """A run of which one device is held up in the biggest file, until `finish`."""

    def __init__(self, lab: Lab, forty: Path) -> None:
        self._gates = Gates(lab.folder / "gates")
        self._gates.close("reads_06.fa.gz")
        job = ("--job", "user_jobs:gated", "--job-option", self._gates.option)
        self.running = lab.start("run", forty, *RUN, *job)
        self.running.until(self._gates.waiting, "the job is at its gate")

    def finish(self) -> None:
        self._gates.open()
        assert self.running.wait() == 0, self.running.stderr


@pytest.fixture
def going_on(lab: Lab, forty: Path) -> GoingOn:
    return GoingOn(lab, forty)


def printed_json(started: Started) -> Any:
    assert started.wait() == 0, started.stderr
    return json.loads(started.stdout)


def lines_of(started: Started) -> list[dict[str, Any]]:
    assert started.wait() == 0, started.stderr
    return [json.loads(line) for line in started.stdout.splitlines()]


def hub(lab: Lab) -> Started:
    """A bus on which nobody says anything."""
    bus = lab.start("hub", "bus")
    bus.until(lambda: "# the bus is up" in bus.stdout, "the hub is up")
    return bus


def test_a_recording_that_began_late_replays_to_the_same_as_the_runs_own_capture(
    lab: Lab, going_on: GoingOn
) -> None:
    recording = lab.start("record", "out", "-o", "copy.vbus")
    copy = lab.folder / "copy.vbus"
    recording.until(lambda: copy.exists() and copy.stat().st_size > 1000, "it records")
    going_on.finish()
    assert recording.wait() == 0, recording.stderr
    reports = [printed_json(lab.run("replay", path, "--once", "--json")) for path in ("out", "copy.vbus")]
    assert reports[0]["totals"]["files_completed"] == COUNT
    assert reports[1] == reports[0]
    events = printed_json(lab.run("info", "copy.vbus", "--json"))["events"]
    assert recording.stdout == f"{events} events recorded in copy.vbus; no event is known to be missing\n"
    assert events == printed_json(lab.run("info", "out", "--json"))["events"]


def test_a_recording_overwrites_nothing(lab: Lab) -> None:
    bus = hub(lab)
    (lab.folder / "copy.vbus").write_text("precious")
    refused = lab.run("record", "bus", "-o", "copy.vbus")
    assert refused.wait() == 2
    assert refused.stderr.count("\n") == 1
    assert (lab.folder / "copy.vbus").read_text() == "precious"
    bus.signal(signal.SIGINT)
    assert bus.wait() == 0


def test_an_interrupted_recording_is_whole(lab: Lab) -> None:
    bus = hub(lab)
    recording = lab.start(
        "record", json.loads((lab.folder / "bus" / "bus.json").read_text())["history"], "-o", "c"
    )
    recording.until((lab.folder / "c").exists, "it records")
    recording.signal(signal.SIGINT)
    assert recording.wait() == 130
    assert "events recorded in c; no event is known to be missing" in recording.stdout
    found = printed_json(lab.run("info", "c", "--json"))
    assert (found["damaged_places"], found["skipped_bytes"]) == (0, 0)
    bus.signal(signal.SIGINT)
    assert bus.wait() == 0


def test_tail_prints_what_is_said_from_now_on_and_ends_with_the_run(lab: Lab, going_on: GoingOn) -> None:
    tailing = lab.start("tail", "out", "--jsonl")
    tailing.until(lambda: "worker.heartbeat/" in tailing.stdout, "it prints")
    going_on.finish()
    events = lines_of(tailing)
    kinds = Counter(event["kind"] for event in events)
    assert kinds["run.started/"] == 0
    assert kinds["run.finished/"] == 1
    assert "reads_06.fa.gz" in [event["event"]["file"] for event in events if event["kind"] == "file.completed/"]
    names = Counter((event["host"], event["source"], event["epoch"], event["seq"]) for event in events)
    assert set(names.values()) == {1}


def test_tail_prints_all_of_a_capture_or_some_kinds_of_it(lab: Lab, finished: Path) -> None:
    by_kind = printed_json(lab.run("info", finished, "--json"))["events_by_kind"]
    everything = lines_of(lab.run("tail", finished, "--jsonl"))
    assert Counter(event["kind"] for event in everything) == by_kind
    for path in (finished, finished / "run.vbus"):
        some = lab.run("tail", path, "--kinds", "file.completed, work.stolen/")
        assert some.wait() == 0
        words = Counter(line.split()[2] for line in some.stdout.splitlines())
        assert words == {"file.completed": COUNT, "work.stolen": by_kind["work.stolen/"]}


def test_tail_says_that_it_does_not_know_a_kind(lab: Lab, finished: Path) -> None:
    ended = lab.run("tail", finished, "--kinds", "file.complete")
    assert (ended.wait(), ended.stdout) == (0, "")
    assert (
        ended.stderr == "virnucpro-bus: file.complete: is not a kind that this version knows; check its spelling\n"
    )


def test_tail_of_a_bus_goes_on_until_it_is_interrupted(lab: Lab) -> None:
    bus = hub(lab)
    tailing = lab.start("tail", "bus")
    address = json.loads((lab.folder / "bus" / "bus.json").read_text())["publish"]
    with Publisher.connect(address, device="cpu:0") as worker:

        def is_heard() -> bool:
            worker.file_completed("one.fa", sequences=250, duration_seconds=3.2)
            return "file=one.fa" in tailing.stdout

        tailing.until(is_heard, "it prints")
    tailing.signal(signal.SIGINT)
    assert tailing.wait() == 130
    assert tailing.stderr == ""
    bus.signal(signal.SIGINT)
    assert bus.wait() == 0


def test_tail_ends_quietly_when_its_reader_goes_away(lab: Lab, finished: Path) -> None:
    command = [COMMAND, "tail", str(finished)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_what_is_neither_a_bus_nor_a_capture_is_one_line(lab: Lab) -> None:
    ended = lab.run("tail", "nowhere")
    assert ended.wait() == 2
    assert ended.stderr.count("\n") == 1
