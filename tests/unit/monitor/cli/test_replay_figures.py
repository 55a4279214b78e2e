"""The figures of runs that are made up so that the true ones are known, as `replay --once --json` reports them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli.replay import replay
from tests.support.made_up_runs import UP_SECONDS, MadeUpHost, Work
from tests.support.raw_captures import MadeCapture, received_at
from virnucpro_bus.cli.effect import effect
from virnucpro_bus.clock import NANOSECONDS
from workers.cli.whatif import whatif

MINUTE = Work(owner=0, doer=0, gap=0.0, seconds=60.0, sequences=6_000)
HALF_A_DAY = 43_200.0
about = pytest.approx


def report(made: MadeCapture, folder: Path, until: float | None = None) -> dict[str, Any]:
    """The report of the moment `until` of the made-up time, or of the end."""
    moment = () if until is None else ("--until", str(until))
    arguments = [str(made.write(folder / "run.vbus")), "--once", "--json", *moment]
    ended = CliRunner().invoke(replay, arguments, catch_exceptions=False)
    return dict(json.loads(ended.stdout))


def is_time_of_day(at: float) -> Any:
    return about(received_at(at) / NANOSECONDS, abs=2.5)


@pytest.mark.parametrize("is_booted", [False, True])
@pytest.mark.parametrize("until", ["in the second session", "the end"])
def test_a_resumed_run_has_the_figures_of_its_own_session(tmp_path: Path, is_booted: bool, until: str) -> None:
    made = MadeCapture()
    made.clocks["node"].mono = 100_000.0
    host = MadeUpHost(made, "node", devices=1, files=20)
    resumed_at = host.session(0.0, [MINUTE] * 20, killed_after=12 * 60) + HALF_A_DAY
    if is_booted:
        made.clocks["node"].mono = 50.0 - resumed_at
    ended_at = host.session(resumed_at, [MINUTE] * 8)
    now = resumed_at + UP_SECONDS + 3 * 60
    done = 20 if until == "the end" else 15
    told = report(made, tmp_path, None if until == "the end" else now)
    [row], of_run = told["devices"], told["effect"]
    assert (row["files_completed"], row["sequences"]) == (done, done * 6_000)
    assert row["throughput"] == about(100.0, rel=0.01)
    assert row["last_update_time"] == is_time_of_day(ended_at - 0.5 if done == 20 else now)
    assert of_run["makespan_seconds"] == about((done - 12) * 60)
    assert of_run["makespan_expected_seconds"] == about(8 * 60)
    assert [each["ended"] for each in told["files"][-3:]] == [
        is_time_of_day(resumed_at + UP_SECONDS + 60 * (done - 12 - left)) for left in (2, 1, 0)
    ]


def test_a_host_that_died_is_silent_and_its_rate_falls(tmp_path: Path) -> None:
    made, work = MadeCapture(), Work(0, 0, gap=0.0, seconds=5.0, sequences=100)
    MadeUpHost(made, "dead", devices=1, files=50).session(0.0, [work] * 50, killed_after=30.0)
    MadeUpHost(made, "living", devices=1, files=30).session(0.0, [work] * 30)
    dead, living = report(made, tmp_path, until=101.0)["devices"]
    assert (dead["state"], dead["files_completed"], dead["throughput"]) == ("silent", 6, about(600 / 100))
    assert dead["seconds_since_done"] == about(70.0)
    assert (living["state"], living["throughput"]) == ("busy", about(20.0, rel=0.02))


def test_all_commands_agree_on_a_run_whose_launcher_was_killed(tmp_path: Path) -> None:
    made = MadeCapture()
    works = [Work(owner=number % 2, doer=0, gap=0.5, seconds=4.0, sequences=7) for number in range(9)]
    MadeUpHost(made, "node", devices=2, files=9).session(0.0, works, killed_after=20.0)
    told = report(made, tmp_path)
    assert [row["state"] for row in told["devices"]] == ["stopped", "stopped"]
    of_run = told["effect"]
    # Four files and the gaps between them; the fifth was in progress.
    assert of_run["makespan_seconds"] == of_run["makespan_expected_seconds"] == about(4 * 4.5 - 0.5)
    answers = [json.loads(CliRunner().invoke(each, [str(tmp_path), "--json"]).stdout) for each in (effect, whatif)]
    assert {key: answers[0][key] for key in of_run} == of_run
    assert answers[1]["recorded"]["makespan_seconds"] == of_run["makespan_seconds"]


def test_a_clock_that_is_set_back_does_not_change_what_came_last(tmp_path: Path) -> None:
    made, files = MadeCapture(), 120
    made.add(0.0, "worker.started/", [["cpu:0", "CPU", 0], 1])
    for number in range(files):
        if number == files // 2:
            made.clocks["node"].wall -= 600
        stolen_at = round((made.clocks["node"].wall + number) * NANOSECONDS)
        made.add(number, "worker.heartbeat/", ["cpu:0", "idle", number, 0, 100 * number, number, 0])
        made.add(number, "work.stolen/", ["cpu:0", "cpu:1", f"f{number}", 1, stolen_at])
        made.add(number + 1, "file.completed/", ["cpu:0", f"f{number}", 1, 100, 1.0])
    told = report(made, tmp_path)
    row = next(row for row in told["devices"] if row["device_id"] == "cpu:0")
    assert [steal["file_name"] for steal in told["steals"]] == [f"f{number}" for number in range(70, 120)]
    assert row["last_update_time"] == told["files"][-1]["ended"]
    assert told["files"][-1]["file"] == "f119"
    assert (row["work_stolen_to"], row["throughput"]) == (120, about(100.0))


@pytest.mark.parametrize("percent", [10, 25, 50, 75, 90])
def test_the_expected_end_includes_the_time_between_files(tmp_path: Path, percent: int) -> None:
    made = MadeCapture()
    works = [Work(number % 2, number % 2, gap=0.5, seconds=2.0, sequences=10) for number in range(40)]
    MadeUpHost(made, "node", devices=2, files=40).session(0.0, works)
    makespan = 20 * 2.5 - 0.5
    told = report(made, tmp_path, until=UP_SECONDS + 0.5 + makespan * percent / 100)["effect"]
    assert told["makespan_expected_seconds"] == about(makespan, rel=0.01)
    assert told["makespan_without_stealing_seconds"] == about(makespan, rel=0.01)


def test_the_effect_of_known_speeds_is_exact(tmp_path: Path) -> None:
    """One device is three times as fast as the plan took it for, and so does half of the other's files as well."""
    made = MadeCapture()
    slow, moved, fast = (0, 0, 3.0), (0, 1, 1.0), (1, 1, 1.0)
    works = [
        Work(owner, doer, gap=0.25, seconds=seconds, sequences=1)
        for owner, doer, seconds in (*[slow] * 5, *[fast] * 10, *[moved] * 5)
    ]
    MadeUpHost(made, "node", devices=2, files=20).session(0.0, works)
    told = report(made, tmp_path)["effect"]
    assert told["makespan_seconds"] == about(15 * 1.25 - 0.25)
    assert told["makespan_without_stealing_seconds"] == about(10 * 3.25 - 0.25)
    assert told["saved_seconds"] == about(32.25 - 18.5)
    assert told["busy_seconds"] == {"cpu:0": about(15.0), "cpu:1": about(15.0)}
    assert told["idle_seconds"] == {"cpu:0": about(3.5), "cpu:1": about(3.5)}
    assert told["finish_seconds"] == {"cpu:0": about(5 * 3.25 - 0.25), "cpu:1": about(18.5)}
    assert (told["moves"], told["jain_index"], told["tail_seconds"]) == (5, about(1.0), about(2.5))
