"""Options that several commands share: what they accept, what they refuse, and what they complete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from virnucpro_bus.cli import main as cli
from virnucpro_bus.cli.options import columns_option, display_options, kinds_option, log_rotate_option
from virnucpro_bus.events.kinds import KINDS


def given(option: Callable[[Callable[..., None]], Callable[..., None]], *arguments: str) -> str:
    """What a command with this option makes of the arguments; "refused: " and why when it does not take them."""

    @click.command()
    @option
    def told(**values: Any) -> None:
        click.echo(*values.values())

    ran = CliRunner().invoke(told, arguments)
    return ran.output.strip() if ran.exit_code == 0 else f"refused: {ran.output.splitlines()[-1]}"


@pytest.mark.parametrize(
    ("written", "size_bytes"),
    [
        *(("1K", 1 << 10), ("1024", 1 << 10), ("1025", 1025), ("10m", 10 << 20), ("2G", 2 << 30)),
        ("1000000G", 1_000_000 << 30),
    ],
)
def test_a_size_is_bytes_by_powers_of_1024(written: str, size_bytes: int) -> None:
    assert given(log_rotate_option, "--log-rotate", written) == str(size_bytes)


@pytest.mark.parametrize(
    "written", ["", "0", "1023", "0K", "-1M", "1 K", "1T", "K", "1.5G", "1000001G", "999999999999999999G"]
)
def test_an_invalid_size_is_refused_with_the_valid_ones(written: str) -> None:
    refused = given(log_rotate_option, "--log-rotate", written)
    expected = f"'--log-rotate': '{written}': is not a size: expected 1K to 1000000G, for example 10M"
    assert refused == f"refused: Error: Invalid value for {expected}"


def test_columns_are_found_whatever_their_case_and_blanks() -> None:
    assert given(columns_option, "--columns", "State, SEQ/S") == "('state', 'seq/s')"


def test_a_column_that_there_is_not_is_refused_with_the_ones_there_are() -> None:
    refused = given(columns_option, "--columns", "file,xyz")
    assert "'xyz': is not a column: expected some of device, host, run, name, state, compute, " in refused


@pytest.mark.parametrize(
    ("written", "passed_on"),
    [
        ([], ()),
        (["--columns", "state,FILE"], ("--columns", "state,file")),
        (["--sort", "device"], ("--sort", "device")),
        (["--sort", "queue", "--line-interval", "5"], ("--line-interval", "5.0", "--sort", "queue")),
    ],
)
def test_options_of_the_display_are_passed_on_where_they_were_given(
    written: list[str], passed_on: tuple[str, ...]
) -> None:
    shown = given(display_options, *written)
    assert shown == str(passed_on)
    monitor = click.Command("monitor", params=display_options(lambda display: None).__click_params__)  # type: ignore[attr-defined]
    monitor.make_context("monitor", list(passed_on))  # it takes them


EMPTY = (
    *("effect|", "export|", "export|.|-o|", "hub|", "info|", "monitor|", "monitor|a|", "relay|", "replay|"),
    *("record|", "record|a|-o|", "run||--out|a", "run|a|--out|", "sample|", "tail|", "whatif|"),
    "monitor|--log-file|",
)


@pytest.mark.parametrize("command", EMPTY)
def test_a_name_that_is_empty_is_not_taken_for_the_current_folder(
    command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        cli.main(command.split("|"))
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert ": the name is empty; see " in line
    assert list(tmp_path.iterdir()) == []


def offered(*arguments: str) -> list[str]:
    """What a shell is offered for the last of the arguments."""

    @click.command()
    @kinds_option
    @columns_option
    def told() -> None: ...

    *before, last = arguments
    return [item.value for item in ShellComplete(told, {}, "told", "TOLD").get_completions(before, last)]


def test_every_kind_of_event_is_offered() -> None:
    assert offered("--kinds", "") == sorted(kind.removesuffix("/") for kind in KINDS)


def test_columns_are_offered_behind_those_before() -> None:
    assert offered("--columns", "state,c") == ["state,compute", "state,cpu"]


def test_after_a_comma_the_next_kind_is_offered_behind_those_before() -> None:
    assert offered("--kinds", "file.started,work.") == ["file.started,work.stolen"]
