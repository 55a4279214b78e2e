"""What is said of a run without stealing, held against a real one on the same files; and what it is told by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.lab import Lab
from tests.support.run_files import summary
from virnucpro_bus.capture.reader import CaptureReader
from virnucpro_bus.events.codec import decode
from virnucpro_bus.events.run_events import FilesAssigned
from virnucpro_bus.events.vocabulary import FileStarted

SIZES = range(820, 120, -25)
"""Bytes, and so milliseconds on the slowest device: 13.5 s of work, which the plan shares out evenly."""
LONG = 2
"""So much longer where times are compared: a busy machine starts files late, whatever their length."""
DEVICES = ("--devices", "cpu:3", "--weights", "off", "--no-dashboard")
FIGURES = {
    "makespan_seconds",
    "makespan_without_stealing_seconds",
    "lower_bound_seconds",
    "idle_seconds",
    "jain_index",
    "saved_seconds",
    "steals",
}


def uneven_files(folder: Path, scale: int = 1) -> None:
    folder.mkdir()
    for number, size in enumerate(SIZES):
        (folder / f"{number:02}.fa").write_text(">" + "A" * (scale * size - 2) + "\n")


def run(lab: Lab, policy: str) -> dict[str, Any]:
    """The summary of a run on devices of speeds 1, 1.5 and 2, of which the plan knows nothing."""
    return run_at_once(lab, policy)[0]


def run_at_once(lab: Lab, *policies: str) -> list[dict[str, Any]]:
    """The summaries of such runs that begin at once: what else the machine does slows them alike."""
    runs = [
        lab.start("run", "in", "--out", policy, *DEVICES, "--policy", policy, "--job", "user_jobs:resting")
        for policy in policies
    ]
    for each in runs:
        assert each.wait(60) == 0, each.stderr
    return [summary(lab.folder / policy) for policy in policies]


def whatif(lab: Lab, *arguments: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The alternatives to a recorded run, by name and policy."""
    told = lab.run("whatif", *arguments, "--json")
    assert told.wait() == 0, told.stderr
    return {(row["name"], row["policy"]): row for row in json.loads(told.stdout)["alternatives"]}


def allowed(figures: dict[str, Any], name: str, share: float) -> tuple[float, float]:
    """The range of a figure, and that share of it beyond.

    It is a hundredth to either side, and wider if a worker has stood still on a busy machine: a file that it had
    stolen seems to be a long one then, and would have taken its owner, which is slower, even longer.
    """
    low, high = figures[f"{name}_range"]
    return (1 - share) * low, (1 + share) * high


def test_what_is_said_of_a_run_without_stealing_is_within_5_percent_of_a_real_one_and_so_nearly_the_other_way(
    lab: Lab,
) -> None:
    uneven_files(lab.folder / "in", LONG)
    stealing, alone = (found["effect"] for found in run_at_once(lab, "cost", "off"))
    assert stealing["moves"] >= 3
    assert alone["moves"] == 0
    low, high = allowed(stealing, "makespan_without_stealing", 0.04)
    assert low < alone["makespan_seconds"] < high
    assert alone["makespan_without_stealing_seconds"] == alone["makespan_seconds"]
    # It is no feat to say that nothing has changed.
    assert stealing["makespan_seconds"] < 0.8 * alone["makespan_seconds"]
    expected = stealing["makespan_without_stealing_seconds"]
    assert stealing["saved_seconds"] == pytest.approx(expected - stealing["makespan_seconds"])
    rows = whatif(lab, "cost")
    low, high = allowed(rows["same devices", "off"], "makespan", 0.04)
    assert low < alone["makespan_seconds"] < high
    assert rows["half the devices", "cost"]["devices"] == 1
    assert rows["double the devices", "cost"]["devices"] == 6
    # Which files are stolen depends on when devices ask, and on a busy machine that is late.
    other_way = whatif(lab, "off", "--policy", "cost")["same devices", "cost"]
    low, high = allowed(other_way, "makespan", 0.15)
    assert low < stealing["makespan_seconds"] < high


def test_the_effect_is_told_by_its_command_by_the_summary_and_by_a_replay_alike(lab: Lab, finished: Path) -> None:
    in_summary = summary(finished)["effect"]
    told = lab.run("effect", finished, "--json")
    assert told.wait() == 0
    assert told.stderr == ""
    effect = json.loads(told.stdout)
    assert effect == {**in_summary, "simulated": False}
    assert effect.keys() >= FIGURES
    replayed = lab.run("replay", finished, "--once", "--json")
    assert replayed.wait() == 0
    assert json.loads(replayed.stdout)["effect"] == in_summary
    in_words = lab.run("effect", finished / "run.vbus")
    assert in_words.wait() == 0
    assert f"{effect['moves']} steals, saved " in in_words.stdout
    picture = lab.run("replay", finished, "--once")
    assert picture.wait() == 0
    assert f" stealing: {effect['moves']} steals, saved " in picture.stdout
    simulated = lab.run("whatif", finished, "--drop", "cpu:2", "--policy", "off")
    assert simulated.wait() == 0
    assert "3 devices" in simulated.stdout


