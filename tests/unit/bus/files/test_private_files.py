"""Files of this user alone: what other users could have read or changed is refused."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support.umask import umask
from virnucpro_bus.errors import UserError
from virnucpro_bus.files.private_files import (
    MAX_BYTES,
    OTHERS_AT_ALL,
    OTHERS_WRITE,
    private_parent,
    read_private,
    write_private,
)

NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config" / "ours" / "file"
    private_parent(path)
    return path


@pytest.fixture
def written(path: Path) -> Path:
    write_private(path, "text\n")
    return path


@pytest.mark.parametrize("bits", [0o000, 0o022, 0o077])
def test_files_and_the_folders_above_are_ours_alone_whatever_the_umask(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "config" / "ours" / "file"
    with umask(bits):
        private_parent(path)
        write_private(path, "text")
    assert [mode(each) for each in (path.parent.parent, path.parent, path)] == [0o700, 0o700, 0o600]


def test_what_was_written_is_read(written: Path) -> None:
    assert read_private(written, OTHERS_AT_ALL) == "text\n"


@pytest.mark.parametrize("others", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666])
def test_a_secret_that_others_may_read_or_change_is_refused_with_the_remedy(written: Path, others: int) -> None:
    written.chmod(others)
    with pytest.raises(UserError, match=rf"^{written}: other users may .*: chmod 600 {written}$"):
        read_private(written, OTHERS_AT_ALL)
    written.chmod(0o600)
    assert read_private(written, OTHERS_AT_ALL) == "text\n"


@pytest.mark.parametrize("others", [0o620, 0o602, 0o622, 0o666])
def test_a_list_that_others_may_change_is_refused(written: Path, others: int) -> None:
    written.chmod(others)
    with pytest.raises(UserError, match=rf"^{written}: other users may change it; .*: chmod 600 {written}$"):
        read_private(written, OTHERS_WRITE)


@pytest.mark.parametrize("others", [0o400, 0o600, 0o640, 0o644, 0o755])
def test_a_list_that_others_may_only_read_is_read(written: Path, others: int) -> None:
    written.chmod(others)
    assert read_private(written, OTHERS_WRITE) == "text\n"


@pytest.mark.parametrize("others", [0o720, 0o702, 0o770, 0o777])
def test_a_folder_in_which_others_may_put_files_is_refused_with_the_remedy(written: Path, others: int) -> None:
    written.parent.chmod(others)
    for use in (lambda: read_private(written, OTHERS_WRITE), lambda: private_parent(written)):
        with pytest.raises(UserError, match=rf"other users may change its files; .*: chmod 700 {written.parent}$"):
            use()


def test_the_remedy_can_be_pasted_into_a_shell_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "it's $HOME" / "a key"
    private_parent(path)
    write_private(path, "text")
    path.chmod(0o644)
    with pytest.raises(UserError) as refused:
        read_private(path, OTHERS_AT_ALL)
    subprocess.run(["/bin/sh", "-c", str(refused.value).rpartition(": ")[2]], check=True)
    assert read_private(path, OTHERS_AT_ALL) == "text"


def test_a_link_is_refused_even_to_a_file_of_ours(written: Path) -> None:
    link = written.with_name("link")
    link.symlink_to(written)
    with pytest.raises(UserError, match=f"^{link}: cannot be read: is a link; replace it by the file itself$"):
        read_private(link, OTHERS_AT_ALL)


def test_writing_neither_replaces_a_file_nor_follows_a_link(written: Path) -> None:
    dangling = written.with_name("dangling")
    dangling.symlink_to(written.with_name("elsewhere"))
    for each in (written, dangling):
        with pytest.raises(FileExistsError):
            write_private(each, "other")
    assert written.read_text() == "text\n"
    assert not written.with_name("elsewhere").exists()


def test_a_pipe_is_refused_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with pytest.raises(UserError, match="must be a file that you own"):
        read_private(path, OTHERS_AT_ALL)


def test_a_folder_in_the_files_place_is_refused(path: Path) -> None:
    path.mkdir(0o700)
    with pytest.raises(UserError, match="must be a file that you own"):
        read_private(path, OTHERS_AT_ALL)


def test_a_file_that_is_too_long_to_be_one_of_ours_is_refused(path: Path) -> None:
    write_private(path, "x" * (MAX_BYTES + 1))
    with pytest.raises(UserError, match="of at most 1 MiB"):
        read_private(path, OTHERS_AT_ALL)


@as_root
def test_another_users_file_is_refused(written: Path) -> None:
    os.chown(written, NOBODY, -1)
    with pytest.raises(UserError, match="must be a file that you own"):
        read_private(written, OTHERS_AT_ALL)


@as_root
def test_another_users_folder_is_refused(written: Path) -> None:
    os.chown(written.parent, NOBODY, -1)
    with pytest.raises(UserError, match="must be a folder that you own"):
        read_private(written, OTHERS_AT_ALL)


def test_a_file_in_the_folders_place_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    with pytest.raises(UserError, match=f"^{tmp_path}/config/ours: cannot be created: Not a directory$"):
        private_parent(tmp_path / "config" / "ours" / "file")
