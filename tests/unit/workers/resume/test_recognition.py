"""Which inputs are files of an earlier session, however they are reached, and which are read to tell."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from virnucpro_bus.events.run_events import PlannedFile
from virnucpro_bus.events.vocabulary import Origin
from workers.inputs.find import find_inputs
from workers.inputs.input_file import InputFile, content_digest
from workers.inputs.input_files import GivenFiles, InputFiles
from workers.resume.as_planned import AsPlanned
from workers.resume.recognition import Known, recognize


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    for name in ("a.fa", "b.fa", "deep/a.fa", "deep/c.fa"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(f">{name}\nACGT\n")
    return made


def planned(files: Sequence[InputFile]) -> dict[str, PlannedFile]:
    return {
        file.id: PlannedFile(file.id, file.size_bytes, file.cost, file.identity, file.origin, file.own_folder)
        for file in files
    }


class Run:
    """A run in which all files below a folder were planned, and all or none committed."""

    def __init__(self, folder: Path, *, committed: bool = True) -> None:
        files = find_inputs([folder, folder / "deep"]).files
        self.plan = planned(files)
        self.contents = {file.id: content_digest(file.path) for file in files if committed}
        self.read: list[str] = []
        self.has_read_plan = False

    def recognize(self, *arguments: Path) -> dict[str, Known | None]:
        """What the inputs of the arguments are, by their paths below the folder with the test's files."""
        files = find_inputs(arguments).files
        known = self.recognize_files(files)
        return {f"{file.path.parent.name}/{file.path.name}": each for file, each in zip(files, known, strict=True)}

    def recognize_files(self, files: InputFiles) -> list[Known | None]:
        return recognize(AsPlanned(self.plan.values()), self._read_plan, self.contents, files, self._read)

    def _read_plan(self) -> dict[str, PlannedFile]:
        self.has_read_plan = True
        return self.plan

    def _read(self, path: Path) -> str:
        self.read.append(path.name)
        return content_digest(path)


IDS = {"in/a.fa": "in+a.fa", "in/b.fa": "b.fa", "deep/a.fa": "deep+a.fa", "deep/c.fa": "c.fa"}
SAME = {path: Known(file) for path, file in IDS.items()}


def through_a_link(folder: Path) -> Path:
    link = folder.with_name("link")
    link.symlink_to(folder)
    return link


def by_another_spelling(folder: Path) -> Path:
    return folder / "deep" / ".." / "." / "deep" / ".."


def moved(folder: Path) -> Path:
    (folder.parent / "elsewhere").mkdir()
    return folder.rename(folder.parent / "elsewhere" / "in")


@pytest.mark.parametrize("reach", [through_a_link, by_another_spelling, moved])
def test_files_are_the_same_by_another_path_and_are_not_read(folder: Path, reach: Callable[[Path], Path]) -> None:
    run = Run(folder)
    path = reach(folder)
    found = run.recognize(path, path / "deep")
    assert set(found.values()) == set(SAME.values())
    assert run.read == []


class Unmoved(GivenFiles):
    """Files of which nothing may be asked but their identities."""

    def planned(self, numbers: Sequence[int]) -> Iterator[PlannedFile]:
        raise AssertionError("a million files are recognized without their origins")


def test_files_that_are_as_planned_are_recognized_by_their_identities_alone(folder: Path) -> None:
    run = Run(folder)
    known = run.recognize_files(Unmoved(find_inputs([folder, folder / "deep"]).files))
    assert [each and each.id for each in known] == list(run.plan)
    assert not run.has_read_plan


def test_a_file_that_changes_while_a_link_follows_its_folder_is_changed(folder: Path) -> None:
    link = through_a_link(folder)
    run = Run(link)
    link.unlink()
    link.symlink_to(moved(folder))
    (link / "a.fa").write_text("other")
    assert run.recognize(link, link / "deep")["link/a.fa"] == Known("link+a.fa", is_unchanged=False)


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(folder, folder.parent / "copy" / "in", copy_function=shutil.copyfile))


def copied_with_times(folder: Path) -> Path:
    return Path(shutil.copytree(folder, folder.parent / "copy" / "in"))


def touched(folder: Path) -> Path:
    for path in folder.rglob("*.fa"):
        os.utime(path, ns=(1, 1))
    return folder


@pytest.mark.parametrize("change", [copied, copied_with_times, touched])
def test_copies_and_files_of_another_time_are_the_same_if_their_content_is(
    folder: Path, change: Callable[[Path], Path]
) -> None:
    run = Run(folder)
    path = change(folder)
    expected = {name: replace(known, was_read=True) for name, known in SAME.items()}
    assert run.recognize(path, path / "deep") == expected


def test_a_file_of_which_only_the_content_differs_is_changed(folder: Path) -> None:
    run = Run(folder)
    (folder / "b.fa").write_text(">b.fa\nTTTT\n")
    assert run.recognize(folder)["in/b.fa"] == Known("b.fa", is_unchanged=False)
    assert run.read == ["b.fa"]


def test_of_a_changed_size_nothing_is_read(folder: Path) -> None:
    run = Run(folder)
    (folder / "b.fa").write_text(">b.fa\nACGTACGT\n")
    assert run.recognize(folder)["in/b.fa"] == Known("b.fa", is_unchanged=False)
    assert run.read == []


