"""Inputs that are added to a run keep out of the way of those that are planned."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.plans import files_at
from virnucpro_bus.events.run_events import PlannedFile
from workers.commit.result_store import result_folder
from workers.inputs.input_file import InputFile
from workers.inputs.input_files import InputFiles
from workers.resume.as_planned import AsPlanned
from workers.resume.naming import name_inputs
from workers.resume.recognition import Known


def resumed(planned: list[InputFile], paths: list[Path], others: tuple[str, ...] = ()) -> list[InputFile]:
    """The inputs `paths` of a run in which `planned` were planned; the paths are those of the same files."""
    plan = AsPlanned(PlannedFile(file.id, 0, 0, own_folder=file.own_folder) for file in planned)
    ids = {file.path: file.id for file in planned}
    known = [Known(ids[path]) if path in ids else None for path in paths]
    return list(name_inputs(InputFiles.of(files_at(paths)), known, plan, others))


def test_a_file_of_the_same_name_changes_nothing_for_the_first() -> None:
    before = files_at([Path("/d1/c.fa")])
    first, second = resumed(before, [Path("/d1/c.fa"), Path("/d2/c.fa")])
    assert (first.id, first.own_folder) == ("c.fa", False)
    assert (second.id, second.own_folder) == ("d2+c.fa", True)


def test_a_file_of_the_same_stem_gets_a_folder_that_is_no_result_of_the_first() -> None:
    before = files_at([Path("/in/a.fa")])
    first, second = resumed(before, [Path("/in/a.fa"), Path("/in/a.fasta")])
    assert (first.id, first.own_folder) == ("a.fa", False)
    assert (second.id, second.own_folder) == ("in+a.fasta", True)


def test_results_of_a_file_that_is_no_input_now_are_not_met() -> None:
    before = files_at([Path("/d1/c.fa")])
    (added,) = resumed(before, [Path("/d2/c.fa")], ("c.protein.faa",))
    assert (added.id, added.own_folder) == ("d2+c.fa", True)


def test_a_folder_of_its_own_is_kept_when_the_other_file_is_gone() -> None:
    before = files_at([Path("/in/a.fa"), Path("/in/a.fasta")])
    (kept,) = resumed(before, [Path("/in/a.fa")])
    assert (kept.id, kept.own_folder) == ("a.fa", True)


parts = st.sampled_from(
    ["a", "b", "a.b", "a~2", "a.fa", "a.fa.gz", "a.fasta", "b+a.fa", "a.b.fa", "n" * 220 + ".fa"]
)
more_parts = st.sampled_from(["a.fa.fa", "+a.fa", "a.", "a.b.fasta", "a." + "n" * 220, "a." + "n" * 190 + "~2"])
some_paths = st.lists(
    st.lists(parts | more_parts, min_size=1, max_size=3).map(lambda names: Path("/", *names)),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(some_paths, st.integers(0, 8), st.data())
@example([Path("/d/a.fa"), Path("/d/a.fasta")], 1, None)
@example([Path("/a.fa"), Path("/a." + "n" * 230)], 1, None)
def test_no_two_inputs_can_claim_one_result_path_whenever_they_are_added(
    paths: list[Path], first: int, data: st.DataObject | None
) -> None:
    """Whatever files the jobs of either session leave: named after their input, or like any input or result."""
    before = files_at(paths[:first])
    inputs = resumed(before, paths)
    assert [file.id for file in inputs[:first]] == [file.id for file in before]
    assert len({file.id for file in inputs}) == len(inputs)
    tempting = {file.path.name for file in inputs} | {file.id for file in inputs} | {file.stem for file in inputs}
    tempting |= {f"{name}.faa" for name in tempting} | {f"{name}/inner" for name in tempting}
    owner_of: dict[str, str] = {}
    for file in inputs:
        names = sorted(name for name in tempting if name == file.stem or name.startswith(f"{file.stem}."))
        if data is not None and data.draw(st.booleans()):
            names = data.draw(st.lists(st.sampled_from(sorted(tempting)), max_size=4))
        for name in names:
            path = Path(result_folder(file, names), name)
            for claimed in (path, *path.parents[:-1]):
                assert owner_of.setdefault(str(claimed), file.id) == file.id
