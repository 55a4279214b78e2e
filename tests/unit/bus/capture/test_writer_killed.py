"""A writer of a capture may be killed at any moment: what was synced is there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.captures import read_all
from tests.support.killed_writers import frame
from tests.support.paths import SUPPORT

PROGRAM = SUPPORT / "killed_writers.py"


def kill_and_look(folder: Path, kills: int, seed: int) -> int:
    """Check the captures of that many killed writers; returns how many different moments they had come to."""
    command = [sys.executable, str(PROGRAM), str(folder), str(kills), str(seed)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    synced = [int(line) for line in ran.stdout.splitlines()]
    assert len(synced) == kills
    for number, least in enumerate(synced):
        frames = [record.frame for record in read_all(folder / f"{number}.vbus")]
        assert frames == [frame(at) for at in range(len(frames))], f"writer {number}"
        assert len(frames) >= least > 0, f"writer {number}"
    return len(set(synced))


def test_of_100_killed_writers_none_has_lost_what_was_synced(tmp_path: Path) -> None:
    assert kill_and_look(tmp_path, 100, seed=3) > 1


@pytest.mark.slow
def test_of_1000_killed_writers_none_has_lost_what_was_synced(tmp_path: Path) -> None:
    assert kill_and_look(tmp_path, 1_000, seed=4) > 1
