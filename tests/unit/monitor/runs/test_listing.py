"""Which runs are found: the user's own, and those in folders that are named."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from monitor.runs.listing import registered_runs, runs_in
from monitor.runs.questions import with_figures
from monitor.runs.row import RunRow, unknown_row
from tests.support.listed_runs import past_run
from virnucpro_bus import run_registry
from virnucpro_bus.clock import NANOSECONDS, SystemClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.run_folder import SUMMARY_NAME
from virnucpro_bus.run_registry import enter, entries


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def enter_on(monkeypatch: pytest.MonkeyPatch, host: str, run: str, folder: Path) -> None:
    """Enter a run as that host would."""
    with monkeypatch.context() as there:
        there.setattr(run_registry.socket, "gethostname", lambda: host)  # type: ignore[attr-defined]
        enter(run, folder, 2 * NANOSECONDS)


def names(rows: Sequence[RunRow]) -> list[str]:
    return [Path(row["folder"]).name for row in rows]


def test_own_runs_are_listed_by_start_and_one_whose_folder_is_gone_is_forgotten(tmp_path: Path) -> None:
    for started, name in enumerate(("first", "gone", "last")):
        enter(f"run-{name}", past_run(tmp_path / name, f"run-{name}", float(started)), started * NANOSECONDS)
    shutil.rmtree(tmp_path / "gone")
    assert names(registered_runs()) == ["last", "first"]
    assert [entry.run for entry in entries()] == ["run-last", "run-first"]


def test_of_a_run_without_a_summary_the_registry_knows_id_host_and_start(tmp_path: Path) -> None:
    (past_run(tmp_path / "own") / SUMMARY_NAME).unlink()
    enter("run-9", tmp_path / "own", 7 * NANOSECONDS)
    (row,) = registered_runs()
    (same,) = runs_in([tmp_path / "own"])
    assert row == same
    assert (row["state"], row["run"], row["started"], row["host"]) == ("ended", "run-9", 7.0, entries()[0].host)


def test_a_folder_that_holds_another_run_by_now_is_shown_as_that_one(tmp_path: Path) -> None:
    enter("run-old", past_run(tmp_path / "out", "run-new", started=None), 7 * NANOSECONDS)
    (row,) = registered_runs()
    assert (row["run"], row["started"], row["files_completed"]) == ("run-new", None, 9)


def test_runs_of_other_machines_are_listed_on_request_and_never_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter_on(monkeypatch, "node9", "run-1", past_run(tmp_path / "shared", "run-1", 3.0))
    enter_on(monkeypatch, "node9", "run-2", tmp_path / "on their disk")
    enter_on(monkeypatch, "node9", "run-3", past_run(tmp_path / "same path", "run-of-this-machine"))
    assert registered_runs() == []
    found = {Path(row["folder"]).name: row for row in registered_runs(of_all_hosts=True)}
    assert {name: (row["state"], row["run"], row["files_completed"]) for name, row in found.items()} == {
        "shared": ("finished", "run-1", 9),
        "on their disk": (None, "run-2", None),
        "same path": (None, "run-3", None),
    }
    assert len(entries()) == 3


def test_named_folders_are_runs_or_hold_runs_directly(tmp_path: Path) -> None:
    past_run(tmp_path / "a", started=1.0)
    past_run(tmp_path / "b", started=2.0)
    past_run(tmp_path / "deep" / "er" / "c")
    (tmp_path / "file").touch()
    assert names(runs_in([tmp_path])) == ["b", "a"]
    assert names(runs_in([tmp_path / "a"])) == ["a"]
    assert names(runs_in([tmp_path / "a", tmp_path])) == ["b", "a"]
    assert runs_in([tmp_path / "deep"]) == []


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=f"{name}: cannot be read: "):
        runs_in([tmp_path / name])


def test_a_run_that_gives_no_answer_keeps_what_its_folder_shows(tmp_path: Path) -> None:
    live: RunRow = {**unknown_row(tmp_path / "live"), "state": "running"}
    assert with_figures([live], SystemClock(), seconds=0.0) == [live]
    assert with_figures([live], SystemClock()) == [live]  # it has ended meanwhile