def test_files_without_a_byte_are_files_all_the_same(lab: Lab) -> None:
    (lab.folder / "in").mkdir()
    for number in range(6):
        (lab.folder / "in" / f"{number}.fa").touch()
    effect = run(lab, "cost")["effect"]
    for figure in ("makespan", "makespan_without_stealing", "lower_bound"):
        assert effect[f"{figure}_seconds"] > 0.0
    assert effect["makespan_expected_seconds"] == effect["makespan_seconds"] >= effect["lower_bound_seconds"]
    assert effect["saved_seconds"] == 0.0 or effect["moves"] > 0
    found = lab.run("whatif", "cost", "--json")
    assert found.wait() == 0, found.stderr
    assert json.loads(found.stdout)["files"] == 6


JOB_THAT_LOADS_LATE = """
import time
from pathlib import Path
class Late:
    def __init__(self, context):
        while context.device_key == "cpu:0" and len(list(Path(context.options["done"]).iterdir())) < 6:
            time.sleep(0.01)
    def __call__(self, input, output, context):
        time.sleep(0.05)
        (Path(context.options["done"]) / input.name).touch()
        return 1
"""
"""On cpu:0 it has loaded when all six files are done."""


def test_a_device_that_came_too_late_for_any_file_is_known_to_have_come_late(lab: Lab) -> None:
    uneven_files(lab.folder / "in")
    for path in sorted((lab.folder / "in").iterdir())[6:]:
        path.unlink()
    (lab.folder / "done").mkdir()
    (lab.folder / "loading.py").write_text(JOB_THAT_LOADS_LATE)
    job = ("--job", "loading:Late", "--job-option", f"done={lab.folder / 'done'}")
    ended = lab.run("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard", *job)
    assert ended.wait() == 0, ended.stderr
    effect = summary(lab.folder / "out")["effect"]
    assert effect["finish_seconds"]["cpu:0"] == 0.0
    assert effect["saved_seconds"] > 0.0


JOB_THAT_KNOWS_BETTER = """
def run(input, output, context):
    return 1
run.estimate = lambda path: 1 + int(path.stem)
"""
"""The biggest files have the lowest numbers."""


def test_a_jobs_own_estimates_decide_who_is_given_what_and_in_which_order(lab: Lab) -> None:
    uneven_files(lab.folder / "in")
    (lab.folder / "knowing.py").write_text(JOB_THAT_KNOWS_BETTER)
    plans, orders = {}, {}
    for job in ("sixframe", "knowing:run"):
        out = job.partition(":")[0]
        ended = lab.run("run", "in", "--out", out, "--devices", "cpu:1", "--no-dashboard", "--job", job)
        assert ended.wait() == 0, ended.stderr
        events = [decode(record.frame).event for record in CaptureReader(lab.folder / out / "run.vbus")]
        plans[out] = [file for event in events if isinstance(event, FilesAssigned) for file in event.files]
        orders[out] = [event.file for event in events if isinstance(event, FileStarted)]
    by_size = [f"{number:02}.fa" for number in range(len(SIZES))]
    assert orders == {"sixframe": by_size, "knowing": by_size[::-1]}
    assert [each.file for each in plans["sixframe"]] == by_size
    assert [(each.file, each.cost) for each in plans["knowing"]] == [
        (name, (1 + int(name[:2])) * 1_000_000) for name in reversed(by_size)
    ]


def test_estimates_that_cannot_be_had_cost_a_line_and_not_the_run(lab: Lab) -> None:
    uneven_files(lab.folder / "in")
    (lab.folder / "knowing.py").write_text(JOB_THAT_KNOWS_BETTER + "run.estimate = lambda path: path.nothing")
    ended = lab.run("run", "in", "--out", "out", *DEVICES, "--job", "knowing:run")
    assert ended.wait() == 0, ended.stderr
    [line] = [line for line in ended.stderr.splitlines() if "estimates" in line]
    assert "00.fa: AttributeError" in line
    assert summary(lab.folder / "out")["totals"]["files_completed"] == len(SIZES)
