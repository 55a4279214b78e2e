"""The digest of results: what it depends on, and that everything is synced before it is returned."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from virnucpro_bus.files.disk import Disk
from workers.commit.manifest import Manifest, begin_sync, measure
from workers.commit.placement import list_names


def of(folder: Path) -> Manifest:
    return measure(str(folder), list_names(str(folder)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "deep" / "er").mkdir(parents=True)
    (made / "a.txt").write_text("one")
    (made / "deep" / "b").write_bytes(b"\0two")
    (made / "deep" / "er" / "c").write_text("")
    (made / "link").symlink_to("a.txt")
    return made


def test_entries_and_bytes_are_counted_folders_by_their_files(folder: Path) -> None:
    assert of(folder)[:2] == (3, 7)


def test_the_digest_of_plain_files_is_that_of_what_sha256sum_prints(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(name)
    lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("a.txt", "b.txt"))
    assert of(tmp_path).digest == hashlib.sha256(lines.encode()).hexdigest()


def test_syncing_measures_the_same(folder: Path) -> None:
    assert begin_sync(str(folder), Disk()).sync(Disk()) == of(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a.txt").write_text("two"),
        lambda folder: (folder / "a.txt").rename(folder / "z.txt"),
        lambda folder: (folder / "deep" / "er" / "c").write_text("x"),
        lambda folder: (folder / "deep" / "er" / "c").unlink(),
        lambda folder: (folder / "deep" / "new").mkdir(),
        lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("deep")),
    ],
    ids=["content", "name", "content below", "removed below", "empty folder", "link"],
)
def test_whatever_is_changed_changes_the_digest(folder: Path, change: object) -> None:
    before = of(folder)
    assert callable(change)
    change(folder)
    assert of(folder).digest != before.digest


def test_names_that_are_not_text_are_results_like_others(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\n")).write_text("x")
    assert begin_sync(str(tmp_path), Disk()).sync(Disk())[:2] == (1, 1)


def test_what_cannot_be_read_without_waiting_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert begin_sync(str(tmp_path), Disk()).sync(Disk())[:2] == (1, 0)


class Noting(Disk):
    def __init__(self) -> None:
        self.begun: list[str] = []
        self.synced: list[str] = []

    def begin_sync(self, descriptor: int) -> None:
        assert self.synced == []
        self.begun.append(os.readlink(f"/proc/self/fd/{descriptor}"))

    def sync(self, descriptor: int) -> None:
        self.synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))


def test_every_file_and_every_folder_below_is_synced(folder: Path) -> None:
    disk = Noting()
    begin_sync(str(folder), disk).sync(disk)
    files = ["a.txt", "deep/b", "deep/er/c"]
    assert sorted(disk.synced) == sorted(str(folder / name) for name in (*files, "deep", "deep/er"))


def test_the_files_of_several_folders_are_all_being_written_before_the_first_is_waited_for(folder: Path) -> None:
    disk, other = Noting(), folder / "deep"
    unsynced = [begin_sync(str(each), disk) for each in (folder, other)]
    assert [each.sync(disk) for each in unsynced] == [of(folder), of(other)]
    assert set(disk.begun) == {path for path in disk.synced if os.path.isfile(path)}
