"""docs/jobs.md shows commands and code that work."""

from __future__ import annotations

import gzip
import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from virnucpro_bus.clock import ManualClock
from workers.jobs import JobContext, make_job
from workers.jobs.checked_job import check_job
from workers.jobs.shell import PLACEHOLDERS

PAGE = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
CHAPTERS = dict(chapter.split("\n", 1) for chapter in PAGE.split("\n## ")[1:])
SHELL_JOBS = [
    word
    for command in re.findall(r"^virnucpro-bus run .*--job [\"']shell:.*$", CHAPTERS["shell"], re.MULTILINE)
    for word in shlex.split(command)
    if word.startswith("shell:")
]


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobContext]:
    """A context, in an empty current folder that is not on the import path afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "out").mkdir()
    yield JobContext("cpu", "cpu:0", {}, on_progress=lambda *_: None, clock=ManualClock())
    sys.modules.pop("lengths", None)
    importlib.invalidate_caches()


def test_the_table_has_every_placeholder_of_a_command() -> None:
    assert re.findall(r"^\| `\{(\w+)\}` \|", CHAPTERS["shell"], re.MULTILINE) == list(PLACEHOLDERS)


def test_every_command_shown_is_accepted(context: JobContext, tmp_path: Path) -> None:
    assert len(SHELL_JOBS) >= 4
    for spec in SHELL_JOBS:
        check_job(spec, {})
    (tmp_path / "two.fq.gz").write_bytes(gzip.compress(b"@a\nACGT\n+\n!!!!\n@b\nAC\n+\n!!\n"))
    (counting,) = (spec for spec in SHELL_JOBS if "awk" in spec)
    assert make_job(counting, context)(tmp_path / "two.fq.gz", tmp_path / "out") == 2
    assert (tmp_path / "out" / "two.bases").read_text() == "6\n"


def test_the_function_shown_is_a_job(context: JobContext, tmp_path: Path) -> None:
    (tmp_path / "lengths.py").write_text(CHAPTERS["Your own job"].split("```python\n")[1].split("```")[0])
    (tmp_path / "three.fa").write_text(">a\nACGT\nAC\n>b\n>c\nA\n")
    assert make_job("lengths:measure", context)(tmp_path / "three.fa", tmp_path / "out") == 3
    assert (tmp_path / "out" / "three.lengths.txt").read_text() == "6\n0\n1\n"
    assert context.warning == "contains a record without a sequence"


def test_the_chapters_stand_in_the_order_in_which_they_are_read() -> None:
    order = ["Inputs", "sixframe", "embed", "virnucpro", "shell", "Your own job"]
    assert list(CHAPTERS) == [title for title in order if title in CHAPTERS]
