"""Which files are found, what they are called, and that no two can write to one place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.paths import DATA
from virnucpro_bus.errors import InputError
from workers.commit.result_store import result_folder
from workers.inputs import InputFile, find_inputs, make_ids, need_own_folder, stem_of

NOBODY = 65534


def a_file(path: Path, content: bytes = b">a\nACGT\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def planned(paths: list[Path]) -> list[InputFile]:
    """What find_inputs would return for these paths if they existed."""
    ids, stems = make_ids(paths), [stem_of(path) for path in paths]
    return [
        InputFile(name, path, stem, 0, 0, own)
        for name, path, stem, own in zip(ids, paths, stems, need_own_folder(stems, ids), strict=True)
    ]


def ids_of(*paths: str) -> list[str]:
    return make_ids([Path(path) for path in paths])


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


# names


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("reads.fa.gz", "reads"),
        ("reads.fa", "reads"),
        ("reads.v1.fa", "reads.v1"),
        ("reads", "reads"),
        ("reads.gz", "reads"),
        ("READS.FA.GZ", "READS"),
        (".fa", ".fa"),
        (".gz", ".gz"),
        (".fa.gz", ".fa"),
        ("reads.", "reads"),
        ("...", "..."),
    ],
)
def test_the_stem_is_the_name_without_gz_and_one_suffix(name: str, stem: str) -> None:
    assert stem_of(Path("/data") / name) == stem


def test_the_id_is_the_base_name_where_that_is_unique() -> None:
    assert ids_of("/x/a.fa", "/y/b.fa") == ["a.fa", "b.fa"]


def test_the_id_is_the_shortest_end_of_the_path_that_is_unique() -> None:
    found = ids_of("/x/k/a.fa", "/y/k/a.fa", "/y/m/a.fa", "/a.fa", "/b.fa")
    assert found == ["x+k+a.fa", "y+k+a.fa", "m+a.fa", "+a.fa", "b.fa"]


def test_an_id_that_another_file_is_really_called_is_not_used_twice() -> None:
    assert ids_of("/k/a.fa", "/m/a.fa", "/z/k+a.fa") == ["+k+a.fa", "m+a.fa", "k+a.fa"]


def test_paths_that_end_alike_in_every_part_are_numbered() -> None:
    assert ids_of("/a+b/c", "/a/b/c", "/a/b+c", "/b+c") == ["c~2", "b+c", "b+c~2", "+b+c"]


def test_names_that_look_the_same_once_made_visible_get_different_ids() -> None:
    assert ids_of("/x/a\x01.fa", "/x/a\\x01.fa") == ["a\\x01.fa", "x+a\\x01.fa"]


def test_bytes_that_are_not_text_are_written_out() -> None:
    assert ids_of(os.fsdecode(b"/x/caf\xe9\xe2\x80\xae.fa")) == ["caf\\xe9\\u202e.fa"]


def test_long_names_are_cut_and_numbered() -> None:
    first, second = ids_of("/x/" + "n" * 250 + "1.fa", "/x/" + "n" * 250 + "2.fa")
    assert first == "n" * 190 + "~2"
    assert second == "n" * 190 + "~3"


def test_many_long_names_do_not_take_ever_longer() -> None:
    found = make_ids([Path("/x", "n" * 240 + str(number)) for number in range(20_000)])
    assert len(set(found)) == 20_000


# places

# Parts chosen so that they meet: dots, plus signs, equal ends, names that look like ids, stems or results.
part_names = [
    "a",
    "b",
    "a.b",
    "a.",
    ".a",
    "a~2",
    "b+a",
    "a.fa",
    "a.fa.gz",
    "a.fa.fa",
    "a.fasta",
    "+a.fa",
    "b+a.fa",
]
part_names += ["a+b+a.fa", "a\x01.fa", "a\\x01.fa", "b+a\\x01.fa", "\udce9.fa"]
part_names += ["n" * 220 + ".fa", "n" * 220 + ".fq", "n" * 190, "n" * 190 + "~2"]
parts = st.sampled_from(part_names)
some_paths = st.lists(
    st.lists(parts, min_size=1, max_size=4).map(lambda names: Path("/", *names)),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(some_paths)
def test_ids_are_unique_printable_and_short_enough_for_a_folder(paths: list[Path]) -> None:
    ids = make_ids(paths)
    assert len(set(ids)) == len(paths)
    for name in ids:
        assert name.isprintable()
        assert 0 < len(name.encode()) <= 200
        assert "/" not in name


@given(some_paths, st.data())
@example([Path("/a/x.fa"), Path("/b/x.fa"), Path("/c/a+x.fasta")], None)
@example([Path("/reads.fa"), Path("/reads.fa.fa")], None)
def test_no_two_inputs_can_claim_one_result_path(paths: list[Path], data: st.DataObject | None) -> None:
    """Whatever files the jobs leave: those named after their input, or like any other input, folder or result."""
    inputs = planned(paths)
    tempting = {file.path.name for file in inputs} | {file.id for file in inputs} | {file.stem for file in inputs}
    tempting |= {f"{name}.faa" for name in tempting} | {f"{name}/inner" for name in tempting}
    owner_of: dict[str, str] = {}
    for file in inputs:
        own = sorted(name for name in tempting if name == file.stem or name.startswith(f"{file.stem}."))
        results = own
        if data is not None and data.draw(st.booleans()):
            results = data.draw(st.lists(st.sampled_from(sorted(tempting)), max_size=4))
        folder = result_folder(file, results)
        for name in results:
            path = Path(folder, name)
            # Neither the file itself nor a folder it stands in may be another's.
            for claimed in (path, *path.parents[:-1]):
                assert owner_of.setdefault(str(claimed), file.id) == file.id


def test_results_named_after_an_input_of_unique_name_need_no_folder() -> None:
    (file,) = planned([Path("/x/reads.fa")])
    assert not file.own_folder
    assert result_folder(file, ["reads", "reads.protein.faa"]) == ""


def test_other_results_go_to_a_folder_named_by_the_inputs_id() -> None:
    (file,) = planned([Path("/x/reads.fa")])
    assert result_folder(file, ["reads.protein.faa", "log.txt"]) == "reads.fa"
    assert result_folder(file, ["readsome.txt"]) == "reads.fa"


def test_inputs_with_stems_that_could_be_mixed_up_have_folders_of_their_own() -> None:
    mixed, other, alone = planned([Path("/reads.fa"), Path("/reads.v2.fa"), Path("/reads-3.fa")])
    assert (mixed.own_folder, other.own_folder, alone.own_folder) == (True, True, False)
    assert result_folder(mixed, ["reads.protein.faa"]) == "reads.fa"


def test_inputs_of_one_name_have_folders_named_by_their_ids() -> None:
    first, second = planned([Path("/x/reads.fa"), Path("/y/reads.fa")])
    assert result_folder(first, ["reads.protein.faa"]) == "x+reads.fa"
    assert result_folder(second, ["reads.protein.faa"]) == "y+reads.fa"
