"""Which files are found by the arguments of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.paths import DATA
from virnucpro_bus.errors import InputError
from workers.inputs.find import find_inputs

NOBODY = 65534


def a_file(path: Path, content: bytes = b">a\nACGT\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@contextmanager
def without_root() -> Iterator[None]:
    """Root may read everything, so its rights are dropped for a while."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A file that may not be read, in a folder that may not be entered."""
    # Not below pytest's own folder, which others than root may not enter either.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = a_file(Path(folder, "closed", "a.fa"))
        path.chmod(0)
        path.parent.chmod(0)
        yield path
        path.parent.chmod(0o700)


# finding


def test_files_are_taken_in_the_order_given(tmp_path: Path) -> None:
    paths = [a_file(tmp_path / name) for name in ("b.fa", "a.fa", "noted.txt")]
    found = find_inputs(paths)
    assert [file.path for file in found.files] == paths
    assert found.aliases == ()


def test_a_folder_stands_for_the_sequence_files_directly_in_it_by_name(tmp_path: Path) -> None:
    wanted = ["a.fa", "b.fasta.gz", "c.FNA", "d.faa", "e.fas", "f.ffn", "g.fq", "h.fastq.gz"]
    for name in [*reversed(wanted), "notes.txt", "x.gz", ".hidden.fa", "deeper/z.fa", "folder.fa/inside"]:
        a_file(tmp_path / name)
    assert [file.path.name for file in find_inputs([tmp_path]).files] == wanted


def test_paths_are_absolute_whatever_the_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_file(tmp_path / "a.fa")
    monkeypatch.chdir(tmp_path)
    assert [file.path for file in find_inputs([Path("a.fa")]).files] == [tmp_path / "a.fa"]
    assert [file.path for file in find_inputs([Path(".")]).files] == [tmp_path / "a.fa"]


def test_a_file_reached_twice_is_taken_once_and_reported(tmp_path: Path) -> None:
    first = a_file(tmp_path / "a.fa")
    soft, hard = tmp_path / "soft.fa", tmp_path / "hard.fa"
    soft.symlink_to(first)
    hard.hardlink_to(first)
    found = find_inputs([first, tmp_path])
    assert [file.path for file in found.files] == [first]
    assert found.aliases == ((first, first), (hard, first), (soft, first))


def test_an_empty_file_is_taken(tmp_path: Path) -> None:
    (file,) = find_inputs([a_file(tmp_path / "a.fa", b"")]).files
    assert (file.size_bytes, file.cost) == (0, 0)


def test_the_cost_of_a_packed_file_is_four_bases_a_byte(tmp_path: Path) -> None:
    plain, packed = find_inputs(
        [a_file(tmp_path / "a.fa", b"x" * 10), a_file(tmp_path / "b.fa.gz", b"x" * 10)]
    ).files
    assert (plain.size_bytes, plain.cost) == (10, 10)
    assert (packed.size_bytes, packed.cost) == (10, 40)


def test_the_sample_has_at_least_24_files_of_uneven_size() -> None:
    files = find_inputs([DATA / "sample"]).files
    assert len(files) >= 24
    assert max(file.size_bytes for file in files) > 100 * min(file.size_bytes for file in files)


# faults


def error_of(*arguments: Path) -> str:
    with pytest.raises(InputError) as caught:
        find_inputs(arguments)
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_missing_path_is_named_visibly(tmp_path: Path) -> None:
    assert error_of(tmp_path / "no\x1b.fa") == f"{tmp_path}/no\\x1b.fa: does not exist; check the path"


def test_a_broken_link_in_a_folder_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.fa").symlink_to(tmp_path / "gone")
    assert "a.fa: does not exist" in error_of(tmp_path)


def test_a_folder_without_sequence_files_is_refused_with_the_suffixes(tmp_path: Path) -> None:
    a_file(tmp_path / "notes.txt")
    assert ": contains no sequence files (.fa .fasta" in error_of(tmp_path)


def test_what_is_not_a_regular_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fa")
    assert "is not a regular file; give a file or a folder" in error_of(tmp_path / "pipe.fa")


@pytest.mark.parametrize("name", ["x" * 300, "a.fa/below"])
def test_a_path_that_cannot_be_examined_is_refused(tmp_path: Path, name: str) -> None:
    a_file(tmp_path / "a.fa")
    assert "cannot be read: " in error_of(tmp_path / name)


def test_an_unreadable_file_is_refused(closed: Path) -> None:
    closed.parent.chmod(0o755)
    with without_root():
        assert error_of(closed) == f"{closed}: cannot be read: Permission denied"


def test_an_unreadable_folder_is_refused(closed: Path) -> None:
    with without_root():
        assert error_of(closed.parent) == f"{closed.parent}: cannot list the folder: Permission denied"


def test_a_file_in_a_folder_that_may_not_be_entered_is_refused(closed: Path) -> None:
    with without_root():
        assert error_of(closed) == f"{closed}: cannot be read: Permission denied"
