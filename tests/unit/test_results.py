"""From an attempt's folder to the results folder, on a real file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from plans import input_file

from virnucpro_bus.errors import UserError
from workers.results import Placed, ResultStore


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


def test_results_called_like_their_input_stand_in_the_results_folder(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("four")
    (attempt / "a.tsv").write_text("sixsix")
    assert store.place(input_file("a.fa"), str(attempt)) == Placed(results=2, size_bytes=10)
    assert (store.folder / "a.faa").read_text() == "four"
    assert (store.folder / "a.tsv").read_text() == "sixsix"
    assert not attempt.exists()


def test_results_called_otherwise_stand_in_a_folder_called_like_the_input(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("")
    (attempt / "report.txt").write_text("")
    store.place(input_file("a.fa"), str(attempt))
    assert sorted(os.listdir(store.folder / "a.fa")) == ["a.faa", "report.txt"]


def test_an_input_that_may_be_mixed_up_has_its_own_folder(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.faa").write_text("")
    store.place(input_file("a.fa", own_folder=True), attempt)
    assert os.listdir(store.folder / "a.fa") == ["a.faa"]


def test_a_folder_among_the_results_moves_whole_and_counts_by_its_files(store: ResultStore) -> None:
    attempt = begin(store)
    (attempt / "a.d" / "deep").mkdir(parents=True)
    (attempt / "a.d" / "deep" / "x").write_text("12345")
    assert store.place(input_file("a.fa"), str(attempt)) == Placed(results=1, size_bytes=5)
    assert (store.folder / "a.d" / "deep" / "x").read_text() == "12345"


def test_a_link_among_the_results_is_moved_and_not_followed(store: ResultStore, tmp_path: Path) -> None:
    (tmp_path / "big").write_text("x" * 10_000)
    attempt = begin(store)
    (attempt / "a.link").symlink_to(tmp_path / "big")
    assert store.place(input_file("a.fa"), str(attempt)).size_bytes < 10_000
    assert (store.folder / "a.link").is_symlink()


def test_an_attempt_without_results_leaves_nothing(store: ResultStore) -> None:
    attempt = begin(store)
    assert store.place(input_file("a.fa"), str(attempt)) == Placed(results=0, size_bytes=0)
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
    store.discard(attempt)
    assert not attempt.exists()
    assert list(store.folder.iterdir()) == []


def test_discarding_twice_is_harmless(store: ResultStore) -> None:
    attempt = begin(store)
    kept = begin(store)
    store.discard(attempt)
    store.discard(attempt)
    assert kept.is_dir()


def test_results_that_are_there_already_are_not_mixed_with_new_ones(store: ResultStore) -> None:
    (store.folder / "a.faa").write_text("old")
    with pytest.raises(UserError, match="already holds results; choose another output folder"):
        store.prepare()
    assert (store.folder / "a.faa").read_text() == "old"


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
