"""A folder given as input, with its subfolders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import InputError
from workers.inputs.find import FoundInputs, find_inputs


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b">" + os.fsencode(name))


def taken(folder: Path, found: FoundInputs) -> list[str]:
    return [str(file.path.relative_to(folder)) for file in found.files]


def left_out(folder: Path, *, recursive: bool = True, run_dir: Path | None = None) -> str:
    (walked,) = find_inputs([folder], recursive=recursive, run_dir=run_dir).folders
    return walked.left_out()


def test_with_recursive_the_files_of_all_subfolders_are_taken_in_the_order_of_their_names(tmp_path: Path) -> None:
    make(tmp_path, "b/z.fa", "b/a/y.fa", "a/x.fa", "c.fa", "b.fa", "b/notes.txt")
    found = find_inputs([tmp_path], recursive=True)
    assert taken(tmp_path, found) == ["b.fa", "c.fa", "a/x.fa", "b/z.fa", "b/a/y.fa"]


def test_hidden_entries_of_every_depth_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.fa", ".git/a.fa", "b/.cache/a.fa", "b/.a.fa")
    assert taken(tmp_path, find_inputs([tmp_path], recursive=True)) == ["a.fa"]
    assert left_out(tmp_path) == "3 hidden entries (.git, b/.a.fa, b/.cache)"


def test_a_link_to_a_folder_is_not_followed_and_a_link_to_a_file_is(tmp_path: Path) -> None:
    make(tmp_path, "in/a/x.fa", "elsewhere/y.fa")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "a" / "y.fa").symlink_to(tmp_path / "elsewhere" / "y.fa")
    assert taken(tmp_path / "in", find_inputs([tmp_path / "in"], recursive=True)) == ["a/x.fa", "a/y.fa"]
    assert left_out(tmp_path / "in") == "1 link to a folder (a/up)"


def test_a_subfolder_that_holds_a_run_is_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.fa", "old/run.vbus", "old/results/b.fa", "lab/new/run.vbus", "lab/new/c.fa")
    assert taken(tmp_path, find_inputs([tmp_path], recursive=True)) == ["a.fa"]
    assert left_out(tmp_path) == "2 folders of runs (lab/new, old)"


def test_the_folder_of_the_run_itself_is_left_out_before_it_holds_anything(tmp_path: Path) -> None:
    make(tmp_path, "in/a.fa", "in/lab/out/b.fa")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    # By whatever path it is reached.
    found = find_inputs([tmp_path / "link"], recursive=True, run_dir=tmp_path / "in" / "lab" / "out")
    assert taken(tmp_path / "link", found) == ["a.fa"]


@pytest.mark.parametrize("is_begun", [False, True])
def test_a_run_in_the_folder_of_its_inputs_does_not_take_its_own_results(tmp_path: Path, is_begun: bool) -> None:
    make(tmp_path, "a.fa", "lab/b.fa", "results/c.fa", "logs/d.fa", *(["run.vbus"] if is_begun else []))
    found = find_inputs([tmp_path], recursive=True, run_dir=tmp_path)
    assert taken(tmp_path, found) == ["a.fa", "lab/b.fa"]


def test_of_many_entries_the_first_few_are_named_and_all_are_counted(tmp_path: Path) -> None:
    make(tmp_path, "a.fa", *(f"lab{lab}/notes{number}.txt" for lab in (2, 1) for number in range(9)))
    assert left_out(tmp_path) == "18 other files (lab1/notes0.txt, lab1/notes1.txt, lab1/notes2.txt, ...)"


def test_without_recursive_subfolders_are_named_with_the_option_that_takes_them(tmp_path: Path) -> None:
    make(tmp_path, "a.fa", "b/c.fa")
    (walked,) = find_inputs([tmp_path]).folders
    assert walked.left_out() == "1 subfolder (b)"
    assert walked.remedy() == "name them; for subfolders, add --recursive"


def test_a_folder_with_files_in_its_subfolders_alone_is_refused_with_the_option_that_takes_them(
    tmp_path: Path,
) -> None:
    make(tmp_path, "b/c.fa")
    with pytest.raises(InputError, match=r"but 1 subfolder \(b\); .*, or add --recursive for its subfolders$"):
        find_inputs([tmp_path])


def test_a_tree_without_sequence_files_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "b/notes.txt")
    with pytest.raises(InputError, match=r"contains no sequence files .* but 1 other file \(b/notes.txt\)"):
        find_inputs([tmp_path], recursive=True)


def test_files_of_one_name_in_several_subfolders_have_ids_and_result_folders_of_their_own(
    tmp_path: Path,
) -> None:
    make(tmp_path, "lab1/s1/reads.fa", "lab1/s2/reads.fa", "lab2/s1/reads.fa", "lab2/s1/other.fa")
    files = find_inputs([tmp_path], recursive=True).files
    assert sorted(files.ids) == ["lab1+s1+reads.fa", "lab2+s1+reads.fa", "other.fa", "s2+reads.fa"]
    assert {file.id: file.own_folder for file in files}["other.fa"] is False
    assert sum(file.own_folder for file in files) == 3


def test_a_pattern_chooses_by_name_in_its_case_whatever_the_suffix(tmp_path: Path) -> None:
    make(tmp_path, "a_R1.txt", "b/c_R1.fa", "b/d_r1.fa", "b/e_R2.fa", "b/.f_R1.fa")
    found = find_inputs([tmp_path], recursive=True, patterns=["*_R1.*", "e*"])
    assert taken(tmp_path, found) == ["a_R1.txt", "b/c_R1.fa", "b/e_R2.fa"]


def test_a_pattern_without_a_match_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "a.fa")
    with pytest.raises(InputError, match=r"contains no files that match 'x\*' or '\*\\x1b', but 1 other file"):
        find_inputs([tmp_path], patterns=["x*", "*\x1b"])


@given(names=st.sets(st.lists(st.sampled_from(["a", "b", ".h", "c.fa", "d.faa", "e.txt"]), min_size=1, max_size=4)
                     .map("/".join), max_size=8))  # fmt: skip
def test_every_file_of_a_tree_is_taken_or_counted_as_left_out(
    names: set[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    make(folder, "always.fa")
    for name in names:
        # What cannot be made beside the others, such as a folder of the name of a file, is not.
        try:
            make(folder, name + ".fa")
        except OSError:
            continue
    every = {path for path in folder.rglob("*.fa") if path.is_file()}
    visible = {path for path in every if not any(part.startswith(".") for part in path.relative_to(folder).parts)}
    assert {file.path for file in find_inputs([folder], recursive=True).files} == visible
