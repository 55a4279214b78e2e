"""Whether a capture may grow: by the lock of its folder, and where that shows nothing, by signs of life."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.captures import some_frames, write_capture
from virnucpro_bus.capture import growth
from virnucpro_bus.capture.growth import Growth
from virnucpro_bus.run_folder import BusAddresses, RunFolder


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "run" / ".bus").mkdir(parents=True)
    write_capture(tmp_path / "run" / "run.vbus", some_frames(1))
    return tmp_path / "run"


def test_the_capture_of_a_folder_that_is_held_may_grow_even_if_it_is_released_meanwhile(run_dir: Path) -> None:
    folder = RunFolder(run_dir).claim()
    examined = Growth(run_dir / "run.vbus")
    folder.release()
    assert examined.is_possible
    assert not Growth(run_dir / "run.vbus").is_possible


def test_a_link_stands_for_the_capture_it_leads_to(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "link.vbus").symlink_to(run_dir / "run.vbus")
    folder = RunFolder(run_dir).claim()
    assert Growth(tmp_path / "link.vbus").is_possible
    folder.release()


def test_the_run_of_a_copy_or_recording_may_have_gone_on(run_dir: Path) -> None:
    (run_dir / "copy.vbus").write_bytes((run_dir / "run.vbus").read_bytes())
    copy, original = Growth(run_dir / "copy.vbus"), Growth(run_dir / "run.vbus")
    assert (copy.is_of_run_folder, copy.is_possible) == (False, True)
    assert (original.is_of_run_folder, original.is_possible) == (True, False)


@pytest.mark.parametrize("is_alive", [False, True])
def test_where_the_lock_is_another_machines_signs_of_life_decide_once(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, is_alive: bool
) -> None:
    asked: list[Path] = []

    def shows_life(folder: Path) -> bool:
        asked.append(folder)
        return is_alive

    monkeypatch.setattr(growth, "shows_life", shows_life)
    (run_dir / ".bus" / "lock").write_text("1\nelsewhere\nboot")
    examined = Growth(run_dir / "run.vbus")
    assert (examined.is_possible, examined.is_possible, asked) == (is_alive, is_alive, [run_dir])


def test_what_was_written_since_it_was_examined_is_a_sign_of_life(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growth, "shows_life", lambda _: False)
    (run_dir / ".bus" / "lock").write_text("1\nelsewhere\nboot")
    examined = Growth(run_dir / "run.vbus")
    (run_dir / "run.vbus").write_bytes(b"longer")
    assert examined.is_possible


def test_a_link_to_itself_does_not_grow(tmp_path: Path) -> None:
    (tmp_path / "run.vbus").symlink_to(tmp_path / "run.vbus")
    assert not Growth(tmp_path / "run.vbus").is_possible


def test_a_hub_that_has_left_its_addresses_in_a_folder_that_no_process_holds_was_killed(run_dir: Path) -> None:
    capture = run_dir / "run.vbus"
    assert not Growth(capture).hub_was_killed
    folder = RunFolder(run_dir).claim()
    folder.announce(BusAddresses("run-1", "node", 1, "ipc:///p", "ipc:///s", "ipc:///h"))
    assert not Growth(capture).hub_was_killed
    left = (run_dir / "bus.json").read_bytes()
    folder.release()
    assert not Growth(capture).hub_was_killed
    (run_dir / "bus.json").write_bytes(left)
    assert Growth(capture).hub_was_killed
