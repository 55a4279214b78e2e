"""Helper processes of a run that the system refuses to start."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import AddressError
from virnucpro_bus.remote.relay_process import RelayProcess
from workers.launch.monitor_process import MonitorProcess


@pytest.fixture(autouse=True)
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses every process, as with `ulimit -u`."""

    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", refuse)


def test_a_relay_that_cannot_be_started_is_an_error_in_one_line(tmp_path: Path) -> None:
    relay = RelayProcess(ManualClock(), print)
    expected = "tcp://127.0.0.1:5599: the relay cannot be started: Resource temporarily unavailable"
    with pytest.raises(AddressError, match=expected):
        relay.start(tmp_path, "tcp://127.0.0.1:5599")
    relay.stop(lambda: True)


def test_messages_are_printed_at_once_without_a_monitor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monitor = MonitorProcess()
    with pytest.raises(BlockingIOError):
        monitor.start(tmp_path, 2.0, tmp_path / "log", None, draw=True)
    assert not monitor.has_ended()
    monitor.report("the run continues")
    assert capsys.readouterr().err == "virnucpro-bus: the run continues\n"
    monitor.poll()
    monitor.finish(lambda: None, lambda: True)