def test_a_changed_file_in_a_copied_folder_is_the_changed_file(folder: Path) -> None:
    run = Run(folder)
    path = copied(folder)
    (path / "b.fa").write_text(">b.fa\nTTTT\n")
    assert run.recognize(path)["in/b.fa"] == Known("b.fa", is_unchanged=False)


def test_a_namesake_in_another_folder_is_another_file(folder: Path, tmp_path: Path) -> None:
    run = Run(folder)
    (tmp_path / "other").mkdir()
    for name in ("b.fa", "c.fa"):
        (tmp_path / "other" / name).write_text(">b.fa\nTTTT\n")
        status = (folder / "b.fa").stat()
        os.utime(tmp_path / "other" / name, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert set(run.recognize(tmp_path / "other").values()) == {None}


def test_a_namesake_of_a_file_without_results_takes_its_id(folder: Path, tmp_path: Path) -> None:
    run = Run(folder, committed=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.fa").write_text(">other\n")
    assert run.recognize(tmp_path / "other") == {"other/b.fa": Known("b.fa", is_unchanged=False)}


def test_a_renamed_file_is_recognized_by_inode_or_content(folder: Path) -> None:
    run = Run(folder)
    (folder / "b.fa").rename(folder / "x.fa")
    (folder / "a.fa").unlink()
    shutil.copyfile(folder / "deep" / "c.fa", folder / "y.fa")
    (folder / "deep" / "c.fa").unlink()
    assert run.recognize(folder) == {
        "in/x.fa": Known("b.fa", is_renamed=True),
        "in/y.fa": Known("c.fa", is_renamed=True, was_read=True),
    }


def test_files_that_have_exchanged_their_names_are_changed_both(folder: Path) -> None:
    (folder / "b.fa").write_text(">longer\nACGTACGTACGT\n")
    run = Run(folder)
    (folder / "a.fa").rename(folder / "x")
    (folder / "b.fa").rename(folder / "a.fa")
    (folder / "x").rename(folder / "b.fa")
    assert run.recognize(folder, folder / "deep") == SAME | {
        "in/a.fa": Known("in+a.fa", is_unchanged=False),
        "in/b.fa": Known("b.fa", is_unchanged=False),
    }


def test_all_empty_files_are_not_one_file(folder: Path) -> None:
    (folder / "b.fa").write_text("")
    run = Run(folder)
    (folder / "b.fa").unlink()
    (folder / "new.fa").write_text("")
    assert run.recognize(folder)["in/new.fa"] is None


@pytest.mark.parametrize(("content", "is_unchanged"), [(">b.fa\nACGT\n", True), (">b.fa\nTTTT\n", False)])
def test_a_file_whose_origin_was_not_recorded_is_known_by_its_id(
    folder: Path, content: str, is_unchanged: bool
) -> None:
    run = Run(folder)
    run.plan = {"b.fa": PlannedFile("b.fa", 0, 0)}
    (folder / "b.fa").write_text(content)
    assert run.recognize(folder)["in/b.fa"] == Known("b.fa", is_unchanged, was_read=is_unchanged)


facts = st.builds(Origin, *[st.sampled_from("xyz")] * 4)
some_files = st.lists(st.tuples(facts, st.integers(0, 2), st.sampled_from("rst")), max_size=6)


class FilesOf(GivenFiles):
    """Files of these origins and sizes, at paths "/0", "/1" ..."""

    def __init__(self, origins: Sequence[Origin], sizes: Sequence[int]) -> None:
        self._origins = origins
        super().__init__(
            InputFile(f"n{at}", Path(f"/{at}"), f"n{at}", size, 1, False) for at, size in enumerate(sizes)
        )

    def planned(self, numbers: Sequence[int]) -> Iterator[PlannedFile]:
        for number, plan in zip(numbers, super().planned(numbers), strict=True):
            yield replace(plan, origin=self._origins[number])


@given(some_files, some_files, st.sets(st.integers(0, 5)))
def test_whatever_was_planned_each_input_is_one_file_and_none_is_two(
    then: list[tuple[Origin, int, str]], now: list[tuple[Origin, int, str]], committed: set[int]
) -> None:
    plan = {f"f{at}": PlannedFile(f"f{at}", size, 1, "", origin) for at, (origin, size, _) in enumerate(then)}
    contents = {f"f{at}": content for at, (_, _, content) in enumerate(then) if at in committed}
    files = FilesOf([origin for origin, _, _ in now], [size for _, size, _ in now])
    known = recognize(AsPlanned(plan.values()), lambda: plan, contents, files, lambda path: now[int(path.name)][2])
    ids = [each.id for each in known if each]
    assert len(set(ids)) == len(ids)
    for (origin, size, content), each in zip(now, known, strict=True):
        if each and each.was_read:
            assert contents[each.id] == content
        if each and each.is_unchanged:
            assert each.is_renamed or plan[each.id].origin.name == origin.name  # type: ignore[union-attr]
            assert each.was_read or plan[each.id].origin.version == origin.version  # type: ignore[union-attr]
        assert each is None or size > 0 or not (each.is_renamed and each.was_read)
