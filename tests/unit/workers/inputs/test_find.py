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
REMEDY = "make it readable, or name other folders"


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
    wanted = [
        "a.fa",
        "b.fasta.gz",
        "c.FNA",
        "d.faa",
        "e.fas",
        "f.ffn",
        "g.fq",
        "h.fastq.gz",
        "i.fsa.xz",
        "j.frn.bz2",
    ]
    for name in [*reversed(wanted), "notes.txt", "x.gz", ".hidden.fa", "deeper/z.fa", "folder.fa/inside"]:
        a_file(tmp_path / name)
    assert [file.path.name for file in find_inputs([tmp_path]).files] == wanted


def test_what_is_left_out_of_a_folder_is_counted_and_named(tmp_path: Path) -> None:
    names = ["a.fa", "p.faa", "notes.txt", "b.tsv", "c.log", "x.gz", ".hidden.fa", ".git/config", "deeper/z.fa"]
    for name in names:
        a_file(tmp_path / name)
    found = find_inputs([tmp_path], reads="nucleotides")
    assert list(found.files.names) == ["a.fa"]
    (folder,) = found.folders
    assert folder.left_out() == (
        "1 protein file (p.faa), 4 other files (b.tsv, c.log, notes.txt, ...), 1 subfolder (deeper), "
        "2 hidden entries (.git, .hidden.fa)"
    )


def test_nothing_is_left_out_of_a_folder_of_sequence_files(tmp_path: Path) -> None:
    for name in ("a.fa", "p.faa"):
        a_file(tmp_path / name)
    found = find_inputs([tmp_path])
    assert (list(found.files.names), found.folders[0].left_out()) == (["a.fa", "p.faa"], "")


def test_a_folder_of_proteins_alone_is_refused_where_nucleotides_are_read(tmp_path: Path) -> None:
    a_file(tmp_path / "a.protein.faa")
    with pytest.raises(InputError) as caught:
        find_inputs([tmp_path], reads="nucleotides")
    assert "contains no sequence files of nucleotides (.fa " in str(caught.value)
    assert "but 1 protein file (a.protein.faa); choose another folder" in str(caught.value)
    assert ".faa" not in str(caught.value).partition("(")[2].partition(")")[0]


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


def test_in_any_order_the_same_paths_make_the_same_files_with_the_same_ids_and_costs(tmp_path: Path) -> None:
    long = "n" * 220 + ".fa"
    paths = [a_file(tmp_path / name) for name in ("b.fa", "x/a.fa", "y/a.fa", f"x/{long}", f"y/{long}", "z.fa.gz")]
    paths += [tmp_path / "link.fa", tmp_path / "a.link.fa"]
    paths[-2].symlink_to(paths[5])  # would have the cost of a file that is not compressed
    paths[-1].hardlink_to(paths[0])
    first, *others = (
        {(file.id, file.path, file.cost, file.own_folder) for file in find_inputs(each, in_any_order=True).files}
        for each in (paths, paths[::-1], [tmp_path / "y", *paths], sorted(paths))
    )
    assert len(first) == 6
    assert all(other == first for other in others)


def test_an_empty_file_is_taken(tmp_path: Path) -> None:
    (file,) = find_inputs([a_file(tmp_path / "a.fa", b"")]).files
    assert (file.size_bytes, file.cost) == (0, 0)


def test_the_cost_of_a_compressed_file_is_four_bases_a_byte(tmp_path: Path) -> None:
    names = ("a.fa", "b.fa.gz", "c.fa.bgz", "d.fa.bz2", "e.fa.xz", "f.fa.zst")
    files = find_inputs([a_file(tmp_path / name, b"x" * 10) for name in names]).files
    assert [file.size_bytes for file in files] == [10] * 6
    assert [file.cost for file in files] == [10, *[40] * 5]


def test_the_cost_of_a_sparse_file_of_any_size_is_a_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_file(tmp_path / "a.fa.gz")
    status = path.stat()
    sizes, times = {6: 1 << 62}, {"st_mtime_ns": status.st_mtime_ns}
    sparse = os.stat_result([sizes.get(i, value) for i, value in enumerate(status)], times)
    monkeypatch.setattr(os, "stat", lambda *_, **__: sparse)
    (file,) = find_inputs([path]).files
    assert (file.size_bytes, file.cost) == (1 << 62, 2**63 - 1)


def test_the_sample_has_at_least_24_files_of_uneven_size() -> None:
    files = find_inputs([DATA / "sample"]).files
    assert len(files) >= 24
    assert max(file.size_bytes for file in files) > 100 * min(file.size_bytes for file in files)


def test_inputs_whose_stems_are_equal_once_they_are_cut_have_folders_of_their_own(tmp_path: Path) -> None:
    names = [f"{'x' * 249}{number}.fa" for number in (1, 2)]
    first, second = find_inputs([a_file(tmp_path / name) for name in names]).files
    assert first.stem == second.stem
    assert (first.own_folder, second.own_folder) == (True, True)
    assert first.id != second.id


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
        assert error_of(closed.parent) == f"{closed.parent}: cannot list the folder: Permission denied; {REMEDY}"


def test_a_file_in_a_folder_that_may_not_be_entered_is_refused(closed: Path) -> None:
    with without_root():
        assert error_of(closed) == f"{closed}: cannot be read: Permission denied"
