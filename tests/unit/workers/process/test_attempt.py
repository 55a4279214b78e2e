"""One attempt: an input that changes fails it, and the results are synced and digested."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from tests.support.machine import attempt
from tests.support.ordinary_user import ordinary_user
from virnucpro_bus.errors import InputError, UserError
from virnucpro_bus.files.disk import Disk
from workers.commit.manifest import measure
from workers.inputs.input_file import FileState, state_of
from workers.process.attempt import begin
from workers.protocol import Task, to_bytes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "a.fa"
    made.write_text(">a\nACGT\n")
    return made


def task_for(path: Path, state: FileState | None) -> Task:
    return Task("a.fa", to_bytes(path), to_bytes(path.parent / "out"), 1, state=state)


def copying(path: Path, output: Path) -> int:
    (output / "a.txt").write_bytes(path.read_bytes())
    return 1


def test_an_attempt_returns_its_sequences_and_the_digest_of_its_results(path: Path) -> None:
    done = attempt(copying, task_for(path, state_of(path)), Disk())
    assert done == (1, measure(str(path.parent / "out"), ["a.txt"]), sha256(path.read_bytes()).hexdigest())


def test_an_attempt_whose_folder_exists_was_taken_back_and_is_not_begun(path: Path) -> None:
    task = task_for(path, None)
    assert begin(task)
    assert not begin(task)


def touched(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def longer(path: Path) -> None:
    before = path.stat().st_mtime_ns
    path.write_text("more")
    os.utime(path, ns=(before, before))


def replaced(path: Path) -> None:
    state = path.stat()
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(state.st_mtime_ns, state.st_mtime_ns))
    copy.replace(path)


@pytest.mark.parametrize("change", [touched, longer, replaced])
@pytest.mark.parametrize("before", [True, False], ids=["before the work", "during the work"])
def test_an_input_that_changes_fails_the_attempt(path: Path, change: object, before: bool) -> None:
    assert callable(change)
    task = task_for(path, state_of(path))
    if before:
        change(path)

    def job(path: Path, output: Path) -> int:
        assert not before, "it must not even be begun"
        change(path)
        return 1

    with pytest.raises(InputError, match="input changed"):
        attempt(job, task, Disk())


def test_an_input_that_vanishes_fails_the_attempt(path: Path) -> None:
    task = task_for(path, state_of(path))
    path.unlink()
    with pytest.raises(InputError, match="the input has vanished"):
        attempt(copying, task, Disk())


def test_a_job_that_puts_a_link_in_place_of_its_folder_has_no_results(path: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").touch()

    def linking(path: Path, output: Path) -> int:
        output.rmdir()
        output.symlink_to(elsewhere)
        return 1

    with pytest.raises(UserError, match="put a link in place of its output folder"):
        attempt(linking, task_for(path, None), Disk())


def test_results_in_folders_without_permissions_are_results(path: Path) -> None:
    with ordinary_user() as home:

        def closing(path: Path, output: Path) -> int:
            (output / "deep").mkdir()
            (output / "deep" / "x").write_text("x")
            for each in (output / "deep" / "x", output / "deep", output):
                each.chmod(0o000 if each.name == "x" else 0o555)
            return 1

        (home / "a.fa").write_text(">a\n")
        done = attempt(closing, task_for(home / "a.fa", None), Disk())
        assert done.manifest.size_bytes == 1
        (home / "out" / "deep").rename(home / "moved")


def test_a_job_that_removes_its_folder_has_no_results(path: Path) -> None:
    def removing(path: Path, output: Path) -> int:
        output.rmdir()
        return 1

    with pytest.raises(UserError, match="removed its output folder"):
        attempt(removing, task_for(path, None), Disk())
