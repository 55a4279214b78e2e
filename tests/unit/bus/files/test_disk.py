"""A file that is replaced in one step: at any moment the old one or the new one, whole."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.umask import umask
from virnucpro_bus.files.disk import Disk, StrPath

KILLED_WHILE_IT_WRITES = """
import os, pathlib, signal, sys
from virnucpro_bus.files.disk import Disk
with Disk().replace_atomically(pathlib.Path(sys.argv[1])) as file:
    file.write(b"half of the new")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


class Noting(Disk):
    """A disk that notes each operation with what the file at `path` and the synced file held then."""

    def __init__(self, path: Path) -> None:
        self.operations: list[tuple[str, str, str]] = []
        self._path = path

    def _note(self, operation: str, operand: str) -> None:
        self.operations.append((operation, operand, self._path.read_text()))

    def sync(self, descriptor: int) -> None:
        file = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        super().sync(descriptor)
        self._note("sync", "folder" if file.is_dir() else file.read_text())

    def rename(self, source: StrPath, target: StrPath) -> None:
        super().rename(source, target)
        self._note("rename", os.path.basename(target))


class Full(Disk):
    """A disk that is full when a file is synced."""

    def sync(self, descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("old")
    return path


def replace(path: Path, text: str, mode: int = 0o666) -> None:
    with Disk().replace_atomically(path, mode) as file:
        file.write(text.encode())


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_new_file_takes_the_place_of_the_old_one_and_nothing_else_is_left(path: Path) -> None:
    replace(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_was_not_there_is_made(tmp_path: Path) -> None:
    replace(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_the_new_content_is_on_disk_before_the_file_is_renamed_and_its_name_after(path: Path) -> None:
    disk = Noting(path)
    with disk.replace_atomically(path) as file:
        file.write(b"new")
    assert disk.operations == [("sync", "new", "old"), ("rename", "file", "new"), ("sync", "folder", "new")]


def test_the_old_file_stays_whole_until_the_writer_is_done(path: Path) -> None:
    with Disk().replace_atomically(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"


def test_the_old_file_stays_whole_and_alone_when_the_writer_raises(path: Path) -> None:
    def write_half() -> None:
        with Disk().replace_atomically(path) as file:
            file.write(b"half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_stays_whole_and_alone_when_the_disk_is_full(path: Path) -> None:
    with pytest.raises(OSError, match="No space left"), Full().replace_atomically(path) as file:
        file.write(b"new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_the_draft_of_a_writer_that_was_killed_does_not_hinder_the_next_one(path: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_WRITES, path], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    assert len(list(path.parent.iterdir())) == 2
    replace(path, "new")
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_link_in_the_place_of_the_draft_is_not_followed(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_text("untouched")
    path.with_name(f".{path.name}.draft").symlink_to(elsewhere)
    replace(path, "new")
    assert (path.read_text(), elsewhere.read_text()) == ("new", "untouched")


@pytest.mark.parametrize(("mode", "mask", "expected"), [(0o666, 0o022, 0o644), (0o600, 0o000, 0o600)])
def test_the_new_file_has_the_mode_asked_for_less_the_umask_whatever_the_old_one_had(
    path: Path, mode: int, mask: int, expected: int
) -> None:
    path.chmod(0o444)
    with umask(mask):
        replace(path, "new", mode)
    assert mode_of(path) == expected


def test_what_is_removed_may_be_gone_already_and_a_link_to_a_folder_is_removed_alone(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    (folder / "file").touch()
    link.symlink_to(folder)
    for _ in range(2):
        Disk().remove(link)
    assert (folder / "file").exists()
    for _ in range(2):
        Disk().remove(folder)
    assert list(tmp_path.iterdir()) == []


def test_a_replacement_that_need_not_be_durable_syncs_nothing(path: Path) -> None:
    disk = Noting(path)
    with disk.replace_atomically(path, durable=False) as file:
        file.write(b"new")
    assert disk.operations == [("rename", "file", "new")]


def test_it_works_where_nothing_can_be_synced_if_it_need_not_be_durable(path: Path) -> None:
    with Full().replace_atomically(path, durable=False) as file:
        file.write(b"new")
    assert path.read_text() == "new"


class Refusing(Disk):
    """A disk that refuses to sync."""

    def __init__(self, error: int) -> None:
        self._error = error

    def sync(self, descriptor: int) -> None:
        raise OSError(self._error, os.strerror(self._error))


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.EBADF])
def test_where_folders_cannot_be_synced_it_goes_on(tmp_path: Path, error: int) -> None:
    Refusing(error).sync_folder(tmp_path)


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_a_folder_that_could_not_be_synced_is_an_error(tmp_path: Path, error: int) -> None:
    with pytest.raises(OSError, match=os.strerror(error)):
        Refusing(error).sync_folder(tmp_path)
