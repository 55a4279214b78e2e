"""Lists of paths: what is read from them, and how their errors name the place."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virnucpro_bus.errors import InputError
from workers.inputs import path_list
from workers.inputs.find import find_inputs
from workers.inputs.path_list import PathList

Write = Callable[[bytes], Path]


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a list of paths below the current folder, which has two files and a folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.fa", "b c.fa", "lab/d.fa", "lab/e.fa"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def write(content: bytes) -> Path:
        path = tmp_path / "list.txt"
        path.write_bytes(content)
        return path

    return write


def names(path: Path, *, null: bool = False) -> list[str]:
    return [str(file.path.relative_to(path.parent)) for file in find_inputs([PathList(path, null=null)]).files]


def error(path: Path, *, null: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        find_inputs([PathList(path, null=null)])
    assert str(caught.value).isprintable()
    return str(caught.value)


def test_a_list_names_files_and_folders_relative_to_the_current_folder_in_its_order(listed: Write) -> None:
    assert names(listed(b"b c.fa\nlab\n./a.fa\n")) == ["b c.fa", "lab/d.fa", "lab/e.fa", "a.fa"]


def test_files_and_folders_of_one_folder_stay_in_the_order_of_the_list(listed: Write) -> None:
    assert names(listed(b"lab/e.fa\nlab/../lab/\nlab/d.fa\na.fa\n")) == ["lab/e.fa", "lab/../lab/d.fa", "a.fa"]


def test_empty_lines_a_missing_last_line_end_crlf_and_a_byte_order_mark_make_no_difference(listed: Write) -> None:
    assert names(listed(b"\xef\xbb\xbfa.fa\r\n\r\n\nb c.fa")) == ["a.fa", "b c.fa"]


def test_with_null_a_name_may_contain_line_ends_and_bytes_that_are_not_utf_8(
    listed: Write, tmp_path: Path
) -> None:
    name = os.fsdecode(b"two\nlines \xff\r.fa")
    (tmp_path / name).touch()
    assert names(listed(os.fsencode(name) + b"\0a.fa\0\0"), null=True) == [name, "a.fa"]


def test_a_path_that_cannot_be_used_is_named_with_the_list_and_its_line(listed: Write, tmp_path: Path) -> None:
    path = listed(b"a.fa\n\nlab/d.fa\nlab/no\x1b.fa\n")
    assert error(path) == f"{path}: line 4: {tmp_path}/lab/no\\x1b.fa: does not exist; check the path"


def test_a_folder_in_a_list_that_cannot_be_used_is_named_with_its_line(listed: Write, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert error(listed(b"a.fa\nempty\n")).startswith(
        f"{tmp_path}/list.txt: line 2: {tmp_path}/empty: contains no"
    )


@pytest.mark.parametrize(
    ("content", "null", "why"),
    [
        (b"", False, "lists no paths; check what has written the list"),
        (b"\n\n", False, "lists no paths"),
        (b"a.fa\0b c.fa\0", False, "line 1: contains a NUL; if each path ends in one (find -print0), add --null"),
        (b"a.fa\nb c.fa\n", True, "contains no NUL; leave out --null, if the list has lines"),
        (b"a.fa\n" * 1000, True, "contains no NUL; leave out --null, if the list has lines"),
        (b"a.fa\0" + b"a.fa\n" * 1000, True, "longer than a path can be; leave out --null, if the list has lines"),
        (
            b"a.fa\n" + b"x" * 5000,
            False,
            "line 2: " + "x" * 100 + "...: is longer than a path can be; give a list",
        ),
        (b"a.fa\n" + b"x" * 5000 + b"\n", False, "line 2: " + "x" * 100 + "...: is longer than a path can be"),
    ],
    ids=[
        "empty",
        "blank",
        "nul",
        "null of lines",
        "null of many lines",
        "lines after a NUL",
        "long",
        "long with an end",
    ],
)
def test_what_is_no_list_is_refused_with_what_to_do(listed: Write, content: bytes, null: bool, why: str) -> None:
    assert why in error(listed(content), null=null)


@pytest.mark.parametrize(("name", "reason"), [("none", "No such file or directory"), ("lab", "Is a directory")])
def test_a_list_that_cannot_be_read_is_named(listed: Write, tmp_path: Path, name: str, reason: str) -> None:
    listed(b"")
    assert error(tmp_path / name) == f"{tmp_path}/{name}: cannot be read: {reason}"


@given(paths=st.lists(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), max_size=8)),
       block=st.integers(1, 9))  # fmt: skip
def test_what_is_read_does_not_depend_on_how_the_list_arrives(
    paths: list[str], block: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("list") / "list"
    path.write_bytes(b"a\n" + "\n".join(paths).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(path_list, "_BLOCK_BYTES", block)
        read = list(PathList(path).read())
    expected = [(number, text) for number, text in enumerate(["a", *paths], 1) if text]
    assert read == expected


def test_a_list_that_is_typed_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = pty.openpty()
    saved = os.dup(0)
    try:
        os.dup2(theirs, 0)
        os.write(ours, b"some path\n\x04")
        assert list(PathList(Path("-")).read()) == [(1, "some path")]
    finally:
        os.dup2(saved, 0)
        for descriptor in (ours, theirs, saved):
            os.close(descriptor)
    assert capsys.readouterr().err == (
        "virnucpro-bus: reading a list of paths from the terminal, one on each line; Ctrl-D ends it\n"
    )
