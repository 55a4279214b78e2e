"""From an attempt's folder to the results folder, on a real file system."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.ordinary_user import ordinary_user
from tests.support.plans import input_file
from virnucpro_bus.errors import UserError
from virnucpro_bus.files.disk import Disk, StrPath
from workers.commit.manifest import Manifest, measure
from workers.commit.placement import Placement, list_names
from workers.commit.result_store import ResultStore
from workers.inputs.input_file import InputFile


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    made = ResultStore(tmp_path / "run")
    made.prepare()
    return made


def begin(store: ResultStore) -> Path:
    """Begin an attempt as a worker does: the store names the folder, the worker makes it."""
    folder = Path(store.new_attempt())
    folder.mkdir()
    return folder


def place(store: ResultStore, file: InputFile, attempt: Path) -> Placement:
    placement = store.plan(file, str(attempt))
    store.place(placement, str(attempt))
    return placement


def test_each_attempt_gets_a_new_folder_of_its_own(store: ResultStore) -> None:
    first, second = Path(store.new_attempt()), Path(store.new_attempt())
    assert first != second
    assert not first.exists()
    assert first.parent.is_dir()


def test_results_named_after_their_input_lie_in_the_results_folder(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("four")
    (attempt / "a.tsv").write_text("sixsix")
    assert place(store, input_file("a.fa"), attempt).names == ("a.faa", "a.tsv")
    assert (store.folder / "a.faa").read_text() == "four"
    assert (store.folder / "a.tsv").read_text() == "sixsix"


def test_other_results_lie_in_a_folder_named_by_the_input(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("")
    (attempt / "report.txt").write_text("")
    place(store, input_file("a.fa"), attempt)
    assert sorted(os.listdir(store.folder / "a.fa")) == ["a.faa", "report.txt"]


def test_an_input_that_may_be_mixed_up_has_its_own_folder(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("")
    place(store, input_file("a.fa", own_folder=True), attempt)
    assert os.listdir(store.folder / "a.fa") == ["a.faa"]


def test_a_folder_among_the_results_moves_whole(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.d" / "deep").mkdir(parents=True)
    (attempt / "a.d" / "deep" / "x").write_text("12345")
    assert place(store, input_file("a.fa"), attempt).entries == 1
    assert (store.folder / "a.d" / "deep" / "x").read_text() == "12345"


def test_a_link_among_the_results_is_moved_and_not_followed(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "big").write_text("x" * 10_000)
    attempt = begin(store)
    (attempt / "a.link").symlink_to(tmp_path / "big")
    place(store, input_file("a.fa"), attempt)
    assert (store.folder / "a.link").is_symlink()


def test_an_attempt_without_results_leaves_nothing(store: ResultStore) -> None:
    attempt = begin(store)
    assert place(store, input_file("a.fa"), attempt).entries == 0
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("name", [b"a.two\nlines", b"a.\xff\xfe", b"a.\x1b[31m", "a.ä".encode()])
def test_a_result_keeps_its_name_to_the_byte(store: ResultStore, name: bytes) -> None:
    attempt = begin(store)
    (attempt / os.fsdecode(name)).write_text("x")
    place(store, input_file("a.fa"), attempt)
    assert os.listdir(os.fsencode(store.folder)) == [name]


def test_a_discarded_attempt_leaves_nothing(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "deep").mkdir()
    (attempt / "deep" / "half").write_text("half")
    store.discard(str(attempt))
    assert not attempt.exists()
    assert list(store.folder.iterdir()) == []


def test_discarding_twice_is_harmless(store: ResultStore) -> None:
    attempt = begin(store)
    kept = begin(store)
    store.discard(str(attempt))
    store.discard(str(attempt))
    assert kept.is_dir()


def test_results_that_are_there_already_are_not_mixed_with_new_ones(store: ResultStore) -> None:
    (store.folder / "a.faa").write_text("old")
    with pytest.raises(UserError, match="already holds results; choose another output folder"):
        store.prepare()
    assert (store.folder / "a.faa").read_text() == "old"


def test_a_resumed_run_finds_its_results(store: ResultStore) -> None:
    (store.folder / "a.faa").write_text("old")
    store.prepare(may_hold_files=True)
    assert (store.folder / "a.faa").read_text() == "old"


def test_results_in_place_are_compared_by_their_names_and_contents(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("one")
    (attempt / "a.d").mkdir()
    (attempt / "a.d" / "x").write_text("two")
    then = measure(str(attempt), list_names(str(attempt)))
    placement = place(store, input_file("a.fa"), attempt)
    assert store.is_intact(placement, then)
    (store.folder / "a.d" / "x").write_text("2")
    assert not store.is_intact(placement, then)
    (store.folder / "a.d" / "x").unlink()
    assert not store.is_intact(placement, then)


def with_files_of_the_user(store: ResultStore, file: InputFile, results: list[str]) -> tuple[Placement, Manifest]:
    """Results in place, and files that a user has put beside them and into their folders."""
    attempt = begin(store)
    for name in results:
        (attempt / name).parent.mkdir(parents=True, exist_ok=True)
        (attempt / name).write_text(name)
    then = measure(str(attempt), list_names(str(attempt)))
    placement = place(store, file, attempt)
    for folder in ("", "a.d", "a.plots", "a.fa"):
        (store.folder / folder).mkdir(exist_ok=True)
        (store.folder / folder / "a.mine").write_text("mine")
    return placement, then


@pytest.mark.parametrize(
    ("own_folder", "results"),
    [(False, ["a.faa", "a.d/x", "a.d/deep/y"]), (True, ["a.faa", "d/x"]), (False, ["other"]), (False, [])],
)
def test_files_of_the_user_beside_results_do_not_count_and_are_never_removed(
    store: ResultStore, own_folder: bool, results: list[str]
) -> None:
    placement, then = with_files_of_the_user(store, input_file("a.fa", own_folder=own_folder), results)
    assert store.is_intact(placement, then)
    store.remove(placement.paths())
    left = {str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file()}
    assert left == {"a.mine", "a.d/a.mine", "a.plots/a.mine", "a.fa/a.mine"}


def test_results_that_are_removed_leave_no_empty_folder(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "deep" / "er").mkdir(parents=True)
    (attempt / "deep" / "x").write_text("x")
    placement = place(store, input_file("a.fa"), attempt)
    store.remove(placement.paths())
    assert list(store.folder.iterdir()) == []


def test_nothing_is_removed_behind_a_link(store: ResultStore, tmp_path: Path) -> None:
    attempt = begin(store)
    (attempt / "a.d").mkdir()
    (attempt / "a.d" / "x").write_text("x")
    placement = place(store, input_file("a.fa"), attempt)
    (store.folder / "a.d").rename(tmp_path / "elsewhere")
    (store.folder / "a.d").symlink_to(tmp_path / "elsewhere")
    store.remove(placement.paths())
    assert (tmp_path / "elsewhere" / "x").exists()


@pytest.mark.parametrize("own_folder", [False, True])
def test_results_replace_those_of_an_earlier_commit_and_the_others_go_after_the_commit(
    store: ResultStore, own_folder: bool
) -> None:
    file = input_file("a.fa", own_folder=own_folder)
    former, _ = with_files_of_the_user(store, file, ["a.faa", "a.tsv", "a.d/x", "a.d/old", "a.old/x"])
    store.replace_later({file.id: former.paths()})
    attempt = begin(store)
    for name in ("a.faa", "a.d/x", "a.new"):
        (attempt / name).parent.mkdir(exist_ok=True)
        (attempt / name).write_text(f"new {name}")
    now = measure(str(attempt), list_names(str(attempt)))
    placement = place(store, file, attempt)
    folder = store.folder / placement.folder
    assert (folder / "a.tsv").exists()
    assert (folder / "a.old" / "x").exists()
    store.remove_replaced(file, placement)
    assert store.is_intact(placement, now)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"a.faa", "a.d/x", "a.new", "a.mine"} <= left
    assert not {"a.tsv", "a.d/old", "a.old/x"} & left
    assert not (folder / "a.old").exists()


def test_results_that_cannot_be_placed_leave_the_file_that_is_in_the_way(store: ResultStore) -> None:
    (store.folder / "a.tsv" / "mine").mkdir(parents=True)
    attempt = begin(store)
    for name in ("a.faa", "a.tsv"):
        (attempt / name).write_text("x")
    with pytest.raises(OSError, match="Is a directory"):
        place(store, input_file("a.fa"), attempt)
    assert [path.name for path in store.folder.iterdir()] == ["a.tsv"]


class FullOnce(Disk):
    """The second rename finds no room."""

    renamed = 0

    def rename(self, source: StrPath, target: StrPath) -> None:
        self.renamed += 1
        if self.renamed == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        super().rename(source, target)


def test_what_can_be_placed_only_in_part_is_not_placed_at_all(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "run", FullOnce())
    store.prepare()
    attempt = begin(store)
    for name in ("a.faa", "a.tsv"):
        (attempt / name).write_text("x")
    with pytest.raises(OSError, match="No space left"):
        place(store, input_file("a.fa"), attempt)
    assert list(store.folder.iterdir()) == []


def test_attempts_left_by_a_run_that_was_killed_are_cleared(store: ResultStore) -> None:
    (begin(store) / "half").write_text("half")
    store.prepare()
    assert list(begin(store).iterdir()) == []


def test_attempts_that_may_not_be_written_are_cleared_too(tmp_path: Path) -> None:
    with ordinary_user() as home:
        store = ResultStore(home / "run")
        store.prepare()
        attempt = begin(store)
        (attempt / "closed").mkdir()
        (attempt / "closed" / "half").write_text("half")
        for path in (attempt / "closed", attempt):
            path.chmod(0o555)
        ResultStore(home / "run").prepare(may_hold_files=True)
        assert not attempt.exists()


def test_a_link_in_place_of_an_output_folder_is_not_followed(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.mine").touch()
    attempt = Path(store.new_attempt())
    attempt.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is a link"):
        place(store, input_file("a.fa"), attempt)
    store.discard(str(attempt))
    assert (tmp_path / "elsewhere" / "a.mine").exists()


def test_a_results_folder_on_another_file_system_is_refused(tmp_path: Path) -> None:
    if os.stat("/dev/shm").st_dev == tmp_path.stat().st_dev:
        pytest.skip("/dev/shm is on the file system of the tests' folder")
    (tmp_path / "run").mkdir()
    with TemporaryDirectory(dir="/dev/shm") as elsewhere:
        (tmp_path / "run" / "results").symlink_to(elsewhere)
        with pytest.raises(UserError, match=r"results: is on another file system than .*; remove this link"):
            ResultStore(tmp_path / "run").prepare()
        assert os.listdir(elsewhere) == []


def test_a_results_folder_that_is_replaced_during_the_run_gets_nothing(store: ResultStore, tmp_path: Path) -> None:
    store.folder.rename(tmp_path / "moved")
    (tmp_path / "elsewhere").mkdir()
    store.folder.symlink_to(tmp_path / "elsewhere")
    attempt = begin(store)
    (attempt / "a.faa").touch()
    with pytest.raises(OSError, match="no longer the folder that it was when the run started"):
        place(store, input_file("a.fa"), attempt)
    assert os.listdir(tmp_path / "elsewhere") == []


def test_a_place_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match=r"run.*: cannot be written: Not a directory"):
        ResultStore(tmp_path / "run").prepare()


def test_nothing_but_the_results_is_left_at_the_end(store: ResultStore) -> None:
    begin(store)
    store.tidy()
    assert os.listdir(store.folder.parent) == ["results"]
