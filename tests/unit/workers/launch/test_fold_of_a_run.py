"""The fold of a run, which the launcher keeps at its end beside the capture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.plans import run_plan
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.run_folder import CAPTURE_NAME, FOLD_NAME
from virnucpro_bus.sources import kept_fold
from virnucpro_bus.sources import recording as recording_module
from virnucpro_bus.sources.kept_fold import read_kept_fold
from virnucpro_bus.sources.recording import Recording, read_recording
from workers.inputs.find import find_inputs
from workers.launch.launcher import Launcher


def run(out: Path, *, resume: bool = False) -> None:
    """Process one file, or resume the run that has."""
    path = out.parent / "a.fa"
    path.write_text(">a\nACGT\n")
    plan = run_plan(out, find_inputs([path]).files, job="shell:wc {input}", resume=resume)
    assert Launcher(plan, SystemClock()).run() == 0


def then(change: Callable[[Path], object]) -> Callable[..., Recording]:
    """Return a `read_recording` after which the capture is changed."""

    def read(path: Path, *arguments: Any, **options: Any) -> Recording:
        recording = read_recording(path, *arguments, **options)
        change(path)
        return recording

    return read


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def test_a_run_keeps_its_fold_until_it_is_resumed_and_none_of_a_capture_that_has_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_fold, "MIN_EVENTS", 1)
    out = tmp_path / "out"
    run(out)
    fleet = read_kept_fold(out / CAPTURE_NAME)
    assert fleet is not None
    assert fleet.get_totals()["files_completed"] == 1
    monkeypatch.setattr(recording_module, "read_recording", then(append))
    run(out, resume=True)
    assert not (out / FOLD_NAME).exists()
