"""What the options of `monitor` do to what it prints of a run that is over, and which of them go together."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.cli.display import DisplayOptions, show_once, watch
from tests.support.buses import wait_until
from tests.support.captures import write_capture
from virnucpro_bus import events as ev
from virnucpro_bus.cli import main as cli
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.vocabulary import Device
from virnucpro_bus.fold.fleet import FleetState
from virnucpro_bus.metrics_log_format import is_metrics_log
from virnucpro_bus.sources.playback import fold_capture
from virnucpro_bus.testing import Script

DEPTHS = {"cpu:0": 3, "cpu:1": 9, "cpu:2": 5}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run of three devices, whose queues are of different lengths."""
    script, devices = Script(), tuple(Device(key, index=at) for at, key in enumerate(DEPTHS))
    script.say("coordinator", ev.RunStarted("job", "off", devices, 20))
    for device in devices:
        script.say(device.key, ev.WorkerStarted(device, 1))
    script.say("coordinator", ev.QueueDepths(DEPTHS))
    write_capture(tmp_path / "run.vbus", script.frames())
    return tmp_path


def test_the_last_line_is_of_the_end_even_if_that_is_a_failure(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = FleetState(ManualClock())
    script = Script()
    script.say("coordinator", ev.RunStarted("job", "off", (Device("cpu:0"),), 2))
    fleet.feed(script.frames())

    def killed(stopped: Callable[[], object]) -> None:
        stopped()
        script.say("worker-0", ev.WorkerStopped("cpu:0", "finished"))
        fleet.feed(script.frames())
        raise UserError("the hub has gone")

    with pytest.raises(UserError, match="has gone"):
        watch(killed, fleet, ManualClock(), DisplayOptions(as_json=True))
    states = [json.loads(line)["devices"][0]["state"] for line in capsys.readouterr().out.splitlines()]
    assert states == ["starting", "stopped"]


def test_that_no_more_files_are_handed_out_is_shown_before_the_next_interval(
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet = FleetState(ManualClock())
    script, shown = Script(), ""
    script.say("coordinator", ev.RunStarted("job", "off", (Device("cpu:0"),), 2))
    fleet.feed(script.frames())

    def interrupted(stopped: Callable[[], object]) -> None:
        def shows(text: str) -> bool:
            nonlocal shown
            stopped()
            shown += capsys.readouterr().out
            return text in shown

        wait_until(lambda: shows("files 0/2"))
        script.say("coordinator", ev.Notice("interrupted"))
        script.say("coordinator", ev.RunDraining("SIGINT"))
        fleet.feed(script.frames())
        wait_until(lambda: shows("draining (SIGINT)"))

    assert watch(interrupted, fleet, ManualClock(), DisplayOptions(interval_seconds=3600.0)) == 0


def monitored(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["monitor", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def shown(picture: str) -> list[str]:
    """The devices in the order of their rows."""
    words = [line.split()[1] for line in picture.splitlines() if " cpu:" in line]
    return [word for word in words if word in DEPTHS]


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        ((), ["cpu:0", "cpu:1", "cpu:2"]),
        (("--sort", "queue"), ["cpu:1", "cpu:2", "cpu:0"]),
        (("--devices", "cpu:2,cpu:1"), ["cpu:1", "cpu:2"]),
        (("--devices", "cpu:2,cpu:1", "--sort", "device"), ["cpu:1", "cpu:2"]),
    ],
)
def test_order_and_choice_of_the_devices_reach_the_picture(
    run_dir: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], devices: list[str]
) -> None:
    assert monitored(run_dir, "--once", *options) == 0
    assert shown(capsys.readouterr().out) == devices


@pytest.mark.parametrize("once", [("--once",), ()])
def test_the_report_has_the_selected_devices_and_stderr_names_the_absent_ones(
    run_dir: Path, capsys: pytest.CaptureFixture[str], once: tuple[str, ...]
) -> None:
    assert monitored(run_dir, "--json", "--devices", "cpu:2,cpu:7", *once) == 0
    printed = capsys.readouterr()
    assert [device["device_id"] for device in json.loads(printed.out)["devices"]] == ["cpu:2"]
    assert printed.err.splitlines()[0] == "virnucpro-bus: no device matches cpu:7"


@pytest.mark.parametrize(("once", "several_lines"), [(("--once",), True), ((), False)])
def test_json_takes_more_than_a_line_only_where_it_is_the_only_object(
    run_dir: Path, capsys: pytest.CaptureFixture[str], once: tuple[str, ...], several_lines: bool
) -> None:
    assert monitored(run_dir, "--json", *once) == 0
    assert (capsys.readouterr().out.count("\n") > 1) is several_lines


@pytest.mark.parametrize("once", [("--once",), ()])
def test_of_a_run_that_is_over_the_end_is_logged_for_the_devices_that_are_shown(
    run_dir: Path, tmp_path: Path, once: tuple[str, ...]
) -> None:
    log = tmp_path / "log.csv"
    assert monitored(run_dir, "--log-file", log, "--devices", "cpu:1,cpu:2", *once) == 0
    with log.open(newline="") as file:
        logged = [(row["gpu_id"], row["queue_depth"]) for row in csv.DictReader(file)]
    assert logged == [("cpu:1", "9"), ("cpu:2", "5")]


def test_a_headless_monitor_logs_an_ended_run_and_shows_nothing(
    run_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = fold_capture(run_dir / "run.vbus", ManualClock())
    show_once(fleet, DisplayOptions(log_file=tmp_path / "log.csv", draw=False))
    assert capsys.readouterr().out == ""
    assert is_metrics_log(tmp_path / "log.csv")


def test_a_log_that_is_too_long_is_moved_aside_where_nothing_more_comes_too(run_dir: Path) -> None:
    log = run_dir / "log.csv"
    for _ in range(9):
        assert monitored(run_dir, "--log-file", log, "--log-rotate", "1K", "--once") == 0
    assert (run_dir / "log.csv.1").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--log-rotate", "1M"), "--log-rotate needs --log-file PATH"),
        (("--log-file", "log.csv", "--json"), "--log-file needs the dashboard: leave out --json"),
        (("--log-file", "log.csv", "--json", "--once"), "--log-file needs the dashboard: leave out --json"),
        (("--http", "0", "--once"), "--http serves until it is interrupted: leave out --once"),
        (("--http-token-file", "token"), "--http-token-file needs --http [HOST:]PORT"),
        (("--no-dashboard",), "--no-dashboard needs --log-file PATH, --http PORT or --wait"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    run_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    why: str,
) -> None:
    monkeypatch.chdir(run_dir)
    assert monitored(run_dir, *options) == 2
    assert capsys.readouterr().err.startswith(f"virnucpro-bus: {why}; see ")
    assert not (run_dir / "log.csv").exists()


@pytest.mark.parametrize(
    ("address", "why"),
    [("nowhere", "nowhere: is not an address"), ("*:0", "0.0.0.0:0: other machines can reach this address")],
)
def test_an_address_that_cannot_be_served_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], address: str, why: str
) -> None:
    assert monitored(tmp_path / "missing", "--http", address) == 2
    assert capsys.readouterr().err.startswith(f"virnucpro-bus: --http: {why}")
