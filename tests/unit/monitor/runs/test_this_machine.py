"""What is watched without a run: first the GPUs, then the run that begins."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from monitor.gpu import local_fleet
from monitor.gpu.monitor import GPUMonitor
from monitor.gpu.reading import GpuBackend, NullBackend
from monitor.runs import this_machine
from monitor.runs.this_machine import WAITING, ThisMachine
from tests.support.buses import hub_in, turned_by_a_thread
from tests.support.gpu_bench import GPU_A, GPU_B, Bench
from tests.support.in_process import ended
from virnucpro_bus import events as ev
from virnucpro_bus import run_registry
from virnucpro_bus.clock import Clock, SystemClock
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.hub.hub import Hub
from virnucpro_bus.testing import Script


@pytest.fixture(autouse=True)
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Two GPUs, in a home without runs and in an empty folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    bench = Bench(GPU_A, GPU_B, cache_seconds=0.0)
    monkeypatch.setattr(local_fleet, "has_driver", lambda: True)
    monkeypatch.setattr(local_fleet, "GPUMonitor", lambda **_: bench.monitor)
    yield bench
    bench.monitor.close()


def shown(machine: ThisMachine) -> list[tuple[str, str, float | None]]:
    report = machine.fleets.report()
    return [(row["key"], row["state"], row["compute_percent"]) for row in report["devices"]]


def notices(machine: ThisMachine) -> list[str]:
    return [text for _, text in machine.fleets.notices()]


def record(hub: Hub, *events: ev.Fact) -> None:
    script = Script()
    for event in events:
        script.say("coordinator", event)
    hub.record(script.frames())


def test_the_gpus_are_shown_as_unused_until_there_is_a_run() -> None:
    with ThisMachine(SystemClock()) as machine:
        assert shown(machine) == [("GPU-a", "unused", 40.0), ("GPU-b", "unused", 90.0)]
        assert machine.live
        assert WAITING in notices(machine)
        machine.follow(lambda: True, print)


def test_a_run_that_begins_takes_the_place_of_the_gpus_and_its_end_is_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        hub_in(tmp_path) as hub,
        turned_by_a_thread(hub),
        ThisMachine(SystemClock()) as machine,
    ):
        record(hub, ev.RunStarted("job", "off", (Device("cpu:0"),), 0))
        address = hub.addresses.history
        monkeypatch.setattr(this_machine, "newest_running", lambda: address)
        monkeypatch.setattr(run_registry, "signs_of_change", lambda: {("a run", 1)})
        is_ended = False

        def stopped() -> bool:
            nonlocal is_ended
            if machine.title == address and not is_ended:
                is_ended = True
                assert [row["key"] for row in machine.fleets.get_gpu_metrics()] == ["cpu:0"]
                assert WAITING not in notices(machine)
                record_end(hub)
            return False

        machine.follow(stopped, print)
        assert capsys.readouterr().err == f"virnucpro-bus: shows the run in {address}\n"
        assert machine.fleets.finished
        assert not machine.live


def record_end(hub: Hub) -> None:
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (Device("cpu:0"),), 0))
    script.say("coordinator", ev.RunFinished(0, 0, 0))
    hub.record(script.frames()[1:])


def test_a_run_that_has_just_ended_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(this_machine, "newest_running", lambda: str(tmp_path))
    with ThisMachine(SystemClock()) as machine:
        assert len(shown(machine)) == 2
        assert machine.bus_errors() == []


def test_once_is_the_gpus_as_they_are_and_says_nothing_of_a_run_to_come(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended("monitor", "--once", "--json") == 0
    printed = capsys.readouterr()
    assert [row["device_name"] for row in json.loads(printed.out)["devices"]] == ["A", "B"]
    assert printed.err == ""
    assert ended("monitor", "--once") == 0
    assert WAITING[:20] not in capsys.readouterr().out


def test_a_machine_without_a_driver_is_one_line_and_no_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local_fleet, "has_driver", lambda: False)
    assert ended("monitor", "--once") == 0
    printed = capsys.readouterr()
    assert "this machine has no GPU driver" in printed.out
    assert printed.err == ""


def test_a_driver_that_hangs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = threading.Event()

    def hanging(clock: Clock) -> GpuBackend:
        answer.wait()
        return NullBackend([])

    monkeypatch.setattr(local_fleet, "GPUMonitor", partial(GPUMonitor, cache_seconds=0.0))
    monkeypatch.setattr("monitor.gpu.monitor.BestBackend", hanging)
    monkeypatch.setattr("monitor.gpu.monitor.WAIT_SECONDS", 0.0)
    monkeypatch.setattr(local_fleet, "DRIVER_SECONDS", 0.0)
    with ThisMachine(SystemClock(), once=True) as machine:
        assert shown(machine) == []
        assert notices(machine) == [local_fleet.NO_ANSWER]
    answer.set()


def test_a_run_that_is_live_is_shown_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hub_in(tmp_path) as hub, turned_by_a_thread(hub):
        record(hub, ev.RunStarted("job", "off", (Device("cpu:0"),), 0))
        monkeypatch.setattr(this_machine, "newest_running", lambda: hub.addresses.history)
        with ThisMachine(SystemClock(), once=True) as machine:
            assert shown(machine) == [("cpu:0", "starting", None)]
            assert (machine.title, machine.live) == (hub.addresses.history, True)
