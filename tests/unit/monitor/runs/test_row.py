"""How a run stands, by what its folder shows."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.runs.row import row_of
from tests.support.listed_runs import SUMMARY, past_run
from virnucpro_bus.run_folder import BUS_FILE, CAPTURE_NAME, SUMMARY_NAME, BusAddresses, RunFolder


def addresses(folder: Path, host: str) -> BusAddresses:
    publish, subscribe, history = (f"ipc://{folder}/{name}" for name in ("p", "s", "h"))
    return BusAddresses("run-7", host, os.getpid(), publish, subscribe, history)


def state_of(folder: Path) -> str | None:
    row = row_of(folder)
    assert row is not None
    return row["state"]


def test_a_past_run_has_the_figures_of_its_summary_and_counts_the_devices_that_worked(tmp_path: Path) -> None:
    assert row_of(past_run(tmp_path)) == {
        "folder": str(tmp_path),
        "run": "run-1",
        "host": "node1",
        "state": "finished",
        "exit_code": 3,
        "files_total": 10,
        "files_completed": 9,
        "files_failed": 1,
        "devices": 2,
        "started": 1_700_000_000.5,
        "elapsed_seconds": 61.5,
    }


@pytest.mark.parametrize(("exit_code", "state"), [(0, "finished"), (2, "finished"), (130, "interrupted")])
def test_a_run_that_a_signal_ended_was_interrupted(tmp_path: Path, exit_code: int, state: str) -> None:
    assert state_of(past_run(tmp_path, exit_code=exit_code)) == state


@given(st.binary(max_size=300) | st.sampled_from([json.dumps(SUMMARY).encode()[:at] for at in range(0, 300, 7)]))
def test_a_summary_that_is_damaged_is_none(damage: bytes) -> None:
    folder = Path(os.environ["XDG_STATE_HOME"]) / "damaged"
    folder.mkdir(exist_ok=True)
    (folder / SUMMARY_NAME).write_bytes(damage)
    assert row_of(folder) is None
    (folder / CAPTURE_NAME).touch()
    assert state_of(folder) == "ended"
    (folder / CAPTURE_NAME).unlink()


@pytest.mark.parametrize("name", [SUMMARY_NAME, BUS_FILE])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    (tmp_path / CAPTURE_NAME).touch()
    assert state_of(tmp_path) == ("ended" if name == SUMMARY_NAME else "broken off")


def test_a_folder_without_a_run_is_no_row(tmp_path: Path) -> None:
    assert row_of(tmp_path) is None
    assert row_of(tmp_path / "missing") is None
    (tmp_path / "file").touch()
    assert row_of(tmp_path / "file") is None


def test_a_run_is_starting_running_and_then_ended_while_its_folder_is_held_and_after_that(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path).claim()
    (tmp_path / CAPTURE_NAME).touch()
    assert state_of(tmp_path) == "starting"
    folder.announce(addresses(tmp_path, socket.gethostname()))
    row = row_of(tmp_path)
    assert row is not None
    assert (row["state"], row["run"], row["host"]) == ("running", "run-7", socket.gethostname())
    folder.release()
    assert state_of(tmp_path) == "ended"


def test_a_resumed_run_is_running_though_the_summary_of_before_is_still_there(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path).claim()
    folder.announce(addresses(tmp_path, socket.gethostname()))
    state = state_of(past_run(tmp_path))
    folder.release()
    assert state == "running"


def left_behind(folder: Path, host: str, lock: str | None) -> None:
    """What a hub of `host` leaves that was killed; `lock` is what it wrote into the file of its lock."""
    (folder / CAPTURE_NAME).touch()
    held = RunFolder(folder).claim()
    held.announce(addresses(folder, host))
    kept = (folder / BUS_FILE).read_bytes()
    held.release()
    (folder / BUS_FILE).write_bytes(kept)
    if lock is not None:
        (folder / ".bus").mkdir()
        (folder / ".bus" / "lock").write_text(lock)


def test_a_run_whose_hub_was_killed_is_broken_off(tmp_path: Path) -> None:
    left_behind(tmp_path, socket.gethostname(), None)
    row = row_of(tmp_path)
    assert row is not None
    assert (row["state"], row["run"]) == ("broken off", "run-7")


def test_a_run_of_another_machine_whose_lock_shows_nothing_here_has_no_known_state(tmp_path: Path) -> None:
    left_behind(tmp_path, "elsewhere", "77\nelsewhere\nanother-boot")
    row = row_of(tmp_path)
    assert row is not None
    assert (row["state"], row["host"], row["files_completed"]) == (None, "elsewhere", None)
