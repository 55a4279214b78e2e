"""`effect`, `whatif` and `info` of several runs: each by itself, and shards of the same inputs together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.support.captures import recorded
from tests.support.simulated_runs import ImaginedRun
from virnucpro_bus.cli.effect import effect
from virnucpro_bus.cli.info import info
from virnucpro_bus.events.run_events import Shard
from workers.cli.whatif import whatif

COMMANDS = pytest.mark.parametrize("command", [effect, whatif, info])
COSTS = [10] * 12, [7] * 9


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards, 0 and 1, a shard of other inputs, 2, and a run of all its inputs, whole."""
    folder = tmp_path_factory.mktemp("out")
    shards = {"0": Shard(0, 2, 21, "i"), "1": Shard(1, 2, 21, "i"), "2": Shard(1, 2, 9, "j"), "whole": None}
    for (name, shard), costs in zip(shards.items(), (*COSTS, *COSTS), strict=True):
        run = ImaginedRun(costs, [1.0, 2.0], "cost", shard=shard)
        run.work()
        (folder / name).mkdir()
        recorded(folder / name / "run.vbus", run.script.envelopes)
    return folder


def asked(command: click.Command, *arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)


def answer(command: click.Command, *runs: Path) -> Any:
    return json.loads(asked(command, *runs, "--json").stdout)


@COMMANDS
def test_each_of_several_runs_is_what_it_is_alone(folder: Path, command: click.Command) -> None:
    runs = [folder / "0", folder / "whole"]
    told = answer(command, *runs)["runs"]
    names = [each.pop("run", None) for each in told]
    assert names == ([None, None] if command is info else ["0", "whole"])
    assert told == [answer(command, run) for run in runs]


@COMMANDS
def test_the_text_of_several_runs_is_the_texts_of_each(folder: Path, command: click.Command) -> None:
    told = asked(command, folder / "0", folder / "whole").stdout
    first, second = (asked(command, folder / name).stdout.rstrip("\n") for name in ("0", "whole"))
    if command is info:
        assert told == f"{first}\n\n{second}\n"
        assert "shard     0/2 of 21 files" in first
        assert "shard" not in second
    else:
        assert told == f"0 (shard 0/2 of 21 files)\n{first}\n\nwhole\n{second}\n"


def test_the_effect_on_shards_is_also_shown_together(folder: Path) -> None:
    told = answer(effect, folder / "0", folder / "1")
    (one, other), both = told["runs"], told["combined"]
    assert both["makespan_seconds"] == max(one["makespan_seconds"], other["makespan_seconds"])
    assert both["moves"] == one["moves"] + other["moves"]
    assert both["idle_seconds"].keys() == {"cpu:0", "cpu:1"}
    for key, seconds in both["idle_seconds"].items():
        assert seconds == pytest.approx(one["idle_seconds"][key] + other["idle_seconds"][key])
    lines = asked(effect, folder / "0", folder / "1").stdout.split("\n\n")[-1].splitlines()
    assert lines[0] == "all 2 shards together"
    assert [line.split()[0] for line in lines[1:4]] == ["stealing", "makespan", "expected"]


@pytest.mark.parametrize("other", ["2", "whole"])
def test_the_effect_on_runs_that_are_no_parts_of_one_whole_is_not_combined(folder: Path, other: str) -> None:
    assert answer(effect, folder / "0", folder / other)["combined"] is None
    assert "together" not in asked(effect, folder / "0", folder / other).stdout


@COMMANDS
def test_what_is_missing_of_a_whole_is_reported(folder: Path, command: click.Command) -> None:
    assert asked(command, folder / "0", folder / "1").stderr == ""
    lines = asked(command, folder / "0", folder / "2").stderr.splitlines()
    assert [line.removeprefix("virnucpro-bus: ") for line in lines] == [
        "the runs that are given lack shard 1/2",
        "the runs that are given lack shard 0/2",
        "the shards are of different inputs (0; 2): some files may be done twice, and others not at all",
    ]
