"""A run of many tiny files on a cluster of its own, whose processes are killed at random (scripts/chaos)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'virnucpro-bus[dask]'")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_ten_thousand_files_are_each_committed_once_although_workers_and_launchers_are_killed() -> None:
    command = [sys.executable, "-P", "scripts/chaos_run.py", "--engine", "dask", "--kills", "200"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert "all checks passed" in ended.stdout
