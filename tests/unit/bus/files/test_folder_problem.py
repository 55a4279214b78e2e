"""Why no more files can be made in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from virnucpro_bus.files import disk
from virnucpro_bus.files.disk import problem_of_folder


def test_a_folder_in_which_files_can_be_made_has_no_problem_and_is_left_as_it_was(tmp_path: Path) -> None:
    assert problem_of_folder(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_problem_of_a_folder_names_what_is_gone(tmp_path: Path) -> None:
    assert problem_of_folder(tmp_path / "a") == f"{tmp_path}/a: has been removed"
    assert problem_of_folder(tmp_path / "a" / "b") == f"{tmp_path}/a: has been removed"
    (tmp_path / "a").touch()
    assert problem_of_folder(tmp_path / "a") == f"{tmp_path}/a: cannot be written: Not a directory"


def test_a_disk_with_almost_no_space_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_FULL_DISK_BYTES", 1 << 80)
    assert problem_of_folder(tmp_path) == f"{tmp_path}: the disk is full"


def test_the_problem_of_a_folder_is_printable(tmp_path: Path) -> None:
    assert (
        problem_of_folder(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n"))
        == rf"{tmp_path}/\xff\x0a: has been removed"
    )
