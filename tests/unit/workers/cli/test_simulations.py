"""Simulations in several processes: the same outcomes, whatever becomes of the processes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus.system.cores import Cores
from virnucpro_bus.whatif import WhatIf
from workers.cli import simulations
from workers.cli.simulations import simulate_side_by_side
from workers.whatif.recorded_run import RecordedRun, make_recorded_run
from workers.whatif.scenarios import Variation, what_if


@pytest.fixture(scope="module")
def recorded() -> RecordedRun:
    run = ImaginedRun(range(1, 60), [0.5, 1.0, 2.5], "cost", late=[(20.0, 1.0)])
    run.work()
    return make_recorded_run(run.fleet())


@pytest.fixture
def _several_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cores, and runs that are worth them."""
    monkeypatch.setattr(simulations, "usable_cores", lambda _: Cores(2, None))
    monkeypatch.setattr(simulations, "WORTH_PROCESSES", 1)


def side_by_side(recorded: RecordedRun) -> WhatIf:
    return what_if(recorded, Variation(), simulate_side_by_side)


@pytest.mark.usefixtures("_several_cores")
def test_several_processes_find_what_one_finds(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "_reply_to", None)
    assert side_by_side(recorded) == what_if(recorded, Variation())


@pytest.mark.usefixtures("_several_cores")
@pytest.mark.parametrize("command", [["/nonexistent"], ["false"]])
def test_what_a_process_does_not_answer_is_simulated_here(
    recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch, command: Sequence[str]
) -> None:
    monkeypatch.setattr(simulations, "own_program", lambda _: command)
    assert side_by_side(recorded) == what_if(recorded, Variation())


def test_a_small_run_starts_no_process(recorded: RecordedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulations, "ask", None)
    assert side_by_side(recorded) == what_if(recorded, Variation())
