"""Every command says the same of a run whose launcher was killed; none takes it for a run in progress."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.captures import some_frames, write_capture
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus.capture.writer import CaptureWriter
from virnucpro_bus.cli import main as cli
from virnucpro_bus.clock import ManualClock
from virnucpro_bus.events.codec import encode
from virnucpro_bus.run_folder import BusAddresses, RunFolder

UNTIL_SECONDS = 0.5
WARNING = "the run was broken off; the figures are those up to its last event"

CUT_SHORT = "the recording ends before its run; the figures are those of its last event"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run whose equal files a slow and a fast device process, killed in the middle."""
    run = ImaginedRun([100] * 30, [100.0, 400.0], "cost")
    run.work(3.1)
    clock = ManualClock()
    folder = tmp_path / "run"
    folder.mkdir()
    with CaptureWriter(folder / "run.vbus", clock) as writer:
        for envelope in run.script.envelopes:
            clock.wall, clock.mono = envelope.wall_ns, envelope.mono_ns
            writer.append([encode(envelope)])
    return folder


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command; returns its JSON and what it says on stderr."""

    def run(*arguments: str | Path) -> tuple[Any, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        assert not ended.value.code
        out, err = capsys.readouterr()
        return json.loads(out), err

    return run


def states(report: Any) -> set[str]:
    return {row["state"] for row in report["devices"]}


def test_monitor_replay_effect_whatif_and_info_agree_on_a_run_that_was_killed(run_dir: Path, answer: Any) -> None:
    live, _ = answer("monitor", run_dir, "--once", "--json")
    replayed, warned = answer("replay", run_dir, "--once", "--json")
    assert states(live) == states(replayed) == {"stopped"}
    assert replayed["effect"] == live["effect"]
    assert live["effect"]["makespan_expected_seconds"] == live["effect"]["makespan_seconds"]
    assert WARNING in warned
    effect, warned = answer("effect", run_dir, "--json")
    assert live["effect"].items() <= effect.items()
    assert WARNING in warned
    whatif, warned = answer("whatif", run_dir, "--json")
    assert whatif["recorded"]["makespan_seconds"] == live["effect"]["makespan_seconds"]
    assert WARNING in warned
    assert answer("info", run_dir, "--json")[0]["ending"] == "broken off"


def test_a_copy_that_lacks_the_end_is_shown_as_the_run_was_at_its_last_event(
    run_dir: Path, tmp_path: Path, answer: Any
) -> None:
    copy = tmp_path / "copy.vbus"
    shutil.copy(run_dir / "run.vbus", copy)
    report, warned = answer("replay", copy, "--once", "--json")
    assert states(report) == {"busy"}
    assert report["effect"]["makespan_expected_seconds"] > report["effect"]["makespan_seconds"]
    assert CUT_SHORT in warned
    assert CUT_SHORT in answer("effect", copy, "--json")[1]
    assert answer("info", copy, "--json")[0]["ending"] == "not recorded"


def test_a_moment_before_its_end_is_shown_as_it_was(run_dir: Path, answer: Any) -> None:
    report, warned = answer("replay", run_dir, "--once", "--json", "--until", str(UNTIL_SECONDS))
    assert states(report) == {"busy"}
    assert report["effect"]["makespan_seconds"] < 1
    assert warned == ""


def test_a_run_in_progress_is_not_broken_off(run_dir: Path, answer: Any) -> None:
    folder = RunFolder(run_dir).claim()
    report, warned = answer("replay", run_dir, "--once", "--json")
    effect, warned_too = answer("effect", run_dir, "--json")
    assert states(report) == {"busy"}
    assert effect["makespan_expected_seconds"] > effect["makespan_seconds"]
    assert warned == warned_too == ""
    assert answer("info", run_dir, "--json")[0]["ending"] == "in progress"
    folder.release()


@pytest.mark.parametrize("was_killed", [False, True])
def test_a_hub_without_a_run_is_broken_off_if_it_has_left_its_addresses(
    tmp_path: Path, answer: Any, was_killed: bool
) -> None:
    write_capture(tmp_path / "run.vbus", some_frames(3))
    if was_killed:
        left = BusAddresses("run-1", "node", 1, "ipc:///p", "ipc:///s", "ipc:///h")
        (tmp_path / "bus.json").write_bytes(msgspec.json.encode(left))
    _, warned = answer("replay", tmp_path, "--once", "--json")
    assert (WARNING in warned) is was_killed
    assert answer("info", tmp_path, "--json")[0]["ending"] == ("broken off" if was_killed else None)
