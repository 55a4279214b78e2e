"""Input files as columns: each is the file that it would be by itself, and it takes little memory."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.plans import cpus
from workers.coordinator.coordinator import WorkStealingCoordinator
from workers.inputs.find import find_inputs
from workers.inputs.input_file import state_of
from workers.inputs.input_files import GivenFiles, InputFiles

MANY = 1_000
FOUND_BYTES, PLANNED_BYTES = 200, 150
"""What a file may take once it is found, and what its plan may take in the coordinator."""


@pytest.fixture
def found(tmp_path: Path) -> InputFiles:
    """Files of several folders, sizes and times, one of them with a name that is not text."""
    for number, name in enumerate(["x/a.fa", "x/b.fa.gz", "y/a.fa", "y/c.fasta", os.fsdecode(b"y/\xe9.fa")]):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x" * (number * 7 % 5))
        path.chmod(0o644)
    os.utime(tmp_path / "x" / "a.fa", ns=(0, -1_500_000_001))
    return find_inputs([tmp_path / "x", tmp_path / "y"]).files


def test_a_file_of_columns_is_found_in_its_state(found: InputFiles) -> None:
    assert [file.state for file in found] == [state_of(file.path) for file in found]
    assert found[0].state is not None
    assert found[0].state.mtime_ns < 0


OPERATIONS: dict[str, Callable[[InputFiles], InputFiles]] = {
    "picked": lambda files: files.pick([3, 0, 4]),
    "sliced": lambda files: files[1:4],
    "biggest first": InputFiles.biggest_first,
    "by id": InputFiles.by_id,
    "estimated": lambda files: files.with_costs(range(7, 7 + len(files))),
    "renamed": lambda files: files.renamed(
        [f"n{at}" for at in range(len(files))], [at % 2 == 0 for at in range(5)]
    ),
    "picked and estimated": lambda files: files.pick([4, 2]).with_costs([8, 9]),
    "picked and renamed": lambda files: files.pick([4, 2]).renamed(["m", "n"], [True, False]),
    "picked twice": lambda files: files.pick([4, 2, 1]).pick([2, 0]),
    "joined": lambda files: files.pick([4]).followed_by(files.pick([1, 2])),
    "joined with others": lambda files: files.pick([4]).followed_by(GivenFiles([replace(files[1], id="other")])),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_files_found_and_files_given_one_by_one_are_the_same(
    found: InputFiles, operation: Callable[[InputFiles], InputFiles]
) -> None:
    ours, plain = operation(found), operation(GivenFiles(found))
    assert ours == plain
    for column in ("ids", "costs", "names", "folders", "stems", "paths", "identities"):
        assert list(getattr(ours, column)) == list(getattr(plain, column))
    numbers = range(len(plain))
    assert list(ours.planned(numbers)) == list(plain.planned(numbers))


def bytes_taken(folder: Path) -> tuple[int, int]:
    """What all files take that are found there, and what their plan takes."""
    tracemalloc.start()
    try:
        found = find_inputs([folder])
        of_found, _ = tracemalloc.get_traced_memory()
        coordinator = WorkStealingCoordinator(cpus(2), found.files)
        of_all, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert coordinator.unsettled == MANY
    return of_found, of_all - of_found


def test_a_file_takes_little_memory_once_it_is_found_and_planned(tmp_path: Path) -> None:
    for number in range(MANY):
        (tmp_path / f"f{number:07}.fa").write_bytes(b"x" * (300 + number))
    # What is loaded once for all files does not count, nor does a cache or table of the process that happens to
    # grow meanwhile: where many tests have run before, these are big, but they do not grow each time.
    of_found, planned = map(min, zip(*(bytes_taken(tmp_path) for _ in range(3)), strict=True))
    assert of_found / MANY < FOUND_BYTES
    assert planned / MANY < PLANNED_BYTES


def test_a_file_that_all_may_read_is_not_opened(found: InputFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    open_file = os.open

    def noting_open(path: str, flags: int, *, dir_fd: int | None = None) -> int:
        if not flags & os.O_PATH:
            opened.append(os.path.basename(path))
        return open_file(path, flags, dir_fd=dir_fd)

    (path, *others) = (file.path for file in found)
    path.chmod(0o600)
    monkeypatch.setattr(os, "open", noting_open)
    assert len(find_inputs([path, *others]).files) == len(found)
    assert opened == [path.name]
