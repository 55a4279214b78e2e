"""The registry of runs: what is entered is found again, and nothing in it stands in the way of anything."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus import run_registry
from virnucpro_bus.run_registry import MOST_ENTRIES, Entry, enter, entries, registry_folder, remove

PATHS = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name).map(os.fsdecode)
FIELDS = {"run": "run-1", "folder": "/data/run", "host": "node1", "started_ns": 5}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def emptied() -> None:
    """Before each example: hypothesis makes many in one test."""
    for entry in entries():
        remove(entry)


@given(PATHS, st.integers(0, 2**63 - 1))
def test_a_run_in_a_folder_of_any_name_is_found_again(name: str, started_ns: int) -> None:
    emptied()
    enter("run-1", Path(name), started_ns)
    (entry,) = entries()
    assert (entry.run, entry.folder, entry.started_ns) == ("run-1", os.path.abspath(name), started_ns)
    assert entry.is_of_this_host


def test_the_latest_start_comes_first_and_a_folder_has_one_entry(tmp_path: Path) -> None:
    enter("run-1", tmp_path / "a", 10)
    enter("run-2", tmp_path / "b", 20)
    assert [entry.run for entry in entries()] == ["run-2", "run-1"]
    enter("run-3", tmp_path / "a", 30)
    assert [entry.run for entry in entries()] == ["run-3", "run-2"]


def test_only_this_user_can_read_an_entry(tmp_path: Path) -> None:
    enter("run-1", tmp_path, 10)
    (path,) = registry_folder().iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_entry_that_others_could_have_written_is_left_out(tmp_path: Path) -> None:
    enter("run-1", tmp_path, 10)
    (path,) = registry_folder().iterdir()
    path.chmod(0o622)
    assert entries() == []


def test_the_oldest_entries_give_way_to_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_ENTRIES == 200
    monkeypatch.setattr(run_registry, "MOST_ENTRIES", 3)
    for number in range(5):
        enter(f"run-{number}", tmp_path / str(number), number)
        for path in registry_folder().iterdir():  # as long ago as it would be
            os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**9))
    assert [entry.run for entry in entries()] == ["run-4", "run-3", "run-2"]


@pytest.mark.parametrize("home", ["file", "/proc/no-home"])
def test_a_home_that_takes_no_files_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(run_registry, "state_folder", lambda: tmp_path / home)
    enter("run-1", tmp_path, 10)
    assert entries() == []


@given(st.binary(max_size=200))
def test_a_damaged_entry_is_left_out_and_the_others_are_read(damage: bytes) -> None:
    emptied()
    enter("run-1", Path("/data/run"), 10)
    path = registry_folder() / "damaged.json"
    path.write_bytes(damage)
    path.chmod(0o600)
    assert [entry.run for entry in entries()] == ["run-1"]


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "relative"},
        {"folder": "/with\0nul"},
        {"folder": None},
        {"started_ns": -1},
        {"started_ns": 2**63},
        {"started_ns": 1.5},
        {"host": "x" * 300},
        {"run": 7},
    ],
)
def test_an_entry_with_an_impossible_field_is_left_out(change: dict[str, object]) -> None:

    enter("run-1", Path("/data/run"), 10)
    for name, fields in (("good", FIELDS), ("bad", FIELDS | change)):
        path = registry_folder() / f"{name}.json"
        path.write_text(json.dumps(fields))
        path.chmod(0o600)
    assert sorted(entry.run for entry in entries()) == ["run-1", "run-1"]
    assert Entry(**FIELDS) in entries()  # type: ignore[arg-type]


def test_a_folder_with_a_pipe_and_a_link_in_it_is_read_without_waiting(tmp_path: Path) -> None:
    enter("run-1", tmp_path, 10)
    os.mkfifo(registry_folder() / "pipe.json", 0o600)
    (registry_folder() / "link.json").symlink_to("/dev/zero")
    (registry_folder() / "folder.json").mkdir()
    assert len(entries()) == 1
