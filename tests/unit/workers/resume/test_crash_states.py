"""The power goes at any moment, or a disk fails at any operation: nothing that was called done is missing."""

from __future__ import annotations

import errno
import itertools
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.crashes import Recording, lay_out, states
from tests.support.machine import Machine, some_inputs
from tests.support.run_files import recorded, results
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import FileCommitted
from virnucpro_bus.files.disk import Disk, StrPath
from virnucpro_bus.run_folder import CAPTURE_NAME
from workers.commit.result_store import ResultStore
from workers.inputs.find import find_inputs
from workers.inputs.input_file import InputFile
from workers.resume.journal import read_past_run


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Sequence[InputFile]:
    return some_inputs(tmp_path_factory.mktemp("inputs") / "in")


@pytest.fixture(scope="module")
def serial(inputs: Sequence[InputFile], tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run gives that nothing has disturbed."""
    run_dir = tmp_path_factory.mktemp("serial")
    Machine(run_dir, inputs, Disk()).work()
    return results(run_dir)


def committed_files(run_dir: Path) -> set[str]:
    """The files that the journal calls done; their results must be whole."""
    return set(read_past_run(run_dir / CAPTURE_NAME).committed) if (run_dir / CAPTURE_NAME).exists() else set()


def assert_that_what_is_done_is_there(run_dir: Path, inputs: Sequence[InputFile]) -> None:
    if not (run_dir / CAPTURE_NAME).exists():
        return
    past = read_past_run(run_dir / CAPTURE_NAME)
    done = [file for file in inputs if file.id in past.committed]
    for file in done:
        manifest = past.manifest_of(file.id)
        # Until the journal is synced, the names may be lost and the commit not: then nothing depends on it yet.
        if placement := past.results.of_commit(file.id, manifest.results):
            assert ResultStore(run_dir).is_intact(placement, manifest)


def assert_that_it_is_resumed(run_dir: Path, inputs: Sequence[InputFile], serial: dict[str, bytes]) -> None:
    """To the results of a serial run, and no file is committed a second time."""
    Machine(run_dir, inputs, Disk(), wall_seconds=1_000).work()
    assert results(run_dir) == serial
    commits = Counter(envelope.event.file for envelope in recorded(run_dir, FileCommitted))
    assert commits == Counter({file.id: 1 for file in inputs})


def contents(run_dir: Path) -> dict[str, bytes]:
    paths = [path for path in run_dir.rglob("*") if path.is_file() and ".attempts" not in path.parts]
    return {str(path.relative_to(run_dir)): path.read_bytes() for path in paths}


def test_a_run_resumes_from_whatever_a_crash_can_leave_on_disk(
    tmp_path: Path, inputs: Sequence[InputFile], serial: dict[str, bytes]
) -> None:
    disk = Recording(tmp_path / "run")
    Machine(tmp_path / "run", inputs, disk).work()
    crashed = 0
    for crashed, left in enumerate(states({}, disk.operations, seed=1), 1):
        run_dir = tmp_path / f"crash-{crashed}"
        run_dir.mkdir()
        lay_out(left, run_dir)
        assert_that_what_is_done_is_there(run_dir, inputs)
        assert_that_it_is_resumed(run_dir, inputs, serial)
    assert crashed > 100


def test_a_resumed_run_resumes_from_whatever_another_crash_can_leave(
    tmp_path: Path, inputs: Sequence[InputFile], serial: dict[str, bytes]
) -> None:
    first = Recording(tmp_path / "run")
    Machine(tmp_path / "run", inputs, first).work()
    middle = list(states({}, first.operations, seed=2))[60::90]
    crashed = 0
    for at, left in enumerate(middle):
        again = tmp_path / f"again-{at}"
        again.mkdir()
        lay_out(left, again)
        second = Recording(again)
        Machine(again, inputs, second, wall_seconds=500).work()
        for twice in itertools.islice(states(left, second.operations, seed=at), 3, None, 12):
            crashed += 1
            run_dir = tmp_path / f"crash-{crashed}"
            run_dir.mkdir()
            lay_out(twice, run_dir)
            assert_that_what_is_done_is_there(run_dir, inputs)
            assert_that_it_is_resumed(run_dir, inputs, serial)
    assert crashed > 20


def test_results_are_replaced_whatever_a_crash_leaves_and_files_of_the_user_stay(tmp_path: Path) -> None:
    run_dir, folder = tmp_path / "run", tmp_path / "in"
    some_inputs(folder)
    for name in ("two.fa", "deep.fa"):
        (folder / name).write_text(">more\nacgt\n")
    Machine(run_dir, find_inputs([folder]).files, Disk()).work()
    (run_dir / "results" / "two.mine").write_text("mine")
    (run_dir / "results" / "deep.fa" / "report.more" / "mine").write_text("mine")
    before = contents(run_dir)
    for name in ("two.fa", "deep.fa"):
        (folder / name).write_text(">less\nacgt\n")
    files = find_inputs([folder]).files
    Machine(tmp_path / "serial", files, Disk()).work()
    expected = results(tmp_path / "serial") | {"two.mine": b"mine", "deep.fa/report.more/mine": b"mine"}
    disk = Recording(run_dir)
    Machine(run_dir, files, disk, wall_seconds=500).work()
    assert results(run_dir) == expected
    crashed = 0
    for crashed, left in enumerate(itertools.islice(states(before, disk.operations, seed=3), 0, None, 3), 1):
        run_dir = tmp_path / f"crash-{crashed}"
        run_dir.mkdir()
        lay_out(left, run_dir)
        assert_that_what_is_done_is_there(run_dir, files)
        Machine(run_dir, files, Disk(), wall_seconds=1_000).work()
        assert results(run_dir) == expected
    assert crashed > 50


class Failing(Disk):
    """A disk whose operation number `at` fails."""

    def __init__(self, at: int, error: int) -> None:
        self._left, self._error = at, error
        self.has_failed = False

    def _count(self, path: StrPath = "") -> None:
        self._left -= 1
        if self._left == 0:
            self.has_failed = True
            raise OSError(self._error, os.strerror(self._error), os.fspath(path))

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        self._count()
        return super().write(descriptor, data)

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self._count()
        super().truncate(descriptor, size_bytes)

    def sync(self, descriptor: int) -> None:
        self._count()
        super().sync(descriptor)

    def make_folder(self, path: StrPath) -> None:
        self._count(path)
        super().make_folder(path)

    def rename(self, source: StrPath, target: StrPath) -> None:
        self._count(target)
        super().rename(source, target)

    def remove(self, path: StrPath) -> None:
        self._count(path)
        super().remove(path)

    def unlink(self, path: StrPath) -> None:
        self._count(path)
        super().unlink(path)

    def remove_empty_folder(self, path: StrPath) -> None:
        self._count(path)
        super().remove_empty_folder(path)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_whichever_operation_fails_nothing_is_called_done_that_is_not_on_disk(
    tmp_path: Path, inputs: Sequence[InputFile], serial: dict[str, bytes], error: int
) -> None:
    for at in itertools.count(1):
        run_dir = tmp_path / f"fails-{at}"
        run_dir.mkdir()
        disk = Failing(at, error)
        try:
            machine = Machine(run_dir, inputs, disk)
            machine.work()
        except UserError:
            assert at < 10, "once it has begun it ends in order"
        else:
            done = machine.coordinator.get_totals()["files_completed"]
            whole = results(run_dir)
            assert {name: serial[name] for name in whole} == whole
            assert done * 2 == len(whole)
        assert_that_what_is_done_is_there(run_dir, inputs)
        Machine(run_dir, inputs, Disk(), wall_seconds=1_000).work()
        assert results(run_dir) == serial
        assert committed_files(run_dir) == {file.id for file in inputs}
        if not disk.has_failed:
            break
    assert at > 20
