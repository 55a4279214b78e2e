"""From an attempt's folder to the results folder, on a real file system."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.plans import input_file
from virnucpro_bus.errors import UserError
from virnucpro_bus.system.disk import Disk, StrPath
from workers.commit.manifest import Manifest, measure
from workers.commit.result_store import ResultStore


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


def test_each_attempt_gets_a_new_folder_of_its_own(store: ResultStore) -> None:
    first, second = Path(store.new_attempt()), Path(store.new_attempt())
    assert first != second
    assert not first.exists()
    assert first.parent.is_dir()


def test_results_named_after_their_input_lie_in_the_results_folder(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("four")
    (attempt / "a.tsv").write_text("sixsix")
    assert store.place(input_file("a.fa"), str(attempt)) == 2
    assert (store.folder / "a.faa").read_text() == "four"
    assert (store.folder / "a.tsv").read_text() == "sixsix"


def test_other_results_lie_in_a_folder_named_by_the_input(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("")
    (attempt / "report.txt").write_text("")
    store.place(input_file("a.fa"), str(attempt))
    assert sorted(os.listdir(store.folder / "a.fa")) == ["a.faa", "report.txt"]


def test_an_input_that_may_be_mixed_up_has_its_own_folder(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("")
    store.place(input_file("a.fa", own_folder=True), str(attempt))
    assert os.listdir(store.folder / "a.fa") == ["a.faa"]


def test_a_folder_among_the_results_moves_whole(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.d" / "deep").mkdir(parents=True)
    (attempt / "a.d" / "deep" / "x").write_text("12345")
    assert store.place(input_file("a.fa"), str(attempt)) == 1
    assert (store.folder / "a.d" / "deep" / "x").read_text() == "12345"


def test_a_link_among_the_results_is_moved_and_not_followed(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "big").write_text("x" * 10_000)
    attempt = begin(store)
    (attempt / "a.link").symlink_to(tmp_path / "big")
    store.place(input_file("a.fa"), str(attempt))
    assert (store.folder / "a.link").is_symlink()


def test_an_attempt_without_results_leaves_nothing(store: ResultStore) -> None:
    attempt = begin(store)
    assert store.place(input_file("a.fa"), str(attempt)) == 0
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("name", [b"a.two\nlines", b"a.\xff\xfe", b"a.\x1b[31m", "a.ä".encode()])
def test_a_result_keeps_its_name_to_the_byte(store: ResultStore, name: bytes) -> None:
    attempt = begin(store)
    (attempt / os.fsdecode(name)).write_text("x")
    store.place(input_file("a.fa"), str(attempt))
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
    store.prepare(resume=True)
    assert (store.folder / "a.faa").read_text() == "old"


FILES = [input_file("a.fa"), input_file("b.fa", own_folder=True), input_file("b.fb", own_folder=True)]


def filled(store: ResultStore) -> None:
    """Results of three inputs in place; two of them could be mixed up, but for their folders."""
    for file, names in zip(FILES, (["a.faa", "a.b.txt"], ["b.faa"], ["b.faa"]), strict=True):
        attempt = begin(store)
        for name in names:
            (attempt / name).write_text(f"{name} of {file.id}")
        store.place(file, str(attempt))


def contents_of(folder: Path) -> Manifest:
    return measure(str(path) for path in folder.iterdir())


def test_what_is_in_place_is_known_by_what_it_was_in_the_attempt(store: ResultStore, tmp_path: Path) -> None:
    filled(store)
    beside = tmp_path / "beside"
    beside.mkdir()
    for name in ("a.faa", "a.b.txt"):
        (beside / name).write_text(f"{name} of a.fa")
    then = [contents_of(beside), contents_of(store.folder / "b.fa"), contents_of(store.folder / "b.fb")]
    assert store.are_intact(list(zip(FILES, then, strict=True))) == [True, True, True]
    then[1], then[2] = then[2], then[1]
    assert store.are_intact(list(zip(FILES, then, strict=True))) == [True, False, False]


def a_file(path: Path) -> None:
    path.write_text("x")


def a_folder(path: Path) -> None:
    path.mkdir()
    (path / "x").write_text("x")


@pytest.mark.parametrize("make", [a_file, a_folder])
@pytest.mark.parametrize("names", [["a.fa"], ["a.fa", "a.txt"], ["other"], ["a.fa", "other"], []])
@pytest.mark.parametrize("own_folder", [False, True])
def test_results_named_like_the_input_itself_are_found_again(
    store: ResultStore, make: Callable[[Path], None], names: list[str], own_folder: bool
) -> None:
    attempt, file = begin(store), input_file("a.fa", own_folder=own_folder)
    for name in names:
        make(attempt / name)
    then = contents_of(attempt)
    store.place(file, str(attempt))
    assert store.are_intact([(file, then)]) == [True]
    store.withdraw([file])
    assert list(store.folder.iterdir()) == []
    assert store.are_intact([(file, then)]) == [not names]


def test_what_is_withdrawn_is_gone_and_the_rest_stays(store: ResultStore) -> None:
    filled(store)
    store.withdraw(FILES[:1])
    assert sorted(os.listdir(store.folder)) == ["b.fa", "b.fb"]
    store.withdraw(FILES)
    assert list(store.folder.iterdir()) == []


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
        store.place(input_file("a.fa"), str(attempt))
    assert list(store.folder.iterdir()) == []


def test_attempts_left_by_a_run_that_was_killed_are_cleared(store: ResultStore) -> None:
    (begin(store) / "half").write_text("half")
    store.prepare()
    assert list(begin(store).iterdir()) == []


def test_a_place_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match=r"run.*: cannot be written: Not a directory"):
        ResultStore(tmp_path / "run").prepare()


def test_nothing_but_the_results_is_left_at_the_end(store: ResultStore) -> None:
    begin(store)
    store.tidy()
    assert os.listdir(store.folder.parent) == ["results"]
