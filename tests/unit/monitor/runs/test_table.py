"""The table of runs, as people read it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from monitor.runs.row import RunRow, unknown_row
from monitor.runs.table import table_of
from virnucpro_bus.clock import NANOSECONDS
from virnucpro_bus.text import visible

NOW_NS = 1_700_000_000 * NANOSECONDS


def row(folder: str, **known: object) -> RunRow:
    return {**unknown_row(Path(folder)), **known}  # type: ignore[typeddict-item]


RUNS = [
    row("/data/run 4", state="loading", files_total=400, files_completed=0, files_failed=0, devices=8,
        started=1_699_999_957.0, elapsed_seconds=43.0, host="node1"),
    row("/data/run3", state="finished", files_total=1_200, files_completed=1_195, files_failed=5, devices=16,
        started=1_699_992_500.0, elapsed_seconds=305.2, host="node1"),
    row("/data/run2", state="broken off", started=1_699_700_000.0, host="node1"),
    row("/data/own", state="running", files_completed=17, files_failed=0, devices=2, started=1_700_000_007.0),
]  # fmt: skip


def test_each_run_is_a_line_and_what_is_unknown_says_so() -> None:
    assert table_of(RUNS, NOW_NS, "node1") == [
        "STATE              FILES  FAILED  DEVICES     STARTED  ELAPSED  FOLDER",
        "loading         0 of 400       0        8  43.0 s ago   43.0 s  /data/run 4",
        "finished    1195 of 1200       5       16   2h05m ago    5m05s  /data/run3",
        "broken off           n/a     n/a      n/a   3d11h ago      n/a  /data/run2",
        "running        17 of n/a       0        2         n/a      n/a  /data/own",
    ]


def test_a_run_that_ended_with_files_pending_is_not_called_finished() -> None:
    halted = row("/a", state="finished", files_total=60, files_completed=50, files_failed=9)
    whole = {**halted, "files_failed": 10}
    interrupted = {**halted, "state": "interrupted"}
    states = [line.split("  ")[0] for line in table_of([halted, whole, interrupted], NOW_NS, "node1")[1:]]  # type: ignore[list-item]
    assert states == ["ended early", "finished", "interrupted"]


def test_hosts_are_named_only_where_a_run_is_of_another_machine() -> None:
    lines = table_of([*RUNS[2:], row("/tmp/a", host="node2")], NOW_NS, "node1")
    assert [line.split()[-2] for line in lines] == ["HOST", "node1", "n/a", "node2"]


def test_without_runs_there_is_no_header() -> None:
    assert table_of([], NOW_NS, "node1") == []


@given(st.text(min_size=1), st.text())
def test_no_name_can_control_the_terminal_or_add_a_line(folder: str, host: str) -> None:
    _, line = table_of([{**row("/"), "folder": folder, "host": host}], NOW_NS, "node1")
    assert line == visible(line)
    assert "\n" not in line
