"""Two hosts with a cable between them: it is pulled and plugged in again, and their clocks disagree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.hosts import HOUR_AHEAD, stay, two_hosts
from tests.support.lab import Lab, Started
from tests.support.watched_runs import WatchedRun, last_report

MONITOR = ("--json", "--interval", "0.2")
PULLED_SECONDS = 10.0


def without(told: Any, *keys: str) -> Any:
    """What was told without what is different for good reason, wherever it stands: the times of day."""
    match told:
        case dict():
            return {name: without(value, *keys) for name, value in told.items() if name not in keys}
        case list():
            return [without(each, *keys) for each in told]
    return told


def last_line(started: Started) -> str:
    """The last whole line that it has printed."""
    return started.stdout.rpartition("\n")[0].rpartition("\n")[2]


def test_a_cable_that_is_pulled_for_ten_seconds_leaves_neither_hole_nor_double(
    lab: Lab,
    forty: Path,
    keys: str,
) -> None:
    with two_hosts() as (near, far):
        run = WatchedRun(lab, forty, f"tcp://{far.address}:*", prefix=far.prefix)
        arguments = ("monitor", run.address, "--server-key", run.server_key)
        watching = lab.start(*arguments, *MONITOR, prefix=near.prefix)
        plain = lab.start(*arguments, "--interval", "0.2", "--line-interval", "0.2", prefix=near.prefix)
        watching.until(lambda: watching.stdout, "the monitor has begun")
        plain.until(lambda: plain.stdout, "the other one too")
        far.set_link("down")
        plain.until(lambda: "no contact for" in plain.stdout, "the monitor says that it has no contact")
        stay(PULLED_SECONDS)
        far.set_link("up")
        plain.until(lambda: "no contact for" not in last_line(plain), "there is contact again")
        shown = len(watching.stdout)
        end = run.finish()
        report = last_report(watching)
        assert len(watching.stdout) > shown
        assert report["totals"] == end["totals"]
        assert report["totals"]["events_lost"] == 0
        assert plain.wait() == 0


def test_a_host_whose_clocks_are_off_by_hours_has_the_same_rates_and_order(
    lab: Lab,
    forty: Path,
    keys: str,
) -> None:
    with two_hosts() as (near, far):
        other_time = ["unshare", "--time", "--monotonic", "100000", "--fork", "--kill-child", "--"]
        run = WatchedRun(
            lab, forty, f"tcp://{far.address}:*", prefix=[*far.prefix, *other_time], PYTHONPATH=str(HOUR_AHEAD)
        )
        arguments = ("monitor", run.address, "--server-key", run.server_key)
        watching = lab.start(*arguments, *MONITOR, prefix=near.prefix)
        plain = lab.start(*arguments, "--interval", "0.2", "--line-interval", "0.2", prefix=near.prefix)
        watching.until(lambda: watching.stdout, "the monitor has begun")
        plain.until(lambda: "1h00m ahead of" in plain.stdout, "the monitor says how far the clocks are apart")
        end = run.finish()
        report = last_report(watching)
        assert plain.wait() == 0
    assert end["problems"] == []
    assert [problem for problem in report["problems"] if "1h00m ahead of" in problem] == report["problems"] != []
    own = ("last_update_time", "timestamp", "ended", "started", "problems")
    assert without(report, *own) == without({key: end[key] for key in report}, *own)
    rates = [row["throughput"] for row in report["devices"]]
    assert all(rate > 0 for rate in rates)
    there = [(steal["source_gpu"], steal["dest_gpu"], steal["file_name"]) for steal in end["steals"]]
    here = [(steal["source_gpu"], steal["dest_gpu"], steal["file_name"]) for steal in report["steals"]]
    assert here == there
    for shown, told in zip(report["steals"], end["steals"], strict=True):
        assert shown["timestamp"] == pytest.approx(told["timestamp"] - 3600, abs=2)
    assert json.dumps(report)
