"""Files that a command writes for its user, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from virnucpro_bus.errors import UserError
from virnucpro_bus.files.new_files import write_file, write_folder


def failing() -> Iterator[bytes]:
    yield b"half"
    raise RuntimeError


def test_a_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_file(path, [b"a", b"b"], replace=False)
    with pytest.raises(UserError, match="already exists; choose another name, or add --force"):
        write_file(path, [b"c"], replace=False)
    assert path.read_bytes() == b"ab"
    write_file(path, [b"c"], replace=True)
    assert path.read_bytes() == b"c"


@pytest.mark.parametrize("replace", [True, False])
def test_content_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path, replace: bool) -> None:
    path = tmp_path / "report.html"
    if replace:
        path.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        write_file(path, failing(), replace=replace)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("report.html", b"old")] * replace


def test_a_link_stays_and_the_file_that_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "shared.html").write_bytes(b"old")
    (tmp_path / "report.html").symlink_to("shared.html")
    write_file(tmp_path / "report.html", [b"new"], replace=True)
    assert (tmp_path / "report.html").is_symlink()
    assert (tmp_path / "shared.html").read_bytes() == b"new"


def test_what_is_no_file_is_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(UserError, match="is not a file, and is not replaced; choose another name"):
            write_file(path, [b"new"], replace=True)
    assert pipe.is_fifo()


def test_the_files_of_a_folder_appear_when_all_are_whole(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(RuntimeError):
        write_folder(folder, [("a.json", [b"a"]), ("b.json", failing())], replace=False)
    assert list(tmp_path.iterdir()) == []
    write_folder(folder, [("a.json", [b"a"]), ("b.json", [b"b"])], replace=False)
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == {"a.json": b"a", "b.json": b"b"}
    with pytest.raises(UserError, match="already exists"):
        write_folder(folder, [("c.json", [b"c"]), ("a.json", [b"new"])], replace=False)
    assert sorted(each.name for each in folder.iterdir()) == ["a.json", "b.json"]
