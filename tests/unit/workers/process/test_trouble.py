"""What fails every file, told apart from what fails the one that was tried."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from virnucpro_bus.errors import EveryFileError, InputError
from virnucpro_bus.events.vocabulary import REASON_CHARACTERS
from virnucpro_bus.files import disk
from workers.process.trouble import find_trouble, is_disk_full
from workers.protocol import Task, to_bytes


@pytest.fixture
def task(tmp_path: Path) -> Task:
    """An attempt in a run folder, at one of two inputs."""
    (tmp_path / "run" / ".attempts").mkdir(parents=True)
    (tmp_path / "in").mkdir()
    for name in ("a.fa", "b.fa"):
        (tmp_path / "in" / name).touch()
    return Task("a.fa", to_bytes(tmp_path / "in" / "a.fa"), to_bytes(tmp_path / "run" / ".attempts" / "1"), 1)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("bad"),
        InputError("the input has vanished"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        OSError(errno.EIO, "Input/output error"),
    ],
)
def test_with_all_folders_in_order_a_failure_is_the_files_own(task: Task, error: Exception) -> None:
    assert find_trouble(error, task) is None


def test_a_broken_contract_is_the_jobs_and_every_files(task: Task) -> None:
    assert find_trouble(EveryFileError("returned None"), task) == "returned None"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_known_by_its_error(task: Task, number: int) -> None:
    assert find_trouble(OSError(number, ""), task) == "a.fa failed because the disk is full"


def test_a_full_disk_is_known_from_what_an_error_was_raised_from() -> None:
    full, chained = OSError(errno.ENOSPC, ""), ValueError("cannot save")
    chained.__cause__ = full
    full.__cause__ = chained
    assert is_disk_full(chained)
    assert is_disk_full(ExceptionGroup("tasks", [KeyError(), ExceptionGroup("inner", [full])]))
    assert not is_disk_full(ExceptionGroup("tasks", [KeyError()]))


def test_a_full_disk_is_known_by_its_free_space(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_FULL_DISK_BYTES", 1 << 80)
    reason = find_trouble(ValueError("exit status 1"), task)
    assert reason is not None
    assert reason.endswith(".attempts: the disk is full")


@pytest.mark.parametrize("gone", ["run", "run/.attempts"])
def test_a_run_folder_that_was_removed_is_no_files_fault(tmp_path: Path, task: Task, gone: str) -> None:
    shutil.rmtree(tmp_path / gone)
    assert find_trouble(ValueError(), task) == f"{tmp_path / gone}: has been removed"


def test_a_run_folder_that_cannot_be_written_is_no_files_fault(
    tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: object) -> str:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    expected = f"{tmp_path / 'run' / '.attempts'}: cannot be written: Read-only file system"
    assert find_trouble(ValueError(), task) == expected


def test_inputs_of_which_one_has_vanished_are_not_taken_for_a_lost_disk(tmp_path: Path, task: Task) -> None:
    (tmp_path / "in" / "a.fa").unlink()
    assert find_trouble(InputError("vanished"), task) is None
    shutil.rmtree(tmp_path / "in")
    assert find_trouble(InputError("vanished"), task) is None


def test_an_input_disk_that_was_unmounted_is_no_files_fault(tmp_path: Path, task: Task) -> None:
    for name in ("a.fa", "b.fa"):
        (tmp_path / "in" / name).unlink()
    assert find_trouble(InputError("vanished"), task) == f"{tmp_path / 'in'}: is empty: the inputs have vanished"


def test_an_input_disk_that_does_not_answer_is_no_files_fault(
    tmp_path: Path, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> object:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(os, "scandir", refuse)
    assert find_trouble(ValueError(), task) == f"{tmp_path / 'in'}: cannot be read: Stale file handle"


def test_the_reason_fits_into_a_message_and_is_printable(tmp_path: Path) -> None:
    output = to_bytes(tmp_path) + b"/\xff" * 3000 + b"/.attempts/1"
    reason = find_trouble(ValueError(), Task("a.fa", b"/", output, 1))
    assert reason is not None
    assert reason.isprintable()
    assert len(reason) <= REASON_CHARACTERS
