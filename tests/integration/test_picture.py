"""The picture of the dashboard that scripts/picture draws from a capture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from tests.support.lab import Lab
from tests.support.paths import SCRIPTS
from tests.support.run_files import small_files

SCRIPT = SCRIPTS / "draw_picture.py"


def draw(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_a_capture_gives_the_same_picture_each_time_and_it_fetches_nothing(lab: Lab) -> None:
    small_files(lab.folder / "in", 3)
    ended = lab.run("run", "in", "--out", "out", "--devices", "cpu:2", "--no-dashboard")
    assert ended.wait() == 0, ended.stderr
    pictures = [lab.folder / "1.svg", lab.folder / "2.svg"]
    for picture in pictures:
        drawn = draw(lab.folder / "out" / "run.vbus", picture, "--title", "three <files>")
        assert (drawn.returncode, drawn.stdout, drawn.stderr) == (0, "", "")
    first, second = (picture.read_text(encoding="utf-8") for picture in pictures)
    assert first == second
    text = "".join(ElementTree.fromstring(first).itertext()).replace("\xa0", " ")
    assert "three <files>" in text
    assert "3/3 files" in text
    assert "font-face" not in first
    assert "url(http" not in first


def test_what_cannot_be_drawn_is_said_in_one_line(tmp_path: Path) -> None:
    drawn = draw(tmp_path / "none.vbus", tmp_path / "picture.svg")
    assert drawn.returncode == 1
    assert drawn.stderr.startswith("scripts/picture: ")
    assert drawn.stderr.count("\n") == 1
    assert not (tmp_path / "picture.svg").exists()
