"""When sampler and monitor of a run start, with a manual clock and no processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.plans import run_plan
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.hub.bus_server import BusServer
from workers.launch.monitor_process import MonitorProcess
from workers.launch.viewers import LONGEST_DELAY_SECONDS, Viewers


class Run:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, refusal: OSError | None = None) -> None:
        self.clock = ManualClock()
        self.started: list[str] = []
        self.notices: list[str] = []
        self._refusal = refusal
        monkeypatch.setattr(BusServer, "start_sampler", lambda *_, **__: self._start("sampler"))
        monkeypatch.setattr(MonitorProcess, "start", lambda *_, **__: self._start("monitor"))
        server = BusServer(folder, self.clock)
        self.viewers = Viewers(run_plan(folder), server, MonitorProcess(), self.clock, self.notices.append)

    def _start(self, name: str) -> Any:
        if self._refusal is not None:
            raise self._refusal
        self.started.append(name)


def test_they_start_once_with_the_first_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path, monkeypatch)
    run.viewers.start_if_due(is_begun=False)
    assert run.started == []
    for _ in range(2):
        run.viewers.start_if_due(is_begun=True)
        run.viewers.start()
    assert run.started == ["sampler", "monitor"]


def test_they_wait_a_second_for_a_job_that_takes_long_to_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, monkeypatch)
    run.viewers.start_if_due(is_begun=False)
    run.clock.advance(LONGEST_DELAY_SECONDS - 0.01)
    run.viewers.start_if_due(is_begun=False)
    assert run.started == []
    run.clock.advance(0.01)
    run.viewers.start_if_due(is_begun=False)
    assert run.started == ["sampler", "monitor"]


def test_a_run_continues_without_those_that_cannot_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path, monkeypatch, OSError(11, "Resource temporarily unavailable"))
    run.viewers.start()
    assert run.notices == [
        "there are no GPU figures, because the sampler cannot be started: Resource temporarily unavailable",
        "there is no dashboard and no log: the monitor cannot be started: Resource temporarily unavailable",
    ]
