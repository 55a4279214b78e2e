"""`effect` and `whatif` on captures that lack something, and on empty ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.support.captures import recorded, spans, write_capture
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus.capture.compression import HAS_ZSTD, compress_capture
from virnucpro_bus.cli.effect import effect
from virnucpro_bus.errors import UserError
from virnucpro_bus.events.run_events import FilesAssigned
from workers.cli.whatif import whatif

COMMANDS = pytest.mark.parametrize("command", [effect, whatif])


def a_run() -> ImaginedRun:
    run = ImaginedRun([10] * 30, [1.0, 2.0], "cost")
    run.work()
    return run


def asked(command: click.Command, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def answer(command: click.Command, path: Path) -> Any:
    return json.loads(asked(command, path, "--json").stdout)


@COMMANDS
def test_a_complete_capture_causes_no_warning(tmp_path: Path, command: click.Command) -> None:
    recorded(tmp_path / "run.vbus", a_run().script.envelopes)
    result = asked(command, tmp_path)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.skipif(not HAS_ZSTD, reason="this Python has no zstd")
@COMMANDS
def test_a_compressed_capture_gives_the_same_answer(tmp_path: Path, command: click.Command) -> None:
    path = tmp_path / "run.vbus"
    recorded(path, a_run().script.envelopes, times=20)
    plain, size = answer(command, path), path.stat().st_size
    compress_capture(path)
    assert path.stat().st_size < size
    assert answer(command, path) == plain


@COMMANDS
def test_lost_events_are_reported_by_source(tmp_path: Path, command: click.Command) -> None:
    run = a_run()
    lost = {("worker-0", 7), ("worker-1", 9), ("worker-1", 10)}
    recorded(tmp_path / "run.vbus", [each for each in run.script.envelopes if (each.source, each.seq) not in lost])
    result = asked(command, tmp_path / "run.vbus")
    assert result.exit_code == 0
    assert result.stderr == (
        f"virnucpro-bus: {tmp_path / 'run.vbus'}: 3 events are not recorded "
        f"(worker-0 of {run.host}: 1, worker-1 of {run.host}: 2); the figures lack them\n"
    )


@COMMANDS
def test_damage_is_reported(tmp_path: Path, command: click.Command) -> None:
    path = tmp_path / "run.vbus"
    start, stop = spans(write_capture(path, [*a_run().script.frames(), b"no event"]))[-4]
    data = bytearray(path.read_bytes())
    data[start + 30] ^= 1
    path.write_bytes(data)
    complaints = asked(command, path).stderr
    assert f"{stop - start} bytes are damaged or cut off" in complaints
    assert "frames that are not events" in complaints


@COMMANDS
@pytest.mark.parametrize("kind", ["sim", "cpu"])
def test_figures_of_simulated_gpus_are_marked_and_no_others(
    tmp_path: Path, command: click.Command, kind: str
) -> None:
    run = ImaginedRun([10] * 30, [1.0, 2.0], "cost", kind=kind)
    run.work()
    recorded(tmp_path / "run.vbus", run.script.envelopes)
    assert answer(command, tmp_path)["simulated"] is (kind == "sim")
    assert ("simulated GPUs" in asked(command, tmp_path).stdout) is (kind == "sim")


def test_where_part_of_the_plan_is_lost_nothing_is_made_up(tmp_path: Path) -> None:
    envelopes = a_run().script.envelopes
    envelopes.remove([each for each in envelopes if isinstance(each.event, FilesAssigned)][1])
    recorded(tmp_path / "run.vbus", envelopes)
    figures = answer(effect, tmp_path)
    assert (figures["makespan_seconds"], figures["saved_seconds"], figures["jain_index"]) == (None, None, None)
    refused = asked(whatif, tmp_path)
    assert isinstance(refused.exception, UserError)
    assert "events of the plan or of completed files are missing" in str(refused.exception)


@COMMANDS
def test_a_capture_without_an_event_is_an_error(tmp_path: Path, command: click.Command) -> None:
    write_capture(tmp_path / "run.vbus", [])
    refused = asked(command, tmp_path)
    assert isinstance(refused.exception, UserError)
    assert "contains no events" in str(refused.exception)


@COMMANDS
def test_an_empty_name_is_not_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: click.Command
) -> None:
    recorded(tmp_path / "run.vbus", a_run().script.envelopes)
    monkeypatch.chdir(tmp_path)
    assert asked(command, ".").exit_code == 0
    assert asked(command, "").exit_code == 2
