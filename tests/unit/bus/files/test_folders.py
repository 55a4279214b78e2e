"""Folders that a program has left without permissions, or very deep."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ordinary_user import NOBODY, ordinary_user
from virnucpro_bus.files.folders import grant_access, remove_tree


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder in which nothing may be written, listed or read; a link in it leads to a file outside."""
    with ordinary_user() as home:
        (home / "outside").mkdir()
        (home / "outside" / "mine").write_text("mine")
        folder = home / "left"
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "x").write_text("x")
        (folder / "deep" / "link").symlink_to(home / "outside")
        os.mkfifo(folder / "deep" / "pipe")
        (folder / "deep" / "er" / "x").chmod(0)
        for path in (folder / "deep" / "er", folder / "deep", folder):
            path.chmod(0o555 if path.name == "deep" else 0)
        yield folder


def test_it_is_removed_and_what_a_link_leads_to_stays(closed: Path) -> None:
    remove_tree(str(closed))
    assert not closed.exists()
    assert (closed.parent / "outside" / "mine").read_text() == "mine"


def test_its_owner_gets_access_to_everything(closed: Path) -> None:
    grant_access(str(closed))
    assert (closed / "deep" / "er" / "x").read_text() == "x"
    (closed / "deep" / "er").rename(closed / "moved")
    assert stat.S_IMODE((closed / "deep").stat().st_mode) == 0o755


def test_very_deep_folders_are_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "top")
    os.mkdir(path)
    for _ in range(1500):
        path += "/d"
        os.mkdir(path)
    grant_access(str(tmp_path / "top"))
    remove_tree(str(tmp_path / "top"))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_what_cannot_be_removed_is_reported_and_all_else_is_removed() -> None:
    with ordinary_user() as home:
        (home / "left" / "a").mkdir(parents=True)
        (home / "left" / "b").write_text("b")
        os.seteuid(0)
        os.chown(home / "left" / "a", 0, 0)
        (home / "left" / "a" / "roots").write_text("x")
        os.seteuid(NOBODY)
        with pytest.raises(PermissionError):
            remove_tree(str(home / "left"))
        assert os.listdir(home / "left") == ["a"]
