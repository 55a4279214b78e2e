"""The fold of a run at its end, of which the launcher makes the summary, and which it keeps beside the capture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.plans import run_plan
from virnucpro_bus.clock import SystemClock
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.run_folder import CAPTURE_NAME, FOLD_NAME, SUMMARY_NAME
from virnucpro_bus.sources import kept_fold, recording
from virnucpro_bus.sources.kept_fold import read_kept_fold
from workers.inputs.find import find_inputs
from workers.launch import launcher
from workers.launch.launcher import Launcher
from workers.launch.run_plan import RunPlan
from workers.launch.summary import sum_up


def run(out: Path, *, resume: bool = False) -> None:
    """Process one file, or resume the run that has."""
    path = out.parent / "a.fa"
    path.write_text(">a\nACGT\n")
    plan = run_plan(out, find_inputs([path]).files, job="shell:wc {input}", resume=resume)
    assert Launcher(plan, SystemClock()).run() == 0


def then(change: Callable[[Path], object]) -> Callable[..., dict[str, Any]]:
    """Return a `sum_up` after which the capture is changed."""

    def sum_up_then(plan: RunPlan, *arguments: Any, **options: Any) -> dict[str, Any]:
        summary = sum_up(plan, *arguments, **options)
        change(plan.run_dir / CAPTURE_NAME)
        return summary

    return sum_up_then


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
    monkeypatch.setattr(launcher, "sum_up", then(append))
    run(out, resume=True)
    assert not (out / FOLD_NAME).exists()


def test_a_run_is_summed_up_from_the_fold_of_its_hub_or_else_from_its_capture_with_the_same_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(recording, "read_recording", None)
        run(out)
    summary = json.loads((out / SUMMARY_NAME).read_text())
    of_capture = recording.read_recording(out / CAPTURE_NAME, SystemClock()).fleet.report()
    assert {key: summary[key] for key in of_capture} == json.loads(json.dumps(of_capture))
    assert summary["totals"]["files_completed"] == 1
    monkeypatch.setattr(Hub, "take_ended_run", lambda hub: None)
    run(out, resume=True)
    resumed = json.loads((out / SUMMARY_NAME).read_text())
    assert (resumed["totals"]["files_completed"], resumed["files_done_before"]) == (1, 1)
