"""A dashboard that draws nothing still reports problems with its log."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from monitor.dashboard import LoadBalancingDashboard
from tests.support.fake_sources import Gpus, Work
from virnucpro_bus.clock import ManualClock


def dashboard(log: Path, *, draw: bool) -> LoadBalancingDashboard:
    console = Console(file=io.StringIO())
    return LoadBalancingDashboard(Work(), Gpus(), log_file=log, console=console, clock=ManualClock(), draw=draw)


def test_without_a_picture_a_problem_with_the_log_is_printed_once_and_its_end_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    headless = dashboard(folder / "gpu.log", draw=False)
    for _ in range(3):
        headless._update()
    (printed,) = capsys.readouterr().err.splitlines()
    assert printed.startswith("virnucpro-bus: ")
    assert "gpu.log" in printed
    folder.mkdir()
    for _ in range(2):
        headless._update()
    assert capsys.readouterr().err == "virnucpro-bus: metrics log: works again\n"


def test_with_a_picture_it_is_shown_in_the_picture_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing = dashboard(tmp_path / "missing" / "gpu.log", draw=True)
    for _ in range(2):
        drawing._update()
    assert capsys.readouterr().err == ""
    assert "gpu.log" in " ".join(problem.text for problem in drawing._latest.health)
